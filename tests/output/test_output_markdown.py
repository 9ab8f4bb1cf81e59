"""Live Markdown, judged by what an emulated terminal shows: its screen and what scrolled off it."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count, pairwise
from pathlib import Path
from types import FrameType

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gptkit
from gptkit.core.chat import AnswerDelta, Finished, ReasoningDelta, RefusalDelta
from gptkit.output.markdown import MarkdownSink

PACKAGE = str(Path(gptkit.__file__).parent)

OURS = re.compile(r"\x1b\[[\d;]*m|\x1b\[[KJ]|\x1b\[\?7l|\x1b\[\?7h\r|\x1b\[\d+A|\A\r")
DOCUMENT = """# Überschrift with `code`

Hello **bold** and *italic*, [link](https://x.example/y)
and a second line, long enough to be folded on a narrow terminal.

1. one
2. two
   - inner **item**
   - another

     ```py
     def f(): return "nested"
     ```
10. ten

| name | 数量 |
|:-----|-----:|
| 苹果 | 3 |
| a much longer name | 14 |

```python
def main(argument):
	print(argument)  # 注释 that makes the line much longer than any narrow terminal is

```

> quoted
> more

---

你好，世界。这是一个很长的中文段落，用来测试自动换行是否正确（包括标点符号）。

Last words
"""


class Screen:
    """A terminal of a given size, and the clock of the program that writes to it."""

    def __init__(self, width: int = 60, height: int = 12, colour: bool = True) -> None:
        self.screen = pyte.HistoryScreen(width, height, history=100_000)
        self.screen.set_mode(pyte.modes.LNM)
        self.stream = pyte.Stream(self.screen)
        self.writes: list[str] = []
        self.time = 0.0
        self.sink = MarkdownSink(
            self._write, lambda: self.screen.columns, lambda: self.screen.lines, lambda: self.time, colour
        )

    def _write(self, text: str) -> None:
        self.writes.append(text)
        self.stream.feed(text)

    def show(self, pieces: Sequence[str], seconds: float = 0.06) -> Screen:
        for piece in pieces:
            self.sink(AnswerDelta(piece))
            self.time += seconds
        return self

    def close(self) -> list[str]:
        self.sink.close()
        return self.rows()

    def rows(self) -> list[str]:
        """Everything that can be seen or scrolled back to, without blank rows at the end."""
        lines = [*self.screen.history.top, *(self.screen.buffer[y] for y in range(self.screen.lines))]
        rows = ["".join(line[x].data for x in range(self.screen.columns)).rstrip() for line in lines]
        while rows and not rows[-1]:
            rows.pop()
        return rows


def at_once(text: str, width: int = 60, height: int = 12) -> list[str]:
    return Screen(width, height).show([text]).close()


def chunks(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("width", [20, 33, 60])
@pytest.mark.parametrize("height", [2, 24])
@pytest.mark.parametrize("size", [1, 7])
def test_shows_the_same_however_it_arrives(width: int, height: int, size: int) -> None:
    live = Screen(width, height).show(chunks(DOCUMENT, size), seconds=0.02)
    assert live.close() == at_once(DOCUMENT, width, height)


@pytest.mark.parametrize(
    "text",
    [
        "~~~||\n-|-\n",  # a fence, though what follows could make it the head of a table
        "2.\n1. ||\n-|-\n",
        "word\n" * 40 + "2. two\n" + "word\n" * 50,  # a long paragraph is cut before what looks like a list
        "word\n" * 60 + "===\n",
        "\n\nfirst\n\nsecond",
        "a\n\n```\nx\n```\nb",
        "a\r\n\r\nb\r",
        "```\n``\n```\n`",
        "> a\nlazy\n\n    code\n\n    more\n\ntext",
    ],
)
def test_a_first_look_is_never_wrong(text: str) -> None:
    assert Screen(40, 10).show(chunks(text, 1)).close() == at_once(text, 40, 10)


MARKS = "# > - * _ ` ~ | = : [ ] ( ) ! \\ < > & ; 1 2 . a b"
WORDS = [
    "\n",
    "\n\n",
    " ",
    "    ",
    "\t",
    "```",
    "~~~",
    "- ",
    "1. ",
    "2. ",
    "10) ",
    "中文，",
    "word ",
    "👩\u200d💻",
    "\r\n",
]
BLOCKS = ["| a | b |\n|---|---|\n", "[x](y)", "[x]: y\n", "* * *\n", "===\n", "```py\n"]
FRAGMENTS = st.sampled_from([*MARKS.split(" "), *WORDS, *BLOCKS])


@settings(max_examples=100)
@given(st.lists(FRAGMENTS, max_size=40), st.lists(st.integers(0, 120)), st.sampled_from([0.0, 0.06]))
def test_shows_the_same_for_any_text_in_any_pieces(text: list[str], cuts: list[int], seconds: float) -> None:
    whole = "".join(text)
    borders = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(borders)]
    assert Screen(30, 6).show(pieces, seconds).close() == at_once(whole, 30, 6)


def test_every_paragraph_is_in_the_scrollback_exactly_once() -> None:
    text = "".join(f"Paragraph {n} " + "with some words " * (n % 9) + "\n\n" for n in range(60))
    shown = "\n".join(Screen(40, 8).show(chunks(text, 17)).close())
    assert re.findall(r"Paragraph \d+", shown) == [f"Paragraph {n}" for n in range(60)]


def test_a_block_taller_than_the_screen_is_shown_to_its_end_and_kept_whole() -> None:
    quote = "".join(f"> line {n}\n>\n" for n in range(30))
    live = Screen(40, 8).show(chunks(quote, 5))
    assert live.rows()[-1] == "│ line 29"
    assert len(live.rows()) == 7
    assert [row for row in live.close() if "line" in row] == [f"│ line {n}" for n in range(30)]


def test_long_runs_of_lines_settle_before_they_end() -> None:
    live = Screen(40, 50).show(chunks("".join(f"line {n}\n" for n in range(200)), 20))
    assert sum(text.count("\nline 3\n") for text in live.writes) == 1
    assert live.close() == [f"line {n}" for n in range(200)]


def test_code_settles_line_by_line_and_is_not_folded() -> None:
    line = "\tx = '" + "long " * 30 + "'"
    live = Screen(40, 10, colour=False).show(["```py\n", line + "\n", "y"])
    assert f"{line}\n" in live.writes[1]
    live.sink.close()
    assert "".join(live.writes).count("long " * 30) == 1


@pytest.mark.parametrize("width", [30, 60])
def test_a_change_of_width_leaves_nothing_twice(width: int) -> None:
    live = Screen(45, 12)
    text = "".join(f"Paragraph {n} is " + "short " * 3 + "\n\n" for n in range(20))
    live.show(chunks(text[:300], 7))
    live.screen.resize(columns=width)
    shown = "\n".join(live.show(chunks(text[300:], 7)).close())
    assert re.findall(r"Paragraph \d+", shown) == [f"Paragraph {n}" for n in range(20)]


def test_what_else_was_written_meanwhile_does_not_disturb() -> None:
    live = Screen(40, 10).show(["First words of a long paragraph that takes two rows"])
    live.stream.feed("^C")
    assert live.close() == ["First words of a long paragraph that", "takes two rows"]


def test_an_interrupted_answer_settles_as_it_stands() -> None:
    live = Screen(40, 10).show(["One.\n\nTwo is **not fin"])
    assert live.close() == ["One.", "", "Two is **not fin"]
    assert (live.screen.cursor.x, live.screen.cursor.y) == (0, 3)
    assert live.close() == ["One.", "", "Two is **not fin"]


class Signal(BaseException): ...


def test_a_signal_at_any_moment_loses_nothing_that_was_shown() -> None:
    before, piece = "One.\n\n- two\n- three\n\n```py\nx\n", "y\n```\n\nFour.\n\nFi"
    expected = (at_once(before, 40, 20), at_once(before + piece, 40, 20))
    for moment in range(1, 3000, 41):
        live = Screen(40, 20).show([before])
        left = moment

        def interrupt(frame: FrameType, event: str, _: object) -> None:
            nonlocal left
            left -= 1
            if left <= 0 and event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
                raise Signal

        sys.setprofile(interrupt)
        try:
            with suppress(Signal):
                live.sink(AnswerDelta(piece))
        finally:
            sys.setprofile(None)
        assert live.close() in expected


def test_nothing_is_written_for_nothing() -> None:
    live = Screen()
    for event in (
        ReasoningDelta("hm"),
        RefusalDelta("no"),
        AnswerDelta(""),
        AnswerDelta("\n\n"),
        Finished("stop"),
    ):
        live.sink(event)
    live.sink.close()
    assert live.writes == []


def test_what_waits_is_shown_once_no_more_comes() -> None:
    live = Screen().show(["Hello ", "wor", "ld"], seconds=0.001)
    live.sink.flush()  # more may be coming right now
    assert (live.rows(), live.sink.is_waiting) == (["Hello"], True)
    live.time += 0.06
    live.sink.flush()
    assert (live.rows(), live.sink.is_waiting, len(live.writes)) == (["Hello world"], False, 2)
    live.sink.flush()
    assert len(live.writes) == 2
    live.show([f"word {number:06} " for number in range(1000)])
    live.time += 0.06
    live.sink.flush()
    assert "word 000999" in live.rows()[-1]  # also of a tail that is looked at seldom
    assert live.close() == at_once("Hello world" + "".join(f"word {number:06} " for number in range(1000)))


def test_the_tail_makes_room_for_what_others_write() -> None:
    live = Screen().show(["Hello"])
    live.sink(ReasoningDelta("hm"))
    live.stream.feed("thought\n")
    live.time += 0.06
    live.sink.flush()
    assert live.rows() == ["thought", "Hello"]


def test_at_most_twenty_updates_a_second_each_one_write() -> None:
    live = Screen().show(["word "] * 1000, seconds=0.001)
    assert 15 <= len(live.writes) <= 20
    live.sink.close()
    assert len(live.writes) <= 21


def test_an_unchanged_tail_is_not_drawn_again() -> None:
    assert len(Screen().show(["Some words", "", "  ", "\n"]).writes) == 1


def test_without_colour_none_is_used() -> None:
    live = Screen(colour=False).show([DOCUMENT])
    live.sink.close()
    parameters = {
        each for found in re.findall(r"\x1b\[([\d;]*)m", "".join(live.writes)) for each in found.split(";")
    }
    assert {"1", "3"} <= parameters <= {"0", "1", "2", "3", "4", "9"}


def test_colour_is_of_the_sixteen_that_the_terminal_defines() -> None:
    live = Screen().show([DOCUMENT])
    live.sink.close()
    parameters = {
        each for found in re.findall(r"\x1b\[([\d;]*)m", "".join(live.writes)) for each in found.split(";")
    }
    assert "35" in parameters
    assert not parameters & {"38", "48"}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("- **a** b\n  - c", "\x1b[33m• \x1b[0m\x1b[1ma\x1b[0m b\n  \x1b[33m• \x1b[0mc\n"),
        ("7. d", "\x1b[33m7. \x1b[0md\n"),
        ("> *e* f\n>\n> g", "\x1b[2m│ \x1b[0m\x1b[3me\x1b[0m f\n\x1b[2m│\x1b[0m\n\x1b[2m│ \x1b[0mg\n"),
        ("|h|i|\n|-|-|\n|j|k|", "\x1b[1mh\x1b[0m  \x1b[1mi\x1b[0m\n\x1b[2m────\x1b[0m\nj  k\n"),
        ("```\nx\n```", "\x1b[2m```\x1b[0m\n"),
        ("[`a` b](/c)", "\x1b[1;4;36ma\x1b[0m\x1b[4;34m b\x1b[0m\x1b[34m (/c)\x1b[0m\n"),
    ],
)
def test_only_what_a_style_is_for_has_it(text: str, rows: str) -> None:
    live = Screen().show([text])
    live.sink.close()
    assert live.writes[-1].removeprefix("\r\x1b[J") == rows


CONTROLS = [
    "\x1b]52;c;aGk=\x07",
    "\x1b[2J",
    "\x9b31m",
    "\r",
    "\x08",
    "\x00",
    "\x7f",
    "\u202e",
    "\u200b",
    "\ud800",
]
ENTITIES = ["&#27;[2J", "&#x202e;", "&#x9b;", "&#13;", "&#12;", "&#8203;", "&NewLine;", "&Tab;", "&#x2028;"]
MARKUP = [
    "`",
    "```",
    "```\x1b]0;x\x07\n",
    "\n",
    "|",
    "[a](x\x1b[2J)",
    "![\x07](\u202e)",
    "<a \x1b>",
    "**",
    "# ",
]


@settings(max_examples=100)
@given(st.lists(st.sampled_from([*CONTROLS, *ENTITIES, *MARKUP]), max_size=12))
def test_nothing_in_an_answer_is_obeyed(pieces: list[str]) -> None:
    live = Screen(60, 10).show(pieces)
    live.sink.close()
    rest = "".join(OURS.sub("", write) for write in live.writes)
    forbidden = {"Cc", "Cs", "Cf", "Zl", "Zp"}
    assert not [each for each in rest if unicodedata.category(each) in forbidden and each not in "\n\t"]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("[bold red]x[/] :smile:", "[bold red]x[/] :smile:"),
        ("`[red]x[/]`", "[red]x[/]"),
        ("```\n[red]x[/]\n```", "[red]x[/]"),
        ("# [red]x[/]", "[red]x[/]"),
        ("- [red]x[/]", "• [red]x[/]"),
        ("|[red]x[/]|\n|-|\n|y|", "[red]x[/]"),
        ("last\r", "last␍"),
        ("<b>x</b> <script>y</script>", "<b>x</b> <script>y</script>"),
        ("<!-- hidden -->", "<!-- hidden -->"),
        ("[//]: # (hidden)", "[//]: # (hidden)"),
        ("a&#x202e;b", "a<U+202E>b"),
        ("a&#27;b", "a\ufffdb"),
        ("[good](https://evil.example)", "good (https://evil.example)"),
        ("[https://x.example](https://x.example)", "https://x.example"),
        ("<https://x.example>", "https://x.example"),
        ("<a@x.example>", "a@x.example"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        ("[文](https://x.example/路径)", "文 (https://x.example/路径)"),
        ("![a picture](https://x.example/p.png)", "![a picture](https://x.example/p.png)"),
    ],
)
def test_text_is_literal_and_addresses_are_visible(text: str, row: str) -> None:
    assert row in at_once(text)


def calls(work: Callable[[], object]) -> int:
    """How many function calls some work takes: a measure of cost that no load of the machine changes."""
    number = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return number


@pytest.mark.parametrize(
    "unit",
    [
        "A paragraph with **bold** words.\n\n",
        "- an item\n",
        "a line of many\n",
        "```\ncode\n```\n",
        "one long line ",
    ],
)
def test_the_cost_is_linear_in_the_length(unit: str) -> None:
    def work(times: int) -> None:
        sink = MarkdownSink(lambda _: None, lambda: 80, lambda: 24, count().__next__, False)
        for piece in chunks(unit * times, 300):
            sink(AnswerDelta(piece))
        sink.close()

    work(10)
    assert calls(lambda: work(1200)) < 5 * calls(lambda: work(300))
