"""Keys that are patterns mean what they mean in JavaScript, and cannot be made to hang."""

from __future__ import annotations

import re
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.capabilities.character.pattern import Pattern, PatternError, TimeBudget, parse_pattern


@pytest.mark.parametrize(
    ("source", "flags", "text", "expected"),
    [
        ("abc", "", "xxabcxx", True),
        ("abc", "", "xxABC", False),
        ("abc", "i", "xxABC", True),
        ("^abc$", "", "x\nabc\ny", False),
        ("^abc$", "", "abc\n", False),
        ("^abc$", "m", "x\nabc\ny", True),
        ("^b$", "m", "a\u2028b\rc", True),
        ("a.c", "", "a\nc", False),
        ("a.c", "", "a\u2028c", False),
        ("a.c", "s", "a\nc", True),
        (r"\bcat\b", "", "a cat.", True),
        (r"\bcat\b", "", "concat", False),
        (r"\bcat\b", "", "我的cat很好", True),
        (r"\Bcat", "", "concat", True),
        (r"\w旅馆", "", "去旅馆", False),
        (r"\W旅馆", "", "去旅馆", True),
        (r"[^\w]旅馆", "", "去旅馆", True),
        (r"^\W$", "i", "k", False),
        (r"^\d$", "", "٣", False),
        (r"a\sb", "", "a\u3000b", True),
        (r"a\Sb", "", "a\u3000b", False),
        (r"^[\s\S]$", "", "\u3000", True),
        (r"^[\D\d]$", "", "三", True),
        (r"[^\d\s]{3}", "", "1 a2bc", False),
        (r"[a-c-]+x", "", "-x", True),
        (r"[^a]", "i", "A", False),
        (r"[\]\\]", "", "]", True),
        (r"[[]", "", "[", True),
        (r"^[a[:d-]$", "", ":", True),
        (r"[\b]", "", "\b", True),
        ("a[]", "", "a", False),
        ("a[^]b", "", "a\nb", True),
        (r"\u65c5馆", "", "旅馆", True),
        (r"[\u4e00-\u9fff]{2}", "", "a旅馆", True),
        (r"\u{1f600}", "u", "😀", True),
        (r"[\u{1f600}-\u{1f64f}]", "u", "😃", True),
        (r"\x41\t\0", "", "A\t\0", True),
        (r"(?<name>a|b)+?c{2}", "", "abcc", True),
        (r"(?<字>龙|凤)\k<字>", "", "龙凤凤", True),
        (r"(.)\1", "", "abba", True),
        (r"(好)\1", "", "好的，好好睡", True),
        (r"(好)\1", "", "好的，好", False),
        (r"(?=.*旅馆)(?=.*龙)", "", "龙住在旅馆", True),
        (r"(?=.*旅馆)(?=.*凤)", "", "龙住在旅馆", False),
        (r"龙(?!井)", "", "龙井茶", False),
        (r"(?<=飞)龙", "", "飞龙", True),
        (r"(?<!恐)龙", "", "恐龙", False),
        (r"\p{L}{2}\p{Nd}", "", "旅馆3", True),
        (r"^\p{Han}+$", "u", "旅馆", True),
        (r"^\p{Script=Han}+$", "u", "リュウ", False),
        (r"^[\p{Han}\p{Script=Hiragana}]+$", "u", "食べる", True),
        (r"\P{Han}", "", "旅馆", False),
        (r"(?:ab){2,3}$", "", "ababab", True),
        (r"^(?:ab){2,3}$", "", "abababab", False),
        (r"a{,2}", "", "a{,2}", True),
        (r"a{e<=1}", "", "b", False),
        (r"a{b}", "", "a{b}", True),
        (r"x{2,}y", "", "xxxxy", True),
        ("(a|)b|c", "", "b", True),
        ("", "", "", True),
        (r"\/", "", "a/b", True),
        (r"\h\A\Z", "", "hAZ", True),
        (r"(|a)+", "", "", True),
        ("^$", "", "", True),
        (r"\$\.", "", "$.", True),
        ("a{500}", "", "a" * 500, True),
    ],
)
def test_patterns_match(source: str, flags: str, text: str, expected: bool) -> None:
    assert Pattern(source, flags).matches(text, TimeBudget()) is expected


@pytest.mark.parametrize(
    "source",
    [
        "(",
        ")",
        "[a",
        "*a",
        "a**",
        "a{2}{3}",
        r"\1",
        "(?<a",
        "(?",
        "(?R)",
        "(?i)a",
        "(?#a)",
        "(?P<a>b)",
        "(*FAIL)",
        r"\k<none>",
        r"\p{nonsense}",
        "a{3,2}",
        "[b-a]",
        r"\u{ffffffff}",
        "\\",
        "(" * 2000 + ")" * 2000,
    ],
)
def test_what_is_not_understood_is_refused(source: str) -> None:
    with pytest.raises(PatternError, match="is not a regular expression"):
        Pattern(source)


@pytest.mark.parametrize(
    "source", ["x" * 5001, "a{100000000}", "(?:(?:a{100}){100}){100}", "(?:" + "ab" * 1000 + "){500,}"]
)
def test_what_would_fill_the_memory_is_refused(source: str) -> None:
    with pytest.raises(PatternError, match="is too long a pattern"):
        Pattern(source)


def test_a_pattern_is_written_between_slashes() -> None:
    assert parse_pattern("abc", None) is None
    assert parse_pattern("/abc", None) is None
    found = parse_pattern(" /a/b/i ", None)
    assert found and found.matches("xA/B", TimeBudget())
    folded = parse_pattern("/abc/", case_sensitive=False)
    assert folded and folded.matches("ABC", TimeBudget())
    with pytest.raises(PatternError, match="'/abc/q' has an unknown flag"):
        parse_pattern("/abc/q", None)


@settings(max_examples=300)
@given(st.text(r"ab|*+?().^$[]\wWdDsSbB-{}2,", max_size=10), st.text("ab2 龙\n", max_size=8))
def test_it_agrees_with_python(source: str, text: str) -> None:
    if re.search(r"[*+?}]\+|\[\]|\[\^\]|\[\[|[-&~|]{2}|\{,|[\\](?![wWdDsSbB])", source):
        return  # JavaScript and Python differ
    try:
        theirs = re.compile(re.sub(r"\$", r"\\Z", source) if "[" not in source else source, re.ASCII)
        mine = Pattern(source)
    except (re.error, PatternError, FutureWarning):
        return
    assert mine.matches(text, TimeBudget()) is bool(theirs.search(text))


@given(st.text(r"ab|*+?().^$[]{}\1kpPuxwDb<>=!:-&~#龙e0,", max_size=30), st.text(max_size=20))
def test_whatever_is_written_is_a_pattern_or_refused(source: str, text: str) -> None:
    try:
        found = Pattern(source, "i")
    except PatternError:
        return
    assert found.matches(text, TimeBudget()) in (True, False)


@pytest.mark.parametrize(
    "source", ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "(a?){18}a{18}b", "(a+)\\1$", "(?:a{1,999}){1,999}b"]
)
def test_no_pattern_hangs(source: str) -> None:
    effort = TimeBudget(0.02)
    start = thread_time()
    assert Pattern(source).matches("a" * 20_000 + "!", effort) is False
    assert effort.unused_keys == [f"'/{source}/' takes too long to match"]
    assert thread_time() - start < 5


def test_a_slow_pattern_is_tried_once_and_leaves_time_to_others() -> None:
    effort = TimeBudget()
    slow = Pattern("(a+)+$")
    text = "a" * 20_000 + "龙"
    assert not slow.matches(text, effort)
    left = effort.seconds_left
    assert left > 0.5
    assert not slow.matches(text, effort)
    assert effort.seconds_left == left
    assert Pattern("龙$").matches(text, effort)


def test_effort_is_shared_and_ends() -> None:
    effort = TimeBudget(0.05)
    for _ in range(1000):
        assert not Pattern("(a+)+$").matches("a" * 20_000 + "!", effort)
    assert len(effort.unused_keys) < 1000
    assert not Pattern("a").matches("a", effort)
