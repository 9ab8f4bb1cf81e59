"""A sink that flushes another sink as soon as the server pauses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event as ThreadFlag
from threading import Lock, Thread
from typing import Protocol

from gptkit.core.chat import Event
from gptkit.core.errors import GptkitError, SignalError

INTERVAL = 0.05
"""Seconds between two attempts to flush."""


class BufferedSink(Protocol):
    """A sink that may keep text back for its next update."""

    @property
    def is_waiting(self) -> bool:
        """Whether text waits to be shown."""

    def flush(self) -> None:
        """Show the waiting text, unless more has just come."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class TimedFlushSink:
    """Hands events on to a sink, and flushes that sink from a thread.

    Safe for that thread and the caller's.
    """

    def __init__(
        self, sink: BufferedSink, start_watcher: Callable[[Callable[[], None]], None] | None = None
    ) -> None:
        self._sink = sink
        self._start_watcher = start_watcher or _start_thread
        self._lock = Lock()
        self._closed = ThreadFlag()
        self._has_watcher = False

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._sink(event)
            is_late = self._sink.is_waiting and not self._has_watcher
        if is_late:
            self._has_watcher = True
            self._start_watcher(self._flush_regularly)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._sink.close()

    def _flush_regularly(self) -> None:
        while not self._closed.wait(INTERVAL):
            with self._lock:
                if self._closed.is_set():
                    return
                try:
                    self._sink.flush()
                except (GptkitError, SignalError):  # the terminal is gone; the next event raises that as well
                    return


def _start_thread(flush_regularly: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # without a thread the last words only appear later
        Thread(target=flush_regularly, daemon=True).start()
