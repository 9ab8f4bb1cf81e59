"""Many sessions of a game side by side: of each one line at a time, and its lines in their order."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

Line = TypeVar("Line")
Held = TypeVar("Held")
WAITING = 1000
"""Lines that are read ahead of their answers."""


class Crowd(Generic[Line, Held]):
    """Workers that take the lines of sessions.

    `begin` makes what is kept of a session, `work` answers one of its lines. At most `most` sessions are
    kept: the one that was silent longest is forgotten for a new one, unless a line of it still waits.
    """

    def __init__(
        self, begin: Callable[[str], Held], work: Callable[[Held, Line], None], workers: int, most: int
    ) -> None:
        self._begin = begin
        self._work = work
        self._most = most
        self._sessions: OrderedDict[str, _Session[Line, Held]] = OrderedDict()
        self._ready: deque[_Session[Line, Held]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._is_over = False
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def is_broken(self) -> bool:
        """A worker has ended; `finish` raises why."""
        return self._failure is not None

    def add(self, key: str, line: Line) -> None:
        """Have a line answered; waits while too many are waiting. Raises what ended a worker."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < WAITING or self._failure is not None)
            self._check()
            session = self._session(key)
            session.lines.append(line)
            self._waiting += 1
            if not session.is_busy:
                session.is_busy = True
                self._ready.append(session)
                self._changed.notify_all()

    def finish(self) -> None:
        """Wait until every line is answered, and send the workers home. Raises what ended one of them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or self._failure is not None)
            self._is_over = True
            self._changed.notify_all()
            self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _session(self, key: str) -> _Session[Line, Held]:
        session = self._sessions.pop(key, None) or _Session(self._begin(key))
        self._sessions[key] = session
        idle = [name for name, one in self._sessions.items() if not one.is_busy and one is not session]
        for name in idle[: max(0, len(self._sessions) - self._most)]:
            del self._sessions[name]
        return session

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._ready) or self._is_over)
                if self._is_over:
                    return
                session = self._ready.popleft()
                line = session.lines.popleft()
            try:
                self._work(session.held, line)
            except BaseException as error:  # told to the thread that reads, which ends the program
                with self._changed:
                    self._failure = self._failure or error
                    self._changed.notify_all()
                return
            with self._changed:
                self._waiting -= 1
                session.is_busy = bool(session.lines)
                if session.is_busy:
                    self._ready.append(session)
                self._changed.notify_all()


class _Session(Generic[Line, Held]):
    def __init__(self, held: Held) -> None:
        self.held = held
        self.lines: deque[Line] = deque()
        self.is_busy = False
