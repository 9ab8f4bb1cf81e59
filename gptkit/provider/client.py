"""Sends requests to a chat API, directly or through the openai SDK, and yields events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from gptkit.core.chat import AnswerDelta, ChatRequest, Endpoint, Event, Provider
from gptkit.core.errors import GptkitError, ProtocolError, SignalError
from gptkit.core.tokens import estimate_tokens
from gptkit.provider.connection import IdleConnections
from gptkit.provider.direct import send as send_directly
from gptkit.provider.exchange import Exchange, HttpResponse

_ECHO_URL = "http://localhost/v1"
"""The base URL of the model `echo`, whatever the user's endpoint is."""


def provider(endpoint: Endpoint, after_sending: Callable[[], None] = lambda: None) -> Provider:
    """Return a provider for an endpoint: each call sends one HTTP request, once, and yields the events.

    `after_sending` is called when a request is on the wire, but not through a proxy.

    A connection is used again for a request that follows within seconds. The models `echo` and
    `local:FILE` answer in this process, and their answers are read like those of a server.
    """
    idle = IdleConnections()

    def send(request: ChatRequest) -> Iterator[Event]:
        exchange, request = _exchange(endpoint, request)
        exchange.idle_connections = idle
        try:
            for event in _events(exchange, request, after_sending):
                if type(event) is AnswerDelta:
                    exchange.has_output = True
                yield event
            return
        except Exception as error:
            failure = _failure(error, exchange)
        finally:
            exchange.close()
        raise failure

    return send


def transport_name(endpoint: Endpoint, model: str) -> str:
    """Say in words for the user how requests get to the model."""
    if model == "echo" or model.startswith("local:"):
        return "in this process"
    return f"openai SDK, through {Exchange(endpoint, '').proxy}" if endpoint.proxy else "direct"


def model_names(endpoint: Endpoint) -> list[str]:
    """Ask the endpoint for the names of its models; returns them sorted. Raises GptkitError."""
    from gptkit.provider.sdk_transport import call_sdk

    exchange = Exchange(endpoint, "/models")
    try:
        answer = call_sdk(exchange, lambda sdk: sdk.get("/models", cast_to=object))
    except GptkitError as failure:
        failure.attempts = 1
        raise
    rows = answer.get("data", answer.get("models", "")) if isinstance(answer, dict) else answer
    if rows is None:  # a list without rows, as some servers write one
        return []
    if not isinstance(rows, list):
        raise ProtocolError("malformed answer: no list of models", tries=2)
    names = [row.get("id") or row.get("name") for row in rows if isinstance(row, dict)]
    return sorted({name for name in names if isinstance(name, str)})


def _exchange(endpoint: Endpoint, request: ChatRequest) -> tuple[Exchange, ChatRequest]:
    if request.model.startswith("local:"):
        from gptkit.provider.local import start_local

        return start_local(request)
    target = Endpoint(_ECHO_URL) if request.model == "echo" else endpoint
    if request.patient:
        target = target._replace(deadlines=target.deadlines.patient())
    return Exchange(target, "/chat/completions", request), request


def _events(exchange: Exchange, request: ChatRequest, after_sending: Callable[[], None]) -> Iterator[Event]:
    """Send the request and yield the events of the answer.

    The modules that read an answer are imported after the request is sent, while the server is at work.
    """
    if exchange.endpoint.proxy:
        from gptkit.provider.sdk_transport import stream_completion

        values = stream_completion(exchange, request)
    else:
        read_response = _send(exchange, request)
        after_sending()
        from gptkit.provider.response import json_values

        values = json_values(read_response(), exchange)
    from gptkit.provider.events import events

    yield from events(values, exchange)


def _send(exchange: Exchange, request: ChatRequest) -> Callable[[], HttpResponse]:
    if request.model == "echo":
        return _echo(request)
    return send_directly(exchange)


def _failure(error: Exception, exchange: Exchange) -> GptkitError:
    from gptkit.provider.errors import exception_chain, to_gptkit_error

    for cause in (*exception_chain(error), error.__context__):
        if isinstance(cause, SignalError):  # a library wrapped the signal in an error of its own
            raise cause
    return to_gptkit_error(error, exchange)


_ECHO_PIECES = 200


def _echo(request: ChatRequest) -> Callable[[], HttpResponse]:
    """Return a function that makes the response of `echo`: the text of the request, streamed or not."""
    users = (message.content for message in reversed(request.messages) if message.role == "user")
    text = request.text or next(users, "")
    prompt = sum(estimate_tokens(message.content) for message in request.messages)
    answer = estimate_tokens(text)
    usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    if request.stream:
        return lambda: HttpResponse(
            200, [(b"content-type", b"text/event-stream")], _streamed_body(text, usage)
        )
    return lambda: HttpResponse(200, [(b"content-type", b"application/json")], _whole_body(text, usage))


def _streamed_body(text: str, usage: dict[str, int]) -> Iterator[bytes]:
    step = max(12, len(text) // _ECHO_PIECES)
    for start in range(0, len(text), step):
        yield _event({"choices": [{"index": 0, "delta": {"content": text[start : start + step]}}]})
    yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage})
    yield b"data: [DONE]\n\n"


def _whole_body(text: str, usage: dict[str, int]) -> Iterator[bytes]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    yield json.dumps(_object("chat.completion", {"choices": [choice], "usage": usage})).encode()


def _event(piece: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(_object("chat.completion.chunk", piece)).encode() + b"\n\n"


def _object(kind: str, rest: dict[str, object]) -> dict[str, object]:
    return {"id": "echo", "object": kind, "created": 0, "model": "echo", **rest}
