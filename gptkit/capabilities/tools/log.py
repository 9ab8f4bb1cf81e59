"""The audit log: a row for each action, on the disk before the action is done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.tools.model import Result, ToolAction
from gptkit.core.hashing import sha256
from gptkit.core.redact import Redactor
from gptkit.core.sqlite import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

APPLICATION_ID = 0x67707461
"""SQLite's application id, `gpta`."""


def _create_table(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE actions (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL,
            round INTEGER NOT NULL,
            tool TEXT NOT NULL,
            risk TEXT NOT NULL,
            does TEXT NOT NULL,
            arguments TEXT NOT NULL,
            approved TEXT NOT NULL,
            plan TEXT NOT NULL,
            step INTEGER NOT NULL,
            began REAL NOT NULL,
            ended REAL,
            outcome TEXT NOT NULL,
            status INTEGER,
            bytes INTEGER NOT NULL,
            sha256 TEXT NOT NULL)"""
    )
    connection.execute("CREATE INDEX actions_by_plan ON actions (plan, step)")
    connection.execute("CREATE INDEX actions_by_began ON actions (began)")


class LoggedAction(NamedTuple):
    """A row of the log. An action without an end has the outcome `unknown`."""

    id: int
    run: str
    round: int
    tool: str
    risk: str
    does: str
    arguments: str
    approved: str
    plan: str
    step: int
    began: float
    ended: float | None
    outcome: str
    status: int | None
    bytes: int
    sha256: str


class Place(NamedTuple):
    """Where an action stands: its run and round, or its plan (by hash) and step."""

    run: str
    round: int = 0
    plan: str = ""
    step: int = 0


class ActionLog(Database):
    """The database of actions. Without `keeps_texts` a row says neither what was done nor with which
    arguments."""

    def __init__(
        self, path: Path, now: Callable[[], float], redactor: Redactor, keeps_texts: bool = True
    ) -> None:
        hint = f"move '{path}' away; a new one is made"
        super().__init__(path, (_create_table,), APPLICATION_ID, hint)
        self._now = now
        self._redactor = redactor
        self._keeps_texts = keeps_texts

    def after_open(self) -> None:
        """Wait for the disk at each commit: an action may not happen without its row."""
        with self.reading() as connection:
            connection.execute("PRAGMA synchronous = FULL")

    def begin(self, action: ToolAction, approved: str, place: Place) -> int:
        """Write the row of an action that is about to be done, and return its id. Raises CannotWriteError."""
        does = arguments = ""
        if self._keeps_texts:
            does = self._redactor.redact(action.does)
            arguments = self._redactor.redact(json.dumps(action.arguments, ensure_ascii=False))
        row = {
            **place._asdict(),
            "tool": action.tool.name,
            "risk": action.tool.risk,
            "does": does,
            "arguments": arguments,
            "approved": approved,
            "began": self._now(),
            "outcome": "unknown",
            "bytes": 0,
            "sha256": "",
        }
        marks = ", ".join("?" * len(row))
        with self.writing() as connection:
            cursor = connection.execute(
                f"INSERT INTO actions ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                [_text(value) for value in row.values()],
            )
        return int(cursor.lastrowid or 0)

    def end(self, row: int, result: Result) -> None:
        """Complete the row of an action with what came of it."""
        digest = sha256(result.output).hexdigest() if result.output else ""
        with self.writing() as connection:
            connection.execute(
                "UPDATE actions SET ended = ?, outcome = ?, status = ?, bytes = ?, sha256 = ? WHERE id = ?",
                (self._now(), result.ending, result.status, result.size or len(result.output), digest, row),
            )

    def plan_steps(self, plan: str) -> dict[int, LoggedAction]:
        """The latest row of each step of a plan that was begun."""
        rows = self._rows("WHERE plan = ? ORDER BY id", (plan,))
        return {row.step: row for row in rows}

    def actions(self, since: float, limit: int) -> list[LoggedAction]:
        """The newest actions since a time, the newest first."""
        return self._rows("WHERE began >= ? ORDER BY id DESC LIMIT ?", (since, limit))

    def _rows(self, condition: str, values: Sequence[object]) -> list[LoggedAction]:
        if self.path is not None and not self.path.exists():
            return []
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(LoggedAction._fields)} FROM actions {condition}",  # noqa: S608
                values,
            ).fetchall()
        return [LoggedAction(*row) for row in rows]


def _text(value: object) -> object:
    """A value that SQLite takes: half characters become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
