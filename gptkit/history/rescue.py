"""Sorts rows out of a damaged store by what they must be, and writes them into a new one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gptkit.errors import UsageFault
from gptkit.history import reading, writing
from gptkit.history.model import OPENING_ID, SESSION_ID, STATES
from gptkit.history.names import session_name
from gptkit.history.pages import Row, Value
from gptkit.history.transfer import LEDGER

if TYPE_CHECKING:
    import sqlite3

_TURN = ("id", *writing.COLUMNS)
_CHARGE = ("id", *LEDGER)
_NUMBERS = ("code", "attempts", "started", "seconds", "prompt_tokens", "completion_tokens", "estimated")
_WORDS = ("prompt", "model", "cause", "request_id")
_INSERT_CHARGE = (
    f"INSERT OR IGNORE INTO charges ({', '.join(LEDGER)}) VALUES ({', '.join('?' * len(LEDGER))})"  # noqa: S608
)


class Rescue:
    """What could be read. Of two versions of a row the first counts, of a session the latest."""

    def __init__(self) -> None:
        self.turns: dict[int, dict[str, Value]] = {}
        self._texts: dict[int, tuple[Value, ...]] = {}
        self._sessions: dict[str, tuple[Value, ...]] = {}
        self._charges: dict[tuple[str, int], dict[str, Value]] = {}
        self._summaries: dict[str, tuple[Value, ...]] = {}
        self._mentioned: set[int] = set()
        self._newest = self._removed = 0

    @property
    def known(self) -> int:
        """How many turns there were: all that were ever numbered, but for those removed on purpose."""
        ids = {*self.turns, *self._texts, *self._mentioned}
        return max(len(ids), max(self._newest, max(ids, default=0)) - self._removed)

    def sort(self, row: Row) -> None:
        match row.values:
            case (None, str(), *_) if len(row.values) == len(_TURN):
                self._sort_turn(row)
            case (None, str(), str(), str(), str(), str()):
                self._texts.setdefault(row.rowid, row.values[1:])
            case (str(), str(), str(), int() | float(), int() | float(), int() | None):
                self._sort_session(row.values)
            case (None, str(uid), int(upto), str(), str(), int() | float()) if OPENING_ID.fullmatch(uid):
                self._summaries.setdefault(uid, row.values)
                self._mentioned.add(upto)
            case (None, str(origin), int(number), *_) if len(row.values) == len(_CHARGE):
                self._charges.setdefault((origin, number), dict(zip(_CHARGE, row.values, strict=True)))
            case ("turns", int(newest)):
                self._newest = max(self._newest, newest)
            case ("removed", int(removed)):
                self._removed = max(self._removed, removed)

    def write(self, connection: sqlite3.Connection) -> int:
        """Returns how many turns. Parents come before children; without its parent a turn is a first one."""
        numbers: dict[Value, int] = {}
        for rowid in sorted(self.turns):
            if rowid not in self._texts:
                continue
            record = {**self.turns[rowid], **dict(zip(writing.TEXTS, self._texts[rowid], strict=True))}
            record |= {name: _as_object(record[name]) for name in ("request", "notes")}
            self._open(connection, record)
            numbers[rowid] = writing.insert(connection, record | {"parent": numbers.get(record["parent"])})
        for values in self._sessions.values():
            self._open(connection, {"session": values[0]})
        self._write_heads(connection, numbers)
        for _, uid, upto, text, model, created in self._summaries.values():
            if upto in numbers:
                connection.execute(
                    "INSERT INTO summaries (uid, upto, text, model, created) VALUES (?, ?, ?, ?, ?)",
                    (uid, numbers[upto], text, model, created),
                )
        for one in self._charges.values():
            charge = one | {"turn": numbers.get(one["turn"])}
            connection.execute(_INSERT_CHARGE, [charge[name] for name in LEDGER])
        return len(numbers)

    def _sort_turn(self, row: Row) -> None:
        turn = dict(zip(_TURN, row.values, strict=True))
        uid, session, state = str(turn["uid"]), str(turn["session"]), turn["state"]
        if not (OPENING_ID.fullmatch(uid) and SESSION_ID.fullmatch(session) and state in STATES):
            return
        numbers = all(isinstance(turn[name], int | float) for name in _NUMBERS)
        if numbers and all(isinstance(turn[name], str) for name in _WORDS):
            self.turns.setdefault(row.rowid, turn)
            if isinstance(turn["parent"], int):
                self._mentioned.add(turn["parent"])

    def _sort_session(self, values: tuple[Value, ...]) -> None:
        session, known = str(values[0]), self._sessions.get(str(values[0]))
        if SESSION_ID.fullmatch(session) and (known is None or float(str(known[4])) < float(str(values[4]))):
            self._sessions[session] = values
        if isinstance(values[5], int):
            self._mentioned.add(values[5])

    def _open(self, connection: sqlite3.Connection, record: dict[str, Value]) -> None:
        """The session of a turn; where its row is lost, as much of it as the turn says."""
        session = str(record["session"])
        if connection.execute("SELECT 1 FROM sessions WHERE id = ?", (session,)).fetchone():
            return
        started = record.get("started", 0.0)
        lost = (session, "", record.get("prompt", ""), started, started, None)
        _, name, prompt, created, updated, _ = self._sessions.get(session, lost)
        connection.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, NULL)",
            (session, _free_name(connection, str(name)), prompt, created, updated),
        )

    def _write_heads(self, connection: sqlite3.Connection, numbers: dict[Value, int]) -> None:
        """A lost head falls back to the newest turn that the session still has."""
        for (session,) in connection.execute("SELECT id FROM sessions").fetchall():
            values = self._sessions.get(session)
            if values is not None and values[5] is None:
                continue
            newest = "(SELECT max(id) FROM turns WHERE session = ?2)"
            connection.execute(
                f"UPDATE sessions SET head = coalesce(?1, {newest}) WHERE id = ?2",  # noqa: S608
                (numbers.get(values[5]) if values else None, session),
            )


def _as_object(text: Value) -> Value:
    try:
        return text if isinstance(json.loads(str(text)), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _free_name(connection: sqlite3.Connection, name: str) -> str:
    """A name that damage made impossible, or gave away twice, is dropped: the id remains."""
    try:
        name = session_name(name) if name else ""
    except UsageFault:
        return ""
    return "" if reading.session_named(connection, name) else name
