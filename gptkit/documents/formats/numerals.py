"""Numbers that are spelled out: in Chinese characters, in words of some languages, as a fraction's sign."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize

CHINESE = re.compile("[〇零一二两兩三四五六七八九十百千万萬亿億]+")
DIGITS = {sign: at // 2 for at, sign in enumerate("〇零一一二两三三四四五五六六七七八八九九")} | {"兩": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}
SCALES = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
WORD = re.compile(r"[^\W\d_]+")
FRACTION = re.compile("[¼-¾⅐-⅞]")
NAMES = (
    "zero|zéro|null|cero|ноль",
    "one|un|une|ein|eine|eins|uno|una|um|uma|один|одна|одно",
    "two|deux|zwei|dos|due|dois|duas|два|две",
    "three|trois|drei|tres|tre|três|три",
    "four|quatre|vier|cuatro|quattro|quatro|четыре",
    "five|cinq|fünf|cinco|cinque|пять",
    "six|sechs|seis|sei|шесть",
    "seven|sept|sieben|siete|sette|sete|семь",
    "eight|huit|acht|ocho|otto|oito|восемь",
    "nine|neuf|neun|nueve|nove|девять",
    "ten|dix|zehn|diez|dieci|dez|десять",
    "eleven|onze|elf|once|undici|одиннадцать",
    "twelve|douze|zwölf|doce|dodici|doze|двенадцать",
)
TEENS = "thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
VALUES = {
    **{name: value for value, names in enumerate(NAMES) for name in names.split("|")},
    **{name: value for value, name in enumerate(TEENS.split("|"), 13)},
    **{name: 10 * value for value, name in enumerate(TENS.split("|"), 2)},
}
MULTIPLES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}


def spelled(text: str) -> Iterator[float]:
    """Every number that may be meant; of `twenty-five` also 20 and 5."""
    for found in CHINESE.finditer(text):
        yield _chinese(found[0])
    for found in FRACTION.finditer(text):
        yield from (float(part) for part in normalize("NFKC", found[0]).split("⁄") if part)
    before = 0
    for found in WORD.finditer(text):
        word = found[0].casefold()
        value = VALUES.get(word, before * MULTIPLES.get(word, 0))
        if value:
            yield value
        if 20 <= before < 100 and before % 10 == 0 and value < 10:
            value += before
            yield value
        before = value


def _chinese(signs: str) -> float:
    if not any(sign in UNITS or sign in SCALES for sign in signs):
        return float("".join(str(DIGITS[sign]) for sign in signs)[:300])
    total = section = digit = 0
    for sign in signs:
        if sign in DIGITS:
            digit = DIGITS[sign]
        elif sign in UNITS:
            section += (digit or 1) * UNITS[sign]
            digit = 0
        else:
            total = (total + section + digit or 1) * SCALES[sign]
            section = digit = 0
    return total + section + digit
