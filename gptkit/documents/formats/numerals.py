"""Numbers that are spelled out: in words of many languages, in Chinese characters, in Roman numerals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from gptkit.documents.formats import number_words as named

CHINESE = re.compile("(?<!星期)(?<![周週礼禮]拜)(?<![周週])[〇零一二两兩三四五六七八九十百千万萬亿億]+")
DIGITS = {sign: at // 2 for at, sign in enumerate("〇零一一二两三三四四五五六六七七八八九九")} | {"兩": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018, "民国": 1911, "民國": 1911}
"""The year before the first of each."""
SPELLED_ERA = re.compile(f"({'|'.join(ERAS)})(元|[{''.join(DIGITS)}十百]+)年")
WORD = re.compile(r"[^\W\d_]+")
ROMAN = re.compile(
    r"(?<![A-Za-z])(?=[IVX]|[LC][IVXLC])(C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})(?=(?:e|er|ème|º|ª|\.)?\b)"
)
LETTERS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
TURNED = {"IV": 4, "IX": 9, "XL": 40, "XC": 90}
SINO_KOREAN = re.compile("[일이삼사오육칠팔구]?[십백천만억][일이삼사오육칠팔구십백천만억]*")
TO_CHINESE = str.maketrans("일이삼사오육칠팔구십백천만억", "一二三四五六七八九十百千万亿")
KOREAN_TENS = "열 스물 서른 마흔 쉰 예순 일흔 여든 아흔".split()  # noqa: SIM905
KOREAN_UNITS = "하나 한 둘 두 셋 세 넷 네 다섯 여섯 일곱 여덟 아홉".split()  # noqa: SIM905
NEXT = 5
"""Letters that may stand between tens and units: an ending, a word for and."""
BETWEEN = {"und", "and", "et", "y", "e", "och", "va", "ve", "en", "i"}
"""Words that join tens and units."""
LEAST, MOST_BEHIND = 3, 6
"""Letters of the beginning of a word that names a number, and those behind it; more behind a long one."""


class _Lexicon(NamedTuple):
    words: dict[str, tuple[float, ...]]
    only: dict[str, tuple[float, str]]  # with the language in which they mean it
    stems: dict[str, float]
    signs: re.Pattern[str]
    of_sign: dict[str, float]


def in_words(text: str) -> Iterator[float]:
    """Every number that may be meant; of `twenty-five` also 20 and 5."""
    yield from _in_words(text, _lexicon())


def in_signs(text: str) -> Iterator[float]:
    """The same of what may well be part of another word."""
    for found in SPELLED_ERA.finditer(text):
        yield ERAS[found[1]] + (1 if found[2] == "元" else _chinese(found[2]))
    for found in CHINESE.finditer(text):
        yield _chinese(found[0])
    for found in ROMAN.finditer(text):
        if found[0]:
            yield sum(TURNED.get(part) or sum(LETTERS[sign] for sign in part) for part in found.groups())
    lexicon = _lexicon()
    if not text.isascii():
        yield from _in_a_row(
            (found.span(), lexicon.of_sign[found[0]]) for found in lexicon.signs.finditer(text)
        )
        for found in SINO_KOREAN.finditer(text):
            yield _chinese(found[0].translate(TO_CHINESE))


def _in_a_row(signs: Iterable[tuple[tuple[int, int], float]]) -> Iterator[float]:
    """Each by itself, and tens and units that stand next to one another together."""
    last, end = 0.0, 0
    for (start, stop), value in signs:
        yield value
        if start - end <= NEXT and (last >= 10 > value > 0 or 0 < last < 10 <= value <= 90) and last <= 90:
            yield last + value
        last, end = value, stop


def _in_words(text: str, lexicon: _Lexicon) -> Iterator[float]:
    before = 0.0
    all_words = [found[0].casefold() for found in WORD.finditer(text)]
    spoken = {language for language, telling in _languages().items() if not telling.isdisjoint(all_words)}
    for word in all_words:
        values = lexicon.words.get(word) or tuple(_compound(word, lexicon))
        if (only := lexicon.only.get(word)) and only[1] in spoken:
            values = (only[0], *values)
        yield from values
        value = values[0] if values else 0
        joint = _together(before, value)
        if joint:
            yield joint
        if values or word not in BETWEEN:
            before = joint or value


def _together(before: float, value: float) -> float:
    """What two words in a row say, or 0."""
    if before <= 0 or value <= 0:
        return 0
    if before == 4 and value == 20:  # quatre-vingts
        return 80
    if value >= 100:
        return before * value if before < 1000 else 0
    if 20 <= before < 100 and before % 10 == 0 and value < 20:
        return before + value
    if before >= 100 and before % 100 == 0:
        return before + value
    return before * 100 + value if 10 < before <= 20 and value >= 10 else 0


def _compound(word: str, lexicon: _Lexicon) -> Iterator[float]:
    """A word that begins with a number, and maybe ends with another, as in vijfentwintig."""
    value = _stem(word, lexicon)
    if value is not None:
        yield value
    if len(word) < 2 * LEAST + 2:
        return
    for cut in range(LEAST, len(word) - LEAST + 1):
        first = lexicon.words.get(word[:cut], (lexicon.stems.get(word[:cut], 0.0),))[0]
        if not first:
            continue
        for joint in ("und", "en", "ën", ""):
            if word.startswith(joint, cut) and (rest := _whole(word[cut + len(joint) :], lexicon)):
                if rest in {100, 1000} and first < 100:
                    yield first * rest
                elif first < 10 <= rest < 100 or rest < 10 <= first <= 90 or (first >= 100 > rest):
                    yield first + rest


def _whole(word: str, lexicon: _Lexicon) -> float:
    exact = lexicon.words.get(word)
    return exact[0] if exact else _stem(word, lexicon) or 0.0


def _stem(word: str, lexicon: _Lexicon) -> float | None:
    for end in range(len(word), LEAST - 1, -1):
        value = lexicon.stems.get(word[:end])
        if value is not None and len(word) - end <= max(MOST_BEHIND, end + 1):
            return value
    return None


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    words: dict[str, tuple[float, ...]] = {}
    only: dict[str, tuple[float, str]] = {}
    stems: dict[str, float] = {}
    for value, names in named.rows(named.WORDS):
        for name in names:
            if "@" in name:
                word, _, language = name.partition("@")
                only[word] = value, language
                continue
            if name.endswith("-"):
                stems.setdefault(name[:-1], value)
            whole = name.rstrip("-")
            if value not in words.get(whole, ()):
                words[whole] = (*words.get(whole, ()), value)
    of_sign: dict[str, float] = {}
    for value, names in named.rows(named.SIGNS):
        of_sign.update(dict.fromkeys(names, value))
    for tens in KOREAN_TENS:
        of_sign.update({tens + unit: of_sign[tens] + of_sign[unit] for unit in KOREAN_UNITS})
    return _Lexicon(words, only, stems, _signs(of_sign), of_sign)


@lru_cache(maxsize=1)
def _languages() -> dict[str, frozenset[str]]:
    lines = (line.split(" ") for line in named.LANGUAGES.strip().split("\n"))
    return {language: frozenset(telling) for language, *telling in lines}


def _signs(of_sign: dict[str, float]) -> re.Pattern[str]:
    """Words of Devanagari and Hangul begin where they stand; a Korean one of a syllable stands alone."""
    parts = []
    for sign in sorted(of_sign, key=len, reverse=True):
        if "\u0900" <= sign[0] <= "\u097f":
            parts.append(rf"(?<![\u0900-\u097f]){sign}")
        elif "\uac00" <= sign[0] <= "\ud7af":
            parts.append(
                rf"(?<![\uac00-\ud7af]){sign}"
                + (r"(?=\s|[번째개명가시살달배층곳권마잔대차자분])" if len(sign) == 1 else "")
            )
        else:
            parts.append(sign)
    return re.compile("|".join(parts))


def _chinese(signs: str) -> float:
    if not any(sign in UNITS or sign in MYRIADS for sign in signs):
        return float("".join(str(DIGITS[sign]) for sign in signs)[:300])
    total = section = digit = 0
    for sign in signs:
        if sign in DIGITS:
            digit = DIGITS[sign]
        elif sign in UNITS:
            section += (digit or 1) * UNITS[sign]
            digit = 0
        else:
            total = (total + section + digit or 1) * MYRIADS[sign]
            section = digit = 0
    return total + section + digit
