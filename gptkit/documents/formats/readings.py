"""The numbers that a text writes in digits, and all that each of them may mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

from gptkit.documents.formats import number_words as named
from gptkit.documents.formats.numerals import ERAS

RUN = re.compile(r"\d+")
NUMBER = re.compile(r"\d+(?:(?:[.,'’٬٫·]|[ \u00a0\u2009\u202f](?=\d{3}(?!\d)))\d+)*")
FRACTION = r"[¼-¾⅐-⅞]"
WRITTEN = re.compile(
    rf"(?P<era>{'|'.join(ERAS)})\s?(?P<year>\d+)\s?年"
    r"|(?P<century>\d{1,2})\s?世[纪紀]の?(?P<decade>\d0)\s?年代"
    rf"|(?P<mixed>\d+)[ \u00a0\u202f]?(?P<sign>{FRACTION})|(?P<alone>{FRACTION})"
    r"|(?:(?P<and>\d+)[ \u00a0])?(?<![\d/.,])(?P<over>\d)[/⁄](?P<under>\d{1,2})(?![\d/])"
    r"|(?P<date>\d{1,2}\.\s\d{1,2}\.\s\d{4})"
    rf"|(?P<number>{NUMBER.pattern})"
)
GAP = r"[ \t\n\u00a0\u202f-]{0,2}"
LETTER = re.compile(r"(?P<letter>[kKMB])\b")
LETTERS = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}
SEVERAL = {"Billion": (1e9, 1e12), "兆": (1e6, 1e12), "mil": (1e3, 1e6), "千": (1e3, 1.0), "cent": (1e2, 1.0)}
MEGA = re.compile(rf"{GAP}(?:mega|мега|메가|メガ|मेगा|ميغا|מגה)(?!byte|bit)", re.IGNORECASE)
UNIT_OF = re.compile(rf"{GAP}[千兆百](?=[米克瓦赫卡字分])")
"""What looks like a scale, and is the beginning of kilometre, kilogram, megabyte."""
THAI = re.compile("[\u0e00-\u0e7f]")
EASTERN = re.compile("[\u0900-\u097f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
PLAIN, CLOCK, MINUTE, MONTH, DECADE = range(5)
BEHIND = (
    (
        CLOCK,
        re.compile(
            r"\s?[ap]\.?\s?m\b|[:：hH]\d|\s?[時时시点點]|\s?(?:Uhr|uur|h\b|o'clock|ч\b|час|heures?\b|น\.)|:\d",
            re.I,
        ),
    ),
    (MONTH, re.compile(r"\s?[월月](?![間间])")),
    (DECADE, re.compile(r"\s?年?代|년대|['’]?s\b|er\b|-[хыт]|-ті")),
)
"""What tells, behind a number, that languages write it differently: as hours, months, decades."""
BEFORE = (
    (MINUTE, re.compile(r"(?:[:：]|\d\s?[hH]\s?|[时時시点點]\s?)$")),
    (MONTH, re.compile(r"tháng\s$", re.I)),
)
MINUS = "-−–‐﹣－"
STRICT_SIGN = re.compile(rf"(?:^|(?<![\d][\s])(?<=[\s(\[{{（「“„\"'|>=⟦]))[{MINUS}]$")
LENIENT_SIGN = re.compile(rf"(?:^|[^0-9A-Za-z.,)\]])[{MINUS}—]\s?$")
PERCENT = re.compile(r"\s?[%％٪]")
THAI_ERA = 543
"""Years that are counted from the death of the Buddha."""
MOST_DIGITS = 300
SHARES = {0.5: 30.0, 0.25: 15.0, 0.75: 45.0}
"""Of an hour, in minutes."""


class Number(NamedTuple):
    """`values` is empty where its parts are no single number, as those of a date."""

    written: str
    start: int
    values: frozenset[float]
    scaled: bool = False
    kind: int = PLAIN
    negative: bool = False
    percent: bool = False
    parts: tuple[float, ...] = ()

    @property
    def digits(self) -> str:
        return "".join(str(int(sign)) for sign in self.written if sign.isdecimal())


def read(text: str) -> list[Number]:
    found: list[Number] = []
    place = 0
    while match := WRITTEN.search(text, place):
        one, place = _number(text, match)
        while (more := _continued(text, one, place)) is not None:
            one, place = more
        found.append(one)
    return found


def _number(text: str, match: re.Match[str]) -> tuple[Number, int]:
    start, end = match.span()
    group = match.groupdict()
    if group["era"]:
        year = int(group["year"])
        values = {float(year), float(ERAS[group["era"]] + year)}
        return Number(match[0], start, frozenset(values)), end
    if group["century"]:
        year = (int(group["century"]) - 1) * 100 + int(group["decade"])
        return Number(match[0], start, frozenset({float(year)}), kind=DECADE), end
    if group["date"]:
        return Number(match[0], start, frozenset(), parts=tuple(map(float, RUN.findall(match[0])))), end
    if group["number"] is None:
        return _fraction(text, match)
    return _plain(text, match)


def _plain(text: str, match: re.Match[str]) -> tuple[Number, int]:
    start, end = match.span()
    runs = [run[-MOST_DIGITS:] for run in RUN.findall(match[0])]
    values, scaled, scale_end = _scaled(text, end, frozenset(_readings(match[0], runs)))
    if "พ.ศ." in text[max(0, start - 6) : start] or THAI.search(text, max(0, start - 12), end + 8):
        values = values.union(value - THAI_ERA for value in values if 2400 <= value < 2700)
    before = text[max(0, start - 10) : start]
    found = Number(
        match[0],
        start,
        values,
        scaled,
        _kind(text, start, end),
        negative=bool(STRICT_SIGN.search(before) or named.pattern(named.BELOW_ZERO).search(before)),
        percent=PERCENT.match(text, end) is not None or before[-1:] in {"%", "٪"},
        parts=tuple(map(float, runs)) if _is_loose(runs, values) else (),
    )
    return found, scale_end


def _fraction(text: str, match: re.Match[str]) -> tuple[Number, int]:
    group = match.groupdict()
    whole, share = float(group["mixed"] or group["and"] or 0), _share(group)
    parts: tuple[float, ...] = (whole, share) if whole else ()
    if not whole and group["over"]:
        parts = float(group["over"]), float(group["under"])
    values, scaled, end = _scaled(text, match.end(), frozenset({whole + share}))
    return Number(match[0], match.start(), values, scaled, parts=parts), end


def _is_loose(runs: list[str], values: frozenset[float]) -> bool:
    """Whether another language may write it in parts: dates, versions, hours, hundredths."""
    return len(runs) > 1 and (not values or (len(runs) == 2 and len(runs[1]) == 2))


def _share(group: dict[str, str | None]) -> float:
    sign = group["sign"] or group["alone"]
    over, under = normalize("NFKC", sign).split("⁄") if sign else (group["over"], group["under"])
    return round(float(over or 0) / (float(under or 0) or 1.0), 6)


def _scaled(text: str, end: int, values: frozenset[float]) -> tuple[frozenset[float], bool, int]:
    """With the million behind it; where that may be one or not, both."""
    if UNIT_OF.match(text, end):
        return values, False, end
    if MEGA.match(text, end):
        return values | _times(values, 1e6), False, end
    if letter := LETTER.match(text, end):
        return values | _times(values, LETTERS[letter["letter"]]), False, end
    known, scale_of = _scales()
    found = known.match(text, end)
    if found is None:
        return values, False, end
    name = found["scale"]
    scales = SEVERAL.get(name) or (scale_of[name.casefold()],)
    return frozenset(round(value * scale, 6) for value in values for scale in scales), True, found.end()


@lru_cache(maxsize=1)
def _scales() -> tuple[re.Pattern[str], dict[str, float]]:
    scale_of = {name.casefold(): scale for scale, names in named.rows(named.SCALES) for name in names}
    behind = rf"{GAP}(?P<scale>{named.either(scale_of)})(?![a-zа-яё])"
    return re.compile(behind, re.IGNORECASE), scale_of


def _times(values: frozenset[float], scale: float) -> frozenset[float]:
    return frozenset(round(value * scale, 6) for value in values)


def _continued(text: str, one: Number, place: int) -> tuple[Number, int] | None:
    """With what goes on behind 億 or 만, as in 1億2千万: the sum of both, or a second scale."""
    if not one.scaled or not EASTERN.match(text, place - 1):
        return None
    known, scale_of = _scales()
    if again := known.match(text, place):
        scale = scale_of[again["scale"].casefold()]
        if not EASTERN.match(again["scale"]) or scale <= 100:
            return None
        return one._replace(values=_times(one.values, scale)), again.end()
    behind = place + (1 if text[place : place + 1] == " " and "\uac00" <= text[place - 1] <= "\ud7af" else 0)
    match = WRITTEN.match(text, behind)
    if match is None or match["number"] is None:
        return None
    more, end = _number(text, match)
    values = frozenset(a + b for a in one.values for b in more.values if b < a)
    if not values:
        return None
    return one._replace(written=text[one.start : end], values=values), end


def _readings(written: str, runs: list[str]) -> Iterator[float]:
    """As a whole number, and with the last separator before a fraction; none of what is a date or version."""
    marks = [sign for sign in written if not sign.isdecimal()]
    if not marks:
        yield float(runs[0])
        return
    last = marks[-1]
    grouped = all(len(run) in {2, 3} for run in runs[1:-1]) and len(runs[0]) <= 3
    if len(set(marks)) == 1 and grouped and len(runs[-1]) == 3 and int(runs[0]):
        yield float("".join(runs))
    single = marks.count(last) == 1 and (len(marks) == 1 or (grouped and len(set(marks)) == 2))
    if single and last in ".,٫·'" and runs[-1] != "000":
        yield float(f"{''.join(runs[:-1])}.{runs[-1]}")


def _kind(text: str, start: int, end: int) -> int:
    before = (kind for kind, pattern in BEFORE if pattern.search(text, max(0, start - 6), start))
    behind = (kind for kind, pattern in BEHIND if pattern.match(text, end))
    return next(before, None) or next(behind, PLAIN)
