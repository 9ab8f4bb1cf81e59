"""Some servers leave a model's thoughts in the answer, between <think> and </think> at its start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gptkit.core.chat import Event, Reasoning, Text

_OPEN = "<think>"
_CLOSE = "</think>"


class Thoughts:
    """Tells thought from answer while both arrive in pieces of any size."""

    def __init__(self) -> None:
        self._state: Literal["start", "thought", "after", "answer"] = "start"
        self._held = ""

    def feed(self, text: str) -> Iterator[Event]:
        if self._state == "answer":
            if text:
                yield Text(text)
            return
        self._held += text
        if self._state == "start":
            self._decide()
        if self._state == "thought":
            yield from self._thought()
        if self._state == "after":
            self._held = self._held.lstrip()
            self._state = "answer" if self._held else "after"
        if self._state == "answer" and self._held:
            held, self._held = self._held, ""
            yield Text(held)

    def end(self) -> Iterator[Event]:
        if self._held and self._state != "after":
            yield Reasoning(self._held) if self._state == "thought" else Text(self._held)
        self._held = ""

    def _decide(self) -> None:
        bare = self._held.lstrip()
        if bare.startswith(_OPEN):
            self._state, self._held = "thought", bare[len(_OPEN) :]
        elif not _OPEN.startswith(bare):
            self._state = "answer"

    def _thought(self) -> Iterator[Event]:
        """All but a tail in which the closing mark may have begun."""
        thought, mark, rest = self._held.partition(_CLOSE)
        if mark:
            self._state, self._held = "after", rest
        else:
            kept = max((n for n in range(1, len(_CLOSE)) if thought.endswith(_CLOSE[:n])), default=0)
            cut = len(thought) - kept
            thought, self._held = thought[:cut], thought[cut:]
        if thought:
            yield Reasoning(thought)
