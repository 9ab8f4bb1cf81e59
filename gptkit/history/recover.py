"""Saves every intact turn of a damaged store into a new one, and keeps the damaged file."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotReadError, CannotWriteError, NoInputError
from gptkit.core.files import folder_lock
from gptkit.core.sqlite import refuse_special_file
from gptkit.history import pages
from gptkit.history.rescue import RowRescuer
from gptkit.history.schema import APPLICATION_ID
from gptkit.history.store import Store

if TYPE_CHECKING:
    from pathlib import Path

_SIDES = ("-shm", "-wal", "")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What goes wrong with the copy, not with what is copied."""


class RecoveryResult(NamedTuple):
    """`lost` counts the turns that the store is known to have had and that could not be read."""

    saved: int
    lost: int
    kept: Path


def recover(store: Store) -> RecoveryResult:
    """Replace the store by a new one with all that can be read; the old file gets another name.

    Raises NoInputError without a store, CannotReadError if the file is another program's.
    """
    path = store.path
    if path is None or not path.exists():
        raise NoInputError(f"'{path}': there is no store")
    refuse_special_file(path)
    store.close()
    folder = path.with_name(f".gptkit-{os.urandom(8).hex()}")  # a new store locks the folder it is made in
    made = Store(folder / path.name, folder / "journal")
    with folder_lock(path.parent):
        try:
            with made.writing() as connection:
                copy, is_ours = _copied(path, folder)
                rescuer = RowRescuer(connection)
                for row in pages.read_rows(copy, rescuer.width):
                    rescuer.add_row(*row)
                saved, known = rescuer.finish()
                if not (saved or is_ours):
                    raise CannotReadError(
                        f"'{path}': nothing in it is gptkit's",
                        hint="move it away; the next command makes a new one",
                    )
            made.close()
            kept = _set_aside(path)
            (folder / path.name).rename(path)
        finally:
            made.close()
            shutil.rmtree(folder, ignore_errors=True)
    return RecoveryResult(saved, max(0, known - saved), kept)


def _copied(path: Path, folder: Path) -> tuple[Path, bool]:
    """A copy with its log, and whether its header says that it is gptkit's."""
    copy = folder / "copy"
    try:
        for side in _SIDES[1:]:
            source = path.with_name(path.name + side)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + side))
    except OSError as error:
        fault = CannotWriteError if error.errno in _NO_ROOM else CannotReadError
        raise fault(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    with copy.open("rb") as file:
        return copy, file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")


def _set_aside(path: Path) -> Path:
    """The file and its log under names that fit together, so that SQLite could still read them."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    kept, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    try:
        for side in _SIDES:
            source = path.with_name(path.name + side)
            if source.exists():
                source.rename(kept.with_name(kept.name + side))
    except OSError as error:
        raise CannotWriteError(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    return kept
