"""Submit and fetch batches at the endpoint of the settings; report and charge what they brought."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gptkit.core.errors import UsageError
from gptkit.exchange.invocation import RetryPolicy, Runtime
from gptkit.jobs.batch.collect import GONE, CollectedBatch, collect_batches
from gptkit.jobs.batch.submit import BatchContext, SubmissionCounts, submit_missing
from gptkit.jobs.job import BATCH_FILE, DISCOUNT, answer_metadata
from gptkit.jobs.memory.store import memory_of

if TYPE_CHECKING:
    from gptkit.core.chat import Charge
    from gptkit.jobs.batch.queue import BatchQueue, Shard
    from gptkit.jobs.job import Job
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.provider.batches import Batches
    from gptkit.services import Services


def fetch_and_submit(
    services: Services, missing_answers: Iterable[MissingAnswer], job: Job, runtime: Runtime
) -> SubmissionCounts:
    """Fetch the answers that are ready, then submit what is still missing.

    Once the result's `is_complete` holds, an ordinary run finds every answer in the memory but the defective
    ones, for which it asks itself. Raises UsageError without a memory.
    """
    if job.memory is None:
        raise UsageError("--batch needs the memory, which holds the answers: leave out --no-memory")
    context = _batch_context(services)
    with context.queue.lock():
        _fetch_into_memory(services, context)
        return submit_missing(
            missing_answers, job, runtime._replace(budget=runtime.budget.with_price_factor(DISCOUNT)), context
        )


def fetch_answers(services: Services) -> None:
    """Store the answers of the batches that are over in the memory."""
    context = _batch_context(services)
    with context.queue.lock():
        _fetch_into_memory(services, context)


def batch_client(services: Services) -> Batches:
    from gptkit.provider.batches import Batches

    return Batches(services.endpoint(""))


def batch_queue(services: Services) -> BatchQueue:
    from gptkit.jobs.batch.queue import BatchQueue

    return BatchQueue(services.paths.require(services.paths.data) / BATCH_FILE)


def pending_shards(services: Services, job: Job) -> Mapping[str, Shard]:
    """Return the shards at this endpoint with the prompt and model of a job; planned ones were not sent
    yet."""
    queue = batch_queue(services)
    try:
        shards = queue.shards(services.settings.base_url().url)
    finally:
        queue.close()
    metadata = answer_metadata(job)
    return {
        shard.id: shard
        for shard in shards
        if shard.state != "planned"
        and shard.pieces
        and _prompt_and_model(shard) == (metadata["prompt"], metadata["model"])
    }


def _batch_context(services: Services) -> BatchContext:
    from gptkit.jobs.memory import entries
    from gptkit.text.formats import format_named

    memory = memory_of(services)

    def is_stored(key: bytes) -> bool:
        with memory.reading() as connection:
            return entries.find_answer(connection, key) is not None

    settings, terminal = services.settings, services.terminal
    return BatchContext(
        client=batch_client(services),
        queue=batch_queue(services),
        host=settings.base_url().url,
        memory=memory,
        is_stored=is_stored,
        rejections=services.rejections,
        format_named=format_named,
        policy=RetryPolicy(settings.integer("attempts"), settings.number("wait_budget")),
        clock=terminal.unix_time,
        sleep=terminal.sleep,
        random=_random,
    )


def _fetch_into_memory(services: Services, context: BatchContext) -> None:
    """Store the answers of ended batches, store what they cost, and print a line on each batch."""
    for batch in collect_batches(context):
        if batch.charges:
            _store_charges(services, batch)
        services.terminal.print_error_line(f"gptkit: {_describe(batch)}")


def _describe(batch: CollectedBatch) -> str:
    if batch.status == GONE:
        how = f"'gptkit batch cancel --forget {batch.batch}' makes gptkit ask for its pieces again"
        return f"{batch.failure}; {how}"
    counts = [f"{batch.accepted} answers accepted"]
    if batch.defective:
        counts.append(f"{batch.defective} unusable, which will be asked for one by one")
    if batch.missing:
        counts.append(f"{batch.missing} missing again")
    why = f" ({batch.failure})" if batch.failure else ""
    return f"batch '{batch.batch}' {batch.status}: {', '.join(counts)}{why}"


def _store_charges(services: Services, batch: CollectedBatch) -> None:
    from gptkit.history.model import new_opening_id
    from gptkit.history.schema import insert_charges

    with services.history.writing() as connection:
        names = ("", batch.prompt)
        insert_charges(
            connection,
            new_opening_id(),
            None,
            names,
            (_with_cost(services, charge) for charge in batch.charges),
        )


def _with_cost(services: Services, charge: Charge) -> Charge:
    cost = services.prices.cost(charge.model, charge.prompt_tokens, charge.completion_tokens)
    return charge._replace(
        cost=None if cost is None else cost * DISCOUNT, host=services.settings.base_url().authority
    )


def _prompt_and_model(shard: Shard) -> tuple[object, object]:
    metadata = json.loads(shard.about).get("about", {})
    return metadata.get("prompt"), metadata.get("model")


def _random() -> float:
    import random

    return random.random()  # noqa: S311 - spreads tries over time, guards nothing
