"""Arithmetic as people and models write it, read and computed exactly, with caps; nothing is executed."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

Kind = Literal["number", "sign", "equals", "about", "frac", "space", "other"]
Style = Literal["english", "european"]
"""How a number is written: `1,234.5` or `1.234,5`."""

TOKENS, DEPTH, DIGITS, EXPONENT, BITS = 120, 20, 40, 1000, 10_000
_ONE_FOR_ONE = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | dict(zip("×∗⋅·∙•÷∕⁄−–﹣﹢﹦\u3000\u00a0\u2009\u202f", "******///---+=    ", strict=False))
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    r"""(?P<other0> [<>!:=]= | =[=>] | => | \\[()\[\]] )
    | (?P<cross> (?<=[\d)]) [ \t]* [xX] (?=[ \t]*[\d(]) )
    | (?P<space> [ \t]+ | \\[,;:!\ ] | \\(?:left|right)(?![A-Za-z]) )
    | (?P<number> \d[\d.,]*\d | \.?\d )
    | (?P<raised> [⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+ )
    | (?P<of> %[ \t]+of(?=[ \t]+[\d(]) )
    | (?P<times> \\(?:times|cdot|ast)(?![A-Za-z]) )
    | (?P<over> \\div(?![A-Za-z]) ) | (?P<percent> \\% ) | (?P<about> ≈ | \\approx(?![A-Za-z]) )
    | (?P<frac> \\[dt]?frac(?=\{) ) | (?P<power> \*\* ) | (?P<equals> = )
    | (?P<sign> [-+*/^()%{}] )
    | (?P<other> . )""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {"times": "*", "cross": "*", "over": "/", "percent": "%", "power": "^"}


class Token(NamedTuple):
    kind: Kind
    text: str
    start: int
    end: int


class Value(NamedTuple):
    """`counted`: something was computed. `doubtful`: people read what was written in two ways.

    `step` is the place of the last digit of a lone number, as in 0.01 for 3.14; None for anything else.
    """

    number: Fraction
    counted: bool = False
    doubtful: bool = False
    percent: bool = False
    step: Fraction | None = None
    rounded: bool = False


class Unclear(Exception):  # noqa: N818 - not an error: text that is no arithmetic
    """Not arithmetic, or more of it than is computed."""


def narrow(text: str) -> str:
    """Width and signs folded, character by character: places stay what they are."""
    return text.translate(_ONE_FOR_ONE)


def tokens(text: str) -> list[Token]:
    """Of narrow text. A negative raised number is a sign `^` and what follows it."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        name, start, end = str(match.lastgroup), match.start(), match.end()
        if name == "raised":
            found.append(Token("sign", "^", start, start))
            digits = match[0].translate(_RAISED)
            if digits.startswith("-"):
                found.append(Token("sign", "-", start, start + 1))
            found.append(Token("number", digits.lstrip("-"), start, end))
        elif name == "of":
            found += (Token("sign", "%", start, start + 1), Token("sign", "*", start + 1, end))
        elif name in _SIGNS:
            found.append(Token("sign", _SIGNS[name], start, end))
        elif name == "number" and text[max(start - 1, 0) : end + 1][:2] == "0x":
            found.append(Token("other", match[0], start, end))
        else:
            kind: Kind = name.rstrip("0")  # type: ignore[assignment]
            found.append(Token(kind, match[0], start, end))
    return found


def evaluated(side: list[Token], style: Style) -> Value:
    """The value of one side of an equation; raises Unclear."""
    if len(side) > TOKENS:
        raise Unclear
    reader = _Reader([token for token in side if token.kind != "space"], side, style)
    value = reader.sum()
    if not reader.at_end():
        raise Unclear
    return value


class _Reader:
    def __init__(self, side: list[Token], spaced: list[Token], style: Style) -> None:
        self._side = side
        self._style = style
        self._at = 0
        self._depth = 0
        self._divided = False
        self._after_space = {after.start for before, after in pairwise(spaced) if before.kind == "space"}

    def at_end(self) -> bool:
        return self._at == len(self._side)

    def sum(self) -> Value:
        self._depth += 1
        if self._depth > DEPTH:
            raise Unclear
        value = self._term()
        while sign := self._take("+", "-"):
            other = self._term()
            number = value.number + other.number if sign == "+" else value.number - other.number
            mixed = value.percent != other.percent  # 50 + 10%: of what?
            value = _joined(value, other, number, value.doubtful or other.doubtful or mixed)
            value = value._replace(percent=other.percent and not mixed)
        self._depth -= 1
        return value

    def _term(self) -> Value:
        outside, self._divided = self._divided, False
        value = self._factor()
        while True:
            if sign := self._take("*", "/"):
                other = self._factor()
                if sign == "/" and not other.number:
                    raise Unclear
                self._divided = self._divided or sign == "/"
                number = value.number / other.number if sign == "/" else value.number * other.number
                value = _joined(value, other, number, value.doubtful or other.doubtful)
            elif self._is_next("(") or (self._is_next_frac() and not self._spaced()):
                doubtful = self._divided or self._spaced()  # 6/2(1+2) is read in two ways
                other = self._factor()
                number = value.number * other.number
                value = _joined(value, other, number, doubtful or value.doubtful or other.doubtful)
            else:
                self._divided = outside
                return value

    def _factor(self) -> Value:
        if self._take("-"):
            self._depth += 1
            if self._depth > DEPTH:
                raise Unclear
            squared = self._is_power_ahead()
            value = self._factor()
            self._depth -= 1
            return value._replace(number=-value.number, doubtful=value.doubtful or squared)
        value = self._power()
        while self._take("%"):
            step = value.step / 100 if value.step is not None else None
            value = value._replace(number=value.number / 100, percent=True, step=step)
        return value

    def _power(self) -> Value:
        value = self._primary()
        if not self._take("^"):
            return value
        if self._take("{"):
            exponent = self.sum()
            self._need("}")
        else:
            negative = bool(self._take("-"))
            exponent = self._power()
            exponent = exponent._replace(number=-exponent.number) if negative else exponent
        return _joined(value, exponent, _raised(value.number, exponent.number), value.doubtful)

    def _primary(self) -> Value:
        if self._take("("):
            value = self.sum()
            self._need(")")
            return value._replace(step=None)
        if self.at_end():
            raise Unclear
        token = self._side[self._at]
        self._at += 1
        if token.kind == "number":
            return _number(token.text, self._style)
        if token.kind != "frac":
            raise Unclear
        self._need("{")
        above = self.sum()
        self._need("}")
        self._need("{")
        below = self.sum()
        self._need("}")
        if not below.number:
            raise Unclear
        return _joined(above, below, above.number / below.number, above.doubtful or below.doubtful)

    def _take(self, *signs: str) -> str:
        if self.at_end() or self._side[self._at].kind != "sign" or self._side[self._at].text not in signs:
            return ""
        self._at += 1
        return self._side[self._at - 1].text

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise Unclear

    def _is_next(self, sign: str) -> bool:
        return not self.at_end() and self._side[self._at].kind == "sign" and self._side[self._at].text == sign

    def _is_next_frac(self) -> bool:
        return not self.at_end() and self._side[self._at].kind == "frac"

    def _spaced(self) -> bool:
        return self._side[self._at].start in self._after_space

    def _is_power_ahead(self) -> bool:
        """-2^2: a minus before a lone power."""
        ahead = self._side[self._at + 1 : self._at + 2]
        return bool(ahead) and ahead[0].text == "^"


def _joined(one: Value, other: Value, number: Fraction, doubtful: bool) -> Value:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > BITS:
        raise Unclear
    return Value(number, True, doubtful, rounded=one.rounded or other.rounded)


def _raised(number: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > EXPONENT or (exponent <= 0 and not number):
        raise Unclear
    bits = max(number.numerator.bit_length(), number.denominator.bit_length())
    if bits * abs(exponent.numerator) > BITS:
        raise Unclear
    return number**exponent.numerator


_ENGLISH = re.compile(r"(0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}|(?=\.))(?:\.(\d+))?")
_EUROPEAN = re.compile(r"(0|[1-9]\d*|[1-9]\d{0,2}(?:\.\d{3})+)(?:,(\d+))?")


def _number(text: str, style: Style) -> Value:
    """A number with leading zeros is a date or a name."""
    match = (_ENGLISH if style == "english" else _EUROPEAN).fullmatch(text)
    if match is None or len(text) > DIGITS or not text.isascii():
        raise Unclear
    whole, decimals = re.sub(r"\D", "", match[1]), match[2] or ""
    number = Fraction(int(whole + decimals or "0"), 10 ** len(decimals))
    return Value(number, step=Fraction(1, 10 ** len(decimals)), rounded=bool(decimals))
