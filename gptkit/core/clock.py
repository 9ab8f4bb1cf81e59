"""Read the system's clock, however wrong that is."""

import time

LATEST_TIME = 221845392000.0
"""The year 9000 in Unix seconds: of later times, and of days that are added to them, Python makes no date."""


def unix_time() -> float:
    """Return the system's time in Unix seconds; if the clock is far off, the nearest time that has a date."""
    try:
        return min(max(time.time(), 0.0), LATEST_TIME)
    except OverflowError:  # Python reads no clock beyond the year 2262
        return LATEST_TIME


def unix_nanoseconds() -> int:
    """Return `unix_time` in whole nanoseconds, as the times of files are given."""
    return int(unix_time() * 1e9)
