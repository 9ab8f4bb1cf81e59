"""Whether words are a verbatim quote: only white space, width and outer quotation marks may differ."""

from __future__ import annotations

import unicodedata

_MARKS = ('""', "''", "“”", "‘’", "„“", "«»", "‹›", "「」", "『』", "《》", "``")
_SPACED = ("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "DIGIT", "ARMENIAN", "GEORGIAN", "HANGUL")
"""Scripts that put spaces between words, as their characters' names begin."""


def is_quoted(quote: str, words: str) -> bool:
    """The quote stands in the words, whole: `no` is not a quote from `I know`."""
    wanted, whole = _comparable(unwrapped(quote)), _comparable(words)
    if not wanted:
        return False
    at = whole.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not (_is_inside_word(whole, at) or _is_inside_word(whole, end)):
            return True
        at = whole.find(wanted, at + 1)
    return False


def unwrapped(quote: str) -> str:
    """Without the quotation marks that a model puts around it."""
    quote = quote.strip()
    while len(quote) > 2 and quote[0] + quote[-1] in _MARKS:
        quote = quote[1:-1].strip()
    return quote


def _comparable(words: str) -> str:
    """Width folded, not more: NFKC would take `x²` for `x2`."""
    narrow = "".join(_folded(character) for character in words) if not words.isascii() else words
    return " ".join(unicodedata.normalize("NFC", narrow).split())


def _folded(character: str) -> str:
    if unicodedata.east_asian_width(character) in "FH" and character != "\u20a9":
        kind, _, code = unicodedata.decomposition(character).partition(" ")
        if kind in ("<wide>", "<narrow>"):
            return chr(int(code, 16))
    return character


def _is_inside_word(whole: str, at: int) -> bool:
    return 0 < at < len(whole) and _is_spaced(whole[at - 1]) and _is_spaced(whole[at])


def _is_spaced(character: str) -> bool:
    return character.isalnum() and unicodedata.name(character, "").startswith(_SPACED)
