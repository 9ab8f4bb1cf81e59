"""Sends the SDK's requests over httpcore2, for proxies and for files, under gptkit's own deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gptkit.core.chat import ChatRequest
from gptkit.core.errors import ConfigurationError, GptkitError, InternalError, ProtocolError
from gptkit.provider import request as address
from gptkit.provider import response
from gptkit.provider.connection import tls_context
from gptkit.provider.errors import to_gptkit_error
from gptkit.provider.exchange import Exchange, HttpResponse
from gptkit.provider.sdk import client

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    import httpcore2
    import httpx2
    import openai


_HTTP = b"HTTP/1."
"""The first bytes of every response."""


def send_over_httpcore(exchange: Exchange, content: Iterable[bytes] | None = None) -> HttpResponse:
    """Send the HTTP request of the exchange over a connection of httpcore2.

    `content` is sent in place of the body, piece by piece.
    """
    import httpcore2

    message, base_url = exchange.http_request, exchange.base_url
    pool = _pool(exchange)
    exchange.closers.append(pool.close)
    request = httpcore2.Request(
        message.method,
        httpcore2.URL(scheme=base_url.scheme, host=base_url.host, port=base_url.port, target=message.target),
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in message.headers],
        content=message.body if content is None else content,
        extensions={"trace": _PhaseTracker(exchange)},
    )
    response = pool.handle_request(request)
    return HttpResponse(response.status, response.headers, iter(response.iter_stream()))


def _pool(exchange: Exchange) -> httpcore2.ConnectionPool:
    import httpcore2

    tls = tls_context(exchange.endpoint)
    backend = cast("httpcore2.NetworkBackend", _Backend(exchange))
    if not exchange.endpoint.proxy:
        return httpcore2.ConnectionPool(ssl_context=tls, network_backend=backend)
    proxy = _proxy(exchange)
    url = httpcore2.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
    )
    if proxy.url.scheme.startswith("socks"):
        return httpcore2.SOCKSProxy(url, proxy_auth=proxy.raw_auth, ssl_context=tls, network_backend=backend)
    return httpcore2.HTTPProxy(
        url,
        proxy_auth=proxy.raw_auth,
        ssl_context=tls,
        proxy_ssl_context=tls if proxy.url.scheme == "https" else None,
        network_backend=backend,
    )


def _proxy(exchange: Exchange) -> httpx2.Proxy:
    import httpx2

    try:
        return httpx2.Proxy(exchange.endpoint.proxy or "")
    except (ValueError, httpx2.InvalidURL):
        raise ConfigurationError(
            "proxy: not a proxy's address", hint="write it like http://host:port or socks5://host:port"
        ) from None


class _PhaseTracker:
    """Sets the phase of an exchange by the trace events of httpcore2, except for requests to the proxy."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if name == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            self._exchange.phase = "send"
        elif name == "http11.send_request_body.complete" and self._exchange.phase == "send":
            self._exchange.phase = "wait"


class _Backend:
    """A network backend of httpcore2 whose calls get the time that is left at that moment."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._deadline = _ConnectDeadline(exchange)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _NetworkStream:
        import httpcore2

        opened = httpcore2.SyncBackend().connect_tcp(
            host, port, self._deadline.remaining(), local_address, socket_options
        )
        self._exchange.closers.append(opened.close)  # httpcore2 leaves a failed SOCKS connection open
        return _NetworkStream(opened, self._exchange, self._deadline)


class _ConnectDeadline:
    """One deadline for all steps up to the connection; afterwards the clock of the exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._due = monotonic() + exchange.endpoint.deadlines.connect

    @property
    def is_connecting(self) -> bool:
        return self._exchange.phase == "connect"

    def remaining(self) -> float:
        if not self.is_connecting:
            return self._exchange.clock.remaining()
        left = self._due - monotonic()
        if left <= 0:
            raise TimeoutError("no connection")
        return left


class _NetworkStream:
    """A network stream of httpcore2 under the deadlines of an exchange."""

    def __init__(
        self, stream: httpcore2.NetworkStream, exchange: Exchange, deadline: _ConnectDeadline
    ) -> None:
        self._stream = stream
        self._exchange = exchange
        self._deadline = deadline
        self._first_bytes = b""
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, self._deadline.remaining())
        if not data and self._deadline.is_connecting:  # the SOCKS layer would call it a malformed reply
            raise ConnectionAbortedError("closed by the proxy")
        if self._exchange.phase == "wait":
            self._first_bytes = (self._first_bytes + data)[: len(_HTTP)]
        self._exchange.is_closed = not data and _HTTP.startswith(self._first_bytes)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.remaining())

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.remaining())
        return _NetworkStream(secured, self._exchange, self._deadline)


T = TypeVar("T")
LINE_LIMIT = 8 * 1024 * 1024
"""Bytes."""
_CONTENT_HEADERS = ("Accept", "Content-Type", "Content-Length")
"""Headers that are taken from the SDK's request; all others are gptkit's."""


def stream_completion(exchange: Exchange, request: ChatRequest) -> Iterator[object]:
    """Send a chat request and yield the JSON values of the answer as they arrive; errors stay as they are."""
    sdk = client(exchange, SdkAnswer(exchange))
    from openai import Stream

    with sdk.post(
        "/chat/completions", cast_to=object, body=request.body(), stream=True, stream_cls=Stream[object]
    ) as pieces:
        yield from pieces


def call_sdk(exchange: Exchange, ask: Callable[[openai.OpenAI], T]) -> T:
    """Call `ask`, which makes one request of the SDK, and return its result. Raises GptkitError only."""
    failure: GptkitError
    try:
        return ask(client(exchange, SdkAnswer(exchange)))
    except Exception as error:
        failure = to_gptkit_error(error, exchange)
    finally:
        exchange.close()
    raise failure


def stream_lines(exchange: Exchange, ask: Callable[[openai.OpenAI], Iterator[bytes]]) -> Iterator[bytes]:
    """Yield the lines of a file that `ask` downloads, without line ends, as they arrive."""
    failure: GptkitError
    try:
        for line in _split_lines(ask(client(exchange, SdkAnswer(exchange)))):
            exchange.clock.restart()
            yield line
            exchange.has_output = True
        return
    except Exception as error:
        failure = to_gptkit_error(error, exchange)
    finally:
        exchange.close()
    raise failure


class SdkAnswer:
    """Answers the single request of an SDK client by sending it over httpcore2."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_used = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        import httpx2

        if self._is_used:
            raise InternalError("provider: the SDK asked twice")
        self._is_used = True
        exchange = self._exchange
        whole = request.read() if isinstance(request.stream, httpx2.ByteStream) else b""
        pieces = None if isinstance(request.stream, httpx2.ByteStream) else self._send_pieces(request)
        exchange.http_request = _http_request(exchange, request)._replace(body=whole)
        kind, body = response.decode_body(send_over_httpcore(exchange, pieces), exchange)
        if not exchange.is_chat:
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=body)
        events = (_encode_events(texts) for texts in response.json_texts(kind, body, exchange))
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=events)

    def _send_pieces(self, request: httpx2.Request) -> Iterator[bytes]:
        """Yield the pieces of a body; each piece sent restarts the content deadline."""
        for piece in _body_pieces(request):
            yield piece
            self._exchange.clock.restart()


def _encode_events(texts: Iterable[bytes]) -> bytes:
    """Write each JSON text as an event with one line of data, since the SDK loses text of several lines.

    A line break in valid JSON stands between tokens, where a space is as good.
    """
    return b"".join(b"data: " + text.translate(_ONE_LINE) + b"\n\n" for text in texts)


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def _body_pieces(request: httpx2.Request) -> Iterable[bytes]:
    stream = request.stream
    if not isinstance(stream, Iterable):
        raise TypeError("a body that cannot be sent")
    return stream


def _http_request(exchange: Exchange, request: httpx2.Request) -> address.HttpRequest:
    """Build a request from the SDK's request line and gptkit's headers, without a body."""
    path, _, own_query = request.url.raw_path.decode("ascii").partition("?")
    query = "&".join(part for part in (exchange.base_url.query, own_query) if part)
    content_headers = {name: request.headers[name] for name in _CONTENT_HEADERS if name in request.headers}
    endpoint = exchange.endpoint
    if not exchange.is_chat:  # a file is not JSON, whatever the user's own headers say
        custom = {
            name: value for name, value in endpoint.headers.items() if name.title() not in _CONTENT_HEADERS
        }
        endpoint = endpoint._replace(headers=custom)
    headers = address.build_headers(endpoint, exchange.base_url, content_headers)
    return address.HttpRequest(request.method, f"{path}?{query}" if query else path, headers, b"")


def _split_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Split at line feeds only, since JSON may hold all other line separators of Unicode."""
    rest: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        size += len(first)
        for other in others:
            yield b"".join(rest)
            rest, size = [other], len(other)
        if size > LINE_LIMIT:
            raise ProtocolError(f"a line of the file is larger than {LINE_LIMIT >> 20} MiB")
    yield b"".join(rest)


def require_object(value: object) -> Mapping[str, object]:
    """Return a JSON object as it is. Raises ProtocolError for any other value."""
    if not isinstance(value, dict):
        raise ProtocolError("malformed answer: not an object", tries=2)
    return value
