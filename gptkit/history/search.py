"""Finds turns by the words in them, and the place in the text that shows why."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from gptkit.history.query import turns
from gptkit.history.tokenize import fold_text, match_expression, split_words

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.model import Turn

_WIDTH = 120
_BEFORE = 40
"""Characters of an excerpt, and how many of them stand before what was found."""
_LOOKED_AT = 200_000
"""Characters of a text in which the place is looked for."""
_MATCHING = (
    "SELECT turns.id FROM words JOIN turns ON turns.place = words.rowid"
    " WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?"
)
_HOLDING = (
    "SELECT turns.id FROM turns JOIN texts ON texts.turn = turns.id"
    " WHERE instr(user, ?1) OR instr(answer, ?1) ORDER BY place DESC LIMIT ?2"
)


class SearchHit(NamedTuple):
    turn: Turn
    excerpt: str


def search(connection: sqlite3.Connection, words: str, limit: int) -> list[SearchHit]:
    """The turns in which all the words are, latest first.

    What holds no word, such as an emoji, is looked for as it is.
    """
    if expression := match_expression(words):
        rows = connection.execute(_MATCHING, (expression, limit))
    elif words.strip():
        rows = connection.execute(_HOLDING, (words.strip(), limit))
    else:
        return []
    found = turns(connection, [row[0] for row in rows])
    return [SearchHit(turn, _excerpt(turn, words)) for turn in found]


def match_positions(text: str, words: str) -> list[tuple[int, int]]:
    """Where the words are in a text, as start and end, in order and without overlaps."""
    text = text[:_LOOKED_AT]
    flat, origin = _flat(text)
    wanted = split_words(words) or [fold_text(words.strip())]
    found = sorted(place for part in wanted if part for place in _occurrences(flat, part))
    result: list[tuple[int, int]] = []
    for start, end in found:
        first, last = origin[start], origin[end - 1] + 1
        if not result or first >= result[-1][1]:
            result.append((first, last))
    return result


def _excerpt(turn: Turn, words: str) -> str:
    user, answer = (unicodedata.normalize("NFC", text) for text in (turn.user, turn.answer))
    found = [(match_positions(text, words), text) for text in (user, answer)]
    (where, text) = max(found, key=lambda one: len({fold_text(one[1][slice(*place)]) for place in one[0]}))
    start = max(0, where[0][0] - _BEFORE) if where else 0
    cut = " ".join(text[start : start + _WIDTH].split())
    return ("…" if start else "") + cut + ("…" if start + _WIDTH < len(text) else "")


def _flat(text: str) -> tuple[str, range | list[int]]:
    """The fold_text text, and which character of the text each of its characters comes from."""
    if text.isascii():
        return text.lower(), range(len(text))
    pieces = [fold_text(character) for character in text]
    origin = [number for number, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), origin


def _occurrences(flat: str, part: str) -> list[tuple[int, int]]:
    """A word also in other forms of it, which the index finds by their common stem."""
    if not part.isascii() or not part.isalnum():
        return [match.span() for match in re.finditer(re.escape(part), flat)]
    for length in range(len(part), min(len(part), max(3, len(part) - 4)) - 1, -1):
        ending = r"\b" if length == len(part) else r"\w{0,4}"
        if found := [m.span() for m in re.finditer(rf"\b{re.escape(part[:length])}{ending}", flat)]:
            return found
    return []
