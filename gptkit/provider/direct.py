"""Sends a request over a socket directly to the server, and reads the response with h11."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gptkit.provider.connection import open_connection
from gptkit.provider.exchange import Exchange, HttpResponse

if TYPE_CHECKING:
    import h11

_BLOCK = 65536
_HEAD_LIMIT = 256 * 1024


def send(exchange: Exchange) -> Callable[[], HttpResponse]:
    """Send the request with the standard library only; returns a function that reads the response.

    So the caller can import what reads the response while the server is at work.
    """
    idle = exchange.idle_connections and exchange.idle_connections.take()
    sock = idle or open_connection(exchange.base_url, exchange.endpoint, exchange.check_address)
    exchange.closers.append(lambda: _release(sock, exchange))
    exchange.phase = "send"
    unsent = memoryview(exchange.http_request.head + exchange.http_request.body)
    try:
        while unsent:  # each piece sent restarts the timeout
            sock.settimeout(exchange.clock.remaining())
            unsent = unsent[sock.send(unsent) :]
        exchange.phase = "wait"
    except OSError as error:
        failure: OSError | None = error
    else:
        failure = None
    return lambda: _read_response(sock, exchange, failure, idle is not None)


def _release(sock: socket.socket, exchange: Exchange) -> None:
    if exchange.idle_connections is not None and exchange.is_reusable:
        exchange.idle_connections.put(sock)
    else:
        sock.close()


def _read_response(
    sock: socket.socket, exchange: Exchange, send_error: OSError | None, is_reused: bool
) -> HttpResponse:
    """Read the head of the response, and return it with an iterator of the body.

    A server that refuses early may not read the whole request: its response counts more than `send_error`,
    which is raised only without a response.
    """
    import h11

    connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
    message = exchange.http_request
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in message.headers]
    connection.send(h11.Request(method=message.method, target=message.target, headers=headers))
    if message.body:
        connection.send(h11.Data(data=message.body))
    connection.send(h11.EndOfMessage())
    try:
        response = _read_head(sock, exchange, connection)
    except (OSError, h11.RemoteProtocolError):
        if is_reused and exchange.idle_connections is not None:
            exchange.idle_connections.stop_keeping()
        if send_error is not None:
            raise send_error from None
        raise
    body = _read_body(sock, exchange, connection, send_error is None and _is_kept_alive(response))
    return HttpResponse(response.status_code, response.headers.raw_items(), body)


def _read_head(sock: socket.socket, exchange: Exchange, connection: h11.Connection) -> h11.Response:
    import h11

    for _ in range(64):  # a server may send 100 or 103 first, but not without end
        event = _next_event(sock, exchange, connection)
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
            break
    raise h11.RemoteProtocolError("no response")


def _read_body(
    sock: socket.socket, exchange: Exchange, connection: h11.Connection, is_kept_alive: bool
) -> Iterator[bytes]:
    """Yield the data of each read of the socket as one piece, however many chunks it holds."""
    import h11

    data, need = h11.Data, h11.NEED_DATA
    receive, next_event = connection.receive_data, connection.next_event
    pieces: list[bytes | bytearray] = []
    while True:
        try:
            event = next_event()
        except h11.RemoteProtocolError:
            yield b"".join(pieces)  # the data before the damage
            raise
        if type(event) is data:
            pieces.append(event.data)
            continue
        if event is not need:
            exchange.is_reusable = is_kept_alive and _is_between_requests(connection)
        if pieces:
            yield b"".join(pieces)
            pieces.clear()
        if event is not need:
            return
        received = _receive(sock, exchange)
        exchange.is_closed = not received
        receive(received)


def _is_kept_alive(response: h11.Response) -> bool:
    """Whether the server promises to keep the connection; some close it without saying so."""
    return any(
        name == b"keep-alive" or (name == b"connection" and b"keep-alive" in value.lower())
        for name, value in response.headers
    )


def _is_between_requests(connection: h11.Connection) -> bool:
    import h11

    done = connection.our_state is connection.their_state is h11.DONE
    return done and not connection.trailing_data[0]


def _next_event(sock: socket.socket, exchange: Exchange, connection: h11.Connection) -> object:
    import h11

    while (event := connection.next_event()) is h11.NEED_DATA:
        received = _receive(sock, exchange)
        if not received:
            if not b"HTTP/1.".startswith(connection.trailing_data[0][:7]):
                raise h11.RemoteProtocolError("no response")
            raise ConnectionAbortedError("closed before an answer")
        connection.receive_data(received)
    return event


def _receive(sock: socket.socket, exchange: Exchange) -> bytes:
    sock.settimeout(exchange.clock.remaining())
    return sock.recv(_BLOCK)
