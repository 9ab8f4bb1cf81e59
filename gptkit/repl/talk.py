"""A conversation at the prompt loop: each message is an exchange that continues the earlier ones."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import Message
from gptkit.core.errors import GptkitError, NoInputError, SignalError
from gptkit.session.conversation import NEWEST, NOTE_TURNS, Conversation
from gptkit.session.input import PromptInput, read_text_file
from gptkit.templates import render
from gptkit.templates.template import Template, Value

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.chat import Attachment
    from gptkit.exchange.capability import Greeting
    from gptkit.history.model import Session, Summary, Turn
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions


class Status(NamedTuple):
    """What the status line shows: tokens of the latest request and answer, the context window of the model,
    US dollars spent, and their limit. None for unknown."""

    model: str
    tokens: int
    window: int | None
    cost: float | None
    limit: float | None
    estimated: bool


class _TokenCount(NamedTuple):
    """The tokens of a conversation up to a turn, and the number of charges at that time."""

    turn: int | None
    tokens: int
    charges: int


class Talk:
    """A conversation at the prompt loop. Failures of exchanges are reported on standard error, not raised."""

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
        self._attachments: list[Attachment] = []
        self._asides: list[str] = []
        self._token_count = _TokenCount(None, 0, 0)

    @property
    def session(self) -> Session | None:
        """The stored session; None before the first message of a new conversation."""
        return self._conversation.session

    @property
    def values(self) -> Mapping[str, Value]:
        """The values of the options of the prompt file."""
        return self._values

    def set_option(self, variable: str, value: Value) -> None:
        """Set an option for the messages that follow."""
        self._values[variable] = value

    @property
    def greeting(self) -> Greeting | None:
        """The first message of the assistant; it is stored together with the user's first message."""
        return self._conversation.greeting

    @greeting.setter
    def greeting(self, greeting: Greeting | None) -> None:
        self._conversation.greeting = greeting

    def restart(self, greeting: Greeting | None) -> None:
        """Go back to before the first message; the turns stay stored."""
        self._conversation.go_back(None)
        self._conversation.greeting = greeting

    def notes(self) -> Mapping[str, object]:
        """What capabilities stored with the last turn."""
        return self._conversation.notes()

    def add_aside(self, text: str) -> None:
        """Put a text at the beginning of the next message."""
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
        """Whether the thoughts of the model are shown."""
        return self._conversation.display.reasoning

    @reasoning.setter
    def reasoning(self, is_shown: bool) -> None:
        self._conversation.display = self._conversation.display._replace(reasoning=is_shown)

    @property
    def last(self) -> Turn | None:
        return next(iter(self._conversation.turns()), None)

    def send_message(self, text: str, files: Sequence[Path] = ()) -> int:
        """Send a message, show its answer and store both; returns the exit code of a single exchange."""
        for path in files:
            self.attach(path)
        attached, self._attached = self._attached, []
        asides, self._asides = self._asides, []
        attachments, self._attachments = tuple(self._attachments), []
        return self._send_and_show("\n".join([*asides, text]), attached, NEWEST, attachments)

    def attach(self, path: Path) -> str:
        """Attach the text of a file to the next message; returns the name of the file.

        Raises as `-f` does.
        """
        name, text = read_text_file(str(path), self._conversation.shared.encoding)
        self._attached.append((name, text))
        return name

    def add_attachment(self, source: str) -> Attachment:
        """Attach an image or a PDF to the next message. Raises as `-a` does."""
        from gptkit.session.attachments import check_attachments, read_attachments

        check_attachments([source], self.template)
        attachment = read_attachments([source], self.template, self.services.terminal)[0]
        self._attachments.append(attachment)
        return attachment

    def turns(self, limit: int) -> tuple[Turn, ...]:
        """Return the newest turns of the conversation, at most `limit`, the oldest of them first."""
        return tuple(islice(self._conversation.turns(), limit))[::-1]

    def undo(self) -> Turn | None:
        """Go back to before the last turn and return it; the turn stays stored on its own branch."""
        last = self.last
        if last is not None:
            self._conversation.go_back(last.parent)
        return last

    def retry(self) -> int:
        """Ask for another answer to the last message; the first answer stays stored on its own branch."""
        last = self.last
        if last is None:
            raise NoInputError("there is no message yet")
        return self._send_and_show(*typed_message(last), last.parent, self._attachments_of(last))

    def edit(self, text: str) -> int:
        """Send a text in place of the last message; the last turn stays stored on its own branch."""
        last = self.last
        if last is None:
            return self._send_and_show(text, [], None)
        return self._send_and_show(text, typed_message(last)[1], last.parent, self._attachments_of(last))

    def fork(self, name: str) -> Session:
        """Continue in a new session that has all turns of this one."""
        return self._conversation.fork(name)

    def system(self, text: str | None = None) -> str:
        """Return the system message; with a text, set it first."""
        if text is not None and (option := self.template.system_option):
            self.set_option(option.variable, text)
        elif text is not None:
            self._conversation.system = text
        _, sent = self._conversation.next_request(self._make_input("...", []))
        return "".join(message.content for message in sent.messages if message.role == "system")

    def summary(self) -> Summary | None:
        """Return the summary that replaces the oldest turns; None without one."""
        return self._conversation.summary()

    def status(self) -> Status:
        """Return the status of the conversation; this sends nothing, but may load prices."""
        conversation = self._conversation
        cost, estimated = conversation.cost()
        limit = min((cap.dollars_left for cap in conversation.budget.caps), default=None)
        return Status(
            self.model, self._tokens(), self.services.context_window(self.model), cost, limit, estimated
        )

    def _tokens(self) -> int:
        """Tokens of the latest request and answer that are part of the conversation."""
        conversation, before = self._conversation, self._token_count
        charges = len(conversation.budget.charges)
        try:
            last = self.last
            turn = last.id if last else None
            if charges != before.charges:
                self._token_count = _TokenCount(turn, conversation.token_count(), charges)
            elif turn != before.turn:
                self._token_count = _TokenCount(turn, self._recorded_tokens(), charges)
        except GptkitError:  # a damaged history is reported where it is needed
            return conversation.token_count()
        return self._token_count.tokens

    def _recorded_tokens(self) -> int:
        from gptkit.history.query import exchange_tokens

        with self._conversation.store.reading() as connection:
            counts = (
                exchange_tokens(connection, turn.id)
                for turn in islice(self._conversation.turns(), NOTE_TURNS)
            )
            return next((tokens for tokens in counts if tokens is not None), 0)

    def _attachments_of(self, turn: Turn) -> tuple[Attachment, ...]:
        """Read the attachments of a turn again."""
        from gptkit.exchange.context import stored_attachments
        from gptkit.session.attachments import reload_attachments

        stored = Message("user", "", attachments=stored_attachments(turn.request))
        return reload_attachments([stored], self.services.terminal, self._conversation.warn)[0].attachments

    def _send_and_show(
        self,
        text: str,
        files: list[tuple[str, str]],
        parent: int | None,
        attachments: tuple[Attachment, ...] = (),
    ) -> int:
        terminal = self.services.terminal
        try:
            with terminal.echo_off():
                outcome = self._conversation.exchange(
                    self._make_input(text, files)._replace(attachments=attachments),
                    parent,
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

    def _make_input(self, text: str, files: list[tuple[str, str]]) -> PromptInput:
        """Make the input of a message; words beside files are the request about the files."""
        whole = "\n".join(file_text.removesuffix("\n") for _, file_text in files)
        if not files:
            return PromptInput(text, "", (("words", text),) if text else (), self._values)
        if not text or render.uses_variable(self.template, "request"):
            return PromptInput(whole, text, tuple(files), self._values)
        return PromptInput(f"{text}\n\n{whole}", "", tuple(files), self._values)


def typed_message(turn: Turn) -> tuple[str, list[tuple[str, str]]]:
    """Return what the user typed for a turn, and the files that were attached."""
    typed = turn.request.get("words")
    files = turn.request.get("attached")
    if not isinstance(typed, str):
        return turn.user, []
    pairs = files if isinstance(files, list) else []
    return typed, [
        (str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2
    ]
