"""A character in a game: what it says and does as data, which a schema and the game's rules allow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from gptkit.characters import world
from gptkit.chat import Message
from gptkit.engine.character.change import fault, fitted
from gptkit.engine.character.checked import checked
from gptkit.engine.character.stage import staged
from gptkit.engine.structured import valued
from gptkit.engine.work import Outcome, request

if TYPE_CHECKING:
    from gptkit.characters.card import Action, Variable
    from gptkit.engine.work import Invocation, Means

RULE = (
    "You are a character of a game, and a program reads your reply: one JSON object, nothing around it. "
    "`say` is what is spoken aloud, plain, without asterisks and stage directions; empty if you say nothing. "
    "What you do stands under `actions` alone."
)
ACTIONS = "You can do this and nothing else; an empty list is fine:\n{}"


class Form(NamedTuple):
    """What a reply of the character looks like. `variables` and `actions` are those that are allowed.

    `is_own` says that the schema is the user's or the card's: then a reply has what that says.
    """

    schema: Mapping[str, object]
    variables: tuple[Variable, ...] = ()
    actions: tuple[Action, ...] = ()
    is_own: bool = False


class Replied(NamedTuple):
    value: Mapping[str, object]
    outcome: Outcome


def form(
    variables: Sequence[Variable],
    actions: Sequence[Action],
    moods: Sequence[str],
    schema: Mapping[str, object] | None = None,
) -> Form:
    """A reply says what is declared: without actions it can do nothing, without moods it feels anything."""
    if schema is not None:
        return Form(schema, tuple(variables), tuple(actions), True)
    emotion = {"type": "string", **({"enum": list(moods)} if moods else {"description": "one word"})}
    properties: dict[str, object] = {"say": {"type": "string"}, "emotion": emotion}
    if actions:
        names = [action.name for action in actions]
        properties["actions"] = {"type": "array", "items": {"type": "string", "enum": names}}
    if variables:
        properties["state"] = world.schema(variables)
    built = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return Form(built, tuple(variables), tuple(actions))


def replied(
    invocation: Invocation, means: Means, wanted: Form, past: Sequence[Mapping[str, object]]
) -> Replied:
    """The reply to what the player said. `past` are the replies behind the assistant's turns.

    Raises the GptkitError of the second reply that is not allowed.
    """
    played = staged(invocation, means.stores)
    before = len(played.turns) - len(invocation.turns)
    rest = played.turns[before:]
    whole = iter(past)
    turns = (Message("assistant", _json(next(whole))) if one.role == "assistant" else one for one in rest)
    told = [ACTIONS.format("\n".join(map(_told, wanted.actions)))] if wanted.actions else []
    system = "\n\n".join(filter(None, [_system(played, means), RULE, *told]))
    played = played._replace(turns=(*played.turns[:before], *turns), system=system)
    strict = checked(means, lambda found: _fault(found, wanted))
    value, reply = valued(request(played, means.format), wanted.schema, strict, "answer")
    found = dict(cast("Mapping[str, object]", value))
    if isinstance(state := found.get("state"), dict) and wanted.variables:
        found["state"] = {**state, **fitted(state, wanted.variables)}
    if not wanted.is_own:
        found.setdefault("actions", [])
    return Replied(found, Outcome(reply, _json(found), notes=played.notes))


def state_fault(state: Mapping[str, object], variables: Sequence[Variable]) -> str:
    """Why a game cannot set these values; empty when it can."""
    known = [variable.name for variable in variables]
    strange = [name for name in state if name not in known]
    if variables and strange:
        return f"state: unknown value '{strange[0]}'; there are {', '.join(known)}"
    found = fault(state, variables)
    return f"state: {found}" if found else ""


def _fault(found: object, wanted: Form) -> str:
    """What a schema of the user's may let through, and what the bounds of the world forbid."""
    if not isinstance(found, dict):
        return "it is no JSON object"
    allowed = sorted({action.name for action in wanted.actions})
    actions = found.get("actions")
    given = [] if actions is None else actions if isinstance(actions, list) else [actions]
    for one in given if allowed else ():
        name = one.get("name") if isinstance(one, dict) else one
        if name not in allowed:
            return f"the action {json.dumps(name, ensure_ascii=False)} is not among {', '.join(allowed)}"
    state = found.get("state")
    return fault(state, wanted.variables) if isinstance(state, dict) else ""


def _system(played: Invocation, means: Means) -> str:
    sent = request(played, means.format).messages[:1]
    return "".join(message.content for message in sent if message.role == "system")


def _told(action: Action) -> str:
    return f"- {action.name}: {action.help}" if action.help else f"- {action.name}"


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)
