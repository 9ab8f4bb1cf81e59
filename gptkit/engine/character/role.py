"""Who is played, as the prompt file, the command line and the card say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.engine.character.casting import KEY, Casting
from gptkit.errors import DataFault, UsageFault

if TYPE_CHECKING:
    from gptkit.characters.card import Card, Variable
    from gptkit.templates.model import Template, Value

OWN = "gptkit"
"""The extension of a card that holds what no specification has a field for."""


class Role(NamedTuple):
    """`card` is None for a character that is described in words; `user` is empty for nobody in particular."""

    card: Card | None
    name: str
    user: str
    variables: tuple[Variable, ...]
    dice: bool

    @property
    def is_plain(self) -> bool:
        """A description in words and nothing else: there is nothing to keep."""
        return self.card is None and not self.variables and not self.dice


def role(template: Template, values: Mapping[str, Value], card: Callable[[str], Card | None]) -> Role:
    """`card` finds the card that a word means, and raises where that cannot be read."""
    asked = template.capabilities[KEY]
    wanted = asked if isinstance(asked, Casting) else Casting()
    word = wanted.card or _word(template, values)
    found = card(word) if word else None
    if wanted.card and found is None:
        raise DataFault(f"{template.source}: {KEY}.card: there is no card '{wanted.card}'")
    variables = {one.name: one for one in (*wanted.state, *(found.state if found else ()))}
    dice = values.get("dice")
    return Role(
        card=found,
        name=found.called if found else word,
        user=str(values.get("user", "")).strip(),
        variables=tuple(variables.values()),
        dice=dice if isinstance(dice, bool) else wanted.dice or wants_dice(found),
    )


def place(card: Card, values: Mapping[str, Value]) -> int:
    """The place of the greeting that the command line asks for, from 0; raises UsageFault."""
    number = values.get("greeting", 1)
    if not isinstance(number, int) or not 1 <= number <= len(card.greetings):
        last = len(card.greetings)
        several = f"greetings 1 to {last}" if last > 1 else "one greeting"
        raise UsageFault(f"--greeting {number}: '{card.called}' has {several}")
    return number - 1


def wants_dice(card: Card | None) -> bool:
    own = card.extensions.get(OWN) if card else None
    return isinstance(own, Mapping) and own.get("dice") is True


def _word(template: Template, values: Mapping[str, Value]) -> str:
    declared = {parameter.variable: parameter for parameter in template.declared}
    if KEY not in declared:
        raise DataFault(
            f"{template.source}: {KEY}: nothing says who is played",
            hint=f"declare the argument '{KEY}', or name a card under '{KEY}'",
        )
    default = declared[KEY].default
    return str(values.get(KEY, "" if default is None else default)).strip()
