"""Live Markdown on a terminal: settled rows are printed once, a short tail is drawn again.

Between updates the cursor rests at the head of the tail. So an update knows where it begins without
counting rows that a resize, a message or a stopped job may have moved.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING

from gptkit.core.chat import AnswerDelta, Event, ReasoningDelta
from gptkit.core.sanitize import VisibleStream
from gptkit.output.markdown_blocks import Blocks
from gptkit.output.rows import Rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as Row

_PAUSE = 0.05
"""Seconds between two updates at least; never less than the last one took."""
_ERASE_LINE, _ERASE_BELOW, _NO_WRAP, _WRAP = "\x1b[K", "\x1b[J", "\x1b[?7l", "\x1b[?7h"


class MarkdownSink:
    """Shows an answer while it arrives, one write for each update.

    What comes too soon after an update waits for the next one: `waiting`, `catch_up`. `close` settles
    what came, whether or not it is whole.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        width: Callable[[], int],
        height: Callable[[], int],
        now: Callable[[], float],
        colour: bool,
    ) -> None:
        self._write = write
        self._size = (width, height)
        self._now = now
        self._colour = colour
        self._visible = VisibleStream()
        self._blocks = Blocks()
        self._rows = Rows(colour)
        self._tail: list[str] = []
        self._next = self._fed = float("-inf")
        self._waiting = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):
            self._blocks.feed(self._visible.feed(event.text))
            self._waiting = True
            self._fed = self._now()
            if self._fed >= self._next and self._blocks.due:
                self._draw()
        elif (
            isinstance(event, ReasoningDelta) and self._tail
        ):  # others may write now, from the head of the tail
            self._write("\r" + _ERASE_BELOW)
            self._tail = []
            self._waiting = True

    @property
    def waiting(self) -> bool:
        """Something came that is not shown."""
        return self._waiting

    def catch_up(self) -> None:
        """Show what is waiting. While more comes that is left to it: a long tail costs time to draw."""
        if self._waiting and self._now() >= max(self._next, self._fed + _PAUSE):
            self._draw()

    def _draw(self) -> None:
        start = self._now()
        self._update()
        end = self._now()
        self._next = end + max(_PAUSE, end - start)
        self._waiting = False

    def close(self) -> None:
        self._blocks.feed(self._visible.close())
        self._update(final=True)

    def _update(self, final: bool = False) -> None:
        before = copy(self._blocks), copy(self._rows)
        try:
            settled, tail = self._current(final)
            output = self._change(settled, tail)
        except BaseException:  # a signal: `close` begins again, so that nothing shown is lost
            self._blocks, self._rows = before
            raise
        self._tail = tail
        if output:
            self._write(output)

    def _change(self, settled: list[str], tail: list[str]) -> str:
        """What turns the shown tail into settled rows and the new tail; empty if nothing changed."""
        if not settled and tail == self._tail:
            return ""
        start = "\r" if self._tail else ""
        if self._tail and (settled or not tail):
            start += _ERASE_BELOW
        return start + "".join(row + "\n" for row in settled) + _drawn(tail)

    def _current(self, final: bool) -> tuple[list[str], list[str]]:
        """The rows that are settled since the last update, and the tail."""
        columns, lines = (max(2, size()) for size in self._size)
        width = columns - 1  # a full row would leave the cursor in doubt about where it is
        settled = self._rows.settled(self._blocks.settled(final), width)
        tail = [] if final else self._rows.open(self._blocks.open(), width, lines - 1)
        return [_ansi(row, self._colour) for row in settled], [_ansi(row, self._colour) for row in tail]


def _drawn(tail: list[str]) -> str:
    """The tail over what was there, without a blank moment, and the way back to its head.

    Without automatic wrapping a row is one row even where the terminal thinks it wider than we do.
    """
    if not tail:
        return ""
    rows = (_ERASE_LINE + "\n").join(tail) + _ERASE_BELOW
    up = f"\x1b[{len(tail) - 1}A" if len(tail) > 1 else ""
    return f"{_NO_WRAP}{rows}{_WRAP}\r{up}"


def _ansi(row: Row, colour: bool) -> str:
    """The row with its styles as escape sequences; without colour those that are none remain."""
    from rich.color import ColorSystem

    if not row.spans:
        return row.plain
    coded = []
    for text, style, _ in row.render(_console()):
        if style is None:
            coded.append(text)
        else:
            shown = style if colour else style.without_color
            coded.append(shown.render(text, color_system=ColorSystem.STANDARD))
    return "".join(coded)


@cache
def _console() -> Console:
    """Only to look up styles; it prints nothing."""
    from rich.console import Console

    return Console(file=StringIO())
