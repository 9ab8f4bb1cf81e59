"""Days and months of the user's time zone, as Unix seconds."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from gptkit.core.errors import UsageFault
from gptkit.core.sanitize import one_line

_LONGEST = 36500


def period(since: str, until: str | None, now: float) -> tuple[float, float | None]:
    """From the beginning of a day to the end of another; raises UsageFault."""
    today = datetime.fromtimestamp(now).date()
    first = _day("--since", since, today)
    if until is None:
        return _midnight(first), None
    last = _day("--until", until, today)
    if last < first:
        raise UsageFault(f"--until is before --since: {last} and {first}")
    return _midnight(first), _midnight(last + timedelta(days=1))


def beginning(option: str, text: str, now: float) -> float:
    """When a day began that an option names; raises UsageFault."""
    return _midnight(_day(option, text, datetime.fromtimestamp(now).date()))


def month_start(now: float) -> float:
    """When the month began."""
    return _midnight(datetime.fromtimestamp(now).date().replace(day=1))


def day(moment: float) -> str:
    return datetime.fromtimestamp(moment).date().isoformat()


def _day(option: str, text: str, today: date) -> date:
    """`2026-11-20`, or `7d`: the first of the last seven days, of which today is one."""
    try:
        if days := re.fullmatch(r"([0-9]{1,5})d", text.strip()):
            count = min(max(int(days[1]), 1), _LONGEST)
            return today - timedelta(days=count - 1)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
            found = date.fromisoformat(text.strip())
            if found.year >= 1970:
                return found
    except ValueError:
        pass  # the 31st of June
    raise UsageFault(f"{option}: '{one_line(text, 50)}' is not a day", hint="such as 2026-11-20, or 7d")


def _midnight(day: date) -> float:
    return datetime.combine(day, time()).timestamp()
