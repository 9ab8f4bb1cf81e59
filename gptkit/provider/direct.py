"""The direct road to a server: a socket of gptkit's own, and h11 for the response."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gptkit.provider.connection import connection
from gptkit.provider.exchange import Answer, Exchange

if TYPE_CHECKING:
    import h11

_BLOCK = 65536
_HEAD_LIMIT = 256 * 1024


def send(exchange: Exchange) -> Callable[[], Answer]:
    """Sends the request now, with the standard library only; the result reads the response.

    What reading takes is loaded in between, while the server is at work.
    """
    kept = exchange.idle and exchange.idle.take()
    wire = kept or connection(exchange.place, exchange.endpoint)
    exchange.closers.append(lambda: _leave(wire, exchange))
    exchange.phase = "send"
    left = memoryview(exchange.message.head + exchange.message.body)
    try:
        while left:  # a large request over a slow line is not silence
            wire.settimeout(exchange.clock.seconds())
            left = left[wire.send(left) :]
        exchange.phase = "wait"
    except OSError as error:
        unsent: OSError | None = error
    else:
        unsent = None
    return lambda: _answer(wire, exchange, unsent, bool(kept))


def _leave(wire: socket.socket, exchange: Exchange) -> None:
    if exchange.idle is not None and exchange.reusable:
        exchange.idle.give(wire)
    else:
        wire.close()


def _answer(wire: socket.socket, exchange: Exchange, unsent: OSError | None, kept: bool) -> Answer:
    """A server that refuses early may stop reading the body: its status wins over the write error."""
    import h11

    connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
    message = exchange.message
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in message.headers]
    connection.send(h11.Request(method=message.method, target=message.target, headers=headers))
    if message.body:
        connection.send(h11.Data(data=message.body))
    connection.send(h11.EndOfMessage())
    try:
        response = _head(wire, exchange, connection)
    except (OSError, h11.RemoteProtocolError):
        if kept and exchange.idle is not None:
            exchange.idle.doubt()
        if unsent is not None:
            raise unsent from None
        raise
    body = _body(wire, exchange, connection, unsent is None and _is_kept(response))
    return Answer(response.status_code, response.headers.raw_items(), body)


def _head(wire: socket.socket, exchange: Exchange, connection: h11.Connection) -> h11.Response:
    import h11

    for _ in range(64):  # a server may announce itself with 100 or 103, but not for ever
        event = _event(wire, exchange, connection)
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
            break
    raise h11.RemoteProtocolError("no response")


def _body(
    wire: socket.socket, exchange: Exchange, connection: h11.Connection, lasts: bool
) -> Iterator[bytes]:
    """What each read of the socket brings, at once and in one piece however many chunks it holds."""
    import h11

    data, need = h11.Data, h11.NEED_DATA
    receive, next_event = connection.receive_data, connection.next_event
    pieces: list[bytes | bytearray] = []
    while True:
        try:
            event = next_event()
        except h11.RemoteProtocolError:
            yield b"".join(pieces)  # it came before the damage
            raise
        if type(event) is data:
            pieces.append(event.data)
            continue
        if event is not need:
            exchange.reusable = lasts and _is_between_requests(connection)
        if pieces:
            yield b"".join(pieces)
            pieces.clear()
        if event is not need:
            return
        received = _received(wire, exchange)
        exchange.ended = not received
        receive(received)


def _is_kept(response: h11.Response) -> bool:
    """The server says so: there are some that leave it open whether they do, and close."""
    return any(
        name == b"keep-alive" or (name == b"connection" and b"keep-alive" in value.lower())
        for name, value in response.headers
    )


def _is_between_requests(connection: h11.Connection) -> bool:
    import h11

    done = connection.our_state is connection.their_state is h11.DONE
    return done and not connection.trailing_data[0]


def _event(wire: socket.socket, exchange: Exchange, connection: h11.Connection) -> object:
    import h11

    while (event := connection.next_event()) is h11.NEED_DATA:
        received = _received(wire, exchange)
        if not received:
            if not b"HTTP/1.".startswith(connection.trailing_data[0][:7]):
                raise h11.RemoteProtocolError("no response")
            raise ConnectionAbortedError("closed before an answer")
        connection.receive_data(received)
    return event


def _received(wire: socket.socket, exchange: Exchange) -> bytes:
    wire.settimeout(exchange.clock.seconds())
    return wire.recv(_BLOCK)
