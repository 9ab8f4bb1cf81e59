"""The state of one HTTP exchange while it goes on: its request, phase, deadlines and response."""

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from gptkit.core.chat import ChatRequest, Deadlines, Endpoint
from gptkit.core.sanitize import one_line
from gptkit.provider.request import BaseUrl, HttpRequest, build_http_request, parse_base_url

if TYPE_CHECKING:
    from gptkit.provider.connection import IdleConnections

Phase = Literal["connect", "send", "wait", "read"]


class HttpResponse(NamedTuple):
    """An HTTP response as it arrives: headers and body are not decoded yet."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: Iterator[bytes]


class StatusError(Exception):
    """A response with an error status. `body` is the server's error object, else the text of the response."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status_code = status
        self.body = body
        self.headers = headers


class Exchange:
    """One request to a server, and what is known of its response so far."""

    def __init__(self, endpoint: Endpoint, path: str, request: ChatRequest | None = None) -> None:
        self.endpoint = endpoint
        self.base_url: BaseUrl = parse_base_url(endpoint.base_url)
        body = request.body() if request else None
        method = "POST" if request else "GET"
        self.http_request: HttpRequest = build_http_request(endpoint, self.base_url, method, path, body)
        self.model = request.model if request else ""
        self.is_chat = request is not None
        self.has_attachments = request is not None and any(one.attachments for one in request.messages)
        self.resource = "chat API"
        """What a 404 says is missing."""
        self.is_file = False
        """Whether the response is a file, which may be empty and larger than an answer."""
        self.is_billable = True
        self.check_address: Callable[[str], object] = str
        """Raises for an address that the host must not have; called before a connection without a proxy."""
        self.phase: Phase = "connect"
        self.clock = Clock(endpoint.deadlines)
        self.idle_connections: IdleConnections | None = None
        """Where the connection is kept for the next request."""
        self.is_reusable = False
        """Whether the connection can carry another request."""
        self.has_output = False
        """Whether text of the answer was yielded."""
        self.is_complete = False
        """Whether the protocol's own end of the answer came."""
        self.is_verified = True
        """Whether the checksums of all compressed data so far were read and agree."""
        self.is_closed = False
        """Whether the server has closed the connection of the response."""
        self.has_length = False
        """Whether the response announced its number of bytes."""
        self.request_id = ""
        self.closers: list[Callable[[], None]] = []

    @property
    def proxy(self) -> str:
        """Host and port of the proxy, without user and password."""
        if not self.endpoint.proxy:
            return ""
        parts = urlsplit(self.endpoint.proxy)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Take the request id and the announced length from the response headers (lower-case names)."""
        self.phase = "read"
        self.has_length = "content-length" in headers and "transfer-encoding" not in headers
        names = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id")
        self.request_id = one_line(next((headers[name] for name in names if headers.get(name)), ""), 100)

    def close(self) -> None:
        while self.closers:
            self.closers.pop()()


class Clock:
    """The deadlines of the reads of one response, in seconds; only content moves the content deadline."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.idle = deadlines.idle
        self.content_limit = deadlines.first_content
        self._content_limit = deadlines.content
        self._due = monotonic() + self.content_limit

    def remaining(self) -> float:
        """Seconds that the next read may take.

        Raises TimeoutError if no content came in time, whatever bytes did.
        """
        left = self._due - monotonic()
        if left <= 0:
            raise TimeoutError("no content")
        return min(self.idle, left)

    @property
    def is_overdue(self) -> bool:
        return monotonic() >= self._due

    def restart(self) -> None:
        """Start the content deadline anew, since content has come."""
        self.content_limit = self._content_limit
        self._due = monotonic() + self._content_limit

    def shorten(self, seconds: float) -> None:
        """Move the content deadline to at most `seconds` from now."""
        self.content_limit = seconds
        self._due = min(self._due, monotonic() + seconds)
