"""Expand the macros of character cards: `{{char}}`, `{{random:A,B}}`, `<USER>` and the others of V1 to V3.

Card text is hostile: it is read once from left to right, without recursion, and what a macro inserts is
never read again, neither for macros nor for the commas of a macro around it. Unknown macros stay as they
are. The case of names does not matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from gptkit.core.errors import DataError, UsageError
from gptkit.core.excerpt import shorten

DICE_CAP = 100
SIDES_CAP = 1_000_000
TERM_CAP = 20
_TERM = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<count>\d{0,6})d(?P<sides>\d{1,9}|%)(?:(?P<rule>kh|kl|dh|dl|k)(?P<few>\d{1,6})?)?"
    r"|(?P<number>\d{1,9}))",
    re.ASCII | re.IGNORECASE,
)


class Roll(NamedTuple):
    """The result of a throw, and its text: `4d6kh3+1 = [5 4 2 (1)] + 1 = 12`."""

    value: int
    text: str


class Dice:
    """A repeatable source of random numbers: the n-th depends on the seed and n (`place`) alone."""

    def __init__(self, seed: int | None = None, place: int = 0) -> None:
        self.seed = int.from_bytes(os.urandom(8)) if seed is None else seed
        self.place = place

    def roll(self, notation: str) -> Roll:
        """Throw `2d6+1`, `d20`, `d%`, `4d6kh3` (keep the three highest), `2d20kl1`; raises UsageError."""
        expression = "".join(notation.split())
        terms = _parse_terms(expression)
        texts, value = [], 0
        for index, term in enumerate(terms):
            amount, text = self._roll_term(term)
            minus = term["sign"] == "-"
            value += -amount if minus else amount
            texts.append((("- " if minus else "+ ") if index else "-" if minus else "") + text)
        return Roll(value, f"{expression} = {' '.join(texts)} = {value}")

    def number(self, sides: int) -> int:
        """Return a random number from 1 to `sides`.

        Uses only `random`, the one method that Python promises to keep the same in every version.
        """
        from random import Random

        self.place += 1
        return int(Random(f"{self.seed}:{self.place}").random() * sides) + 1  # noqa: S311 - guards nothing

    def _roll_term(self, term: re.Match[str]) -> tuple[int, str]:
        if term["number"]:
            return int(term["number"]), str(int(term["number"]))
        count, sides = int(term["count"] or 1), 100 if term["sides"] == "%" else int(term["sides"])
        if not 1 <= count <= DICE_CAP:
            raise UsageError(f"'{term.group()}': 1 to {DICE_CAP} dice can be thrown at once")
        if not 1 <= sides <= SIDES_CAP:
            raise UsageError(f"'{term.group()}': a die has 1 to {SIDES_CAP} sides")
        numbers = [self.number(sides) for _ in range(count)]
        counting = _kept_dice(numbers, term["rule"], term["few"])
        texts = [str(number) if index in counting else f"({number})" for index, number in enumerate(numbers)]
        return sum(numbers[index] for index in counting), f"[{' '.join(texts)}]"


def seed_of(text: str) -> int:
    """Hash a text to a seed, the same on every machine."""
    from hashlib import sha256

    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8])


def _parse_terms(expression: str) -> list[re.Match[str]]:
    terms: list[re.Match[str]] = []
    place = 0
    while place < len(expression) and len(terms) < TERM_CAP:
        term = _TERM.match(expression, place)
        if not term or (terms and not term["sign"]):
            break
        terms.append(term)
        place = term.end()
    if not terms or place < len(expression):
        raise UsageError(
            f"'{shorten(expression, 40)}': not a throw of dice", hint="examples: d20, 2d6+1, 4d6kh3"
        )
    return terms


def _kept_dice(numbers: list[int], rule: str | None, count: str | None) -> set[int]:
    """Return the indexes of the dice that count, by the rule `kh`, `kl`, `dh` or `dl`."""
    if rule is None:
        return set(range(len(numbers)))
    number = min(int(count or 1), len(numbers))
    ascending = sorted(range(len(numbers)), key=lambda index: (numbers[index], index))
    match rule.lower():
        case "kh" | "k":
            return set(ascending[len(numbers) - number :])
        case "kl":
            return set(ascending[:number])
        case "dh":
            return set(ascending[: len(numbers) - number])
        case _:
            return set(ascending[number:])


Purpose = Literal["prompt", "screen", "scan"]
"""What a text is for: sent to the model, shown to the user, or searched for keys of other entries."""
SIZE_CAP = 4 << 20
DEPTH_CAP = 16
COUNT_CAP = 100_000
_MARKS = re.compile(r"(\{\{(?!\{)|\}\}|<(?:user|bot|char)>)", re.IGNORECASE)
_HEAD = re.compile(r"\s*(//|[a-z_]+)(\s*::|\s*:|\s+|$)?", re.IGNORECASE)
_COMMA = re.compile(r"(?<!\\),")
_SIMPLE = ("char", "bot", "user", "original")
NAMES = (*_SIMPLE, "random", "pick", "roll", "//", "hidden_key", "comment", "reverse")


class MacroValues(NamedTuple):
    """The values that macros stand for."""

    char: str
    user: str
    dice: Dice
    seed: int = 0  # `{{pick}}` chooses by this and the text
    original: str | None = None


class _InsertedText(str):
    """Text that a macro inserted and that is not read again."""

    __slots__ = ()


_Parts = list[str]


def expand(text: str, values: MacroValues, use: Purpose = "prompt") -> str:
    """Replace the macros of a text; raises DataError if the text grows beyond SIZE_CAP or COUNT_CAP."""
    if "{{" not in text and "<" not in text:
        return text
    return _Expansion(values, use, seed_of(text) ^ values.seed).run(text)


def unknown_macros(text: str) -> Iterator[str]:
    """Yield the names of the macros that `expand` does not know."""
    for match in re.finditer(r"\{\{\s*([^{}:\s]{1,40})", text):
        name = match.group(1).lower()
        if name not in NAMES and not name.startswith("//"):
            yield match.group(1)


class _Expansion:
    """One expansion of a text, with limits on size and number of insertions."""

    def __init__(self, values: MacroValues, use: Purpose, seed: int) -> None:
        self._values = values
        self._use = use
        self._seed = seed
        self._size = 0
        self._count = 0

    def run(self, text: str) -> str:
        open_parts: list[_Parts] = [[]]
        for piece in _MARKS.split(text):
            if piece == "{{" and len(open_parts) <= DEPTH_CAP:
                open_parts.append([])
            elif piece == "}}" and len(open_parts) > 1:
                inside = open_parts.pop()
                open_parts[-1].extend(self._macro(inside))
            elif piece.startswith("<") and _MARKS.fullmatch(piece):
                name = self._values.user if piece.lower() == "<user>" else self._values.char
                open_parts[-1].append(self._insert(name))
            else:
                open_parts[-1].append(piece)
        while len(open_parts) > 1:  # a macro without its end is text
            inside = open_parts.pop()
            open_parts[-1].extend(["{{", *inside])
        return "".join(open_parts[0])

    def _macro(self, inside: _Parts) -> _Parts:
        first = inside[0] if inside and not isinstance(inside[0], _InsertedText) else ""
        head = _HEAD.match(first)
        name = head.group(1).lower() if head else ""
        literal = ["{{", *inside, "}}"]
        if not head or name not in NAMES:
            return literal
        if name in _SIMPLE:
            simple = len(inside) == 1 and first.strip().lower() == name
            value = self._simple(name) if simple else None
            return literal if value is None else [self._insert(value)]
        separator = (head.group(2) or "").strip()
        if not separator and name not in ("//", "roll"):
            return literal
        argument = [first[head.end() :], *inside[1:]]
        value = self._call(name, argument, separator)
        return literal if value is None else [self._insert(value)]

    def _simple(self, name: str) -> str | None:
        match name:
            case "user":
                return self._values.user
            case "original":
                return self._values.original
            case _:
                return self._values.char

    def _call(self, name: str, argument: _Parts, separator: str) -> str | None:
        whole = "".join(argument)
        match name:
            case "random" | "pick":
                return self._choice(name, _choices(argument, separator))
            case "roll":
                return self._roll(whole.strip())
            case "reverse":
                return whole[::-1]
            case "hidden_key":
                return whole if self._use == "scan" else ""
            case "comment":
                return f"({whole.strip()})" if self._use == "screen" else ""
            case _:
                return ""

    def _choice(self, name: str, choices: list[str]) -> str:
        if name == "random":
            return choices[self._values.dice.number(len(choices)) - 1]
        self._seed += 1  # a second {{pick}} of one text chooses for itself
        return choices[Dice(self._seed).number(len(choices)) - 1]

    def _roll(self, notation: str) -> str | None:
        """Throw `N` and `dN`, as specified, and other notations, which cards use as well."""
        try:
            return str(self._values.dice.roll(f"d{notation}" if notation.isdecimal() else notation).value)
        except UsageError:
            return None

    def _insert(self, value: str) -> _InsertedText:
        self._size += len(value)
        self._count += 1
        if self._size > SIZE_CAP or self._count > COUNT_CAP:
            raise DataError(f"a text of the card grows beyond {SIZE_CAP >> 20} MiB or {COUNT_CAP} macros")
        return _InsertedText(value)


def _choices(argument: _Parts, separator: str) -> list[str]:
    """Split the values of a macro at commas (`\\,` is part of a value), or at `::`, an older notation."""
    raw = "".join(part for part in argument if not isinstance(part, _InsertedText))
    between = re.compile("::") if separator == "::" and "::" in raw else _COMMA
    choices = [""]
    for part in argument:
        if isinstance(part, _InsertedText):
            choices[-1] += part
            continue
        first, *others = between.split(part)
        choices[-1] += first.replace("\\,", ",")
        choices.extend(other.replace("\\,", ",") for other in others)
    return [choice.strip() for choice in choices]
