"""Regular expressions of strangers, matched in time that grows only with the text.

Python's own engine can be made to run for years by a pattern of ten characters. This one walks all
alternatives at once, so it has no look-around and no back-references; a pattern that wants them is
refused by name, and an entry with such a key does not match, as V3 says of invalid patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gptkit.characters.pattern_parse import AT, MATCH, SET, SPLIT, PatternError, Program, program

__all__ = ["Effort", "Pattern", "PatternError", "pattern"]
_WRITTEN = re.compile(r"/(?P<source>.+)/(?P<flags>[a-z]{0,8})", re.DOTALL)
_FLAGS = "dgimsuvy"
_UNCACHED = 20  # steps that one move costs more when it was not made before
_START, _WORD, _LINE, _OTHER = range(4)
_FOUND, _TABLE_CAP = -1, 50_000


class Effort:
    """How many steps are still granted, one a character of text; a second is some ten million."""

    def __init__(self, steps: int = 10_000_000) -> None:
        self.left = steps

    def spend(self, steps: int) -> bool:
        """Whether there was that much left."""
        self.left -= steps
        return self.left >= 0


class Pattern:
    """A compiled pattern. Moves between sets of alternatives are remembered as they are made."""

    def __init__(self, source: str, flags: str = "") -> None:
        self._program: Program = program(source, ignore_case="i" in flags, dot_all="s" in flags)
        self._multiline = "m" in flags
        self._forget()

    def found(self, text: str, effort: Effort) -> bool:
        """Whether the text has it somewhere; False as well when the effort is spent."""
        if not effort.spend(len(text) + 1):
            return False
        state = self._number((frozenset([0]), _START))
        moves = self._moves
        for character in text:
            following = moves.get((state, character))
            if following is None:
                following = self._move(state, character, effort)
                moves = self._moves
            if following == _FOUND:
                return True
            state = following
            if effort.left < 0:
                return False
        return self._move(state, "", effort) == _FOUND

    def _forget(self) -> None:
        self._moves: dict[tuple[int, str], int] = {}
        self._numbers: dict[tuple[frozenset[int], int], int] = {}
        self._states: list[tuple[frozenset[int], int]] = []

    def _number(self, state: tuple[frozenset[int], int]) -> int:
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
        return self._numbers[state]

    def _move(self, number: int, character: str, effort: Effort) -> int:
        places, before = self._states[number]
        alternatives, matched = self._alternatives(places, before, _kind(character))
        effort.spend(_UNCACHED + len(alternatives))
        if matched:
            following = _FOUND
        else:
            wanted = {place + 1 for place in alternatives if character and self._takes(place, character)}
            if len(self._moves) >= _TABLE_CAP:
                self._forget()
                number = self._number((places, before))
            following = self._number((frozenset(wanted | {0}), _kind(character)))
        self._moves[number, character] = following
        return following

    def _takes(self, place: int, character: str) -> bool:
        return self._program[place].takes(character)

    def _alternatives(self, places: Iterable[int], before: int, after: int) -> tuple[list[int], bool]:
        """Where a character is awaited, and whether the end was reached."""
        waiting, seen, found = list(places), set(places), []
        while waiting:
            place = waiting.pop()
            step = self._program[place]
            if step.kind == MATCH:
                return [], True
            if step.kind == SET:
                found.append(place)
                continue
            following: tuple[int, ...] = (place + 1,)
            if step.kind == SPLIT:
                following = step.targets
            elif step.kind == AT and not self._holds(step.name, before, after):
                following = ()
            for other in following:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return found, False

    def _holds(self, name: str, before: int, after: int) -> bool:
        match name:
            case "^":
                return before == _START or (self._multiline and before == _LINE)
            case "$":
                return after == _START or (self._multiline and after == _LINE)
            case _:
                return ((before == _WORD) != (after == _WORD)) == (name == "b")


def pattern(key: str, case_sensitive: bool | None) -> Pattern | None:
    """The pattern of a key that is written as one, `/.../flags`; raises PatternError."""
    written = _WRITTEN.fullmatch(key.strip())
    if not written:
        return None
    flags = written["flags"]
    if any(flag not in _FLAGS for flag in flags):
        raise PatternError(f"unknown flag in '{flags}'")
    return Pattern(written["source"], flags + ("i" if case_sensitive is False else ""))


def _kind(character: str) -> int:
    """JavaScript's word characters, which are ASCII; both ends of a text are as one."""
    if not character:
        return _START
    if character in "\n\r\u2028\u2029":
        return _LINE
    return _WORD if character.isascii() and (character.isalnum() or character == "_") else _OTHER
