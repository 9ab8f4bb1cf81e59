"""INT, TERM and HUP end the program: in order, within a second, with the exit code of the signal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Collection
from types import TracebackType

from gptkit.errors import Stopped

LAST_CALL = 0.7
"""Seconds between a signal and the exit, at most: a full pipe must not keep the program alive."""
UNHEARD = 0.05
"""Seconds after which a signal that Python has not handled is sent once more."""


def catch_signals() -> None:
    """Each raises Stopped, once; those that the caller ignores (nohup) do not."""
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    caught = [number for number in known if signal.getsignal(number) != signal.SIG_IGN]
    handled: set[int] = set()

    def stop(number: int, _frame: object) -> None:
        handled.add(number)
        for each in caught:  # SIG_IGN would have Python complain about one that has come already
            signal.signal(each, lambda *_: None)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
            signal.setitimer(signal.ITIMER_REAL, LAST_CALL)
        raise Stopped(number)

    sys.unraisablehook, sys.excepthook = _dropped, _uncaught
    for number in caught:
        signal.signal(number, stop)
    if hasattr(signal, "pthread_kill"):
        with contextlib.suppress(OSError, RuntimeError):  # a user at the limit of files or threads
            _watch(frozenset(caught), handled)


def _dropped(unraisable: sys.UnraisableHookArgs) -> None:
    """Python drops what a signal raises inside a callback, such as the import system's."""
    if isinstance(unraisable.exc_value, Stopped):
        os._exit(128 + unraisable.exc_value.number)
    sys.__unraisablehook__(unraisable)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A signal that comes while the program is leaving."""
    if isinstance(error, Stopped):
        os._exit(128 + error.number)
    sys.__excepthook__(kind, error, trace)


def _watch(caught: Collection[int], handled: Collection[int]) -> None:
    """Python looks for signals between two instructions. One that comes after the last look before a
    call that blocks would be handled at the end of that call; sent again, it interrupts the call."""
    import _thread
    import time

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    main = _thread.get_ident()

    def watch() -> None:
        while number := os.read(reading, 1):
            time.sleep(UNHEARD)
            if number[0] in caught and number[0] not in handled:
                signal.pthread_kill(main, number[0])

    _thread.start_new_thread(watch, ())
