"""Fetch the answers of ended batches, check each, and store those that pass in the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import AnswerFormatError, Charge, OutputFormat, Reply
from gptkit.core.errors import (
    CannotReadError,
    CannotWriteError,
    DataError,
    GptkitError,
    IncompleteError,
    ProtocolError,
    RefusedError,
    UnavailableError,
)
from gptkit.exchange.retry import reply_failure
from gptkit.jobs.batch.submit import call_with_retries
from gptkit.jobs.missing import piece_from_json
from gptkit.output.formats import FORMATS
from gptkit.text.pieces import Format, Piece, PieceAnswer

if TYPE_CHECKING:
    from gptkit.jobs.batch.queue import Shard
    from gptkit.jobs.batch.submit import BatchContext
    from gptkit.provider.batches import Batch, BatchResult


DEFECTS = (DataError, IncompleteError, ProtocolError, RefusedError)
"""Failures that the same request would meet again in a batch; an ordinary run corrects the request."""
GONE = "gone"
"""Our status for a batch that the provider does not know, perhaps since the account is another one."""
ANSWERS_AT_ONCE = 200
"""Answers after which the queue is updated."""


class CollectedBatch(NamedTuple):
    """What became of the pieces of one batch, as counts.

    `accepted` answers are in the memory; `defective` ones have to be asked for without a batch; for `missing`
    ones no answer came. `failure` is the first problem.
    """

    batch: str
    status: str
    prompt: str = ""
    accepted: int = 0
    defective: int = 0
    missing: int = 0
    failure: str = ""
    charges: tuple[Charge, ...] = ()


def collect_batches(context: BatchContext) -> Iterator[CollectedBatch]:
    """Store the answers of every batch that ended; yields what became of each, also of those that are gone.

    Call it within `context.queue.lock()`. Raises the GptkitError of a download that fails, after the answers
    before the failure are stored; the next call continues from there.
    """
    for shard in context.queue.shards(context.host):
        if shard.state == "submitted" and (collected := _collect_batch(context, shard)) is not None:
            yield collected


def _collect_batch(context: BatchContext, shard: Shard) -> CollectedBatch | None:
    """Store the answers of a shard's batch; returns None while the batch is not over."""
    try:
        batch = call_with_retries(context, lambda: context.client.status(shard.batch))
    except UnavailableError as error:
        return CollectedBatch(shard.batch, GONE, failure=error.message)
    return _BatchCollector(context, shard).collect(batch) if batch.is_over else None


class _BatchCollector:
    """Stores the answers of one batch."""

    def __init__(self, context: BatchContext, shard: Shard) -> None:
        self._context = context
        self._shard = shard
        shared = json.loads(shard.about)
        self._metadata: Mapping[str, str] = {str(k): str(v) for k, v in shared["about"].items()}
        self._model = str(shared["model"])
        self._output = FORMATS.get(shared["output"], FORMATS["text"])(shared["schema"])
        self._accepted: dict[bytes, Charge | None] = {}
        self._defective: dict[bytes, Charge | None] = {}
        self._counts = [0, 0]
        self._failure = ""
        self._charges: list[Charge] = []

    def collect(self, batch: Batch) -> CollectedBatch:
        self._failure = batch.problem
        try:
            for result in self._context.client.results(batch.files):
                self._collect_result(result)
                if len(self._accepted) + len(self._defective) >= ANSWERS_AT_ONCE:
                    self._save()
        finally:
            self._save()
        self._context.queue.remove_shard(self._shard.id)
        accepted, defective = self._counts
        return CollectedBatch(
            batch=batch.id,
            status=batch.status,
            prompt=self._metadata.get("prompt", ""),
            accepted=accepted,
            defective=defective,
            missing=self._shard.pieces - accepted - defective,
            failure=self._failure,
            charges=tuple(self._charges),
        )

    def _collect_result(self, result: BatchResult) -> None:
        """Store one answer. A result that the shard does not wait for is ignored."""
        key = _parse_key(result.custom_id)
        awaited = self._context.queue.piece(self._shard.id, key) if key else None
        if awaited is None or key in self._accepted or key in self._defective:
            if not key and result.failure:
                self._note_failure(result.failure)
            return
        piece, format_ = piece_from_json(awaited[0]), self._format(awaited[1])
        charge = self._charge_for(result.reply)
        try:
            if result.failure or result.reply is None:
                raise result.failure or ProtocolError("a result without an answer")
            answer = _check_answer(piece, result.reply, self._output, format_)
        except GptkitError as error:
            self._note_failure(error)
            if error.parameter:
                self._context.rejections.add(self._model, error.parameter)
            elif isinstance(error, DEFECTS):
                self._defective[key] = charge
            return
        self._context.memory.put(key, piece.text, answer, self._metadata)
        self._accepted[key] = charge

    def _format(self, name: str) -> Format:
        """Return the document format whose structure an answer must keep; raises CannotReadError."""
        format_ = self._context.format_named(name)
        if format_ is None:
            raise CannotReadError(
                f"batch '{self._shard.batch}': its format '{name}' is not known to this version of gptkit"
            )
        return format_

    def _note_failure(self, error: GptkitError) -> None:
        self._failure = self._failure or error.message

    def _save(self) -> None:
        """Remove from the queue what the memory has on disk.

        Raises CannotWriteError if answers are not there.
        """
        unstored = [key for key in self._accepted if not self._context.is_stored(key)]
        for key in unstored:
            del self._accepted[key]
        collected = {**self._accepted, **self._defective}
        if collected:
            self._context.queue.remove_pieces(collected, list(self._defective), self._context.clock())
        self._counts[0] += len(self._accepted)
        self._counts[1] += len(self._defective)
        self._charges += [charge for charge in collected.values() if charge is not None]
        self._accepted.clear()
        self._defective.clear()
        if unstored:
            raise CannotWriteError(
                f"{len(unstored)} answers could not be stored",
                hint="run the same command to fetch them again",
            )

    def _charge_for(self, reply: Reply | None) -> Charge | None:
        if reply is None or reply.usage is None:
            return None
        return Charge(
            model=reply.model or self._model,
            purpose="batch",
            host=self._context.host,
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
            estimated=False,
            cost=None,
            started=self._context.clock(),
            seconds=0.0,
        )


def _check_answer(piece: Piece, reply: Reply, output: OutputFormat, format_: Format) -> PieceAnswer:
    """Return the answer of a reply. Raises a GptkitError if it is not whole, not in its format, or wrong."""
    if (failure := reply_failure(reply)) is not None:
        raise failure
    try:
        answer = output.finish(reply.text)
    except AnswerFormatError as defect:
        raise IncompleteError(f"an answer that cannot be used: {defect.problem}") from None
    findings = format_.findings(piece, answer)
    if wrong := next((finding for finding in findings if finding.level == "wrong"), None):
        raise IncompleteError(str(wrong))
    return PieceAnswer(answer, findings)


def _parse_key(custom_id: str) -> bytes:
    try:
        return bytes.fromhex(custom_id)
    except ValueError:
        return b""
