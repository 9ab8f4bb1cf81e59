"""Claims about numbers: what is right, what is wrong, and above all what is no claim."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.learning.arithmetic import MOST_CLAIMS, Claim, claims, shown
from gptkit.learning.expression import BITS

RIGHT = [
    "12 * 7 = 84",
    "3/4 + 1/8 = 7/8",
    "2^10 = 1024",
    "12 × 7 = 84",
    "84 ÷ 7 = 12",
    "10 − 3 = 7",
    "3·4 = 12",
    "10/3 = 3.33",
    "1/3 = 33.3%",
    "2/3 = 67%",
    "20% of 50 = 10",
    "１２＋３０＝４２",
    "所以３×４＝１２。",
    "So 3 + 4 = 7 and we go",
    "x = 3 + 4 = 7",
    "1,234 + 1 = 1,235",
    "1.234 + 1 = 1.235",
    "1,5 + 2,5 = 4",
    "**12 * 7 = 84**",
    "- 3 + 4 = 7",
    "1. 3 + 4 = 7",
    "a) 3 + 4 = 7",
    "(3 + 4 = 7)",
    "$12 \\times 7 = 84$",
    "\\(\\frac{3}{4} + \\frac{1}{8} = \\frac{7}{8}\\)",
    "2^{10} = 1024",
    "2² + 3² = 13",
    "2(3 + 4) = 14",
    "-3 + 5 = 2",
    "22/7 ≈ 3.14",
    "1/3 = 0.333...",
    "84 = 12 * 7",
    "10⁻² = 0.01",
    "12 x 7 = 84",
    "答：3+4=7个",
    "0.1 + 0.2 = 0.3",
    "5 = 10/2",
    "100% - 20% = 80%",
    "`3 + 4 = 7`",
    "1.000 + 500 = 1.500",
    "2 * 500 = 1000 g",
    "3 - 5 = -2",
    "1,00,000 + 1 = 1,00,001",
    "50 is 1/2 = 50%",
    "So **3 + 4 = 7**, done",
    "  > - 3 + 4 = 7 ✅",
    "0 - 3 = - 3",
    "2 ** 3 = 8",
    "22 / 7 = 3.14…",
    "\\dfrac{1}{2} = 0.5",
    "2 \\cdot 3 = 6 \\\\",
    "1000 + 500 = 1.500",
    "2^3^2 = 512",
]
WRONG = [
    "12 * 7 = 85",
    "3/4 + 1/8 = 4/12",
    "2^10 = 1000",
    "12 × 7 ＝ 83",
    "10/3 = 3.34",
    "2/3 = 0.66",
    "1/3 = 34%",
    "20% of 50 = 11",
    "１２＋３０＝４３",
    "所以3×4＝13。",
    "So 3 + 4 = 8 and we go",
    "x = 3 + 4 = 8",
    "1,5 + 2,5 = 4,5",
    "**12 * 7 = 85**",
    "- 3 + 4 = 8",
    "a) 3 + 4 = 8",
    "$12 \\times 7 = 85$",
    "\\(\\frac{3}{4} + \\frac{1}{8} = \\frac{5}{8}\\)",
    "2(3 + 4) = 15",
    "7-3=5",
    "12 x 7 = 85",
    "84 = 12 * 8",
    "10/3 = 3",
    "(3 + 4 = 8)",
    "结果是3+4=8",
    "结果:3+4=8",
    "We get 3 + 4 = 8.",
    "Result: 3 + 4 = 8, then",
    "22/7 ≈ 3.15",
    "3 + 4 = 8 apples",
    "1 + 1 = 2 + 1",
    "2² + 3² = 14",
    "3 - 5 = 2",
    "3+4=8个苹果",
    "7 * 8 = 54.",
    "0.1 + 0.2 = 0.4",
    "> 3 + 4 = 8",
    "3 + 4 = 8 ✅",
    "2^3^2 = 64",
    "2^{10} = 1000",
    "x + 2 = 3 + 4 = 8",
]
NONE = [
    "x + 3 = 7",
    "3 + x = 7",
    "2x = 10",
    "2x + 3 = 7",
    "x - 3 = 7",
    "x -3 = 7",
    "y = 3x + 4",
    "f(2) = 3",
    "sin(3) + 4 = 7",
    "sin 30 + 1/2 = 2",
    "√16 + 9 = 13",
    "5! + 3 = 8",
    "x² + 1 = 5",
    "2024-05-03 = 2016",
    "12/05/2024 = 3",
    "12:30 + 1 = 13:30",
    "7 ÷ 2 = 3 remainder 1",
    "7 ÷ 2 = 3 r 1",
    "7÷2=3……1",
    "7÷2=3余1",
    "7 ÷ 2 = 3...1",
    "1 + 1 = 10 (binary)",
    "7 + 8 = 3 (mod 12)",
    "17 % 5 = 2",
    "7 // 2 = 3",
    "a == 3 + 4",
    "3 + 4 != 8",
    "3 + 4 == 8",
    "3 + 4 ≠ 8",
    "3 + 4 <= 8",
    "500 * 2 = 1 kg",
    "2*15000=3万",
    "3 out of 4 = 75%",
    "square root of 16 + 9 = 5",
    "pages 10-15 = 6",
    "50 + 10% = 55",
    "-2^2 = 4",
    "6/2(1+2) = 1",
    "1/0 = 3",
    "0x10 + 1 = 17",
    "3 + 4 = 7x",
    "3 + 4 = 8 ± 1",
    "1 1/2 + 1/2 = 3",
    "3e8 * 2 = 6e8",
    "9^9^9^9 = 1",
    "2^99999999 = 3",
    "log 100 = 2",
    "= 3 + 4",
    '"1" + "1" = "11"',
    "x_1 + 3 = 7",
    "5 = 5",
    "1/3 + 1/3 = 0.33 + 0.33",
    "v1.2.3 + 4 = 9",
    "a^2 + 3^2 = 5^2",
    "3 + 4 = 8 million",
    "n*2 + 1 = 9",
    "2 * x = 10",
    "1 hour = 60 minutes",
    "3 km + 2 = 7",
    "http://a.b/?x=3&y=4-1=5",
    "90° + 90° = 10°",
    "|3 - 5| = 2",
    "3 + 4 = y = 9",
    "x*3=6",
    "(x) + 3 = 7",
    "3:4 = 6:8",
    "A = 2 * 3 + b = 9",
    "3+4=8!",
    "1/3 = 0.34...",
    "1/0 + 1 = 2",
    "3 + 4 = 8 ❌",
    "2 in base 10 + 1 = 4",
    "in base 2: 1 + 1 = 10",
    "((((((((((((((((((((((3 + 4)))))))))))))))))))))) = 8",
    "+ 3 = 5",
    "tel. 030-123 = 5",
    "3 + 4 =",
    "= 7",
    "3 +* 4 = 7",
    "Müller + 3 = 4",
    "1.5e3 + 1 = 2",
    "½ + 3 = 4",
    "2 3 + 1 = 4",
    "007 + 1 = 9",
    "3 − x = 9",
    "4! = 3 + 4!",
]
CAPS = [
    "(" * 1900 + "3 = 3",
    "-" * 1900 + "3 = 3",
    "1+" * 900 + "1 = 3",
    "9" * 1900 + " + 1 = 1",
    "9^9^9^9 = 1",
    "2^99999999 = 3",
    "10^1000 * 10^1000 * 10^1000 * 10^1000 = 3",
    "(10^1000)^1000 = 3",
    "2^(1/2) = 1",
    "0^-1 = 3",
    "\\frac{1}{0} = 3",
    "3 + 4 = 8" + " " * 2000,
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_right(text: str) -> None:
    assert [claim.right for claim in claims(text)] == [True]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_wrong(text: str) -> None:
    assert [claim.right for claim in claims(text)][-1:] == [False]


@pytest.mark.parametrize("text", [*NONE, *CAPS])
def test_what_is_not_plain_arithmetic_is_left_alone(text: str) -> None:
    assert claims(text) == ()


def test_a_claim_says_where_it_stands_and_what_is_true() -> None:
    text = "第一步：３/４＋1/8＝5/8。\nThen 10 / 7 = 1.5, 12 x 7 = 85 and 2^70 = 1 + 1 = 2."
    found = claims(text)
    assert found == (
        Claim("３/４＋1/8＝5/8", 4, False, "7/8"),
        Claim("10 / 7 = 1.5", 22, False, "10/7 (about 1.428571)"),
        Claim("12 x 7 = 85", 36, False, "84"),
        Claim("2^70 = 1 + 1", 52, False, "1180591620717411303424"),
        Claim("1 + 1 = 2", 59, True, "2"),
    )
    assert all(text[claim.start :].startswith(claim.text) for claim in found)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(7), "7"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3 (about 0.3333333)"),
        (Fraction(10**80), "about 1e+80"),
        (Fraction(1, 3**90), "about 1.145743e-43"),
    ],
)
def test_numbers_are_shown_as_people_write_them(number: Fraction, text: str) -> None:
    assert shown(number) == text


@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 999),
    st.sampled_from("+-*/"),
    st.integers(1, 10**6),
    st.sampled_from(["", " "]),
)
def test_every_computed_claim_is_right_and_the_next_is_wrong(
    one: int, below: int, sign: str, other: int, gap: str
) -> None:
    left = f"({one}/{below}){gap}{sign}{gap}{other}"
    first = Fraction(one, below)
    value = {"+": first + other, "-": first - other, "*": first * other, "/": first / other}[sign]
    right = f"{value.numerator}/{value.denominator}"
    assert [claim.right for claim in claims(f"{left}{gap}={gap}{right}")] == [True]
    off = f"{value.numerator + 1}/{value.denominator}"
    assert [claim.right for claim in claims(f"{left}{gap}={gap}{off}")] == [False]


@given(st.text(st.sampled_from("0123456789+-*/^()%{}.,=≈ x×½²\\frac!余a中\n"), max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for claim in claims(text):
        assert text[claim.start :].startswith(claim.text)


def test_there_is_a_cap_on_claims() -> None:
    assert len(claims("3+4=7\n" * (MOST_CLAIMS + 7))) == MOST_CLAIMS
    assert claims("2^1000 = 1")[0].value == "about 1.071509e+301"
    assert BITS >= 1000
