"""Writes exports to files or standard output, and opens imports."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptkit.core.errors import CannotReadError, DataError, NoInputError
from gptkit.core.files import cause

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal

_PRIVATE_MODE = 0o600
"""The mode of a new file, which holds the user's conversations."""


def write_export(
    terminal: Terminal, store: Path | None, output: Path | None, pieces: Iterable[bytes]
) -> None:
    """Write an export to a file, wholly or not at all, or piece by piece to standard output.

    Raises UsageError if `output` is the `store`, CannotWriteError.
    """
    if output is not None and str(output) != "-":
        from gptkit.core.files import write_atomic
        from gptkit.session.answer import check_output

        check_output(terminal, output, [] if store is None else [store])
        write_atomic(output, pieces, None if output.exists() else _PRIVATE_MODE)
        return
    for piece in pieces:
        if terminal.stdout_is_terminal:
            terminal.print_sanitized(piece.decode().removesuffix("\n"))
        else:
            terminal.write_bytes(piece)


@contextmanager
def open_import(terminal: Terminal, file: Path) -> Iterator[io.BufferedReader]:
    """Open the file of an import; a DataError inside the block gets the name of the file."""
    with _open_stream(terminal, file) as stream:
        try:
            yield stream
        except DataError as error:
            raise DataError(f"{source_name(file)}: {error.message}") from None


def source_name(file: Path) -> str:
    """Return what messages call an imported file."""
    return "standard input" if str(file) == "-" else f"'{file}'"


def _open_stream(terminal: Terminal, file: Path) -> io.BufferedReader:
    if str(file) == "-":
        return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(terminal.read())))
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise NoInputError(f"'{file}': no such file") from None
    except OSError as error:
        raise CannotReadError(f"'{file}': {cause(error)}") from None
