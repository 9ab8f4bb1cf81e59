"""Request operations of an HTTP API: the request of a call, exactly as it is sent, and what came of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

from gptkit.capabilities.tools.environment import resolve_secret
from gptkit.capabilities.tools.model import (
    Operation,
    RefusedCallError,
    Result,
    Tool,
    ToolAction,
)
from gptkit.capabilities.tools.openapi import FORM
from gptkit.core.process import OUTPUT_CAP
from gptkit.core.sanitize import one_line, visible_line
from gptkit.provider.connection import tls_context

if TYPE_CHECKING:
    import http.client
    import socket

    from gptkit.core.chat import Endpoint

RETRIES = 1
"""How often a read is tried again after 429, 503 or a lost connection."""
LONGEST_PAUSE = 5.0
"""Seconds before a read is tried again, at most."""
_BLOCK = 1 << 16


class _Parts(NamedTuple):
    """The values of a call by their places in the request."""

    path: dict[str, Any]
    query: dict[str, Any]
    header: dict[str, Any]
    body: dict[str, Any]
    whole: list[Any]


def build_action(tool: Tool, operation: Operation, arguments: Mapping[str, object]) -> ToolAction:
    """The request of a call. Raises RefusedCallError for a value that would change what is requested."""
    parts = _Parts({}, {}, {}, {}, [])
    for name, value in {**arguments, **tool.fix}.items():
        place, own_name = operation.places[name]
        if place == "whole body":
            parts.whole.append(value)
        else:
            getattr(parts, place)[own_name] = value
    path = re.sub(r"\{([^{}]+)\}", lambda match: _path_value(match[1], parts.path), operation.path)
    query = urlencode([pair for item in parts.query.items() for pair in _query_pairs(*item)], quote_via=quote)
    url = f"{operation.server}{path}" + (f"?{query}" if query else "")
    headers = [(name, _header_value(name, value)) for name, value in parts.header.items()]
    body = _body(operation, parts)
    if body is not None:
        headers.append(("Content-Type", operation.content_type))
    shown = body.decode("utf-8", "replace") if body is not None else ""
    does = f"{operation.method} {url} {shown}".rstrip()
    does += "".join(f" {name}: {value}" for name, value in headers if name != "Content-Type")
    return ToolAction(tool, arguments, visible_line(does), url=url, headers=tuple(headers), body=body)


def _path_value(name: str, values: Mapping[str, object]) -> str:
    """A value as one segment of a path, whatever characters it has."""
    text = _text(values.get(name))
    if text in ("", ".", ".."):
        raise RefusedCallError(f"'{name}' may not be '{text}' in a path")
    return quote(text, safe="")


def _query_pairs(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        yield from ((name, _text(item)) for item in value)
    elif isinstance(value, dict):
        yield from ((f"{name}[{key}]", _text(item)) for key, item in value.items())
    else:
        yield name, _text(value)


def _header_value(name: str, value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[\t\x20-\x7e]*", text):
        raise RefusedCallError(f"'{name}' holds a character that a header does not allow")
    return text


def _body(operation: Operation, parts: _Parts) -> bytes | None:
    if not parts.body and not parts.whole:
        return None
    content: object = parts.whole[0] if parts.whole else parts.body
    if "json" in operation.content_type:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if operation.content_type == FORM and isinstance(content, dict):
        pairs = [pair for item in content.items() for pair in _query_pairs(*item)]
        return urlencode(pairs, quote_via=quote).encode()
    if operation.content_type.startswith("multipart/"):
        raise RefusedCallError("gptkit sends no multipart bodies")
    return _text(content).encode("utf-8", "replace")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


class Requester:
    """Sends requests of actions, without proxy and without following redirects."""

    def __init__(self, environ: Mapping[str, str], endpoint: Endpoint) -> None:
        self._environ = environ
        self._endpoint = endpoint

    def request(self, action: ToolAction, operation: Operation) -> Result:
        """Send the request of an action, and say what came of it; a read is tried again once."""
        began = time.monotonic()
        tries = 1 + (RETRIES if action.tool.risk == "read" else 0)
        while True:
            tries -= 1
            result = self._once(action, operation, began + action.tool.timeout)
            is_passing = result.ending == "failed" and result.status in (None, 429, 503)
            if not tries or not is_passing:
                return result._replace(seconds=time.monotonic() - began)
            time.sleep(min(LONGEST_PAUSE, 0.5))

    def _once(self, action: ToolAction, operation: Operation, due: float) -> Result:
        import http.client

        is_sent = False
        try:
            with open_connection(action.url, self._endpoint, due) as connection:
                is_sent = True
                self._send(connection, action, operation)
                with connection.getresponse() as response:
                    output, is_cut = _read(response)
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = one_line(str(error) or type(error).__name__, 200)
            may_have_happened = is_sent and action.tool.risk != "read"
            return Result("unknown" if may_have_happened else "failed", note=f"no answer: {cause}")
        return _result(action, response, output, is_cut)

    def _send(self, connection: http.client.HTTPConnection, action: ToolAction, operation: Operation) -> None:
        own = {name: resolve_secret(value, self._environ) for name, value in operation.headers.items()}
        headers = {"Accept": "application/json, */*;q=0.5", "User-Agent": "gptkit"}
        headers |= dict(action.headers) | own
        parts = urlsplit(action.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(operation.method, target or "/", body=action.body, headers=headers)


@contextmanager
def open_connection(url: str, endpoint: Endpoint, due: float) -> Iterator[http.client.HTTPConnection]:
    """Connect to the server of an address, without a proxy; at `due` the connection ends, whatever it brings.

    Raises TimeoutError, OSError, HTTPException.
    """
    import http.client
    from threading import Timer

    parts = urlsplit(url)
    host, seconds = parts.hostname or "", max(due - time.monotonic(), 0.01)
    if parts.scheme == "https":
        context = tls_context(endpoint)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    timer = None
    try:
        connection.connect()
        timer = Timer(max(due - time.monotonic(), 0.01), _shut_down, [connection.sock])
        timer.daemon = True
        timer.start()
        yield connection
        if time.monotonic() >= due:  # what was read ends where the time was over
            raise TimeoutError("it took too long")
    except (OSError, http.client.HTTPException):
        if time.monotonic() >= due:
            raise TimeoutError("it took too long") from None
        raise
    finally:
        if timer is not None:
            timer.cancel()
        connection.close()


def _shut_down(sock: socket.socket) -> None:
    from socket import SHUT_RDWR

    with suppress(OSError):  # it is closed already
        sock.shutdown(SHUT_RDWR)


def _read(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """The body of a response up to the cap, and whether it was cut there. Raises ConnectionAbortedError."""
    output = bytearray()
    while block := response.read1(_BLOCK):
        output += block
        if len(output) > OUTPUT_CAP:
            return bytes(output[:OUTPUT_CAP]), True
    if response.length:
        raise ConnectionAbortedError("the connection was closed within it")
    return bytes(output), False


def _result(action: ToolAction, response: http.client.HTTPResponse, output: bytes, is_cut: bool) -> Result:
    status = response.status
    result = Result("ok", output, "", status, size=len(output))
    if 300 <= status < 400:
        location = urljoin(action.url, response.headers.get("location", ""))
        host = one_line(urlsplit(location).netloc, 100)
        return result._replace(ending="failed", note=f"it redirects to '{host}' ({status}), not followed")
    if status >= 400:
        return result._replace(ending="failed", note=f"status {status}")
    if is_cut:
        return result._replace(ending="failed", note=f"it answered with more than {OUTPUT_CAP >> 20} MiB")
    return result
