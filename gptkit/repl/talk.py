"""One conversation with a prompt: each message is an exchange that knows the ones before it."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import GptkitError, NoInputError, SignalError
from gptkit.session.conversation import NEWEST, NOTED, Conversation
from gptkit.session.input import Given, content
from gptkit.templates import render
from gptkit.templates.template import Template, Value

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.exchange.capability import Greeting
    from gptkit.history.model import Session, Summary, Turn
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions


class Status(NamedTuple):
    """What a conversation weighs: tokens of its latest request and answer against the model's window,
    and US dollars against what may be spent. None where nobody knows."""

    model: str
    tokens: int
    window: int | None
    cost: float | None
    limit: float | None
    estimated: bool


class _Weight(NamedTuple):
    """The tokens of a conversation up to a turn, and how many requests had been paid for by then."""

    turn: int | None
    tokens: int
    charges: int


class Talk:
    """A conversation at a prompt loop. Failures are told on standard error, not raised."""

    def __init__(
        self,
        services: Services,
        template: Template,
        values: Mapping[str, Value],
        shared: SharedOptions,
        session: Session | None = None,
    ) -> None:
        self.services = services
        self.template = template
        self._values = dict(values)
        self._conversation = Conversation(services, template, shared, session, lasting=True)
        self._attached: list[tuple[str, str]] = []
        self._asides: list[str] = []
        self._weight = _Weight(None, 0, 0)

    @property
    def session(self) -> Session | None:
        """None before the first message of a new conversation."""
        return self._conversation.session

    @property
    def values(self) -> Mapping[str, Value]:
        """What the options of the prompt file are set to."""
        return self._values

    def choose(self, variable: str, value: Value) -> None:
        """Set an option for what follows."""
        self._values[variable] = value

    @property
    def greeting(self) -> Greeting | None:
        """What the assistant says first; it is stored with the first message that follows it."""
        return self._conversation.greeting

    @greeting.setter
    def greeting(self, greeting: Greeting | None) -> None:
        self._conversation.greeting = greeting

    def begin_again(self, greeting: Greeting | None) -> None:
        """Go back to before the first message; what was said is kept."""
        self._conversation.go_back(None)
        self._conversation.greeting = greeting

    def notes(self) -> Mapping[str, object]:
        """What capabilities have kept up to now."""
        return self._conversation.notes()

    def add_aside(self, text: str) -> None:
        """Tell this at the head of the next message."""
        self._asides.append(text)

    @property
    def is_recorded(self) -> bool:
        return self._conversation.is_recorded

    @property
    def model(self) -> str:
        return self._conversation.model

    @model.setter
    def model(self, name: str) -> None:
        self._conversation.shared = self._conversation.shared._replace(model=name)

    @property
    def reasoning(self) -> bool:
        """Whether what the model thinks is shown."""
        return self._conversation.how.reasoning

    @reasoning.setter
    def reasoning(self, wanted: bool) -> None:
        self._conversation.how = self._conversation.how._replace(reasoning=wanted)

    @property
    def last(self) -> Turn | None:
        return next(iter(self._conversation.chain()), None)

    def say(self, text: str, files: Sequence[Path] = ()) -> int:
        """Send a message, show its answer and keep both; returns the exit code that it would have."""
        for path in files:
            self.attach(path)
        attached, self._attached = self._attached, []
        asides, self._asides = self._asides, []
        return self._exchanged("\n".join([*asides, text]), attached, NEWEST)

    def attach(self, path: Path) -> str:
        """Send a file's text along with the next message; returns its name. Raises as `-f` does."""
        name, text = content(str(path), self._conversation.shared.encoding)
        self._attached.append((name, text))
        return name

    def turns(self, limit: int) -> tuple[Turn, ...]:
        """The newest turns of the conversation, the oldest of them first."""
        return tuple(islice(self._conversation.chain(), limit))[::-1]

    def undo(self) -> Turn | None:
        """Go back to before the last turn, which is kept but no longer part of the conversation."""
        last = self.last
        if last is not None:
            self._conversation.go_back(last.parent)
        return last

    def retry(self) -> int:
        """Ask for another answer to the last message; the one there was is kept on its own branch."""
        last = self.last
        if last is None:
            raise NoInputError("there is no message yet")
        return self._exchanged(*words(last), last.parent)

    def edit(self, text: str) -> int:
        """Send other words in place of the last message; what there was is kept on its own branch."""
        last = self.last
        return self._exchanged(text, words(last)[1] if last else [], last.parent if last else None)

    def fork(self, name: str) -> Session:
        """Go on in a new conversation that has all turns of this one."""
        return self._conversation.fork(name)

    def system(self, text: str | None = None) -> str:
        """The system message; with a text, that one from here on."""
        if text is not None:
            self._conversation.system = text
        _, sent = self._conversation.request(self._given("...", []))
        return "".join(message.content for message in sent.messages if message.role == "system")

    def summary(self) -> Summary | None:
        """What stands in for the oldest turns."""
        return self._conversation.summary()

    def status(self) -> Status:
        """Costs nothing but a look at prices, which are loaded when the first answer is there."""
        conversation = self._conversation
        cost, estimated = conversation.cost()
        limit = min((cap.dollars_left for cap in conversation.budget.caps), default=None)
        return Status(
            self.model, self._tokens(), self.services.context_window(self.model), cost, limit, estimated
        )

    def _tokens(self) -> int:
        """Of the latest request and answer that the conversation still has."""
        conversation, before = self._conversation, self._weight
        charges = len(conversation.budget.charges)
        try:
            last = self.last
            turn = last.id if last else None
            if charges != before.charges:
                self._weight = _Weight(turn, conversation.tokens(), charges)
            elif turn != before.turn:
                self._weight = _Weight(turn, self._recorded_tokens(), charges)
        except GptkitError:  # whoever needs what cannot be read says so
            return conversation.tokens()
        return self._weight.tokens

    def _recorded_tokens(self) -> int:
        from gptkit.history.query import exchange_tokens

        with self._conversation.store.reading() as connection:
            found = (
                exchange_tokens(connection, turn.id) for turn in islice(self._conversation.chain(), NOTED)
            )
            return next((tokens for tokens in found if tokens is not None), 0)

    def _exchanged(self, text: str, files: list[tuple[str, str]], after: int | None) -> int:
        terminal = self.services.terminal
        try:
            with terminal.echo_off():
                outcome = self._conversation.exchange(
                    self._given(text, files),
                    after,
                    {"words": text, "attached": [list(pair) for pair in files]},
                )
        except GptkitError as error:
            terminal.report(error)
            return error.code
        except SignalError as stop:
            if stop.number != signal.SIGINT:
                raise
            return 128 + stop.number
        if outcome.failure is None:
            return 0
        terminal.report(outcome.failure)
        return outcome.failure.code

    def _given(self, text: str, files: list[tuple[str, str]]) -> Given:
        """Words alone are what is worked on; beside files they say what to do with these."""
        whole = "\n".join(held.removesuffix("\n") for _, held in files)
        if not files:
            return Given(text, "", (("words", text),) if text else (), self._values)
        if not text or render.uses_variable(self.template, "request"):
            return Given(whole, text, tuple(files), self._values)
        return Given(f"{text}\n\n{whole}", "", tuple(files), self._values)


def words(turn: Turn) -> tuple[str, list[tuple[str, str]]]:
    """What the user typed for a turn, and the files that went with it."""
    typed = turn.request.get("words")
    files = turn.request.get("attached")
    if not isinstance(typed, str):
        return turn.user, []
    pairs = files if isinstance(files, list) else []
    return typed, [
        (str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2
    ]
