"""The chat completions protocol as bytes: builders that tests compose, also wrongly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import Any

CREATED = 1_767_225_600
MODEL = "gpt-test"
EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model says for one request.

    `text` is cut into `pieces` deltas of nearly equal length (None: one for each word); a sequence
    of strings is sent as it is. `usage` is (prompt, completion) tokens; None leaves it out even
    where it was asked for. `calls` are calls of tools, as pairs of name and arguments: a text, or
    what becomes one as JSON. `delta` is merged into the message of the first chunk.
    """

    text: str | Sequence[str] = ""
    finish: str | None = "stop"
    pieces: int | None = None
    usage: tuple[int, int] | None = (11, 2)
    model: str = MODEL
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_key: str = "reasoning_content"
    delta: Mapping[str, Any] | None = None
    calls: Sequence[tuple[str, Any]] = ()
    identity: str = "chatcmpl-1"

    @property
    def whole(self) -> str:
        return self.text if isinstance(self.text, str) else "".join(self.text)

    def deltas(self) -> Iterator[dict[str, Any]]:
        """The deltas of the stream between the role and the finish reason."""
        if self.delta:
            yield dict(self.delta)
        if self.reasoning:
            yield from ({self.reasoning_key: piece} for piece in cut(self.reasoning, self.pieces))
        if self.refusal:
            yield from ({"refusal": piece} for piece in cut(self.refusal, self.pieces))
        texts = cut(self.text, self.pieces) if isinstance(self.text, str) else self.text
        yield from ({"content": piece} for piece in texts)
        for index, call in enumerate(self.tool_calls()):
            arguments = call["function"]["arguments"]
            half = len(arguments) // 2
            head = {**call["function"], "arguments": arguments[:half]}
            yield {"tool_calls": [{"index": index, **call, "function": head}]}
            yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]}

    def tool_calls(self) -> list[dict[str, Any]]:
        """The calls as the message of a whole response holds them."""
        functions = [
            {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)}
            for name, given in self.calls
        ]
        return [
            {"id": f"call_{self.identity}_{number}", "type": "function", "function": function}
            for number, function in enumerate(functions)
        ]

    @property
    def reason(self) -> str | None:
        """The finish reason: that of calls where there are some and the test names no other."""
        return "tool_calls" if self.calls and self.finish == "stop" else self.finish

    def chunks(self, include_usage: bool = False) -> Iterator[dict[str, Any]]:
        """The objects of the stream, as OpenAI's server sends them."""
        base: dict[str, Any] = {"model": self.model, "identity": self.identity}
        if include_usage:
            base["usage"] = None
        yield chunk({"role": "assistant", "content": "", "refusal": None}, **base)
        for delta in self.deltas():
            yield chunk(delta, **base)
        yield chunk({}, finish=self.reason, **base)
        if include_usage and self.usage:
            yield chunk(None, **{**base, "usage": usage_object(*self.usage)})

    def events(self, include_usage: bool = False) -> Iterator[bytes]:
        """The stream as server-sent events, `[DONE]` included."""
        yield from (sse(value) for value in self.chunks(include_usage))
        yield done()

    def message(self) -> dict[str, Any]:
        content = None if (self.refusal or self.delta or self.calls) and not self.whole else self.whole
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": self.refusal}
        if self.reasoning:
            message[self.reasoning_key] = self.reasoning
        if self.calls:
            message["tool_calls"] = self.tool_calls()
        return {**message, **(self.delta or {})}

    def whole_object(self) -> dict[str, Any]:
        """The response to a request that did not ask for a stream."""
        choice = {"index": 0, "message": self.message(), "logprobs": None, "finish_reason": self.reason}
        whole = {
            "id": self.identity,
            "object": "chat.completion",
            "created": CREATED,
            "model": self.model,
            "choices": [choice],
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        }
        return whole | ({"usage": usage_object(*self.usage)} if self.usage else {})


def chunk(
    delta: Mapping[str, Any] | None = None,
    *,
    finish: str | None = None,
    index: int = 0,
    model: str = MODEL,
    identity: str = "chatcmpl-1",
    **fields: Any,
) -> dict[str, Any]:
    """One object of the stream; without a delta it has no choices. `fields` are added to it."""
    choice = {"index": index, "delta": dict(delta or {}), "logprobs": None, "finish_reason": finish}
    return {
        "id": identity,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": [] if delta is None else [choice],
        **fields,
    }


def usage_object(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def model_list(*names: str) -> dict[str, Any]:
    """The answer to GET /v1/models."""
    models = [{"id": name, "object": "model", "created": CREATED, "owned_by": "fake"} for name in names]
    return {"object": "list", "data": models}


def sse(value: Any, *, ascii_only: bool = False) -> bytes:
    """One server-sent event; bytes and strings are sent as they are, all else as JSON."""
    if isinstance(value, bytes):
        return b"data: " + value + b"\n\n"
    return b"data: " + (value.encode() if isinstance(value, str) else compact(value, ascii_only)) + b"\n\n"


def done() -> bytes:
    return sse("[DONE]")


def stream(text: str | Sequence[str], include_usage: bool = False, **fields: Any) -> bytes:
    """The whole event stream of one answer; `fields` are those of Completion."""
    return b"".join(Completion(text, **fields).events(include_usage))


def http_head(
    status: int = 200, headers: Mapping[str, str] | None = None, *, reason: str | None = None
) -> bytes:
    """Status line and headers. Nothing is added to them: framing is up to the test."""
    phrase = reason if reason is not None else _phrase(status)
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def stream_head(headers: Mapping[str, str] | None = None) -> bytes:
    """The head of a streamed answer: an event stream in chunked transfer encoding."""
    return http_head(200, {"Content-Type": EVENT_STREAM, "Transfer-Encoding": "chunked", **(headers or {})})


def response(
    status: int,
    body: Any,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str | None = None,
) -> bytes:
    """A whole response with a Content-Length; a body that is neither bytes nor text becomes JSON."""
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else compact(body)
    kind = content_type or (JSON_TYPE if not isinstance(body, bytes | str) else "text/html; charset=utf-8")
    head = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
    return http_head(status, head) + data


def chunked(data: bytes, *, size: int | None = None, last: bool = False) -> bytes:
    """Data in chunked transfer encoding: one chunk, or chunks of `size` bytes; `last` ends the body."""
    step = size or max(len(data), 1)
    parts = [data[start : start + step] for start in range(0, len(data), step)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + (last_chunk() if last else b"")


def last_chunk() -> bytes:
    return b"0\r\n\r\n"


def error_object(status: int, message: str = "", *, code: str | None = None) -> dict[str, Any]:
    """The body of a failure in OpenAI's words."""
    known = {
        400: ("invalid_request_error", None),
        401: ("invalid_request_error", "invalid_api_key"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
    }
    kind, usual = known.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    text = message or f"The fake server was told to say {status}."
    return {"error": {"message": text, "type": kind, "param": None, "code": code or usual}}


def compact(value: Any, ascii_only: bool = False) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def cut(text: str, pieces: int | None) -> list[str]:
    """Text in so many parts, or word by word; joined they are the text."""
    if pieces is None:
        words = text.split(" ")
        return [word + " " for word in words[:-1]] + ([words[-1]] if words[-1] else [])
    bounds = [len(text) * number // pieces for number in range(pieces + 1)]
    return [text[start:end] for start, end in pairwise(bounds) if start < end]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
