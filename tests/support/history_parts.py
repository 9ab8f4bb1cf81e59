"""A store of the history, and turns to put into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gptkit.core.chat import Charge
from gptkit.history.model import Ending, Opening, Session, new_opening_id
from gptkit.history.store import Store

STARTED = 1_780_000_000.0
"""A day in 2026."""


def store(folder: Path) -> Store:
    return Store(folder / "data" / "history.db", folder / "data" / "journal", lambda: STARTED)


def opening(user: str = "hi", **changes: Any) -> Opening:
    plain = Opening(
        new_opening_id(), None, None, "ask", "m", "Be brief.", user, {"temperature": 0.5}, STARTED
    )
    return plain._replace(**changes)


def ending(answer: str = "hello", **changes: Any) -> Ending:
    charge = Charge("m-1", "answer", "host", 10, 5, False, 0.25, STARTED, 1.5)
    return Ending("ok", answer, "stop", seconds=1.5, charges=(charge,))._replace(**changes)


def conversation(kept: Store, session: Session, *users: str) -> list[int]:
    """Turns that follow the session's head; their ids."""
    head, ids = session.head, []
    for number, user in enumerate(users):
        started = STARTED + number
        exchange = opening(user, session=session.id, parent=head, prompt=session.prompt, started=started)
        head = kept.finish(exchange, ending(f"answer to {user}"))
        ids.append(head)
    return ids


def integrity(kept: Store) -> str:
    with kept.reading() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
