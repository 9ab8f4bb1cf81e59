"""Process the pieces of documents, several at once, and yield the results in the order of the pieces."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import closing
from threading import Lock
from typing import NamedTuple

from gptkit.exchange.invocation import Runtime
from gptkit.jobs.job import Job, PieceResult
from gptkit.jobs.piece import LiveSink, process_piece
from gptkit.jobs.request import PieceContext, PlacedPiece, place_pieces
from gptkit.text.pieces import Piece

PHRASE_LIMIT = 40
"""The most translated phrases that the requests for later pieces are told of."""
PHRASE = re.compile(r"^#{1,6}[ \t]+(.{1,60}?)[ \t]*#*$|\*\*([^*\n]{1,60})\*\*", re.MULTILINE)
"""A heading or bold words. If a source and its answer have equally many, they correspond one by one."""


def map_pieces(
    pieces: Iterable[Piece],
    job: Job,
    runtime: Runtime,
    *,
    threads: bool = True,
    live_sink: LiveSink | None = None,
) -> Generator[PieceResult, None, None]:
    """Process the pieces of one document; yields each result as soon as all results before it are there.

    Raises the first failure that ends the whole job, after the results of all earlier pieces. Closing the
    generator ends the job. Without `threads` the pieces are processed one after the other, and
    `live_sink` shows an answer while it arrives.
    """
    if not threads:
        settled = SettledPhrases()
        for piece in place_pieces(pieces):
            yield _process(job, piece, settled, runtime, live_sink)
        return
    document_pieces = (DocumentPiece(0, job, piece) for piece in place_pieces(pieces))
    with closing(map_documents(document_pieces, job.workers, runtime)) as results:
        for _, result in results:
            if result is not None:
                yield result


class DocumentPiece(NamedTuple):
    """A piece of the document of this number; None marks the end of that document."""

    document: int
    job: Job
    piece: PlacedPiece | None = None


def map_documents(
    pieces: Iterable[DocumentPiece], workers: int, runtime: Runtime
) -> Generator[tuple[DocumentPiece, PieceResult | None], None, None]:
    """Process the pieces of several documents with one pool of workers; yields each piece with its result."""
    from gptkit.jobs.workers import WorkerPool

    settled = SettledPhrases()

    def work(piece: DocumentPiece, runtime: Runtime) -> tuple[DocumentPiece, PieceResult | None]:
        if piece.piece is None:
            return piece, None
        return piece, _process(piece.job, piece.piece, settled, runtime)

    pool = WorkerPool(work, workers, runtime)
    try:
        yield from pool.run(pieces)
    finally:
        pool.close()


def _process(
    job: Job,
    placed_piece: PlacedPiece,
    settled: SettledPhrases,
    runtime: Runtime,
    live_sink: LiveSink | None = None,
) -> PieceResult:
    context = PieceContext(placed_piece.before, settled.phrases, placed_piece.is_whole)
    result = process_piece(job, placed_piece.piece, context, runtime, live_sink)
    settled.add(result)
    if job.server is not None and result.origin in ("answer", "source"):
        job.server.add(result.failure, result.findings[0].kind if result.findings else "")
    return result


class SettledPhrases:
    """Headings and bold words with their accepted translations, collected by all threads of a job."""

    def __init__(self) -> None:
        self.phrases: tuple[tuple[str, str], ...] = ()
        self._lock = Lock()

    def add(self, result: PieceResult) -> None:
        is_accepted = all(finding.level == "doubtful" for finding in result.findings)
        if result.origin not in ("answer", "memory") or not is_accepted:
            return
        sources, answers = (_find_phrases(text) for text in (result.piece.source, result.text))
        if len(sources) != len(answers):
            return
        with self._lock:
            known = dict(self.phrases)
            for source, answer in zip(sources, answers, strict=True):
                if source != answer:
                    known.pop(source, None)
                    known[source] = answer
            self.phrases = tuple(known.items())[-PHRASE_LIMIT:]


def _find_phrases(text: str) -> list[str]:
    return [match[1] or match[2] for match in PHRASE.finditer(text)]
