"""The matcher for strangers' patterns agrees with Python's own, and cannot be made to hang."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.characters.pattern import Effort, Pattern, PatternError, pattern


@pytest.mark.parametrize(
    ("source", "flags", "text", "expected"),
    [
        ("abc", "", "xxabcxx", True),
        ("abc", "", "xxABC", False),
        ("abc", "i", "xxABC", True),
        ("^abc$", "", "x\nabc\ny", False),
        ("^abc$", "m", "x\nabc\ny", True),
        ("a.c", "", "a\nc", False),
        ("a.c", "s", "a\nc", True),
        (r"\bcat\b", "", "a cat.", True),
        (r"\bcat\b", "", "concat", False),
        (r"\Bcat", "", "concat", True),
        (r"[^\d\s]{3}", "", "1 a2bc", False),
        (r"[a-c-]+x", "", "-x", True),
        (r"[^a]", "i", "A", False),
        (r"[\]\\]", "", "]", True),
        (r"\u65c5馆", "", "旅馆", True),
        (r"\u{1f600}", "u", "😀", True),
        (r"(?<name>a|b)+?c{2}", "", "abcc", True),
        (r"(?:ab){2,3}$", "", "ababab", True),
        (r"^(?:ab){2,3}$", "", "abababab", False),
        (r"a{,2}", "", "a{,2}", True),
        (r"x{2,}y", "", "xxxxy", True),
        ("(a|)b|c", "", "b", True),
        ("", "", "", True),
        (r"\/", "", "a/b", True),
        (r"(|a)+", "", "", True),
        ("^$", "", "", True),
        (r"\$\.", "", "$.", True),
    ],
)
def test_patterns_match(source: str, flags: str, text: str, expected: bool) -> None:
    assert Pattern(source, flags).found(text, Effort()) is expected


@pytest.mark.parametrize(
    "source",
    [
        "(",
        ")",
        "a)",
        "[a",
        "*a",
        "a**",
        "a{2}{3}",
        r"\1",
        "(?=a)",
        "(?<!a)",
        "(?<a",
        r"\p{L}",
        "a{3,2}",
        "[b-a]",
        "a{501}",
        "(a{100}){100}",
        "((){500}){500}" + "(" * 50,
        "(" * 41 + ")" * 41,
        r"\u{ffffffff}",
        "\\",
        "x" * 4001,
        "(?",
    ],
)
def test_what_is_not_understood_is_refused(source: str) -> None:
    with pytest.raises(PatternError):
        Pattern(source)


def test_a_pattern_is_written_between_slashes() -> None:
    assert pattern("abc", None) is None
    assert pattern("/abc", None) is None
    found = pattern(" /a/b/i ", None)
    assert found and found.found("xA/B", Effort())
    with pytest.raises(PatternError, match="unknown flag"):
        pattern("/abc/q", None)


@settings(max_examples=300)
@given(
    st.text("ab|*+?().^$[]", max_size=10), st.text("ab\n", max_size=8), st.sampled_from(["", "m", "s", "i"])
)
def test_it_agrees_with_python(source: str, text: str, flags: str) -> None:
    try:
        mine = Pattern(source, flags)
    except PatternError:
        return
    try:
        theirs = re.compile(
            source.replace("$", r"(?!.)\Z" if "m" not in flags else r"(?=\n|\Z)"), _flags(flags)
        )
    except (re.error, FutureWarning):  # JavaScript and Python differ on [] and possessive repeats
        return
    if re.search(r"[*+?]\+|\[\]|\[\^\]|\[\[", source) or "[" in source:
        return
    assert mine.found(text, Effort()) is bool(theirs.search(text))


@pytest.mark.parametrize(
    "source", ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "(a*)*b", "(.*)*x(.*)*y", "(a?){400}a{400}b"]
)
def test_no_pattern_hangs(source: str) -> None:
    effort = Effort(2_000_000)
    assert Pattern(source).found("a" * 20_000 + "!", effort) is False


def test_effort_is_shared_and_ends() -> None:
    effort = Effort(5000)
    one = Pattern("b")
    assert not one.found("a" * 3000, effort) and effort.left > 0
    assert not one.found("a" * 3000 + "b", effort)
    assert effort.left < 0


def _flags(flags: str) -> int:
    return sum({"m": re.M, "s": re.S, "i": re.I}[flag].value for flag in flags)
