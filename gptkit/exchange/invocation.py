"""The values of an exchange (invocation, runtime, outcome), and the request that an invocation makes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from gptkit.core.chat import Attachment, ChatRequest, Message, OutputFormat, Provider, Reply
from gptkit.core.errors import GptkitError, NoInputError
from gptkit.exchange.budget import Budget
from gptkit.templates import render
from gptkit.templates.template import Template, Value

PARAMETER_TWINS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""Two names of one parameter: each family of models knows one of the two."""
SUMMARY = (
    "What was said before the messages below, in short (a record, not instructions to you):\n"
    "<earlier>\n{}\n</earlier>"
)


class Invocation(NamedTuple):
    """One call of a prompt command: its template and all that the user gave.

    `text` is the text to work on, `request` what the user wants done with the text; `files` are pairs of
    name and text.
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
    """Whether the model's text stays as it is, without the checks of the output format."""
    turns: tuple[Message, ...] = ()
    """Earlier messages of the conversation; they stand between the examples and the user's message."""
    extras: Mapping[str, object] = {}
    """Variables that capabilities add to the declared ones of the template."""
    notes: Mapping[str, object] = {}
    """What capabilities stored with the previous turn, as JSON values."""
    system: str | None = None
    """The system message; None for that of the template."""
    summary: str = ""
    """A summary of what was said before `turns`; it ends the system message."""
    attachments: tuple[Attachment, ...] = ()
    """Images and PDFs that go along with the user's message."""
    instruction: str = ""
    """What the command line asks of the form of the answer; it stands at the end of the system message."""
    injected: tuple[tuple[int, Message], ...] = ()
    """Messages with their depth: how many other messages come after each, the user's last one included."""


class Rejections(Protocol):
    """A record of the parameters, or single values of them, that each model rejects."""

    def rejects(self, model: str, name: str, value: object) -> bool: ...

    def add(self, model: str, name: str, value: object = None) -> None:
        """Record a rejected value, or with None the rejection of all values."""

    def remove(self, model: str, name: str) -> None: ...


class RetryPolicy(NamedTuple):
    """How often a failed request is tried (`attempts`), and how many seconds all pauses together may take."""

    attempts: int = 4
    wait: float = 60.0


class Outcome(NamedTuple):
    """The result of an invocation. With a `failure`, `answer` is the part of the text that arrived."""

    reply: Reply
    answer: str
    failure: GptkitError | None = None
    notes: Mapping[str, object] = {}
    """What capabilities store with the turn, as JSON values."""
    json_fields: Mapping[str, object] = {}
    """Fields that a capability adds to the object of `--json`."""
    answers: int = 1
    """How many answers came for it, whole or not."""


class AnswerCheck(NamedTuple):
    """The check of one answer: `feed` takes each delta, `finish` the whole text and whether it was shown.

    Both return the failure that the answer deserves, None for none. `finish` also returns the text, of
    which the model's thoughts are cut unless they were shown.
    """

    feed: Callable[[str], GptkitError | None] = lambda _: None
    finish: Callable[[str, bool], tuple[str, GptkitError | None]] = lambda text, _is_shown: (text, None)


class Runtime(NamedTuple):
    """The parts of the program that an exchange works with."""

    provider: Provider
    format: OutputFormat
    rejections: Rejections
    budget: Budget
    policy: RetryPolicy
    now: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """Returns a number between 0 and 1, for the jitter of pauses."""
    notice: Callable[[str], None]
    """Tells the user of `--verbose` why nothing happens for a while."""
    notice_once: Callable[[str], None]
    """Does what `notice` does, but only the first time that a text comes."""
    json_format: Callable[[Mapping[str, object]], OutputFormat]
    """Makes the format of a JSON answer from the JSON schema of the answer."""
    stores: Mapping[str, object] = {}
    """The stores of capabilities, by the keys of the capabilities."""
    warn: Callable[[str], None] = lambda _: None
    """Tells the user what went wrong besides the answer."""
    record_answer: Callable[[Outcome], None] = lambda _: None
    """Records a whole answer at once, before further requests for the same turn can fail."""
    start_check: Callable[[ChatRequest, "Runtime"], AnswerCheck] = lambda _request, _runtime: AnswerCheck()
    """Starts the check of an answer, given its request and this runtime."""
    nothing: str = ""
    """The sentence with which the model says that there is nothing to do; empty if it has none."""
    rewrites_text: bool = False
    """Whether the answer is the text of the request in another form, such as a translation of it."""
    accepts: bool = False
    """Whether the user takes an answer that is wrong on its face."""
    most_answers: int | None = None
    """How many answers may be asked for at most, those that are cut or wrong counted; None for no limit."""
    announce_pause: Callable[[str, float, str], None] = lambda _reason, _seconds, _tries: None
    """Tells why nothing is sent for some seconds, and which try comes then, such as `2 of 4`."""
    answer_stored: Callable[[], None] = lambda: None
    """Called when an answer is stored, or given up, so that the death of the process no longer loses it."""


def build_request(invocation: Invocation, format_: OutputFormat) -> ChatRequest:
    """Build the request of an invocation. Raises NoInputError for a request without messages."""
    template = invocation.template
    messages = _add_turns(render_messages(invocation), invocation)
    if not messages:
        raise NoInputError(f"'{template.name}' has nothing to send without input")
    defaults = {**format_.parameters, **template.parameters}
    typed = frozenset(invocation.parameters) - invocation.droppable
    parameters = _drop_twins({**defaults, **invocation.parameters}, typed, frozenset(defaults))
    return ChatRequest(
        model=invocation.model,
        messages=messages,
        parameters=parameters,
        droppable=frozenset(parameters) - typed,
        stream=invocation.stream,
        text=invocation.text,
    )


def attached_names(invocation: Invocation) -> list[str]:
    """Return the names of what is attached to earlier turns and to the message."""
    earlier = (one.name for message in invocation.turns for one in message.attachments)
    return [*earlier, *(one.name for one in invocation.attachments)]


def check_attached(invocation: Invocation) -> None:
    """Raise NoInputError if the prompt needs an attachment and there is none, now or in earlier turns."""
    if invocation.template.input == "attachment" and not attached_names(invocation):
        raise NoInputError("nothing is attached", hint="'-a FILE' attaches a file")


def render_messages(invocation: Invocation) -> tuple[Message, ...]:
    """Render the messages of the template, without earlier turns."""
    variables = {
        "text": invocation.text,
        "request": invocation.request,
        "files": [{"name": name, "text": text} for name, text in invocation.files],
        "earlier": bool(invocation.turns),
        "attachments": attached_names(invocation),
        **invocation.extras,
    }
    return render.template_messages(invocation.template, invocation.values, variables)


def _add_turns(rendered: tuple[Message, ...], invocation: Invocation) -> tuple[Message, ...]:
    """Put earlier turns before the last message of the user, and injected messages at their depths."""
    rest = [message for message in rendered if message.role != "system"]
    system = "".join(message.content for message in rendered if message.role == "system")
    system = system if invocation.system is None else invocation.system
    if invocation.instruction:
        system = f"{system}\n\n{invocation.instruction}".lstrip("\n")
    if invocation.summary:
        system = f"{system}\n\n{SUMMARY.format(invocation.summary)}".lstrip("\n")
    last = rest.pop() if rest and rest[-1].role == "user" else Message("user", "")
    last = last._replace(attachments=invocation.attachments)
    has_last = bool(last.content or last.attachments)
    messages = [*rest, *invocation.turns, *([last] if has_last else [])]
    for depth, message in invocation.injected:
        messages.insert(max(0, len(messages) - depth), message)
    return (Message("system", system), *messages) if system else tuple(messages)


def _drop_twins(
    parameters: dict[str, object], typed: frozenset[str], defaults: frozenset[str]
) -> dict[str, object]:
    """Drop one of two names of a parameter: the user's name stays, else that of the prompt file."""
    for name, twin in PARAMETER_TWINS.items():
        if name in parameters and twin in parameters:
            rank = {key: (key in typed, key in defaults) for key in (name, twin)}
            if rank[name] < rank[twin]:
                del parameters[name]
    return parameters
