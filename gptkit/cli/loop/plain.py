"""A prompt for terminals that know no escape sequences: lines as the terminal itself edits them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from gptkit.cli.loop.commands import is_open_block
from gptkit.core.errors import Stopped
from gptkit.core.signals import interruptible

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal

PROMPT = "> "
CONTINUED = "... "
LEAVING = "Ctrl-D leaves"


class PlainEditor:
    """Reads messages line by line; a block between two lines of three quotation marks is one message."""

    prefills = False

    def __init__(self, terminal: Terminal) -> None:
        _, self._shown = terminal.editing()
        self._terminal = terminal
        self._interrupted = False

    def message(self, _status: object, _text: str | None) -> str | None:
        """The next message, empty where it was given up; None when there are no more."""
        lines: list[str] = []
        while not lines or is_open_block("\n".join(lines)):
            self._shown.write(CONTINUED if lines else PROMPT)
            try:
                with interruptible():
                    line = self._terminal.read_line()
            except Stopped as stop:
                if stop.number != signal.SIGINT:
                    raise
                self._shown.write(f"\n{LEAVING}\n" if self._interrupted else "\n")
                self._interrupted = True
                return ""
            if line is None:
                self._shown.write("\n")
                return "\n".join(lines) if lines else None
            lines.append(line)
        self._interrupted = False
        return "\n".join(lines)
