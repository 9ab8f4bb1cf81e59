"""Reads every single charge: what a request cost depends on its own length and time, not on sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gptkit.chat import Charge

if TYPE_CHECKING:
    from gptkit.history.ledger import Grouping
    from gptkit.history.store import Store

_KEYS: dict[Grouping, str] = {
    "day": "strftime('%Y-%m-%d', c.started, 'unixepoch', 'localtime')",
    "model": "c.model",
    "command": "c.prompt",
    "session": "coalesce(nullif(s.name, ''), c.session)",
}


def charges(
    store: Store, by: Grouping, since: float | None, until: float | None
) -> Iterator[tuple[str, Charge]]:
    """Those from `since` to before `until`, in Unix seconds, each with the group that it belongs to: the
    day in the user's time zone, the session's name or, without one, its id."""
    with store.reading() as connection:
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
