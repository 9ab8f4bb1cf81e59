"""The pieces of a document, each worked on by itself, several at once, and handed on in their order."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import closing
from threading import Lock
from typing import NamedTuple

from gptkit.exchange.invocation import Runtime
from gptkit.jobs.job import Done, Job
from gptkit.jobs.piece import done
from gptkit.jobs.request import Placed, Surroundings, placed
from gptkit.text.pieces import Piece

SETTLED = 40
"""Translations of short phrases that later pieces are told of, the latest ones."""
PHRASE = re.compile(r"^#{1,6}[ \t]+(.{1,60}?)[ \t]*#*$|\*\*([^*\n]{1,60})\*\*", re.MULTILINE)
"""Headings and bold words: where source and answer have as many, they correspond one by one."""


def mapped(
    pieces: Iterable[Piece], job: Job, runtime: Runtime, *, threads: bool = True
) -> Generator[Done, None, None]:
    """Every piece with its text, in order, each as soon as it and all before it are there.

    Raises the first failure that ends the whole job, after what was done before that piece was
    handed on. Closing the iterator ends the job. Without `threads` one piece is done after the other.
    """
    if not threads:
        settled = Settled()
        for piece in placed(pieces):
            yield _done(job, piece, settled, runtime)
        return
    shares = (Share(0, job, piece) for piece in placed(pieces))
    with closing(mapped_all(shares, job.workers, runtime)) as results:
        for _, one in results:
            if one is not None:
                yield one


class Share(NamedTuple):
    """A piece of one of several documents, which are counted; None is the end of one."""

    document: int
    job: Job
    placed: Placed | None = None


def mapped_all(
    shares: Iterable[Share], workers: int, runtime: Runtime
) -> Generator[tuple[Share, Done | None], None, None]:
    """The pieces of several documents, side by side as those of one."""
    from gptkit.jobs.workers import Workshop

    settled = Settled()

    def work(share: Share, runtime: Runtime) -> tuple[Share, Done | None]:
        if share.placed is None:
            return share, None
        return share, _done(share.job, share.placed, settled, runtime)

    workshop = Workshop(work, workers, runtime)
    try:
        yield from workshop.run(shares)
    finally:
        workshop.close()


def _done(job: Job, place: Placed, settled: Settled, runtime: Runtime) -> Done:
    around = Surroundings(place.before, settled.phrases, place.is_whole)
    one = done(job, place.piece, around, runtime)
    settled.add(one)
    return one


class Settled:
    """Headings and bold words whose translations are accepted, by whichever thread, as soon as they are."""

    def __init__(self) -> None:
        self.phrases: tuple[tuple[str, str], ...] = ()
        self._lock = Lock()

    def add(self, one: Done) -> None:
        doubts = all(finding.level == "doubtful" for finding in one.findings)
        if one.how not in ("answer", "memory") or not doubts:
            return
        sources, answers = (_phrases(text) for text in (one.piece.source, one.text))
        if len(sources) != len(answers):
            return
        with self._lock:
            known = dict(self.phrases)
            for source, answer in zip(sources, answers, strict=True):
                if source != answer:
                    known.pop(source, None)
                    known[source] = answer
            self.phrases = tuple(known.items())[-SETTLED:]


def _phrases(text: str) -> list[str]:
    return [found[1] or found[2] for found in PHRASE.finditer(text)]
