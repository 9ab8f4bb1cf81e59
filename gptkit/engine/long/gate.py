"""How many requests are under way at once: all workers slow down together, and speed up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from gptkit.chat import Event, Provider, Request
from gptkit.errors import GptkitError, RateLimited

PAUSE = 1.0
"""Seconds in which nothing is sent after the server called for less, if it does not say how long."""


class Abandoned(Exception):  # noqa: N818 - no error: the job is over
    """The job ended while this worker waited."""


class Gate:
    """At most `most` requests at once; fewer where the server calls for it.

    Additive increase, multiplicative decrease, as TCP does (Chiu and Jain 1989): half as many after
    a 429, one more after every round of requests that went well.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._limit = float(most)
        self._running = 0
        self._until = 0.0
        self._slowed = float("-inf")
        self._closed = False
        self._lets_through = False
        self._changed = Condition()
        self.heard: float | None = None
        """When a request last went well."""

    @property
    def limit(self) -> int:
        """How many may run now."""
        return max(1, int(self._limit))

    def close(self, lets_through: bool = False) -> None:
        """The job is over: who waits here is sent away, but for those who only wait for a place if it is
        the budget that ended it: room was made for their requests."""
        with self._changed:
            self._closed = True
            self._lets_through = lets_through
            self._changed.notify_all()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        with self._changed:
            while self._is_open() and (self._running >= self.limit or self._now() < self._until):
                left = self._until - self._now()
                self._changed.wait(max(0.01, left) if left > 0 else None)
            if not self._is_open():
                raise Abandoned
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def slow(self, wait: float | None, sent: float) -> None:
        """The server called for fewer requests; those sent before it was last heard count once."""
        with self._changed:
            self._until = max(self._until, self._now() + (wait or PAUSE))
            if sent > self._slowed:
                self._slowed = self._now()
                self._limit = max(1.0, self._limit / 2)
            self._changed.notify_all()

    def went_well(self) -> None:
        with self._changed:
            self.heard = self._now()
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Between two tries; ends early when the job does."""
        until = self._now() + seconds
        with self._changed:
            while (left := until - self._now()) > 0:
                if self._closed:
                    raise Abandoned
                self._changed.wait(left)

    def _is_open(self) -> bool:
        return self._lets_through or not self._closed


def gated(provider: Provider, gate: Gate, now: Callable[[], float]) -> Provider:
    """The provider behind the gate: each request has its whole answer before the next takes its place."""

    def send(request: Request) -> Iterator[Event]:
        with gate.turn():
            sent = now()
            try:
                events = list(provider(request))
            except GptkitError as error:
                if isinstance(error, RateLimited):
                    gate.slow(error.wait, sent)
                raise
        gate.went_well()
        return iter(events)

    return send
