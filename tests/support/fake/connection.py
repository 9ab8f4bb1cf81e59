"""One connection of the fake server: reads HTTP/1.1 requests and plays scripts of bytes and deeds."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fake.listener import READ_SIZE, Listener, abort
from fake.received import Received
from fake.waiting import SILENCE, SOON
from fake.wire import response

TLS_RECORD = b"\x16\x03"


class ClosedError(Exception):
    """The client closed the connection."""


@dataclass(slots=True)
class Visit:
    """What is known of one connection. `closed` is when the client closed it, `sent` what we sent."""

    number: int
    opened: float
    closed: float | None = None
    sent: int = 0
    received: int = 0
    tls_failure: str = ""
    _gone: threading.Event = field(default_factory=threading.Event)

    def left(self) -> None:
        if self.closed is None:
            self.closed = time.monotonic()
        self._gone.set()

    def over(self) -> None:
        self._gone.set()

    def wait_closed(self, seconds: float = SOON) -> bool:
        """Wait for the end of the connection; whether it was the client who closed it, and in time."""
        self._gone.wait(seconds)
        return self.closed is not None


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, visit: Visit, owner: Listener) -> None:
        self.visit = visit
        self.owner = owner
        self.ended = False
        self.kept = False
        self.inbound = b""
        self.request: Received | None = None
        self._socket = sock
        self._pending: Callable[[], bytes] | None = None

    def play(self, steps: Iterable[Step]) -> None:
        """Send bytes and do deeds, in order, until one of them ends the connection."""
        for step in steps:
            if isinstance(step, bytes):
                self.send(step)
            else:
                step(self)
            if self.ended:
                return

    def send(self, data: bytes) -> None:
        if self.request and not self._pending:
            self._poll()
            self.request.extra = self.inbound
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.visit.left()
            raise ClosedError from None
        self.visit.sent += len(data)

    def head(self) -> bytes | None:
        """The next request's line and headers; None when the client closed or sent no whole head."""
        while b"\r\n\r\n" not in self.inbound:
            if self.inbound.startswith(TLS_RECORD):
                self.send(response(400, "this port speaks plain HTTP", {"Connection": "close"}))
                return None
            if not self.receive():
                return None
        head, self.inbound = self.inbound.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def begin(self, request: Received) -> None:
        """Take up a request whose head was read; `read_body` reads the rest of it."""
        headers = request.headers

        def read() -> bytes:
            if headers.get("expect", "").lower() == "100-continue":
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            if headers.get("transfer-encoding", "").lower() == "chunked":
                return self._chunked_body()
            return self._exactly(int(headers.get("content-length", "0")))

        self.request = request
        self._pending = read

    def read_body(self) -> bytes:
        """The body of the request at hand, once; raises ClosedError if it ends early."""
        body = self._pending() if self._pending else b""
        self._pending = None
        if self.request:
            self.request.body = body
        return body

    def wait(self, seconds: float | None) -> None:
        """Let time pass; raises ClosedError as soon as the client closes. None: for ever (see SILENCE)."""
        deadline = time.monotonic() + (SILENCE if seconds is None else seconds)
        while (left := deadline - time.monotonic()) > 0:
            if self.owner.readable(self._socket, seconds=left) and not self.receive():
                raise ClosedError
        if seconds is None:
            self.owner.problems.append(f"the client still waits for an answer after {SILENCE:.0f} s")
            self.close()

    def receive(self) -> bool:
        """Wait for bytes and take them in; false at the end."""
        if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            self.owner.readable(self._socket)
        try:
            data = self._socket.recv(READ_SIZE)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        self.inbound += data
        self.visit.received += len(data)
        if not data:
            self.visit.left()
        return bool(data)

    def close(self) -> None:
        """Close in an orderly way: with a FIN, or a RST where the client's bytes were left unread."""
        self.ended = True
        self.owner.release(self._socket)

    def reset(self) -> None:
        self.ended = True
        abort(self._socket)

    def finish(self) -> None:
        """End the sending side only, as a server does that lets the client read the answer first."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ClosedError):
            self.wait(SILENCE)
        self.close()

    def _poll(self) -> None:
        """Take in what has arrived, without waiting."""
        while self.owner.readable(self._socket, seconds=0):
            if not self.receive():
                return

    def _exactly(self, count: int) -> bytes:
        pieces = [self.inbound]
        missing = count - len(self.inbound)
        self.inbound = b""
        while missing > 0:
            if not self.receive():
                raise ClosedError
            missing -= len(self.inbound)
            pieces.append(self.inbound)
            self.inbound = b""
        data = b"".join(pieces)
        self.inbound = data[count:]
        return data[:count]

    def _line(self) -> bytes:
        while b"\r\n" not in self.inbound:
            if not self.receive():
                raise ClosedError
        line, self.inbound = self.inbound.split(b"\r\n", 1)
        return line

    def _chunked_body(self) -> bytes:
        parts = []
        while size := int(self._line().split(b";")[0], 16):
            parts.append(self._exactly(size))
            self._exactly(2)
        while self._line():
            pass  # trailers
        return b"".join(parts)


Step = bytes | Callable[[Connection], None]
"""Bytes to send, or a deed: pause, reset, close, hang, keep, until, read_body, finish."""


def pause(seconds: float) -> Step:
    return lambda connection: connection.wait(seconds)


def hang() -> Step:
    """Say nothing more; the client has to give up."""
    return lambda connection: connection.wait(None)


def close() -> Step:
    return Connection.close


def reset() -> Step:
    """Close with a RST."""
    return Connection.reset


def finish() -> Step:
    """Close the sending side, then wait for the client to close."""
    return Connection.finish


def keep() -> Step:
    """The answer is out: keep the connection for the next request."""

    def deed(connection: Connection) -> None:
        connection.kept = True

    return deed


def until(event: threading.Event) -> Step:
    """Go on when the test sets the event."""

    def deed(connection: Connection) -> None:
        if not connection.owner.wait(event, SILENCE):
            connection.owner.problems.append(f"the test did not set an event within {SILENCE:.0f} s")
            connection.close()

    return deed


def read_body() -> Step:
    """Read what is left of the request; for scripts that start before the body was read."""

    def deed(connection: Connection) -> None:
        connection.read_body()

    return deed
