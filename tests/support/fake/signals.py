"""Signals as a person's shell would leave them to a program."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def unblocked() -> Iterator[None]:
    """Children started inside hear Ctrl-C and hang-ups even if this suite runs under nohup or with `&`.

    A signal that is ignored stays ignored in every child, whatever the child does.
    """
    deaf = [s for s in (signal.SIGINT, signal.SIGTERM, *_hang_up()) if signal.getsignal(s) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in deaf:
            signal.signal(number, signal.SIG_IGN)


def _hang_up() -> list[signal.Signals]:
    return [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []
