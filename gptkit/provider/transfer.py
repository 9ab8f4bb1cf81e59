"""Requests that the SDK writes itself, files among them, sent under gptkit's headers, deadlines and caps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from gptkit.errors import GptkitError, ProtocolFault
from gptkit.provider import target as address
from gptkit.provider.exchange import Answer, Exchange
from gptkit.provider.faults import fault
from gptkit.provider.guard import Guard
from gptkit.provider.ordinary import ordinary
from gptkit.provider.sdk import client

if TYPE_CHECKING:
    import httpx2
    import openai

Made = TypeVar("Made")
LINE_LIMIT = 8 * 1024 * 1024
_TAKEN_OVER = ("accept", "content-type", "content-length")
"""Headers that describe the SDK's own body and what it can read; all others are gptkit's."""


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
        self._content: Iterable[bytes] | None = None
        self._guard = Guard(exchange, self._deliver)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        import httpx2

        whole = b""
        if isinstance(request.stream, httpx2.ByteStream):
            whole = request.read()
        else:
            self._content = self._sent(request)
        self._exchange.message = _message(self._exchange, request)._replace(body=whole)
        key = request.headers.get("authorization", "")
        seen = httpx2.Request(request.method, request.url, headers={"authorization": key}, content=whole)
        return self._guard(seen)

    def _deliver(self) -> Answer:
        return ordinary(self._exchange, self._content)

    def _sent(self, request: httpx2.Request) -> Iterator[bytes]:
        """A large file over a slow line is not silence."""
        for piece in _iterated(request):
            yield piece
            self._exchange.clock.content()


def _iterated(request: httpx2.Request) -> Iterable[bytes]:
    stream = request.stream
    if not isinstance(stream, Iterable):
        raise TypeError("a body that cannot be sent")
    return stream


def _message(exchange: Exchange, request: httpx2.Request) -> address.Outgoing:
    """The SDK's request line with gptkit's headers."""
    made = address.message(exchange.endpoint, exchange.place, request.method, "", None)
    kept = [row for row in made.headers if row[0].lower() not in _TAKEN_OVER]
    taken = [(name, request.headers[name]) for name in _TAKEN_OVER if name in request.headers]
    return made._replace(target=request.url.raw_path.decode("ascii"), headers=(*kept, *taken))


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
