"""The queue of requests in batches, written before a request is sent, so that none is sent twice."""

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
_DEFECTIVE_SECONDS = 90 * 86400
"""Seconds after which a defective piece was asked for without a batch, or is not needed any more."""
_BLOCK = 200
"""Request lines that are read at once; each holds a whole request."""

State = Literal["planned", "complete", "uploaded", "submitted"]
QueueRow = tuple[bytes, bytes, str, str]
"""One piece: its key in the memory, its request line, the piece itself (JSON), and the format that its answer
must keep."""


class Shard(NamedTuple):
    """One input file of a batch. `host` is the endpoint, `about` (JSON) what its pieces have in common.

    States: `planned`, lines are still being written; `complete`, all lines are written and may be on their
    way to the provider; `uploaded`, the provider has them as `file`; `submitted`, it works on them as
    `batch`.
    """

    id: str
    host: str
    state: State
    created: float
    about: str
    file: str
    batch: str
    pieces: int


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


_TABLES = (
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


def _add_formats(connection: sqlite3.Connection) -> None:
    """Store the format with each piece; before, all pieces of a shard had the one that `about` named."""
    connection.execute("ALTER TABLE pieces ADD COLUMN proof TEXT NOT NULL DEFAULT ''")
    for shard, about in connection.execute("SELECT id, about FROM shards").fetchall():
        data = json.loads(about)
        connection.execute(
            "UPDATE pieces SET proof = ? WHERE shard = ?", (str(data.pop("format", "")), shard)
        )
        connection.execute("UPDATE shards SET about = ? WHERE id = ?", (json.dumps(data), shard))


MIGRATIONS: Sequence[Migration] = (_create_tables, _add_formats)
_SELECT_SHARDS = """
    SELECT id, host, state, created, about, file, batch,
        (SELECT count(*) FROM pieces WHERE shard = shards.id)
    FROM shards WHERE ?1 IS NULL OR host = ?1 ORDER BY shards.rowid
"""


class BatchQueue:
    """The database file of shards and their pieces. Every failure is a GptkitError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, MIGRATIONS, APPLICATION_ID, HINT)
        self.close = self._database.close

    def exists(self) -> bool:
        """Whether there is a file; none is made."""
        return self.path.exists()

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from submitting and fetching; raises TryAgainError if one is doing so."""
        return exclusive_lock(self.path.with_name(self.path.name + ".lock"), _raise_in_use)

    def add_shard(self, host: str, about: str, now: float) -> str:
        """Add a planned shard without pieces; returns its id."""
        identity = os.urandom(12).hex()
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO shards VALUES (?, ?, 'planned', ?, ?, '', '')", (identity, host, now, about)
            )
        return identity

    def add_pieces(self, shard: str, rows: Iterable[QueueRow]) -> None:
        """Add pieces to a shard; one that is in any shard already stays there."""
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO pieces (key, shard, line, piece, proof) VALUES (?, ?, ?, ?, ?)",
                [(key, shard, line, piece, proof) for key, line, piece, proof in rows],
            )

    def set_state(self, shard: str, state: State, *, file: str = "", batch: str = "") -> None:
        """Set the state of a shard, and its file or batch unless empty."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE shards SET state = ?, file = coalesce(nullif(?, ''), file),"
                " batch = coalesce(nullif(?, ''), batch) WHERE id = ?",
                (state, file, batch, shard),
            )
            if state == "submitted":
                connection.execute("UPDATE pieces SET line = NULL WHERE shard = ?", (shard,))

    def remove_shard(self, shard: str) -> None:
        """Remove a shard with its pieces, which then count as missing."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM shards WHERE id = ?", (shard,))

    def remove_pieces(self, keys: Iterable[bytes], defective: Iterable[bytes], now: float) -> None:
        """Remove pieces that were answered.

        Those that are `defective` are remembered, not to be submitted again.
        """
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM pieces WHERE key = ?", [(key,) for key in keys])
            connection.executemany(
                "INSERT OR REPLACE INTO defective VALUES (?, ?)", [(key, now) for key in defective]
            )
            connection.execute("DELETE FROM defective WHERE noted < ?", (now - _DEFECTIVE_SECONDS,))

    def shards(self, host: str | None = None) -> list[Shard]:
        """Return the shards of one host, or of all, oldest first."""
        if not self.exists():
            return []
        with self._database.reading() as connection:
            return [Shard(*row) for row in connection.execute(_SELECT_SHARDS, (host,))]

    def request_lines(self, shard: str) -> Iterator[bytes]:
        """Yield the request lines of a shard in the order in which they were added, read in blocks."""
        last = 0
        while True:
            with self._database.reading() as connection:
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
        """Return a piece of a shard (JSON) and the name of its format; None if it is not in the shard."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT piece, proof FROM pieces WHERE key = ? AND shard = ?", (key, shard)
            ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def shard_of(self, key: bytes) -> str:
        """Return the id of the shard that a piece is in; empty if it is in none."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT shard FROM pieces WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def piece_state(self, key: bytes) -> Literal["under way", "defective", ""]:
        """Return whether a piece is in a shard or came back defective; empty if neither."""
        with self._database.reading() as connection:
            if connection.execute("SELECT 1 FROM pieces WHERE key = ?", (key,)).fetchone():
                return "under way"
            defective = connection.execute("SELECT 1 FROM defective WHERE key = ?", (key,)).fetchone()
        return "defective" if defective else ""


def _raise_in_use() -> None:
    raise TryAgainError("another gptkit is submitting or fetching batches")
