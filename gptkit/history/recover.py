"""Copies every intact turn of a damaged store into a new store, and keeps the damaged file."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotReadError, CannotWriteError, NoInputError
from gptkit.core.files import cause, folder_lock
from gptkit.core.sqlite import refuse_special_file
from gptkit.history import pages
from gptkit.history.rescue import RowRescuer
from gptkit.history.schema import APPLICATION_ID
from gptkit.history.store import Store

if TYPE_CHECKING:
    from pathlib import Path

_FILE_SUFFIXES = ("-shm", "-wal", "")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of the copy, not of the damaged file."""


class RecoveryResult(NamedTuple):
    """The numbers of saved turns and of turns that could not be read; `kept` is the damaged file."""

    saved: int
    lost: int
    kept: Path


def recover(store: Store) -> RecoveryResult:
    """Replace the store by a new one with all rows that can be read; the old file gets another name.

    Raises NoInputError without a store, and CannotReadError for a file of another program.
    """
    path = store.path
    if path is None or not path.exists():
        raise NoInputError(f"'{path}': there is no store")
    refuse_special_file(path)
    store.close()
    folder = path.with_name(f".gptkit-{os.urandom(8).hex()}")  # a new store locks its folder
    new_store = Store(folder / path.name, folder / "journal")
    with folder_lock(path.parent):
        try:
            with new_store.writing() as connection:
                copy, is_ours = _copy_store(path, folder)
                rescuer = RowRescuer(connection)
                for row in pages.read_rows(copy, rescuer.width):
                    rescuer.add_row(*row)
                saved, total = rescuer.finish()
                if not (saved or is_ours):
                    raise CannotReadError(
                        f"'{path}': nothing in it is gptkit's",
                        hint="move it away; the next command makes a new one",
                    )
            new_store.close()
            backup = _set_aside(path)
            (folder / path.name).rename(path)
        finally:
            new_store.close()
            shutil.rmtree(folder, ignore_errors=True)
    return RecoveryResult(saved, max(0, total - saved), backup)


def _copy_store(path: Path, folder: Path) -> tuple[Path, bool]:
    """Copy the file and its log; returns the copy, and whether its header says that the file is gptkit's."""
    copy = folder / "copy"
    try:
        for suffix in _FILE_SUFFIXES[1:]:
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
    except OSError as error:
        error_class = CannotWriteError if error.errno in _DISK_FULL else CannotReadError
        raise error_class(f"'{path}': {cause(error)}") from error
    with copy.open("rb") as file:
        return copy, file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")


def _set_aside(path: Path) -> Path:
    """Rename the file and its log, so that SQLite can still read them together; returns the new path."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    backup, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while backup.exists():
        number += 1
        backup = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    try:
        for suffix in _FILE_SUFFIXES:
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.rename(backup.with_name(backup.name + suffix))
    except OSError as error:
        raise CannotWriteError(f"'{path}': {cause(error)}") from error
    return backup
