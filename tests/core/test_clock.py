"""The clock of the system, which may say anything."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from gptkit.core.clock import LATEST_TIME, unix_nanoseconds, unix_time


@pytest.mark.parametrize(
    ("said", "taken"), [(1.8e9, 1.8e9), (-5.0, 0.0), (254_000_000_000.0, LATEST_TIME), (None, LATEST_TIME)]
)
def test_a_clock_that_is_far_off(monkeypatch: pytest.MonkeyPatch, said: float | None, taken: float) -> None:
    """None is a clock that Python cannot read, as in the year 10026."""

    def clock() -> float:
        if said is None:
            raise OverflowError("timestamp too large to convert to C _PyTime_t")
        return said

    monkeypatch.setattr(time, "time", clock)
    assert (unix_time(), unix_nanoseconds()) == (taken, int(taken * 1e9))
    assert datetime.fromtimestamp(unix_time()) + timedelta(days=100_000)
