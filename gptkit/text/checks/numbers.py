"""Compare the numbers of a text and its translation by their digits, in any script and notation."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import NamedTuple
from unicodedata import normalize, numeric

from gptkit.core.excerpt import shorten
from gptkit.core.patterns import lazy_pattern

RUN = lazy_pattern(r"\d+")
GROUP, POINT = "[,.'’٬ \u00a0\u2009\u202f]", "[.,٫·]"
ONE = (
    rf"(?:(?<!\d[.,])(?:\d{{1,3}}(?:{GROUP}\d\d\d?){{0,9}}{GROUP}\d{{3}}(?:{POINT}\d+)?(?![.,]?\d)"
    rf"|\d+{POINT}\d+(?![.,]?\d))|\d+)"
)
"""A number with thousands set apart, or with decimals; else a run of digits, as in a date or a version."""
SIGNS = dict(zip("百백千천万萬만亿億억兆조", (2, 2, 3, 3, 4, 4, 4, 8, 8, 8, 12, 12), strict=True))
WORDS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SIGN = rf"(?:(?:[{''.join(SIGNS)}](?![米克瓦赫卡字分]))+|(?i:{'|'.join(WORDS)})s?\b)"  # no 千米, no 兆字节
NUMBER = lazy_pattern(rf"{ONE}(?:[ -]?{SIGN} ?{ONE})*(?:[ -]?{SIGN})?|[¼-¾⅐-⅞]")
MEMBER = lazy_pattern(rf"({ONE})(?:[ -]?({SIGN}))?")
SCALE = lazy_pattern(
    r"[\s-]?(?:[kMBT]\b|(?i:hund|taus|tus|tuh|tis|tys|duiz|mil|mln|mld|mio|mrd|bil|bn\b|bin\b|tril|ribu|juta"
    r"|nghìn|triệu|tỷ|тыс|тис|мил|мл|χιλ|εκατ|δισ|ألف|ملي|אלף|מיל|हज|लाख|करोड़|अरब|พัน|หมื่น|แสน|ล้าน))"
)
"""A word behind a number that counts thousands or more: another language may write other zeros."""
CHINESE = lazy_pattern("[〇零一二两兩三四五六七八九十百千万萬亿億]+")
SPELLED = str.maketrans("〇零一二两兩三四五六七八九", "0012223456789", "十百千万萬亿億")
ROMAN = lazy_pattern(r"(?<![A-Za-z])[IVX]+(?![A-Z])")
TENS, UNITS = ("", "X", "XX", "XXX"), ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
MONTH = lazy_pattern(r"\s?[月월](?![間间])")
ALWAYS = lazy_pattern("24/7")
SMALL = 12
"""Numbers up to this one are written in words by many languages."""


class Difference(NamedTuple):
    """A number that the texts do not share."""

    start: int  # in the first text
    message: str
    is_wrong: bool = False  # no other way to write the number explains the difference


class _Number(NamedTuple):
    written: str
    start: int
    behind: str  # the characters that follow
    value: Decimal
    digits: str  # without zeros at both ends; empty for 0
    parts: tuple[str, ...]  # the digits of each run of digits, without zeros at both ends

    def __str__(self) -> str:
        return f"number '{shorten(self.written, 60)}'"

    @property
    def first(self) -> Decimal:
        match = RUN.match(self.written)
        return Decimal(match[0]) if match else self.value


def differences(before: str, after: str) -> Iterator[Difference]:
    """Yield the numbers of the first text that the second lacks, and those that the second adds."""
    _, old, new = _pair(_read_numbers(before), _read_numbers(after), lambda number: number.value)
    alike, old, new = _pair(old, new, lambda number: number.digits)
    for number, other_number in alike:
        if not SCALE.match(number.behind) and not SCALE.match(other_number.behind):
            yield Difference(number.start, f"{number} became '{shorten(other_number.written, 60)}'")
    missing, added = _numbers_only_in(old, new, after), _numbers_only_in(new, old, before)
    always = {match.start() for match in ALWAYS.finditer(before)}
    firsts = {number.first for number in added}
    other_ways = set(chain.from_iterable(map(_other_ways, added)))
    for number in missing:
        is_wrong = number.value > SMALL and len(number.digits) > 1 and number.start not in always
        is_another_way = number.first in other_ways or not firsts.isdisjoint(_other_ways(number)[-1:])
        yield Difference(number.start, f"{number} missing", is_wrong and not is_another_way)
    for number in added:
        if missing or number.value > SMALL:  # else a word became a figure, as every small number in Japanese
            yield Difference(missing[0].start if missing else 0, f"{number} added")


def number_values(text: str) -> Iterator[tuple[int, Decimal]]:
    """Yield each number that is written in digits, as its place and its value."""
    for number in _read_numbers(text):
        yield number.start, number.value


def _read_numbers(text: str) -> Iterator[_Number]:
    for match in NUMBER.finditer(text):
        runs = RUN.findall(normalize("NFKC", match[0]))
        parts = tuple(part for run in runs if (part := _digits(Decimal(run))))
        value = _value(match[0])
        behind = text[match.end() : match.end() + 8]
        yield _Number(match[0], match.start(), behind, value, _digits(value), parts)


def _value(written: str) -> Decimal:
    if not written[0].isdecimal():
        return Decimal(numeric(written))
    members = MEMBER.findall(written)
    if len(members) == 1 and not members[0][1]:
        return _amount(written)  # with all its digits: a sum would keep 28 of them
    return sum((_amount(figure).scaleb(_zeros(sign)) for figure, sign in members), Decimal())


def _zeros(sign: str) -> int:
    return WORDS.get(sign.lower().removesuffix("s")) or sum(SIGNS[character] for character in sign)


def _amount(written: str) -> Decimal:
    *whole, last = RUN.findall(written)
    has_decimals = whole and (len(last) != 3 or not Decimal(whole[0]))
    return Decimal("".join(whole) + ("." if has_decimals else "") + last)


def _digits(value: Decimal) -> str:
    return "".join(map(str, value.as_tuple().digits)).strip("0")


def _other_ways(number: _Number) -> tuple[Decimal, ...]:
    """Return other numbers for an hour of the afternoon (by twelve) or a decade (its century)."""
    if SMALL < number.first <= 2 * SMALL:
        return (number.first - SMALL,)
    if not 1000 <= number.first < 10000 or number.first % 10:
        return ()
    century, decade = divmod(number.first, 100)
    return (century + 1, decade) if decade else (century + 1,)


def _pair(
    old: Iterable[_Number], new: Iterable[_Number], key: Callable[[_Number], Hashable]
) -> tuple[list[tuple[_Number, _Number]], list[_Number], list[_Number]]:
    """Pair numbers with equal keys; return the pairs, and the numbers of each text without a partner."""
    waiting: defaultdict[Hashable, deque[_Number]] = defaultdict(deque)
    for number in new:
        waiting[key(number)].append(number)
    pairs, rest = [], []
    for number in old:
        if like := waiting[key(number)]:
            pairs.append((number, like.popleft()))
        else:
            rest.append(number)
    return pairs, rest, sorted(chain.from_iterable(waiting.values()), key=lambda number: number.start)


def _numbers_only_in(numbers: Sequence[_Number], others: Sequence[_Number], text: str) -> list[_Number]:
    """Return the numbers that the others lack even in parts, and the text in Chinese or Roman numerals."""
    if not numbers:
        return []
    of_single, of_joined = (
        Counter(part for number in others if (len(number.parts) > 1) is joined for part in number.parts)
        for joined in (False, True)
    )
    numerals = {*ROMAN.findall(text), *map(_numeral_digits, CHINESE.findall(text))}
    unshared = []
    for number in numbers:
        parts = of_single if len(number.parts) > 1 else of_joined
        needed = Counter(number.parts)
        if all(parts[part] >= count for part, count in needed.items()):
            parts.subtract(needed)
        elif numerals.isdisjoint((number.digits, _roman(number.value))) and not _is_month(number):
            unshared.append(number)
    return unshared


def _numeral_digits(signs: str) -> str:
    """Return the digits of a Chinese numeral, without its units (ten, hundred ...)."""
    return (("1" if signs[0] in "十百千万萬亿億" else "") + signs.translate(SPELLED)).strip("0")


def _roman(value: Decimal) -> str | None:
    if not 1 < value < 10 * len(TENS) or value % 1:
        return None
    return TENS[int(value) // 10] + UNITS[int(value) % 10]


def _is_month(number: _Number) -> bool:
    """Whether a number is that of a month, which other languages name."""
    return number.value <= SMALL and MONTH.match(number.behind) is not None
