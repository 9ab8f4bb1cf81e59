"""One reply after another of a character in a game: what it remembers, and what is recorded of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from gptkit.characters.dice import Dice, seed_of
from gptkit.chat import Message
from gptkit.cli import answer, invoking
from gptkit.cli.gather import Given
from gptkit.cli.record import Record, opening
from gptkit.documents.tokens import estimate
from gptkit.engine.budget import Share
from gptkit.engine.character import npc
from gptkit.engine.work import Invocation, Means, request
from gptkit.errors import DataFault, GptkitError, TooLong

if TYPE_CHECKING:
    from gptkit.cli.character.events import Event
    from gptkit.cli.shared import SharedOptions
    from gptkit.engine.budget import Budget
    from gptkit.engine.character.npc import Form, Replied
    from gptkit.history.store import Store
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value

EXCHANGES = 50
"""Of one session, how many of the latest are remembered."""
SHARE = 0.5
"""Part of the model's window, where it is known, that the memory of a session may take."""


class Past(NamedTuple):
    player: str
    reply: Mapping[str, object]

    @property
    def messages(self) -> tuple[Message, Message]:
        said = self.reply.get("say")
        text = said if isinstance(said, str) else json.dumps(self.reply, ensure_ascii=False)
        return Message("user", self.player), Message("assistant", text)


class Held:
    """What is kept of a session: the latest exchanges, the world, and where its record is."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.past: list[Past] = []
        self.notes: Mapping[str, object] = {}
        self.turn: int | None = None
        self.session: str | None = None


def begun(key: str) -> Held:
    return Held(key)


class Replies:
    """Safe for several threads, as long as a session is with one of them at a time."""

    def __init__(
        self,
        services: Services,
        template: Template,
        values: Mapping[str, Value],
        shared: SharedOptions,
        form: Form,
    ) -> None:
        self._services = services
        self._template = template
        self._seed = values.get("seed")
        self._values = {name: value for name, value in values.items() if name != "seed"} | {"dice": False}
        self._shared = shared._replace(no_stream=True)
        self._form = form
        self._how = answer.showing(shared)
        self._budget = services.budget(shared.max_requests, shared.max_cost)
        self._is_recorded = not shared.no_log and services.settings.boolean("log")
        self._stores = services.stores(template)
        self._means = services.means(services.format(template), self._model, self._budget, self._how.verbose)
        _ = services.rejections, services.prices  # each is made once, before the workers
        self._store = services.history if self._is_recorded else None

    @property
    def _model(self) -> str:
        return str(self._shared.model or self._template.model or self._services.settings.text("model"))

    def reply(self, held: Held, asked: Event) -> Mapping[str, object]:
        """The reply, which the session remembers; raises GptkitError, and then it does not."""
        notes = self._noted(held, asked)
        invocation = self._invocation(asked.player)._replace(notes=notes)
        self._trim(held, invocation)
        try:
            found = self._recorded(held, asked, invocation)
        except TooLong:
            if not held.past:
                raise
            held.past = held.past[len(held.past) // 2 + 1 :]
            found = self._recorded(held, asked, invocation)
        held.past.append(Past(asked.player, found.value))
        held.notes = found.outcome.notes
        if self._form.is_own:
            return found.value
        return {**found.value, "state": held.notes.get("state", {})}

    def _noted(self, held: Held, asked: Event) -> Mapping[str, object]:
        """What the session keeps, with what the game says about the world."""
        notes = dict(held.notes)
        if not notes and isinstance(self._seed, int):
            notes["dice"] = [Dice(self._seed ^ seed_of(held.key)).seed, 0]
        if asked.state is not None:
            if fault := npc.state_fault(asked.state, self._form.variables):
                raise DataFault(f"line {asked.number}: {fault}")
            before = notes.get("state")
            kept = before if self._form.variables and isinstance(before, Mapping) else {}
            notes["state"] = {**kept, **asked.state}
        return notes

    def _invocation(self, player: str) -> Invocation:
        given = Given(player, "", (("words", player),), self._values)
        return invoking.invocation(self._services, self._template, given, self._shared, self._how)

    def _trim(self, held: Held, invocation: Invocation) -> None:
        """Forget the oldest exchanges where there are too many, or more than the window has room for."""
        held.past = held.past[-EXCHANGES:]
        sizes = [sum(estimate(one.content) + 4 for one in past.messages) for past in held.past]
        window = self._services.window(invocation.model, sum(sizes))
        while window is not None and sizes and sum(sizes) > window * SHARE:
            del held.past[0], sizes[0]

    def _recorded(self, held: Held, asked: Event, invocation: Invocation) -> Replied:
        keeper = _Keeper(self._services, Share(self._budget), self._how)
        means = self._means._replace(budget=keeper.budget, stores=self._stores)
        turns = tuple(message for past in held.past for message in past.messages)
        invocation = invocation._replace(turns=turns)
        record = self._record(keeper, held, asked, invocation, means)
        try:
            found = self._replied(record, held, invocation, means)
        finally:
            self._follow(held, record.turn)
        held.turn = record.turn if record.turn is not None else held.turn
        return found

    def _replied(self, record: Record, held: Held, invocation: Invocation, means: Means) -> Replied:
        with record:
            found = npc.replied(invocation, means, self._form, [past.reply for past in held.past])
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
        self, keeper: _Keeper, held: Held, asked: Event, invocation: Invocation, means: Means
    ) -> Record:
        if not self._is_recorded:
            return Record(keeper, None, None)
        sent = request(invocation, means.format)
        found = opening(self._services, invocation, sent, held.session, held.turn)
        found = found._replace(request={**found.request, "words": asked.player, "npc": asked.session})
        return Record(keeper, found, self._services.journal)

    def _follow(self, held: Held, turn: int | None) -> None:
        """All exchanges of a session of the game are one session of the history, failures too."""
        if turn is None or held.session is not None or self._store is None:
            return
        with suppress(GptkitError):  # the next exchange begins another one
            stored = self._store.turn(turn)
            held.session = stored.session if stored else None


class _Keeper:
    def __init__(self, services: Services, budget: Budget, how: answer.Showing) -> None:
        self.services = services
        self.budget = budget
        self.how = how

    @property
    def store(self) -> Store:
        return self.services.history
