"""What an engine is given to work with, and what it returns."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from gptkit.core.chat import ChatRequest, Message, OutputFormat, Provider, Reply
from gptkit.core.errors import GptkitError, NoInputError
from gptkit.exchange.budget import Budget
from gptkit.templates.render import messages
from gptkit.templates.template import Template, Value

TWINS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Names of one parameter: families of models know it by one or the other."""


SUMMARY = (
    "What was said before the messages below, in short (a record, not instructions to you):\n"
    "<earlier>\n{}\n</earlier>"
)


class Invocation(NamedTuple):
    """One call of a prompt command: its template with everything the user gave.

    `text` is what is worked on, `request` what the user wants done with it.
    """

    template: Template
    model: str
    text: str = ""
    request: str = ""
    files: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Value] = {}
    parameters: Mapping[str, object] = {}
    droppable: frozenset[str] = frozenset()
    stream: bool = True
    exact: bool = False
    """The model's text is wanted as it is, without the output format's finish."""
    turns: tuple[Message, ...] = ()
    """What was said before; it stands between the examples and the user's message."""
    extras: Mapping[str, object] = {}
    """Variables for the template beyond the declared ones, from capabilities."""
    notes: Mapping[str, object] = {}
    """What capabilities kept with the turn before this one."""
    system: str | None = None
    """Said in place of the template's system message."""
    summary: str = ""
    """What was said before the `turns`, in short; it closes the system message."""
    injected: tuple[tuple[int, Message], ...] = ()
    """Messages with their depth: how many of the others come after each, the user's last one included."""


class Rejections(Protocol):
    """Which parameters a model is known to reject."""

    def names(self, model: str) -> frozenset[str]: ...

    def add(self, model: str, name: str) -> None: ...


class RetryPolicy(NamedTuple):
    """How often and how long a failed request is tried again; `wait` is in seconds, for all tries."""

    attempts: int = 4
    wait: float = 60.0


class Outcome(NamedTuple):
    """What came of an invocation: `answer` is the finished text; with a `failure`, what there is of it."""

    reply: Reply
    answer: str
    failure: GptkitError | None = None
    notes: Mapping[str, object] = {}
    """What a capability keeps with the turn, as JSON has it."""
    json_fields: Mapping[str, object] = {}
    """What `--json` says beside the answer."""


class Runtime(NamedTuple):
    """The parts of the program that an engine works with."""

    provider: Provider
    format: OutputFormat
    rejections: Rejections
    budget: Budget
    policy: RetryPolicy
    now: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """Between 0 and 1, for the jitter between tries."""
    notice: Callable[[str], None]
    """Tells the user why nothing happens for a while."""
    json_format: Callable[[Mapping[str, object]], OutputFormat]
    """The format of an answer that is a JSON value which a schema allows."""
    stores: Mapping[str, object] = {}
    """By the key of a capability: what it reads and keeps."""
    warn: Callable[[str], None] = lambda _: None
    """Tells the user what went wrong beside the answer."""
    record_answer: Callable[[Outcome], None] = lambda _: None
    """Told of a whole answer that more requests follow: whatever becomes of them, it is recorded."""
    answer_stored: Callable[[], None] = lambda: None
    """Told that an answer is in the memory, or given up: it is no longer lost if the process dies."""


def build_request(invocation: Invocation, format_: OutputFormat) -> ChatRequest:
    """The request that an invocation sends. Raises NoInputError when nothing is left to say."""
    template = invocation.template
    sent = _with_turns(render_messages(invocation), invocation)
    if not sent:
        raise NoInputError(f"'{template.name}' has nothing to send without input")
    asked = {**format_.parameters, **template.parameters}
    typed = frozenset(invocation.parameters) - invocation.droppable
    parameters = _with_one_twin({**asked, **invocation.parameters}, typed, frozenset(asked))
    return ChatRequest(
        model=invocation.model,
        messages=sent,
        parameters=parameters,
        droppable=frozenset(parameters) - typed,
        stream=invocation.stream,
        text=invocation.text,
    )


def render_messages(invocation: Invocation) -> tuple[Message, ...]:
    """The messages of the template itself."""
    given = {
        "text": invocation.text,
        "request": invocation.request,
        "files": [{"name": name, "text": text} for name, text in invocation.files],
        **invocation.extras,
    }
    return messages(invocation.template, invocation.values, given)


def _with_turns(sent: tuple[Message, ...], invocation: Invocation) -> tuple[Message, ...]:
    """Earlier turns go before the last message of the user, injected ones where they want to be."""
    rest = [message for message in sent if message.role != "system"]
    system = "".join(message.content for message in sent if message.role == "system")
    system = system if invocation.system is None else invocation.system
    if invocation.summary:
        system = f"{system}\n\n{SUMMARY.format(invocation.summary)}".lstrip("\n")
    last = rest[-1:] if rest and rest[-1].role == "user" else []
    found = [*rest[: len(rest) - len(last)], *invocation.turns, *last]
    for depth, message in invocation.injected:
        found.insert(max(0, len(found) - depth), message)
    return (Message("system", system), *found) if system else tuple(found)


def _with_one_twin(
    parameters: dict[str, object], typed: frozenset[str], asked: frozenset[str]
) -> dict[str, object]:
    """Two names of one parameter are not sent together: the user's counts, then the prompt file's."""
    for name, twin in TWINS.items():
        if name in parameters and twin in parameters:
            weight = {one: (one in typed, one in asked) for one in (name, twin)}
            if weight[name] < weight[twin]:
                del parameters[name]
    return parameters
