"""Which numbers of a text another one says in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from gptkit.documents.formats import number_words as named
from gptkit.documents.formats.numerals import in_signs, in_words
from gptkit.documents.formats.readings import CLOCK, DECADE, MONTH, SHARES, Number

SHARE_WORDS = ((named.HALF, (0.5,)), (named.QUARTER, (0.25, 0.75)), (named.AND_A_HALF, (1.5,)))
ALWAYS = re.compile(r"24/7")
"""An idiom of English that other languages have other words for."""
TENTHS = re.compile(r"(\d+(?:\.\d+)?)\s?折|([一二三四五六七八九])折")
MINUTES = {minutes: share for share, minutes in SHARES.items()}


def unsaid(numbers: list[Number], own: str, text: str) -> list[Number]:
    """Those that the text does not spell out."""
    if not numbers:
        return numbers
    words = _words(own, text)
    known, month_of = _months()
    months = {month_of[name.casefold()] for name in known.findall(text)}
    next_hour = named.pattern(named.TOWARDS).search(text) is not None
    always = ALWAYS.search(own)
    left = []
    for one in numbers:
        if always and one.start in (always.start(), always.start() + 3):
            continue
        if one.kind == MONTH and (not months or months & one.values):
            continue
        said = next(
            (some for some in _sayings(one, next_hour) if all(words[value] > 0 for value in some)), None
        )
        if said is None:
            left.append(one)
        else:
            words.subtract(said)
    return left


@lru_cache(maxsize=1)
def _months() -> tuple[re.Pattern[str], dict[str, float]]:
    month_of = {name.casefold(): month for month, names in named.rows(named.MONTHS) for name in names}
    behind = r"(?![a-zà-öø-ÿа-я])"
    return re.compile(rf"(?<![a-zа-я])(?:{named.either(month_of)}){behind}", re.IGNORECASE), month_of


def _words(own: str, text: str) -> Counter[float]:
    """The numbers that a text spells out, but for those that the other spells out as well."""
    words = Counter(map(float, in_words(text)))
    for value, count in Counter(map(float, in_words(own))).items():
        if value > 1:
            words[value] = max(0, words[value] - count)
    words.update(map(float, in_signs(text)))
    for words_for_two in (named.DUAL, named.MORE_THAN_ONE):
        words[2.0] += len(named.pattern(words_for_two).findall(text))
    for words_of, values in SHARE_WORDS:
        known = named.pattern(words_of)
        if (count := len(known.findall(text)) - len(known.findall(own))) > 0:
            words.update(dict.fromkeys(values, count))
    for _ in named.pattern(named.NOON).finditer(text):
        words.update((0.0, 12.0, 24.0))
    for found in TENTHS.finditer(text):
        of_ten = float(found[1] or "一二三四五六七八九".index(found[2]) + 1)
        words.update((10 * of_ten, 100 - 10 * of_ten))
    return words


def _sayings(one: Number, next_hour: bool) -> Iterable[tuple[float, ...]]:
    """The words that may stand for it; half past six is half seven, a quarter to six is 5:45."""
    yield from ((value,) for value in one.values)
    if one.parts and max(one.values, default=1) < 1:
        yield one.parts
    for value in one.values:
        if value % 1 == 0.5 and value > 1:
            yield (value - 0.5, 0.5)
        if value in MINUTES:
            yield (MINUTES[value],)
        if one.percent and value == 50:
            yield (0.5,)
        if one.kind == CLOCK and value <= 24:
            yield (value % 12,)
            if next_hour:
                yield (value % 12 + 1,)
        if one.kind == DECADE and value >= 1000:
            yield (value % 100,)
            yield (value % 100 // 10 + 1, value // 100 + 1)
