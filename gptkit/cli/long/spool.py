"""Pieces that are looked at twice: on disk, so that memory does not grow with the input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from gptkit.core.errors import CannotWrite
from gptkit.engine.long.filed import filed, unfiled
from gptkit.text.pieces import Piece

if TYPE_CHECKING:
    from types import TracebackType


class Spool:
    """A file without a name, which is gone with the process. Raises CannotWrite."""

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
        raise CannotWrite(f"temporary file: {(error.strerror or str(error)).lower()}") from error
