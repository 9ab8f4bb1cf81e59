"""The parts an engine works with, in memory: a provider told what to say, a clock that does not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gptkit.core.chat import (
    AnswerDelta,
    ChatRequest,
    Event,
    Finished,
    Message,
    OutputFormat,
    Rendering,
    Usage,
)
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import RetryPolicy, Runtime
from gptkit.output.json_format import JsonFormat

Answer = Sequence[Event | Exception | float]
"""What one request brings: events, seconds that pass in between, an exception that ends it."""
WHOLE: Answer = (AnswerDelta("whole "), AnswerDelta("answer"), Finished("stop"))


class Plain:
    """The format that promises nothing."""

    streams = True
    rendering: Rendering = "markdown"
    parameters: Mapping[str, object] = {}

    def finish(self, text: str) -> str:
        return text


@dataclass
class Parts:
    """The parts of a Runtime, which record what is done with them."""

    answers: list[Answer] = field(default_factory=list)
    format: OutputFormat = field(default_factory=Plain)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    requests: int | None = None
    chance: float = 1.0
    """What the random number is: 1 for the longest pauses."""
    known: dict[str, set[str]] = field(default_factory=dict)
    """The names of what each model is known to reject; `values` are what they were rejected with."""
    values: list[object] = field(default_factory=list)
    clock: float = 1000.0
    sent: list[ChatRequest] = field(default_factory=list)
    closed: int = 0
    pauses: list[float] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budget = Budget(self.requests)

    @property
    def runtime(self) -> Runtime:
        return Runtime(
            provider=self._provider,
            format=self.format,
            rejections=self,
            budget=self.budget,
            policy=self.policy,
            now=lambda: self.clock,
            sleep=self._sleep,
            random=lambda: self.chance,
            notice=self.notices.append,
            notice_once=self.notices.append,
            json_format=JsonFormat,
        )

    def rejects(self, model: str, name: str, value: object) -> bool:
        return name in self.known.get(model, ())

    def add(self, model: str, name: str, value: object = None) -> None:
        self.known.setdefault(model, set()).add(name)
        self.values.append(value)

    def remove(self, model: str, name: str) -> None:
        self.known.get(model, set()).discard(name)

    def _provider(self, request: ChatRequest) -> Iterator[Event]:
        self.sent.append(request)
        answer = self.answers.pop(0)
        try:
            for part in answer:
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, float):
                    self.clock += part
                else:
                    yield part
        finally:
            self.closed += 1

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock += seconds


class Shown:
    """A sink that keeps what it was shown, or does with it what it is told."""

    def __init__(self, act: Callable[[Event], None] = lambda _: None) -> None:
        self.events: list[Event] = []
        self._act = act

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._act(event)

    def close(self) -> None: ...

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, AnswerDelta))


def question(parameters: Mapping[str, object] | None = None, droppable: Sequence[str] = ()) -> ChatRequest:
    return ChatRequest("gpt-0", (Message("user", "why?"),), parameters or {}, frozenset(droppable))


def said(text: str, usage: Usage | None = None, request_id: str = "") -> Answer:
    """A whole answer in one piece."""
    return (AnswerDelta(text), Finished("stop", usage, request_id=request_id))
