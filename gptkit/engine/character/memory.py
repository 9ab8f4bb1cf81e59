"""What is kept of a character with each turn, so that going back to an earlier turn brings it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.characters import world
from gptkit.characters.dice import Dice

if TYPE_CHECKING:
    from gptkit.characters.card import Variable


class Memory(NamedTuple):
    """`state` is the world, `matched` what the book has found so far, `answers` how often the character
    has spoken, `greeting` the place of its first words, from 0. `refused` says why the last change of the
    world was not made."""

    state: Mapping[str, object]
    dice: Dice
    matched: frozenset[int] = frozenset()
    answers: int = 0
    greeting: int = 0
    refused: str = ""


def memory(
    kept: Mapping[str, object], values: Mapping[str, object], variables: Sequence[Variable] = ()
) -> Memory:
    """What the notes of the turn before hold, made to fit; without declared variables any state is taken."""
    found = kept.get("state")
    given = found if isinstance(found, Mapping) else {}
    state: dict[str, object] = dict(given)
    if variables:
        state = {**world.initial(variables), **{name: given[name] for name in _fitting(given, variables)}}
    matched = kept.get("matched")
    greeting = kept.get("greeting", _number(values.get("greeting"), 1) - 1)
    return Memory(
        state=state,
        dice=_dice(kept.get("dice"), values.get("seed")),
        matched=frozenset(one for one in matched if isinstance(one, int))
        if isinstance(matched, list)
        else frozenset(),
        answers=_number(kept.get("answers"), 0),
        greeting=_number(greeting, 0),
        refused=str(kept.get("refused", "")),
    )


def notes(kept: Memory) -> dict[str, object]:
    """As JSON has it; `memory` reads it back."""
    found: dict[str, object] = {
        "state": dict(kept.state),
        "dice": [kept.dice.seed, kept.dice.place],
        "matched": sorted(kept.matched),
        "answers": kept.answers,
        "greeting": kept.greeting,
    }
    return found | ({"refused": kept.refused} if kept.refused else {})


def _fitting(given: Mapping[str, object], variables: Sequence[Variable]) -> list[str]:
    return [one.name for one in variables if one.name in given and not world.fault(one, given[one.name])]


def _dice(kept: object, seed: object) -> Dice:
    """The user's seed begins anew unless the conversation has it already."""
    wanted = Dice(seed).seed if isinstance(seed, int) else None
    whole = isinstance(kept, list) and len(kept) == 2 and all(isinstance(one, int) for one in kept)
    if isinstance(kept, list) and whole and wanted in (None, kept[0]):
        return Dice(*kept)
    return Dice(wanted)


def _number(value: object, usual: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else usual
