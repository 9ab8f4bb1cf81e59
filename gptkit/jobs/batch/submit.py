"""Long input through a provider's Batch API: what the memory lacks is submitted, once, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gptkit.core.errors import BudgetError, DataError, GptkitError, UnavailableError
from gptkit.exchange.retry import FIRST_PAUSE, LONGEST_PAUSE, drop_rejected_parameters
from gptkit.jobs.job import about
from gptkit.jobs.missing import filed

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest
    from gptkit.exchange.invocation import Rejections, RetryPolicy, Runtime
    from gptkit.jobs.batch.queue import Pending, Row
    from gptkit.jobs.job import Job, Memory
    from gptkit.jobs.missing import Lacking
    from gptkit.provider.batches import Batch, Batches
    from gptkit.text.pieces import Format


Made = TypeVar("Made")
MARK = "gptkit"
"""The name under which a batch carries the id of its shard."""
LISTED = 1000
"""The latest batches among which a lost one is looked for."""
SKEW = 86_400.0
"""Seconds by which the provider's clock may be behind."""
BLOCK = 100
"""Pieces that are recorded at once."""


class Desk(NamedTuple):
    """What batches are made with: the provider's Batch API, the record of what is under way, the memory.

    `host` is the endpoint whose batches these are. `kept` says whether the memory has written an answer, as
    the next process will see it. `clock` gives Unix seconds.
    """

    office: Batches
    record: Pending
    host: str
    memory: Memory
    kept: Callable[[bytes], bool]
    rejections: Rejections
    format_named: Callable[[str], Format | None]
    policy: RetryPolicy
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]


class Submitted(NamedTuple):
    """What a submission came to, in pieces: `new` ones, and those `under_way` in earlier batches."""

    new: int
    under_way: int

    @property
    def is_complete(self) -> bool:
        """An ordinary run has no piece to wait for."""
        return not self.new and not self.under_way


def submit_missing(lacking: Iterable[Lacking], job: Job, runtime: Runtime, desk: Desk) -> Submitted:
    """Submit what is neither in the memory nor under way, nor came defective: that is left for an ordinary
    run. Call it within `desk.record.alone()`.

    What an earlier run did not bring to its end is finished first. A budget that is reached ends it
    with BudgetError after what it allows was submitted; whatever else ends it, the next call goes on.
    """
    resume(desk)
    plan = _Plan(runtime, desk.record)
    new = 0
    for shard, count in _recorded(plan.wanted(lacking), job, desk):
        _submit(desk, shard)
        new += count
    if plan.over is not None:
        raise plan.over
    return Submitted(new, plan.under_way)


def resume(desk: Desk) -> None:
    """Bring what an interrupted run began to its end; what it had only planned is dropped."""
    for shard in desk.record.shards(desk.host):
        if shard.state == "planned":
            desk.record.drop(shard.id)
        elif shard.state != "submitted":
            _submit(desk, shard.id, shard.file, shard.created)


def patiently(desk: Desk, call: Callable[[], Made]) -> Made:
    """The call, made again while its failure deserves it and the policy allows it."""
    tries, waited = 0, 0.0
    while True:
        try:
            return call()
        except GptkitError as error:
            tries += 1
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tries - 1))
            pause = max(desk.random() * longest, error.wait or 0.0)
            if tries >= min(error.tries, desk.policy.attempts) or waited + pause > desk.policy.wait:
                error.attempts = tries
                raise
        desk.sleep(pause)
        waited += pause


class _Plan:
    """Of what the memory lacks, the part that is to be submitted."""

    def __init__(self, runtime: Runtime, record: Pending) -> None:
        self.under_way = 0
        self.over: BudgetError | None = None
        self._runtime = runtime
        self._record = record
        self._seen: set[bytes] = set()

    def wanted(self, lacking: Iterable[Lacking]) -> Iterator[tuple[Lacking, ChatRequest]]:
        """Each once, with its request as it is sent; ends where the budget does."""
        for one in lacking:
            if one.key in self._seen:
                continue
            self._seen.add(one.key)
            standing = self._record.standing(one.key)
            self.under_way += standing == "under way"
            if standing:
                continue
            sent = drop_rejected_parameters(one.request().without_streaming(), self._runtime)
            try:
                self._runtime.budget.reserve(sent)
            except BudgetError as over:
                self.over = over
                return
            yield one, sent


def _submit(desk: Desk, shard: str, file: str = "", since: float = 0.0) -> None:
    """A shard that has a file already may have a batch."""
    submission = _Submission(desk, shard, since)
    if file:
        submission.is_doubtful = True
    else:
        file = patiently(desk, submission.upload)
        desk.record.note(shard, "uploaded", file=file)
    batch = patiently(desk, lambda: submission.submit(file))
    desk.record.note(shard, "submitted", batch=batch.id)


class _Submission:
    """Two requests; where the provider refuses one for good, its pieces are missing again."""

    def __init__(self, desk: Desk, shard: str, since: float) -> None:
        self.is_doubtful = False
        """A batch may have been made of which the answer was lost."""
        self._desk = desk
        self._shard = shard
        self._since = since

    def upload(self) -> str:
        with self._dropped_if_refused():
            return self._desk.office.upload(
                f"gptkit-{self._shard}.jsonl", self._desk.record.lines(self._shard)
            )

    def submit(self, file: str) -> Batch:
        found = self._lost() if self.is_doubtful else None
        self.is_doubtful = True
        with self._dropped_if_refused():
            return found or self._desk.office.submit(file, {MARK: self._shard})

    def _lost(self) -> Batch | None:
        for batch in self._desk.office.list_latest(LISTED):
            if batch.metadata.get(MARK) == self._shard:
                return batch
            if 0 < batch.created < self._since - SKEW:
                break
        return None

    @contextmanager
    def _dropped_if_refused(self) -> Iterator[None]:
        try:
            yield
        except (UnavailableError, DataError):
            self._desk.record.drop(self._shard)
            raise


def _recorded(
    wanted: Iterable[tuple[Lacking, ChatRequest]], job: Job, desk: Desk
) -> Iterator[tuple[str, int]]:
    """Shards within the provider's limits, each with its number of pieces, when all of it is on disk."""
    shard, count, size = "", 0, 0
    rows: list[Row] = []
    for one, request in wanted:
        line = desk.office.line(one.key.hex(), request)
        if count and (count == desk.office.most_requests or size + len(line) > desk.office.most_bytes):
            _complete(desk, shard, rows)
            yield shard, count
            shard, count, size = "", 0, 0
        shard = shard or desk.record.begin(desk.host, _common(job), desk.clock())
        rows.append((one.key, line, filed(one.piece), job.format.name))
        count, size = count + 1, size + len(line)
        if len(rows) >= BLOCK:
            desk.record.add(shard, rows)
            rows.clear()
    if shard:
        _complete(desk, shard, rows)
        yield shard, count


def _complete(desk: Desk, shard: str, rows: list[Row]) -> None:
    desk.record.add(shard, rows)
    rows.clear()
    desk.record.note(shard, "complete")


def _common(job: Job) -> str:
    """What the proofs of all answers need besides the piece."""
    template = job.invocation.template
    return json.dumps(
        {
            "output": template.output,
            "schema": template.schema,
            "model": job.invocation.model,
            "about": about(job),
        },
        default=dict,
    )
