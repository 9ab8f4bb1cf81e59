"""What the requests of a time cost: the charges outlive their turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import sqlite3

Grouping = Literal["day", "model", "command", "session"]


def spent(connection: sqlite3.Connection, since: float) -> tuple[float, int]:
    """US dollars as far as prices are known, and the number of requests where they are not."""
    row = connection.execute(
        "SELECT total(cost), count(*) - count(cost) FROM charges WHERE started >= ?", (since,)
    ).fetchone()
    return float(row[0]), int(row[1])
