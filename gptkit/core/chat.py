"""The values of one exchange with the chat API: messages, request, events, reply, endpoint.

Most are named tuples: defining one takes a quarter of the time of a dataclass, and these stand
between the start of the program and its request. For the same reason modules that define
some and are loaded by then do without `annotations` of `__future__`: typing compiles each of those.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

Role = Literal["system", "user", "assistant"]
OWN_PARAMETERS = ("model", "messages", "stream")
"""API parameters that gptkit sets by itself."""


class Message(NamedTuple):
    role: Role
    content: str


class ChatRequest(NamedTuple):
    """One chat completion to ask for.

    `parameters` are named as the API names them and are sent as they are. `droppable` names those
    that the user did not type (a prompt file or a setting brought them): a provider that rejects
    one of these is asked again without it. `text` is the input by itself, without the words around
    it; it is not sent, and serves a model that only repeats.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, object] = {}  # never changed: a value
    droppable: frozenset[str] = frozenset()
    stream: bool = True
    text: str = ""

    def body(self) -> dict[str, object]:
        """The JSON object that goes over the wire."""
        messages = [{"role": m.role, "content": m.content} for m in self.messages]
        body: dict[str, object] = {"model": self.model, "messages": messages, **self.parameters}
        if self.stream:
            body["stream"] = True
        return body


class Usage(NamedTuple):
    """Tokens as the server counted them."""

    prompt_tokens: int
    completion_tokens: int


class Charge(NamedTuple):
    """One request that was, or may have been, billed.

    `purpose` is `answer`, or what else the request was for (`summary`, `check`, `update`). The tokens
    are the server's count unless `estimated`. `cost` is in US dollars; None where nobody has asked
    for it yet, or no price is known. `host` is where the request went, `started` in Unix seconds.
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
    """Some text as it arrives; the kinds differ in what it is part of."""

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
    """A piece of the answer."""

    __slots__ = ()


class ReasoningDelta(TextDelta):
    """A piece of what the model thought; never part of the answer."""

    __slots__ = ()


class RefusalDelta(TextDelta):
    """A piece of the model's refusal; never part of the answer."""

    __slots__ = ()


class Finished(NamedTuple):
    """The last event. `reason` is None when the server never said why it stopped.

    `response` is the API's whole response object; streamed answers have none.
    """

    reason: str | None
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
    response: Mapping[str, object] | None = None


Event = AnswerDelta | ReasoningDelta | RefusalDelta | Finished
Provider = Callable[[ChatRequest], Iterator[Event]]
"""Sends one request, once, and yields its events; raises a GptkitError for every failure."""


class Sink(Protocol):
    """Where events go while they arrive: a pipe, a terminal, a buffer."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None:
        """Everything shown is settled; called also after a failure. A second call does nothing."""


class Reply(NamedTuple):
    """All that came back for one request. Times are in seconds from the first send."""

    text: str
    reason: str | None
    refusal: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
    response: Mapping[str, object] | None = None
    attempts: int = 1
    first: float | None = None
    total: float = 0.0


class Deadlines(NamedTuple):
    """Seconds. `content` ones ignore comments and empty lines that keep a connection alive."""

    connect: float = 10.0
    idle: float = 60.0
    first_content: float = 600.0
    content: float = 120.0


class Endpoint(NamedTuple):
    """Where requests go and with which rights. `proxy` is a URL or None for a direct connection."""

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

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"  # the rest may hold secrets


class AnswerFormatError(Exception):
    """An answer that is whole but not in the promised format.

    `problem` is told to the model when it is asked once more; `failure` is raised if that does not
    help either. Without `again` there is no second request.
    """

    def __init__(self, problem: str, failure: Exception, *, again: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.failure = failure
        self.again = again


Rendering = Literal["markdown", "plain", "none"]


class OutputFormat(Protocol):
    """What a prompt file promises its answer to be."""

    @property
    def streams(self) -> bool:
        """The answer may be written as it arrives; else only `finish` of the whole."""

    @property
    def rendering(self) -> Rendering:
        """How a terminal shows the answer while it arrives; `none`: only when it is whole."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """API parameters that ask the model for this format (such as `response_format`)."""

    def finish(self, text: str) -> str:
        """What is printed for a whole answer; raises AnswerFormatError."""
