"""How many requests are under way at once: all workers slow down together, and speed up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Condition, RLock, get_ident

from gptkit.core.chat import Event, Provider, Request
from gptkit.core.errors import GptkitError, NoPermission, RateLimited, Unavailable

PAUSE = 1.0
"""Seconds in which nothing is sent after the server called for less, if it does not say how long."""


FINAL = (NoPermission, Unavailable)
"""What ends the job, unless it is about a parameter that can be left out."""


class Abandoned(Exception):  # noqa: N818 - no error: the job is over
    """The job ended while this worker waited."""


class Gate:
    """At most `most` requests at once; fewer where the server calls for it.

    A place is held by a thread, until its answer is kept: what a kill may cost is never more than that.
    Additive increase, multiplicative decrease, as TCP does (Chiu and Jain 1989): half as many after
    a 429, one more after every round of requests that went well.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._limit = float(most)
        self._holders: set[int] = set()
        self._until = 0.0
        self._slowed = float("-inf")
        self._closed = False
        self._lets_through = False
        lock = RLock()
        self._changed = Condition(lock)
        self._free = Condition(lock)
        """Told once for each place that there is more: to wake all who wait takes longer than a request."""
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
            self._free.notify_all()

    def enter(self) -> None:
        """Wait for a place, and hold it; whoever has one keeps it, unless there are too many by now."""
        me = get_ident()
        with self._changed:
            if len(self._holders) > self.limit:
                self._leave(me)
            while self._is_open() and (not self._has_place(me) or self._now() < self._until):
                left = self._until - self._now()
                self._free.wait(max(0.01, left) if left > 0 else None)
            if not self._is_open():
                raise Abandoned
            self._holders.add(me)

    def leave(self) -> None:
        """The answer is kept, or there is none."""
        with self._changed:
            self._leave(get_ident())

    def slow(self, wait: float | None, sent: float) -> None:
        """The server called for fewer requests; those sent before it was last heard count once."""
        with self._changed:
            self._until = max(self._until, self._now() + (wait or PAUSE))
            if sent > self._slowed:
                self._slowed = self._now()
                self._limit = max(1.0, self._limit / 2)

    def went_well(self) -> None:
        with self._changed:
            self.heard = self._now()
            before = self.limit
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._free.notify(self.limit - before)

    def sleep(self, seconds: float) -> None:
        """Between two tries, without a place; ends early when the job does."""
        until = self._now() + seconds
        with self._changed:
            self._leave(get_ident())
            while (left := until - self._now()) > 0:
                if self._closed:
                    raise Abandoned
                self._changed.wait(left)

    def _is_open(self) -> bool:
        return self._lets_through or not self._closed

    def _has_place(self, thread: int) -> bool:
        return thread in self._holders or len(self._holders) < self.limit

    def _leave(self, thread: int) -> None:
        if thread in self._holders:
            self._holders.remove(thread)
            self._free.notify()


def gated(provider: Provider, gate: Gate, now: Callable[[], float], confirm: Callable[[], None]) -> Provider:
    """The provider behind the gate; who sends leaves it when the answer is kept.

    While one waited others were answered: `confirm` raises what is now against sending.
    """

    def send(request: Request) -> Iterator[Event]:
        gate.enter()
        sent = now()
        try:
            confirm()
            events = list(provider(request))
        except GptkitError as error:
            if isinstance(error, RateLimited):
                gate.slow(error.wait, sent)
            if isinstance(error, FINAL) and not error.parameter:
                gate.close()
            gate.leave()
            raise
        gate.went_well()
        return iter(events)

    return send
