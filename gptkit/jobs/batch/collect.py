"""What batches bring: each answer is proved, accepted ones are kept, the others are left or missing again."""

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
from gptkit.jobs.batch.submit import patiently
from gptkit.jobs.missing import unfiled
from gptkit.output.formats import FORMATS
from gptkit.text.pieces import Format, Piece, PieceAnswer

if TYPE_CHECKING:
    from gptkit.jobs.batch.queue import Shard
    from gptkit.jobs.batch.submit import Desk
    from gptkit.provider.batches import Batch, BatchResult


ASKED_BY_ITSELF = (DataError, IncompleteError, ProtocolError, RefusedError)
"""Failures that the same request would meet again; an ordinary run knows what to do about them."""
GONE = "gone"
"""The status of a batch that the provider does not know; the account may be another one."""
BLOCK = 200
"""Answers after which the record is brought up to date."""


class CollectedBatch(NamedTuple):
    """What one batch brought, in pieces: `accepted` ones are in the memory, `defective` ones have to be
    asked for by themselves, `missing` ones came without an answer. `failure` is the first thing wrong."""

    batch: str
    status: str
    prompt: str = ""
    accepted: int = 0
    defective: int = 0
    missing: int = 0
    failure: str = ""
    charges: tuple[Charge, ...] = ()


def collected(desk: Desk) -> Iterator[CollectedBatch]:
    """What the batches that are over brought, each as soon as it is taken, and which are gone. Call it
    within `desk.record.alone()`.

    A download that fails ends it after what came was kept; the next call goes on there.
    """
    for shard in desk.record.shards(desk.host):
        if shard.state == "submitted" and (taken := _taken(desk, shard)) is not None:
            yield taken


def _taken(desk: Desk, shard: Shard) -> CollectedBatch | None:
    """A batch that the provider does not know keeps nobody from the others."""
    try:
        batch = patiently(desk, lambda: desk.office.status(shard.batch))
    except UnavailableError as error:
        return CollectedBatch(shard.batch, GONE, failure=error.message)
    return _Course(desk, shard).taken(batch) if batch.is_over else None


class _Course:
    """One batch on its way into the memory."""

    def __init__(self, desk: Desk, shard: Shard) -> None:
        self._desk = desk
        self._shard = shard
        common = json.loads(shard.about)
        self._about: Mapping[str, str] = {str(k): str(v) for k, v in common["about"].items()}
        self._model = str(common["model"])
        self._output = FORMATS.get(common["output"], FORMATS["text"])(common["schema"])
        self._accepted: dict[bytes, Charge | None] = {}
        self._defective: dict[bytes, Charge | None] = {}
        self._counts = [0, 0]
        self._failure = ""
        self._charges: list[Charge] = []

    def taken(self, batch: Batch) -> CollectedBatch:
        self._failure = batch.problem
        try:
            for result in self._desk.office.results(batch.files):
                self._take(result)
                if len(self._accepted) + len(self._defective) >= BLOCK:
                    self._settle()
        finally:
            self._settle()
        self._desk.record.drop(self._shard.id)
        accepted, defective = self._counts
        return CollectedBatch(
            batch=batch.id,
            status=batch.status,
            prompt=self._about.get("prompt", ""),
            accepted=accepted,
            defective=defective,
            missing=self._shard.pieces - accepted - defective,
            failure=self._failure,
            charges=tuple(self._charges),
        )

    def _take(self, result: BatchResult) -> None:
        """Results that nobody waits for, or no longer, are passed over."""
        name = _key(result.custom_id)
        awaited = self._desk.record.piece(self._shard.id, name) if name else None
        if awaited is None or name in self._accepted or name in self._defective:
            if not name and result.failure:
                self._note(result.failure)
            return
        piece, form = unfiled(awaited[0]), self._form(awaited[1])
        charge = self._charge(result.reply)
        try:
            if result.failure or result.reply is None:
                raise result.failure or ProtocolError("a result without an answer")
            held = _proved(piece, result.reply, self._output, form)
        except GptkitError as error:
            self._note(error)
            if error.parameter:
                self._desk.rejections.add(self._model, error.parameter)
            elif isinstance(error, ASKED_BY_ITSELF):
                self._defective[name] = charge
            return
        self._desk.memory.put(name, piece.text, held, self._about)
        self._accepted[name] = charge

    def _form(self, name: str) -> Format:
        """Whose structure an answer keeps."""
        form = self._desk.format_named(name)
        if form is None:
            raise CannotReadError(
                f"batch '{self._shard.batch}': its format '{name}' is not known to this version of gptkit"
            )
        return form

    def _note(self, error: GptkitError) -> None:
        self._failure = self._failure or error.message

    def _settle(self) -> None:
        """What the memory has on disk is no longer awaited; what it could not write still is."""
        unkept = [name for name in self._accepted if not self._desk.kept(name)]
        for name in unkept:
            del self._accepted[name]
        settled = {**self._accepted, **self._defective}
        if settled:
            self._desk.record.settle(settled, list(self._defective), self._desk.clock())
        self._counts[0] += len(self._accepted)
        self._counts[1] += len(self._defective)
        self._charges += [charge for charge in settled.values() if charge is not None]
        self._accepted.clear()
        self._defective.clear()
        if unkept:
            raise CannotWriteError(
                f"{len(unkept)} answers could not be stored",
                hint="run the same command to fetch them again",
            )

    def _charge(self, reply: Reply | None) -> Charge | None:
        if reply is None or reply.usage is None:
            return None
        return Charge(
            model=reply.model or self._model,
            purpose="batch",
            host=self._desk.host,
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
            estimated=False,
            cost=None,
            started=self._desk.clock(),
            seconds=0.0,
        )


def _proved(piece: Piece, reply: Reply, output: OutputFormat, form: Format) -> PieceAnswer:
    """An answer that is whole, in its format, and with nothing wrong about it; else raises why not."""
    if (failure := reply_failure(reply)) is not None:
        raise failure
    try:
        answer = output.finish(reply.text)
    except AnswerFormatError as defect:
        raise IncompleteError(f"an answer that cannot be used: {defect.problem}") from None
    findings = form.findings(piece, answer)
    if wrong := next((finding for finding in findings if finding.level == "wrong"), None):
        raise IncompleteError(str(wrong))
    return PieceAnswer(answer, findings)


def _key(custom_id: str) -> bytes:
    try:
        return bytes.fromhex(custom_id)
    except ValueError:
        return b""
