"""What the fake server can be told to say: answers, failures, scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fake.connection import Step, keep, pause, until
from fake.received import Received
from fake.wire import Completion, chunked, error_object, last_chunk, model_list, response, stream_head

When = Literal["connected", "head", "request"]
CHAT = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Reply:
    """What happens for one request: `steps` are computed from it.

    `when`: at once when a client connects, after the request's head, or after the whole request.
    `path`: the only path it may be asked for; None for any.
    """

    name: str
    steps: Callable[[Received], Iterable[Step]]
    when: When = "request"
    path: str | None = None


def said(
    text: str | Sequence[str] = "",
    *,
    delay: float = 0.0,
    gap: float = 0.0,
    headers: Mapping[str, str] | None = None,
    stream: bool | None = None,
    **fields: Any,
) -> Reply:
    """An answer, streamed if that was asked for (or as `stream` says).

    `delay` seconds before the first byte, `gap` between events. `fields` are those of Completion;
    the model is the one that was asked for.
    """
    Completion(text, **fields)  # a wrong name fails in the test, not in the server's thread

    def steps(request: Received) -> Iterator[Step]:
        body = request.json
        completion = Completion(
            text, **{"model": body["model"], "identity": f"chatcmpl-{request.number}", **fields}
        )
        head = {"x-request-id": f"req_{request.number}", "openai-processing-ms": "1", **(headers or {})}
        if delay:
            yield pause(delay)
        if stream if stream is not None else body.get("stream"):
            yield stream_head(head)
            include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            for number, event in enumerate(completion.events(include_usage)):
                if gap and number:
                    yield pause(gap)
                yield chunked(event)
            yield last_chunk()
        else:
            yield response(200, completion.whole_object(), head)
        yield from _kept(headers)

    return Reply(f"say {str(text)[:40]!r}", steps, path=CHAT)


def failed(
    status: int,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    message: str = "",
    code: str | None = None,
    when: When = "request",
) -> Reply:
    """A failure: a body (JSON, or HTML if it is text), or OpenAI's for this status with message and code."""

    def steps(request: Received) -> Iterator[Step]:
        content = error_object(status, message, code=code) if body is None else body
        head = {"x-request-id": f"req_{request.number}", **(headers or {})}
        yield response(status, content, head)
        if when == "request":
            yield from _kept(headers)

    return Reply(f"fail {status}", steps, when)


def held(reply: Reply, event: threading.Event) -> Reply:
    """The reply, but not before the test sets the event."""

    def steps(request: Received) -> Iterator[Step]:
        yield until(event)
        yield from reply.steps(request)

    return Reply(reply.name, steps, reply.when, reply.path)


def scripted(steps: Iterable[Step], *, when: When = "request") -> Reply:
    script = list(steps)
    return Reply(f"raw script of {len(script)} steps", lambda request: script, when)


def listed(*names: str) -> Reply:
    """The answer to GET /v1/models."""
    body = model_list(*names)
    return Reply(f"models {names}", lambda request: [response(200, body), keep()], path="/models")


def _kept(headers: Mapping[str, str] | None) -> Iterator[Step]:
    closes = any(name.lower() == "connection" and "close" in value for name, value in (headers or {}).items())
    if not closes:
        yield keep()
