"""Shows what a model thinks before it answers, apart from the answer and fainter than it."""

from __future__ import annotations

from collections.abc import Callable

from gptkit.core.chat import Event, Reasoning, Sink, Text
from gptkit.core.sanitize import VisibleStream

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
        if isinstance(event, Text) and event.text:
            self._end()
            self._answering = True
        if self._sink is not None:
            self._sink(event)
        if isinstance(event, Reasoning) and event.text:
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
