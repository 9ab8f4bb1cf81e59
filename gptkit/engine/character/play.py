"""One turn of a character: the answer with its dice, and what it has changed in the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gptkit.engine.ask import ask
from gptkit.engine.character.casting import KEY
from gptkit.engine.character.change import changed
from gptkit.engine.character.memory import Memory, memory, notes
from gptkit.engine.character.role import role
from gptkit.engine.character.rolls import thrown
from gptkit.engine.work import rendered

if TYPE_CHECKING:
    from gptkit.characters.card import Variable
    from gptkit.chat import Sink
    from gptkit.engine.character.stage import Cards
    from gptkit.engine.work import Invocation, Means, Outcome


def played(invocation: Invocation, means: Means, sink: Sink | None) -> Outcome:
    """The answer; its notes hold the world after it."""
    for left in cast("tuple[str, ...]", invocation.extras.get("left_out", ())):
        means.notice(left)
    who = role(invocation.template, invocation.values, cast("Cards", means.stores[KEY]).card)
    if who.is_plain:
        return ask(invocation, means, sink)
    kept = memory(invocation.notes, invocation.values, who.variables)
    if who.dice and means.format.streams:
        outcome = thrown(invocation, means, sink, kept.dice)
    else:
        outcome = ask(invocation, means, sink)
    kept = kept._replace(answers=kept.answers + 1, refused="")
    if who.variables and outcome.failure is None:
        unchanged = kept._replace(refused="interrupted")
        means.settled(outcome._replace(notes={**outcome.notes, **notes(unchanged)}))
        kept = _after(invocation, means, kept, who.variables, outcome.answer)
    facts = {**outcome.facts, **({"state": dict(kept.state)} if who.variables else {})}
    return outcome._replace(notes={**outcome.notes, **notes(kept)}, facts=facts)


def _after(
    invocation: Invocation, means: Means, kept: Memory, variables: tuple[Variable, ...], answer: str
) -> Memory:
    said = next((one.content for one in rendered(invocation)[-1:] if one.role == "user"), "")
    state, fault = changed((said, answer), kept.state, variables, means, invocation.model)
    if fault:
        means.warn(f"the world stays as it was: {fault}")
    return kept._replace(state=state, refused=fault)
