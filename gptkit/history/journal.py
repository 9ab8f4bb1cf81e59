"""Writes an exchange that is under way to a small file, so that a killed process loses nothing.

The first line of the file is the opening; a line of text follows for every piece that was shown, and the
ending is the last line, of several endings the last. The ending has no answer if the shown pieces are the
answer. Another long answer stands before the ending in lists of one piece each, so that no second copy of
an answer of 64 MiB is made. A line before each request has its estimated tokens, a line after it its charge.
The process holds a lock on the file: if another process gets the lock, the writer is dead. SQLite is not
used here, since loading it would delay the request.
"""

import json
import os
from _thread import RLock
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

from gptkit.core.chat import Charge
from gptkit.core.errors import CannotWriteError
from gptkit.core.files import PRIVATE_FLAGS, cause, close_quietly, has_name, make_private_folder, try_lock
from gptkit.core.tokens import estimate_tokens
from gptkit.history.model import OPENING_ID, STATES, Ending, Opening

JOURNAL_SUFFIX = ".jsonl"
DAMAGED_SUFFIX = ".damaged"
PIECE_SIZE = 1 << 18
"""The most characters of an answer in one line of the file."""


class Journal:
    """The open file of one exchange."""

    def __init__(self, path: Path, descriptor: int, opening: Opening) -> None:
        self.opening = opening
        self._path = path
        self._descriptor: int | None = descriptor
        self._length = 0
        self._lock = RLock()
        """Requests of several threads are written: a closed descriptor could be another file's by then."""

    def add(self, text: str) -> None:
        """Append text that was shown; after the return the operating system has the text."""
        if text:
            self._length += len(text)
            self._write(text)

    def read_text(self) -> str:
        """Return all text that was added and could be written."""
        try:
            with self._path.open("rb") as file:
                return "".join(_shown_pieces(file))
        except OSError:
            return ""

    def add_charge(self, number: int, charge: Charge | None, is_over: bool) -> None:
        """Append what a request is estimated to cost, before it is sent; with the same number, its charge."""
        self._write({"request": number, "charge": charge, "over": is_over})

    def record_ending(self, ending: Ending) -> None:
        """Append how the exchange ended, before the store is written; a later call replaces the ending."""
        record, answer = _to_json(ending), ending.answer
        if len(answer) > PIECE_SIZE:
            record["answer"] = None
            if not self._holds_answer(answer):
                for start in range(0, len(answer), PIECE_SIZE):
                    self._write([answer[start : start + PIECE_SIZE]])
        self._write(record)

    def discard(self) -> None:
        """Remove the file, since the store has the turn or the turn is not wanted."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink()
            self.release()

    def release(self) -> None:
        """Close the file; the next process that opens the store stores its turn."""
        with self._lock:
            if self._descriptor is not None:
                descriptor, self._descriptor = self._descriptor, None
                close_quietly(descriptor)

    def _holds_answer(self, answer: str) -> bool:
        """Whether the shown pieces in the file are the answer."""
        if self._descriptor is None or self._length != len(answer):
            return False
        position = 0
        for piece in _shown_pieces(_lines(self._descriptor)):
            if not answer.startswith(piece, position):
                return False
            position += len(piece)
        return position == len(answer)

    def _write(self, line: object) -> None:
        """Append a line; on an error stop writing, since the answer must still be shown."""
        data = json.dumps(line, default=str).encode() + b"\n"
        with self._lock:
            if self._descriptor is None:
                return
            try:
                is_whole = os.write(self._descriptor, data) == len(data)
            except OSError:
                is_whole = False
            if not is_whole:
                self.release()


class JournalEntry(NamedTuple):
    """The content of the journal of a dead process; `ending` is None if the process was killed before.

    `charges` are those of all requests. For the request that was under way they are estimated from what was
    sent and shown.
    """

    opening: Opening
    text: str
    ending: Ending | None
    charges: tuple[Charge, ...]


def begin_journal(folder: Path, opening: Opening) -> Journal:
    """Create the journal of an exchange before its request is sent. Raises CannotWriteError."""
    if not OPENING_ID.fullmatch(opening.id):
        raise ValueError(f"not an id: {opening.id!r}")
    path = folder / (opening.id + JOURNAL_SUFFIX)
    line = json.dumps(_to_json(opening), default=str).encode() + b"\n"
    try:
        if not folder.is_dir():
            make_private_folder(folder)
        while True:
            descriptor = os.open(path, PRIVATE_FLAGS | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                # before the lock another process may take this for the file of a dead process, and remove it
                if try_lock(descriptor) and has_name(descriptor, path):
                    _write_opening(path, descriptor, line)
                    return Journal(path, descriptor, opening)
            except BaseException:
                close_quietly(descriptor)
                raise
            close_quietly(descriptor)
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWriteError(f"'{path}': {cause(error)}") from error


def orphaned_journals(folder: Path) -> Iterator[tuple[Path, JournalEntry]]:
    """Yield the journals of dead processes, each locked until the next is yielded.

    The caller removes the file of a stored journal. A damaged file gets another name.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(JOURNAL_SUFFIX))
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
                entry = _read(path, descriptor)
                if entry is not None:
                    yield path, entry
        finally:
            close_quietly(descriptor)


def active_exchanges(folder: Path) -> list[Opening]:
    """Return the openings of exchanges whose processes live."""
    openings = []
    for path in sorted(folder.glob("*" + JOURNAL_SUFFIX)):
        try:
            descriptor = os.open(path, PRIVATE_FLAGS)
        except OSError:
            continue
        try:
            if not try_lock(descriptor) and (opening := _parse_opening(next(_lines(descriptor), b""))):
                openings.append(opening)
        finally:
            close_quietly(descriptor)
    return openings


def _write_opening(path: Path, descriptor: int, line: bytes) -> None:
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
    opening = _parse_opening(first)
    if opening is not None:
        return _parse_lines(opening, lines)
    with suppress(OSError):
        if first.endswith(b"\n"):
            path.rename(path.with_suffix(DAMAGED_SUFFIX))
        else:  # the process died before its request was sent
            path.unlink()
    return None


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield the lines with their line ends; the last may have none."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        yield from file


def _shown_pieces(lines: Iterable[bytes]) -> Iterator[str]:
    return (json.loads(line) for line in lines if line.startswith(b'"') and line.endswith(b"\n"))


def _parse_opening(line: bytes) -> Opening | None:
    try:
        opening = Opening(**json.loads(line)) if line.endswith(b"\n") else None
        is_whole = opening is not None and isinstance(opening.user, str) and OPENING_ID.fullmatch(opening.id)
    except (ValueError, TypeError):
        return None
    return opening if is_whole else None


def _parse_lines(opening: Opening, lines: Iterable[bytes]) -> JournalEntry:
    """Parse the lines after the opening, up to the first damaged line."""
    shown: list[str] = []
    answer_pieces: list[str] = []
    ending: Ending | None = None
    text: str | None = None
    charges = _Charges()
    for line in lines:
        try:
            value: object = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            break
        if isinstance(value, str):
            shown.append(value)
        elif isinstance(value, list):
            answer_pieces += [piece for piece in value if isinstance(piece, str)]
        elif isinstance(value, dict) and "request" in value:
            charges.add(value, len(shown))
        elif isinstance(value, dict):
            answer = value.get("answer")
            value["answer"] = text = "".join(answer_pieces or shown) if answer is None else answer
            ending = _parse_ending(value)
            answer_pieces = []
    if text is None:
        text = "".join(shown or answer_pieces)
    return JournalEntry(opening, text, ending, charges.all(shown) or (ending.charges if ending else ()))


class _Charges:
    """The charges of a journal by the numbers of their requests; the latest of a request counts."""

    def __init__(self) -> None:
        self._by_number: dict[str, Charge | None] = {}
        self._under_way: dict[str, int] = {}
        """How many pieces were shown before each request that is not over."""

    def add(self, record: Mapping[str, object], shown: int) -> None:
        number = str(record["request"])
        self._by_number[number] = _parse_charge(record.get("charge"))
        if record.get("over"):
            self._under_way.pop(number, None)
        else:
            self._under_way[number] = shown

    def all(self, shown: Sequence[str]) -> tuple[Charge, ...]:
        """Return the charges; the text after the start of the latest request under way is its answer."""
        if self._under_way:
            number, start = self._under_way.popitem()
            if charge := self._by_number[number]:
                tokens = estimate_tokens("".join(shown[start:]))
                self._by_number[number] = charge._replace(completion_tokens=tokens)
        return tuple(charge for charge in self._by_number.values() if charge is not None)


def _parse_charge(values: object) -> Charge | None:
    """Parse a charge; None for a request that costs nothing, and for a damaged line."""
    try:
        charge = Charge(*cast("list[object]", values))  # type: ignore[arg-type]
    except TypeError:
        return None
    return charge


def _parse_ending(record: Mapping[str, object]) -> Ending | None:
    try:
        charges = tuple(Charge(*values) for values in cast("list[list[object]]", record["charges"]))  # type: ignore[arg-type]
        ending = Ending(**{**record, "charges": charges})  # type: ignore[arg-type]
    except (TypeError, KeyError):
        return None
    return ending if ending.state in STATES else None


def _to_json(value: Opening | Ending) -> dict[str, object]:
    return {name: dict(part) if isinstance(part, Mapping) else part for name, part in value._asdict().items()}
