"""Sums in prose: the wrong ones are found, and what is right, or uncertain, is never called wrong."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.capabilities.course.arithmetic import MAX_SUMS, WrongSum, format_number, wrong_sums

RIGHT = r"""
12 * 7 = 84
3/4 + 1/8 = 7/8
2^10 = 1024
84 ÷ 7 = 12
10 − 3 = 7
3·4 = 12
84 = 12 * 7
5 = 10/2
2 ** 3 = 8
12 x 7 = 84
3x4 = 12
10/3 = 3.33
1/3 = 0.33
2/3 = 0.667
3/4 = 0.8
1/3 = 33.3%
20% of 50 = 10
100% - 20% = 80%
0.1 + 0.2 = 0.3
-3 + 5 = 2
3 - 5 = -2
0 - 3 = - 3
3 − (−4) = 7
(-3) × (-4) = 12
2² + 3² = 13
10⁻² = 0.01
2(3 + 4) = 14
2^3^2 = 512
(7 - 3)/(4 - 2) = 2
3/4 = 6/8
19.99 + 5.01 = 25.00
1,234 + 1 = 1,235
1.234 + 1 = 1.235
1.000 + 500 = 1.500
1,5 + 2,5 = 4
1.234,5 + 1 = 1.235,5
1,00,000 + 1 = 1,00,001
1 000 + 500 = 1 500
and you get 1,234,567 + 1 = 1,234,568.
The price: 19.99 + 5.01 = 25.00.
Die Summe ist 1,25 + 0,75 = 2.
Das Ergebnis: 3,5 · 2 = 7
12 · 7 = 84, also ist die Fläche 84.
So 3 + 4 = 7 and we go
Because 2 + 2 = 4, we have 4 + 4 = 8.
The mean is (3 + 4 + 5) / 3 = 4.
x + 3 = 7, therefore x = 7 - 3 = 4.
**12 * 7 = 84**
So **3 + 4 = 7**, done
**Step 1:** 12 * 7 = 84
*Note:* 3 + 4 = 7
- 3 + 4 = 7
- 3 + 4 = 1
1. 3 + 4 = 7
a) 3 + 4 = 7
  > - 3 + 4 = 7 ✅
| 3 + 4 = 7 | 5 × 5 = 25 |
(3 + 4 = 7)
`3 + 4 = 7`
"3 + 4 = 7"
$12 \times 7 = 84$ and $84 - 4 = 80$.
$$2^{10} = 1024$$
\(\frac{3}{4} + \frac{1}{8} = \frac{7}{8}\)
\[ \frac{1}{2} + \frac{1}{3} = \frac{5}{6} \]
$\left(3 + 4\right) \cdot 2 = 14$
\dfrac{1}{2} + 1 = 1.5
2 \cdot 3 = 6 \\
12 \times 7 = \boxed{84}
12 × 3 = 36，40 − 36 = 4
所以 12 × 3 = 36，40 − 36 = 4，还剩4个。
12 × 3 = 36，400 − 36 = 364
１，２３４＋１＝１，２３５
１２＋３０＝４２
所以３×４＝１２。
3×4=12，12÷2=6，6-1=5。
答案：３／４＋１／８＝７／８
答：3+4=7个
「3 + 4 = 7」
**答：**3+4=7
第一步：3+4=7；第二步：7×2=14。
打八折：100×0.8=80
20%×50=10
比例 3：4 = 6：8
时间 12：30 + 1 = 13：30
"""
ROUNDED = r"""
22/7 ≈ 3.15
10 / 3 = 3
7 / 2 = 3
33.3 × 3 = 100
3.14 × 9 = 28.27
1.41 × 1.41 = 2
1/3 = 0.34...
About 22 × 7 = 150 pages
Roughly: 19 × 21 = 400
大约：19 × 21 = 400
半径是3，面积约为3.14×3²=28
7 + 1.5 = 8 and a half
"""
UNITS = r"""
500 * 2 = 1 kg
500 g × 2 = 1 kg
3 × 20 = 1 hour
2 × 50 = 1$
3 km + 2 = 7 km
5 kg * 2 = 11 kg
5 kg *2 + 1 = 11
90° + 90° = 10°
$5 + $3 = $9
1公里=1000米
2×500=1千克
2*15000=3万
3 + 4 = 8 million
10 + 5 = 3 o'clock
25% of 80 = 21
20/25 = 80%
50 + 10% = 55
17 ÷ 5 = 3 remainder 2
17 ÷ 5 = 3 R 2
17÷5=3……2
17÷5=3余2
17÷5=3，余2
23 ÷ 4 = 5, remainder 3
"""
UNKNOWN = r"""
x + 3 = 7
3 + x = 7
2x = 10
2x(3 + 1) = 16
x - 3 = 7
x -3 = 7
n*2 + 1 = 9
x*3=6
2 * x = 10
(x) + 3 = 7
y = 3x + 4
f(2) = 3
f(2) = 2 + 2
x_1 + 3 = 7
x_{3} + 4 = 7
x² + 1 = 5
a^2 + 3^2 = 5^2
$a$-3 + 4 = 8
x = 3 + 4 = 8
3 + 4 = 7 + 5 = 12
1 + 1 = 2 + 1
1/3 + 1/3 = 0.33 + 0.33
P(3 + 4 = 8) = 0
(1, 2) + (3, 4) = (5, 6)
2 H2 + O2 = 2 H2O
i = i + 1
"""
MIXED = r"""
sin(30) + 1/2 = 2
sin 30 + 1/2 = 2
√16 + 9 = 13
\sqrt{16} + 2 = 6
\pi \cdot 2^2 = 12.57
log 10 + 1 = 2
square root of 16 + 9 = 5
half of 6 + 2 = 5
twice 3 + 4 = 10
the sum of 5 and 2 + 1 = 8
ten plus 5 * 2 = 20
drei plus 4 + 1 = 8
三加4+1=8
x的两倍减3+1=7
根号16+9=13
5! + 3 = 123
3! - 4 = 2
4 × 6 = 4!
|−3| + 4 = 8
|-3| * 2 + 1 = 7
|x| *2 + 1 = 7
½ + 3 = 4
3½ + 1 = 4
1 1/2 + 1/2 = 3
1\frac{1}{2} + 1 = 2.5
٣ + 4 = 8
三×4=13
12 : 4 + 1 = 4
12:4+1=4
3 + 4 = 8 ± 1
3 + 4 = 7x
3 + 4 = 8 ❌
3 &+ 4 = 8 \\
"1" + "1" = "11"
3 + 4 != 8
3 + 4 == 8
3 + 4 <= 8
a => 3 + 4
"""
NAMES = r"""
2024-05-03 = 2016
2024-5-13 = 2016
12/5/2024 = 3
12:30 + 1 = 14:30
pages 10-15 = 6
10-15 = 6
1914-1918 = 4
tel. 030-123 = 5
v1.2.3 + 4 = 9
Python 3.11 - 1 = 2
007 + 1 = 9
0x10 + 1 = 17
1.5e3 + 1 = 2
http://a.b/?x=3&y=4-1=5
"""
MEANT = r"""
Is 3 + 4 = 8?
True or false: 12 * 7 = 94.
判断：3+4=8（　）
Many write 3 + 4 × 2 = 14, which is wrong.
A common mistake: 3 + 4 × 2 = 14.
Don't write 2 + 2 = 5.
Suppose 2 + 2 = 5.
常见错误：3 + 4 × 2 = 14
不是 3+4=8，而是 7。
In binary, 1 + 1 = 10.
二进制中，1 + 1 = 10。
7 + 8 = 3 (mod 12)
6/2(1+2) = 1
-2^2 = 4
2^3^2 = 64
"""
OVER_LINES = [
    "40\n- 36 + 1 = 5",
    "3 × 4\n+ 5 × 2 = 22",
    "1 + 2 +\n3 + 4 = 10",
    "1 * 2 *\n3 * 4 = 24",
    "7 + 5 = 10\n+ 2",
    "3 + 4 = 8 *\n2",
    "12 × 7\n= 85",
    "12 × 7 =\n85",
    "In base 2 it goes on:\n\n1 + 1 = 10",
]
TOO_MUCH = [
    "(" * 90 + "3 = 3",
    "-" * 190 + "3 = 3",
    "1+" * 900 + "1 = 3",
    "9" * 1900 + " + 1 = 1",
    "9^9^9^9 = 1",
    "2^99999999 = 3",
    "10^1000 * 10^1000 * 10^1000 * 10^1000 = 3",
    "(10^1000)^1000 = 3",
    "2^(1/2) = 1",
    "0^-1 = 3",
    "1/0 = 3",
    "\\frac{1}{0} = 3",
    "3 + 4 = 8" + " " * 2000,
    "3 +* 4 = 7",
    "= 3 + 4",
    "3 + 4 =",
    "5 = 5",
]
WRONG = r"""
12 * 7 = 85
12 × 7 ＝ 83
3/4 + 1/8 = 4/12
3/4 = 6/9
2^10 = 1000
5² = 10
84 = 12 * 8
7-3=5
12 x 7 = 85
3x4 = 13
10/3 = 3.34
2/3 = 0.66
0.1 + 0.2 = 0.4
2 + 3 * 4 = 20
3 - 5 = 2
-3 + 5 = 8
3 − (−4) = -1
(-3) × (-4) = -12
10⁻² = 0.1
2(3 + 4) = 15
Let us compute: 12 × 7 = 94, so the area is 94 cm².
We get 3 + 4 = 8.
Because 2 + 2 = 5, we go on.
The slope is (7 - 3)/(4 - 2) = 3.
The price: 19.99 + 5.01 = 26.00.
and you get 1,234 × 5 = 6,171.
So 3 + 4 = 8, then
12 · 7 = 94, also ist die Fläche 94.
Das Ergebnis: 3 · 2 = 7
**12 * 7 = 85**
So **3 + 4 = 8**, done
**Step 1:** 12 * 7 = 85
**Step 2**: 84 / 4 = 22
*Note:* 3 + 4 = 8
- 3 + 4 = 8
1. Multiply: 6 × 7 = 43
a) 3 + 4 = 8
> 3 + 4 = 8
3 + 4 = 8 ✅
| 3 + 4 = 8 | 5 × 5 = 25 |
(3 + 4 = 8)
`3 + 4 = 8`
$12 \times 7 = 85$
$$2^{10} = 1000$$
\[ \frac{1}{2} + \frac{1}{3} = \frac{2}{5} \]
\(\frac{3}{4} + \frac{1}{8} = \frac{5}{8}\)
$\left(3 + 4\right) \cdot 2 = 11$
12 \times 7 = \boxed{85}
$10^{-2} = -100$
12 × 3 = 36，40 − 36 = 5
所以 12 × 3 = 38，还剩2个。
１２＋３０＝４３
所以3×4＝13。
结果是3+4=8
结果:3+4=8
3×4=12，12÷2=7，7-1=6。
答案：３／４＋１／８＝５／８
那么，(3+4)×2=15。
步骤1：3+4=8
第二步：7×2=15；
（3+4=8）
“3 + 4 = 8”
**答：**3+4=8
"""


def lines(*tables: str) -> list[str]:
    return [line for table in tables for line in table.strip("\n").split("\n")]


@pytest.mark.parametrize("text", lines(RIGHT))
def test_what_is_right_is_never_called_wrong(text: str) -> None:
    assert wrong_sums(text) == ()


@pytest.mark.parametrize(
    "text", [*lines(ROUNDED, UNITS, UNKNOWN, MIXED, NAMES, MEANT), *OVER_LINES, *TOO_MUCH]
)
def test_what_is_uncertain_is_never_called_wrong(text: str) -> None:
    assert wrong_sums(text) == ()


@pytest.mark.parametrize("text", lines(WRONG))
def test_what_is_wrong_is_found(text: str) -> None:
    assert len(wrong_sums(text)) == 1


def test_a_wrong_sum_is_told_as_it_was_written_with_what_it_comes_to() -> None:
    text = "第一步：３/４＋1/8＝6/8。\nThen 12 x 7 = 84; 3 + 4 = 8 apples,  9.5 - 9 = 0.4."
    assert wrong_sums(text) == (
        WrongSum("３/４＋1/8＝6/8", "7/8"),
        WrongSum("9.5 - 9 = 0.4", "0.5"),
    )
    assert [str(one) for one in wrong_sums("10 / 7 =  1.5; 2^70 = 1, 2^1000 = 1")] == [
        "10 / 7 = 1.5 (it comes to 10/7 (about 1.428571))",
        "2^70 = 1 (it comes to 1180591620717411303424)",
        "2^1000 = 1 (it comes to about 1.071509e+301)",
    ]


def test_what_was_said_before_may_be_quoted_and_tells_what_is_spoken_of() -> None:
    assert wrong_sums("You wrote: **12 × 7 = 94**.", "I say １２×７＝94, not 84") == ()
    assert wrong_sums("1 + 1 = 10", "How do I add in binary?") == ()
    assert wrong_sums("1,234 + 1 = 1,236") == ()
    assert wrong_sums("1,234 + 1 = 1,236", "What comes after the 1,234?") != ()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(7), "7"),
        (Fraction(1500), "1500"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3 (about 0.3333333)"),
        (Fraction(10**80), "about 1e+80"),
        (Fraction(1, 3**90), "about 1.145743e-43"),
    ],
)
def test_numbers_are_shown_as_people_write_them(number: Fraction, text: str) -> None:
    assert format_number(number) == text


@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 999),
    st.sampled_from("+-*/"),
    st.integers(1, 10**6),
    st.sampled_from(["", " "]),
)
def test_every_computed_sum_is_right_and_the_next_is_wrong(
    one: int, below: int, sign: str, other: int, gap: str
) -> None:
    left = f"({one}/{below}){gap}{sign}{gap}{other}"
    first = Fraction(one, below)
    value = {"+": first + other, "-": first - other, "*": first * other, "/": first / other}[sign]
    assert wrong_sums(f"{left}{gap}={gap}{value.numerator}/{value.denominator}") == ()
    assert len(wrong_sums(f"{left}{gap}={gap}{value.numerator + 1}/{value.denominator}")) == 1


@given(st.text(st.sampled_from("0123456789+-*/^()%{}.,=≈ x×½²\\frac!余a中，：。$`\n"), max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for one in wrong_sums(text):
        assert one.text in " ".join(text.split())


def test_there_is_a_cap_on_what_is_told() -> None:
    assert len(wrong_sums("3 + 4 = 8\n" * (MAX_SUMS + 7))) == MAX_SUMS
