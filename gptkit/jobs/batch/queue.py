"""What is under way in batches: written before a request leaves, so that none is ever sent twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from gptkit.core.errors import TryAgainError
from gptkit.core.files import exclusive_lock
from gptkit.core.sqlite import Database

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gptkit.core.sqlite import Migration


APPLICATION_ID = 0x67707462
"""`gptb` at byte 68 of the file."""
HINT = "move the file away: what is under way is then asked for again"
_REMEMBERED = 90 * 86400
"""Seconds after which a defective piece has either been asked for by itself or is not wanted any more."""
_BLOCK = 200
"""Lines that are read at once: a line holds a whole request."""

State = Literal["planned", "complete", "uploaded", "submitted"]
Row = tuple[bytes, bytes, str, str]
"""One piece: its key in the memory, its request line, the piece itself (JSON), and how its answer is
proved."""


class Shard(NamedTuple):
    """One input file of a batch. `host` is where it goes, `about` (JSON) what its pieces have in common.

    `planned`: its lines are still being written; `complete`: they all are, and may be on their way;
    `uploaded`: the provider has them as `file`; `submitted`: it works on them as `batch`.
    """

    id: str
    host: str
    state: State
    created: float
    about: str
    file: str
    batch: str
    pieces: int


def _first(connection: sqlite3.Connection) -> None:
    for statement in _FIRST:
        connection.execute(statement)


_FIRST = (
    """CREATE TABLE shards (
        id TEXT NOT NULL PRIMARY KEY,
        host TEXT NOT NULL,
        state TEXT NOT NULL,
        created REAL NOT NULL,
        about TEXT NOT NULL,
        file TEXT NOT NULL,
        batch TEXT NOT NULL)""",
    # The line is needed until its batch is submitted.
    """CREATE TABLE pieces (
        key BLOB NOT NULL PRIMARY KEY,
        shard TEXT NOT NULL REFERENCES shards (id) ON DELETE CASCADE,
        line BLOB,
        piece TEXT NOT NULL)""",
    "CREATE INDEX pieces_by_shard ON pieces (shard)",
    """CREATE TABLE defective (
        key BLOB NOT NULL PRIMARY KEY,
        noted REAL NOT NULL)""",
)


def _second(connection: sqlite3.Connection) -> None:
    """Pieces of one shard may be in several formats; until then the shard said which."""
    connection.execute("ALTER TABLE pieces ADD COLUMN proof TEXT NOT NULL DEFAULT ''")
    for shard, about in connection.execute("SELECT id, about FROM shards").fetchall():
        found = json.loads(about)
        connection.execute(
            "UPDATE pieces SET proof = ? WHERE shard = ?", (str(found.pop("format", "")), shard)
        )
        connection.execute("UPDATE shards SET about = ? WHERE id = ?", (json.dumps(found), shard))


MIGRATIONS: Sequence[Migration] = (_first, _second)
_SHARDS = """
    SELECT id, host, state, created, about, file, batch,
        (SELECT count(*) FROM pieces WHERE shard = shards.id)
    FROM shards WHERE ?1 IS NULL OR host = ?1 ORDER BY shards.rowid
"""


class Pending:
    """One database file. Every failure is a GptkitError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._access = Database(path, MIGRATIONS, APPLICATION_ID, HINT)
        self.close = self._access.close

    def exists(self) -> bool:
        """Asking does not make one."""
        return self.path.exists()

    def alone(self) -> AbstractContextManager[None]:
        """Nobody else submits or fetches meanwhile. Raises TryAgainError where somebody already does."""
        return exclusive_lock(self.path.with_name(self.path.name + ".lock"), _give_up)

    def begin(self, host: str, about: str, now: float) -> str:
        """A new shard, without pieces yet; returns its id."""
        identity = os.urandom(12).hex()
        with self._access.writing() as connection:
            connection.execute(
                "INSERT INTO shards VALUES (?, ?, 'planned', ?, ?, '', '')", (identity, host, now, about)
            )
        return identity

    def add(self, shard: str, rows: Iterable[Row]) -> None:
        """A piece that is in a shard already stays there."""
        with self._access.writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO pieces (key, shard, line, piece, proof) VALUES (?, ?, ?, ?, ?)",
                [(key, shard, line, piece, proof) for key, line, piece, proof in rows],
            )

    def note(self, shard: str, state: State, *, file: str = "", batch: str = "") -> None:
        """How far a shard has come; what was known of it before stays known."""
        with self._access.writing() as connection:
            connection.execute(
                "UPDATE shards SET state = ?, file = coalesce(nullif(?, ''), file),"
                " batch = coalesce(nullif(?, ''), batch) WHERE id = ?",
                (state, file, batch, shard),
            )
            if state == "submitted":
                connection.execute("UPDATE pieces SET line = NULL WHERE shard = ?", (shard,))

    def drop(self, shard: str) -> None:
        """Forget a shard: its pieces are missing again."""
        with self._access.writing() as connection:
            connection.execute("DELETE FROM shards WHERE id = ?", (shard,))

    def settle(self, keys: Iterable[bytes], defective: Iterable[bytes], now: float) -> None:
        """What came is no longer awaited; the defective ones are not to be submitted again."""
        with self._access.writing() as connection:
            connection.executemany("DELETE FROM pieces WHERE key = ?", [(key,) for key in keys])
            connection.executemany(
                "INSERT OR REPLACE INTO defective VALUES (?, ?)", [(key, now) for key in defective]
            )
            connection.execute("DELETE FROM defective WHERE noted < ?", (now - _REMEMBERED,))

    def shards(self, host: str | None = None) -> list[Shard]:
        """Of one host or of all, oldest first."""
        if not self.exists():
            return []
        with self._access.reading() as connection:
            return [Shard(*row) for row in connection.execute(_SHARDS, (host,))]

    def lines(self, shard: str) -> Iterator[bytes]:
        """The request lines in the order in which they were added, some at a time."""
        last = 0
        while True:
            with self._access.reading() as connection:
                rows = connection.execute(
                    "SELECT rowid, line FROM pieces WHERE shard = ? AND rowid > ? AND line IS NOT NULL"
                    " ORDER BY rowid LIMIT ?",
                    (shard, last, _BLOCK),
                ).fetchall()
            if not rows:
                return
            for last, line in rows:  # noqa: B007 - the last one is where the next block begins
                yield bytes(line)

    def piece(self, shard: str, key: bytes) -> tuple[str, str] | None:
        """The piece that a shard awaits an answer to, and how that is proved."""
        with self._access.reading() as connection:
            row = connection.execute(
                "SELECT piece, proof FROM pieces WHERE key = ? AND shard = ?", (key, shard)
            ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def shard_of(self, key: bytes) -> str:
        """The id of the shard that a piece is in; empty if it is in none."""
        with self._access.reading() as connection:
            row = connection.execute("SELECT shard FROM pieces WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def standing(self, key: bytes) -> Literal["under way", "defective", ""]:
        """What is known of a piece."""
        with self._access.reading() as connection:
            if connection.execute("SELECT 1 FROM pieces WHERE key = ?", (key,)).fetchone():
                return "under way"
            found = connection.execute("SELECT 1 FROM defective WHERE key = ?", (key,)).fetchone()
        return "defective" if found else ""


def _give_up() -> None:
    raise TryAgainError("another gptkit is submitting or fetching batches")
