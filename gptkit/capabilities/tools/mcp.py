"""Speak the Model Context Protocol with a server: greet it, list its tools, call one, each in time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol

from gptkit.capabilities.tools.model import Ending, McpSource, RemoteTool, Result, Tool, ToolAction
from gptkit.capabilities.tools.openapi import valid_name
from gptkit.capabilities.tools.schema import check_names, strict_schema
from gptkit.core.errors import DataError, TryAgainError
from gptkit.core.process import OUTPUT_CAP
from gptkit.core.sanitize import one_line, visible_line
from gptkit.core.yaml_tree import spelling_hint

VERSION = "2025-06-18"
"""The version of the protocol that is asked for; a server may answer with an older one."""
MOST_PAGES = 50
"""Pages of a list of tools that are read."""
DESCRIPTION_LENGTH = 8000
"""Characters of the description of a tool."""
_NOT_OFFERED = -32601
"""JSON-RPC's code for a method that there is not: all that a server may ask of the user is refused."""


class McpError(Exception):
    """Raised for an error that a server reports, and for an answer over the cap."""


class McpTransport(Protocol):
    """Carries messages to a server and back. `receive` raises TimeoutError, OSError, McpError."""

    def send(self, message: Mapping[str, object], due: float) -> None: ...

    def receive(self, due: float) -> Mapping[str, Any]: ...

    def last_words(self) -> str:
        """The last line that the server wrote to standard error; empty for none."""

    def close(self) -> None: ...


class McpClient:
    """A connection to one server; one request at a time."""

    def __init__(self, source: McpSource, transport: McpTransport) -> None:
        self.source = source
        self._transport = transport
        self._lock = Lock()
        self._number = 0

    def start(self) -> None:
        """Greet the server. Raises TryAgainError with its last words if it does not answer in time."""
        due = time.monotonic() + self.source.start
        capabilities: dict[str, object] = {}  # neither elicitation nor sampling nor roots
        info = {"name": "gptkit", "version": VERSION}
        greeting = {"protocolVersion": VERSION, "capabilities": capabilities, "clientInfo": info}
        with self._starting():
            self._request("initialize", greeting, due)
            self._transport.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, due)

    def tools(self, file: str) -> list[Tool]:
        """The selected tools as the server defines them now. Raises DataError, TryAgainError."""
        due = time.monotonic() + self.source.start
        listed: dict[str, Mapping[str, Any]] = {}
        cursor: object = None
        with self._starting():
            for _ in range(MOST_PAGES):
                page = self._request("tools/list", {"cursor": cursor} if cursor else {}, due)
                for definition in _dicts(page.get("tools")):
                    listed[str(definition.get("name"))] = definition
                if not (cursor := page.get("nextCursor")):
                    break
        tools: list[Tool] = []
        for name in self.source.select:
            if name not in listed:
                hint = spelling_hint(name, [*listed])
                raise DataError(f"the server '{self.source.name}' has no tool '{name}'", hint=hint)
            try:
                tools.append(_tool(self.source, name, listed[name], file))
            except (TypeError, ValueError, AttributeError, RecursionError):
                raise DataError(f"the server '{self.source.name}': '{name}' has no usable schema") from None
        check_names(self.source, tools, {fixed for tool in tools for fixed in tool.fix})
        return tools

    def call(self, action: ToolAction, tool: RemoteTool) -> Result:
        """Call a tool, and say what came of it."""
        began = time.monotonic()
        request = {"name": tool.name, "arguments": {**action.arguments, **action.tool.fix}}
        lost: Ending = "failed" if action.tool.risk == "read" else "unknown"
        try:
            answer = self._request("tools/call", request, began + action.tool.timeout)
        except TimeoutError:
            result = Result(lost, note="it took too long")
        except OSError as error:
            result = Result(lost, note=one_line(f"the server ended: {self._transport.last_words() or error}"))
        except McpError as error:
            is_lost = error.args[0] == TOO_LARGE
            result = Result(lost if is_lost else "failed", note=one_line(str(error)))
        else:
            output = _text(answer).encode("utf-8", "replace")
            result = Result("ok", output, size=len(output))
            if answer.get("isError"):
                result = result._replace(ending="failed", note="the tool reports an error")
        return result._replace(seconds=time.monotonic() - began)

    def close(self) -> None:
        self._transport.close()

    def _request(self, method: str, parameters: Mapping[str, object], due: float) -> Mapping[str, Any]:
        """Send a request and wait for its answer; what the server asks meanwhile is refused."""
        with self._lock:
            self._number += 1
            number = self._number
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
            self._transport.send(message, due)
            while True:
                answer = self._transport.receive(due)
                if "method" in answer:
                    if "id" in answer:
                        self._transport.send(_refusal(answer), due)
                elif answer.get("id") == number:
                    break
        if isinstance(result := answer.get("result"), dict) and not answer.get("error"):
            return result
        error = answer.get("error")
        raise McpError(str((error.get("message") if isinstance(error, dict) else error) or "no result"))

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Turn what goes wrong with a server before any call into one error with its last words."""
        try:
            yield
        except (OSError, McpError) as error:
            cause = "it does not answer" if isinstance(error, TimeoutError) else one_line(str(error), 200)
            words = one_line(self._transport.last_words(), 300)
            said = f"; it said '{words}'" if words else ""
            raise TryAgainError(f"the server '{self.source.name}': {cause}{said}") from None


TOO_LARGE = f"it answered with more than {OUTPUT_CAP >> 20} MiB"


def _refusal(asked: Mapping[str, Any]) -> dict[str, object]:
    """The answer to a request of the server: only a ping gets one that is no error."""
    if asked["method"] == "ping":
        return {"jsonrpc": "2.0", "id": asked["id"], "result": {}}
    error = {"code": _NOT_OFFERED, "message": "gptkit does not offer this"}
    return {"jsonrpc": "2.0", "id": asked["id"], "error": error}


def remote_action(tool: Tool, remote: RemoteTool, arguments: Mapping[str, object]) -> ToolAction:
    """The call of a tool of a server, as it is shown."""
    shown = json.dumps({**arguments, **tool.fix}, ensure_ascii=False, separators=(",", ":"))
    return ToolAction(tool, arguments, visible_line(f"{remote.source}: {remote.name} {shown}"))


def _tool(source: McpSource, name: str, listed: Mapping[str, Any], file: str) -> Tool:
    """A tool by its definition.

    Raises TypeError, ValueError, AttributeError or RecursionError for a wrong one.
    """
    json.dumps(listed, ensure_ascii=False, allow_nan=False).encode()  # as in a request
    schema = listed.get("inputSchema")
    annotations = listed.get("annotations")
    hints = annotations if isinstance(annotations, dict) else {}
    narrow = source.narrow.get(name, {})
    own = _own_schema(schema if isinstance(schema, dict) else {}, source.fix, narrow)
    return Tool(
        name=valid_name(f"{source.name}_{name}"),
        description=" ".join(str(listed.get("description") or name).split())[:DESCRIPTION_LENGTH],
        schema=own,
        strict=strict_schema(own),
        risk=source.risk.get(name, "destructive"),
        action=RemoteTool(source.name, name),
        file=file,
        most=source.most.get(name),
        narrow=narrow,
        fix={key: value for key, value in source.fix.items() if key in _properties(schema)},
        timeout=source.timeout,
        hint=", ".join(f"{key}: {json.dumps(value)}" for key, value in sorted(hints.items())),
    )


def _own_schema(
    schema: Mapping[str, Any], fixed: Mapping[str, object], narrow: Mapping[str, object]
) -> dict[str, object]:
    """The schema of a tool: definitions under `$defs`, no fixed arguments, narrowed ones required."""
    text = json.dumps(schema).replace('"#/definitions/', '"#/$defs/')
    copy: dict[str, Any] = json.loads(text)
    if definitions := {**copy.pop("definitions", {}), **copy.pop("$defs", {})}:
        copy["$defs"] = definitions
    properties = {name: property_ for name, property_ in _properties(copy).items() if name not in fixed}
    needed = [*(copy.get("required") or ()), *narrow]
    required = [name for name in properties if name in needed]
    return copy | {"type": "object", "properties": properties, "required": required}


def _properties(schema: object) -> Mapping[str, Any]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}


def _text(answer: Mapping[str, Any]) -> str:
    """The text of an answer; of other content what it is."""
    parts = [*_parts(answer.get("content"))]
    if not parts and answer.get("structuredContent") is not None:
        parts = [json.dumps(answer["structuredContent"], ensure_ascii=False)]
    return "\n".join(parts)


def _parts(content: object) -> Iterator[str]:
    for part in _dicts(content):
        whole = {**part, **(_dicts([part.get("resource")]) or [{}])[0]}
        if isinstance(whole.get("text"), str):
            yield whole["text"]
        else:
            size = len(str(whole.get("data") or whole.get("blob") or ""))
            what = whole.get("uri") or whole.get("type")
            yield f"[{what}, {whole.get('mimeType') or 'no type'}, {size:,} characters]"


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
