"""A shop with an HTTP API on loopback, and its OpenAPI description."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://evil.example"}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "getOrder",
                "summary": "Show an order.",
                "parameters": [
                    {
                        "name": "filter[tag]",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ],
            },
            "delete": {"operationId": "deleteOrder", "summary": "Delete an order."},
        },
        "/orders/{id}/refunds": {
            "post": {
                "operationId": "refundOrder",
                "summary": "Refund an order.",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}},
                ],
                "requestBody": {"$ref": "#/components/requestBodies/Refund"},
            }
        },
    },
    "components": {
        "requestBodies": {
            "Refund": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refund"}}},
            }
        },
        "schemas": {
            "Refund": {
                "type": "object",
                "required": ["amount"],
                "properties": {
                    "amount": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
                    "reason": {"type": "string", "nullable": True},
                },
            }
        },
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    },
}
TOOLS = """\
description: The shop.
tools:
  openapi:
    shop:
      file: shop.openapi.json
      server: {url}/v1
      select: [getOrder, refundOrder, "DELETE /orders/{id}"]
      headers: {Authorization: "Bearer $SHOP_TOKEN"}
      risk: {refundOrder: destructive}
      fix: {tenant: acme}
      narrow: {refundOrder: {amount: {maximum: 200}}}
      timeout: 2
"""
ENVIRONMENT: dict[str, str | None] = {"SHOP_TOKEN": "token-canary-123"}


@dataclass
class Asked:
    """A request that arrived at the shop."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Shop:
    """The requests so far, and what is answered: status, headers and body of a request."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], tuple[int, dict[str, str], bytes]] = lambda _: (
        200,
        {},
        b'{"id": 42, "total": 99.9}',
    )
    delay: float = 0.0

    def write(self, folder: Path, name: str = "shop", description: Any = DESCRIPTION) -> Path:
        """Write the description and a tool file for it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "shop.openapi.json").write_text(json.dumps(description))
        path = folder / f"{name}.yaml"
        path.write_text(TOOLS.replace("{url}", self.url))
        return path


@contextmanager
def open_shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            shop.asked.append(asked)
            time.sleep(shop.delay)
            status, own, body = shop.answer(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **own}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _do  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client left
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
