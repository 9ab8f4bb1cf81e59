"""The tables of the memory, and the steps that lead from one version of them to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gptkit.core.sqlite import Migration

APPLICATION_ID = 0x6770746D
"""`gptm` at byte 68 of the file."""
HINT = "move the file away: a new one is made"


def _first(connection: sqlite3.Connection) -> None:
    for statement in _FIRST:
        connection.execute(statement)


_FIRST = (
    # What the answers of one job have in common; `options` may hold whole files.
    """CREATE TABLE origins (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        language TEXT NOT NULL,
        options TEXT NOT NULL)""",
    # The texts lie in a table of their own, so that to note a use does not write them again.
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key BLOB NOT NULL UNIQUE,
        origin INTEGER NOT NULL REFERENCES origins (id),
        in_halves INTEGER NOT NULL,
        is_foreign INTEGER NOT NULL,
        size INTEGER NOT NULL,
        created REAL NOT NULL,
        used REAL NOT NULL,
        hits INTEGER NOT NULL)""",
    "CREATE INDEX entries_by_origin ON entries (origin)",
    """CREATE TABLE texts (
        entry INTEGER PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        answer TEXT NOT NULL,
        findings TEXT NOT NULL)""",
)
MIGRATIONS: Sequence[Migration] = (_first,)
