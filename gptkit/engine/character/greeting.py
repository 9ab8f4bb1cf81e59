"""What a character says first, before anybody has spoken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.characters.assemble import Play
from gptkit.characters.assemble import greeting as expanded
from gptkit.characters.dice import Dice
from gptkit.engine.character.memory import memory, notes
from gptkit.engine.character.role import place, role

if TYPE_CHECKING:
    from gptkit.engine.character.stage import Cards
    from gptkit.templates.model import Template, Value


class Greeting(NamedTuple):
    """`said` is what the model sees of it, `shown` what the user sees; `notes` are kept with it."""

    said: str
    shown: str
    notes: Mapping[str, object]


def greeting(template: Template, values: Mapping[str, Value], cards: Cards) -> Greeting | None:
    """None where nothing greets: a description in words, a card without such a text. Raises UsageFault."""
    who = role(template, values, cards.card)
    if who.card is None:
        return None
    number = place(who.card, values)
    kept = memory({}, values, who.variables)
    again = Dice(kept.dice.seed)  # both texts make the same random choices
    user = who.user or "User"
    said = expanded(who.card, number, Play(user, kept.dice))
    shown = expanded(who.card, number, Play(user, again), "screen")
    if not said:
        return None
    return Greeting(said, shown, notes(kept._replace(answers=1, greeting=number)))
