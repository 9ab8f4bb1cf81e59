"""INT, TERM and HUP end the program: in order, within a second, with the exit code of the signal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from types import TracebackType

from gptkit.core.errors import SignalError

EXIT_SECONDS = 0.7
"""Seconds between a signal and the exit, at most: a full pipe must not keep the program alive."""
RESEND_SECONDS = 0.05
"""Seconds after which a signal that Python has not handled is sent once more."""


def catch_signals() -> None:
    """Each raises SignalError, once; those that the caller ignores (nohup) do not."""
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    caught = [number for number in known if signal.getsignal(number) != signal.SIG_IGN]

    def stop(number: int, _frame: object) -> None:
        _WAKING.handled()
        for each in caught:  # SIG_IGN would have Python complain about one that has come already
            signal.signal(each, _nothing)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
            signal.setitimer(signal.ITIMER_REAL, EXIT_SECONDS)
        raise SignalError(number)

    sys.unraisablehook, sys.excepthook = _dropped, _uncaught
    for number in caught:
        signal.signal(number, stop)
    if hasattr(signal, "pthread_kill"):
        with contextlib.suppress(OSError, RuntimeError):  # a user at the limit of files or threads
            _WAKING.watch(frozenset(caught))


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, Ctrl-C raises SignalError(SIGINT), once, and ends no more than what is done within.

    TERM and HUP end the program as ever. An INT that the caller ignores stays ignored. Main thread only.
    """
    with _handling(_Interruption()):
        yield


@contextlib.contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Within, Ctrl-C does nothing; `interruptible` and a line editor may stand inside."""
    with _handling(_nothing):
        yield


@contextlib.contextmanager
def lend_wakeup_fd() -> Iterator[None]:
    """Within, an event loop may have the descriptor by which Python tells of signals."""
    descriptor = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)


class _Interruption:
    """The handler of an INT that does not end the program; impatient people send several."""

    def __init__(self) -> None:
        self.armed = True

    def __call__(self, number: int, _frame: object) -> None:
        _WAKING.handled()
        if self.armed:
            self.armed = False
            raise SignalError(number)


@contextlib.contextmanager
def _handling(handler: Callable[[int, object], None]) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if before is None or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is handler:  # else another signal ends the program by now
            signal.signal(signal.SIGINT, before)


def _nothing(_number: int, _frame: object) -> None:
    _WAKING.handled()


def _dropped(unraisable: sys.UnraisableHookArgs) -> None:
    """Python drops what a signal raises inside a callback, such as the import system's."""
    stop = unraisable.exc_value
    if not isinstance(stop, SignalError):
        sys.__unraisablehook__(unraisable)
        return
    handler = signal.getsignal(signal.SIGINT)
    if stop.number != signal.SIGINT or not isinstance(handler, _Interruption):
        os._exit(128 + stop.number)
    handler.armed = True
    _WAKING.repeat(stop.number)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A signal that comes while the program is leaving."""
    if isinstance(error, SignalError):
        os._exit(128 + error.number)
    sys.__excepthook__(kind, error, trace)


class _Waking:
    """Sends a signal again that Python has not handled.

    Python looks for signals between two instructions. One that comes after the last look before a
    call that blocks would be handled at the end of that call; sent again, it interrupts the call.
    Every signal writes a byte to a pipe; when Python runs a handler, all bytes so far are dealt with.
    """

    def __init__(self) -> None:
        import _thread

        self._lock = _thread.RLock()  # a handler may interrupt another
        self._pipe: tuple[int, int] | None = None
        self._come = self._dealt_with = 0

    def handled(self) -> None:
        with self._lock:
            while self._read():
                pass
            self._dealt_with = self._come

    def repeat(self, number: int) -> None:
        """Have this signal sent again soon."""
        if self._pipe:
            with contextlib.suppress(OSError):
                os.write(self._pipe[1], bytes([number]))

    def watch(self, caught: Collection[int]) -> None:
        import _thread

        self._pipe = reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        _thread.start_new_thread(self._send_again, (reading, caught, _thread.get_ident()))

    def _send_again(self, reading: int, caught: Collection[int], main: int) -> None:
        import select
        import time

        while True:
            select.select([reading], [], [])
            with self._lock:
                number = self._read()
                mine = self._come
            time.sleep(RESEND_SECONDS)
            if number in caught and mine > self._dealt_with:
                signal.pthread_kill(main, number)

    def _read(self) -> int:
        """The number of a signal that has come, 0 if there is none; holding the lock."""
        if not self._pipe:
            return 0
        try:
            number = os.read(self._pipe[0], 1)[0]
        except BlockingIOError:
            return 0
        self._come += 1
        return number


_WAKING = _Waking()
