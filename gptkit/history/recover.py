"""Saves every intact turn of a damaged store into a new one, and keeps the damaged file."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from gptkit.database import refuse_special
from gptkit.errors import CannotRead, CannotWrite, NoInput
from gptkit.history.pages import Pages
from gptkit.history.rescue import Rescue
from gptkit.history.schema import APPLICATION_ID
from gptkit.history.store import Store
from gptkit.lock import locked

if TYPE_CHECKING:
    from pathlib import Path

_SIDES = ("", "-wal", "-shm")
_APPLICATION = slice(68, 72)


class Recovered(NamedTuple):
    """`lost` counts the turns that the store is known to have had and that could not be read."""

    saved: int
    lost: int
    kept: Path


def recover(store: Store) -> Recovered:
    """Replace the store by a new one with all that can be read; the old file gets another name.

    Raises NoInput without a store, CannotRead if the file is another program's.
    """
    path = store.path
    if path is None or not path.exists():
        raise NoInput(f"'{path}': there is no store")
    refuse_special(path)
    store.close()
    folder = path.with_name(f".gptkit-{os.urandom(8).hex()}")  # a new store locks the folder it is made in
    made = Store(folder / path.name, folder / "journal")
    with locked(path.parent):
        rescue = _read(path)
        try:
            with made.writing() as connection:
                saved = rescue.write(connection)
            made.close()
            kept = _set_aside(path)
            (folder / path.name).rename(path)
        finally:
            made.close()
            _remove(folder, path.name)
    return Recovered(saved, max(0, rescue.known - saved), kept)


def _remove(folder: Path, name: str) -> None:
    for side in _SIDES:
        with suppress(OSError):
            (folder / (name + side)).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _read(path: Path) -> Rescue:
    try:
        with path.open("rb") as file:
            head = file.read(100)
        rescue = Rescue()
        for row in Pages(path).rows():
            rescue.sort(row)
    except OSError as error:
        raise CannotRead(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    is_ours = head[_APPLICATION] == APPLICATION_ID.to_bytes(4, "big")
    if not is_ours and not rescue.turns:
        raise CannotRead(
            f"'{path}': nothing in it is gptkit's", hint="move it away; the next command makes a new one"
        )
    return rescue


def _set_aside(path: Path) -> Path:
    """The file and its log under names that fit together, so that SQLite could still read them."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    kept, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    try:
        for side in reversed(_SIDES):
            source = path.with_name(path.name + side)
            if source.exists():
                source.rename(kept.with_name(kept.name + side))
    except OSError as error:
        raise CannotWrite(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    return kept
