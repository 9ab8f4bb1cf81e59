"""Where an answer goes while it arrives: a pipe, or a terminal without Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

from gptkit.core.chat import Event, Finished, Text
from gptkit.core.sanitize import VisibleStream


class PipeSink:
    """The text exactly as it comes; a whole one gets the final newline that it lacks.

    What was cut short gets none, so that a pipe holds nothing but a prefix of the true answer.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last = ""
        self._whole = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Text) and event.text:
            self._last = event.text[-1]
            self._write(_encodable(event.text))
        elif isinstance(event, Finished):
            self._whole = event.reason == "stop"

    def close(self) -> None:
        last, self._last = self._last, ""
        if self._whole and last not in ("", "\n"):
            self._write("\n")


class PlainSink:
    """Plain text for a terminal: controls are shown, and the next line begins at its start."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._visible = VisibleStream()
        self._last = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Text):
            self._show(self._visible.feed(event.text))

    def close(self) -> None:
        self._show(self._visible.close())
        last, self._last = self._last, ""
        if last not in ("", "\n"):
            self._write("\n")

    def _show(self, text: str) -> None:
        if text:
            self._last = text[-1]
            self._write(text)


def _encodable(text: str) -> str:
    """A lone surrogate is no character in any encoding; the provider lets none through."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)
