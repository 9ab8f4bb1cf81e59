"""Calls of the provider as tests make them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from fake.waiting import SOON

from gptkit.core.chat import (
    AnswerDelta,
    ChatRequest,
    Deadlines,
    Endpoint,
    Event,
    Finished,
    Message,
    ReasoningDelta,
    RefusalDelta,
)
from gptkit.core.errors import GptkitError
from gptkit.provider.client import provider

KEY = "sk-canary-0123456789"
HURRIED = Deadlines(connect=SOON, idle=1.5, first_content=SOON, content=SOON)
"""For a server that falls silent: longer than it takes to say what comes before, on a busy machine too."""


def endpoint(url: str, **fields: Any) -> Endpoint:
    return Endpoint(url, **{"key": KEY, **fields})


def request(stream: bool = True, model: str = "gpt-test", **parameters: object) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", "Grüße, 世界"))
    return ChatRequest(model, messages, parameters, stream=stream)


def answers(place: Endpoint, asked: ChatRequest | None = None) -> list[Event]:
    return list(provider(place)(asked or request()))


def text(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, AnswerDelta))


def thoughts(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def refusal(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, RefusalDelta))


def end(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def failure(
    place: Endpoint, kind: type[GptkitError], asked: ChatRequest | None = None
) -> tuple[str, GptkitError]:
    """The text that came before the failure, and the failure, which must give nothing away."""
    got: list[Event] = []
    with pytest.raises(GptkitError) as raised:
        for event in provider(place)(asked or request()):
            got.append(event)
    error = raised.value
    assert type(error) is kind, f"{type(error).__name__}: {error.message}"
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert KEY not in f"{error.message} {error.hint} {error!r}"
    assert len(error.message) < 500
    return text(got), error
