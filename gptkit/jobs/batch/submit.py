"""Submit the missing answers of a job to the provider's Batch API, each only once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gptkit.core.errors import BudgetError, DataError, GptkitError, UnavailableError
from gptkit.exchange.adaptation import adapt_request
from gptkit.exchange.retry import FIRST_PAUSE, LONGEST_PAUSE
from gptkit.jobs.job import answer_metadata
from gptkit.jobs.missing import piece_to_json

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest
    from gptkit.exchange.invocation import Rejections, RetryPolicy, Runtime
    from gptkit.jobs.batch.queue import BatchQueue, QueueRow
    from gptkit.jobs.job import Job, Memory
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.provider.batches import Batch, Batches
    from gptkit.text.pieces import Format


Result = TypeVar("Result")
SHARD_METADATA = "gptkit"
"""The name under which a batch carries the id of its shard."""
LATEST_BATCHES = 1000
"""The number of latest batches among which a lost one is looked for."""
CLOCK_SKEW = 86_400.0
"""Seconds by which the provider's clock may be behind."""
PIECES_AT_ONCE = 100
"""Pieces that are added to the queue at once."""


class BatchContext(NamedTuple):
    """What submitting and fetching need: the Batch API, the queue, the memory, the policy of retries.

    `host` is the URL of the endpoint. `is_stored` tells whether the memory has an answer on disk, where the
    next process will find it. `clock` gives Unix seconds.
    """

    client: Batches
    queue: BatchQueue
    host: str
    memory: Memory
    is_stored: Callable[[bytes], bool]
    rejections: Rejections
    format_named: Callable[[str], Format | None]
    policy: RetryPolicy
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]


class SubmissionCounts(NamedTuple):
    """The pieces of a job that are with the provider: `new` ones, and those `under_way` in earlier
    batches."""

    new: int
    under_way: int

    @property
    def is_complete(self) -> bool:
        """Whether an ordinary run has no piece to wait for."""
        return not self.new and not self.under_way


def submit_missing(
    missing_answers: Iterable[MissingAnswer], job: Job, runtime: Runtime, context: BatchContext
) -> SubmissionCounts:
    """Submit missing answers that are not under way; defective ones are left for an ordinary run.

    Call it within `context.queue.lock()`. Submissions that an earlier run did not finish are finished first.
    Raises BudgetError after submitting what the budget allows. After any other error the next call continues.
    """
    resume_submission(context)
    selection = _PieceSelection(runtime, context.queue)
    new = 0
    for shard, count in _queue_shards(selection.select(missing_answers), job, context):
        _submit_shard(context, shard)
        new += count
    if selection.budget_error is not None:
        raise selection.budget_error
    return SubmissionCounts(new, selection.under_way)


def resume_submission(context: BatchContext) -> None:
    """Finish the submissions of an interrupted run; shards that were only planned are removed."""
    for shard in context.queue.shards(context.host):
        if shard.state == "planned":
            context.queue.remove_shard(shard.id)
        elif shard.state != "submitted":
            _submit_shard(context, shard.id, shard.file, shard.created)


def call_with_retries(context: BatchContext, call: Callable[[], Result]) -> Result:
    """Call, and call again after a failure as often as the failure and the policy allow."""
    tries, waited = 0, 0.0
    while True:
        try:
            return call()
        except GptkitError as error:
            tries += 1
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tries - 1))
            pause = max(context.random() * longest, error.wait or 0.0)
            if tries >= min(error.tries, context.policy.attempts) or waited + pause > context.policy.wait:
                error.attempts = tries
                raise
        context.sleep(pause)
        waited += pause


class _PieceSelection:
    """Selects the missing answers that are to be submitted, and counts those under way."""

    def __init__(self, runtime: Runtime, queue: BatchQueue) -> None:
        self.under_way = 0
        self.budget_error: BudgetError | None = None
        self._runtime = runtime
        self._queue = queue
        self._seen: set[bytes] = set()

    def select(self, missing_answers: Iterable[MissingAnswer]) -> Iterator[tuple[MissingAnswer, ChatRequest]]:
        """Yield each answer to submit once, with its request; sets `budget_error` where the budget ends."""
        for missing in missing_answers:
            if missing.key in self._seen:
                continue
            self._seen.add(missing.key)
            state = self._queue.piece_state(missing.key)
            self.under_way += state == "under way"
            if state:
                continue
            request = adapt_request(missing.request(), self._runtime).without_streaming()
            try:
                self._runtime.budget.reserve(request)
            except BudgetError as error:
                self.budget_error = error
                return
            yield missing, request


def _submit_shard(context: BatchContext, shard: str, file: str = "", created: float = 0.0) -> None:
    """Upload a shard unless it has a `file`, and make a batch of it unless it has one already."""
    submission = _ShardSubmission(context, shard, created)
    if file:
        submission.is_doubtful = True
    else:
        file = call_with_retries(context, submission.upload)
        context.queue.set_state(shard, "uploaded", file=file)
    batch = call_with_retries(context, lambda: submission.submit(file))
    context.queue.set_state(shard, "submitted", batch=batch.id)


class _ShardSubmission:
    """The two requests that submit a shard. A shard that the provider refuses for good is removed."""

    def __init__(self, context: BatchContext, shard: str, created: float) -> None:
        self.is_doubtful = False
        """Whether a batch may have been made although its response was lost."""
        self._context = context
        self._shard = shard
        self._created = created

    def upload(self) -> str:
        with self._remove_if_refused():
            return self._context.client.upload(
                f"gptkit-{self._shard}.jsonl", self._context.queue.request_lines(self._shard)
            )

    def submit(self, file: str) -> Batch:
        lost = self._find_lost_batch() if self.is_doubtful else None
        self.is_doubtful = True
        with self._remove_if_refused():
            return lost or self._context.client.submit(file, {SHARD_METADATA: self._shard})

    def _find_lost_batch(self) -> Batch | None:
        for batch in self._context.client.list_latest(LATEST_BATCHES):
            if batch.metadata.get(SHARD_METADATA) == self._shard:
                return batch
            if 0 < batch.created < self._created - CLOCK_SKEW:
                break
        return None

    @contextmanager
    def _remove_if_refused(self) -> Iterator[None]:
        try:
            yield
        except (UnavailableError, DataError):
            self._context.queue.remove_shard(self._shard)
            raise


def _queue_shards(
    selected: Iterable[tuple[MissingAnswer, ChatRequest]], job: Job, context: BatchContext
) -> Iterator[tuple[str, int]]:
    """Write shards within the provider's limits to the queue; yields each complete one with its piece
    count."""
    shard, count, size = "", 0, 0
    rows: list[QueueRow] = []
    for missing, request in selected:
        line = context.client.line(missing.key.hex(), request)
        if count and (count == context.client.most_requests or size + len(line) > context.client.most_bytes):
            _complete_shard(context, shard, rows)
            yield shard, count
            shard, count, size = "", 0, 0
        shard = shard or context.queue.add_shard(context.host, _shared_data(job), context.clock())
        rows.append((missing.key, line, piece_to_json(missing.piece), job.format.name))
        count, size = count + 1, size + len(line)
        if len(rows) >= PIECES_AT_ONCE:
            context.queue.add_pieces(shard, rows)
            rows.clear()
    if shard:
        _complete_shard(context, shard, rows)
        yield shard, count


def _complete_shard(context: BatchContext, shard: str, rows: list[QueueRow]) -> None:
    context.queue.add_pieces(shard, rows)
    rows.clear()
    context.queue.set_state(shard, "complete")


def _shared_data(job: Job) -> str:
    """Return what the check of every answer needs besides its piece, as JSON."""
    template = job.invocation.template
    return json.dumps(
        {
            "output": template.output,
            "schema": template.schema,
            "model": job.invocation.model,
            "about": answer_metadata(job),
        },
        default=dict,
    )
