"""What work costs, told without a clock where that can be: the same on every machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class TooMuchError(BaseException):
    """The work goes on and on: no handler of the program's stops this."""


def within(most: int, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What the work comes to; more than `most` calls of functions, Python's or C's, fail the test at once."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")
        if count > most:
            raise TooMuchError(f"more than {most} calls")

    return _profiled(seen, lambda: work(*args, **options))


def calls(of: Callable[..., object], work: Callable[[], object]) -> int:
    """How often one function is called in the course of another."""
    count = 0

    def seen(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code is of.__code__

    _profiled(seen, work)
    return count


def grows_with(work: Callable[[int], object], size: int) -> None:
    """Four times the size takes little more than four times the processor time, not sixteen times.

    Other programs can only make a try longer: the shortest one counts, and there are more where it matters.
    """
    little, much = [_seconds(work, size)], [_seconds(work, 4 * size)]
    for tries in range(8):
        if tries and min(much) < 9 * min(little):
            return
        little.append(_seconds(work, size))
        much.append(_seconds(work, 4 * size))
    raise AssertionError(f"{min(much):.3f} s for four times of what took {min(little):.3f} s")


def _seconds(work: Callable[[int], object], size: int) -> float:
    began = time.process_time()
    work(size)
    return time.process_time() - began


def _profiled(seen: Callable[[FrameType, str, object], None], work: Callable[[], T]) -> T:
    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        return work()
    finally:
        sys.setprofile(before)
