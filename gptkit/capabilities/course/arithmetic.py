"""Find wrong sums in prose, as `12 * 7 = 85`; whatever could be read in another way is left alone."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from typing import NamedTuple

MAX_SUMS, LONGEST_SUM, LONGEST_LINE, MAX_BITS = 20, 200, 2000, 10_000
"""Limits: reported sums; characters of a sum; characters of a line of prose; bits of a number."""
_WIDE = "０１２３４５６７８９＋－＝（）［］｛｝＾．＊／×∗⋅·∙÷∕⁄−–﹣“”「」『』《》\u00a0\u2009\u202f\u3000"
_FOLDED = str.maketrans(_WIDE, "0123456789+-=()[]{}^.*/*****///---⟦⟧⟦⟧⟦⟧⟦⟧    ")
"""Wide signs and their plain forms, one character for one; `，` and `：` stay, since they end a clause."""
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SIGNS = {"^": "**", "{": "(", "}": ")", "x": "*", "X": "*", r"\times": "*", r"\cdot": "*", r"\div": "/"}
_SIGNS |= dict.fromkeys([r"\left", r"\right", r"\boxed", r"\,", r"\;", r"\:", r"\!", "\\ "], " ")
_WRITTEN = re.compile(r"\\(?:[a-z]+|[,;:! ])|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|[xX^{}]")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_RUN = re.compile(
    r"""(?: \d+(?:[.,]\d+)* | [-+*/^=(){}\ ⁰¹²³⁴⁵⁶⁷⁸⁹⁻]
    | (?<=\d)[xX](?=\d) | (?<=[\d)]\ )[xX](?=\ [\d(])
    | \\(?:times|cdot|div|[dt]?frac|left|right|boxed)(?![A-Za-z]) | \\[,;:!\ ] )++""",
    re.VERBOSE | re.ASCII,
)
"""A run of the characters that sums consist of: one sum, or none."""
_MATH = {r"\(": "⟦ ", r"\[": "⟦ ", r"\)": " ⟧", r"\]": " ⟧", "$$": " $"}
_QUOTED = re.compile(r"""([$`"])([^$`"]*)\1""")
_POINT = re.compile(r"(?:[ >]|[-+*•] |\(?\w{1,3}[.)] )*")
_START = re.compile(
    r"""(?: ^ | [.!?;,—]\  | [。！？；，、—⟦] | (?<=[^\d\s)])(?::[*_]*\ |：) | (?<=[^\x00-\x7f]):
    | [^\W\d]\ ?\d{1,3}(?::[*_]*\ |：) | (?<!\S)\| | (?<![A-Za-z\d])\(
    | (?<!\w)(?:so|then|thus|hence|therefore|because|since|is|gets?|have|gives?|means|makes|first|now|next
    |,\ and|also|dann|ist|denn|donc|alors|car)\ | (?:所以|因此|因[为為]|那[么麼]|[于於]是|得到?|即|[则則]|是
    |[为為]|有|知|[计計]算|答案|[结結]果|然[后後])\ ? ) [ *_`"'‘(\[]*$""",
    re.VERBOSE | re.IGNORECASE,
)
_END = re.compile(
    r"""(?:\ *[*_`"'’)\]⟧])* (?: \s*$ | [.;,](?![^\s*_`"'’)\]⟧]) | [。；、] | ，(?!\d{3}(?!\d))
    | \s*[|—✅✓✔] | \\\\ | \ (?:so|which|then|but|because|since|thus|hence|therefore|and\ (?:so|then))\b )""",
    re.VERBOSE | re.IGNORECASE,
)
"""Borders of a sum (the start above, the end here): nothing beyond them belongs to the sum."""
_ELSEWHERE = re.compile(
    r"""\b(?: binary | octal | hex(?:adecimal)? | bases?[ -]?\d+ | base[ -](?:two|ten|sixteen) | xor
    | mod(?:ulo|ul[ai]r)? | bitwise | bool\w* | float(?:s|ing)? | integer\ division | floor | strings?
    | concat\w* | clock | roman | bin[äa]r\w* | binaire | binario )\b | 进制|進制|取模|模运算|模運算|同余|同餘
    | 浮点|浮點|字符串|字串|整除|时钟|時鐘|位运算|异或|≡|\\[pb]?mod""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words of texts in which signs and digits may not mean decimal arithmetic; such texts are not checked."""
_UNSURE = re.compile(
    r"""\b(?: about | approx\w* | around | rough\w* | round\w* | nearly | almost | estimate\w* | not | never
    | cannot | wrong\w* | mis\w+ | incorrect\w* | errors? | false\w* | instead | suppose | imagine | pretend
    | claim\w* | remainder | leaves | rund | ungef\w+ | gerundet | nicht | falsch\w* | fehler\w* | rest
    | environ | faux | fausse | erreur | pas | reste | aprox\w* | incorrecto )\b | n['’]t\b | ≈ | \\approx | ~
    | [约約估错錯误誤余餘] | 近似|大概|差不多|四[舍捨]五入|不[对對是等]|并非|假[设設如]""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words of lines that speak about mistakes or are approximate; such lines are not checked."""
_BY_COMMA = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]|\b(?:the|and|you|this|that)\b", re.I)
"""Signs of languages that group digits by commas; elsewhere `1,234` may be a decimal number."""
_EITHER = re.compile(r"\d,\d|\.\d{3}(?!\d)")
_STRANGE = re.compile(r"(?<![\d.,])0[\dxX]|\d/\d+/\d|\d{4}-\d+-\d|\d-\d+-\d{4}")
_PLAIN = re.compile(r"-?\d+(?:\.\d+|/\d+)?")
_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class WrongSum(NamedTuple):
    text: str  # as it was written
    value: str  # what the expression really comes to

    def __str__(self) -> str:
        return f"{self.text} (it comes to {self.value})"


def wrong_sums(text: str, context: str = "") -> tuple[WrongSum, ...]:
    """Return the statements `expression = number` of a text that are wrong.

    Only certain mistakes count: no approximations, units, unknowns, chains, percentages, remainders, other
    bases, or mistakes that the text speaks about. A sum that stands in `context`, to which the text is an
    answer, may be a quote and does not count.
    """
    if _ELSEWHERE.search(text) or _ELSEWHERE.search(context):
        return ()
    grouped = bool(_BY_COMMA.search(text) or _BY_COMMA.search(context))
    quotable = _compact(context)
    lines = text.splitlines()
    folded = ["", *(line.translate(_FOLDED) for line in lines), ""]
    wrong: list[WrongSum] = []
    for at, line in enumerate(folded[1:-1]):
        if (
            "=" not in line
            or len(line) > LONGEST_LINE
            or _UNSURE.search(line)
            or _spans_lines(*folded[at : at + 3])
        ):
            continue
        sums = _wrong_sums_of_line(line, lines[at], grouped)
        wrong += (candidate for candidate in sums if _compact(candidate.text) not in quotable)
        if len(wrong) >= MAX_SUMS:
            break
    return tuple(wrong[:MAX_SUMS])


def _spans_lines(before: str, line: str, after: str) -> bool:
    """Whether a sum of the line begins on the line before or ends on the line after."""
    is_open, is_signed = r"(?:[\w)]\s*[-+/^=(]|[\w)]\s+\*)\s*$", r"\s*[-+*/]\s*[\d(]"
    if re.search(is_open, before) or re.search(is_open, line):
        return True
    if "=" not in before and re.search(r"[\d)]\s*$", before) and re.match(is_signed, line):
        return True
    return "=" not in after and bool(re.match(is_signed, after))


def _wrong_sums_of_line(line: str, format_number: str, grouped: bool) -> Iterator[WrongSum]:
    line = re.sub(r"\\[()\[\]]|\$\$", lambda match: _MATH[match[0]], line)
    point = _POINT.match(line)
    begin = point.end() if point else 0
    is_dashed = line[:begin].rstrip().endswith("-")
    line, format_number = _QUOTED.sub(r"⟦\2⟧", line[begin:]), format_number[begin:]
    for run in _RUN.finditer(line):
        if run[0].count("=") != 1 or len(run[0]) > LONGEST_SUM:
            continue
        claim = _strip_surroundings(run[0], line[: run.start()][-1:])
        start = line.index(claim, run.start())
        end = start + len(claim)
        is_clear = _START.search(line, max(start - 40, 0), start) and _END.match(line, end)
        is_grouped = re.search(r"\d，\d{3}(?!\d)", line[max(start - 2, 0) : end + 5])
        if is_clear and not is_grouped and (value := _correct_value(claim, grouped, is_dashed and not start)):
            yield WrongSum(" ".join(format_number[start:end].split()), value)


def _strip_surroundings(run: str, before: str) -> str:
    """Remove the brackets and the emphasis around a sum."""
    claim = run.strip()
    stars = claim[: len(claim) - len(claim.lstrip("*"))]
    if stars and (claim.endswith(stars) or (run[0] == "*" and before in ":：.。!！?？,，")):
        claim = claim.lstrip("* ")
    claim = claim.rstrip("* ")
    left, _, right = claim.partition("=")
    if left.startswith("(") and left.count("(") > left.count(")"):
        claim = claim[1:].lstrip()
    if right.endswith(")") and right.count(")") > right.count("("):
        claim = claim[:-1].rstrip("* ")
    return claim


def _correct_value(claim: str, grouped: bool, is_dashed: bool) -> str:
    """Return what the expression of a sum comes to if the sum is certainly wrong, else nothing.

    `is_dashed`: a dash stands before the sum, which may be a minus or the mark of a list item.
    """
    if _STRANGE.search(claim) or claim.startswith("- ") or (_EITHER.search(claim) and not grouped):
        return ""
    sides = [_to_python(side) for side in claim.split("=")]
    left, right = sides if _PLAIN.fullmatch(re.sub(r"[() ]", "", sides[1])) else reversed(sides)
    plain = re.sub(r"[() ]", "", right)
    if not _PLAIN.fullmatch(plain) or not re.search(r"[\d)]\s*[-+*/]", left):
        return ""
    try:
        computed, stated = _evaluate(left), _evaluate(right)
        if _agrees(computed, stated, left, plain) or (is_dashed and _evaluate(f"-{left}") == stated):
            return ""
    except (_UnclearError, SyntaxError, ZeroDivisionError):
        return ""
    return format_number(computed, "/" in plain)


def _agrees(computed: Fraction, stated: Fraction, left: str, plain: str) -> bool:
    """Whether the numbers are equal, or differ only by rounding of the result or of a factor."""
    difference, decimals = abs(computed - stated), plain.partition(".")[2]
    if decimals and difference <= Fraction(1, 2 * 10 ** len(decimals)):
        return True
    if plain.lstrip("-").isdecimal() and computed.denominator > 1 and difference < 1:
        return True
    if "." in left and re.search(r"[*/]", left) and difference * 200 < abs(computed):
        return True
    is_range = computed < 0 and bool(re.fullmatch(r"\d+-\d+", left))
    return difference == 0 or is_range


class _UnclearError(Exception):
    """The expression is no arithmetic, or too large to compute."""


def _to_python(side: str) -> str:
    """Write one side of a sum as a Python expression."""
    while (replaced := _FRACTION.sub(r"((\1)/(\2))", side)) != side:
        side = replaced
    side = _WRITTEN.sub(lambda match: _SIGNS.get(match[0]) or f"**({match[0].translate(_RAISED)})", side)
    side = re.sub(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])", lambda match: match[0].replace(",", ""), side)
    return side.strip() if "/" in side else re.sub(r"(?<=[\d)])\(", "*(", side).strip()  # 6/2(1+2) is unclear


def _evaluate(side: str) -> Fraction:
    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant():
                return Fraction(side[node.col_offset : node.end_col_offset])
            case ast.UnaryOp(op=ast.USub(), operand=operand) if not _is_power(operand):  # -2^2 is unclear
                return -value(operand)
            case ast.BinOp(left=base, op=ast.Pow(), right=exponent) if not _is_power(exponent):
                return _limit_size(_power(value(base), value(exponent)))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
                return _limit_size(_BINARY[type(sign)](value(left), value(right)))
        raise _UnclearError

    return value(ast.parse(side, mode="eval").body)


def _is_power(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or bits * abs(exponent) > MAX_BITS:
        raise _UnclearError
    return base**exponent.numerator


def _limit_size(number: Fraction) -> Fraction:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_BITS:
        raise _UnclearError
    return number


def format_number(number: Fraction, as_fraction: bool = False) -> str:
    """Write a number as people do: with all its decimals, or as a fraction with its approximate value."""
    context = Context(prec=40)
    decimal = context.divide(Decimal(number.numerator), Decimal(number.denominator))
    about = f"about {Context(prec=7).plus(decimal).normalize():g}"
    exact, fraction = f"{decimal:f}", str(number)
    if not context.flags[Inexact] and len(exact) <= 40 and not as_fraction:
        return exact
    return about if len(fraction) > 40 else fraction if as_fraction else f"{fraction} ({about})"


def _compact(text: str) -> str:
    return re.sub(r"[\s*`]", "", text.translate(_FOLDED))
