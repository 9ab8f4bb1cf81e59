"""The text of a regular expression, as JavaScript writes it, becomes the steps that match it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

SET, SPLIT, AT, MATCH = range(4)
STEP_CAP = 2_000
DEPTH_CAP = 40
REPEAT_CAP = 500
LENGTH_CAP = 4_000
Takes = Callable[[str], bool]
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}


class PatternError(Exception):
    """Why a pattern is not one, or not one that is matched here."""


class Step(NamedTuple):
    """Takes one character, goes on at either of two places, looks where it stands, or is the end."""

    kind: int
    takes: Takes = str.isspace
    targets: tuple[int, ...] = ()
    name: str = ""


Program = list[Step]
_Fragment = list[Step]
"""Steps whose targets are relative to their own place: fragments can be joined and repeated."""


def program(source: str, ignore_case: bool, dot_all: bool) -> Program:
    """The steps, targets counted from the first; raises PatternError."""
    if len(source) > LENGTH_CAP:
        raise PatternError(f"longer than {LENGTH_CAP} characters")
    parser = _Parser(source, ignore_case, dot_all)
    steps = [*parser.alternatives(0), Step(MATCH)]
    if parser.place < len(source):
        raise PatternError("a ) without its (")
    return [
        step._replace(targets=tuple(place + target for target in step.targets))
        for place, step in enumerate(steps)
    ]


class _Parser:
    def __init__(self, source: str, ignore_case: bool, dot_all: bool) -> None:
        self._source = source
        self._ignore_case = ignore_case
        self._dot_all = dot_all
        self.place = 0

    def alternatives(self, depth: int) -> _Fragment:
        if depth > DEPTH_CAP:
            raise PatternError("too many groups within groups")
        found = self._sequence(depth)
        while self._next("|"):
            other = self._sequence(depth)
            found = _capped([_split(1, len(found) + 2), *found, _jump(len(other) + 1), *other])
        return found

    def _sequence(self, depth: int) -> _Fragment:
        found: _Fragment = []
        while self.place < len(self._source) and self._source[self.place] not in "|)":
            one = self._repeated(self._one(depth))
            found.extend(one)
            _capped(found)
        return found

    def _one(self, depth: int) -> _Fragment:
        character = self._taken()
        match character:
            case "(":
                return self._group(depth)
            case "[":
                return [Step(SET, self._class())]
            case ".":
                return [Step(SET, _any if self._dot_all else _not_a_line_end)]
            case "^" | "$":
                return [Step(AT, name=character)]
            case "*" | "+" | "?":
                raise PatternError(f"nothing for {character} to repeat")
            case "\\":
                return [self._escaped()]
            case _:
                return [Step(SET, self._either_case(_exactly(character)))]

    def _group(self, depth: int) -> _Fragment:
        if self._next("?"):
            if self._next("<") and self._peek() not in "=!":
                end = self._source.find(">", self.place)
                if end < 0:
                    raise PatternError("a group's name does not end")
                self.place = end + 1
            elif not self._next(":"):
                raise PatternError("looking around is not supported")
        inside = self.alternatives(depth + 1)
        if not self._next(")"):
            raise PatternError("a ( without its )")
        return inside

    def _repeated(self, one: _Fragment) -> _Fragment:
        bounds = self._bounds()
        if bounds is None:
            return one
        self._next("?")  # as few as possible finds the same texts
        if self._bounds() is not None:
            raise PatternError("a repetition is repeated")
        least, most = bounds
        if max(least, most or 0) > REPEAT_CAP:
            raise PatternError(f"more than {REPEAT_CAP} repetitions")
        if most is not None and most < least:
            raise PatternError("a repetition with its numbers the wrong way round")
        if len(one) * max(least, most or 0, 1) > STEP_CAP:
            raise _too_long()
        if not one:
            return one
        found = one * least
        if most is None:
            found = [*found, _split(1, len(one) + 2), *one, _jump(-len(one) - 1)]
        else:
            for left in range(most - least, 0, -1):
                found = [*found, _split(1, left * (len(one) + 1)), *one]
        return _capped(found)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._next(sign):
                return bounds
        end = self._source.find("}", self.place, self.place + 16)
        if self._peek() != "{" or end < 0:
            return None
        low, comma, high = self._source[self.place + 1 : end].partition(",")
        digits = low + high
        if not low or not digits.isascii() or not digits.isdigit():
            return None
        self.place = end + 1
        return int(low), int(high) if high else None if comma else int(low)

    def _class(self) -> Takes:
        negated = self._next("^")
        tests: list[Takes] = []
        while not self._next("]"):
            first = self._class_part()
            if isinstance(first, str) and self._peek() == "-" and self._peek(1) not in ("]", ""):
                self.place += 1
                last = self._class_part()
                if not isinstance(last, str) or last < first:
                    raise PatternError("a range with its ends the wrong way round")
                tests.append(_between(first, last))
            else:
                tests.append(_exactly(first) if isinstance(first, str) else first)
        found = self._either_case(lambda character: any(test(character) for test in tests))
        return lambda character: found(character) != negated

    def _class_part(self) -> str | Takes:
        character = self._taken()
        if character != "\\":
            return character
        step = self._escape()
        return "\b" if step == Step(AT, name="b") else step if isinstance(step, str) else step.takes

    def _escaped(self) -> Step:
        step = self._escape()
        return Step(SET, self._either_case(_exactly(step))) if isinstance(step, str) else step

    def _escape(self) -> str | Step:
        character = self._taken()
        if character in _CLASSES:
            return Step(SET, _CLASSES[character])
        if character in "bB":
            return Step(AT, name=character)
        if character in "pPk" or (character.isdigit() and character != "0"):
            raise PatternError(f"\\{character} is not supported")
        if character in "xu":
            return self._code(2 if character == "x" else 4)
        return _CONTROLS.get(character, character)

    def _code(self, length: int) -> str:
        if length == 4 and self._next("{"):
            end = self._source.find("}", self.place)
            digits = self._source[self.place : end] if end >= 0 else ""
            self.place = end + 1
        else:
            digits = self._source[self.place : self.place + length]
            self.place += length
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise PatternError("an unknown character number") from None

    def _either_case(self, test: Takes) -> Takes:
        if not self._ignore_case:
            return test
        return lambda one: test(one) or test(one.lower()) or test(one.upper())

    def _peek(self, further: int = 0) -> str:
        return self._source[self.place + further : self.place + further + 1]

    def _next(self, wanted: str) -> bool:
        found = self._peek() == wanted
        self.place += found
        return found

    def _taken(self) -> str:
        character = self._peek()
        if not character:
            raise PatternError("it ends too early")
        self.place += 1
        return character


def _capped(fragment: _Fragment) -> _Fragment:
    if len(fragment) > STEP_CAP:
        raise _too_long()
    return fragment


def _too_long() -> PatternError:
    return PatternError("it stands for too long a pattern")


def _split(first: int, second: int) -> Step:
    return Step(SPLIT, targets=(first, second))


def _jump(target: int) -> Step:
    return Step(SPLIT, targets=(target,))


def _exactly(wanted: str) -> Takes:
    return lambda character: character == wanted


def _between(first: str, last: str) -> Takes:
    return lambda character: first <= character <= last


def _any(_: str) -> bool:
    return True


def _not_a_line_end(character: str) -> bool:
    return character not in "\n\r\u2028\u2029"


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _is_space(character: str) -> bool:
    return character.isspace() or character == "\ufeff"


_CLASSES: dict[str, Takes] = {
    "d": _is_digit,
    "w": _is_word,
    "s": _is_space,
    "D": lambda character: not _is_digit(character),
    "W": lambda character: not _is_word(character),
    "S": lambda character: not _is_space(character),
}
