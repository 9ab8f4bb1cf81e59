"""Stores the first words of a conversation: a turn in which the user has said nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.errors import GptkitError
from gptkit.history.model import Ending, Opening, new_opening_id

if TYPE_CHECKING:
    from gptkit.cli.exchange import Conversation
    from gptkit.exchange.capability import Greeting


def turn(conversation: Conversation, greeting: Greeting) -> int | None:
    """The turn, with which the session begins if there is none yet; None where it cannot be kept."""
    try:
        return _turn(conversation, greeting)
    except GptkitError as error:
        conversation.warn(f"the greeting is not recorded: {error.message}")
        return None


def _turn(conversation: Conversation, greeting: Greeting) -> int:
    opening = Opening(
        id=new_opening_id(),
        session=conversation.session.id if conversation.session else None,
        parent=None,
        prompt=conversation.template.name,
        model=conversation.model,
        system="",
        user="",
        request={"words": ""},
        started=conversation.services.terminal.clock(),
    )
    store = conversation.store
    number = store.finish(opening, Ending("ok", greeting.said, reason="stop", notes=greeting.notes))
    stored = store.turn(number)
    conversation.session = store.session(stored.session) if stored else None
    return number
