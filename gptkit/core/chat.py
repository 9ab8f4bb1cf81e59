"""The values of one exchange with the chat API: messages, request, events, reply, endpoint.

Most are named tuples: Python defines one in a quarter of the time that a dataclass takes, and every run
loads this module before its request. Modules that define named tuples and are loaded before the request do
not import `annotations` from `__future__`: typing would then compile each annotation of a named tuple.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

Role = Literal["system", "user", "assistant", "tool"]
TOOLS = "tools"
"""The API parameter that offers tools to the model."""
OWN_PARAMETERS = ("model", "messages", "stream", TOOLS)
"""API parameters that gptkit sets by itself, and that no user may set."""
STREAM = "stream"
SYSTEM_ROLE = "role: system"
"""The name, beside those of API parameters, of what a server rejects that knows no system messages."""
STREAM_OPTIONS = "stream_options"
"""The API parameter that asks for the usage of a streamed answer; no answer depends on it."""


class ToolCall(NamedTuple):
    """A call of a tool that the model asks for; nothing is done by it.

    `arguments` is the JSON text of the model, which may be broken.
    """

    id: str
    name: str
    arguments: str


class Attachment(NamedTuple):
    """An image or a PDF that goes along with a message.

    `source` is an absolute path, `-` for standard input, or a URL, which the server fetches. `type` is the
    media type and `sha256` the hash of the content, both empty for a URL; `size` is in bytes, `tokens` are
    estimated. `url` is a `data:` URL with the content, or the URL; empty where the content is not loaded.
    """

    name: str
    source: str
    type: str
    size: int
    sha256: str
    tokens: int
    url: str = ""

    def body(self) -> dict[str, object]:
        """The part of a message's content that is sent to the API."""
        if self.type == PDF:
            return {"type": "file", "file": {"filename": self.name, "file_data": self.url}}
        return {"type": "image_url", "image_url": {"url": self.url}}

    @property
    def description(self) -> str:
        """What is shown in place of the content."""
        return f"<{self.type}, {self.size:,} bytes>" if self.type else self.url

    def record(self) -> dict[str, object]:
        """What the history stores: all but the content."""
        return {name: value for name, value in self._asdict().items() if name != "url"}


PDF = "application/pdf"


class Message(NamedTuple):
    """A message of a conversation.

    `calls` are the calls of tools that an assistant's message asks for; `answers` is the id of the call whose
    output a message of the role `tool` holds.
    """

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""
    attachments: tuple[Attachment, ...] = ()

    def body(self) -> dict[str, object]:
        """The JSON object that is sent to the API."""
        if self.attachments:
            text = [{"type": "text", "text": self.content}] if self.content else []
            return {"role": self.role, "content": [*(one.body() for one in self.attachments), *text]}
        if self.answers:
            return {"role": self.role, "tool_call_id": self.answers, "content": self.content}
        if not self.calls:
            return {"role": self.role, "content": self.content}
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in self.calls
        ]
        return {"role": self.role, "content": self.content or None, "tool_calls": calls}


def delimit(text: str, name: str, /, **attributes: str) -> str:
    """Put a text between two lines that the text cannot hold: both have 16 hex digits of its SHA-256.

    The same text makes the same request, which memories, batches and the caches of providers find again.
    What could end the first line is replaced by `_` in attributes.
    """
    import re

    from gptkit.core.hashing import sha256

    digits = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    unsafe = re.compile(r'["<>\x00-\x1f\x7f-\x9f\u2028\u2029]')
    shown = "".join(f' {key}="{unsafe.sub("_", value)}"' for key, value in attributes.items())
    return f"<{name} {digits}{shown}>\n{text}\n</{name} {digits}>"


def without_delimiters(text: str) -> str:
    """Leave out the lines that `delimit` put around texts, such as for a list; a text may be cut."""
    import re

    return re.sub(r'</?[a-z][\w-]* [0-9a-f]{16}(?: [\w-]+="[^"<>]*")*>\n?', "", text)


class ChatRequest(NamedTuple):
    """A request for one chat completion.

    `parameters` have the names of the API and are sent unchanged. `droppable` names the parameters that a
    prompt file or a setting brought, not the command line: a request is repeated without a droppable
    parameter that the provider rejects. `text` is the input without the prompt around the input; it is
    not sent, but returned by the offline model `echo`. A `patient` request lets the server be silent for as
    long as before a first word. The last `messages_about_answers` messages are answers to the other messages
    and what was said about them.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, object] = {}  # safe as a default: nobody changes it
    droppable: frozenset[str] = frozenset()
    stream: bool = True
    text: str = ""
    patient: bool = False
    messages_about_answers: int = 0

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The messages without answers to them that were to be corrected or continued."""
        return self.messages[: len(self.messages) - self.messages_about_answers]

    def body(self) -> dict[str, object]:
        """The JSON object that is sent to the API."""
        messages = [message.body() for message in self.messages]
        body: dict[str, object] = {"model": self.model, "messages": messages, **self.parameters}
        if self.stream:
            body["stream"] = True
        return body

    def without_content_of_attachments(self) -> "ChatRequest":
        """A copy of the request to show: type and size stand in place of what the attachments hold."""
        return self._replace(
            messages=tuple(
                message._replace(
                    attachments=tuple(one._replace(url=one.description) for one in message.attachments)
                )
                for message in self.messages
            )
        )

    def with_turn(self, answer: str, prompt: str) -> "ChatRequest":
        """A copy of the request with two more turns: an answer of the model and a prompt about the answer."""
        messages = (*self.messages, Message("assistant", answer), Message("user", prompt))
        return self._replace(messages=messages, messages_about_answers=self.messages_about_answers + 2)

    def without_streaming(self) -> "ChatRequest":
        """A copy of the request that asks for the whole answer in one response."""
        parameters = {name: value for name, value in self.parameters.items() if name != STREAM_OPTIONS}
        return self._replace(stream=False, parameters=parameters)

    def without_system_role(self) -> "ChatRequest":
        """A copy of the request whose system messages begin the messages of the user that follow them.

        What precedes an answer of the model becomes a message of the user, so that the roles alternate.
        """
        messages: list[Message] = []
        waiting: list[str] = []
        for message in (*self.messages, Message("assistant", "")):
            if message.role == "system":
                waiting.append(message.content)
                continue
            if message.role == "assistant" and waiting:
                before = messages.pop() if messages and messages[-1].role == "user" else Message("user", "")
                text = "\n\n".join([*filter(None, [before.content]), *waiting])
                messages.append(before._replace(content=text))
                waiting = []
            messages.append(message._replace(content="\n\n".join([*waiting, message.content])))
            waiting = []
        return self._replace(messages=tuple(messages[:-1]))


class Usage(NamedTuple):
    """The tokens of one exchange, as the server counted them."""

    prompt_tokens: int
    completion_tokens: int


class Charge(NamedTuple):
    """The tokens and the cost of one request that the provider billed, or may have billed.

    `purpose` is `answer`, `summary`, `check`, `update` or `judge`. The tokens are the server's count unless
    `estimated`. `cost` is in US dollars; None if the price is not looked up yet or not known. `host` is
    where the request was sent, `started` in Unix seconds.
    """

    model: str
    purpose: str
    host: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost: float | None
    started: float
    seconds: float


class TextDelta:
    """A piece of text from the server; its class says what the text is part of."""

    __match_args__ = ("text",)
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, TextDelta) and other.text == self.text

    def __hash__(self) -> int:
        return hash((type(self), self.text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


class AnswerDelta(TextDelta):
    """A piece of the answer's text."""

    __slots__ = ()


class ReasoningDelta(TextDelta):
    """A piece of the model's reasoning, which is never part of the answer."""

    __slots__ = ()


class RefusalDelta(TextDelta):
    """A piece of the model's refusal, which is never part of the answer."""

    __slots__ = ()


class Finished(NamedTuple):
    """The last event of an answer.

    `reason` is the API's finish reason, None if the server sent none. `response` is the API's whole
    response object, None for a streamed answer.
    """

    reason: str | None
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
    response: Mapping[str, object] | None = None


Event = AnswerDelta | ReasoningDelta | RefusalDelta | ToolCall | Finished
Provider = Callable[[ChatRequest], Iterator[Event]]
"""Send a request once and yield the events of its answer; raises a GptkitError for every failure."""


class Sink(Protocol):
    """A receiver of events as they arrive, such as a pipe, a terminal or a buffer."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None:
        """Write what is still held back, also after a failure. A second call does nothing."""


class SelectiveSink:
    """A sink that passes on a part of an answer; the request may be sent again until some of it is shown."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.has_shown = False

    def __call__(self, event: Event) -> None:
        """Pass the thoughts of the model on, and nothing else."""
        if isinstance(event, ReasoningDelta):
            self._sink(event)

    def close(self) -> None:
        """Leave the sink open: the answer is still to come."""

    def restart(self) -> bool:
        """Forget what has arrived, for another try; False if some of the answer was shown."""
        return not self.has_shown


class Reply(NamedTuple):
    """The whole answer to a request.

    `attempts` counts the requests that were sent. `first` and `total` are the seconds from the first of
    them to the first text and to the end.
    """

    text: str
    reason: str | None
    refusal: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
    response: Mapping[str, object] | None = None
    calls: tuple[ToolCall, ...] = ()
    attempts: int = 1
    first: float | None = None
    total: float = 0.0


class Deadlines(NamedTuple):
    """The seconds that a connection may take for each step.

    `idle` is the time without any byte. `first_content` and `content` are the times without text of the
    answer: comments and empty lines that keep a connection alive do not count. `end` is the time from the
    finish reason to the end of the stream.
    """

    connect: float = 10.0
    idle: float = 60.0
    first_content: float = 600.0
    content: float = 120.0
    end: float = 10.0

    def patient(self) -> "Deadlines":
        """A copy that lets the server be silent for as long as before a first word."""
        return self._replace(idle=max(self.idle, self.first_content))


class Endpoint(NamedTuple):
    """The server that requests are sent to, the key, and how to connect.

    `key_name` says in words where the key is, `key_hint` what to do about a key that is not accepted.
    `proxy` is a URL, None for a direct connection. With `lenient_finish` an answer without a finish
    reason counts as whole.
    """

    base_url: str
    key: str | None = None
    proxy: str | None = None
    ca_file: str | None = None
    ca_folder: str | None = None
    headers: Mapping[str, str] = {}
    organization: str | None = None
    project: str | None = None
    deadlines: Deadlines = Deadlines()
    lenient_finish: bool = False
    key_name: str = "the API key"
    key_hint: str = "store the right one with 'gptkit keys set'"

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"  # the other fields may hold secrets


class AnswerFormatError(Exception):
    """Raised for a whole answer that is not in the format of the prompt file.

    `problem` tells the model what to change when the request is repeated; `failure` is the error to raise
    if the second answer is wrong too. If `again` is False there is no second request.
    """

    def __init__(self, problem: str, failure: Exception, *, again: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.failure = failure
        self.again = again


Rendering = Literal["markdown", "plain", "none"]


class OutputFormat(Protocol):
    """The format that a prompt file declares for its answers."""

    @property
    def streams(self) -> bool:
        """Whether pieces of the answer may be written as they arrive; else only the result of `finish`."""

    @property
    def rendering(self) -> Rendering:
        """How a terminal shows the answer while it arrives; `none` shows nothing before the end."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """API parameters that ask the model for this format (such as `response_format`)."""

    def finish(self, text: str) -> str:
        """The text to print for a whole answer; raises AnswerFormatError."""
