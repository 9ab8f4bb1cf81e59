"""Batches of this endpoint: what they are made with, and what is done with all that they brought."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gptkit.core.errors import UsageError
from gptkit.exchange.invocation import RetryPolicy, Runtime
from gptkit.jobs.batch.collect import GONE, CollectedBatch, collected
from gptkit.jobs.batch.submit import Desk, Submitted
from gptkit.jobs.batch.submit import submit_missing as submitted
from gptkit.jobs.job import DISCOUNT, RECORD, about
from gptkit.jobs.memory.store import memory as memory_of

if TYPE_CHECKING:
    from gptkit.core.chat import Charge
    from gptkit.jobs.batch.queue import Pending, Shard
    from gptkit.jobs.job import Job
    from gptkit.jobs.missing import Lacking
    from gptkit.provider.batches import Batches
    from gptkit.services import Services


def submit_missing(services: Services, lacking: Iterable[Lacking], job: Job, runtime: Runtime) -> Submitted:
    """Fetch what is ready, then submit what is still missing. Raises UsageError without a memory.

    Once the result's `is_complete` holds, an ordinary run finds every piece in the memory but the
    defective ones, which it asks for by themselves.
    """
    if job.memory is None:
        raise UsageError("--batch needs the memory, which holds the answers: leave out --no-memory")
    made = _desk(services)
    with made.record.alone():
        _fetch(services, made)
        return submitted(
            lacking, job, runtime._replace(budget=runtime.budget.with_price_factor(DISCOUNT)), made
        )


def fetch(services: Services) -> None:
    """Take the answers of the batches that are over into the memory."""
    made = _desk(services)
    with made.record.alone():
        _fetch(services, made)


def batches(services: Services) -> Batches:
    from gptkit.provider.batches import Batches

    return Batches(services.endpoint(""))


def record(services: Services) -> Pending:
    from gptkit.jobs.batch.queue import Pending

    return Pending(services.paths.require(services.paths.data) / RECORD)


def under_way(services: Services, job: Job) -> Mapping[str, Shard]:
    """The shards at this endpoint that may hold pieces of a job; what was only planned is nowhere yet."""
    known = record(services)
    try:
        shards = known.shards(services.settings.base_url().url)
    finally:
        known.close()
    own = about(job)
    return {
        shard.id: shard
        for shard in shards
        if shard.state != "planned" and shard.pieces and _about(shard) == (own["prompt"], own["model"])
    }


def _desk(services: Services) -> Desk:
    from gptkit.jobs.memory import entries
    from gptkit.text.formats import format_named

    memory = memory_of(services)

    def kept(key: bytes) -> bool:
        with memory.reading() as connection:
            return entries.held(connection, key) is not None

    settings, terminal = services.settings, services.terminal
    return Desk(
        office=batches(services),
        record=record(services),
        host=settings.base_url().url,
        memory=memory,
        kept=kept,
        rejections=services.rejections,
        format_named=format_named,
        policy=RetryPolicy(settings.integer("attempts"), settings.number("wait_budget")),
        clock=terminal.unix_time,
        sleep=terminal.sleep,
        random=_random,
    )


def _fetch(services: Services, made: Desk) -> None:
    """Of each batch it is told what it brought, and noted what that cost."""
    for taken in collected(made):
        if taken.charges:
            _charge(services, taken)
        services.terminal.print_error_line(f"gptkit: {_told(taken)}")


def _told(taken: CollectedBatch) -> str:
    if taken.status == GONE:
        how = f"'gptkit batch cancel --forget {taken.batch}' makes gptkit ask for its pieces again"
        return f"{taken.failure}; {how}"
    counts = [f"{taken.accepted} answers accepted"]
    if taken.defective:
        counts.append(f"{taken.defective} unusable, which will be asked for one by one")
    if taken.missing:
        counts.append(f"{taken.missing} missing again")
    why = f" ({taken.failure})" if taken.failure else ""
    return f"batch '{taken.batch}' {taken.status}: {', '.join(counts)}{why}"


def _charge(services: Services, taken: CollectedBatch) -> None:
    from gptkit.history.model import new_opening_id
    from gptkit.history.schema import insert_charges

    with services.history.writing() as connection:
        names = ("", taken.prompt)
        insert_charges(
            connection, new_opening_id(), None, names, (_priced(services, one) for one in taken.charges)
        )


def _priced(services: Services, one: Charge) -> Charge:
    cost = services.prices.cost(one.model, one.prompt_tokens, one.completion_tokens)
    return one._replace(
        cost=None if cost is None else cost * DISCOUNT, host=services.settings.base_url().authority
    )


def _about(shard: Shard) -> tuple[object, object]:
    found = json.loads(shard.about).get("about", {})
    return found.get("prompt"), found.get("model")


def _random() -> float:
    import random

    return random.random()  # noqa: S311 - spreads tries over time, guards nothing
