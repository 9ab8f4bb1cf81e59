"""Prepares text for the search index: scripts without spaces as pairs of characters, the rest as words."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)

INDEXED_LENGTH = 1 << 18
"""Characters at the beginning of a message and of an answer that are indexed."""


def fold_text(text: str) -> str:
    """Remove the differences of width, case and ligatures."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def index_terms(user: str, answer: str) -> tuple[str, str]:
    """Return the words of a turn, and once each character of a script without spaces."""
    text = fold_text(f"{user[:INDEXED_LENGTH]}\n{answer[:INDEXED_LENGTH]}").replace("\0", " ")
    if text.isascii():
        return text, ""
    signs: set[str] = set()

    def pairs(match: re.Match[str]) -> str:
        run = match.group()
        signs.update(run)
        return f" {_character_pairs(run)} "

    words = _spaceless_runs().sub(pairs, text)
    return words, " ".join(sorted(signs))


def match_expression(words: str) -> str:
    """Make an FTS5 expression that matches all words; "" without any word.

    The words are quoted, so that none is read as a part of the expression.
    """
    terms = (
        _runphrase(part) if _spaceless_runs().match(part) else _word_phrase(part)
        for part in split_words(words)
    )
    return " AND ".join(dict.fromkeys(terms))


def split_words(words: str) -> list[str]:
    """Split words as the index does: into runs of scripts without spaces, and the text between."""
    parts = []
    for word in fold_text(words).replace("\0", " ").split():
        start = 0
        for match in _spaceless_runs().finditer(word):
            parts += [word[start : match.start()], match.group()]
            start = match.end()
        parts.append(word[start:])
    return [part for part in parts if any(character.isalnum() for character in part)]


def _word_phrase(text: str) -> str:
    return 'body : "' + text.replace('"', " ") + '"'


def _runphrase(run: str) -> str:
    if len(run) == 1:
        return f'signs : "{run}"'
    return f'body : "{_character_pairs(run)}"'


def _character_pairs(run: str) -> str:
    return " ".join(map("".join, pairwise(run))) or run


@cache
def _spaceless_runs() -> re.Pattern[str]:
    return re.compile(f"[{_SPACELESS}]+")
