"""Keeps an exchange that is under way in a small file, so that a killed process loses nothing.

The first line is the opening, a line of text follows for every piece that was shown, and the ending
comes last, before the store takes over. The file is locked while its process lives: whose lock can be
had is dead. No SQLite here: this stands between the user and the request.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

from gptkit.chat import Charge
from gptkit.errors import CannotWrite
from gptkit.files import make_private_folder
from gptkit.history.model import OPENING_ID, STATES, Ending, Opening
from gptkit.lock import PRIVATE, hold, is_current

ENDING = ".jsonl"
DAMAGED = ".damaged"


class Journal:
    """The open file of one exchange."""

    def __init__(self, path: Path, descriptor: int, opening: Opening) -> None:
        self.opening = opening
        self._path = path
        self._descriptor: int | None = descriptor

    def add(self, text: str) -> None:
        """Keep text that was shown. It is in the hands of the system when this returns."""
        if text:
            self._write(json.dumps(text))

    def end(self, ending: Ending) -> None:
        """Keep how it ended: from here on nobody has to guess, whatever becomes of the store."""
        self._write(json.dumps(_plain(ending), default=str))

    def discard(self) -> None:
        """Remove the file: the store has the turn, or nobody wants it."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink()
            self.leave()

    def leave(self) -> None:
        """Let go of the file; the next process that opens the store puts its turn there."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _write(self, line: str) -> None:
        """A full disk costs the record, never the answer that is being shown."""
        if self._descriptor is None:
            return
        data = line.encode() + b"\n"
        try:
            whole = os.write(self._descriptor, data) == len(data)
        except OSError:
            whole = False
        if not whole:
            self.leave()


class Kept(NamedTuple):
    """What the journal of a dead process holds; `ending` is None if it was killed before."""

    opening: Opening
    text: str
    ending: Ending | None


def begin(folder: Path, opening: Opening) -> Journal:
    """Keep the user's words before the request is sent. Raises CannotWrite."""
    if not OPENING_ID.fullmatch(opening.id):
        raise ValueError(f"not an id: {opening.id!r}")
    path = folder / (opening.id + ENDING)
    line = json.dumps(_plain(opening), default=str).encode() + b"\n"
    try:
        if not folder.is_dir():
            make_private_folder(folder)
        while True:
            descriptor = os.open(path, PRIVATE | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                # Between these two calls another process may take it for a dead one's, and remove it.
                if hold(descriptor) and is_current(descriptor, path):
                    _begin(path, descriptor, line)
                    return Journal(path, descriptor, opening)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"'{path}': {(error.strerror or str(error)).lower()}") from error


def orphans(folder: Path) -> Iterator[tuple[Path, Kept]]:
    """The journals of dead processes, each locked until the next is asked for.

    Who has stored one removes its file. What is not a journal is set aside under another name.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(ENDING))
    except OSError:
        return
    for name in names:
        path = folder / name
        try:
            descriptor = os.open(path, PRIVATE)
        except OSError:  # it has just been removed
            continue
        try:
            if hold(descriptor) and is_current(descriptor, path):
                kept = _read(path, descriptor)
                if kept is not None:
                    yield path, kept
        finally:
            os.close(descriptor)


def under_way(folder: Path) -> list[Opening]:
    """The exchanges of processes that live."""
    found = []
    for path in sorted(folder.glob("*" + ENDING)):
        try:
            descriptor = os.open(path, PRIVATE)
        except OSError:
            continue
        try:
            if not hold(descriptor) and (kept := _parsed(_content(descriptor))):
                found.append(kept.opening)
        finally:
            os.close(descriptor)
    return found


def _begin(path: Path, descriptor: int, line: bytes) -> None:
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)  # whatever the umask
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(28, "No space left on device")
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _read(path: Path, descriptor: int) -> Kept | None:
    data = _content(descriptor)
    kept = _parsed(data)
    if kept is None:
        with suppress(OSError):
            if b"\n" in data:
                path.rename(path.with_suffix(DAMAGED))
            else:  # killed while it wrote the opening: nothing was sent yet
                path.unlink()
    return kept


def _content(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))


def _parsed(data: bytes) -> Kept | None:
    """What the whole lines say; after one that is damaged nothing is believed."""
    lines = data.split(b"\n")[:-1]
    try:
        opening = Opening(**json.loads(lines[0]))
        if not isinstance(opening.user, str) or not OPENING_ID.fullmatch(opening.id):
            return None
    except (ValueError, TypeError, IndexError):
        return None
    text: list[str] = []
    for line in lines[1:]:
        try:
            value: object = json.loads(line)
        except ValueError:
            break
        if isinstance(value, str):
            text.append(value)
        elif isinstance(value, dict):
            return Kept(opening, "".join(text), _ending(value))
    return Kept(opening, "".join(text), None)


def _ending(record: Mapping[str, object]) -> Ending | None:
    try:
        charges = tuple(Charge(*one) for one in cast("list[list[object]]", record["charges"]))  # type: ignore[arg-type]
        ending = Ending(**{**record, "charges": charges})  # type: ignore[arg-type]
    except (TypeError, KeyError):
        return None
    return ending if ending.state in STATES else None


def _plain(value: Opening | Ending) -> dict[str, object]:
    return {name: dict(part) if isinstance(part, Mapping) else part for name, part in value._asdict().items()}
