"""Where an answer goes while it arrives: a pipe, or a terminal without Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta, Sink
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
        if isinstance(event, AnswerDelta) and event.text:
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
        if isinstance(event, AnswerDelta):
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


DIM, UNDIM = "\x1b[2m", "\x1b[22m"


class Thinking:
    """Hands all events on to a sink, and the thoughts to `write` as well."""

    def __init__(self, sink: Sink | None, write: Callable[[str], None], terminal: bool, dim: bool) -> None:
        self._sink = sink
        self._write = write
        self._visible = VisibleStream() if terminal else None
        self._dim = dim
        self._open = False
        self._answering = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta) and event.text:
            self._end()
            self._answering = True
        if self._sink is not None:
            self._sink(event)
        if isinstance(event, ReasoningDelta) and event.text:
            if self._answering:  # the answer may have stopped in the middle of a line
                self._write("\n")
                self._answering = False
            self._show(self._visible.feed(event.text) if self._visible else event.text)

    def close(self) -> None:
        self._end()
        if self._sink is not None:
            self._sink.close()

    def _end(self) -> None:
        if self._open:
            self._show(self._visible.close() if self._visible else "")
            self._write("\n")
            self._open = False

    def _show(self, text: str) -> None:
        if text:
            self._open = True
            self._write(f"{DIM}{text}{UNDIM}" if self._dim else text)
