"""Event streams and whole answers as tests script them."""

from __future__ import annotations

from typing import Any

from fake.connection import Step
from fake.wire import chunk, http_head, response, sse

SAID = "Grüße, 世界 🌍\n"
HELLO = sse(chunk({"content": "Hello"}))
STOP = sse(chunk({}, finish="stop"))
CLOSING = {"Content-Type": "text/event-stream", "Connection": "close"}


def stream(*pieces: bytes, headers: dict[str, str] | None = None) -> list[Step]:
    """An event stream that ends when the connection is closed in an orderly way."""
    return [http_head(200, CLOSING | (headers or {})), *pieces]


def whole(value: Any, **fields: Any) -> list[Step]:
    return [response(200, value, {"Connection": "close"}, **fields)]
