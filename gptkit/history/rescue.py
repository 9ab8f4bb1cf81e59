"""Sorts the rows of a damaged store by the types of their values, and makes a new store of them."""

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

_TYPES: dict[str, type | UnionType] = {"INTEGER": int, "REAL": int | float, "TEXT": str}
_TABLES = ("turns", "texts", "charges", "summaries", "sessions", "tallies")
_INSERT_SESSION = """
    INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,
    prompt = excluded.prompt, created = excluded.created, updated = excluded.updated, head = excluded.head
    WHERE excluded.updated > updated
"""
_COUNT_SQL = "SELECT count(*), max(id) FROM (SELECT id FROM turns UNION SELECT turn FROM texts)"
_REPAIR_STATEMENTS = (
    "DELETE FROM turns WHERE id NOT IN (SELECT turn FROM texts)",
    "DELETE FROM texts WHERE turn NOT IN (SELECT id FROM turns)",
    # a turn without its parent becomes a first turn
    """UPDATE turns SET depth = 0,
        parent = CASE WHEN parent < id AND parent IN (SELECT id FROM turns) THEN parent END""",
    # a lost row of a session is made from its turns
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
    """Fills a new store with rows, in one transaction.

    Of two rows with one id the first is kept, of two rows of a session the latest.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")  # a child may come before its parent
        self._connection = connection
        self._table_types = {table: _column_types(connection, table) for table in _TABLES}
        self.width = max(map(len, self._table_types.values()))
        self._tallies = {"turns": 0, "removed": 0}

    def add_row(self, number: Value, *values: Value) -> None:
        """Insert a row into the table whose types it has; values beyond its columns must be None."""
        for table, types in self._table_types.items():
            rest = values[len(types) :]
            if all(map(isinstance, values, types)) and not any(value is not None for value in rest):
                self._insert_row(table, number, list(values[: len(types)]))
                return

    def finish(self) -> tuple[int, int]:
        """Make the rows consistent; returns how many turns are saved, and how many the store had.

        The store had all turns that ever got an id, except those that were removed on purpose.
        """
        numbered, newest = self._connection.execute(_COUNT_SQL).fetchone()
        total = max(numbered, (self._tallies["turns"] or newest or 0) - self._tallies["removed"])
        for statement in _REPAIR_STATEMENTS:
            self._connection.execute(statement)
        update_depths(self._connection)
        turns = self._connection.execute(
            "SELECT place, user, answer FROM turns JOIN texts ON turn = turns.id"
        )
        for place, user, answer in turns:
            words = (place, *index_terms(user, answer))
            self._connection.execute("INSERT INTO words (rowid, body, signs) VALUES (?, ?, ?)", words)
        return self._connection.execute("SELECT count(*) FROM turns").fetchone()[0], total

    def _insert_row(self, table: str, number: Value, values: list[Value]) -> None:
        if table == "tallies":
            name, count = str(values[0]), values[1]
            if isinstance(count, int) and name in self._tallies:
                self._tallies[name] = max(self._tallies[name], count)
        elif table == "sessions":
            if SESSION_ID.fullmatch(str(values[0])):
                values[1] = self._free_name(str(values[1]), str(values[0]))
                self._connection.execute(_INSERT_SESSION, values)
        elif _is_sound(table, values):
            values[0] = number
            if table == "texts":
                values[4:] = map(_json_object, values[4:])
            placeholders = ", ".join("?" * len(values))
            self._connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({placeholders})", values)  # noqa: S608

    def _free_name(self, name: str, session: str) -> str:
        """Drop a name that is damaged or that another session has; the session keeps its id."""
        try:
            name = session_name(name) if name else ""
        except UsageError:
            return ""
        other = query.session_by_name(self._connection, name) if name else None
        return "" if other and other.id != session else name


def _column_types(connection: sqlite3.Connection, table: str) -> tuple[type | UnionType, ...]:
    """Return the types of the columns of a table; None for the rowid, which is not stored with the values."""
    columns = connection.execute(f"PRAGMA table_info ({table})").fetchall()
    return tuple(
        type(None) if key and kind == "INTEGER" else _TYPES[kind] if required else _TYPES[kind] | None
        for _, _, kind, required, _, key in columns
    )


def _is_sound(table: str, values: list[Value]) -> bool:
    uid = str(values[1])
    if table == "turns":
        _, _, _, session, _, _, state, *_ = values
        return bool(OPENING_ID.fullmatch(uid) and SESSION_ID.fullmatch(str(session)) and state in STATES)
    return table != "summaries" or OPENING_ID.fullmatch(uid) is not None


def _json_object(text: Value) -> Value:
    try:
        return text if isinstance(json.loads(str(text)), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"
