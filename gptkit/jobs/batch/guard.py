"""What batches are to bring is not asked for a second time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from gptkit.core.errors import TryAgainError
from gptkit.core.table import format_time
from gptkit.jobs.job import RECORD

if TYPE_CHECKING:
    from gptkit.exchange.invocation import Runtime
    from gptkit.jobs.batch.queue import Shard
    from gptkit.jobs.consent import Consent, Lack
    from gptkit.jobs.job import Job
    from gptkit.jobs.missing import Lacking
    from gptkit.services import Services
    from gptkit.text.pieces import Piece


class Once:
    """Stands between the pieces of a job and the requests for them. With `submits` they go into a batch."""

    def __init__(self, services: Services, job: Job, submits: bool = False) -> None:
        self._services = services
        self._job = job
        self._submits = submits

    @contextmanager
    def pieces(
        self, found: Iterable[Piece], runtime: Runtime, lack: Lack, consent: Consent
    ) -> Iterator[Iterable[Piece]]:
        """The pieces of a document for the ordinary run; raises TryAgainError if it has to wait for a batch.

        Args:
            lack: what the memory lacks of pieces.
        """
        if not (self._submits or self._shards):
            yield consent.checked(found, lack)
            return
        from gptkit.jobs.missing import Spool

        with Spool() as spool:
            spool.keep(found)
            if not self._submits:
                self.check(lambda: lack(spool.again()))
                yield consent.checked(spool.again(), lack)
                return
            if not consent.is_given:
                with self.awaited() as awaited:
                    consent.survey(one for one in lack(spool.again()) if not awaited(one.key))
            self._submit(lack(spool.again()), runtime)
            yield spool.again()

    def check(self, lacking: Callable[[], Iterable[Lacking]]) -> None:
        """Raise TryAgainError where a batch is to bring some of the pieces; collect what it has brought."""
        if self._first(lacking()) is None:
            return
        from gptkit.jobs.batch import service

        service.fetch(self._services)
        if shard := self._first(lacking()):
            name = shard.batch or shard.id
            raise TryAgainError(
                f"some of the pieces are in batch '{name}', under way since {format_time(shard.created)}",
                hint=f"'gptkit batch list' shows how far it is, 'gptkit batch cancel {name}' stops it",
            )

    @contextmanager
    def awaited(self) -> Iterator[Callable[[bytes], Shard | None]]:
        """Finds what is under way that is to bring the answer to a key."""
        if not self._shards:
            yield lambda _: None
            return
        from gptkit.jobs.batch import service

        record = service.record(self._services)
        try:
            yield lambda key: self._shards.get(record.shard_of(key))
        finally:
            record.close()

    def _first(self, lacking: Iterable[Lacking]) -> Shard | None:
        if not self._shards:
            return None
        with self.awaited() as awaited:
            return next((shard for one in lacking if (shard := awaited(one.key))), None)

    def _submit(self, lacking: Iterable[Lacking], runtime: Runtime) -> None:
        """Raises TryAgainError unless all pieces are there."""
        from gptkit.jobs.batch.service import submit_missing

        submitted = submit_missing(self._services, lacking, self._job, runtime)
        if submitted.is_complete:
            return
        count = submitted.new + submitted.under_way
        then = "the same command without --fresh" if self._job.fresh else "the same command"
        raise TryAgainError(
            f"{count} {'piece is' if count == 1 else 'pieces are'} with the provider"
            f" ({submitted.new} of them submitted now)",
            hint=f"'gptkit batch list' shows them; when they are done, {then} prints the result",
        )

    @cached_property
    def _shards(self) -> Mapping[str, Shard]:
        """Those under way for the same prompt and model; without a memory nobody wants what they bring,
        and --fresh asks again whatever they may bring. Where there never was a batch this is a look at a
        name."""
        job = self._job
        if job.memory is None or job.fresh or not (self._services.paths.data / RECORD).exists():
            return {}
        from gptkit.jobs.batch import service

        return service.under_way(self._services, job)
