"""The line on standard error that says what the program is doing, while nothing else is to be seen."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING

from gptkit.core.sanitize import one_line
from gptkit.core.table import fit_line

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal

DELAY = 0.5
"""Seconds after which the line is shown."""
BETWEEN = 0.1
"""Seconds between two looks of the line."""
CLEAR = "\r\x1b[K"


class ActivityLine:
    """Shows nothing unless standard error is a terminal that can redraw a line.

    The terminal hides the line before it writes anything else. It ends the line at the first word on
    standard output, if that is the same terminal or the line does not `outlast` output.
    """

    def __init__(self, terminal: Terminal, *, is_quiet: bool, outlasts: bool = False) -> None:
        self._terminal = terminal
        self._is_wanted = can_redraw(terminal) and not is_quiet
        self._outlasts = outlasts and not terminal.stdout_is_terminal
        self._lock = RLock()
        self._stopped = Event()
        self._shown = ""
        self._pause = ("", 0.0, "")
        self._room_before: Callable[[bool], None] | None = None

    def start(self, describe: Callable[[float], str]) -> None:
        """Begin to show what `describe` makes of the seconds since now. Only the first call counts."""
        if not self._is_wanted:
            return
        self._is_wanted = False
        self._room_before, self._terminal.make_room = self._terminal.make_room, self._make_room
        Thread(target=self._redraw, args=(describe,), daemon=True).start()

    def stop(self) -> None:
        """Remove the line for good."""
        self._is_wanted = False
        self._stopped.set()
        self.hide()
        if self._room_before is not None:
            self._terminal.make_room, self._room_before = self._room_before, None

    def hide(self) -> None:
        """Remove the line until it is drawn again."""
        with self._lock:
            if self._shown:
                self._shown = ""
                self._terminal.draw_error(CLEAR)

    def _make_room(self, is_answer: bool) -> None:
        """Leave the screen to what is written next, for good if that is the answer."""
        if not is_answer:
            self.hide()
        elif not self._outlasts:
            self.stop()

    def announce_pause(self, reason: str, seconds: float, tries: str) -> None:
        """Show for so many seconds why the next request waits; `tries` is such as `2 of 4`."""
        self._pause = (one_line(reason, 200), self._terminal.monotonic() + seconds, tries)

    def _redraw(self, describe: Callable[[float], str]) -> None:
        try:
            self._redraw_until_stopped(describe)
        except Exception:  # a line that cannot be described is none: the work goes on
            self.hide()

    def _redraw_until_stopped(self, describe: Callable[[float], str]) -> None:
        began = self._terminal.monotonic()
        wait = DELAY
        while not self._stopped.wait(wait):
            wait = BETWEEN
            now = self._terminal.monotonic()
            reason, until, tries = self._pause
            columns = self._terminal.error_width - 1
            if until > now:
                end = f"; again in {until - now:.0f} s ({tries})"
                line = fit_line(reason, columns - len(end)) + end
            else:
                line = fit_line(describe(now - began), columns)
            with self._lock:
                if line != self._shown and not self._stopped.is_set() and not self._terminal.is_asking:
                    self._shown = line
                    self._terminal.draw_error(CLEAR + line)


def describe_request(model: str) -> Callable[[float], str]:
    """Return what describes a request to a model by the seconds since it was sent."""
    name = one_line(model, 60)
    return lambda seconds: f"{name} · {seconds:.0f} s"


def can_redraw(terminal: Terminal) -> bool:
    """Whether a line on standard error can be taken back."""
    return terminal.stderr_is_terminal and bool(terminal.environ.get("TERM")) and not terminal.is_dumb
