"""Estimate the tokens of a text from counts of its words and characters.

The weights are a least-squares fit to the o200k_base tokenizer over prose, documentation, source code and
data in some forty languages, raised where the fit came out low: an estimate should rather be too high. All
counting is done on bytes: one pass maps every character to the letter of its class, and runs and pairs of
letters are then counted at the speed of a memory search.
"""

from __future__ import annotations

WORD = 1.0  # a run of Latin letters, with the space before it
LONG = 0.55  # every seven letters of a run
PUNCTUATION_RUN = 0.85
LINE_END_RUN = 0.31
CYRILLIC_WORD = 0.81
GREEK_WORD = 0.58
ARABIC_WORD = 1.13
DIGITS = 1.18  # up to three digits

_SLICE = 1 << 20
"""Characters that are counted at a time, so that the copies made for counting stay small."""

# Class letter, first UTF-8 bytes of the class, tokens of one character besides those of its run.
CLASSES: tuple[tuple[bytes, tuple[range, ...], float], ...] = (
    (b"a", (range(0x61, 0x7B),), 0),
    (b"A", (range(0x41, 0x5B),), 0),
    (b"0", (range(0x30, 0x3A),), 0),
    (b" ", (range(0x20, 0x21), range(0x09, 0x0A)), 0),
    (b"\n", (range(0x0A, 0x0B), range(0x0D, 0x0E)), 0),
    (b"e", (range(0xC3, 0xCC), range(0xE1, 0xE2)), 0.89),  # letters with accents
    (b"r", (range(0xCE, 0xD0),), 0.29),  # Greek
    (b"c", (range(0xD0, 0xD4),), 0.15),  # Cyrillic
    (b"b", (range(0xD6, 0xD8),), 0.42),  # Hebrew
    (b"y", (range(0xD8, 0xDE),), 0.12),  # Arabic
    (b"i", (range(0xE0, 0xE1),), 0.40),  # Devanagari, Bengali and other scripts of India
    (b"k", (range(0xE3, 0xE4),), 0.67),  # kana
    (b"h", (range(0xE4, 0xEA),), 0.79),  # Chinese characters
    (b"g", (range(0xEA, 0xEE),), 0.80),  # hangul
    (b"s", (range(0xC2, 0xC3), range(0xE2, 0xE3), range(0xEE, 0xF0)), 1.9),  # symbols, typographic marks
    (b"z", (range(0xF0, 0xF5),), 2.0),  # emoji, rare Chinese characters
)
# What the first byte alone does not tell: (first two bytes, tokens to add to those of the class).
CORRECTIONS = (
    *((b"\xe3\x80", 1.03), (b"\xef\xbc", -0.2), (b"\xef\xbd", -0.2)),  # CJK punctuation, full-width forms
    *((b"\xe0\xb8", 0.14), (b"\xe0\xb9", 0.14)),  # Thai
    *((b"\xe1\xba", -1.2), (b"\xe1\xbb", -1.2)),  # Vietnamese
    *((b"\xe1\x82", -0.22), (b"\xe1\x83", -0.22)),  # Georgian
)
# Pairs of neighbours: camelCase, CAPITALS, indentation.
PAIRS = ((b"aA", 1.59), (b"AA", 0.28), (b"\n ", 0.71))


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a current OpenAI model counts for a text; 0 only for an empty one."""
    if len(text) <= _SLICE:
        return max(1, round(_estimate_slice(text))) if text else 0
    slices = (text[start : start + _SLICE] for start in range(0, len(text), _SLICE))
    return max(1, round(sum(map(_estimate_slice, slices))))


def _estimate_slice(text: str) -> float:
    data = text.encode("utf-8", "replace")
    classes = data.translate(_BY_FIRST_BYTE, _LATER_BYTES)
    total = 0.0
    for pair, weight in PAIRS:
        total += weight * classes.count(pair)
    latin = classes.translate(_LATIN)
    total += WORD * _count_runs(latin) + LONG * latin.count(b"aaaaaaa")
    total += PUNCTUATION_RUN * _count_runs(classes.translate(_PUNCTUATION))
    total += LINE_END_RUN * _count_runs(classes.translate(_LINE_END))
    total += DIGITS * _count_digit_groups(classes)
    if len(data) > len(text):
        total += _estimate_beyond_ascii(data, classes)
    return total


def _estimate_beyond_ascii(data: bytes, classes: bytes) -> float:
    """Estimate the tokens of the classes beyond ASCII; most short texts have one or two of these."""
    present = set(classes.translate(None, _ASCII))
    total = sum(weight * classes.count(letter) for letter, weight in _WEIGHTS if letter in present)
    total += sum(weight * data.count(start) for letter, start, weight in _CORRECTIONS if letter in present)
    for letter, table, weight in _WORDS:
        if letter in present:
            total += weight * _count_runs(classes.translate(table))
    return total


def _count_runs(marks: bytes) -> int:
    """Count the runs of `a` in bytes that are `a` or a space."""
    return marks.count(b" a") + marks.startswith(b"a")


def _count_digit_groups(classes: bytes) -> int:
    """Count the groups of up to three digits that runs of digits are split into."""
    marks = classes.replace(b"000", b"3").replace(b"00", b"2")
    return marks.count(b"3") + marks.count(b"2") + marks.count(b"0")


def _byte_table(pairs: tuple[tuple[bytes, tuple[range, ...]], ...], other: bytes) -> bytes:
    """A table for `bytes.translate`: each byte of the ranges to their letter, all others to `other`."""
    table = bytearray(other * 256)
    for letter, spans in pairs:
        for span in spans:
            for byte in span:
                table[byte] = letter[0]
    return bytes(table)


def _class_table(letters: bytes) -> bytes:
    """A table for `bytes.translate`: the class letters in `letters` to `a`, all others to a space."""
    return _byte_table(tuple((b"a", (range(letter, letter + 1),)) for letter in letters), b" ")


_LATER_BYTES = bytes(range(0x80, 0xC0))
_BY_FIRST_BYTE = _byte_table(tuple((letter, spans) for letter, spans, _ in CLASSES), b"p")
_LATIN, _PUNCTUATION, _LINE_END = _class_table(b"aAe"), _class_table(b"p"), _class_table(b"\n")
_ASCII = b"aA0 \np"
_WEIGHTS = tuple((letter[0], weight) for letter, _, weight in CLASSES if weight)
_CORRECTIONS = tuple((_BY_FIRST_BYTE[start[0]], start, weight) for start, weight in CORRECTIONS)
_WORDS = tuple(
    (letter[0], _class_table(letter), weight)
    for letter, weight in ((b"c", CYRILLIC_WORD), (b"r", GREEK_WORD), (b"y", ARABIC_WORD))
)
