"""How well bytes read as Chinese, Japanese or Korean, in bits: the fewer, the likelier."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from math import sqrt
from typing import NamedTuple

from gptkit.documents import encoding_characters as characters

ASCII = 6.0  # the same in every reading, so that only the other characters decide
CONTROL = 30.0
UNLISTED = 18  # a hanzi, kana or hangul that is not among the common ones of the language
STRANGE = 26.0
KANA = range(0x3040, 0x3100)
# Characters that come in runs: what the first of a run costs more, what each costs.
RUNS = (
    (re.compile("[\uff66-\uff9f]+"), 10.0, 5.5),  # half-width katakana
    (re.compile("[\uff61-\uff65]+"), 6.0, 12.0),  # and its punctuation
    (re.compile("[\u2500-\u25ff]+"), 9.0, 4.0),  # box drawing
    (re.compile("[\u0370-\u058f]+|[\u0590-\u077f]+|[\u0900-\u0eff]+|[\u10a0-\u10ff]+"), 8.0, 6.0),
    (re.compile("[\u00c0-\u024f\u0251\u0261\u1e00-\u1eff]+"), 5.0, 7.0),  # accents, as in pinyin
)
RUNNING = re.compile("|".join(pattern.pattern for pattern, _, _ in RUNS))
EAST = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60\uffe0-\uffe6"
EASTERN = re.compile(f"[{EAST}]")
SYMBOL = re.compile("[\u00a0-\u00bf\u00d7\u00f7\u02b0-\u02ff\u2000-\u24ff\u2600-\u27bf\U0001f000-\U0001faff]")
# Half-width katakana as Japanese does not have them: alone, or marks and small ones after the wrong sound.
ODD_KANA = re.compile(
    "(?<![\uff61-\uff9f])[\uff66-\uff9f]{1,2}(?![\uff61-\uff9f])"
    "|(?<![ｳｶ-ﾄﾊ-ﾎ])ﾞ|(?<![ﾊ-ﾎ])ﾟ|(?<![ｷｼﾁﾆﾋﾐﾘﾞﾟ])[ｬｭｮ]|(?<![ｦ-ﾟ])[ｰｯ]|(?<![ｲｳｸｼﾁﾂﾃﾄﾌﾞ])[ｧ-ｫ]"
    "|[ｦﾇﾍﾎﾔﾕﾖﾜ]{2}"
)
CONTROLS = re.compile("[\0-\7\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
HALF_WIDTH = re.compile("[\uff61-\uff9f]")
BESIDE_HALF_WIDTH = re.compile(f"[{EAST}](?=[\uff61-\uff9f])|[\uff61-\uff9f](?=[{EAST}])")
PRIVATE = re.compile("[\ue000-\uf8ff]")
# A letter beside such a character, and a lone one at that, as wrong readings of Latin letters have them.
BESIDE_LETTER = re.compile("[A-Za-z](?=[^\0-\x7f])|[^\0-\x7f](?=[A-Za-z])")
LONE = re.compile(f"(?<=[A-Za-z])[{EAST}](?![{EAST}])|(?<![{EAST}])[{EAST}](?=[A-Za-z])")
BOX_BESIDE_LETTER = re.compile("[A-Za-z](?=[\u2500-\u25ff])")

TABLES = {
    "simplified": (characters.SIMPLIFIED, 9.6),
    "traditional": (characters.TRADITIONAL, 9.7),
    "japanese": (characters.JAPANESE, 9.2),
    "korean": (characters.KOREAN, 8.4),
}
# Encoding, codecs that read it, the languages it is used for, and what a rarer use costs.
ENCODINGS: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = (
    ("gb18030", (("simplified", 0), ("traditional", 2), ("japanese", 14))),
    ("big5", (("traditional", 0), ("simplified", 8))),
    ("shift_jis", (("japanese", 0),)),
    ("euc-jp", (("japanese", 1),)),
    ("euc-kr", (("korean", 0),)),
    ("johab", (("korean", 8),)),
)


class Reading(NamedTuple):
    """One way to read the bytes."""

    bits: float
    encoding: str
    text: str
    excess: float  # bits that a character beyond ASCII costs more than is usual in the language


def best_language(text: str, encoding: str, languages: tuple[tuple[str, float], ...]) -> Reading:
    """The reading of `text` in the language that explains it best."""
    counts = Counter(text)
    plain = sum(count for character, count in counts.items() if character < "\x80")
    beyond = {character: count for character, count in counts.items() if character >= "\x80"}
    number = len(text) - plain - 0.4 * len(HALF_WIDTH.findall(text))  # of these, several make a word
    common = _common_cost(text)
    readings = []
    for language, extra in languages:
        table = _table(language)
        cost = common + sum(count * _character(character, table) for character, count in beyond.items())
        usual = TABLES[language][1] + 5 / sqrt(number or 1)
        excess = cost / number - usual if number else 0.0
        readings.append(Reading(ASCII * plain + cost + extra, encoding, text, excess))
    return min(readings)


def _common_cost(text: str) -> float:
    """Bits, beside those of each character, that are the same in every language."""
    cost = CONTROL * (len(CONTROLS.findall(text)) + len(PRIVATE.findall(text)))
    for pattern, first, each in RUNS:
        runs = pattern.findall(text)
        cost += len(runs) * first + sum(map(len, runs)) * each
    cost += 2.5 * len(BESIDE_LETTER.findall(text)) + 6 * len(LONE.findall(text))
    return (
        cost
        + 6 * len(BOX_BESIDE_LETTER.findall(text))
        + 10 * len(ODD_KANA.findall(text))
        + 6 * len(BESIDE_HALF_WIDTH.findall(text))
    )


def _character(character: str, table: dict[str, int]) -> float:
    if RUNNING.match(character):
        return 0.0
    cost = table.get(character)
    if cost is not None:
        return cost
    if EASTERN.match(character):
        return UNLISTED
    return 17.0 if SYMBOL.match(character) else STRANGE


@cache
def _table(language: str) -> dict[str, int]:
    table = {character: cost for cost, row in TABLES[language][0].items() for character in row}
    table["\u3000"] = 8  # the ideographic space
    if language == "korean":  # some Chinese characters stand between the hangul
        for character, cost in _table("traditional").items():
            if EASTERN.match(character):
                table.setdefault(character, min(cost + 7, 21))
    if language != "japanese":
        for code in KANA:
            table.setdefault(chr(code), 16)
    return table
