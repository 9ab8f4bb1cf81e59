"""Reads every single charge: what a request cost depends on its own length and time, not on sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gptkit.core.chat import Charge

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.ledger import Grouping

_KEYS: dict[Grouping, str] = {
    "day": "strftime('%Y-%m-%d', c.started, 'unixepoch', 'localtime')",
    "model": "c.model",
    "command": "c.prompt",
    "session": "coalesce(nullif(s.name, ''), c.session)",
}


def charges(
    connection: sqlite3.Connection, by: Grouping, since: float | None, until: float | None
) -> Iterator[tuple[str, Charge]]:
    """Those from `since` to before `until`, in Unix seconds, each with the group that it belongs to: the
    day in the user's time zone, the session's name or, without one, its id."""
    rows = connection.execute(
        f"SELECT {_KEYS[by]}, c.model, c.purpose, c.host, c.prompt_tokens, c.completion_tokens,"  # noqa: S608
        " c.estimated, c.cost, c.started, c.seconds"
        " FROM charges c LEFT JOIN sessions s ON s.id = c.session"
        " WHERE (?1 IS NULL OR c.started >= ?1) AND (?2 IS NULL OR c.started < ?2)"
        " ORDER BY c.started",
        (since, until),
    )
    for key, *values in rows:
        charge = Charge._make(values)
        yield str(key or ""), charge._replace(estimated=bool(charge.estimated))


def weight(connection: sqlite3.Connection, turn: int) -> int | None:
    """Tokens of the latest request for the answer of a turn, and of that answer; None where none was made."""
    row = connection.execute(
        "SELECT prompt_tokens + completion_tokens FROM charges"
        " WHERE turn = ? AND purpose = 'answer' ORDER BY number DESC LIMIT 1",
        (turn,),
    ).fetchone()
    return None if row is None else int(row[0])
