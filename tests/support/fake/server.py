"""The API on loopback: it is told what to say and records what it got."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fake.connection import ClosedError, Connection, Step, Visit
from fake.listener import Listener
from fake.received import Received, malformed, parsed
from fake.replies import CHAT, Reply, When, failed, listed, said, scripted
from fake.waiting import SOON
from fake.wire import error_object, response


class UnacceptableError(Exception):
    """A request that the real server would not take, or the test did not expect."""


class FakeServer(Listener):
    """Speaks the chat completions protocol. As a context manager it fails at the end for any of these:

    a queued reply that nobody asked for, a request that none was queued for, a request that the
    real server would not accept. `requests` and `connections` are what arrived, in order.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, *, prefix: str = "/v1", name: str = "127.0.0.1"
    ) -> None:
        self.requests: list[Received] = []
        self.connections: list[Visit] = []
        self._tls = tls
        self._prefix = prefix
        self._name = name
        self._replies: deque[Reply] = deque()
        self._standing: Callable[[Received], str | Reply] | None = None
        self._arrived = threading.Condition()
        super().__init__(self._visit)

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._name}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return self.origin + self._prefix

    @property
    def request(self) -> Received:
        """The only request there was."""
        assert len(self.requests) == 1, f"{len(self.requests)} requests arrived, not one"
        return self.requests[0]

    def say(self, text: str | Sequence[str] = "", *, times: int = 1, **options: Any) -> None:
        """Queue an answer; for the options see `said` and Completion."""
        self.queue(said(text, **options), times=times)

    def fail(self, status: int, body: Any = None, *, times: int = 1, **options: Any) -> None:
        """Queue a failure; for the options see `failed`."""
        self.queue(failed(status, body, **options), times=times)

    def raw(self, steps: Iterable[Step], *, when: When = "request", times: int = 1) -> None:
        """Queue a script of bytes and deeds; it ends with an orderly close unless it says otherwise."""
        self.queue(scripted(steps, when=when), times=times)

    def models(self, *names: str) -> None:
        """Queue an answer to GET /v1/models."""
        self.queue(listed(*names))

    def answer(self, function: Callable[[Received], str | Reply]) -> None:
        """Answer any number of requests, once the queue is empty, with what the function returns."""
        self._standing = function

    def queue(self, *replies: Reply, times: int = 1) -> None:
        with self._arrived:
            self._replies.extend(replies * times)

    def wait_requests(self, count: int = 1, seconds: float = SOON) -> None:
        """Wait until so many requests have arrived."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.requests) >= count, seconds)
        assert arrived, f"{len(self.requests)} of {count} requests arrived within {seconds} s"

    def verify(self) -> None:
        names = ", ".join(reply.name for reply in self._replies)
        unasked = [f"queued but never asked for: {names}"] if names else []
        problems = [*self.problems, *unasked]
        assert not problems, "the fake server: " + "; ".join(problems)

    def _visit(self, raw: socket.socket, number: int) -> None:
        visit = Visit(number, time.monotonic())
        self.connections.append(visit)
        sock = raw
        try:
            if self._tls:
                sock = self._handshake(raw, visit, self._tls)
            connection = Connection(sock, visit, self)
            if not self._greet(connection):
                self._converse(connection)
        except ClosedError:
            pass
        finally:
            visit.over()
            self.release(sock)

    def _handshake(self, raw: socket.socket, visit: Visit, context: ssl.SSLContext) -> ssl.SSLSocket:
        secure = context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        self.replace(raw, secure)
        try:
            secure.do_handshake()
        except OSError as error:
            visit.tls_failure = str(error)
            visit.left()
            self.release(secure)
            raise ClosedError from None
        return secure

    def _greet(self, connection: Connection) -> bool:
        """Play a reply that is meant for the connection itself."""
        with self._arrived:
            if not self._is_next("connected"):
                return False
            reply = self._replies.popleft()
        nothing = Received(0, connection.visit.number, time.monotonic(), "", "", {}, b"")  # nothing was read
        connection.play(reply.steps(nothing))
        return not connection.kept

    def _converse(self, connection: Connection) -> None:
        """Answer request after request."""
        while head := connection.head():
            request = parsed(head, connection.visit.number)
            connection.begin(request)
            if not self._is_next("head"):
                connection.read_body()
            connection.kept = False
            connection.play(self._steps(request))
            close = "close" in request.headers.get("connection", "").lower()
            if connection.ended or close or not connection.kept:
                return

    def _is_next(self, when: When) -> bool:
        return bool(self._replies) and self._replies[0].when == when

    def _steps(self, request: Received) -> Iterable[Step]:
        with self._arrived:
            self.requests.append(request)
            request.number = len(self.requests)
            reply = self._replies.popleft() if self._replies else None
            self._arrived.notify_all()
        try:
            return self._checked(request, reply).steps(request)
        except UnacceptableError as error:
            self.problems.append(f"request {request.number} ({request.method} {request.target}): {error}")
            return [response(400, error_object(400, str(error)), {"Connection": "close"})]

    def _checked(self, request: Received, reply: Reply | None) -> Reply:
        """The reply for this request, if the real server would have taken it and the test expected it."""
        is_chat = request.path == self._prefix + CHAT
        if is_chat and not (reply and reply.when == "head") and (fault := malformed(request)):
            raise UnacceptableError(fault)
        if reply is None and self._standing:
            try:
                answer = self._standing(request)
            except Exception as error:
                raise UnacceptableError(
                    f"the test's answer failed: {type(error).__name__}: {error}"
                ) from error
            reply = said(answer) if isinstance(answer, str) else answer
        if reply is None:
            raise UnacceptableError("no reply was queued for it")
        if reply.path and request.path != self._prefix + reply.path:
            raise UnacceptableError(f"it got the reply for {self._prefix + reply.path}")
        return reply
