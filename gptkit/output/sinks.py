"""Sinks that write an answer while it arrives: to a pipe, to a terminal without Markdown, with thoughts."""

from __future__ import annotations

import re
from collections.abc import Callable

from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta, Sink
from gptkit.core.sanitize import VisibleStream


class PipeSink:
    """Writes text exactly as it comes, and adds a missing final newline to a whole answer.

    An incomplete answer gets no newline, so that the output is a prefix of the true answer.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last = ""
        self._is_whole = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta) and event.text:
            self._last = event.text[-1]
            self._write(_replace_surrogates(event.text))
        elif isinstance(event, Finished):
            self._is_whole = event.reason == "stop"

    def close(self) -> None:
        last, self._last = self._last, ""
        if self._is_whole and last not in ("", "\n"):
            self._write("\n")


class PlainSink:
    """Writes plain text to a terminal, with control characters made visible, and ends the last line."""

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


def _replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which no encoding can hold."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


DIM, UNDIM = "\x1b[2m", "\x1b[22m"


class ReasoningSink:
    """Hands all events on to a sink, and writes the thoughts with `write`."""

    def __init__(self, sink: Sink | None, write: Callable[[str], None], terminal: bool, dim: bool) -> None:
        self._sink = sink
        self._write = write
        self._visible = VisibleStream() if terminal else None
        self._dim = dim
        self._is_open = False
        self._is_answering = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta) and event.text:
            self._end()
            self._is_answering = True
        if self._sink is not None:
            self._sink(event)
        if isinstance(event, ReasoningDelta) and event.text:
            if self._is_answering:  # the answer may have stopped in the middle of a line
                self._write("\n")
                self._is_answering = False
            self._show(self._visible.feed(event.text) if self._visible else event.text)

    def close(self) -> None:
        self._end()
        if self._sink is not None:
            self._sink.close()

    def _end(self) -> None:
        if self._is_open:
            self._show(self._visible.close() if self._visible else "")
            self._write("\n")
            self._is_open = False

    def _show(self, text: str) -> None:
        if text:
            self._is_open = True
            self._write(f"{DIM}{text}{UNDIM}" if self._dim else text)
