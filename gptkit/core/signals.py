"""End the program in good order, within a second, when INT, TERM or HUP arrives."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from types import TracebackType

from gptkit.core.errors import SignalError

EXIT_SECONDS = 0.7
"""The most seconds between a signal and the exit: a full pipe must not keep the program alive."""
RESEND_SECONDS = 0.05
"""Seconds after which a signal that Python has not handled is sent again."""


def catch_signals() -> None:
    """Make the first INT, TERM or HUP raise SignalError, but leave those ignored that the caller ignores."""
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    caught = [number for number in known if signal.getsignal(number) != signal.SIG_IGN]

    def stop(number: int, _frame: object) -> None:
        _RESENDER.mark_handled()
        for other in caught:  # SIG_IGN would make Python complain about a signal that has arrived already
            signal.signal(other, _ignore_signal)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
            signal.setitimer(signal.ITIMER_REAL, EXIT_SECONDS)
        raise SignalError(number)

    sys.unraisablehook, sys.excepthook = _handle_dropped_exception, _handle_uncaught_exception
    for number in caught:
        signal.signal(number, stop)
    if hasattr(signal, "pthread_kill"):
        with contextlib.suppress(OSError, RuntimeError):  # a user at the limit of files or threads
            _RESENDER.watch(frozenset(caught))


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make the first Ctrl-C within the block raise SignalError(SIGINT), and the program go on after it.

    TERM and HUP end the program as before. An INT that the caller ignores stays ignored. Call it in the
    main thread only.
    """
    with _interrupt_handler(_InterruptHandler()):
        yield


@contextlib.contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C within the block, except inside `interruptible` or a line editor."""
    with _interrupt_handler(_ignore_signal):
        yield


@contextlib.contextmanager
def lend_wakeup_fd() -> Iterator[None]:
    """Let an event loop use Python's signal wakeup descriptor within the block."""
    descriptor = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)


class _InterruptHandler:
    """Handler of an INT that does not end the program; only the first INT raises SignalError."""

    def __init__(self) -> None:
        self.is_armed = True

    def __call__(self, number: int, _frame: object) -> None:
        _RESENDER.mark_handled()
        if self.is_armed:
            self.is_armed = False
            raise SignalError(number)


@contextlib.contextmanager
def _interrupt_handler(handler: Callable[[int, object], None]) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if before is None or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is handler:  # else another signal is ending the program
            signal.signal(signal.SIGINT, before)


def _ignore_signal(_number: int, _frame: object) -> None:
    _RESENDER.mark_handled()


def _handle_dropped_exception(unraisable: sys.UnraisableHookArgs) -> None:
    """Handle a SignalError that Python drops, since it was raised inside a callback of the interpreter."""
    stop = unraisable.exc_value
    if not isinstance(stop, SignalError):
        sys.__unraisablehook__(unraisable)
        return
    handler = signal.getsignal(signal.SIGINT)
    if stop.number != signal.SIGINT or not isinstance(handler, _InterruptHandler):
        os._exit(128 + stop.number)
    handler.is_armed = True
    _RESENDER.resend(stop.number)


def _handle_uncaught_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Exit for a SignalError that is raised while the program is ending already."""
    if isinstance(error, SignalError):
        os._exit(128 + error.number)
    sys.__excepthook__(kind, error, trace)


class _SignalResender:
    """Sends a signal again that Python has not handled.

    Python looks for signals between two instructions. A signal that arrives after this look and before a
    call that blocks is handled at the end of that call only; sent again, it interrupts the call. Every
    signal writes a byte to a pipe; when Python runs a handler, all signals so far count as handled.
    """

    def __init__(self) -> None:
        import _thread

        self._lock = _thread.RLock()  # a handler may interrupt another
        self._pipe: tuple[int, int] | None = None
        self._arrived = self._handled = 0

    def mark_handled(self) -> None:
        """Count all signals that have arrived as handled; called by every handler."""
        with self._lock:
            while self._read():
                pass
            self._handled = self._arrived

    def resend(self, number: int) -> None:
        """Send a signal again soon."""
        if self._pipe:
            with contextlib.suppress(OSError):
                os.write(self._pipe[1], bytes([number]))

    def watch(self, caught: Collection[int]) -> None:
        """Start the thread that sends unhandled signals again; raises OSError or RuntimeError."""
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
                arrived = self._arrived
            time.sleep(RESEND_SECONDS)
            if number in caught and arrived > self._handled:
                signal.pthread_kill(main, number)

    def _read(self) -> int:
        """Read the number of the next signal that has arrived, 0 if none; the lock must be held."""
        if not self._pipe:
            return 0
        try:
            number = os.read(self._pipe[0], 1)[0]
        except BlockingIOError:
            return 0
        self._arrived += 1
        return number


_RESENDER = _SignalResender()
