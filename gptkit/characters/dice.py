"""Dice that can be thrown again: the same seed and place give the same numbers on every machine."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from gptkit.core.errors import UsageFault

DICE_CAP = 100
SIDES_CAP = 1_000_000
TERM_CAP = 20
_TERM = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<count>\d{0,6})d(?P<sides>\d{1,9}|%)(?:(?P<rule>kh|kl|dh|dl|k)(?P<few>\d{1,6})?)?"
    r"|(?P<number>\d{1,9}))",
    re.ASCII | re.IGNORECASE,
)


class Roll(NamedTuple):
    """The result of a throw, and how it came about: `4d6kh3+1 = [5 4 2 (1)] + 1 = 12`."""

    value: int
    text: str


class Dice:
    """The n-th number follows from the seed and n alone: an undone turn needs only its place."""

    def __init__(self, seed: int | None = None, place: int = 0) -> None:
        self.seed = int.from_bytes(os.urandom(8)) if seed is None else seed
        self.place = place

    def roll(self, notation: str) -> Roll:
        """`2d6+1`, `d20`, `d%`, `4d6kh3` (keep the three highest), `2d20kl1`; raises UsageFault."""
        wanted = "".join(notation.split())
        terms = _terms(wanted)
        shown, value = [], 0
        for index, term in enumerate(terms):
            amount, text = self._term(term)
            minus = term["sign"] == "-"
            value += -amount if minus else amount
            shown.append((("- " if minus else "+ ") if index else "-" if minus else "") + text)
        return Roll(value, f"{wanted} = {' '.join(shown)} = {value}")

    def number(self, sides: int) -> int:
        """From 1 to `sides`, each as likely as the others.

        Of all that Python's generator offers, `random` alone is promised to stay the same in every version.
        """
        from random import Random

        self.place += 1
        return int(Random(f"{self.seed}:{self.place}").random() * sides) + 1  # noqa: S311 - guards nothing

    def _term(self, term: re.Match[str]) -> tuple[int, str]:
        if term["number"]:
            return int(term["number"]), str(int(term["number"]))
        count, sides = int(term["count"] or 1), 100 if term["sides"] == "%" else int(term["sides"])
        if not 1 <= count <= DICE_CAP:
            raise UsageFault(f"'{term.group()}': 1 to {DICE_CAP} dice can be thrown at once")
        if not 1 <= sides <= SIDES_CAP:
            raise UsageFault(f"'{term.group()}': a die has 1 to {SIDES_CAP} sides")
        thrown = [self.number(sides) for _ in range(count)]
        kept = _kept(thrown, term["rule"], term["few"])
        shown = [str(one) if index in kept else f"({one})" for index, one in enumerate(thrown)]
        return sum(thrown[index] for index in kept), f"[{' '.join(shown)}]"


def seed_of(text: str) -> int:
    """A seed that any text stands for, the same on every machine."""
    from hashlib import sha256

    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8])


def _terms(wanted: str) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    place = 0
    while place < len(wanted) and len(found) < TERM_CAP:
        term = _TERM.match(wanted, place)
        if not term or (found and not term["sign"]):
            break
        found.append(term)
        place = term.end()
    if not found or place < len(wanted):
        shown = wanted if len(wanted) <= 40 else f"{wanted[:39]}…"
        raise UsageFault(f"'{shown}': not a throw of dice", hint="examples: d20, 2d6+1, 4d6kh3")
    return found


def _kept(thrown: list[int], rule: str | None, few: str | None) -> set[int]:
    """The places of the dice that count."""
    if rule is None:
        return set(range(len(thrown)))
    number = min(int(few or 1), len(thrown))
    rising = sorted(range(len(thrown)), key=lambda index: (thrown[index], index))
    match rule.lower():
        case "kh" | "k":
            return set(rising[len(thrown) - number :])
        case "kl":
            return set(rising[:number])
        case "dh":
            return set(rising[: len(thrown) - number])
        case _:
            return set(rising[number:])
