"""A sink around another one that shows what waits as soon as the server is silent for a moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event as Flag
from threading import Lock, Thread
from typing import Protocol

from gptkit.core.chat import Event
from gptkit.core.errors import GptkitError, SignalError

PAUSE = 0.05
"""Seconds between two looks at whether something is waiting to be shown."""


class Waiting(Protocol):
    """A sink that does not show everything at once."""

    @property
    def waiting(self) -> bool:
        """Something came that is not shown."""

    def catch_up(self) -> None:
        """Show what is waiting, unless more is coming right now."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Punctual:
    """A sink around another one, which is told by a thread that time has passed."""

    def __init__(self, sink: Waiting, start: Callable[[Callable[[], None]], None] | None = None) -> None:
        self._sink = sink
        self._start = start or _begun
        self._lock = Lock()
        self._closed = Flag()
        self._watched = False

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._sink(event)
            late = self._sink.waiting and not self._watched
        if late:
            self._watched = True
            self._start(self._watch)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._sink.close()

    def _watch(self) -> None:
        while not self._closed.wait(PAUSE):
            with self._lock:
                if self._closed.is_set():
                    return
                try:
                    self._sink.catch_up()
                except (GptkitError, SignalError):  # the terminal is gone: the next event will find that too
                    return


def _begun(watch: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # a user at the limit of threads sees the last words later
        Thread(target=watch, daemon=True).start()
