"""The road over the openai SDK: it writes the request, gptkit's headers, deadlines and caps go with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from gptkit.core.chat import Request
from gptkit.core.errors import GptkitError, InternalFault, ProtocolFault
from gptkit.provider import response
from gptkit.provider import target as address
from gptkit.provider.exchange import Exchange
from gptkit.provider.faults import fault
from gptkit.provider.ordinary import ordinary
from gptkit.provider.sdk import client

if TYPE_CHECKING:
    import httpx2
    import openai

Made = TypeVar("Made")
LINE_LIMIT = 8 * 1024 * 1024
_ABOUT = ("Accept", "Content-Type", "Content-Length")
"""Headers that describe the SDK's own body and what it can read; all others are gptkit's."""


def completion(exchange: Exchange, request: Request) -> Iterator[object]:
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
            raise InternalFault("provider: the SDK asked twice")
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
            raise ProtocolFault(f"a line of the file is larger than {LINE_LIMIT >> 20} MiB")
    yield b"".join(rest)


def object_of(value: object) -> Mapping[str, object]:
    """Raises ProtocolFault for what is not a JSON object."""
    if not isinstance(value, dict):
        raise ProtocolFault("malformed answer: not an object", tries=2)
    return value
