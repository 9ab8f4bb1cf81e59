"""Long input through a provider's Batch API: what the memory lacks is submitted, once, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from gptkit.chat import Request
from gptkit.engine.attempts import FIRST_PAUSE, LONGEST_PAUSE, without_rejected
from gptkit.engine.long.desk import Batch, Desk, Row, Standing
from gptkit.engine.long.filed import filed
from gptkit.engine.long.lacking import Lacking
from gptkit.engine.long.values import Job, about
from gptkit.engine.work import Means
from gptkit.errors import DataFault, GptkitError, OverBudget, Unavailable

Made = TypeVar("Made")
MARK = "gptkit"
"""The name under which a batch carries the id of its shard."""
LISTED = 1000
"""The latest batches among which a lost one is looked for."""
SKEW = 86_400.0
"""Seconds by which the provider's clock may be behind."""
BLOCK = 100
"""Pieces that are recorded at once."""


class Wanted(NamedTuple):
    """What is to be submitted, and its request as it is sent."""

    lacking: Lacking
    request: Request


class Submitted(NamedTuple):
    """What a submission came to, in pieces: `new` ones, those `under_way` in earlier batches, `defective`
    ones that came back so and are left for a run without batches. `batches` are the new ones."""

    new: int
    under_way: int
    defective: int
    batches: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """A run without batches has no piece to wait for."""
        return not self.new and not self.under_way


class Plan:
    """Of what the memory lacks, the part that is to be submitted; what is left out is counted.

    `waits` is told of the document of whatever is not there yet.
    """

    def __init__(
        self, means: Means, standing: Callable[[bytes], Standing], waits: Callable[[int], object]
    ) -> None:
        self.under_way = 0
        self.defective = 0
        self.over: OverBudget | None = None
        self._means = means
        self._standing = standing
        self._waits = waits
        self._seen: dict[bytes, bool] = {}
        """Whether it is waited for."""

    def wanted(self, lacking: Iterable[Lacking]) -> Iterator[Wanted]:
        """In order, each once; ends where the budget does."""
        for one in lacking:
            if one.key not in self._seen:
                standing = self._standing(one.key)
                self._seen[one.key] = standing != "defective"
                self.under_way += standing == "under way"
                self.defective += standing == "defective"
                if not standing:
                    sent = without_rejected(one.request(), self._means)
                    try:
                        self._means.budget.reserve(sent)
                    except OverBudget as over:
                        self.over = over
                        return
                    yield Wanted(one, sent)
            if self._seen[one.key]:
                self._waits(one.document)


def submit_missing(
    lacking: Iterable[Lacking],
    job: Job,
    means: Means,
    desk: Desk,
    waits: Callable[[int], object] = lambda _: None,
) -> Submitted:
    """Submit what is neither in the memory nor under way. Call it within `desk.record.alone()`.

    What an earlier run did not bring to its end is finished first. A budget that is reached ends it
    with OverBudget after what it allows was submitted; whatever else ends it, the next call goes on.

    Args:
        job: what all documents have in common.
        waits: is told of each document that has something under way.
    """
    resume(desk)
    plan = Plan(means, desk.record.standing, waits)
    batches: list[str] = []
    new = 0
    for shard, count in _recorded(plan.wanted(lacking), _common(job), desk):
        batches.append(_submitted(desk, shard))
        new += count
    if plan.over is not None:
        raise plan.over
    return Submitted(new, plan.under_way, plan.defective, tuple(batches))


def resume(desk: Desk) -> None:
    """Bring what an interrupted run began to its end; what it had only planned is dropped."""
    for shard in desk.record.shards(desk.host):
        if shard.state == "planned":
            desk.record.drop(shard.id)
        elif shard.state != "submitted":
            _submitted(desk, shard.id, shard.file, shard.created)


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


def _submitted(desk: Desk, shard: str, file: str = "", since: float = 0.0) -> str:
    """The id of the shard's batch; a shard that has a file already may have one."""
    submission = _Submission(desk, shard, since)
    if file:
        submission.is_doubtful = True
    else:
        file = patiently(desk, submission.upload)
        desk.record.note(shard, "uploaded", file=file)
    batch = patiently(desk, lambda: submission.submit(file))
    desk.record.note(shard, "submitted", batch=batch.id)
    return batch.id


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
        for batch in self._desk.office.listed(LISTED):
            if batch.metadata.get(MARK) == self._shard:
                return batch
            if 0 < batch.created < self._since - SKEW:
                break
        return None

    @contextmanager
    def _dropped_if_refused(self) -> Iterator[None]:
        try:
            yield
        except (Unavailable, DataFault):
            self._desk.record.drop(self._shard)
            raise


def _recorded(wanted: Iterable[Wanted], common: str, desk: Desk) -> Iterator[tuple[str, int]]:
    """Shards within the provider's limits, each with its number of pieces, when all of it is on disk."""
    shard, count, size = "", 0, 0
    rows: list[Row] = []
    for one in wanted:
        name, piece, proof, *_ = one.lacking
        line = desk.office.line(name.hex(), one.request)
        if count and (count == desk.office.most_requests or size + len(line) > desk.office.most_bytes):
            _complete(desk, shard, rows)
            yield shard, count
            shard, count, size = "", 0, 0
        shard = shard or desk.record.begin(desk.host, common, desk.clock())
        rows.append((name, line, filed(piece), proof))
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
