"""A loopback listener with one thread a connection, which ends at once and leaves nothing open."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from fake.waiting import SOON

READ_SIZE = 65_536
LINGER_NONE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class StoppedError(Exception):
    """The listener is closing."""


class Listener:
    """Accepts on a free port of 127.0.0.1 and runs `serve(socket, number)` for each connection.

    What goes wrong in `serve`, other than the network, is kept in `problems` and fails the test.
    """

    def __init__(self, serve: Callable[[socket.socket, int], None]) -> None:
        self.problems: list[str] = []
        self._serve = serve
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._alarm, self._bell = socket.socketpair()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, name="fake-accept", daemon=True)
        self._acceptor.start()

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def readable(self, *sockets: socket.socket, seconds: float | None = None) -> list[socket.socket]:
        """Those that can be read, waiting so long at most; raises StoppedError when the listener closes."""
        ready: list[socket.socket] = select.select([*sockets, self._alarm], [], [], seconds)[0]
        if self._alarm in ready:
            raise StoppedError
        return ready

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event; false when the time is up."""
        deadline = time.monotonic() + seconds
        while not event.wait(0.005):
            self.readable(seconds=0)
            if time.monotonic() > deadline:
                return False
        return True

    def connect(self, address: tuple[str, int]) -> socket.socket:
        """A connection onwards that ends with the listener."""
        onwards = socket.create_connection(address, timeout=SOON)
        onwards.settimeout(None)
        with self._lock:
            self._open.add(onwards)
        return onwards

    def release(self, connection: socket.socket) -> None:
        """Close one connection."""
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def replace(self, connection: socket.socket, wrapped: socket.socket) -> None:
        """`wrapped` (TLS) took over the connection."""
        with self._lock:
            self._open.discard(connection)
            self._open.add(wrapped)

    def close(self) -> None:
        """End every connection and every thread; may be called twice."""
        with contextlib.suppress(OSError):
            self._bell.send(b"!")
        self._acceptor.join()
        with self._lock:
            connections, threads = list(self._open), list(self._threads)
        for connection in connections:
            with contextlib.suppress(OSError):
                # By way of the base class: a TLS socket would first drop its session under the thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for leftover in (self._socket, self._alarm, self._bell):
            leftover.close()

    def verify(self) -> None:
        """Fail if something went wrong on this side; called at the end of the test."""
        assert not self.problems, "; ".join(self.problems)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self.verify()

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(StoppedError):
            while True:
                self.readable(self._socket)
                try:
                    connection, _ = self._socket.accept()
                except OSError:
                    continue  # it was reset before it was accepted
                connection.setblocking(True)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                number += 1
                thread = threading.Thread(target=self._run, args=(connection, number), daemon=True)
                with self._lock:
                    self._open.add(connection)
                    self._threads.append(thread)
                thread.start()

    def _run(self, connection: socket.socket, number: int) -> None:
        try:
            self._serve(connection, number)
        except (StoppedError, OSError):
            pass  # the other side went away, or the test is over
        except Exception as error:
            self.problems.append(f"connection {number}: {type(error).__name__}: {error}")
        finally:
            self.release(connection)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody listens on, and nobody else can have."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def abort(connection: socket.socket) -> None:
    """Close with a RST: the other side loses what it has not read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    connection.close()
