"""Takes the store out as JSON Lines that lose nothing, or as Markdown to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING

from gptkit.core.chat import Charge
from gptkit.history import reading
from gptkit.history.model import Session, Turn
from gptkit.history.writing import COLUMNS

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.store import Store

HEADER = {"gptkit": "history", "version": 1}
TURN = tuple(name for name in COLUMNS if name not in ("depth", "place"))
"""Columns of a turn that are taken out; what is left out follows from the rest."""
SESSION = ("id", "name", "prompt", "created", "updated", "head")
SUMMARY = ("uid", "upto", "text", "model", "created")
LEDGER = ("origin", "number", "turn", "session", "prompt", *Charge._fields)
_BLOCK = 200
_TURNS = (
    f"SELECT {', '.join(f'turns.{name}' for name in TURN)}, older.uid, system, user, answer, request, notes"  # noqa: S608
    " FROM chosen JOIN turns ON turns.id = chosen.id JOIN texts ON texts.turn = turns.id"
    " LEFT JOIN turns AS older ON older.id = turns.parent ORDER BY turns.id"
)
_SUMMARIES = (
    "SELECT summaries.uid, turns.uid, text, summaries.model, created FROM chosen"
    " JOIN summaries ON summaries.upto = chosen.id JOIN turns ON turns.id = chosen.id ORDER BY summaries.id"
)
_CHARGES = (
    f"SELECT {', '.join(f'charges.{name}' for name in LEDGER)}, turns.uid FROM charges"  # noqa: S608
    " LEFT JOIN turns ON turns.id = charges.turn"
    " WHERE charges.turn IN (SELECT id FROM chosen) OR charges.turn IS NULL AND ?1 ORDER BY charges.id"
)
_LINES = """
    INSERT OR IGNORE INTO chosen WITH RECURSIVE line (id) AS (
        SELECT head FROM sessions WHERE id = ?1 AND head IS NOT NULL
        UNION SELECT id FROM turns WHERE session = ?1
        UNION SELECT turns.parent FROM line JOIN turns ON turns.id = line.id WHERE turns.parent IS NOT NULL)
    SELECT id FROM line
"""


def json_lines(store: Store, sessions: Sequence[Session] = ()) -> Iterator[bytes]:
    """All of the store, or some sessions with all the turns that lead to theirs; one moment of it."""
    with store.snapshot() as connection:
        _choose(connection, sessions)
        yield _line(HEADER)
        named = {each.id for each in sessions}
        heads = "SELECT s.id, s.name, s.prompt, s.created, s.updated, t.uid FROM sessions s"
        for row in connection.execute(f"{heads} LEFT JOIN turns t ON t.id = s.head ORDER BY s.created, s.id"):
            if not named or row[0] in named:
                yield _line({"session": dict(zip(SESSION, row, strict=True))})
        for row in connection.execute(_TURNS):
            yield _line({"turn": _turn(row, named)})
        for row in connection.execute(_SUMMARIES):
            yield _line({"summary": dict(zip(SUMMARY, row, strict=True))})
        for row in connection.execute(_CHARGES, (not named,)):
            charge = dict(zip(LEDGER, row, strict=False))
            yield _line({"charge": charge | {"turn": row[-1], "estimated": bool(charge["estimated"])}})


def markdown(store: Store, sessions: Iterable[Session]) -> Iterator[bytes]:
    """Each session as it stands, oldest turn first."""
    for number, session in enumerate(sessions):
        title = " ".join((session.name or session.id).split())
        yield (("\n" if number else "") + f"# {title}\n").encode()
        for turn in forward(store, session.head):
            yield ("\n" + "".join(pieces_of(turn))).encode()


def pieces_of(turn: Turn) -> tuple[str, str, str, str, str]:
    """A turn as Markdown: heading and words of the user, heading and words of the model, how it ended."""
    when = strftime("%Y-%m-%d %H:%M", localtime(turn.started))
    state = f"\n*{turn.state}{': ' + turn.cause if turn.cause else ''}*\n"
    answer, user = turn.answer.rstrip(), turn.user.rstrip()
    return (
        f"## User, {when}\n" if user else "",  # a greeting answers nobody
        f"\n{user}\n\n" if user else "",
        f"## Assistant, {turn.model}\n",
        f"\n{answer}\n" if answer else "",
        "" if turn.state == "ok" else state,
    )


def forward(store: Store, head: int | None) -> Iterator[Turn]:
    """The turns that lead to one, oldest first; only their numbers are held."""
    if head is None:
        return
    with store.reading() as connection:
        ids = reading.line_ids(connection, head)
    for start in range(0, len(ids), _BLOCK):
        with store.reading() as connection:
            block = reading.turns(connection, ids[start : start + _BLOCK])
        yield from block


def _choose(connection: sqlite3.Connection, sessions: Sequence[Session]) -> None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM chosen")
    for each in sessions:
        connection.execute(_LINES, (each.id,))
    if not sessions:
        connection.execute("INSERT INTO chosen SELECT id FROM turns")


def _turn(row: Sequence[object], named: set[str]) -> dict[str, object]:
    """Turns that a session shares with one that is not taken out become its own."""
    record = dict(zip(TURN, row, strict=False))
    uid, system, user, answer, request, notes = row[len(TURN) :]
    if named and record["session"] not in named:
        record["session"] = min(named)
    texts = {"system": system, "user": user, "answer": answer}
    values = {"request": json.loads(str(request)), "notes": json.loads(str(notes))}
    return record | {"parent": uid, "estimated": bool(record["estimated"])} | texts | values


def _line(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
