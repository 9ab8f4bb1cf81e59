"""Run work on several items in threads, within the limits of the server, and yield results in order."""

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
"""Seconds without requests after the server asked for fewer, if it does not say how long."""


FINAL_ERRORS = (NoPermissionError, UnavailableError)
"""Errors that end the job, unless they are about a parameter that can be left out."""


class JobEnded(Exception):  # noqa: N818 - no error: the job is over
    """Ends the waiting of a worker when the job ends."""


class RequestLimiter:
    """Lets at most `most` requests run at once, and fewer if the server asks for fewer.

    A thread holds its place until its answer is stored, so that a killed process has never more than `most`
    answers to lose. The limit follows additive increase and multiplicative decrease, as in TCP (Chiu and Jain
    1989): it is halved after a 429, and grows by one after every round of successful requests.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._thread_limit = most
        self._now = now
        self._limit = float(most)
        self._threads: set[int] = set()
        self._resume_at = 0.0
        self._halved_at = float("-inf")
        self._closed = False
        self._admits_waiting = False
        lock = RLock()
        self._changed = Condition(lock)
        self._place_free = Condition(lock)
        """Notified once for each place that becomes free, since waking all threads takes longer than a
        request."""
        self.last_success: float | None = None
        """When a request last succeeded; None if none did."""

    @property
    def limit(self) -> int:
        """How many requests may run now."""
        return max(1, int(self._limit))

    def close(self, admits_waiting: bool = False) -> None:
        """End the waiting of all threads with JobEnded.

        With `admits_waiting` the threads that wait for a place still get one: if the budget ended the job,
        their requests were reserved in it before.
        """
        with self._changed:
            self._closed = True
            self._admits_waiting = admits_waiting
            self._changed.notify_all()
            self._place_free.notify_all()

    def acquire(self) -> None:
        """Wait for a place and hold it; a thread that has one keeps it unless the limit has fallen since."""
        me = get_ident()
        with self._changed:
            if len(self._threads) > self.limit:
                self._remove(me)
            while self._is_open() and (not self._may_hold(me) or self._now() < self._resume_at):
                pause = self._resume_at - self._now()
                self._place_free.wait(max(0.01, pause) if pause > 0 else None)
            if not self._is_open():
                raise JobEnded
            self._threads.add(me)

    def release(self) -> None:
        """Give back the place of this thread, whose answer is stored or has failed."""
        with self._changed:
            self._remove(get_ident())

    def slow_down(self, wait: float | None, sent: float) -> None:
        """Halve the limit and wait, since the server asked for fewer requests.

        Requests that were `sent` before the last halving do not halve the limit again.
        """
        with self._changed:
            self._resume_at = max(self._resume_at, self._now() + (wait or PAUSE))
            if sent > self._halved_at:
                self._halved_at = self._now()
                self._limit = max(1.0, self._limit / 2)

    def note_success(self) -> None:
        with self._changed:
            self.last_success = self._now()
            limit_before = self.limit
            self._limit = min(float(self._thread_limit), self._limit + 1 / self._limit)
            self._place_free.notify(self.limit - limit_before)

    def sleep(self, seconds: float) -> None:
        """Wait between two tries without holding a place; raises JobEnded when the job ends."""
        until = self._now() + seconds
        with self._changed:
            self._remove(get_ident())
            while (left := until - self._now()) > 0:
                if self._closed:
                    raise JobEnded
                self._changed.wait(left)

    def _is_open(self) -> bool:
        return self._admits_waiting or not self._closed

    def _may_hold(self, thread: int) -> bool:
        return thread in self._threads or len(self._threads) < self.limit

    def _remove(self, thread: int) -> None:
        if thread in self._threads:
            self._threads.remove(thread)
            self._place_free.notify()


def limit_requests(
    provider: Provider, limiter: RequestLimiter, now: Callable[[], float], confirm: Callable[[], None]
) -> Provider:
    """Return a provider that waits for a place before it sends; the place is held until the answer is stored.

    `confirm` is called after the waiting, and raises if the budget does not allow the request any more.
    """

    def send(request: ChatRequest) -> Iterator[Event]:
        limiter.acquire()
        sent = now()
        try:
            confirm()
            events = list(provider(request))
        except GptkitError as error:
            if isinstance(error, RateLimitError):
                limiter.slow_down(error.wait, sent)
            if isinstance(error, FINAL_ERRORS) and not error.parameter:
                limiter.close()
            limiter.release()
            raise
        limiter.note_success()
        return iter(events)

    return send


AHEAD_PER_WORKER = 4
"""Items for each worker that are read ahead of the awaited one. Memory does not grow with the input, and a
slow item does not leave the other workers idle."""
SILENCE_LIMIT = 900.0
"""Seconds without any answer after which a server that answered before is given up."""
UNANSWERED_TRIES = 2
"""How often an item is tried at a server that never answered."""
LAST_CALL = 20.0
"""Seconds to wait for requests under way when the job ends early, since they are paid for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerPool(Generic[Item, Result]):
    """Threads that run `work` on items.

    `workers` threads at once have a request under way or an answer that is not stored yet; half as many more
    prepare the next requests. The runtime that `work` gets sends only as the limiter allows.
    """

    def __init__(self, work: Callable[[Item, Runtime], Result], workers: int, runtime: Runtime) -> None:
        self._run_item = work
        self._workers = workers
        self._thread_limit = workers + workers // 2
        self._limiter = RequestLimiter(workers, runtime.now)
        provider = limit_requests(runtime.provider, self._limiter, runtime.now, runtime.budget.confirm)
        self._runtime = runtime._replace(
            provider=provider, sleep=self._limiter.sleep, answer_stored=self._limiter.release
        )
        self._waiting: deque[_Task[Item, Result]] = deque()
        self._changed = Condition()
        self._failure: BaseException | None = None
        self._closed = False
        self._working = 0
        self._threads: list[Thread] = []

    def run(self, items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results in the order of the items, each as soon as all before it are there.

        A thread reads the items, so that results are yielded while the next item is awaited. Raises the first
        failure of an item or of the reading, after the results before it. May be called again.
        """
        read_ahead: _ReadAhead[Item, Result] = _ReadAhead()
        Thread(target=self._read_items, args=(iter(items), read_ahead), daemon=True).start()
        while (task := self._next_task(read_ahead)) is not None:
            yield self._wait_for_result(task)
            with self._changed:
                read_ahead.ahead.popleft()
                self._changed.notify_all()
        if read_ahead.failure is not None:
            raise read_ahead.failure

    def close(self) -> None:
        """Begin no more items.

        If the job failed, wait for the requests under way, so that answers are stored.
        """
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._limiter.close(isinstance(self._failure, BudgetError))
            self._changed.notify_all()
            if isinstance(self._failure, GptkitError):
                self._changed.wait_for(lambda: not self._working, LAST_CALL)

    def _read_items(self, items: Iterator[Item], read_ahead: _ReadAhead[Item, Result]) -> None:
        try:
            while self._wait_for_room(read_ahead):
                task: _Task[Item, Result] = _Task(next(items))
                with self._changed:
                    if self._closed or self._failure:  # while it was read
                        return
                    read_ahead.ahead.append(task)
                    self._waiting.append(task)
                    self._changed.notify_all()
                self._start_worker()
        except StopIteration:
            pass
        except BaseException as error:
            read_ahead.failure = error
        finally:
            with self._changed:
                read_ahead.is_over = True
                self._changed.notify_all()

    def _wait_for_room(self, read_ahead: _ReadAhead[Item, Result]) -> bool:
        """Wait until more items may be read; returns false when the job is over."""
        limit = AHEAD_PER_WORKER * self._workers
        with self._changed:
            self._changed.wait_for(lambda: len(read_ahead.ahead) < limit or self._closed or self._failure)
            return not (self._closed or self._failure)

    def _next_task(self, read_ahead: _ReadAhead[Item, Result]) -> _Task[Item, Result] | None:
        with self._changed:
            self._changed.wait_for(lambda: read_ahead.ahead or read_ahead.is_over)
            return read_ahead.ahead[0] if read_ahead.ahead else None

    def _start_worker(self) -> None:
        if len(self._threads) < self._thread_limit and len(self._waiting) > 0:
            thread = Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _wait_for_result(self, task: _Task[Item, Result]) -> Result:
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
                    self._limiter.sleep(min(LONGEST_PAUSE, float(task.failures)))
                task.results.append(self._run_item(task.item, self._runtime))
            except JobEnded:
                pass
            except TryAgainError as error:
                self._retry_later(task, error)
            except BaseException as error:
                self._fail(error)
            finally:
                self._limiter.release()
                with self._changed:
                    self._working -= 1
                    self._changed.notify_all()

    def _retry_later(self, task: _Task[Item, Result], error: TryAgainError) -> None:
        """Make a failed item the next one to be tried, as long as other items succeed; else fail."""
        task.failures += 1
        with self._changed:
            last_success = self._limiter.last_success
            may_succeed = (
                task.failures < UNANSWERED_TRIES
                if last_success is None
                else self._runtime.now() - last_success < SILENCE_LIMIT
            )
            if may_succeed and not self._closed:
                self._waiting.appendleft(task)
                self._changed.notify()
                return
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._waiting.clear()
            self._limiter.close(isinstance(self._failure, BudgetError))


class _Task(Generic[Item, Result]):
    __slots__ = ("failures", "item", "results")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.failures = 0
        self.results: list[Result] = []
        """None yet, or the one."""


class _ReadAhead(Generic[Item, Result]):
    __slots__ = ("ahead", "failure", "is_over")

    def __init__(self) -> None:
        self.ahead: deque[_Task[Item, Result]] = deque()
        """What was read and is not handed on, in order."""
        self.failure: BaseException | None = None
        self.is_over = False
