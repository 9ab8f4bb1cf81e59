"""Keeps an exchange that is under way in a small file, so that a killed process loses nothing.

The first line is the opening, a line of text follows for every piece that was shown, and the ending
comes last, before the store takes over; of several the last counts. The ending leaves out an answer that
the pieces hold, and a long one that they do not hold stands before it, in lists of one piece each: no
second copy of an answer of 64 MiB is ever made. The file is locked while its process lives: whose lock
can be had is dead. No SQLite here: this stands between the user and the request.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

from gptkit.core.chat import Charge
from gptkit.core.errors import CannotWriteError
from gptkit.core.files import PRIVATE_FLAGS, close_quietly, has_name, make_private_folder, try_lock
from gptkit.history.model import OPENING_ID, STATES, Ending, Opening

ENDING = ".jsonl"
DAMAGED = ".damaged"
PIECE = 1 << 18
"""Characters of an answer in one line of the file, at most."""


class Journal:
    """The open file of one exchange."""

    def __init__(self, path: Path, descriptor: int, opening: Opening) -> None:
        self.opening = opening
        self._path = path
        self._descriptor: int | None = descriptor
        self._length = 0

    def add(self, text: str) -> None:
        """Keep text that was shown. It is in the hands of the system when this returns."""
        if text:
            self._length += len(text)
            self._write(text)

    def read_text(self) -> str:
        """All that was added, as far as it could be kept."""
        try:
            with self._path.open("rb") as file:
                return "".join(_shown(file))
        except OSError:
            return ""

    def record_ending(self, ending: Ending) -> None:
        """Keep how it ended: from here on nobody has to guess, whatever becomes of the store.

        A later call counts instead of this one.
        """
        record, answer = _plain(ending), ending.answer
        if len(answer) > PIECE:
            record["answer"] = None
            if not self._holds(answer):
                for start in range(0, len(answer), PIECE):
                    self._write([answer[start : start + PIECE]])
        self._write(record)

    def discard(self) -> None:
        """Remove the file: the store has the turn, or nobody wants it."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink()
            self.release()

    def release(self) -> None:
        """Let go of the file; the next process that opens the store puts its turn there."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            close_quietly(descriptor)

    def _holds(self, answer: str) -> bool:
        """Whether the pieces in the file are the answer."""
        if self._descriptor is None or self._length != len(answer):
            return False
        place = 0
        for piece in _shown(_lines(self._descriptor)):
            if not answer.startswith(piece, place):
                return False
            place += len(piece)
        return place == len(answer)

    def _write(self, line: object) -> None:
        """A full disk costs the record, never the answer that is being shown."""
        if self._descriptor is None:
            return
        data = json.dumps(line, default=str).encode() + b"\n"
        try:
            whole = os.write(self._descriptor, data) == len(data)
        except OSError:
            whole = False
        if not whole:
            self.release()


class JournalEntry(NamedTuple):
    """What the journal of a dead process holds; `ending` is None if it was killed before."""

    opening: Opening
    text: str
    ending: Ending | None


def begin_journal(folder: Path, opening: Opening) -> Journal:
    """Keep the user's words before the request is sent. Raises CannotWriteError."""
    if not OPENING_ID.fullmatch(opening.id):
        raise ValueError(f"not an id: {opening.id!r}")
    path = folder / (opening.id + ENDING)
    line = json.dumps(_plain(opening), default=str).encode() + b"\n"
    try:
        if not folder.is_dir():
            make_private_folder(folder)
        while True:
            descriptor = os.open(path, PRIVATE_FLAGS | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                # Between these two calls another process may take it for a dead one's, and remove it.
                if try_lock(descriptor) and has_name(descriptor, path):
                    _begin(path, descriptor, line)
                    return Journal(path, descriptor, opening)
            except BaseException:
                close_quietly(descriptor)
                raise
            close_quietly(descriptor)
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWriteError(f"'{path}': {(error.strerror or str(error)).lower()}") from error


def orphaned_journals(folder: Path) -> Iterator[tuple[Path, JournalEntry]]:
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
            descriptor = os.open(path, PRIVATE_FLAGS)
        except OSError:  # it has just been removed
            continue
        try:
            if try_lock(descriptor) and has_name(descriptor, path):
                kept = _read(path, descriptor)
                if kept is not None:
                    yield path, kept
        finally:
            close_quietly(descriptor)


def active_exchanges(folder: Path) -> list[Opening]:
    """The exchanges of processes that live."""
    found = []
    for path in sorted(folder.glob("*" + ENDING)):
        try:
            descriptor = os.open(path, PRIVATE_FLAGS)
        except OSError:
            continue
        try:
            if not try_lock(descriptor) and (opening := _opening(next(_lines(descriptor), b""))):
                found.append(opening)
        finally:
            close_quietly(descriptor)
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


def _read(path: Path, descriptor: int) -> JournalEntry | None:
    lines = _lines(descriptor)
    first = next(lines, b"")
    opening = _opening(first)
    if opening is not None:
        return _parsed(opening, lines)
    with suppress(OSError):
        if first.endswith(b"\n"):
            path.rename(path.with_suffix(DAMAGED))
        else:  # killed while it wrote the opening: nothing was sent yet
            path.unlink()
    return None


def _lines(descriptor: int) -> Iterator[bytes]:
    """The lines with their ends; the last may have none."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        yield from file


def _shown(lines: Iterable[bytes]) -> Iterator[str]:
    return (json.loads(line) for line in lines if line.startswith(b'"') and line.endswith(b"\n"))


def _opening(line: bytes) -> Opening | None:
    try:
        opening = Opening(**json.loads(line)) if line.endswith(b"\n") else None
        whole = opening is not None and isinstance(opening.user, str) and OPENING_ID.fullmatch(opening.id)
    except (ValueError, TypeError):
        return None
    return opening if whole else None


def _parsed(opening: Opening, lines: Iterable[bytes]) -> JournalEntry:
    """What the whole lines say; after one that is damaged nothing is believed."""
    shown: list[str] = []
    told: list[str] = []
    ended: JournalEntry | None = None
    for line in lines:
        try:
            value: object = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            break
        if isinstance(value, str):
            shown.append(value)
        elif isinstance(value, list):
            told += [piece for piece in value if isinstance(piece, str)]
        elif isinstance(value, dict):
            answer = value.get("answer")
            value["answer"] = text = "".join(told or shown) if answer is None else answer
            ended = JournalEntry(opening, text, _ending(value))
            told = []
    return ended or JournalEntry(opening, "".join(shown or told), None)


def _ending(record: Mapping[str, object]) -> Ending | None:
    try:
        charges = tuple(Charge(*one) for one in cast("list[list[object]]", record["charges"]))  # type: ignore[arg-type]
        ending = Ending(**{**record, "charges": charges})  # type: ignore[arg-type]
    except (TypeError, KeyError):
        return None
    return ending if ending.state in STATES else None


def _plain(value: Opening | Ending) -> dict[str, object]:
    return {name: dict(part) if isinstance(part, Mapping) else part for name, part in value._asdict().items()}
