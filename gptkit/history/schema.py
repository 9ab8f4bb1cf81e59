"""The tables of the history and their migrations, and the functions that insert turns and charges."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from gptkit.core.chat import Charge
from gptkit.history.model import Ending, Opening, new_session_id, replace_surrogates
from gptkit.history.tokenize import index_terms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gptkit.core.sqlite import Migration


APPLICATION_ID = 0x67707468
"""SQLite's application id, `gpth`, at byte 68 of the file."""
HINT = "'gptkit history recover' saves what is intact"


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


_TABLES = (
    """CREATE TABLE sessions (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        prompt TEXT NOT NULL,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        head INTEGER REFERENCES turns (id) DEFERRABLE INITIALLY DEFERRED)""",
    "CREATE UNIQUE INDEX sessions_by_name ON sessions (name) WHERE name <> ''",
    "CREATE INDEX sessions_by_head ON sessions (head)",
    # what is needed of every turn of a long session; the texts are in another table, so that to walk over
    # 10,000 turns reads some hundred pages
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
    # charges stay when their turns are removed
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
    # the number of turns that were removed on purpose tells a recovery how many are missing
    "CREATE TABLE tallies (name TEXT NOT NULL UNIQUE, count INTEGER NOT NULL)",
    "INSERT INTO tallies VALUES ('removed', 0)",
    # without the content, which is in `texts`; the rowid is the turn's `place`, its time, so that the latest
    # are found first; `signs` holds the characters that are searched for one by one
    "CREATE VIRTUAL TABLE words USING fts5 (body, signs, content = '', tokenize = 'porter unicode61')",
)
MIGRATIONS: Sequence[Migration] = (_create_tables,)


COLUMNS = (
    *("uid", "parent", "session", "depth", "place", "state", "prompt", "model", "reason", "cause", "code"),
    *("request_id", "attempts", "first", "started", "seconds"),
    *("prompt_tokens", "completion_tokens", "estimated", "cost"),
)
TEXTS = ("system", "user", "answer", "request", "notes")
_LONG_TEXT = 8 << 20
"""Characters above which the copies of a text in SQLite need much memory."""
_INSERT_TURN = f"INSERT INTO turns ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_INSERT_TEXTS = f"INSERT INTO texts (turn, {', '.join(TEXTS)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608


def store_turn(connection: sqlite3.Connection, opening: Opening, ending: Ending, moves_on: bool) -> int:
    """Store an exchange as a turn with its charges; returns the id of the turn, also of a known turn.

    The turn becomes the head of its session; without `moves_on` only if the head was its parent.
    """
    row = connection.execute("SELECT id FROM turns WHERE uid = ?", (opening.id,)).fetchone()
    if row:
        return int(row[0])
    parent = _existing_id(connection, opening.parent)
    session = _ensure_session(connection, opening)
    turn = insert_turn(
        connection,
        {
            **_turn_columns(opening, ending),
            "parent": parent,
            "session": session,
            **sum_charges(ending.charges),
        },
    )
    insert_charges(connection, opening.id, turn, (session, opening.prompt), ending.charges)
    connection.execute(
        "UPDATE sessions SET head = ?, updated = ? WHERE id = ? AND (? OR head IS ?)",
        (turn, opening.started + ending.seconds, session, moves_on, parent),
    )
    return turn


def insert_turn(connection: sqlite3.Connection, record: Mapping[str, object]) -> int:
    """Insert a turn by its columns, without `depth` and `place`; a parent must be in the table."""
    values = {
        key: replace_surrogates(value) if isinstance(value, str) else value for key, value in record.items()
    }
    if len(str(values["answer"])) > _LONG_TEXT:
        _trim_memory()
    values["depth"] = _next_depth(connection, record["parent"])
    values["place"] = place = _free_place(connection, float(str(record["started"])))
    turn = connection.execute(_INSERT_TURN, [values[name] for name in COLUMNS]).lastrowid or 0
    connection.execute(_INSERT_TEXTS, (turn, *(values[name] for name in TEXTS)))
    words = index_terms(str(values["user"]), str(values["answer"]))
    connection.execute("INSERT INTO words (rowid, body, signs) VALUES (?, ?, ?)", (place, *words))
    return turn


def insert_charges(
    connection: sqlite3.Connection,
    origin: str,
    turn: int | None,
    owner: tuple[str, str],
    charges: Iterable[Charge],
) -> None:
    """Insert charges. `owner` is a session's id and a prompt's name, `origin` the uid of turn or summary."""
    session, prompt = owner
    rows = (
        (origin, number, turn, session, prompt, *charge._replace(model=replace_surrogates(charge.model)))
        for number, charge in enumerate(charges)
    )
    connection.executemany(
        "INSERT INTO charges (origin, number, turn, session, prompt, model, purpose, host,"
        " prompt_tokens, completion_tokens, estimated, cost, started, seconds)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        rows,
    )


def json_text(value: object) -> str:
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, ensure_ascii=False, default=str)


def unused_session_id(connection: sqlite3.Connection) -> str:
    while True:
        session_id = new_session_id()
        if not connection.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone():
            return session_id


def _turn_columns(opening: Opening, ending: Ending) -> dict[str, object]:
    """Return the columns of a turn that come from opening and ending; most have the same names."""
    fields = {**opening._asdict(), **ending._asdict()}
    return {
        **{name: fields[name] for name in (*COLUMNS, *TEXTS) if name in fields},
        "uid": opening.id,
        "model": ending.model or opening.model,
        "request": json_text(opening.request),
        "notes": json_text(ending.notes),
    }


def _ensure_session(connection: sqlite3.Connection, opening: Opening) -> str:
    """Return the session of a turn; a session that was removed meanwhile is created again."""
    session = opening.session or unused_session_id(connection)
    connection.execute(
        "INSERT INTO sessions VALUES (?, '', ?, ?, ?, NULL) ON CONFLICT (id) DO NOTHING",
        (replace_surrogates(session), replace_surrogates(opening.prompt), opening.started, opening.started),
    )
    return session


def _existing_id(connection: sqlite3.Connection, turn: int | None) -> int | None:
    row = connection.execute("SELECT id FROM turns WHERE id = ?", (turn,)).fetchone()
    return int(row[0]) if row else None


def _next_depth(connection: sqlite3.Connection, parent: object) -> int:
    row = connection.execute("SELECT depth FROM turns WHERE id = ?", (parent,)).fetchone()
    return int(row[0]) + 1 if row else 1


def _free_place(connection: sqlite3.Connection, started: float) -> int:
    """Return a unique number: microseconds since 1970, or if taken, one more than the last of that second."""
    place = round(started * 1e6)
    while connection.execute("SELECT 1 FROM turns WHERE place = ?", (place,)).fetchone():
        last = connection.execute(
            "SELECT max(place) FROM turns WHERE place >= ? AND place < ?", (place, place + 1_000_000)
        ).fetchone()
        place = int(last[0]) + 1
    return place


def _trim_memory() -> None:
    """Give freed memory back to the system: glibc keeps up to 64 MiB of the pieces of a long answer."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):  # other C libraries have no such function
            ctypes.CDLL(None).malloc_trim(0)


def sum_charges(charges: Iterable[Charge]) -> dict[str, object]:
    charges = list(charges)
    costs = [charge.cost for charge in charges]
    return {
        "prompt_tokens": sum(charge.prompt_tokens for charge in charges),
        "completion_tokens": sum(charge.completion_tokens for charge in charges),
        "estimated": any(charge.estimated for charge in charges),
        "cost": None if None in costs else sum(cost for cost in costs if cost is not None),
    }
