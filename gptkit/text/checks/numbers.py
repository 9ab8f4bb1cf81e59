"""Whether the numbers of a text are in another one: by their digits, in any script, whatever parts them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import NamedTuple
from unicodedata import normalize, numeric

from gptkit.core.excerpt import shorten

RUN = re.compile(r"\d+")
GROUP, POINT = "[,.'’٬ \u00a0\u2009\u202f]", "[.,٫·]"
ONE = (
    rf"(?:(?<!\d[.,])(?:\d{{1,3}}(?:{GROUP}\d\d\d?){{0,9}}{GROUP}\d{{3}}(?:{POINT}\d+)?(?![.,]?\d)"
    rf"|\d+{POINT}\d+(?![.,]?\d))|\d+)"
)
"""A number with thousands set apart, or with decimals; else a run of digits, as in a date or a version."""
SIGNS = dict(zip("百백千천万萬만亿億억兆조", (2, 2, 3, 3, 4, 4, 4, 8, 8, 8, 12, 12), strict=True))
WORDS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SIGN = rf"(?:(?:[{''.join(SIGNS)}](?![米克瓦赫卡字分]))+|(?i:{'|'.join(WORDS)})s?\b)"  # no 千米, no 兆字节
NUMBER = re.compile(rf"{ONE}(?:[ -]?{SIGN} ?{ONE})*(?:[ -]?{SIGN})?|[¼-¾⅐-⅞]")
MEMBER = re.compile(rf"({ONE})(?:[ -]?({SIGN}))?")
SCALE = re.compile(
    r"[\s-]?(?:[kMBT]\b|(?i:hund|taus|tus|tuh|tis|tys|duiz|mil|mln|mld|mio|mrd|bil|bn\b|bin\b|tril|ribu|juta"
    r"|nghìn|triệu|tỷ|тыс|тис|мил|мл|χιλ|εκατ|δισ|ألف|ملي|אלף|מיל|हज|लाख|करोड़|अरब|พัน|หมื่น|แสน|ล้าน))"
)
"""What says behind a number that it counts thousands or more: elsewhere it may have other zeros."""
CHINESE = re.compile("[〇零一二两兩三四五六七八九十百千万萬亿億]+")
SPELLED = str.maketrans("〇零一二两兩三四五六七八九", "0012223456789", "十百千万萬亿億")
ROMAN = re.compile(r"(?<![A-Za-z])[IVX]+(?![A-Z])")
TENS, UNITS = ("", "X", "XX", "XXX"), ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
MONTH = re.compile(r"\s?[月월](?![間间])")
ALWAYS = re.compile("24/7")
SMALL = 12
"""Up to here many languages write numbers in words."""


class Difference(NamedTuple):
    """`start` is a place in the first text. What `is_wrong` is no other way to write the same."""

    start: int
    message: str
    is_wrong: bool = False


class _Number(NamedTuple):
    """`digits` come without the zeros at their ends, and so do `parts`, those of each run; 0 has none."""

    written: str
    start: int
    behind: str
    value: Decimal
    digits: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"number '{shorten(self.written, 60)}'"

    @property
    def first(self) -> Decimal:
        found = RUN.match(self.written)
        return Decimal(found[0]) if found else self.value


def differences(before: str, after: str) -> Iterator[Difference]:
    """What the second text does not have of the numbers of the first, or has besides."""
    _, old, new = _paired(_read(before), _read(after), lambda one: one.value)
    alike, old, new = _paired(old, new, lambda one: one.digits)
    for one, other in alike:
        if not SCALE.match(one.behind) and not SCALE.match(other.behind):
            yield Difference(one.start, f"{one} became '{shorten(other.written, 60)}'")
    missing, added = _unshared(old, new, after), _unshared(new, old, before)
    always = {found.start() for found in ALWAYS.finditer(before)}
    firsts = {one.first for one in added}
    other_ways = set(chain.from_iterable(map(_other_ways, added)))
    for one in missing:
        is_wrong = one.value > SMALL and len(one.digits) > 1 and one.start not in always
        is_another_way = one.first in other_ways or not firsts.isdisjoint(_other_ways(one)[-1:])
        yield Difference(one.start, f"{one} missing", is_wrong and not is_another_way)
    for one in added:
        if missing or one.value > SMALL:  # else it was a word, as in Japanese every small one becomes
            yield Difference(missing[0].start if missing else 0, f"{one} added")


def _read(text: str) -> Iterator[_Number]:
    for found in NUMBER.finditer(text):
        runs = RUN.findall(normalize("NFKC", found[0]))
        parts = tuple(part for run in runs if (part := _digits(Decimal(run))))
        value = _value(found[0])
        behind = text[found.end() : found.end() + 8]
        yield _Number(found[0], found.start(), behind, value, _digits(value), parts)


def _value(written: str) -> Decimal:
    if not written[0].isdecimal():
        return Decimal(numeric(written))
    members = MEMBER.findall(written)
    if len(members) == 1 and not members[0][1]:
        return _amount(written)  # with all its digits, of which a sum would keep 28
    return sum((_amount(one).scaleb(_zeros(sign)) for one, sign in members), Decimal())


def _zeros(sign: str) -> int:
    return WORDS.get(sign.lower().removesuffix("s")) or sum(SIGNS[one] for one in sign)


def _amount(written: str) -> Decimal:
    *whole, last = RUN.findall(written)
    has_decimals = whole and (len(last) != 3 or not Decimal(whole[0]))
    return Decimal("".join(whole) + ("." if has_decimals else "") + last)


def _digits(value: Decimal) -> str:
    return "".join(map(str, value.as_tuple().digits)).strip("0")


def _other_ways(one: _Number) -> tuple[Decimal, ...]:
    """An hour of the afternoon by twelve; the century of a decade, and what the decade is called in it."""
    if SMALL < one.first <= 2 * SMALL:
        return (one.first - SMALL,)
    if not 1000 <= one.first < 10000 or one.first % 10:
        return ()
    century, decade = divmod(one.first, 100)
    return (century + 1, decade) if decade else (century + 1,)


def _paired(
    old: Iterable[_Number], new: Iterable[_Number], key: Callable[[_Number], Hashable]
) -> tuple[list[tuple[_Number, _Number]], list[_Number], list[_Number]]:
    """Those with the same key, one of each text; and the rests of both."""
    waiting: defaultdict[Hashable, deque[_Number]] = defaultdict(deque)
    for one in new:
        waiting[key(one)].append(one)
    pairs, rest = [], []
    for one in old:
        if like := waiting[key(one)]:
            pairs.append((one, like.popleft()))
        else:
            rest.append(one)
    return pairs, rest, sorted(chain.from_iterable(waiting.values()), key=lambda one: one.start)


def _unshared(numbers: Sequence[_Number], others: Sequence[_Number], text: str) -> list[_Number]:
    """Those that the others do not have in other parts, nor the text in Chinese or Roman numerals."""
    if not numbers:
        return []
    of_single, of_joined = (
        Counter(part for one in others if (len(one.parts) > 1) is joined for part in one.parts)
        for joined in (False, True)
    )
    numerals = {*ROMAN.findall(text), *map(_spelled, CHINESE.findall(text))}
    left = []
    for one in numbers:
        parts = of_single if len(one.parts) > 1 else of_joined
        wanted = Counter(one.parts)
        if all(parts[part] >= count for part, count in wanted.items()):
            parts.subtract(wanted)
        elif numerals.isdisjoint((one.digits, _roman(one.value))) and not _is_month(one):
            left.append(one)
    return left


def _spelled(signs: str) -> str:
    """The digits of a Chinese numeral, whatever it counts."""
    return (("1" if signs[0] in "十百千万萬亿億" else "") + signs.translate(SPELLED)).strip("0")


def _roman(value: Decimal) -> str | None:
    if not 1 < value < 10 * len(TENS) or value % 1:
        return None
    return TENS[int(value) // 10] + UNITS[int(value) % 10]


def _is_month(one: _Number) -> bool:
    """Which has a name elsewhere."""
    return one.value <= SMALL and MONTH.match(one.behind) is not None
