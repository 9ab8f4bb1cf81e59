"""Reply as a character of a game: with data that a schema and the bounds of the world allow."""

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
from gptkit.exchange.ask import request_json_and_reply
from gptkit.exchange.budget import WorkerBudget, message_tokens
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.session import answer, conversation
from gptkit.session.input import PromptInput
from gptkit.session.record import ExchangeRecord, RecordContext, make_opening

if TYPE_CHECKING:
    from gptkit.capabilities.character.card import Action, Variable
    from gptkit.capabilities.character.npc_events import PlayerEvent
    from gptkit.exchange.invocation import Invocation, Runtime
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


RULE = "You are a character of a game, and a program reads your reply: one JSON object, nothing around it."
KEY_RULES = {
    "say": "`say` is what is spoken aloud, plain, without asterisks and stage directions; empty if you say "
    "nothing.",
    "actions": "What you do stands under `actions` alone.",
}
"""Rules on keys of the reply, each for a schema that has the key."""
ACTIONS = "You can do this and nothing else; an empty list is fine:\n{}"


class ReplyForm(NamedTuple):
    """What a reply of the character may contain."""

    schema: Mapping[str, object]
    variables: tuple[Variable, ...] = ()  # of the world
    actions: tuple[Action, ...] = ()
    is_own: bool = False  # the schema is that of the user or the card


class NpcReply(NamedTuple):
    value: Mapping[str, object]
    outcome: Outcome


def reply_form(
    variables: Sequence[Variable],
    actions: Sequence[Action],
    available_emotions: Sequence[str],
    schema: Mapping[str, object] | None = None,
) -> ReplyForm:
    """Return the form of a reply; without `moods` any emotion is allowed, without `actions` none of them."""
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
    default_schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ReplyForm(default_schema, tuple(variables), tuple(actions))


def request_reply(
    invocation: Invocation, runtime: Runtime, form: ReplyForm, past: Sequence[Mapping[str, object]]
) -> NpcReply:
    """Request the reply to what the player said; raises the GptkitError of the second invalid reply.

    `past` are the whole replies of the assistant's turns, whose messages hold only what was spoken.
    """
    prepared = add_character(invocation, runtime.stores)
    before = len(prepared.turns) - len(invocation.turns)
    rest = prepared.turns[before:]
    replies = iter(past)
    turns = (
        Message("assistant", _json(next(replies))) if message.role == "assistant" else message
        for message in rest
    )
    action_rules = [ACTIONS.format("\n".join(map(_action_line, form.actions)))] if form.actions else []
    system = "\n\n".join(filter(None, [_system(prepared, runtime), _rule(form), *action_rules]))
    prepared = prepared._replace(turns=(*prepared.turns[:before], *turns), system=system)
    strict = with_check(runtime, lambda result: _fault(result, form))
    value, reply = request_json_and_reply(
        build_request(prepared, runtime.format), form.schema, strict, "answer"
    )
    result = dict(cast("Mapping[str, object]", value))
    if isinstance(state := result.get("state"), dict) and form.variables:
        result["state"] = {**state, **declared_values(state, form.variables)}
    return NpcReply(result, Outcome(reply, _json(result), notes=prepared.notes))


def _rule(form: ReplyForm) -> str:
    properties = form.schema.get("properties")
    keys = properties if isinstance(properties, dict) else {}
    return " ".join([RULE, *(rule for key, rule in KEY_RULES.items() if key in keys)])


def state_fault(state: Mapping[str, object], variables: Sequence[Variable]) -> str:
    """Return why a game cannot set these values of the world; empty if it can."""
    known = [variable.name for variable in variables]
    unknown = [name for name in state if name not in known]
    if variables and unknown:
        return f"state: unknown value '{unknown[0]}'; there are {', '.join(known)}"
    problem = world_fault(state, variables)
    return f"state: {problem}" if problem else ""


def _fault(reply: object, form: ReplyForm) -> str:
    """Return what is wrong with a reply beside its schema: unknown actions, values out of bounds."""
    if not isinstance(reply, dict):
        return "it is no JSON object"
    allowed = sorted({action.name for action in form.actions})
    actions = reply.get("actions")
    requested = [] if actions is None else actions if isinstance(actions, list) else [actions]
    for action in requested if allowed else ():
        name = action.get("name") if isinstance(action, dict) else action
        if name not in allowed:
            return f"the action {json.dumps(name, ensure_ascii=False)} is not among {', '.join(allowed)}"
    state = reply.get("state")
    return world_fault(state, form.variables) if isinstance(state, dict) else ""


def _system(invocation: Invocation, runtime: Runtime) -> str:
    messages = build_request(invocation, runtime.format).messages[:1]
    return "".join(message.content for message in messages if message.role == "system")


def _action_line(action: Action) -> str:
    return f"- {action.name}: {action.help}" if action.help else f"- {action.name}"


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)


EXCHANGES = 50
"""Exchanges of a session that are remembered."""
SHARE = 0.5
"""Part of the model's window that the remembered exchanges may take."""


class PastExchange(NamedTuple):
    """What the player said and the whole reply of the character."""

    player: str
    reply: Mapping[str, object]

    @property
    def messages(self) -> tuple[Message, Message]:
        spoken = self.reply.get("say")
        text = spoken if isinstance(spoken, str) else json.dumps(self.reply, ensure_ascii=False)
        return Message("user", self.player), Message("assistant", text)


class NpcSession:
    """A session of the game: its latest exchanges, its world, and the place of its record."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.past: list[PastExchange] = []
        self.notes: Mapping[str, object] = {}
        self.last_turn: int | None = None
        self.history_session: str | None = None


class NpcReplier:
    """Replies to events; safe for several threads as long as each session is used by one at a time."""

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
        self._how = answer.display_options(shared)
        self._budget = services.budget(shared.max_requests, shared.max_cost)
        self._is_recorded = not shared.no_log and services.settings.boolean("log")
        self._stores = services.capability_stores(template)
        self._runtime = services.runtime(
            services.format(template), self._model, self._budget, self._how.verbose
        )
        _ = services.rejections, services.prices  # make both before the threads start
        self._store = services.history if self._is_recorded else None

    @property
    def _model(self) -> str:
        return self._services.model_name(self._shared.model, self._template.model)

    def reply(self, session: NpcSession, event: PlayerEvent) -> Mapping[str, object]:
        """Return the reply to an event and remember both in the session; raises GptkitError."""
        notes = self._notes_before(session, event)
        invocation = self._invocation(event.player)._replace(notes=notes)
        self._trim(session, invocation)
        try:
            reply = self._request_recorded(session, event, invocation)
        except TooLongError:
            if not session.past:
                raise
            session.past = session.past[len(session.past) // 2 + 1 :]
            reply = self._request_recorded(session, event, invocation)
        session.past.append(PastExchange(event.player, reply.value))
        session.notes = reply.outcome.notes
        if self._form.is_own:
            return reply.value
        actions = reply.value.get("actions", [])
        return {**reply.value, "actions": actions, "state": session.notes.get("state", {})}

    def _notes_before(self, session: NpcSession, event: PlayerEvent) -> Mapping[str, object]:
        """Return the notes of the session with the values of the world that the event sets."""
        notes = dict(session.notes)
        if not notes and isinstance(self._seed, int):
            notes["dice"] = [Dice(self._seed ^ seed_of(session.key)).seed, 0]
        if event.state is not None:
            if fault := state_fault(event.state, self._form.variables):
                raise DataError(f"line {event.number}: {fault}")
            before = notes.get("state")
            values = before if self._form.variables and isinstance(before, Mapping) else {}
            notes["state"] = {**values, **event.state}
        return notes

    def _invocation(self, player: str) -> Invocation:
        prompt_input = PromptInput(player, "", (("words", player),), self._values)
        return conversation.make_invocation(
            self._services, self._template, prompt_input, self._shared, self._how
        )

    def _trim(self, session: NpcSession, invocation: Invocation) -> None:
        """Forget the oldest exchanges if there are too many, or more than the window can take."""
        session.past = session.past[-EXCHANGES:]
        sizes = [message_tokens(exchange.messages) for exchange in session.past]
        window = self._services.context_window(invocation.model, sum(sizes))
        while window is not None and sizes and sum(sizes) > window * SHARE:
            del session.past[0], sizes[0]

    def _request_recorded(self, session: NpcSession, event: PlayerEvent, invocation: Invocation) -> NpcReply:
        services, budget = self._services, WorkerBudget(self._budget)
        keeper = RecordContext(services, budget, self._how.quiet, lambda: services.history)
        runtime = self._runtime._replace(budget=budget, stores=self._stores)
        turns = tuple(message for past in session.past for message in past.messages)
        invocation = invocation._replace(turns=turns)
        record = self._record(keeper, session, event, invocation, runtime)
        try:
            reply = self._request(record, session, invocation, runtime)
        finally:
            self._follow(session, record.turn)
        session.last_turn = record.turn if record.turn is not None else session.last_turn
        return reply

    def _request(
        self, record: ExchangeRecord, session: NpcSession, invocation: Invocation, runtime: Runtime
    ) -> NpcReply:
        with record:
            reply = request_reply(invocation, runtime, self._form, [past.reply for past in session.past])
            state = reply.value.get("state")
            notes = dict(reply.outcome.notes)
            if isinstance(state, Mapping):
                notes["state"] = dict(state)
            answers = notes.get("answers")
            notes["answers"] = (answers if isinstance(answers, int) else 0) + 1
            reply = reply._replace(outcome=reply.outcome._replace(notes=notes))
            record.finish(reply.outcome)
        return reply

    def _record(
        self,
        keeper: RecordContext,
        session: NpcSession,
        event: PlayerEvent,
        invocation: Invocation,
        runtime: Runtime,
    ) -> ExchangeRecord:
        if not self._is_recorded:
            return ExchangeRecord(keeper, None, None)
        request = build_request(invocation, runtime.format)
        turn = make_opening(self._services, invocation, request, session.history_session, session.last_turn)
        turn = turn._replace(request={**turn.request, "words": event.player, "npc": event.session})
        return ExchangeRecord(keeper, turn, self._services.journal)

    def _follow(self, session: NpcSession, turn: int | None) -> None:
        """Continue the same session of the history with the next exchange, also after a failure."""
        if turn is None or session.history_session is not None or self._store is None:
            return
        with suppress(GptkitError):  # then the next exchange begins another session
            stored = self._store.turn(turn)
            session.history_session = stored.session if stored else None
