"""Where an export goes to, and where an import comes from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.errors import CannotRead, DataFault, NoInput

if TYPE_CHECKING:
    from gptkit.history.store import Store
    from gptkit.history.taking import Taken
    from gptkit.terminal import Terminal


def write(terminal: Terminal, store: Store, output: Path | None, pieces: Iterable[bytes]) -> None:
    """To a file, which is written whole or not at all, or piece by piece to standard output."""
    if output is not None and str(output) != "-":
        from gptkit.cli.target import check
        from gptkit.history.transfer import write_file

        check(terminal, output, [store.path] if store.path else [])
        write_file(output, pieces)
        return
    for piece in pieces:
        if terminal.stdout_is_terminal:
            terminal.show(piece.decode().removesuffix("\n"))
        else:
            terminal.write_bytes(piece)


def taken_from(terminal: Terminal, store: Store, file: Path) -> Taken:
    """Raises DataFault with the name of the file and the line."""
    from gptkit.history.taking import take

    if str(file) == "-":
        try:
            return take(store, terminal.read().splitlines(keepends=True))
        except DataFault as error:
            raise DataFault(f"standard input: {error.message}") from None
    try:
        lines = file.open("rb")
    except FileNotFoundError:
        raise NoInput(f"'{file}': no such file") from None
    except OSError as error:
        raise CannotRead(f"'{file}': {(error.strerror or str(error)).lower()}") from None
    with lines:
        try:
            return take(store, lines)
        except DataFault as error:
            raise DataFault(f"'{file}': {error.message}") from None
