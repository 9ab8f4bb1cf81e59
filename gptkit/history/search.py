"""Searches turns for words, and makes excerpts that show the words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from gptkit.history.query import turns
from gptkit.history.tokenize import fold_text, match_expression, split_words

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.model import Turn

_EXCERPT_LENGTH = 120
_LEADING_LENGTH = 40
"""Characters of an excerpt, and of its part before the first match."""
_SEARCHED_LENGTH = 200_000
"""Characters at the beginning of a text that are searched for an excerpt."""
_MATCH_SQL = (
    "SELECT turns.id FROM words JOIN turns ON turns.place = words.rowid"
    " WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?"
)
_SUBSTRING_SQL = (
    "SELECT turns.id FROM turns JOIN texts ON texts.turn = turns.id"
    " WHERE instr(user, ?1) OR instr(answer, ?1) ORDER BY place DESC LIMIT ?2"
)


class SearchHit(NamedTuple):
    turn: Turn
    excerpt: str


def search(connection: sqlite3.Connection, words: str, limit: int) -> list[SearchHit]:
    """Find the turns that hold all words, latest first.

    A query without any word, such as an emoji, is searched for as it is.
    """
    if expression := match_expression(words):
        rows = connection.execute(_MATCH_SQL, (expression, limit))
    elif words.strip():
        rows = connection.execute(_SUBSTRING_SQL, (words.strip(), limit))
    else:
        return []
    return [SearchHit(turn, _excerpt(turn, words)) for turn in turns(connection, [row[0] for row in rows])]


def match_positions(text: str, words: str) -> list[tuple[int, int]]:
    """Return start and end of the words in a text, in order and without overlaps."""
    text = text[:_SEARCHED_LENGTH]
    folded, origins = _fold_with_origins(text)
    parts = split_words(words) or [fold_text(words.strip())]
    spans = sorted(span for part in parts if part for span in _occurrences(folded, part))
    result: list[tuple[int, int]] = []
    for start, end in spans:
        first, last = origins[start], origins[end - 1] + 1
        if not result or first >= result[-1][1]:
            result.append((first, last))
    return result


def _excerpt(turn: Turn, words: str) -> str:
    user, answer = (unicodedata.normalize("NFC", text) for text in (turn.user, turn.answer))
    candidates = [(match_positions(text, words), text) for text in (user, answer)]
    positions, text = max(
        candidates, key=lambda pair: len({fold_text(pair[1][slice(*span)]) for span in pair[0]})
    )
    start = max(0, positions[0][0] - _LEADING_LENGTH) if positions else 0
    excerpt = " ".join(text[start : start + _EXCERPT_LENGTH].split())
    return ("…" if start else "") + excerpt + ("…" if start + _EXCERPT_LENGTH < len(text) else "")


def _fold_with_origins(text: str) -> tuple[str, range | list[int]]:
    """Fold a text; returns it with the index of the original character of each of its characters."""
    if text.isascii():
        return text.lower(), range(len(text))
    pieces = [fold_text(character) for character in text]
    origins = [number for number, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), origins


def _occurrences(folded: str, part: str) -> list[tuple[int, int]]:
    """Find a word in a text, also in inflected forms, which the index finds by their common stem."""
    if not part.isascii() or not part.isalnum():
        return [match.span() for match in re.finditer(re.escape(part), folded)]
    for length in range(len(part), min(len(part), max(3, len(part) - 4)) - 1, -1):
        ending = r"\b" if length == len(part) else r"\w{0,4}"
        if spans := [m.span() for m in re.finditer(rf"\b{re.escape(part[:length])}{ending}", folded)]:
            return spans
    return []
