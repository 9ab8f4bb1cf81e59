"""What becomes of texts that must fit the columns of a terminal."""

import pytest

from gptkit.core.table import wrap_words


@pytest.mark.parametrize(
    ("line", "width", "expected"),
    [
        ("", 8, ""),
        ("one two", 8, "one two"),
        ("one two", 7, "one\ntwo"),
        ("a longerword b", 6, "a\nlongerword\nb"),
        ("模型 不见了 ok", 12, "模型 不见了\nok"),
        ("a  b", 20, "a  b"),
    ],
)
def test_a_line_breaks_between_words(line: str, width: int, expected: str) -> None:
    assert wrap_words(line, width) == expected


def test_the_parts_after_the_first_are_indented() -> None:
    assert wrap_words("ok   one two three", 10, "  ") == "ok   one\n  two\n  three"
