"""Checks what a text says of numbers by computing it: `12 * 7 = 84` is right, `3/4 + 1/8 = 5/8` is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from gptkit.learning.expression import Style, Token, Unclear, Value, evaluated, narrow, tokens
from gptkit.learning.surroundings import Ending, ending_of, is_start

MOST_CLAIMS = 500
_LINE = 2000
"""Characters: a longer line is no sentence."""
_OTHER_ARITHMETIC = re.compile(
    r"""\b(?: base | binary | octal | hex\w* | mod | modul\w+ | boolean | float\w* | string | clock
    | integer\ division | concat\w* | matri\w+ | vector\w* | roman ) \b
    | 进制 | 進制 | 取模 | 模运算 | 浮点 | 字符串 | 整除 | 矩阵 | 向量 | \\(?:p?mod|bmod) (?![A-Za-z])""",
    re.VERBOSE | re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z]+://\S+")
_BULLET = re.compile(r"\s*(?:>\s*)*(?:(?:[-*+]|\d{1,3}[.)])\s+)*")


class Claim(NamedTuple):
    """`text` stands in the checked text at `start`; `value` is what the computed side comes to."""

    text: str
    start: int
    right: bool
    value: str


def claims(text: str) -> tuple[Claim, ...]:
    """What the text claims of numbers, in order.

    What is not plain arithmetic, or can be read as right, is never called wrong: equations with
    variables, dates, units that were converted, remainders, other bases. A sentence that quotes a
    wrong equation to correct it is still a claim.
    """
    found: list[Claim] = []
    start = 0
    for line in text.splitlines(keepends=True):
        folded = _ADDRESS.sub(lambda match: "_" * len(match[0]), narrow(line))
        if "=" in folded or "≈" in folded or "\\approx" in folded:
            if len(line) <= _LINE and not _OTHER_ARITHMETIC.search(folded):
                found += (claim._replace(start=claim.start + start) for claim in _of_line(line, folded))
            if len(found) >= MOST_CLAIMS:
                return tuple(found[:MOST_CLAIMS])
        start += len(line)
    return tuple(found)


def _of_line(line: str, folded: str) -> Iterator[Claim]:
    bullet = _BULLET.match(folded)
    begin = bullet.end() if bullet else 0
    run: list[Token] = []
    for token in [*tokens(folded[begin:]), Token("other", "", len(folded) - begin, len(folded) - begin)]:
        if token.kind != "other":
            run.append(token._replace(start=token.start + begin, end=token.end + begin))
            continue
        if any(one.kind in ("equals", "about") for one in run):
            yield from _of_run(run, line, folded, begin)
        run = []


def _of_run(run: list[Token], line: str, folded: str, begin: int) -> Iterator[Claim]:
    """Claims of a chain of equalities between words."""
    sides: list[list[Token]] = [[]]
    signs: list[Token] = []
    for token in run:
        if token.kind in ("equals", "about"):
            signs.append(token)
            sides.append([])
        else:
            sides[-1].append(token)
    first, last = _opened(_trimmed(sides[0])), _closed(_trimmed(sides[-1]))
    if len(sides[0]) and (stars := _stars(first)):
        first, last = (first[stars:], last[:-stars]) if _stars(last[::-1]) == stars else ([], last)
    trimmed = [first, *map(_trimmed, sides[1:-1]), last]
    if first and not is_start(first, folded, begin):
        trimmed[0] = []
    ending = ending_of(last, folded)
    for index, sign in enumerate(signs):
        left, right = trimmed[index], trimmed[index + 1]
        how: Ending = ending if index == len(signs) - 1 else ""
        if left and right and how != "unclear":
            judged = _judged(left, right, sign.kind == "about", how)
            if judged:
                start, end = left[0].start, right[-1].end
                yield Claim(line[start:end], start, *judged)


def _judged(left: list[Token], right: list[Token], about: bool, ending: Ending) -> tuple[bool, str] | None:
    """Right or wrong and the true value; nothing where neither is certain."""
    wrong: tuple[bool, str] | None = None
    styles: tuple[Style, Style] = ("english", "european")
    for style in styles:
        try:
            one, other = evaluated(left, style), evaluated(right, style)
        except Unclear:
            continue
        computed, stated = (other, one) if other.counted and not one.counted else (one, other)
        if not (computed.counted or one.percent or other.percent):
            return None
        in_fractions = stated.counted and not (computed.rounded or stated.rounded)
        if _agree(computed, stated, about, ending):
            return True, shown(computed.number, in_fractions)
        certain = computed.counted and not (one.doubtful or other.doubtful or ending or about)
        certain = certain and not _is_near(one, other) and not _is_range(computed, left, right)
        if about and stated.step is not None and stated.step < 1 and not (one.doubtful or other.doubtful):
            certain = not ending
        if not certain:
            return None
        wrong = wrong or (False, shown(computed.number, in_fractions))
    return wrong


def _agree(computed: Value, stated: Value, about: bool, ending: Ending) -> bool:
    """Equal, or equal to the digits given: a lone number with decimals was rounded."""
    if computed.number == stated.number:
        return ending != "more"
    if stated.step is None or (stated.step >= 1 and not about):
        return False
    difference = abs(computed.number - stated.number)
    if ending == "more":  # 0.333...: cut, not rounded
        return difference < stated.step and abs(computed.number) >= abs(stated.number)
    return difference <= stated.step / 2


def _is_near(one: Value, other: Value) -> bool:
    """Between two expressions with decimals rounding adds up: `1/3 + 1/3 = 0.33 + 0.33`."""
    if not (one.counted and other.counted and (one.rounded or other.rounded)):
        return False
    return abs(one.number - other.number) <= Fraction(1, 50) * max(abs(one.number), abs(other.number))


def _is_range(computed: Value, left: list[Token], right: list[Token]) -> bool:
    """`10-15 = 6 pages`, `2024-05`: less than nothing out of two plain numbers."""
    side = left if len(left) == 3 else right
    close = len(side) == 3 and side[1].text == "-" and side[0].end == side[1].start
    return close and computed.number < 0


def shown(number: Fraction, in_fractions: bool = False) -> str:
    """As people write it: whole, with up to twelve decimals, or as a fraction and about how much that is."""
    if number.denominator == 1:
        whole = str(number.numerator)
        return whole if len(whole) <= 60 else f"about {_scientific(number)}"
    for places in range(1, 1 if in_fractions else 13):
        if 10**places % number.denominator == 0:
            scaled = abs(number.numerator) * 10**places // number.denominator
            digits = str(scaled).rjust(places + 1, "0")
            if len(digits) <= 60:
                return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    if len(str(number.denominator)) + len(str(number.numerator)) > 40:
        return f"about {_scientific(number)}"
    if in_fractions:
        return f"{number.numerator}/{number.denominator}"
    return f"{number.numerator}/{number.denominator} (about {_scientific(number)})"


def _scientific(number: Fraction) -> str:
    from decimal import Context, Decimal

    context = Context(prec=7)
    return f"{context.divide(Decimal(number.numerator), Decimal(number.denominator)).normalize(context):g}"


def _trimmed(side: list[Token]) -> list[Token]:
    while side and side[0].kind == "space":
        side = side[1:]
    while side and side[-1].kind == "space":
        side = side[:-1]
    return side


def _opened(side: list[Token]) -> list[Token]:
    """Without the bracket that opens before the whole claim, or closes a name such as `a)`."""
    if side and side[0].text == ")" and len(side) > 1 and side[1].kind == "space":
        rest = _trimmed(side[1:])
        return rest if rest and rest[0].kind == "number" else side
    while side and side[0].text == "(" and _balance(side) > 0:
        side = _trimmed(side[1:])
    return side


def _closed(side: list[Token]) -> list[Token]:
    while side and side[-1].text == ")" and _balance(side) < 0:
        side = _trimmed(side[:-1])
    while side and side[-1].text == "(" and len(side) > 1:
        side = _trimmed(side[:-1])
    return side


def _balance(side: list[Token]) -> int:
    return sum((token.text == "(") - (token.text == ")") for token in side)


def _stars(side: list[Token]) -> int:
    """How many tokens of Markdown's emphasis stand in front of a number."""
    count = 0
    while count < len(side) and side[count].text in ("*", "^") and side[count].kind == "sign":
        count += 1
    return count
