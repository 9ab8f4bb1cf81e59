"""Answers from other tools: they have no key, and are found by their text, prompt and language.

A text is compared without the white space around it, and with its marks numbered in the order in which
they come: so an entry fits wherever in a piece its text stands.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from gptkit.memory.languages import tag
from gptkit.memory.rows import held
from gptkit.text.pieces import MARK, Held, joined_units, mark, units_of

if TYPE_CHECKING:
    import sqlite3

_UNITS = "⟦#1⟧\n"


def foreign_key(text: str, prompt: str, language: str) -> bytes:
    parts = ("foreign", prompt, language, renumbered(text.strip())[0])
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()


def found(
    connection: sqlite3.Connection, text: str, about: Mapping[str, str]
) -> tuple[list[int], Held] | None:
    """The ids of the entries that hold a text, and what they say together.

    A piece that is made of several texts is found where each of them is.
    """
    language = tag(about.get("to", ""))
    if not language:
        return None

    def lookup(text: str) -> tuple[int, Held] | None:
        return held(connection, foreign_key(text, about.get("prompt", ""), language))

    units = units_of(text) if text.startswith(_UNITS) else {}
    ids: list[int] = []
    answers: list[str] = []
    for each in units.values() if units else (text,):
        if not each.strip():
            answers.append(each)
            continue
        one = _answer(each, lookup)
        if one is None:
            return None
        ids.append(one[0])
        answers.append(one[1])
    if not ids:
        return None
    return ids, Held(joined_units(answers) if units else answers[0], foreign=True)


def renumbered(text: str) -> tuple[str, Sequence[str]]:
    """The text with marks counted from 0 as they come, and what they were."""
    if "⟦" not in text:
        return text, ()
    numbers: dict[str, int] = {}
    plain = MARK.sub(lambda found: mark(numbers.setdefault(found[0], len(numbers))), text)
    return plain, list(numbers)


def aligned(text: str, answer: str) -> tuple[str, str]:
    """Both with the numbers that the text's marks have by their order."""
    plain, marks = renumbered(text.strip())
    numbers = {each: mark(number) for number, each in enumerate(marks)}
    return plain, MARK.sub(lambda found: numbers.get(found[0], found[0]), answer.strip())


def _answer(text: str, lookup: Callable[[str], tuple[int, Held] | None]) -> tuple[int, str] | None:
    one = lookup(text)
    if one is None:
        return None
    marks = renumbered(text.strip())[1]

    def own(found: re.Match[str]) -> str:
        number = int(found[1])
        return marks[number] if number < len(marks) else found[0]

    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return one[0], text[:start] + MARK.sub(own, one[1].answer) + text[end:]
