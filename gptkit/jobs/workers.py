"""Threads that work on several things at once, and hand on what came of each in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition, RLock, Thread, get_ident
from typing import Generic, TypeVar

from gptkit.core.chat import ChatRequest, Event, Provider
from gptkit.core.errors import (
    BudgetError,
    GptkitError,
    NoPermissionError,
    RateLimitError,
    TryAgainError,
    UnavailableError,
)
from gptkit.exchange.invocation import Runtime
from gptkit.exchange.retry import LONGEST_PAUSE

PAUSE = 1.0
"""Seconds in which nothing is sent after the server called for less, if it does not say how long."""


FINAL = (NoPermissionError, UnavailableError)
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

    def send(request: ChatRequest) -> Iterator[Event]:
        gate.enter()
        sent = now()
        try:
            confirm()
            events = list(provider(request))
        except GptkitError as error:
            if isinstance(error, RateLimitError):
                gate.slow(error.wait, sent)
            if isinstance(error, FINAL) and not error.parameter:
                gate.close()
            gate.leave()
            raise
        gate.went_well()
        return iter(events)

    return send


AHEAD = 4
"""Things for each worker that are read ahead of the one that is awaited: memory does not grow with the
input, and a slow one does not leave the others without work."""
PATIENCE = 900.0
"""Seconds without a single answer after which a server that answered before is given up."""
UNHEARD = 2
"""How often something may have no luck at a server that never answered."""
LAST_CALL = 20.0
"""Seconds for requests that are under way when the job ends early: they are paid for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workshop(Generic[Item, Result]):
    """`work` is done in threads; the caller's thread hands on. `workers` of them at once have a
    request under way, or an answer that is not yet kept; half as many more make the next ones ready.

    The runtime that `work` gets sends no more than the server can take, and ends with the workshop.
    """

    def __init__(self, work: Callable[[Item, Runtime], Result], workers: int, runtime: Runtime) -> None:
        self._do = work
        self._workers = workers
        self._most = workers + workers // 2
        self._gate = Gate(workers, runtime.now)
        provider = gated(runtime.provider, self._gate, runtime.now, runtime.budget.confirm)
        self._runtime = runtime._replace(
            provider=provider, sleep=self._gate.sleep, answer_stored=self._gate.leave
        )
        self._waiting: deque[_Task[Item, Result]] = deque()
        self._changed = Condition()
        self._failure: BaseException | None = None
        self._closed = False
        self._working = 0
        self._threads: list[Thread] = []

    def run(self, items: Iterable[Item]) -> Iterator[Result]:
        """In order, each as soon as it and all before it are there. May be called again.

        A thread of its own reads the items: while it waits for more, what is done is handed on. Raises the
        first failure, the reading's too, after what was done before that item was handed on.
        """
        reading: _Reading[Item, Result] = _Reading()
        Thread(target=self._read, args=(iter(items), reading), daemon=True).start()
        while (task := self._next(reading)) is not None:
            yield self._finished(task)
            with self._changed:
                reading.ahead.popleft()
                self._changed.notify_all()
        if reading.failure is not None:
            raise reading.failure

    def close(self) -> None:
        """Nothing new is begun; what is under way is waited for if the job failed, so that it is kept."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._gate.close(isinstance(self._failure, BudgetError))
            self._changed.notify_all()
            if isinstance(self._failure, GptkitError):
                self._changed.wait_for(lambda: not self._working, LAST_CALL)

    def _read(self, items: Iterator[Item], reading: _Reading[Item, Result]) -> None:
        try:
            while self._has_room(reading):
                task: _Task[Item, Result] = _Task(next(items))
                with self._changed:
                    if self._closed or self._failure:  # while it was read
                        return
                    reading.ahead.append(task)
                    self._waiting.append(task)
                    self._changed.notify_all()
                self._hire()
        except StopIteration:
            pass
        except BaseException as error:
            reading.failure = error
        finally:
            with self._changed:
                reading.is_over = True
                self._changed.notify_all()

    def _has_room(self, reading: _Reading[Item, Result]) -> bool:
        """Waits for it; false when the job is over."""
        most = AHEAD * self._workers
        with self._changed:
            self._changed.wait_for(lambda: len(reading.ahead) < most or self._closed or self._failure)
            return not (self._closed or self._failure)

    def _next(self, reading: _Reading[Item, Result]) -> _Task[Item, Result] | None:
        with self._changed:
            self._changed.wait_for(lambda: reading.ahead or reading.is_over)
            return reading.ahead[0] if reading.ahead else None

    def _hire(self) -> None:
        if len(self._threads) < self._most and len(self._waiting) > 0:
            thread = Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _finished(self, task: _Task[Item, Result]) -> Result:
        with self._changed:
            self._changed.wait_for(lambda: task.results or self._failure is not None)
            if not task.results:  # what is under way is paid for
                self._changed.wait_for(lambda: task.results or not self._working, LAST_CALL)
            if task.results:
                return task.results[0]
            assert self._failure is not None  # noqa: S101 - what else was waited for
            raise self._failure

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                task = self._waiting.popleft()
                self._working += 1
            try:
                if task.failures:
                    self._gate.sleep(min(LONGEST_PAUSE, float(task.failures)))
                task.results.append(self._do(task.item, self._runtime))
            except Abandoned:
                pass
            except TryAgainError as error:
                self._try_later(task, error)
            except BaseException as error:
                self._fail(error)
            finally:
                self._gate.leave()
                with self._changed:
                    self._working -= 1
                    self._changed.notify_all()

    def _try_later(self, task: _Task[Item, Result], error: TryAgainError) -> None:
        """What had no luck is the next to be tried again, as long as other things have some."""
        task.failures += 1
        with self._changed:
            heard = self._gate.heard
            hopeful = task.failures < UNHEARD if heard is None else self._runtime.now() - heard < PATIENCE
            if hopeful and not self._closed:
                self._waiting.appendleft(task)
                self._changed.notify()
                return
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._waiting.clear()
            self._gate.close(isinstance(self._failure, BudgetError))


class _Task(Generic[Item, Result]):
    __slots__ = ("failures", "item", "results")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.failures = 0
        self.results: list[Result] = []
        """None yet, or the one."""


class _Reading(Generic[Item, Result]):
    __slots__ = ("ahead", "failure", "is_over")

    def __init__(self) -> None:
        self.ahead: deque[_Task[Item, Result]] = deque()
        """What was read and is not handed on, in order."""
        self.failure: BaseException | None = None
        self.is_over = False
