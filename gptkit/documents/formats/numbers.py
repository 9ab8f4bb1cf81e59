"""Whether the numbers of a text are in another one, however either language writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache

from gptkit.documents.formats import number_words as named
from gptkit.documents.formats.numerals import in_signs, in_words
from gptkit.documents.formats.readings import (
    CLOCK,
    DECADE,
    LENIENT_SIGN,
    MINUTE,
    MONTH,
    NUMBER,
    PLAIN,
    Number,
    read,
)

HAS_NUMBER = re.compile(r"[\d¼-¾⅐-⅞]")
SHARE_WORDS = ((named.HALF, (0.5,)), (named.QUARTER, (0.25, 0.75)), (named.AND_A_HALF, (1.5,)))
ALWAYS = re.compile(r"24/7")
"""An idiom of English that other languages have other words for."""
TENTHS = re.compile(r"(\d+(?:\.\d+)?)\s?折|([一二三四五六七八九])折")
SHARES = {0.5: 30.0, 0.25: 15.0, 0.75: 45.0}
MINUTES = {minutes: share for share, minutes in SHARES.items()}
"""Of an hour, in minutes."""
PHONE = 7
Same = Callable[[Number, Number], bool]


def differences(before: str, after: str) -> tuple[list[Number], list[Number]]:
    """Numbers that are missing in the second text, and those that only it has."""
    if not HAS_NUMBER.search(before) and not HAS_NUMBER.search(after):
        return [], []
    old, new = read(before), read(after)
    missing, added = _signless(old, after), _signless(new, before)
    if missing or added:
        return missing, added
    missing, added = old, new
    of_kind = map(_of_kind, (_alike, _equal, _same_hour))
    for same in (*of_kind, _alike, _equal, _unnamed(old, new), _same_hour, _same_decade, _same_share):
        missing, added = _unlike(missing, added, same)
    missing, added = _taken_apart(missing, added)
    if missing and added and _one_row(missing, added):
        return [], []
    missing, added = _unsaid(missing, before, after), _unsaid(added, after, before)
    missing, added = (
        [one for one in missing if not _is_full_hour(one)],
        [one for one in added if not _may_come(one)],
    )
    return missing or _without_percent(old, before, after), added


def _of_kind(same: Same) -> Same:
    """Hours are sought among hours first."""
    return lambda one, two: one.kind == two.kind and same(one, two)


def _alike(one: Number, two: Number) -> bool:
    """The same digits, and not a million where there was a billion."""
    return one.digits == two.digits and (bool(one.values & two.values) or one.values == two.values)


def _equal(one: Number, two: Number) -> bool:
    if one.values or two.values:
        return bool(one.values & two.values)
    return sorted(one.parts) == sorted(two.parts) and len(one.parts) > 2  # a date in another order


def _unnamed(old: Iterable[Number], new: Iterable[Number]) -> Same:
    """A million in a language of which the words for it are not known."""
    if any(one.scaled for one in old) == any(one.scaled for one in new):
        return lambda one, two: False
    return lambda one, two: one.scaled != two.scaled and one.digits == two.digits


def _same_hour(one: Number, two: Number) -> bool:
    """Of twelve or of twenty-four."""
    return CLOCK in (one.kind, two.kind) and any(
        abs(hour - other) == 12 and max(hour, other) <= 24 for hour in one.values for other in two.values
    )


def _same_decade(one: Number, two: Number) -> bool:
    """The 1980s are the 80s of the 20th century."""
    return any(
        year % 10 == 0 and year % 100 == other and 1000 <= year < 2100
        for first, second in ((one, two), (two, one))
        if DECADE in (first.kind, second.kind)
        for year in first.values
        for other in second.values
    )


def _same_share(one: Number, two: Number) -> bool:
    """Half an hour is 30 minutes."""
    return any(
        SHARES.get(share) == minutes
        for first, second in ((one, two), (two, one))
        for share in first.values
        for minutes in second.values
    )


def _taken_apart(missing: list[Number], added: list[Number]) -> tuple[list[Number], list[Number]]:
    """Dates, hours and fractions that one language writes in one and the other in parts."""
    if not (missing and added) and not any(_is_date(one) for one in (*missing, *added)):
        return missing, added
    missing, added = _in_parts(missing, added), _in_parts(added, missing)
    for same in (_equal, _same_hour, _same_share):
        missing, added = _unlike(missing, added, same)
    return missing, added


def _in_parts(numbers: list[Number], others: list[Number]) -> list[Number]:
    values = {value for other in others if not other.parts for value in other.values}
    values |= {(value + 12) % 24 for value in values}
    done: list[Number] = []
    for one in numbers:
        twin = any(sorted(one.parts) == sorted(other.parts) for other in others)
        if one.scaled or not one.parts or twin or not (_is_date(one) or values.intersection(one.parts)):
            done.append(one)
            continue
        hour = len(one.parts) == 2 and one.parts[0] <= 24 and one.parts[1] < 60
        for at, part in enumerate(one.parts):
            month = _is_date(one) and part <= 12
            kind = MONTH if month else (MINUTE if at else CLOCK) if hour else PLAIN
            done.append(Number(one.written, one.start + at, frozenset({part}), kind=kind))
    return done


def _is_date(one: Number) -> bool:
    return (
        len(one.parts) == 3
        and not one.values
        and any(part > 31 for part in one.parts)
        and min(one.parts) <= 12
    )


def _one_row(missing: list[Number], added: list[Number]) -> bool:
    """Whether they are one long row of digits that is grouped in another way, as that of a telephone."""
    rows = ["".join(one.digits for one in some) for some in (missing, added)]
    return (
        rows[0] == rows[1]
        and len(rows[0]) >= PHONE
        and not any("." in one.written or "," in one.written or one.scaled for one in (*missing, *added))
    )


def _unsaid(numbers: list[Number], own: str, text: str) -> list[Number]:
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
    words[2.0] += len(named.pattern(named.DUAL).findall(text))
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


def _signless(numbers: list[Number], other: str) -> list[Number]:
    """Those below zero, if the other text says of fewer that they are."""
    below = [one for one in numbers if one.negative]
    if not below:
        return []
    signs = sum(
        LENIENT_SIGN.search(other, max(0, found.start() - 3), found.start()) is not None
        for found in NUMBER.finditer(other)
    )
    short = len(below) - signs - len(named.pattern(named.MINUS).findall(other))
    return [one._replace(written=f"-{one.written}") for one in below[:short]] if short > 0 else []


def _is_full_hour(one: Number) -> bool:
    """The minutes of three o'clock."""
    return one.kind == MINUTE and one.values == {0.0}


def _may_come(one: Number) -> bool:
    """An article or a word for `each` is a number in some languages."""
    return _is_full_hour(one) or (one.values == {1.0} and len(one.written) == 1 and one.kind != MINUTE)


def _without_percent(numbers: list[Number], before: str, after: str) -> list[Number]:
    """Those that were percentages, where nothing says so any more."""
    shares = [one for one in numbers if one.percent]
    if not shares or named.pattern(named.PERCENT).search(after):
        return []
    said = {value for number in read(after) for value in number.values}
    return [one._replace(written=f"{one.written}%") for one in shares if one.values & said]


def _unlike(missing: list[Number], added: list[Number], same: Same) -> tuple[list[Number], list[Number]]:
    if not missing or not added:
        return missing, added
    rest = list(added)
    unmatched = []
    for one in missing:
        match = next((other for other in rest if same(one, other)), None)
        if match is None:
            unmatched.append(one)
        else:
            rest.remove(match)
    return unmatched, rest
