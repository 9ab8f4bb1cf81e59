"""What a message quotes of a text that is wrong."""

from __future__ import annotations

import pytest

from gptkit.core.excerpt import describe_unexpected, shorten


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("a: b: c", 4, "unexpected ': c'"),
        ("中文: 你好: 再见\n下一行", 6, "unexpected ': 再见'"),
        ("a\tb", 1, "unexpected tab"),
        ("a\r\nb", 1, "unexpected end of the line"),
        ("a \n\t ", 1, "unexpected end"),
        ("a", 1, "unexpected end"),
        ("", 0, "unexpected end"),
        ("x" * 1000, 500, f"unexpected '{'x' * 29}…'"),
        ("字" * 31, 1, f"unexpected '{'字' * 30}'"),
    ],
)
def test_the_place_at_which_a_parser_gave_up(text: str, position: int, expected: str) -> None:
    assert describe_unexpected(text, position) == expected


def test_a_text_on_one_line() -> None:
    assert shorten(" a\n  b\t c ", 5) == "a b c"
    assert shorten("a b c", 4) == "a b…"
