"""A provider that takes batches and answers single requests, each as a function of its text says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fake.batches import FakeBatches
from fake.received import Received
from fake.replies import Reply
from fake.server import FakeServer

Said = Callable[[str], str]


class Provider:
    """`batches` are what was submitted, `asked` the texts of single requests."""

    def __init__(self, server: FakeServer, said: Said = str.upper) -> None:
        self.said = said
        self.batches = FakeBatches(server, self._in_batch)
        self._server = server
        server.answer(self.answered)

    @property
    def asked(self) -> list[str]:
        return [text_of(request.json) for request in self._server.requests if _is_single(request)]

    @property
    def submitted(self) -> list[str]:
        """The texts of all batches, in order."""
        return [text_of(body) for body in self.bodies]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [line["body"] for batch in self.batches.made for line in self.batches.lines(batch)]

    def answered(self, request: Received) -> str | Reply:
        return self.said(text_of(request.json)) if _is_single(request) else self.batches._reply(request)

    def _in_batch(self, body: dict[str, Any]) -> str | int | None:
        return self.said(text_of(body))


def text_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def _is_single(request: Received) -> bool:
    return request.path.endswith("/chat/completions")
