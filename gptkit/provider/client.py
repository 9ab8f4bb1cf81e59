"""Asking a chat API: a request goes out on one of two roads, gptkit's events and errors come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from gptkit.core.chat import AnswerDelta, ChatRequest, Endpoint, Event, Provider
from gptkit.core.errors import GptkitError, ProtocolError, SignalError
from gptkit.core.tokens import estimate_tokens
from gptkit.provider.connection import Idle
from gptkit.provider.direct import send as send_directly
from gptkit.provider.exchange import Answer, Exchange

_HERE = "http://localhost/v1"
"""The address of `echo`; no setting of the user's endpoint concerns it."""


def provider(endpoint: Endpoint) -> Provider:
    """Each call sends one HTTP request, once, and yields what comes back.

    A connection that an answer leaves whole carries the next request, if that comes at once. The
    models `echo` and `local:FILE` answer in this process, and are read like any server.
    """
    idle = Idle()

    def send(request: ChatRequest) -> Iterator[Event]:
        exchange, request = _exchange(endpoint, request)
        exchange.idle = idle
        try:
            for event in _events(exchange, request):
                if type(event) is AnswerDelta:
                    exchange.partial = True
                yield event
            return
        except Exception as error:
            failure = _failure(error, exchange)
        finally:
            exchange.close()
        raise failure

    return send


def transport(endpoint: Endpoint, model: str) -> str:
    """How requests get to the model, in words for the user."""
    if model == "echo" or model.startswith("local:"):
        return "in this process"
    return f"openai SDK, through {Exchange(endpoint, '').proxy}" if endpoint.proxy else "direct"


def model_names(endpoint: Endpoint) -> list[str]:
    """What the endpoint says it serves, sorted."""
    from gptkit.provider.sdk_transport import told

    exchange = Exchange(endpoint, "/models")
    try:
        found = told(exchange, lambda sdk: sdk.get("/models", cast_to=object))
    except GptkitError as failure:
        failure.attempts = 1
        raise
    rows = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise ProtocolError("malformed answer: no list of models", tries=2)
    names = [row.get("id") or row.get("name") for row in rows if isinstance(row, dict)]
    return sorted({name for name in names if isinstance(name, str)})


def _exchange(endpoint: Endpoint, request: ChatRequest) -> tuple[Exchange, ChatRequest]:
    if request.model.startswith("local:"):
        from gptkit.provider.local import local

        return local(request)
    place = Endpoint(_HERE) if request.model == "echo" else endpoint
    return Exchange(place, "/chat/completions", request), request


def _events(exchange: Exchange, request: ChatRequest) -> Iterator[Event]:
    """The request first, what reads the answer afterwards: it loads while the server is thinking."""
    if exchange.endpoint.proxy:
        from gptkit.provider.sdk_transport import completion

        values = completion(exchange, request)
    else:
        answer = _answer(exchange, request)
        from gptkit.provider.response import values as read

        values = read(answer(), exchange)
    from gptkit.provider.events import events

    yield from events(values, exchange)


def _answer(exchange: Exchange, request: ChatRequest) -> Callable[[], Answer]:
    if request.model == "echo":
        return echo(request)
    return send_directly(exchange)


def _failure(error: Exception, exchange: Exchange) -> GptkitError:
    from gptkit.provider.errors import causes, fault

    for cause in (*causes(error), error.__context__):
        if isinstance(cause, SignalError):  # what was at work took the signal for a failure of its own
            raise cause
    return fault(error, exchange)


_PIECES = 200


def echo(request: ChatRequest) -> Callable[[], Answer]:
    """Answers as a server would, streamed or not, with the input itself where that is known."""
    users = (message.content for message in reversed(request.messages) if message.role == "user")
    said = request.text or next(users, "")
    prompt = sum(estimate_tokens(message.content) for message in request.messages)
    answer = estimate_tokens(said)
    usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    if request.stream:
        return lambda: Answer(200, [(b"content-type", b"text/event-stream")], _stream(said, usage))
    return lambda: Answer(200, [(b"content-type", b"application/json")], _completion(said, usage))


def _stream(said: str, usage: dict[str, int]) -> Iterator[bytes]:
    step = max(12, len(said) // _PIECES)
    for start in range(0, len(said), step):
        yield _event({"choices": [{"index": 0, "delta": {"content": said[start : start + step]}}]})
    yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage})
    yield b"data: [DONE]\n\n"


def _completion(said: str, usage: dict[str, int]) -> Iterator[bytes]:
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    yield json.dumps(_object("chat.completion", {"choices": [choice], "usage": usage})).encode()


def _event(piece: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(_object("chat.completion.chunk", piece)).encode() + b"\n\n"


def _object(kind: str, rest: dict[str, object]) -> dict[str, object]:
    return {"id": "echo", "object": kind, "created": 0, "model": "echo", **rest}
