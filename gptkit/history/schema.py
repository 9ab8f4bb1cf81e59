"""The tables of the store, and the steps that lead from one version of them to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gptkit.core.sqlite import Migration

APPLICATION_ID = 0x67707468
"""`gpth` at byte 68 of the file."""
HINT = "'gptkit history recover' saves what is intact"


def _first(connection: sqlite3.Connection) -> None:
    for statement in _FIRST:
        connection.execute(statement)


_FIRST = (
    """CREATE TABLE sessions (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        prompt TEXT NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        head INTEGER REFERENCES turns (id) DEFERRABLE INITIALLY DEFERRED)""",
    "CREATE UNIQUE INDEX sessions_by_name ON sessions (name) WHERE name <> ''",
    "CREATE INDEX sessions_by_updated ON sessions (updated)",
    "CREATE INDEX sessions_by_head ON sessions (head)",
    # What is needed of every turn of a long session; its texts lie in a table of their own, so that
    # to walk over 10,000 turns reads some hundred pages.
    """CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL UNIQUE,
        parent INTEGER REFERENCES turns (id),
        session TEXT NOT NULL REFERENCES sessions (id) DEFERRABLE INITIALLY DEFERRED,
        depth INTEGER NOT NULL,
        place INTEGER NOT NULL UNIQUE,
        state TEXT NOT NULL,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        reason TEXT,
        cause TEXT NOT NULL,
        code INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        first REAL,
        started REAL NOT NULL,
        seconds REAL NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        estimated INTEGER NOT NULL,
        cost REAL)""",
    "CREATE INDEX turns_by_parent ON turns (parent)",
    "CREATE INDEX turns_by_session ON turns (session)",
    """CREATE TABLE texts (
        turn INTEGER PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
        system TEXT NOT NULL,
        user TEXT NOT NULL,
        answer TEXT NOT NULL,
        request TEXT NOT NULL,
        notes TEXT NOT NULL)""",
    # The ledger outlives the turns that it was written for: what was spent stays spent.
    """CREATE TABLE charges (
        id INTEGER PRIMARY KEY,
        origin TEXT NOT NULL,
        number INTEGER NOT NULL,
        turn INTEGER REFERENCES turns (id) ON DELETE SET NULL,
        session TEXT NOT NULL,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        purpose TEXT NOT NULL,
        host TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        estimated INTEGER NOT NULL,
        cost REAL,
        started REAL NOT NULL,
        seconds REAL NOT NULL,
        UNIQUE (origin, number))""",
    "CREATE INDEX charges_by_turn ON charges (turn)",
    "CREATE INDEX charges_by_started ON charges (started)",
    """CREATE TABLE summaries (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL UNIQUE,
        upto INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        model TEXT NOT NULL,
        created REAL NOT NULL)""",
    "CREATE INDEX summaries_by_upto ON summaries (upto)",
    # How many turns were removed on purpose: so a recovery knows how many are missing.
    "CREATE TABLE tallies (name TEXT NOT NULL UNIQUE, count INTEGER NOT NULL)",
    "INSERT INTO tallies VALUES ('removed', 0)",
    # Without the content: the texts stand in their table. The rowid is the turn's `place`, which is its
    # time, so that the latest are found first. `signs` holds the characters of a turn that are looked
    # for one by one.
    "CREATE VIRTUAL TABLE words USING fts5 (body, signs, content = '', tokenize = 'porter unicode61')",
)
MIGRATIONS: Sequence[Migration] = (_first,)
