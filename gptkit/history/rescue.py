"""Sorts rows out of a damaged store by what they must be, and makes a new store of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gptkit.core.errors import UsageError
from gptkit.history import query
from gptkit.history.model import OPENING_ID, SESSION_ID, STATES
from gptkit.history.names import session_name
from gptkit.history.remove import update_depths
from gptkit.history.tokenize import index_terms

if TYPE_CHECKING:
    import sqlite3
    from types import UnionType

    from gptkit.history.pages import Value

_KINDS: dict[str, type | UnionType] = {"INTEGER": int, "REAL": int | float, "TEXT": str}
_TABLES = ("turns", "texts", "charges", "summaries", "sessions", "tallies")
_LATEST = """
    INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,
    prompt = excluded.prompt, created = excluded.created, updated = excluded.updated, head = excluded.head
    WHERE excluded.updated > updated
"""
_NUMBERS = "SELECT count(*), max(id) FROM (SELECT id FROM turns UNION SELECT turn FROM texts)"
_MENDED = (
    "DELETE FROM turns WHERE id NOT IN (SELECT turn FROM texts)",
    "DELETE FROM texts WHERE turn NOT IN (SELECT id FROM turns)",
    # Without its parent a turn is a first one.
    """UPDATE turns SET depth = 0,
        parent = CASE WHEN parent < id AND parent IN (SELECT id FROM turns) THEN parent END""",
    # Where the row of a session is lost, it is as much of it as its turns say.
    """INSERT INTO sessions SELECT session, '', prompt, min(started), max(started), max(id) FROM turns
        WHERE session NOT IN (SELECT id FROM sessions) GROUP BY session""",
    """UPDATE sessions SET head = (SELECT max(id) FROM turns WHERE session = sessions.id)
        WHERE head NOT IN (SELECT id FROM turns)""",
    "UPDATE charges SET turn = NULL WHERE turn NOT IN (SELECT id FROM turns)",
    "DELETE FROM summaries WHERE upto NOT IN (SELECT id FROM turns)",
    "UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(id), 0) FROM turns) WHERE name = 'turns'",
    "UPDATE tallies SET count = (SELECT coalesce(max(id), 0) - count(*) FROM turns) WHERE name = 'removed'",
)


class RowRescuer:
    """Fills a new store, in one transaction.

    Of two versions of a row the first counts, of a session the latest.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")  # a child may come before its parent
        self._connection = connection
        self._shapes = {table: _shape(connection, table) for table in _TABLES}
        self.width = max(map(len, self._shapes.values()))
        self._tallies = {"turns": 0, "removed": 0}

    def add_row(self, number: Value, *values: Value) -> None:
        """Keep a row that fits one of the tables; what it has less than the widest is None."""
        for table, shape in self._shapes.items():
            rest = values[len(shape) :]
            if all(map(isinstance, values, shape)) and not any(value is not None for value in rest):
                self._keep(table, number, list(values[: len(shape)]))
                return

    def finish(self) -> tuple[int, int]:
        """Make what was kept consistent; returns how many turns are saved, and how many there were.

        There were all that were ever numbered, but for those removed on purpose.
        """
        found, newest = self._connection.execute(_NUMBERS).fetchone()
        known = max(found, (self._tallies["turns"] or newest or 0) - self._tallies["removed"])
        for statement in _MENDED:
            self._connection.execute(statement)
        update_depths(self._connection)
        turns = self._connection.execute(
            "SELECT place, user, answer FROM turns JOIN texts ON turn = turns.id"
        )
        for place, user, answer in turns:
            words = (place, *index_terms(user, answer))
            self._connection.execute("INSERT INTO words (rowid, body, signs) VALUES (?, ?, ?)", words)
        return self._connection.execute("SELECT count(*) FROM turns").fetchone()[0], known

    def _keep(self, table: str, number: Value, values: list[Value]) -> None:
        if table == "tallies":
            name, count = str(values[0]), values[1]
            if isinstance(count, int) and name in self._tallies:
                self._tallies[name] = max(self._tallies[name], count)
        elif table == "sessions":
            if SESSION_ID.fullmatch(str(values[0])):
                values[1] = self._free_name(str(values[1]), str(values[0]))
                self._connection.execute(_LATEST, values)
        elif _is_sound(table, values):
            values[0] = number
            if table == "texts":
                values[4:] = map(_as_object, values[4:])
            marks = ", ".join("?" * len(values))
            self._connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values)  # noqa: S608

    def _free_name(self, name: str, session: str) -> str:
        """A name that damage made impossible, or gave away twice, is dropped: the id remains."""
        try:
            name = session_name(name) if name else ""
        except UsageError:
            return ""
        other = query.session_named(self._connection, name) if name else None
        return "" if other and other.id != session else name


def _shape(connection: sqlite3.Connection, table: str) -> tuple[type | UnionType, ...]:
    """What the columns of a table hold; of the number of a row, which is not stored with it, nothing."""
    columns = connection.execute(f"PRAGMA table_info ({table})").fetchall()
    return tuple(
        type(None) if key and kind == "INTEGER" else _KINDS[kind] if required else _KINDS[kind] | None
        for _, _, kind, required, _, key in columns
    )


def _is_sound(table: str, values: list[Value]) -> bool:
    uid = str(values[1])
    if table == "turns":
        _, _, _, session, _, _, state, *_ = values
        return bool(OPENING_ID.fullmatch(uid) and SESSION_ID.fullmatch(str(session)) and state in STATES)
    return table != "summaries" or OPENING_ID.fullmatch(uid) is not None


def _as_object(text: Value) -> Value:
    try:
        return text if isinstance(json.loads(str(text)), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"
