"""What the sanitizer shows, what it keeps, and that pieces give what the whole gives."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.sanitize import VisibleStream, one_line, visible

SUSPICIOUS = "\x00\x07\x08\t\n\r\x1b\x7f\x9b\xad\u061c\u200b\u200c\u200d\u200e\u202e\u2066\u2028\ufe0f\ufeff"
TEXT = st.text(
    st.sampled_from(SUSPICIOUS + "a中ی❤😀\ud800\udc00\U0001f3f4\U000e0067\U000e0062\U000e007f")
    | st.characters()
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x00b\x07c\x08d", "a␀b␇c␈d"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b[2J\x7f", "␛[2J␡"),
        ("\x9b31m\x85", "<U+009B>31m<U+0085>"),
        ("one\r\ntwo\rthree\r\r\n", "one\ntwo␍three␍\n"),
        ("\x0b\x0c", "␋␌"),
        ("a\u202eb\u2066c\u2069\u200e\u200f\u061c", "a<U+202E>b<U+2066>c<U+2069><U+200E><U+200F><U+061C>"),
        ("a\u2028b\u2029", "a<U+2028>b<U+2029>"),
        ("pass\u200bword\u2060\ufeff\xad", "pass<U+200B>word<U+2060><U+FEFF><U+00AD>"),
        ("hi\U000e0041\U000e007f", "hi<U+E0041><U+E007F>"),
        ("\ud800x\udcff", "\ufffdx\ufffd"),
        ("你好，世界。한국어 עברית عربي ไทย", "你好，世界。한국어 עברית عربي ไทย"),
        ("[bold red]x[/]", "[bold red]x[/]"),
    ],
)
def test_shows_what_a_terminal_would_obey_or_hide(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",  # Persian needs the non-joiner
        "क्\u200dष",
        "👩\u200d💻 👨\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥 1\ufe0f\u20e3",
        "葛\U000e0100城",  # the variant of a name
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ],
)
def test_keeps_invisible_characters_that_writing_needs(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("letter", ["a", "中", "ا", "क", "😀"])
def test_a_letter_carries_thirty_combining_marks(letter: str) -> None:
    most = letter + "\u0301\u0489" * 15
    assert visible(most + letter) == most + letter
    assert visible(most * 2) == most * 2
    assert visible(most + "\u0302" * 1970 + letter) == most + "<U+0302>" * 1970 + letter
    stream = VisibleStream()
    shown = "".join(map(stream.feed, most + "\u0302\u0302" + letter + "\u0302"))
    assert shown == most + "<U+0302><U+0302>" + letter + "\u0302"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u200cpal", "pay<U+200C>pal"),
        ("\u200d", "<U+200D>"),
        ("👩\u200d\u200d", "👩\u200d<U+200D>"),
        ("a\ufe00\ufe01\U000e0100", "a\ufe00<U+FE01><U+E0100>"),  # a byte each could be smuggled so
        (" \ufe0f\ufe0f", " <U+FE0F><U+FE0F>"),
        ("\U0001f3f4\U000e0068\U000e0069\U000e007f", "\U0001f3f4<U+E0068><U+E0069><U+E007F>"),
    ],
)
def test_shows_the_same_characters_where_they_only_hide(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(TEXT)
def test_no_control_survives(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c not in "\n\t"]
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u061c\ufeff"
    )


@given(TEXT)
def test_shown_text_is_shown_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(TEXT, st.lists(st.integers(0, 60)))
def test_pieces_give_what_the_whole_gives(text: str, cuts: list[int]) -> None:
    stream = VisibleStream()
    borders = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(borders)]
    assert "".join(map(stream.feed, pieces)) + stream.close() == visible(text)


def test_the_character_before_may_be_in_another_piece() -> None:
    stream = VisibleStream()
    assert [stream.feed(piece) for piece in ("👩", "\u200d💻a", "\u200d")] == ["👩", "\u200d💻a", "<U+200D>"]


def test_a_piece_is_held_back_no_longer_than_needed() -> None:
    stream = VisibleStream()
    assert [stream.feed(piece) for piece in ("a\r", "\nb\x1b", "[", "\r")] == ["a", "\nb␛", "[", ""]
    assert stream.close() == "␍"
    assert stream.close() == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  one \r\n\n two\tthree\n", "one two three"),
        ("a  b", "a  b"),
        ("\x1b[31mred", "␛[31mred"),
        ("", ""),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
        ("中" * 5_000_000, "中" * 299 + "…"),
        ("a\n" + "\n" * 3000 + "b", "a…"),
        ("x\u2028y\x85z", "x<U+2028>y<U+0085>z"),
    ],
)
def test_one_line_is_one_short_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_one_line_keeps_to_the_limit_given() -> None:
    assert one_line("hello world", limit=7) == "hello…"
