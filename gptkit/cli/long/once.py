"""What batches are to bring is not asked for a second time, unless the user says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gptkit.cli.long.consent import agreed
from gptkit.documents.pieces import Piece
from gptkit.engine.work import Means
from gptkit.errors import TryAgain

if TYPE_CHECKING:
    from gptkit.cli.long.consent import Consent
    from gptkit.engine.long.batch import Submitted
    from gptkit.engine.long.lacking import Lacking
    from gptkit.engine.long.values import Job
    from gptkit.services import Services
    from gptkit.templates.model import Value

    Lack = Callable[[Iterable[Piece]], Iterator[Lacking]]

HINT = "--batch waits for them, as 'gptkit batch fetch' does; --yes asks, and pays, for them as well"


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
        from gptkit.cli.long.spool import Spool

        if self.is_batch:
            with Spool() as spool:
                submitted = self.submitted(lack(spool.through(consent.checked(found))), means)
                if not submitted.is_complete:
                    raise waiting(submitted)
                yield spool.again()
        elif self.is_needed:
            with Spool() as spool:
                self.check(lack(spool.through(found)))
                yield consent.checked(spool.again())
        else:
            yield consent.checked(found)

    @property
    def is_needed(self) -> bool:
        """Whether a batch under way may hold pieces of this job. Where there never was one this is a look
        at a name."""
        return bool(self._shards())

    def check(self, lacking: Iterable[Lacking]) -> None:
        """Ask the user where a batch is to bring some of them. Raises TryAgain unless they agree."""
        from gptkit.cli import batching

        shards, record = self._shards(), batching.record(self._services)
        try:
            count = sum(record.shard_of(one.key) in shards for one in lacking)
        finally:
            record.close()
        if not count:
            return
        about = f"{count} of the pieces {'is' if count == 1 else 'are'} being worked on in a batch"
        if not agreed(self._services.terminal, f"{about}. Ask, and pay, for them as well? [y/N] "):
            raise TryAgain(about, hint=HINT)

    def submitted(
        self,
        lacking: Iterable[Lacking],
        means: Means,
        waits: Callable[[int], object] = lambda _: None,
    ) -> Submitted:
        """Fetch what batches have brought, and submit what is still lacking. Raises UsageFault without a
        memory. `waits` is told of the documents that are not there yet."""
        from gptkit.cli.batching import submit_missing

        return submit_missing(self._services, lacking, self._job, means, waits)

    def _shards(self) -> frozenset[str]:
        """Those under way for the same prompt and model; without a memory nobody wants what they bring,
        and --fresh asks again whatever they may bring."""
        job = self._job
        if self._may_pay_twice or job.memory is None or job.fresh:
            return frozenset()
        if not (self._services.paths.data / "batches.db").exists():
            return frozenset()
        from gptkit.cli import batching

        return batching.under_way(self._services, job)


def waiting(submitted: Submitted) -> TryAgain:
    """What ends a run whose pieces are not all there."""
    count = submitted.new + submitted.under_way
    return TryAgain(
        f"{count} {'piece is' if count == 1 else 'pieces are'} with the provider"
        f" ({submitted.new} of them submitted now)",
        hint="'gptkit batch status' tells of them; then the same command prints the whole",
    )
