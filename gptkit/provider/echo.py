"""The built-in model `echo`: it says again what it was told, without key, network or cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from gptkit.core.chat import Request
from gptkit.core.tokens import estimate
from gptkit.provider.exchange import Answer

_PIECES = 200


def echo(request: Request) -> Callable[[], Answer]:
    """Answers as a server would, streamed or not, with the input itself where that is known."""
    users = (message.content for message in reversed(request.messages) if message.role == "user")
    said = request.text or next(users, "")
    prompt = sum(estimate(message.content) for message in request.messages)
    answer = estimate(said)
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
