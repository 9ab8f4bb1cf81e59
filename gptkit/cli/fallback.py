"""Carries a conversation on in memory when the history cannot be written any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.errors import GptkitError
from gptkit.history.model import Ending, Opening, new_opening_id

if TYPE_CHECKING:
    from gptkit.history.model import Turn
    from gptkit.history.store import Store


def carried_over(source: Store, scratch: Store, opening: Opening) -> Opening:
    """The opening as the next turn of a copy, in `scratch`, of the conversation that it goes on with."""
    turns, summary = [], None
    try:
        summary = source.summary(opening.parent)
        for turn in source.chain(opening.parent):
            turns.append(turn)
            if summary is not None and turn.id == summary.upto:
                break
    except GptkitError:  # what can still be read is remembered
        summary = None
    session, parent = scratch.create("", opening.prompt), None
    for turn in reversed(turns):
        parent = scratch.finish(*_repeated(turn, session.id, parent))
        if summary is not None and turn.id == summary.upto:
            scratch.add_summary(parent, summary.text, summary.model)
    return opening._replace(session=session.id, parent=parent)


def _repeated(turn: Turn, session: str, parent: int | None) -> tuple[Opening, Ending]:
    opening = Opening(
        id=new_opening_id(),
        session=session,
        parent=parent,
        prompt=turn.prompt,
        model=turn.model,
        system=turn.system,
        user=turn.user,
        request=turn.request,
        started=turn.started,
    )
    return opening, Ending(turn.state, turn.answer, reason=turn.reason, cause=turn.cause, notes=turn.notes)
