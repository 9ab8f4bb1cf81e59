"""Prevent that a job asks again for answers that a batch under way will bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from gptkit.core.errors import TryAgainError
from gptkit.core.table import format_time
from gptkit.jobs.job import BATCH_FILE

if TYPE_CHECKING:
    from gptkit.exchange.invocation import Runtime
    from gptkit.jobs.batch.queue import Shard
    from gptkit.jobs.consent import Consent, Lack
    from gptkit.jobs.job import Job
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.services import Services
    from gptkit.text.pieces import Piece


class BatchGuard:
    """Checks the pieces of a job before they are asked for. With `submits` they go into a batch instead."""

    def __init__(self, services: Services, job: Job, submits: bool = False) -> None:
        self._services = services
        self._job = job
        self._submits = submits

    @contextmanager
    def unpaid_pieces(
        self, pieces: Iterable[Piece], runtime: Runtime, missing_answers: Lack, consent: Consent
    ) -> Iterator[Iterable[Piece]]:
        """Give the pieces that an ordinary run may ask for now, after the user agreed to the cost.

        `missing_answers` finds which of given pieces the memory has no answer to. Raises TryAgainError if a
        batch is to bring some of the answers, BudgetError if the user does not agree.
        """
        if not (self._submits or self._pending_shards):
            yield consent.check_pieces(pieces, missing_answers)
            return
        from gptkit.jobs.missing import PieceSpool

        with PieceSpool() as spool:
            spool.write(pieces)
            if not self._submits:
                self.refuse_pending(lambda: missing_answers(spool.read()))
                yield consent.check_pieces(spool.read(), missing_answers)
                return
            if not consent.is_given:
                with self.pending_lookup() as find_shard:
                    consent.check_answers(
                        answer for answer in missing_answers(spool.read()) if not find_shard(answer.key)
                    )
            self._submit(missing_answers(spool.read()), runtime)
            yield spool.read()

    def refuse_pending(self, missing_answers: Callable[[], Iterable[MissingAnswer]]) -> None:
        """Fetch what batches have brought; raises TryAgainError if a batch is still to bring an answer."""
        if self._first_pending(missing_answers()) is None:
            return
        from gptkit.jobs.batch import service

        service.fetch_answers(self._services)
        if shard := self._first_pending(missing_answers()):
            name = shard.batch or shard.id
            raise TryAgainError(
                f"some of the pieces are in batch '{name}', under way since {format_time(shard.created)}",
                hint=f"'gptkit batch list' shows how far it is, 'gptkit batch cancel {name}' stops it",
            )

    @contextmanager
    def pending_lookup(self) -> Iterator[Callable[[bytes], Shard | None]]:
        """Give a function that finds the shard under way which is to bring the answer to a key."""
        if not self._pending_shards:
            yield lambda _: None
            return
        from gptkit.jobs.batch import service

        queue = service.batch_queue(self._services)
        try:
            yield lambda key: self._pending_shards.get(queue.shard_of(key))
        finally:
            queue.close()

    def _first_pending(self, missing_answers: Iterable[MissingAnswer]) -> Shard | None:
        if not self._pending_shards:
            return None
        with self.pending_lookup() as find_shard:
            return next((shard for answer in missing_answers if (shard := find_shard(answer.key))), None)

    def _submit(self, missing_answers: Iterable[MissingAnswer], runtime: Runtime) -> None:
        """Submit the missing answers; raises TryAgainError unless all answers are there already."""
        from gptkit.jobs.batch.service import fetch_and_submit

        counts = fetch_and_submit(self._services, missing_answers, self._job, runtime)
        if counts.is_complete:
            return
        count = counts.new + counts.under_way
        then = "the same command without --fresh" if self._job.fresh else "the same command"
        raise TryAgainError(
            f"{count} {'piece is' if count == 1 else 'pieces are'} with the provider"
            f" ({counts.new} of them submitted now)",
            hint=f"'gptkit batch list' shows them; when they are done, {then} prints the result",
        )

    @cached_property
    def _pending_shards(self) -> Mapping[str, Shard]:
        """The shards under way for the prompt and model of the job, by their ids.

        Without a memory their answers could not be used, and --fresh asks again for all. That the file exists
        is checked first: most users never submit a batch.
        """
        job = self._job
        if job.memory is None or job.fresh or not (self._services.paths.data / BATCH_FILE).exists():
            return {}
        from gptkit.jobs.batch import service

        return service.pending_shards(self._services, job)
