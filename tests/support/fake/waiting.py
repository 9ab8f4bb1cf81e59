"""How long a test waits for what must happen. No test depends on the speed of the machine: only a
failure takes as long as this.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SOON = 120.0
"""Seconds in which anything happens that is not held up for ever."""
SILENCE = 3 * SOON
"""Seconds that a silent server waits for its client: who is gone within SOON has not waited for it."""


def wait_true(condition: Callable[[], object], complaint: str) -> None:
    """Look again and again, where nothing tells of it."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.002)
