"""A line on standard error that says how far a long job is, where someone looks at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gptkit.core.terminal import Terminal

BETWEEN = 0.1
"""Seconds between two looks of the line."""
CLEAR = "\r\x1b[K"


class Tally(NamedTuple):
    """How far a job is. `part` is between 0 and 1, None where the size of the input is unknown.

    `level` is that of the pieces where results are merged: 1 is the document itself.
    """

    pieces: int
    tokens: int
    part: float | None
    cost: float | None = None
    limit: int | None = None
    level: int = 1


class Progress:
    """Shows nothing unless standard error is a terminal that can redraw a line."""

    def __init__(self, terminal: Terminal, quiet: bool) -> None:
        self._terminal = terminal
        self._on = redraws(terminal) and not quiet
        self._began = terminal.now()
        self._shown = float("-inf")

    def show(self, tally: Callable[[], Tally]) -> None:
        now = self._terminal.now()
        if self._on and not self._terminal.is_asking and now - self._shown >= BETWEEN:
            self._shown = now
            self._terminal.write_error(CLEAR + self._line(tally(), now - self._began))

    def clear(self) -> None:
        if self._on and self._shown > float("-inf"):
            self._terminal.write_error(CLEAR)

    def _line(self, tally: Tally, seconds: float) -> str:
        parts = [f"{tally.pieces} piece{'s' * (tally.pieces != 1)}", f"{tally.tokens:,} tokens"]
        if tally.level > 1:
            parts[0] = f"level {tally.level}: {parts[0]}"
        if tally.cost is not None:
            parts.append(f"${tally.cost:.4f}")
        if tally.part is not None:
            parts.insert(0, f"{tally.part:.0%}")
            if 0.01 < tally.part <= 1:
                parts.append(f"{_clock(seconds / tally.part - seconds)} left")
        elif tally.pieces:
            parts.append(_clock(seconds))
        line = " · ".join(parts)
        return line if len(line) < self._terminal.width else parts[0]


def redraws(terminal: Terminal) -> bool:
    """Whether a line on standard error can be taken back."""
    return terminal.stderr_is_terminal and terminal.environ.get("TERM") != "dumb"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
