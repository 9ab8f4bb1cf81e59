"""What the requests of a time cost: sums over the charges, which outlive their turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import sqlite3

Grouping = Literal["day", "model", "command", "session"]
_KEYS: dict[Grouping, str] = {
    "day": "strftime('%Y-%m-%d', started, 'unixepoch', 'localtime')",
    "model": "model",
    "command": "prompt",
    "session": "session",
}


class UsageRow(NamedTuple):
    """The requests of one group to one model at one host.

    `cost` is in US dollars and leaves out `unpriced` requests, whose tokens are `unpriced_prompt_tokens`
    and `unpriced_completion_tokens`; `estimated` counts the requests whose tokens are an estimate.
    """

    key: str
    model: str
    host: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    cost: float
    unpriced: int
    unpriced_prompt_tokens: int
    unpriced_completion_tokens: int


def usage(
    connection: sqlite3.Connection, by: Grouping, since: float | None, until: float | None
) -> list[UsageRow]:
    """From `since` to before `until`, in Unix seconds. Days are the user's; a session's key is its id."""
    rows = connection.execute(
        f"SELECT {_KEYS[by]} AS key, model, host, count(*), sum(prompt_tokens), sum(completion_tokens),"  # noqa: S608
        " sum(estimated), total(cost), sum(cost IS NULL),"
        " sum(iif(cost IS NULL, prompt_tokens, 0)), sum(iif(cost IS NULL, completion_tokens, 0))"
        " FROM charges WHERE (?1 IS NULL OR started >= ?1) AND (?2 IS NULL OR started < ?2)"
        " GROUP BY key, model, host ORDER BY key, model, host",
        (since, until),
    )
    return [UsageRow(*row) for row in rows]


def spent(connection: sqlite3.Connection, since: float) -> tuple[float, int]:
    """US dollars as far as prices are known, and the number of requests where they are not."""
    row = connection.execute(
        "SELECT total(cost), count(*) - count(cost) FROM charges WHERE started >= ?", (since,)
    ).fetchone()
    return float(row[0]), int(row[1])
