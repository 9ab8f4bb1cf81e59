"""A character in a game: what it says and does as data, which a schema and the game's rules allow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from gptkit.capabilities.character import world
from gptkit.capabilities.character.config import options_of
from gptkit.capabilities.character.context import add_character
from gptkit.capabilities.character.macros import Dice, seed_of
from gptkit.capabilities.character.state import declared_values, with_check, world_fault
from gptkit.core.chat import Message
from gptkit.core.errors import DataError, GptkitError, TooLongError
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.ask import request_json_and_reply
from gptkit.exchange.budget import WorkerBudget
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.session import answer, conversation
from gptkit.session.input import Given
from gptkit.session.record import Record, opening

if TYPE_CHECKING:
    from gptkit.capabilities.character.card import Action, Variable
    from gptkit.capabilities.character.npc_events import PlayerEvent
    from gptkit.exchange.budget import Budget
    from gptkit.exchange.invocation import Invocation, Runtime
    from gptkit.history.store import Store
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


RULE = (
    "You are a character of a game, and a program reads your reply: one JSON object, nothing around it. "
    "`say` is what is spoken aloud, plain, without asterisks and stage directions; empty if you say nothing. "
    "What you do stands under `actions` alone."
)
ACTIONS = "You can do this and nothing else; an empty list is fine:\n{}"


class ReplyForm(NamedTuple):
    """What a reply of the character looks like. `variables` and `actions` are those that are allowed.

    `is_own` says that the schema is the user's or the card's: then a reply has what that says.
    """

    schema: Mapping[str, object]
    variables: tuple[Variable, ...] = ()
    actions: tuple[Action, ...] = ()
    is_own: bool = False


class NpcReply(NamedTuple):
    value: Mapping[str, object]
    outcome: Outcome


def reply_form(
    variables: Sequence[Variable],
    actions: Sequence[Action],
    available_emotions: Sequence[str],
    schema: Mapping[str, object] | None = None,
) -> ReplyForm:
    """A reply says what is declared: without actions it can do nothing, without moods it feels anything."""
    if schema is not None:
        return ReplyForm(schema, tuple(variables), tuple(actions), True)
    emotion = {
        "type": "string",
        **({"enum": list(available_emotions)} if available_emotions else {"description": "one word"}),
    }
    properties: dict[str, object] = {"say": {"type": "string"}, "emotion": emotion}
    if actions:
        names = [action.name for action in actions]
        properties["actions"] = {"type": "array", "items": {"type": "string", "enum": names}}
    if variables:
        properties["state"] = world.world_schema(variables)
    built = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ReplyForm(built, tuple(variables), tuple(actions))


def request_reply(
    invocation: Invocation, runtime: Runtime, wanted: ReplyForm, past: Sequence[Mapping[str, object]]
) -> NpcReply:
    """The reply to what the player said. `past` are the replies behind the assistant's turns.

    Raises the GptkitError of the second reply that is not allowed.
    """
    played = add_character(invocation, runtime.stores)
    before = len(played.turns) - len(invocation.turns)
    rest = played.turns[before:]
    whole = iter(past)
    turns = (Message("assistant", _json(next(whole))) if one.role == "assistant" else one for one in rest)
    told = [ACTIONS.format("\n".join(map(_told, wanted.actions)))] if wanted.actions else []
    system = "\n\n".join(filter(None, [_system(played, runtime), RULE, *told]))
    played = played._replace(turns=(*played.turns[:before], *turns), system=system)
    strict = with_check(runtime, lambda found: _fault(found, wanted))
    value, reply = request_json_and_reply(
        build_request(played, runtime.format), wanted.schema, strict, "answer"
    )
    found = dict(cast("Mapping[str, object]", value))
    if isinstance(state := found.get("state"), dict) and wanted.variables:
        found["state"] = {**state, **declared_values(state, wanted.variables)}
    if not wanted.is_own:
        found.setdefault("actions", [])
    return NpcReply(found, Outcome(reply, _json(found), notes=played.notes))


def state_fault(state: Mapping[str, object], variables: Sequence[Variable]) -> str:
    """Why a game cannot set these values; empty when it can."""
    known = [variable.name for variable in variables]
    strange = [name for name in state if name not in known]
    if variables and strange:
        return f"state: unknown value '{strange[0]}'; there are {', '.join(known)}"
    found = world_fault(state, variables)
    return f"state: {found}" if found else ""


def _fault(found: object, wanted: ReplyForm) -> str:
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
    return world_fault(state, wanted.variables) if isinstance(state, dict) else ""


def _system(played: Invocation, runtime: Runtime) -> str:
    sent = build_request(played, runtime.format).messages[:1]
    return "".join(message.content for message in sent if message.role == "system")


def _told(action: Action) -> str:
    return f"- {action.name}: {action.help}" if action.help else f"- {action.name}"


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)


EXCHANGES = 50
"""Of one session, how many of the latest are remembered."""
SHARE = 0.5
"""Part of the model's window, where it is known, that the memory of a session may take."""


class PastExchange(NamedTuple):
    player: str
    reply: Mapping[str, object]

    @property
    def messages(self) -> tuple[Message, Message]:
        said = self.reply.get("say")
        text = said if isinstance(said, str) else json.dumps(self.reply, ensure_ascii=False)
        return Message("user", self.player), Message("assistant", text)


class NpcSession:
    """What is kept of a session: the latest exchanges, the world, and where its record is."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.past: list[PastExchange] = []
        self.notes: Mapping[str, object] = {}
        self.turn: int | None = None
        self.session: str | None = None


class NpcReplier:
    """Safe for several threads, as long as a session is with one of them at a time."""

    def __init__(
        self,
        services: Services,
        template: Template,
        values: Mapping[str, Value],
        shared: SharedOptions,
        form: ReplyForm,
    ) -> None:
        self._services = services
        self._template = template
        self._seed = options_of(values).seed
        self._values = {name: value for name, value in values.items() if name != "seed"} | {"dice": False}
        self._shared = shared._replace(no_stream=True)
        self._form = form
        self._how = answer.showing(shared)
        self._budget = services.budget(shared.max_requests, shared.max_cost)
        self._is_recorded = not shared.no_log and services.settings.boolean("log")
        self._stores = services.capability_stores(template)
        self._runtime = services.runtime(
            services.format(template), self._model, self._budget, self._how.verbose
        )
        _ = services.rejections, services.prices  # each is made once, before the workers
        self._store = services.history if self._is_recorded else None

    @property
    def _model(self) -> str:
        return str(self._shared.model or self._template.model or self._services.settings.text("model"))

    def reply(self, held: NpcSession, asked: PlayerEvent) -> Mapping[str, object]:
        """The reply, which the session remembers; raises GptkitError, and then it does not."""
        notes = self._notes_before(held, asked)
        invocation = self._invocation(asked.player)._replace(notes=notes)
        self._trim(held, invocation)
        try:
            found = self._request_recorded(held, asked, invocation)
        except TooLongError:
            if not held.past:
                raise
            held.past = held.past[len(held.past) // 2 + 1 :]
            found = self._request_recorded(held, asked, invocation)
        held.past.append(PastExchange(asked.player, found.value))
        held.notes = found.outcome.notes
        if self._form.is_own:
            return found.value
        return {**found.value, "state": held.notes.get("state", {})}

    def _notes_before(self, held: NpcSession, asked: PlayerEvent) -> Mapping[str, object]:
        """What the session keeps, with what the game says about the world."""
        notes = dict(held.notes)
        if not notes and isinstance(self._seed, int):
            notes["dice"] = [Dice(self._seed ^ seed_of(held.key)).seed, 0]
        if asked.state is not None:
            if fault := state_fault(asked.state, self._form.variables):
                raise DataError(f"line {asked.number}: {fault}")
            before = notes.get("state")
            kept = before if self._form.variables and isinstance(before, Mapping) else {}
            notes["state"] = {**kept, **asked.state}
        return notes

    def _invocation(self, player: str) -> Invocation:
        given = Given(player, "", (("words", player),), self._values)
        return conversation.invocation(self._services, self._template, given, self._shared, self._how)

    def _trim(self, held: NpcSession, invocation: Invocation) -> None:
        """Forget the oldest exchanges where there are too many, or more than the window has room for."""
        held.past = held.past[-EXCHANGES:]
        sizes = [sum(estimate_tokens(one.content) + 4 for one in past.messages) for past in held.past]
        window = self._services.context_window(invocation.model, sum(sizes))
        while window is not None and sizes and sum(sizes) > window * SHARE:
            del held.past[0], sizes[0]

    def _request_recorded(self, held: NpcSession, asked: PlayerEvent, invocation: Invocation) -> NpcReply:
        context = _RecordContext(self._services, WorkerBudget(self._budget), self._how)
        runtime = self._runtime._replace(budget=context.budget, stores=self._stores)
        turns = tuple(message for past in held.past for message in past.messages)
        invocation = invocation._replace(turns=turns)
        record = self._record(context, held, asked, invocation, runtime)
        try:
            found = self._request(record, held, invocation, runtime)
        finally:
            self._follow(held, record.turn)
        held.turn = record.turn if record.turn is not None else held.turn
        return found

    def _request(
        self, record: Record, held: NpcSession, invocation: Invocation, runtime: Runtime
    ) -> NpcReply:
        with record:
            found = request_reply(invocation, runtime, self._form, [past.reply for past in held.past])
            state = found.value.get("state")
            notes = dict(found.outcome.notes)
            if isinstance(state, Mapping):
                notes["state"] = dict(state)
            answers = notes.get("answers")
            notes["answers"] = (answers if isinstance(answers, int) else 0) + 1
            found = found._replace(outcome=found.outcome._replace(notes=notes))
            record.finish(found.outcome)
        return found

    def _record(
        self,
        context: _RecordContext,
        held: NpcSession,
        asked: PlayerEvent,
        invocation: Invocation,
        runtime: Runtime,
    ) -> Record:
        if not self._is_recorded:
            return Record(context, None, None)
        sent = build_request(invocation, runtime.format)
        found = opening(self._services, invocation, sent, held.session, held.turn)
        found = found._replace(request={**found.request, "words": asked.player, "npc": asked.session})
        return Record(context, found, self._services.journal)

    def _follow(self, held: NpcSession, turn: int | None) -> None:
        """All exchanges of a session of the game are one session of the history, failures too."""
        if turn is None or held.session is not None or self._store is None:
            return
        with suppress(GptkitError):  # the next exchange begins another one
            stored = self._store.turn(turn)
            held.session = stored.session if stored else None


class _RecordContext:
    def __init__(self, services: Services, budget: Budget, how: answer.Showing) -> None:
        self.services = services
        self.budget = budget
        self.how = how

    @property
    def store(self) -> Store:
        return self.services.history
