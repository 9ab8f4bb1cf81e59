"""What a job has to ask for: the pieces of a document, or its parts, whose answers the memory lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

from gptkit.core.chat import ChatRequest, OutputFormat
from gptkit.core.errors import CannotWriteError
from gptkit.jobs.job import Job, about
from gptkit.jobs.piece import DEEPEST
from gptkit.jobs.request import Surroundings, asked, in_one_piece, key, placed
from gptkit.text.pieces import Piece, Slot

if TYPE_CHECKING:
    from types import TracebackType


class Lacking(NamedTuple):
    """One answer that the memory does not have under its `key`, and the request for it."""

    key: bytes
    piece: Piece
    request: Callable[[], ChatRequest]


def lacking_pieces(pieces: Iterable[Piece], job: Job, form: OutputFormat) -> Iterator[Lacking]:
    """Of a document that is worked on piece by piece, in order; what stands there twice comes twice."""
    for _, lacking in by_piece(pieces, job, form):
        yield from lacking


def by_piece(
    pieces: Iterable[Piece], job: Job, form: OutputFormat
) -> Iterator[tuple[Piece, Sequence[Lacking]]]:
    """Every piece with what lacks of it: nothing, or itself, or some of its halves."""
    for place in placed(pieces):
        around = Surroundings(place.before, is_whole=place.is_whole)
        yield (
            place.piece,
            [
                Lacking(name, piece, partial(_request, job, piece, around, form))
                for name, piece in _missing(place.piece, job, form, 0)
            ],
        )


def newly(job: Job) -> Callable[[bytes], bool]:
    """Says of a key whether it is asked for: not where the job itself has kept the answer by then."""
    seen: set[bytes] = set()

    def is_new(name: bytes) -> bool:
        known = len(seen)
        seen.add(name)
        return len(seen) > known

    return is_new if job.memory is not None and not job.fresh else lambda _: True


def _request(job: Job, piece: Piece, around: Surroundings, form: OutputFormat) -> ChatRequest:
    return asked(job, piece, around, in_one_piece(job, piece.text, form))


def _missing(piece: Piece, job: Job, form: OutputFormat, depth: int) -> Iterator[tuple[bytes, Piece]]:
    if not piece.text:
        return
    name = key(job, piece, in_one_piece(job, piece.text, form))
    held = None
    if job.memory is not None and not job.fresh:
        held = job.memory.get(name, piece.text, about(job))
    if held is not None and held.in_halves:
        halves = job.format.halves(piece) if depth < DEEPEST else None
        for half in halves or ():
            yield from _missing(half, job, form, depth + 1)
    elif held is None or (held.foreign and _is_wrong(piece, job, held.answer)):
        yield name, piece


def _is_wrong(piece: Piece, job: Job, answer: str) -> bool:
    return any(finding.level == "wrong" for finding in job.format.findings(piece, answer))


def filed(piece: Piece) -> str:
    return json.dumps(piece)


def unfiled(text: str) -> Piece:
    source, masked, masks, units, path, line, form, slots, *_ = json.loads(text)
    return Piece(
        source,
        masked,
        tuple(masks),
        tuple(units),
        tuple(path),
        line,
        form,
        tuple(Slot(*one) for one in slots),
    )


class Spool:
    """A file without a name, which is gone with the process. Raises CannotWriteError."""

    def __init__(self) -> None:
        import tempfile

        with _faults():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._file.close()

    def keep(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            with _faults():
                self._file.write(filed(piece).encode("ascii") + b"\n")

    def again(self) -> Iterator[Piece]:
        with _faults():
            self._file.seek(0)
        for line in self._file:
            yield unfiled(line.decode("ascii"))


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotWriteError(f"temporary file: {(error.strerror or str(error)).lower()}") from error
