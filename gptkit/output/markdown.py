"""Shows Markdown on a terminal while it arrives: settled rows are printed once, a short tail is redrawn.

Between updates the cursor stands at the first row of the tail. So an update knows where to begin, even if
a resize, a message or a stopped job has moved rows.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING

from gptkit.core.chat import AnswerDelta, Event, ReasoningDelta
from gptkit.core.sanitize import VisibleStream
from gptkit.output.markdown_blocks import BlockSplitter
from gptkit.output.rows import RowRenderer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as Row

_UPDATE_INTERVAL = 0.05
"""The least seconds between two updates; an update that took longer is followed by a pause as long."""
_ERASE_LINE, _ERASE_BELOW, _NO_WRAP, _WRAP = "\x1b[K", "\x1b[J", "\x1b[?7l", "\x1b[?7h"


class MarkdownSink:
    """Shows an answer while it arrives, with one write for each update.

    Text that comes soon after an update waits for the next (`is_waiting`, `flush`). `close` shows all text
    as settled, even that of an incomplete answer.
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
        self._dimensions = (width, height)
        self._now = now
        self._colour = colour
        self._visible = VisibleStream()
        self._blocks = BlockSplitter()
        self._rows = RowRenderer(colour)
        self._tail: list[str] = []
        self._next_update = self._fed_at = float("-inf")
        self._is_waiting = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):
            self._blocks.feed(self._visible.feed(event.text))
            self._is_waiting = True
            self._fed_at = self._now()
            if self._fed_at >= self._next_update and self._blocks.is_due:
                self._draw()
        elif isinstance(event, ReasoningDelta) and self._tail:
            # the thoughts are written from the first row of the tail
            self._write("\r" + _ERASE_BELOW)
            self._tail = []
            self._is_waiting = True

    @property
    def is_waiting(self) -> bool:
        """Whether text waits to be shown."""
        return self._is_waiting

    def flush(self) -> None:
        """Show the waiting text, unless more has just come: a long tail costs time to draw."""
        if self._is_waiting and self._now() >= max(self._next_update, self._fed_at + _UPDATE_INTERVAL):
            self._draw()

    def _draw(self) -> None:
        start = self._now()
        self._update()
        end = self._now()
        self._next_update = end + max(_UPDATE_INTERVAL, end - start)
        self._is_waiting = False

    def close(self) -> None:
        self._blocks.feed(self._visible.close())
        self._update(final=True)

    def _update(self, final: bool = False) -> None:
        backup = copy(self._blocks), copy(self._rows)
        try:
            settled, tail = self._render(final)
            output = self._difference(settled, tail)
        except BaseException:  # a signal; `close` then draws again, so that no text is lost
            self._blocks, self._rows = backup
            raise
        self._tail = tail
        if output:
            self._write(output)

    def _difference(self, settled: list[str], tail: list[str]) -> str:
        """Return what replaces the shown tail by settled rows and the new tail; "" for no change."""
        if not settled and tail == self._tail:
            return ""
        start = "\r" if self._tail else ""
        if self._tail and (settled or not tail):
            start += _ERASE_BELOW
        return start + "".join(row + "\n" for row in settled) + _draw_tail(tail)

    def _render(self, final: bool) -> tuple[list[str], list[str]]:
        """Render the rows that were settled since the last update, and the rows of the tail."""
        columns, lines = (max(2, size()) for size in self._dimensions)
        width = columns - 1  # after a full row terminals disagree on where the cursor is
        settled = self._rows.render(self._blocks.take_settled(final), width)
        tail = [] if final else self._rows.render_tail(self._blocks.open_units(), width, lines - 1)
        return [_ansi(row, self._colour) for row in settled], [_ansi(row, self._colour) for row in tail]


def _draw_tail(tail: list[str]) -> str:
    """Draw the tail over the old one without flicker, and move the cursor back to its first row.

    Automatic wrapping is off, so that a row stays one row even if the terminal counts it as wider.
    """
    if not tail:
        return ""
    rows = (_ERASE_LINE + "\n").join(tail) + _ERASE_BELOW
    up = f"\x1b[{len(tail) - 1}A" if len(tail) > 1 else ""
    return f"{_NO_WRAP}{rows}{_WRAP}\r{up}"


def _ansi(row: Row, colour: bool) -> str:
    """Format a row with its styles as escape sequences; without `colour` only bold, italic and the like."""
    from rich.color import ColorSystem

    if not row.spans:
        return row.plain
    parts = []
    for text, style, _ in row.render(_console()):
        if style is None:
            parts.append(text)
        else:
            drawn = style if colour else style.without_color
            parts.append(drawn.render(text, color_system=ColorSystem.STANDARD))
    return "".join(parts)


@cache
def _console() -> Console:
    """Return a console that looks up styles and prints nothing."""
    from rich.console import Console

    return Console(file=StringIO())
