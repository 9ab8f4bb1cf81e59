"""How Markdown looks: rows no wider than the terminal, for every script, and nothing left out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from gptkit.output.markdown_blocks import BlockSplitter, CodeLines, FenceOpened
from gptkit.output.markdown_inline import CodeHighlighter, row_breaks
from gptkit.output.rows import RowRenderer


def rows(text: str, width: int = 40) -> list[str]:
    blocks = BlockSplitter()
    blocks.feed(text)
    return [row.plain for row in RowRenderer(colour=False).render(blocks.take_settled(final=True), width)]


def wrapped(line: str, width: int, anywhere: bool = False) -> list[str]:
    borders = [0, *row_breaks(line, width, anywhere), len(line)]
    return [line[start:end] for start, end in pairwise(borders)]


@pytest.mark.parametrize(
    ("line", "width", "parts"),
    [
        ("", 5, [""]),
        ("hello world again", 11, ["hello world ", "again"]),
        ("hello world again", 10, ["hello ", "world ", "again"]),
        ("don’t “quote me”", 8, ["don’t ", "“quote ", "me”"]),
        ("x abcdefghijkl y", 5, ["x ", "abcde", "fghij", "kl y"]),
        ("你好世界", 5, ["你好", "世界"]),
        ("你好，世界", 4, ["你", "好，", "世界"]),
        ("他说（你好）", 6, ["他说", "（你", "好）"]),
        ("说“你好”吗", 4, ["说", "“你", "好”", "吗"]),
        ("使用 Python 编写程序", 12, ["使用 Python ", "编写程序"]),
        ("カタカナー", 8, ["カタカ", "ナー"]),
        ("안녕하세요 여러분", 12, ["안녕하세요 ", "여러분"]),
        ("👩\u200d💻👩\u200d💻", 4, ["👩\u200d💻", "👩\u200d💻"]),
        ("e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]),
        ("中", 1, ["中"]),
        ("a👩\u200d💻", 3, ["a", "👩\u200d💻"]),
        ("a      b", 3, ["a      ", "b"]),
    ],
)
def test_lines_break_where_their_script_allows_it(line: str, width: int, parts: list[str]) -> None:
    assert wrapped(line, width) == parts


@given(
    st.text(st.sampled_from("ab ，。（“”中文あー한👩\u200d\ufe0f❤e\u0301")), st.integers(2, 12), st.booleans()
)
def test_no_row_is_too_wide_and_no_character_is_lost(line: str, width: int, anywhere: bool) -> None:
    parts = wrapped(line, width, anywhere)
    assert "".join(parts) == line
    clusters = ("\u200d", "\ufe0f", "\u0301")
    assert all(cell_len(part.rstrip()) <= width for part in parts if not any(c in part for c in clusters))
    assert all(part for part in parts[1:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\ntext\n\n## Two", ["One", "text", "", "Two"]),
        ("Title\n=====\ntext", ["Title", "text"]),
        ("a\nb  \nc\\\nd", ["a", "b", "c", "d"]),
        ("\n\n a\n\n\n\nb\n\n\n", ["a", "", "b"]),
        ("- a\n- b\n\n- c", ["• a", "• b", "", "• c"]),
        ("text:\n- a\n* b", ["text:", "• a", "• b"]),
        ("9. nine\n10. ten\n\n    more", ["9. nine", "10. ten", "", "    more"]),
        ("3) three", ["3) three"]),
        ("- a\n  - b\n    1. c\n\n  d", ["• a", "  • b", "    1. c", "", "  d"]),
        ("-\n- [ ] task", ["•", "• [ ] task"]),
        ("> a\n> > b\n>\n> c", ["│ a", "│ │ b", "│", "│ c"]),
        ("> - a\n>   b", ["│ • a", "│   b"]),
        ("---", ["─" * 40]),
        ("    indented\n      code", ["    indented", "      code"]),
        ("~~~~ c++ x\na\n~~~\n~~~~", ["~~~~ c++ x", "a", "~~~", "~~~~"]),
        ("  ```\n  a\n b\n   c\n  ```", ["```", "a", "b", " c", "```"]),
        ("```\nunclosed", ["```", "unclosed"]),
        ("a\n\n```\nx\n```\nb", ["a", "", "```", "x", "```", "b"]),
        ("- ```py\n  x = 1\n\n  y = 2\n  ```\n- b", ["• ```py", "  x = 1", "", "  y = 2", "  ```", "• b"]),
        ("~~gone~~ \\*kept\\* `a  b` ``c`d``", ["gone *kept* a  b c`d"]),
        ("*a **b*** _c_", ["a b c"]),
        ("&lt;tag&gt; &copy;", ["<tag> ©"]),
        ("a\tb", ["a b"]),
    ],
)
def test_blocks_keep_their_order_marks_and_gaps(text: str, expected: list[str]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, ["name    数量  note", "─" * 26, "苹果       3  red or green", "a name    14  b*"]),
        (
            24,
            [
                "name    数量  note",
                "─" * 24,
                "苹果       3  red or",
                "              green",
                "─" * 24,
                "a name    14  b*",
            ],
        ),
        (
            18,
            ["name: 苹果", "数量: 3", "note: red or green", "─" * 18, "name: a name", "数量: 14", "note: b*"],
        ),
    ],
)
def test_a_table_is_folded_or_told_as_records_where_it_is_too_wide(width: int, expected: list[str]) -> None:
    text = "|name|数量|note|\n|:--|--:|---|\n|苹果|3|red or green|\n|a **name**|14|b\\*|"
    assert rows(text, width) == expected


def test_a_table_cell_may_hold_line_breaks_but_no_other_html() -> None:
    assert rows("|a|b|\n|-|-|\n|x<br>y<br/>z|<i>|") == [
        *("a  b", "──────", "x  <i>", "y", "z"),
    ]


def test_a_table_without_rows_or_with_missing_cells_is_shown() -> None:
    assert rows("|a|b|\n|-|-|") == ["a  b"]
    assert rows("|a|b|\n|-|-|\n|x|") == ["a  b", "────", "x"]
    assert rows("|column|another|\n|-|-|\n|x|", 10) == ["column: x"]


@pytest.mark.parametrize("depth", [17, 25, 300])
def test_deep_nesting_loses_no_text(depth: int) -> None:
    assert "needle" in "".join(rows("> " * depth + "needle", 60))
    assert "needle" in "".join(rows("- " * depth + "needle", 60))


def test_a_block_of_extreme_length_is_shown_as_it_is() -> None:
    assert "".join(rows("**x** " * 3000, 60)).count("**x**") == 3000
    assert "".join(rows("[" * 20_000, 60)).count("[") == 20_000


@given(st.integers(20, 60))
def test_no_row_is_wider_than_the_terminal(width: int) -> None:
    text = "# 很长的标题很长的标题很长的标题\n\n- a list `with code` and **中文字符** [link](https://x.example/path/to)\n"
    text += "  > quoted words that are long\n\n  ```\n  code that is much longer than the width\n  ```\n\n"
    text += "|column one|column two|\n|---|---|\n|some words in it|https://x.example/path/to/page|\n"
    assert max(map(cell_len, rows(text, width))) <= width


def colours(row: Text) -> list[tuple[str, str]]:
    """The visible characters of a row, each with its style."""
    styles = [""] * len(row)
    for start, end, style in row.spans:
        styles[start:end] = [str(style)] * (end - start)
    return [
        (character, style) for character, style in zip(row.plain, styles, strict=True) if character.strip()
    ]


def test_code_has_the_same_colours_line_by_line() -> None:
    lines = ["def f(x):", '    """Say.', "", "    More.", '    """', "\treturn x  # ok", "", "class 类: pass"]
    at_once, one_by_one = CodeHighlighter("python", colour=True), CodeHighlighter("python", colour=True)
    shown = [colours(one_by_one.lines([line])[0]) for line in lines]
    assert shown == [colours(row) for row in at_once.lines(lines)]
    assert {style for _, style in shown[3]} == {"yellow"}
    assert len({style for _, style in shown[5]}) == 3


def test_a_look_at_unfinished_code_is_not_remembered() -> None:
    previewed, other = RowRenderer(colour=True), RowRenderer(colour=True)
    for each in (previewed, other):
        each.render([FenceOpened("```python", "python", gap=False)], 40)
    previewed.render_tail([CodeLines(['"""'])], 40, 10)
    code = [CodeLines(["x = 1"])]
    assert previewed.render(code, 40) == other.render(code, 40)


@pytest.mark.parametrize("language", ["", "no-such-language", "../x", "python"])
def test_code_comes_out_as_it_went_in(language: str) -> None:
    lines = ["", "  x = [bold]'y'[/]", "\t", "z" * 5000, "ende", ""] * 40
    for colour in (True, False):
        highlighter = CodeHighlighter(language, colour)
        assert [row.plain for line in lines for row in highlighter.lines([line])] == lines
