"""Reads turns, sessions, summaries and charges from the database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gptkit.core.chat import Charge
from gptkit.history.model import Session, Summary, Turn

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.model import Grouping


_TURNS_SQL = (
    "SELECT turns.id, uid, parent, session, depth, state, prompt, model, reason, cause, code, request_id,"
    " attempts, first, started, seconds, prompt_tokens, completion_tokens, estimated, cost, system, user,"
    " answer, request, notes"
    " FROM turns JOIN texts ON texts.turn = turns.id WHERE turns.id IN (SELECT value FROM json_each(?))"
)
_SESSION_SQL = (
    "SELECT s.id, s.name, s.prompt, s.created, s.updated, s.head, coalesce(t.depth, 0)"
    " FROM sessions s LEFT JOIN turns t ON t.id = s.head"
)
_LAST_USED_FIRST = """
    WHERE ?1 IS NULL OR s.prompt = ?1
    ORDER BY coalesce((SELECT max(id) FROM turns WHERE session = s.id), s.head) DESC, s.rowid DESC LIMIT ?2
"""
# a parent is older than its child; the condition on the ids ends the walk in a damaged file, too
_CHAIN_SQL = """
    WITH RECURSIVE line (id, parent, number) AS (
        SELECT id, parent, 1 FROM turns WHERE id = ?1
        UNION ALL
        SELECT turns.id, turns.parent, number + 1 FROM line JOIN turns ON turns.id = line.parent
        WHERE number < ?2 AND turns.id < line.id)
"""
_CHAIN_IDS_SQL = "SELECT id FROM line ORDER BY number"
_NEAREST_SUMMARY = (
    "SELECT s.id, s.upto, s.text, s.model, s.created FROM line JOIN summaries s ON s.upto = line.id"
    " ORDER BY number, s.id DESC LIMIT 1"
)


def turns(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Turn]:
    """Read the turns with these ids, in their order; missing turns are left out."""
    rows = connection.execute(_TURNS_SQL, (json.dumps(list(ids)),))
    by_id = {row[0]: _make_turn(row) for row in rows}
    return [by_id[turn_id] for turn_id in ids if turn_id in by_id]


def chain(connection: sqlite3.Connection, turn_id: int, limit: int) -> list[Turn]:
    """Read a turn and the turns before it, newest first, at most `limit`."""
    ids = connection.execute(_CHAIN_SQL + _CHAIN_IDS_SQL, (turn_id, limit))
    return turns(connection, [row[0] for row in ids])


def chain_ids(connection: sqlite3.Connection, turn_id: int) -> list[int]:
    """Read the ids of a turn and of all turns before it, oldest first."""
    rows = connection.execute(_CHAIN_SQL + _CHAIN_IDS_SQL, (turn_id, 1 << 62))
    return [row[0] for row in rows][::-1]


def summary(connection: sqlite3.Connection, head: int) -> Summary | None:
    """Read the summary that covers the most turns up to `head`."""
    if not connection.execute("SELECT 1 FROM summaries").fetchone():
        return None
    row = connection.execute(_CHAIN_SQL + _NEAREST_SUMMARY, (head, 1 << 62)).fetchone()
    return Summary(*row) if row else None


def sessions(connection: sqlite3.Connection, limit: int, prompt: str | None) -> list[Session]:
    """Read sessions, the last used first; with `prompt` only those of one command.

    The order is that of their newest turns, not of times: the clock may have jumped in between.
    """
    rows = connection.execute(_SESSION_SQL + _LAST_USED_FIRST, (prompt, limit))
    return [Session(*row) for row in rows]


def question_and_state(connection: sqlite3.Connection, session: Session) -> tuple[str, str]:
    """Read the beginning of a session's first question, and the state of its newest turn; "" without one."""
    question = connection.execute(
        "SELECT substr(user, 1, 200) FROM turns JOIN texts ON turn = turns.id"
        " WHERE session = ? AND user <> '' ORDER BY turns.id LIMIT 1",
        (session.id,),
    ).fetchone()
    state = connection.execute("SELECT state FROM turns WHERE id = ?", (session.head,)).fetchone()
    return (str(question[0]) if question else ""), (str(state[0]) if state else "")


def session_by_name(connection: sqlite3.Connection, name: str) -> Session | None:
    row = connection.execute(f"{_SESSION_SQL} WHERE s.name = ? AND s.name <> ''", (name,)).fetchone()
    return Session(*row) if row else None


def session_of(connection: sqlite3.Connection, turn: int) -> Session | None:
    where = "WHERE s.id = (SELECT session FROM turns WHERE id = ?)"
    row = connection.execute(f"{_SESSION_SQL} {where}", (turn,)).fetchone()
    return Session(*row) if row else None


def sessions_by_id(connection: sqlite3.Connection, start: str) -> list[Session]:
    """Read the sessions whose ids begin with `start`, at most three."""
    rows = connection.execute(
        f"{_SESSION_SQL} WHERE s.id >= ?1 AND substr(s.id, 1, length(?1)) = ?1 ORDER BY s.id LIMIT 3",
        (start,),
    )
    return [Session(*row) for row in rows]


def _make_turn(row: Sequence[Any]) -> Turn:
    *columns, request, notes = row
    turn = Turn._make((*columns, _parse_object(request), _parse_object(notes)))
    return turn._replace(estimated=bool(turn.estimated))


def _parse_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):  # a damaged file: the rest of the turn still counts
        return {}
    return value if isinstance(value, dict) else {}


_GROUP_SQL: dict[Grouping, str] = {
    "day": "strftime('%Y-%m-%d', c.started, 'unixepoch', 'localtime')",
    "model": "c.model",
    "command": "c.prompt",
    "session": "coalesce(nullif(s.name, ''), c.session)",
}


def charges(
    connection: sqlite3.Connection, by: Grouping, since: float | None, until: float | None
) -> Iterator[tuple[str, Charge]]:
    """Yield the charges from `since` to before `until` (Unix seconds), each with its group.

    A group is the day in the user's time zone, the model, the command, or the name or id of the session.
    """
    rows = connection.execute(
        f"SELECT {_GROUP_SQL[by]}, c.model, c.purpose, c.host, c.prompt_tokens, c.completion_tokens,"  # noqa: S608
        " c.estimated, c.cost, c.started, c.seconds"
        " FROM charges c LEFT JOIN sessions s ON s.id = c.session"
        " WHERE (?1 IS NULL OR c.started >= ?1) AND (?2 IS NULL OR c.started < ?2)"
        " ORDER BY c.started",
        (since, until),
    )
    for key, *values in rows:
        charge = Charge._make(values)
        yield str(key or ""), charge._replace(estimated=bool(charge.estimated))


def exchange_tokens(connection: sqlite3.Connection, turn: int) -> int | None:
    """Read the tokens of the last request for a turn's answer and of that answer; None without a request."""
    row = connection.execute(
        "SELECT prompt_tokens + completion_tokens FROM charges"
        " WHERE turn = ? AND purpose = 'answer' ORDER BY number DESC LIMIT 1",
        (turn,),
    ).fetchone()
    return None if row is None else int(row[0])
