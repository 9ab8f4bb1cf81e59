"""What is known of one HTTP exchange while it goes on: its request, phase, clock and outcome."""

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from gptkit.core.chat import ChatRequest, Deadlines, Endpoint
from gptkit.core.sanitize import one_line
from gptkit.provider.request import Outgoing, Target, message, target

if TYPE_CHECKING:
    from gptkit.provider.connection import Idle

Phase = Literal["connect", "send", "wait", "read"]


class Answer(NamedTuple):
    """An HTTP response as it comes from the wire: headers and body are not decoded yet."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: Iterator[bytes]


class StatusError(Exception):
    """An answer whose status says no. `body` is the server's error object, else what it sent as text."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status_code = status
        self.body = body
        self.headers = headers


class Exchange:
    """One request on its way.

    `partial` says that text of the answer was handed on, `done` that the protocol's own end came, `sealed`
    that no compressed data is left whose checksum has not been seen to agree, `reusable` that its connection
    can carry another request, for which `idle` keeps it. `ended` says that the server has closed the
    connection over which an answer came or could have come, `sized` that it had announced a number of
    bytes. `sought` is what a 404 says is not there; a `file` may be empty and larger than an answer; only
    what is `billable` may be billed.
    """

    def __init__(self, endpoint: Endpoint, path: str, request: ChatRequest | None = None) -> None:
        self.endpoint = endpoint
        self.place: Target = target(endpoint.base_url)
        body = request.body() if request else None
        method = "POST" if request else "GET"
        self.message: Outgoing = message(endpoint, self.place, method, path, body)
        self.model = request.model if request else ""
        self.chat = request is not None
        self.sought = "chat API"
        self.file = False
        self.billable = True
        self.phase: Phase = "connect"
        self.clock = Clock(endpoint.deadlines)
        self.idle: Idle | None = None
        self.reusable = False
        self.partial = False
        self.done = False
        self.sealed = True
        self.ended = False
        self.sized = False
        self.request_id = ""
        self.closers: list[Callable[[], None]] = []

    @property
    def proxy(self) -> str:
        """The proxy as it may be shown: without user and password."""
        if not self.endpoint.proxy:
            return ""
        parts = urlsplit(self.endpoint.proxy)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def answered(self, headers: Mapping[str, str]) -> None:
        self.phase = "read"
        self.sized = "content-length" in headers and "transfer-encoding" not in headers
        names = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id")
        self.request_id = one_line(next((headers[name] for name in names if headers.get(name)), ""), 100)

    def close(self) -> None:
        while self.closers:
            self.closers.pop()()


class Clock:
    """How long the next read may take; only content puts off the content deadline."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.idle = deadlines.idle
        self.patience = deadlines.first_content
        self._between = deadlines.content
        self._due = monotonic() + self.patience

    def seconds(self) -> float:
        """Raises TimeoutError when content is overdue although bytes still come."""
        left = self._due - monotonic()
        if left <= 0:
            raise TimeoutError("no content")
        return min(self.idle, left)

    @property
    def overdue(self) -> bool:
        return monotonic() >= self._due

    def content(self) -> None:
        self.patience = self._between
        self._due = monotonic() + self._between

    def hurry(self, seconds: float) -> None:
        """What is still to come is not worth waiting longer."""
        self.patience = seconds
        self._due = min(self._due, monotonic() + seconds)
