"""Where an export goes to, and where an import comes from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptkit.core.errors import CannotReadError, DataError, NoInputError

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal

_PRIVATE = 0o600
"""The mode of a new file: it holds what the user asked, and was answered."""


def write(terminal: Terminal, store: Path | None, output: Path | None, pieces: Iterable[bytes]) -> None:
    """To a file, which is written whole or not at all, or piece by piece to standard output."""
    if output is not None and str(output) != "-":
        from gptkit.core.files import write_atomic
        from gptkit.session.answer import check

        check(terminal, output, [] if store is None else [store])
        write_atomic(output, pieces, None if output.exists() else _PRIVATE)
        return
    for piece in pieces:
        if terminal.stdout_is_terminal:
            terminal.print_sanitized(piece.decode().removesuffix("\n"))
        else:
            terminal.write_bytes(piece)


@contextmanager
def opened(terminal: Terminal, file: Path) -> Iterator[io.BufferedReader]:
    """A DataError of who takes it in gets the name of the file."""
    with _stream(terminal, file) as stream:
        try:
            yield stream
        except DataError as error:
            raise DataError(f"{shown(file)}: {error.message}") from None


def shown(file: Path) -> str:
    """What a message calls it."""
    return "standard input" if str(file) == "-" else f"'{file}'"


def _stream(terminal: Terminal, file: Path) -> io.BufferedReader:
    if str(file) == "-":
        return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(terminal.read())))
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise NoInputError(f"'{file}': no such file") from None
    except OSError as error:
        raise CannotReadError(f"'{file}': {(error.strerror or str(error)).lower()}") from None
