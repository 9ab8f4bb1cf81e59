"""Find the pieces of a document whose answers the memory lacks, and keep pieces in a temporary file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

from gptkit.core.chat import ChatRequest, OutputFormat
from gptkit.core.errors import CannotWriteError
from gptkit.core.files import cause
from gptkit.jobs.job import Job, answer_metadata
from gptkit.jobs.piece import DEEPEST_HALVING
from gptkit.jobs.request import PieceContext, piece_key, piece_request, place_pieces, plain_request
from gptkit.text.pieces import Piece, Slot

if TYPE_CHECKING:
    from types import TracebackType


class MissingAnswer(NamedTuple):
    """An answer that the memory does not have under its `key`; `request` makes the request for the answer."""

    key: bytes
    piece: Piece
    request: Callable[[], ChatRequest]


def missing_answers(pieces: Iterable[Piece], job: Job, format_: OutputFormat) -> Iterator[MissingAnswer]:
    """Yield the answers that the memory lacks of pieces, in order; of equal pieces the answer comes twice."""
    for _, missing in missing_by_piece(pieces, job, format_):
        yield from missing


def missing_by_piece(
    pieces: Iterable[Piece], job: Job, format_: OutputFormat
) -> Iterator[tuple[Piece, Sequence[MissingAnswer]]]:
    """Yield every piece with the answers that the memory lacks of it: of none, the piece, or some halves."""
    for placed_piece in place_pieces(pieces):
        context = PieceContext(placed_piece.before, is_whole=placed_piece.is_whole)
        yield (
            placed_piece.piece,
            [
                MissingAnswer(key, piece, partial(_piece_request, job, piece, context, format_))
                for key, piece in _missing_parts(placed_piece.piece, job, format_, 0)
            ],
        )


def first_time(job: Job) -> Callable[[bytes], bool]:
    """Return a function that tells whether a key comes for the first time.

    Without a memory, and with --fresh, every key counts as new, since the job does not find its own answers.
    """
    seen: set[bytes] = set()

    def is_new(key: bytes) -> bool:
        count = len(seen)
        seen.add(key)
        return len(seen) > count

    return is_new if job.memory is not None and not job.fresh else lambda _: True


def _piece_request(job: Job, piece: Piece, context: PieceContext, format_: OutputFormat) -> ChatRequest:
    return piece_request(job, piece, context, plain_request(job, piece.text, format_))


def _missing_parts(
    piece: Piece, job: Job, format_: OutputFormat, depth: int
) -> Iterator[tuple[bytes, Piece]]:
    if not piece.text:
        return
    key = piece_key(job, piece, plain_request(job, piece.text, format_))
    stored = None
    if job.memory is not None and not job.fresh:
        stored = job.memory.get(key, piece.text, answer_metadata(job))
    if stored is not None and stored.in_halves:
        halves = job.format.halves(piece) if depth < DEEPEST_HALVING else None
        for half in halves or ():
            yield from _missing_parts(half, job, format_, depth + 1)
    elif stored is None or (stored.foreign and _is_wrong(piece, job, stored.answer)):
        yield key, piece


def _is_wrong(piece: Piece, job: Job, answer: str) -> bool:
    return any(finding.level == "wrong" for finding in job.format.findings(piece, answer))


def piece_to_json(piece: Piece) -> str:
    return json.dumps(piece)


def piece_from_json(text: str) -> Piece:
    source, masked, masks, units, path, line, form, slots, *_ = json.loads(text)
    return Piece(
        source,
        masked,
        tuple(masks),
        tuple(units),
        tuple(path),
        line,
        form,
        tuple(Slot(*slot) for slot in slots),
    )


class PieceSpool:
    """A temporary file of pieces, which the end of the process removes. Raises CannotWriteError."""

    def __init__(self) -> None:
        import tempfile

        with _converted_errors():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            with _converted_errors():
                self._file.write(piece_to_json(piece).encode("ascii") + b"\n")

    def read(self) -> Iterator[Piece]:
        with _converted_errors():
            self._file.seek(0)
        for line in self._file:
            yield piece_from_json(line.decode("ascii"))


@contextmanager
def _converted_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotWriteError(f"temporary file: {cause(error)}") from error
