"""A request as the fake server received it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

ROLES = {"system", "developer", "user", "assistant", "tool"}


@dataclass(slots=True)
class Received:
    """A request as it arrived. Header names are in lower case; `time` is time.monotonic().

    `extra` are bytes that came on the connection after the request and before its answer was out.
    """

    number: int
    connection: int
    time: float
    method: str
    target: str
    headers: dict[str, str]
    raw_head: bytes
    body: bytes = b""
    extra: bytes = b""

    @property
    def path(self) -> str:
        return self.target.split("?")[0]

    @property
    def raw(self) -> bytes:
        """Everything that was sent for this request (a chunked body without its framing)."""
        return self.raw_head + self.body

    @property
    def json(self) -> Any:
        return json.loads(self.body.decode("utf-8"))

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.json["messages"]
        return messages

    @property
    def user(self) -> str:
        """The last message of the user."""
        return next(str(m["content"]) for m in reversed(self.messages) if m["role"] == "user")

    @property
    def system(self) -> str:
        """All system messages, an empty line between them."""
        return "\n\n".join(str(m["content"]) for m in self.messages if m["role"] == "system")


def parsed(head: bytes, connection: int) -> Received:
    """The request of this head."""
    line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = line.split(" ", 2)
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in lines if line):
        known = headers.get(name.lower())
        headers[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
    return Received(0, connection, time.monotonic(), method, target, headers, head)


def malformed(request: Received) -> str:
    """Why the real server would not take this request for a completion; empty if it would."""
    if request.method != "POST" or "application/json" not in request.headers.get("content-type", ""):
        return "not a POST of JSON"
    if "host" not in request.headers:
        return "no Host header"
    try:
        body = request.json
    except (ValueError, RecursionError) as error:
        return f"the body is not JSON: {error}"
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        return "no model in the body"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "no messages in the body"
    wrong = [m for m in messages if not isinstance(m, dict) or m.get("role") not in ROLES]
    return f"a message that is none: {json.dumps(wrong[0])[:80]}" if wrong else ""
