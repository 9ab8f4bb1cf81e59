"""Check whether a quote stands verbatim in a text, but for white space, width and outer quotation marks."""

from __future__ import annotations

import unicodedata

_MARKS = ('""', "''", "“”", "‘’", "„“", "«»", "‹›", "「」", "『』", "《》", "``")
_SPACED = ("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "DIGIT", "ARMENIAN", "GEORGIAN", "HANGUL")
"""Scripts with spaces between words, by the first word of their characters' Unicode names."""


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
