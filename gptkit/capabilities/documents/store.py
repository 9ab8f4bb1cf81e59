"""The index on disk: the passages of files with their words, in SQLite FTS5.

It is a cache, which is made anew at will. The full-text table holds words only, and texts are kept compressed
beside it. To delete from that table takes the words once more, which are made of the text again.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from gptkit.capabilities.documents.passages import Passage
from gptkit.capabilities.documents.rank import HEADING, Totals
from gptkit.capabilities.documents.retrieve import IndexedPassage
from gptkit.capabilities.documents.words import words_of
from gptkit.core.errors import CannotReadError, ConfigurationError
from gptkit.core.sqlite import Database

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

APPLICATION_ID = 0x67707469
"""`gpti` in the header of the file."""
RULES = 1
"""Number of the rules by which files become blocks, passages and words; by other rules all is read anew."""
HINT = "'gptkit index clear' makes room for a new one"
COUNTED = 2000
"""Passages with a word up to which those of a part of the index are counted; beyond, they are estimated."""
MOST_RUNS = 4
"""Runs of passages up to which SQLite counts those of a part of the index itself."""
_WORDS_IN_A_QUERY = 500
"""Variables of one statement, of which SQLite allows 999 at least."""


class FileState(NamedTuple):
    """What tells whether a file changed since it was read: size, times in nanoseconds, inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class FileRow(NamedTuple):
    """A file that was read, at `read_at` in Unix seconds. `why` says why it has no passages,
    `encoding` is what the user called its encoding."""

    id: int
    path: str
    state: FileState
    sha256: str
    why: str
    read_at: float
    encoding: str


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables, in place of those that older rules filled."""
    for table in ("vocabulary", "words", "passages", "files", "totals"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in (
        """CREATE TABLE files (
            id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
            sha256 TEXT NOT NULL, why TEXT NOT NULL, read_at REAL NOT NULL, encoding TEXT NOT NULL,
            tokens INTEGER NOT NULL)""",
        """CREATE TABLE passages (
            id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files (id), heading TEXT NOT NULL,
            text BLOB NOT NULL, places TEXT NOT NULL, length INTEGER NOT NULL)""",
        "CREATE INDEX passages_by_file ON passages (file, length)",
        """CREATE VIRTUAL TABLE words USING fts5 (
            heading, text, content = '',
            tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co'")""",
        "CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row)",
        "CREATE TABLE totals (passages INTEGER NOT NULL, length INTEGER NOT NULL)",
        "INSERT INTO totals VALUES (0, 0)",
    ):
        connection.execute(statement)


MIGRATIONS = (_create,) * RULES


class PassageStore:
    """The index in one database file, or in memory (`path` None).

    A damaged file, one of a newer gptkit and a foreign one are moved aside, told to `notice`, and made anew:
    nothing in it is lost but time.
    """

    def __init__(self, path: Path | None, notice: Callable[[str], object] = lambda _text: None) -> None:
        self.path = path
        self._notice = notice
        self._database = Database(path, MIGRATIONS, APPLICATION_ID, HINT)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that sees one moment of the index."""
        return self._database.snapshot()

    def open(self) -> None:
        """Open the file, made anew if it is of no use."""
        try:
            self._database.open()
            with self._database.reading() as connection:
                connection.execute("SELECT passages, length FROM totals").fetchone()
        except (CannotReadError, ConfigurationError) as error:
            self.make_anew(error.message)

    def make_anew(self, why: str) -> None:
        """Move the file aside and begin a new one."""
        self._database.close_without_cleanup()
        assert self.path is not None  # noqa: S101 - an index in memory is never damaged
        self._notice(f"{why}; the index is made anew")
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                old = self.path.with_name(self.path.name + ending)
                old.replace(old.with_name(f"{self.path.name}.damaged{ending}"))
        self._database = Database(self.path, MIGRATIONS, APPLICATION_ID, HINT)
        self._database.open()

    def _remove_damaged(self) -> None:
        """Remove what was moved aside."""
        if self.path is not None:
            for old in self.path.parent.glob(f"{self.path.name}.damaged*"):
                old.unlink(missing_ok=True)

    def close(self) -> None:
        self._database.close()

    def close_file(self) -> None:
        """Close a file until it is used again; what is in memory stays."""
        if self.path is not None:
            self._database.close()

    def files(self, roots: Iterable[str] | None = None, paths: Iterable[str] = ()) -> dict[str, FileRow]:
        """The files below folders and those of paths, by their absolute paths; without folders all files."""
        query = "SELECT id, path, size, mtime_ns, ctime_ns, inode, sha256, why, read_at, encoding FROM files"
        with self._database.reading() as connection:
            if roots is None:
                return _file_rows(connection.execute(query))
            found: dict[str, FileRow] = {}
            for root in roots:
                below = os.fsencode(root.rstrip(os.sep) + os.sep)
                bounds = (below, below[:-1] + bytes([below[-1] + 1]))
                found |= _file_rows(connection.execute(f"{query} WHERE path >= ? AND path < ?", bounds))
            for path in paths:
                if path not in found:
                    found |= _file_rows(connection.execute(f"{query} WHERE path = ?", (os.fsencode(path),)))
            return found

    def write(
        self, changes: Sequence[FileChange], deleted: Iterable[int] = (), touched: Iterable[FileRow] = ()
    ) -> None:
        """Put the passages of files in place of older ones, and delete files, in one transaction.

        `touched` are rows whose file changed its state but not its content.
        """
        with self._database.writing() as connection:
            for file in deleted:
                _delete(connection, file)
            for row in touched:
                _touch(connection, row.id, row.state, row.read_at)
            for change in changes:
                _replace(connection, change)

    def clear(self, files: Sequence[int] | None = None) -> int:
        """Delete files, None for all of them, and leave none of their text in the database or its log.

        Returns how many.
        """
        if files is None:
            self._remove_damaged()
            files = [row.id for row in self.files().values()]
        self.write((), files)
        with self._database.writing() as connection:
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        with self._database.reading() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(files)


def _file_rows(rows: Iterable[tuple[Any, ...]]) -> dict[str, FileRow]:
    return {
        path: FileRow(row[0], path, FileState(*row[2:6]), *row[6:])
        for row in rows
        for path in [os.fsdecode(row[1])]
    }


class FileChange(NamedTuple):
    """A file as it was read: its state, its content as passages, or why it has none."""

    path: str
    state: FileState
    sha256: str
    read_at: float
    encoding: str
    passages: tuple[Passage, ...] = ()
    why: str = ""
    tokens: int = 0


def _replace(connection: sqlite3.Connection, change: FileChange) -> None:
    """Put a file in place of what is stored of it, unless another process has read the same content."""
    path = os.fsencode(change.path)
    old = connection.execute("SELECT id, sha256, encoding, why FROM files WHERE path = ?", (path,)).fetchone()
    if old is not None and old[1:] == (change.sha256, change.encoding, change.why):
        _touch(connection, old[0], change.state, change.read_at)
        return
    if old is not None:
        _delete(connection, old[0])
    cursor = connection.execute(
        "INSERT INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (path, *change.state, change.sha256, change.why, change.read_at, change.encoding, change.tokens),
    )
    assert cursor.lastrowid is not None  # noqa: S101 - an insert has one
    _insert(connection, cursor.lastrowid, change.passages)


def _touch(connection: sqlite3.Connection, file: int, state: FileState, read_at: float) -> None:
    connection.execute(
        "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, read_at = ? WHERE id = ?",
        (*state, read_at, file),
    )


def _insert(connection: sqlite3.Connection, file: int, passages: Sequence[Passage]) -> None:
    total = 0
    for one in passages:
        heading, text = words_of(one.heading), words_of(one.text)
        length = len(text) + HEADING * len(heading)
        total += length
        cursor = connection.execute(
            "INSERT INTO passages VALUES (NULL, ?, ?, ?, ?, ?)",
            (file, one.heading, zlib.compress(_bytes(one.text), 1), json.dumps(one.places), length),
        )
        connection.execute(
            "INSERT INTO words (rowid, heading, text) VALUES (?, ?, ?)",
            (cursor.lastrowid, " ".join(heading), " ".join(text)),
        )
    connection.execute(
        "UPDATE totals SET passages = passages + ?, length = length + ?", (len(passages), total)
    )


def _delete(connection: sqlite3.Connection, file: int) -> None:
    rows = connection.execute(
        "SELECT id, heading, text, length FROM passages WHERE file = ?", (file,)
    ).fetchall()
    for number, heading, text, _ in rows:
        connection.execute(
            "INSERT INTO words (words, rowid, heading, text) VALUES ('delete', ?, ?, ?)",
            (number, " ".join(words_of(heading)), " ".join(words_of(_text(text)))),
        )
    connection.execute("DELETE FROM passages WHERE file = ?", (file,))
    connection.execute("DELETE FROM files WHERE id = ?", (file,))
    connection.execute(
        "UPDATE totals SET passages = passages - ?, length = length - ?",
        (len(rows), sum(row[3] for row in rows)),
    )


class Scope:
    """The files of a store that a question is answered from; all figures are those of these files alone."""

    def __init__(self, connection: sqlite3.Connection, files: Mapping[int, str]) -> None:
        """Begin a search.

        Args:
            files: the ids of files and their names for the user.
        """
        self._connection = connection
        self.files = files
        known = {row[0] for row in connection.execute("SELECT id FROM files WHERE why = ''")}
        self._mask: bytearray | None = None
        self._runs: list[tuple[int, int]] = []
        self._most_counted = 0
        """Passages that are looked at to count those of a part of the index with a word, at most."""
        self._share = 1.0
        if known <= files.keys():
            row = connection.execute("SELECT passages, length FROM totals").fetchone()
            self.totals = Totals(*row)
        else:
            self._narrow(known & files.keys())

    @property
    def tokens(self) -> int:
        """Estimated tokens of all texts."""
        rows = self._connection.execute("SELECT id, tokens FROM files")
        return sum(tokens for file, tokens in rows if file in self.files)

    def frequency(self, words: Iterable[str]) -> Mapping[str, int]:
        """In how many passages each word stands; in part of an index, of a frequent word about how many."""
        found = self._whole_frequency(words)
        if self._mask is None:
            return found
        return {
            word: self._count(word)
            if min(count, self._most_counted) <= COUNTED
            else round(count * self._share)
            for word, count in found.items()
        }

    def _whole_frequency(self, words: Iterable[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        wanted = list(words)
        for start in range(0, len(wanted), _WORDS_IN_A_QUERY):
            some = wanted[start : start + _WORDS_IN_A_QUERY]
            marks = ", ".join("?" * len(some))
            query = f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})"  # noqa: S608 - marks alone
            found |= dict(self._connection.execute(query, some))
        return found

    def candidates(self, words: Sequence[str], most: int) -> list[IndexedPassage]:
        """The passages that hold any of the words, at most `most` of them, by SQLite's own order."""
        query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 2, 1)"
        rows = self._connection.execute(query, (" OR ".join(f'"{word}"' for word in words),))
        ids: list[int] = []
        for (number,) in rows:
            if self._mask is None or self._mask[number]:
                ids.append(number)
                if len(ids) == most:
                    break
        rows.close()
        return [self._passage(number) for number in ids]

    def all_passages(self) -> Iterator[IndexedPassage]:
        """Every passage, file by file in the order of names."""
        for file in sorted(self.files, key=lambda number: self.files[number]):
            rows = self._connection.execute(
                "SELECT id, file, heading, text, places FROM passages WHERE file = ? ORDER BY id", (file,)
            )
            for row in rows:
                yield _stored(row)

    def neighbours(self, one: IndexedPassage) -> list[IndexedPassage]:
        """The passages right before and after one in its file."""
        rows = self._connection.execute(
            "SELECT id, file, heading, text, places FROM passages WHERE id IN (?, ?) AND file = ?",
            (one.position - 1, one.position + 1, one.file),
        )
        return [_stored(row) for row in rows]

    def contents(self) -> Iterator[tuple[str, str, int, list[Passage]]]:
        """Name, SHA-256, tokens and passages of each file."""
        query = "SELECT id, file, heading, text, places FROM passages WHERE file = ? ORDER BY id"
        for file, name in self.files.items():
            row = self._connection.execute(
                "SELECT sha256, tokens FROM files WHERE id = ?", (file,)
            ).fetchone()
            rows = self._connection.execute(query, (file,))
            yield name, row[0], row[1], [_stored(each).passage for each in rows]

    def sha256(self, file: int) -> str:
        return str(self._connection.execute("SELECT sha256 FROM files WHERE id = ?", (file,)).fetchone()[0])

    def _narrow(self, files: set[int]) -> None:
        newest = self._connection.execute("SELECT max(id) FROM passages").fetchone()[0] or 0
        self._mask = mask = bytearray(newest + 1)
        runs = self._runs
        count = total = 0
        query = "SELECT min(id), count(*), sum(length) FROM passages WHERE file = ?"
        for file in sorted(files):
            first, passages, length = self._connection.execute(query, (file,)).fetchone()
            if not passages:
                continue
            end = first + passages  # they were written together, so that their numbers follow each other
            mask[first:end] = bytes([1]) * passages
            if runs and runs[-1][1] == first:
                first = runs.pop()[0]
            runs.append((first, end))
            count, total = count + passages, total + length
        self.totals = Totals(count, total)
        whole = self._connection.execute("SELECT passages FROM totals").fetchone()[0]
        self._share = count / max(1, whole)
        self._most_counted = count if len(runs) <= MOST_RUNS else whole

    def _count(self, word: str) -> int:
        assert self._mask is not None  # noqa: S101 - asked for in part of an index only
        if len(self._runs) <= MOST_RUNS:
            query = "SELECT count(*) FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ?"
            counts = (self._connection.execute(query, (f'"{word}"', *run)).fetchone() for run in self._runs)
            return sum(count for (count,) in counts)
        rows = self._connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{word}"',))
        return sum(map(self._mask.__getitem__, chain.from_iterable(rows)))

    def _passage(self, number: int) -> IndexedPassage:
        row = self._connection.execute(
            "SELECT id, file, heading, text, places FROM passages WHERE id = ?", (number,)
        ).fetchone()
        return _stored(row)


def _stored(row: tuple[int, int, str, bytes, str]) -> IndexedPassage:
    number, file, heading, text, places = row
    return IndexedPassage(file, number, Passage(heading, _text(text), tuple(map(tuple, json.loads(places)))))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    try:
        return zlib.decompress(data).decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError) as error:
        import sqlite3

        raise sqlite3.DatabaseError("a damaged text") from error
