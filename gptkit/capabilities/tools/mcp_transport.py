"""Carry messages of the Model Context Protocol over the pipes of a process or over HTTP, with caps."""

from __future__ import annotations

import json
import os
import selectors
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gptkit.capabilities.tools.http import open_connection
from gptkit.capabilities.tools.mcp import TOO_LARGE, VERSION, McpError
from gptkit.core.process import OUTPUT_CAP

if TYPE_CHECKING:
    import http.client
    import subprocess

    from gptkit.core.chat import Endpoint
    from gptkit.core.process import Processes

_BLOCK = 1 << 16
_TAIL = 4096
"""Bytes of standard error that are kept."""
_LAST_WORDS = 0.5
"""Seconds in which a server that ends may still write to standard error."""


class PipeTransport:
    """A server as a process: one JSON object on each line; other lines on standard output are skipped."""

    def __init__(
        self, processes: Processes, argv: Sequence[str], folder: str, environ: Mapping[str, str]
    ) -> None:
        self._processes = processes
        self._process: subprocess.Popen[bytes] = processes.start(argv, folder, environ)
        self._selector = selectors.DefaultSelector()
        self._input = bytearray()
        self._unread = 0
        """Bytes of `_input` that hold no end of a line."""
        self._errors = b""
        self._is_ended = False
        for stream, name in ((self._process.stdout, "output"), (self._process.stderr, "errors")):
            if stream is not None:
                self._selector.register(stream.fileno(), selectors.EVENT_READ, name)

    def send(self, message: Mapping[str, object], due: float) -> None:
        data = memoryview(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        stream = self._process.stdin
        if stream is None:
            return
        descriptor = stream.fileno()
        os.set_blocking(descriptor, False)
        self._selector.register(descriptor, selectors.EVENT_WRITE, "input")
        try:
            while data:
                if "input" in self._read(due):
                    with suppress(BlockingIOError):
                        data = data[os.write(descriptor, data[:_BLOCK]) :]
        finally:
            with suppress(KeyError):  # it was closed
                self._selector.unregister(descriptor)

    def receive(self, due: float) -> Mapping[str, Any]:
        while True:
            end = self._input.find(b"\n", self._unread)
            if end >= 0:
                line = bytes(self._input[:end])
                del self._input[: end + 1]
                self._unread = 0
                if (message := _message(line)) is not None:
                    return message
                continue
            self._unread = len(self._input)
            if self._is_ended:
                raise ConnectionAbortedError("it ended")
            self._read(due)

    def last_words(self) -> str:
        due = time.monotonic() + _LAST_WORDS
        with suppress(OSError, ValueError, KeyError, McpError):
            while self._selector.get_map() and self._selector.select(0.05) and not self._is_ended:
                self._read(due)
        lines = self._errors.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        self._is_ended = True
        self._processes.end(self._process)
        self._selector.close()

    def _read(self, due: float) -> set[str]:
        """Wait for the process and take what it says; returns what is ready.

        Raises TimeoutError, OSError, McpError.
        """
        seconds = due - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        ready = self._selector.select(seconds)
        for key, _ in ready:
            if key.data == "input":
                continue
            data = os.read(key.fd, _BLOCK)
            if key.data == "output":
                self._input += data
                self._is_ended = self._is_ended or not data
                if len(self._input) > OUTPUT_CAP:  # also while a message is sent that it does not read
                    self.close()
                    raise McpError(TOO_LARGE)
            else:
                self._errors = (self._errors + data)[-_TAIL:]
            if not data:
                self._selector.unregister(key.fd)
        return {str(key.data) for key, _ in ready}


class HttpTransport:
    """A server over HTTP: each message is a POST, its answer JSON or a stream of events. Follows nothing."""

    def __init__(self, url: str, headers: Mapping[str, str], endpoint: Endpoint) -> None:
        self._url = url
        self._headers = dict(headers)
        self._endpoint = endpoint
        self._answers: deque[Mapping[str, Any]] = deque()

    def send(self, message: Mapping[str, object], due: float) -> None:
        import http.client

        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        parts = urlsplit(self._url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with open_connection(self._url, self._endpoint, due) as connection:
                connection.request("POST", target, body=body, headers=self._all_headers())
                with connection.getresponse() as response:
                    self._take(response)
        except (http.client.HTTPException, ValueError) as error:
            raise ConnectionAbortedError(str(error) or type(error).__name__) from None

    def receive(self, due: float) -> Mapping[str, Any]:
        if not self._answers:
            raise ConnectionAbortedError("it gave no answer")
        return self._answers.popleft()

    def last_words(self) -> str:
        return ""

    def close(self) -> None:
        self._answers.clear()

    def _all_headers(self) -> dict[str, str]:
        own = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
        }
        return own | self._headers

    def _take(self, response: http.client.HTTPResponse) -> None:
        """Read the answer to a message; a stream is read up to the first response in it."""
        if response.status >= 300:
            raise ConnectionAbortedError(f"status {response.status}")
        if session := response.headers.get("Mcp-Session-Id"):
            self._headers["Mcp-Session-Id"] = session
        is_stream = response.headers.get_content_type() == "text/event-stream"
        content = bytearray()
        while block := response.read1(_BLOCK):
            content += block
            if len(content) > OUTPUT_CAP:
                raise McpError(TOO_LARGE)
            if is_stream and block.endswith(b"\n\n") and any(map(_is_response, _events(bytes(content)))):
                break
        messages = _events(bytes(content)) if is_stream else _values(bytes(content))
        self._answers.extend(messages)


def _events(content: bytes) -> Iterator[Mapping[str, Any]]:
    """The messages in a stream of server-sent events."""
    for event in content.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        yield from _values(b"\n".join(data))


def _values(content: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return
    yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def _is_response(message: Mapping[str, Any]) -> bool:
    return "method" not in message


def _message(line: bytes) -> Mapping[str, Any] | None:
    """The message on a line; None for a line that is none, such as what a library prints."""
    return next(_values(line), None)
