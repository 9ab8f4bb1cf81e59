"""Whether the numbers of a text are in another one, however either language writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

RUN = re.compile(r"\d+")
NUMBER = re.compile(r"\d+(?:(?:[.,'’٬٫·]|[ \u00a0\u2009\u202f](?=\d{3}(?!\d)))\d+)*")
MAGNITUDES = (
    (1e2, r"hundred|百|백"),
    (1e3, r"thousand|k\b|千|천|mil(?:le)?\b|tausend|тыс"),
    (1e4, r"[万萬만]"),
    (1e5, r"lakh"),
    (1e6, r"million|millón|milhão|milhões|millones|milioni?|Mio|миллион|млн|百万|百萬|백만|M\b"),
    (1e7, r"crore|千万|千萬|천만"),
    (1e8, r"[亿億억]"),
    (1e9, r"billion|milliard|miliard|Mrd|mil millones|bilh|миллиард|млрд|十亿|十億|십억|bn\b|B\b"),
    (1e12, r"trillion|billones|Billion|billion\b|万亿|兆|조|трлн|триллион"),
)
GAP = r"[\s\u00a0-]{0,2}"
SCALES = tuple((scale, re.compile(GAP + rf"(?:{names})", re.IGNORECASE)) for scale, names in MAGNITUDES)
OTHERWISE = re.compile(
    r"(?:st|nd|rd|th|er|re|ème|e|º|ª)\b|\s?[ap]\.?m\b|[:h]\d|\s?[月월時时시点點世代]|세기|\s?(?:Uhr|h\b|o'clock)",
    re.IGNORECASE,
)
"""Behind a number that languages write differently: ordinals, hours, months, centuries and decades."""
BEFORE = re.compile(r"(?:[第제]|[:h])$")


class Number(NamedTuple):
    written: str
    start: int
    values: frozenset[float]
    loose: bool

    @property
    def digits(self) -> str:
        return digits(self.written)


Same = Callable[[Number, Number], bool]


def digits(written: str) -> str:
    """Of any script, as ASCII."""
    return "".join(str(int(sign)) for sign in written if sign.isdecimal())


def differences(before: str, after: str) -> tuple[list[Number], list[Number]]:
    """Numbers that are missing in the second text, and those that only it has."""
    if _runs(before) == _runs(after):
        return [], []
    missing, added = list(_numbers(before)), sorted(_numbers(after), key=lambda one: one.loose)
    missing, added = _unlike(missing, added, lambda one, two: one.digits == two.digits)
    missing, added = _unlike(missing, added, lambda one, two: bool(one.values & two.values))
    if _joined(missing) == _joined(added):
        return [], []
    return [one for one in missing if not one.loose], [one for one in added if not one.loose]


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
        scales = [scale for scale, names in SCALES if names.match(text, found.end())] or [1.0]
        loose = OTHERWISE.match(text, found.end()) or BEFORE.search(
            text, max(0, found.start() - 1), found.start()
        )
        values = frozenset(round(value * scale, 6) for value in _readings(found[0]) for scale in scales)
        yield Number(found[0], found.start(), values, loose is not None)


def _readings(written: str) -> Iterable[float]:
    """As a whole number, and with the last separator before a fraction."""
    groups = [digits(run) for run in RUN.findall(written)]
    yield float("".join(groups)[:300])
    if len(groups) > 1:
        yield float(f"{''.join(groups[:-1])[:300]}.{groups[-1]}")
