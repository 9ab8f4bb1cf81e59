"""Whether the numbers of a text are in another one, however either language writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gptkit.documents.formats.numerals import spelled

RUN = re.compile(r"\d+")
NUMBER = re.compile(r"\d+(?:(?:[.,'’٬٫·]|[ \u00a0\u2009\u202f](?=\d{3}(?!\d)))\d+)*")
MAGNITUDES = (
    (1e2, r"hundred|百|백"),
    (1e3, r"thousand|k\b|千|천|mil(?:le)?\b|tausend|тыс"),
    (1e4, r"[万萬만]"),
    (1e5, r"lakh|hundred thousand|十万|十萬"),
    (1e6, r"兆|million|millón|milhão|milhões|millones|milioni?|Mio|миллион|млн|百万|百萬|백만|M\b"),
    (1e7, r"crore|千万|千萬|천만"),
    (1e8, r"[亿億억]|hundred million"),
    (1e9, r"billion|milliard|miliard|Mrd|mil millones|bilh|миллиард|млрд|十亿|十億|십억|bn\b|B\b"),
    (1e11, r"hundred billion|千亿|千億|천억"),
    (1e12, r"trillion|billones|Billion|billion\b|万亿|兆|조|трлн|триллион"),
)
GAP = r"[\s\u00a0-]{0,2}"
SCALES = tuple((scale, re.compile(GAP + rf"(?:{names})", re.IGNORECASE)) for scale, names in MAGNITUDES)
SCALED = re.compile(rf"\d{GAP}(?:{'|'.join(names for _, names in MAGNITUDES)})", re.IGNORECASE)
PLAIN, CLOCK, ORDER, OTHER = range(4)
BEHIND = (
    (CLOCK, re.compile(r"\s?[ap]\.?m\b|[:h]\d|\s?[時时시点點]|\s?(?:Uhr|h\b|o'clock)", re.IGNORECASE)),
    (ORDER, re.compile(r"(?:st|nd|rd|th|er|re|ème|e|º|ª)\b|\s?世|세기", re.IGNORECASE)),
    (OTHER, re.compile(r"\s?(?:[월月]|年?代|년대)")),
)
"""What tells, behind a number, that languages write it differently: as hours, ordinals, months, decades."""
BEFORE = ((CLOCK, re.compile("[:h]$")), (ORDER, re.compile("[第제]$")))


class Number(NamedTuple):
    written: str
    start: int
    values: frozenset[float]
    scaled: bool
    kind: int

    @property
    def digits(self) -> str:
        return digits(self.written)


Same = Callable[[Number, Number], bool]


def digits(written: str) -> str:
    """Of any script, as ASCII."""
    return "".join(str(int(sign)) for sign in written if sign.isdecimal())


def differences(before: str, after: str) -> tuple[list[Number], list[Number]]:
    """Numbers that are missing in the second text, and those that only it has."""
    if _runs(before) == _runs(after) and not SCALED.search(before):
        return [], []
    old, new = list(_numbers(before)), sorted(_numbers(after), key=lambda one: one.kind)
    missing, added = old, new
    for same in (_alike, lambda one, two: bool(one.values & two.values), _same_hour, _same_decade):
        missing, added = _unlike(missing, added, same)
    missing, added = _unsaid(missing, after), _unsaid(added, before)
    if _joined(missing) == _joined(added) and not any(one.scaled for one in missing):
        return [], []
    sure = {PLAIN, *(kind for kind in (CLOCK, ORDER) if _comparable(kind, old, new, missing, added))}
    return [one for one in missing if one.kind in sure], [one for one in added if one.kind in sure]


def _alike(one: Number, two: Number) -> bool:
    """The same digits, and not a million where there was a billion."""
    return one.digits == two.digits and not (one.scaled and two.scaled and one.values.isdisjoint(two.values))


def _same_hour(one: Number, two: Number) -> bool:
    """Of twelve or of twenty-four."""
    return one.kind == two.kind == CLOCK and any(
        hour % 12 == other % 12 and max(hour, other) <= 24 for hour in one.values for other in two.values
    )


def _same_decade(one: Number, two: Number) -> bool:
    """The 1980s are the 80s of the 20th century."""
    return any(
        year % 10 == 0 and year % 100 == other and 1000 <= year < 2100
        for first, second in ((one, two), (two, one))
        if OTHER in (first.kind, second.kind)
        for year in first.values
        for other in second.values
    )


def _unsaid(numbers: list[Number], text: str) -> list[Number]:
    """Those that the text does not spell out."""
    if not numbers:
        return numbers
    words = Counter(float(value) for value in spelled(text))
    left = []
    for one in numbers:
        word = next((value for value in one.values if words[value] > 0), None)
        if word is None:
            left.append(one)
        else:
            words[word] -= 1
    return left


def _comparable(
    kind: int, old: list[Number], new: list[Number], missing: list[Number], added: list[Number]
) -> bool:
    """Whether both languages write such numbers in digits: one that is another then is a mistake."""
    lost, found = (any(one.kind == kind for one in some) for some in (missing, added))
    counts = {sum(one.kind == kind for one in some) for some in (old, new)}
    return lost and found and (kind == CLOCK or len(counts) == 1)


def _runs(text: str) -> Counter[str]:
    return Counter(digits(run) for run in RUN.findall(text))


def _joined(numbers: Iterable[Number]) -> str:
    return "".join(one.digits for one in numbers)


def _unlike(missing: list[Number], added: list[Number], same: Same) -> tuple[list[Number], list[Number]]:
    rest = list(added)
    unmatched = []
    for one in missing:
        match = next((other for other in rest if same(one, other)), None)
        if match is None:
            unmatched.append(one)
        else:
            rest.remove(match)
    return unmatched, rest


def _numbers(text: str) -> Iterable[Number]:
    for found in NUMBER.finditer(text):
        scales = [scale for scale, names in SCALES if names.match(text, found.end())]
        values = frozenset(
            round(value * scale, 6) for value in _readings(found[0]) for scale in scales or [1.0]
        )
        yield Number(found[0], found.start(), values, bool(scales), _kind(text, *found.span()))


def _kind(text: str, start: int, end: int) -> int:
    behind = (kind for kind, pattern in BEHIND if pattern.match(text, end))
    before = (kind for kind, pattern in BEFORE if pattern.search(text, max(0, start - 1), start))
    return next(behind, None) or next(before, PLAIN)


def _readings(written: str) -> Iterable[float]:
    """As a whole number, and with the last separator before a fraction."""
    groups = [digits(run) for run in RUN.findall(written)]
    yield float("".join(groups)[:300])
    if len(groups) > 1:
        yield float(f"{''.join(groups[:-1])[:300]}.{groups[-1]}")
