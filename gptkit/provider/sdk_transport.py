"""The SDK's ordinary way to a server, for proxies and for files, under gptkit's own deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gptkit.core.chat import ChatRequest
from gptkit.core.errors import ConfigurationError, GptkitError, InternalError, ProtocolError
from gptkit.provider import request as address
from gptkit.provider import response
from gptkit.provider.connection import context
from gptkit.provider.errors import fault
from gptkit.provider.exchange import Answer, Exchange
from gptkit.provider.sdk import client

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    import httpcore2
    import httpx2
    import openai


_HTTP = b"HTTP/1."
"""How an answer begins; h11 takes whatever it has no line of yet for the beginning of one."""


def ordinary(exchange: Exchange, content: Iterable[bytes] | None = None) -> Answer:
    """Sends the message of the exchange over httpcore2's own connections.

    `content` is sent in place of the message's body, as it comes.
    """
    import httpcore2

    message, place = exchange.message, exchange.place
    pool = _pool(exchange)
    exchange.closers.append(pool.close)
    request = httpcore2.Request(
        message.method,
        httpcore2.URL(scheme=place.scheme, host=place.host, port=place.port, target=message.target),
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in message.headers],
        content=message.body if content is None else content,
        extensions={"trace": _Progress(exchange)},
    )
    response = pool.handle_request(request)
    return Answer(response.status, response.headers, iter(response.iter_stream()))


def _pool(exchange: Exchange) -> httpcore2.ConnectionPool:
    import httpcore2

    believed = context(exchange.endpoint)
    backend = cast("httpcore2.NetworkBackend", _Backend(exchange))
    if not exchange.endpoint.proxy:
        return httpcore2.ConnectionPool(ssl_context=believed, network_backend=backend)
    proxy = _proxy(exchange)
    url = httpcore2.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
    )
    if proxy.url.scheme.startswith("socks"):
        return httpcore2.SOCKSProxy(
            url, proxy_auth=proxy.raw_auth, ssl_context=believed, network_backend=backend
        )
    return httpcore2.HTTPProxy(
        url,
        proxy_auth=proxy.raw_auth,
        ssl_context=believed,
        proxy_ssl_context=believed if proxy.url.scheme == "https" else None,
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


class _Progress:
    """How far the request came, as httpcore2 tells it; what is sent to the proxy itself does not count."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if name == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            self._exchange.phase = "send"
        elif name == "http11.send_request_body.complete" and self._exchange.phase == "send":
            self._exchange.phase = "wait"


class _Backend:
    """httpcore2's network, but each of its calls gets the time that is left at that moment."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._patience = _Patience(exchange)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Wire:
        import httpcore2

        opened = httpcore2.SyncBackend().connect_tcp(
            host, port, self._patience.seconds(), local_address, socket_options
        )
        self._exchange.closers.append(opened.close)  # a SOCKS connection that fails half-way leaves it open
        return _Wire(opened, self._exchange, self._patience)


class _Patience:
    """One deadline for all that leads to the connection, then the clock of the exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._due = monotonic() + exchange.endpoint.deadlines.connect

    @property
    def connecting(self) -> bool:
        return self._exchange.phase == "connect"

    def seconds(self) -> float:
        if not self.connecting:
            return self._exchange.clock.seconds()
        left = self._due - monotonic()
        if left <= 0:
            raise TimeoutError("no connection")
        return left


class _Wire:
    """A stream of httpcore2's, in its terms."""

    def __init__(self, stream: httpcore2.NetworkStream, exchange: Exchange, patience: _Patience) -> None:
        self._stream = stream
        self._exchange = exchange
        self._patience = patience
        self._start = b""
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, self._patience.seconds())
        if not data and self._patience.connecting:  # the SOCKS layer would take it for a malformed reply
            raise ConnectionAbortedError("closed by the proxy")
        if self._exchange.phase == "wait":
            self._start = (self._start + data)[: len(_HTTP)]
        self._exchange.ended = not data and _HTTP.startswith(self._start)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._patience.seconds())

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Wire:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._patience.seconds())
        return _Wire(secured, self._exchange, self._patience)


Made = TypeVar("Made")
LINE_LIMIT = 8 * 1024 * 1024
_ABOUT = ("Accept", "Content-Type", "Content-Length")
"""Headers that describe the SDK's own body and what it can read; all others are gptkit's."""


def completion(exchange: Exchange, request: ChatRequest) -> Iterator[object]:
    """The JSON values of a chat answer, as they arrive; raises whatever goes wrong as it is."""
    sdk = client(exchange, Transfer(exchange))
    from openai import Stream

    with sdk.post(
        "/chat/completions", cast_to=object, body=request.body(), stream=True, stream_cls=Stream[object]
    ) as pieces:
        yield from pieces


def told(exchange: Exchange, ask: Callable[[openai.OpenAI], Made]) -> Made:
    """What the one request that `ask` makes of the SDK brings; every failure is a GptkitError."""
    failure: GptkitError
    try:
        return ask(client(exchange, Transfer(exchange)))
    except Exception as error:
        failure = fault(error, exchange)
    finally:
        exchange.close()
    raise failure


def lines(exchange: Exchange, ask: Callable[[openai.OpenAI], Iterator[bytes]]) -> Iterator[bytes]:
    """The lines of a file, without their ends, as they arrive; nothing but the line at hand is held."""
    failure: GptkitError
    try:
        for line in _cut(ask(client(exchange, Transfer(exchange)))):
            exchange.clock.content()
            yield line
            exchange.partial = True
        return
    except Exception as error:
        failure = fault(error, exchange)
    finally:
        exchange.close()
    raise failure


class Transfer:
    """Answers the SDK's one request; a body that comes in pieces is sent in pieces."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._asked = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        import httpx2

        if self._asked:
            raise InternalError("provider: the SDK asked twice")
        self._asked = True
        exchange = self._exchange
        whole = request.read() if isinstance(request.stream, httpx2.ByteStream) else b""
        pieces = None if isinstance(request.stream, httpx2.ByteStream) else self._sent(request)
        exchange.message = _message(exchange, request)._replace(body=whole)
        kind, found = response.content(ordinary(exchange, pieces), exchange)
        if not exchange.chat:
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=found)
        events = (_spelled(texts) for texts in response.data(kind, found, exchange))
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=events)

    def _sent(self, request: httpx2.Request) -> Iterator[bytes]:
        """A large file over a slow line is not silence."""
        for piece in _iterated(request):
            yield piece
            self._exchange.clock.content()


def _spelled(texts: Iterable[bytes]) -> bytes:
    """Events as the SDK reads them without loss: one line of data each, and an empty line.

    Line breaks stand between the tokens of valid JSON only, where a space does as well.
    """
    return b"".join(b"data: " + text.translate(_ONE_LINE) + b"\n\n" for text in texts)


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def _iterated(request: httpx2.Request) -> Iterable[bytes]:
    stream = request.stream
    if not isinstance(stream, Iterable):
        raise TypeError("a body that cannot be sent")
    return stream


def _message(exchange: Exchange, request: httpx2.Request) -> address.Outgoing:
    """The SDK's request line with gptkit's headers, as the direct road has them."""
    path, _, asked = request.url.raw_path.decode("ascii").partition("?")
    query = "&".join(part for part in (exchange.place.query, asked) if part)
    about = {name: request.headers[name] for name in _ABOUT if name in request.headers}
    endpoint = exchange.endpoint
    if not exchange.chat:  # a file is not JSON, whatever the user's own headers say
        own = {name: value for name, value in endpoint.headers.items() if name.title() not in _ABOUT}
        endpoint = endpoint._replace(headers=own)
    headers = address.headers(endpoint, exchange.place, about)
    return address.Outgoing(request.method, f"{path}?{query}" if query else path, headers, b"")


def _cut(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Only a line feed ends a line: JSON may hold every other separator that Unicode knows."""
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        held += len(first)
        for other in others:
            yield b"".join(rest)
            rest, held = [other], len(other)
        if held > LINE_LIMIT:
            raise ProtocolError(f"a line of the file is larger than {LINE_LIMIT >> 20} MiB")
    yield b"".join(rest)


def object_of(value: object) -> Mapping[str, object]:
    """Raises ProtocolError for what is not a JSON object."""
    if not isinstance(value, dict):
        raise ProtocolError("malformed answer: not an object", tries=2)
    return value
