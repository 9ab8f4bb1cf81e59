"""What batches are to bring is not asked for a second time, unless the user says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from gptkit.cli.long.consent import agreed
from gptkit.documents.pieces import Piece
from gptkit.engine.work import Means
from gptkit.errors import GptkitError, TryAgain

if TYPE_CHECKING:
    from gptkit.cli.long.consent import Consent, Lack
    from gptkit.engine.long.batch import Submitted
    from gptkit.engine.long.lacking import Lacking
    from gptkit.engine.long.values import Job
    from gptkit.services import Services
    from gptkit.templates.model import Value

RECORD = "batches.db"
HINT = "--batch waits for them, as 'gptkit batch fetch' does; --yes asks, and pays, for them as well"


class Waiting(NamedTuple):
    """The documents that are not there yet, by number, and what the run ends with for that."""

    documents: Collection[int] = ()
    failure: GptkitError | None = None


class Once:
    """Stands between the pieces of a job and the requests for them. `options` are those of the command."""

    def __init__(self, services: Services, job: Job, options: Mapping[str, Value]) -> None:
        self._services = services
        self._job = job
        self.is_batch = bool(options.get("batch"))
        self._may_pay_twice = bool(options.get("yes"))

    @contextmanager
    def pieces(
        self, found: Iterable[Piece], means: Means, lack: Lack, consent: Consent
    ) -> Iterator[Iterable[Piece]]:
        """The pieces of a document for the ordinary run. Raises TryAgain where it has to wait for a batch.

        Args:
            lack: what the memory lacks of pieces.
        """
        if not (self.is_batch or self._shards):
            yield consent.checked(found, lack)
            return
        from gptkit.cli.long.spool import Spool

        with Spool() as spool:
            if self.is_batch:
                lacking = lack(spool.through(found))
                if not consent.is_given:
                    self.agree(lacking, consent)
                    lacking = lack(spool.again())
                submitted = self._submitted(lacking, means)
                if not submitted.is_complete:
                    raise self._under_way(submitted)
                yield spool.again()
            else:
                self._check(lack(spool.through(found)))
                yield consent.checked(spool.again(), lack)

    def agree(self, lacking: Iterable[Lacking], consent: Consent) -> None:
        """Before anything is asked for: what batches are waited for to bring is paid for already."""
        if not self.is_batch:
            consent.survey(lacking)
            return
        with self.awaited() as awaited:
            consent.survey(one for one in lacking if not awaited(one.key))

    def waiting(self, lacking: Iterable[Lacking], means: Means, files: int) -> Waiting:
        """Which of so many documents wait for a batch, together: what all of them lack is submitted in one
        go. Raises TryAgain where the ordinary run would pay twice."""
        documents: set[int] = set()
        if self.is_batch:
            submitted = self._submitted(lacking, means, documents.add)
            if not submitted.is_complete:
                return Waiting(
                    documents, self._under_way(submitted, f"; {len(documents)} of {files} files wait")
                )
        elif self._shards:
            self._check(lacking)
        return Waiting(documents)

    @contextmanager
    def awaited(self) -> Iterator[Callable[[bytes], bool]]:
        """Says of a key whether a batch under way is to bring it."""
        if not self._shards:
            yield lambda _: False
            return
        from gptkit.cli import batching

        record = batching.record(self._services)
        try:
            yield lambda key: record.shard_of(key) in self._shards
        finally:
            record.close()

    def _check(self, lacking: Iterable[Lacking]) -> None:
        """Ask the user where a batch is to bring some of them. Raises TryAgain unless they agree."""
        with self.awaited() as awaited:
            count = sum(awaited(one.key) for one in lacking)
        if not count:
            return
        about = f"{count} of the pieces {'is' if count == 1 else 'are'} being worked on in a batch"
        if not agreed(self._services.terminal, f"{about}. Ask, and pay, for them as well? [y/N] "):
            raise TryAgain(about, hint=HINT)

    def _submitted(
        self, lacking: Iterable[Lacking], means: Means, waits: Callable[[int], object] = lambda _: None
    ) -> Submitted:
        from gptkit.cli.batching import submit_missing

        return submit_missing(self._services, lacking, self._job, means, waits)

    @cached_property
    def _shards(self) -> frozenset[str]:
        """Those under way for the same prompt and model; without a memory nobody wants what they bring,
        and --fresh asks again whatever they may bring. Where there never was a batch this is a look at a
        name."""
        job = self._job
        if self._may_pay_twice or job.memory is None or job.fresh:
            return frozenset()
        if not (self._services.paths.data / RECORD).exists():
            return frozenset()
        from gptkit.cli import batching

        return batching.under_way(self._services, job)

    def _under_way(self, submitted: Submitted, more: str = "") -> TryAgain:
        """What ends a run whose pieces are not all there."""
        count = submitted.new + submitted.under_way
        then = "the same command without --fresh" if self._job.fresh else "the same command"
        return TryAgain(
            f"{count} {'piece is' if count == 1 else 'pieces are'} with the provider"
            f" ({submitted.new} of them submitted now){more}",
            hint=f"'gptkit batch list' tells of them; then {then} prints the whole",
        )
