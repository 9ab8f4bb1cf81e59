"""Check whether a quote stands verbatim in a text.

`is_quoted` overlooks white space, width and outer quotation marks; `find_quote` also case, punctuation and
the line ends of PDF, and says where the quote stands. Neither takes what is only similar.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

from gptkit.core.patterns import lazy_pattern

_MARKS = ('""', "''", "“”", "‘’", "„“", "«»", "‹›", "「」", "『』", "《》", "``")
_SPACED = ("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "DIGIT", "ARMENIAN", "GEORGIAN", "HANGUL")
"""Scripts with spaces between words, by the first word of their characters' Unicode names."""


ELLIPSIS = lazy_pattern(r"\[\s*(?:…|\.{3})\s*\]|\.{3,}|…+")
SHORTEST_PIECE = 8
"""Folded characters of each piece around an ellipsis; a Chinese character counts as two."""
LONGEST_GAP = 300
"""Folded characters that an ellipsis may stand for."""
_KEPT_MARKS = frozenset("%‰$+<>=°")
_BETWEEN_DIGITS = frozenset(".,:/")
_NOT_KEPT = frozenset("|~^")
"""Mathematical signs to Unicode, but of tables and markup here."""
_COMPATIBLE = (
    "<compat>",
    "<wide>",
    "<narrow>",
    "<font>",
    "<noBreak>",
    "<initial>",
    "<medial>",
    "<final>",
    "<isolated>",
)
"""Forms of a character that mean the character itself; not `<super>` or `<fraction>`: 10² is no 102."""
_NUMERALS = frozenset("〇零一二两兩三四五六七八九十百千万萬亿億")
_WORD_OR_MARK = lazy_pattern(r"[A-Za-z]+|\S")
_APART = "\x1f"
"""Stands between digits that belong to two numbers."""


class FoldedText(NamedTuple):
    """The characters of a text by which quotes are found, and the offset of each in the text."""

    text: str
    characters: str
    offsets: list[int]


class FoundQuote(NamedTuple):
    """Where a quote stands, from its first piece to its last one if it has ellipses."""

    start: int
    end: int
    pieces: tuple[tuple[int, int], ...]


def fold(text: str) -> FoldedText:
    """Fold a text: letters, numbers and the signs that change what they say are kept, all else falls out."""
    characters: list[str] = []
    offsets: list[int] = []
    for match in _WORD_OR_MARK.finditer(text):
        at, character = match.start(), match[0]
        if character.isascii() and character.isalpha():
            characters += character.lower()
            offsets += range(at, match.end())
            continue
        kept = _folded(character)
        if not kept:
            continue
        if kept in _BETWEEN_DIGITS and not (
            at and text[at - 1].isdigit() and text[at + 1 : at + 2].isdigit()
        ):
            continue
        if kept == "-" and not text[at + 1 : at + 2].isdigit():
            continue
        if kept[0].isdigit() and characters and characters[-1].isdigit() and offsets[-1] != at - 1:
            characters.append(_APART)
            offsets.append(at)
        characters += kept
        offsets += [at] * len(kept)
    return FoldedText(text, "".join(characters), offsets)


def find_quote(quote: str, text: FoldedText) -> FoundQuote | None:
    """Find a quote, whole words of it, or its pieces around ellipses one after the other."""
    pieces = [folded for piece in ELLIPSIS.split(strip_quotes(quote)) if (folded := fold(piece)).characters]
    if len(pieces) == 1:
        found = _find(pieces[0], text, 0)
        return None if found is None else _found(text, [found])
    if not pieces or any(_weight(piece.characters) < SHORTEST_PIECE for piece in pieces):
        return None
    start = 0
    while (first := _find(pieces[0], text, start)) is not None:
        spans = [first]
        for piece in pieces[1:]:
            span = _find(piece, text, spans[-1][1])
            if span is None or span[0] - spans[-1][1] > LONGEST_GAP:
                break
            spans.append(span)
        else:
            return _found(text, spans)
        start = first[0] + 1
    return None


def _find(quote: FoldedText, text: FoldedText, start: int) -> tuple[int, int] | None:
    """The folded span of the next place where the quote stands, in the same words and numbers."""
    wanted = quote.characters
    start = text.characters.find(wanted, start)
    while start >= 0:
        end = start + len(wanted)
        if not (_cuts(text, start) or _cuts(text, end)) and _has_same_words(quote, text, start):
            return start, end
        start = text.characters.find(wanted, start + 1)
    return None


def _has_same_words(quote: FoldedText, text: FoldedText, start: int) -> bool:
    """Whether words end where words of the text end: `nowhere` is no quote from `now here`.

    A line of the text may end within a word, and Korean is written with more spaces or fewer.
    """
    for at in range(1, len(quote.characters)):
        own, there = _gap(quote, at), _gap(text, start + at)
        if own == there or (own and there) or not (own or there).isspace() or "\n" in there:
            continue
        before, after = quote.characters[at - 1], quote.characters[at]
        if all(
            _is_of_word(one) and one.isalpha() and not "\u1100" <= one <= "\u11ff" for one in (before, after)
        ):
            return False
    return True


def _gap(folded: FoldedText, at: int) -> str:
    """What fell out before a folded character."""
    return folded.text[folded.offsets[at - 1] + 1 : folded.offsets[at]]


def _cuts(text: FoldedText, position: int) -> bool:
    """Whether a folded position lies inside a word or a number."""
    if not 0 < position < len(text.characters):
        return False
    before, after = text.offsets[position - 1], text.offsets[position]
    if before == after:
        return True
    around = text.characters[position - 1] + text.characters[position]
    if any(mark in _BETWEEN_DIGITS for mark in around) or around[0] == "-" or set(around) <= _NUMERALS:
        return True
    is_next = after == before + 1
    return is_next and (
        _is_inside_word(text.text, after) or unicodedata.category(text.text[after]).startswith("M")
    )


def _found(text: FoldedText, spans: list[tuple[int, int]]) -> FoundQuote:
    pieces = tuple((text.offsets[start], text.offsets[end - 1] + 1) for start, end in spans)
    return FoundQuote(pieces[0][0], pieces[-1][1], pieces)


def _weight(folded: str) -> int:
    return sum(1 if character < "\u2e80" else 2 for character in folded)


@cache
def _folded(character: str) -> str:
    """What is kept of a character; empty if it falls out."""
    kind, _, codes = unicodedata.decomposition(character).rpartition("> ")
    if kind and f"{kind}>" in _COMPATIBLE:
        return "".join(_folded(chr(int(code, 16))) for code in codes.split())
    category = unicodedata.category(character)
    if category == "Pd" or character == "\u2212":
        return "-"
    is_kept = category[0] in "LMN" or category in ("Sc", "Sm") or character in _KEPT_MARKS | _BETWEEN_DIGITS
    if not is_kept or character in _NOT_KEPT:
        return ""
    return unicodedata.normalize("NFD", character).casefold()


def is_quoted(quote: str, text: str) -> bool:
    """Whether the quote stands in the text as whole words: `no` is not a quote from `I know`."""
    wanted, whole = _normalize(strip_quotes(quote)), _normalize(text)
    if not wanted:
        return False
    start = whole.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not (_is_inside_word(whole, start) or _is_inside_word(whole, end)):
            return True
        start = whole.find(wanted, start + 1)
    return False


def strip_quotes(quote: str) -> str:
    """Remove the quotation marks that a model puts around a quote."""
    quote = quote.strip()
    while len(quote) > 2 and quote[0] + quote[-1] in _MARKS:
        quote = quote[1:-1].strip()
    return quote


def _normalize(text: str) -> str:
    """Fold white space and the width of characters, but no more: NFKC would take `x²` for `x2`."""
    narrow = "".join(_fold_width(character) for character in text) if not text.isascii() else text
    return " ".join(unicodedata.normalize("NFC", narrow).split())


def _fold_width(character: str) -> str:
    if unicodedata.east_asian_width(character) in "FH" and character != "\u20a9":
        kind, _, code = unicodedata.decomposition(character).partition(" ")
        if kind in ("<wide>", "<narrow>"):
            return chr(int(code, 16))
    return character


def _is_inside_word(text: str, position: int) -> bool:
    """Whether the position lies between two characters of one word."""
    return 0 < position < len(text) and _is_of_word(text[position - 1]) and _is_of_word(text[position])


def _is_of_word(character: str) -> bool:
    return character.isalnum() and unicodedata.name(character, "").startswith(_SPACED)
