"""Taking documents apart costs work in proportion to their length, however they are made."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from work import calls, grows_with

from gptkit.core.tokens import estimate_tokens
from gptkit.encodings.stream import split_lines
from gptkit.text.checks.numbers import differences
from gptkit.text.chunk import group_blocks, make_block
from gptkit.text.formats import format_named
from gptkit.text.formats.units import find_middle


@pytest.mark.parametrize(
    ("name", "start", "part", "end"),
    [
        ("yaml", "", "# a comment of some words\n" * 5, "a: b\n"),
        ("yaml", "", "#\n" * 60, "a: b\n"),
        ("yaml", "a: |\n", "  a line of some words\n", ""),
        ("yaml", 'a: "' + "some words " * 1000, " " * 8, 'c"\n'),
        ("yaml", "a: " + "some words " * 1000, " " * 8, "c\n"),
        ("json", '["', "some words. ", '"]'),
        ("srt", "1\n00:00:01,000 --> 00:00:02,000\n", "some words. ", "\n"),
        ("html", "<p>", "some words. ", "</p>"),
        ("html", "<p>", '<img src="a.png">', "</p>"),
        ("markdown", "", "***\n", ""),
        ("markdown", "", "`a` {x}\n\n", ""),
        ("text", "", "some words ", ""),
    ],
)
def test_four_times_the_document_takes_little_more_than_four_times_the_work(
    name: str, start: str, part: str, end: str
) -> None:
    known = format_named(name)
    assert known

    def split(count: int) -> None:
        text = start + part * count + end
        assert sum(len(piece.source) for piece in known.pieces(split_lines([text]), 500)) == len(text)

    grows_with(split, 60_000 // min(len(part), 24))


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("a 5 ", "b 6 "),
        ("at 10:30 ", "um 11.45 "),
        ("3.5 million ", "5,3 Mio. "),
        ("1.2.2024 ", "3. 4. 2025 "),
        ("{} ", "{}1 "),
        ("-5 °C ", "5 °C "),
        ("half an hour ", "30 min "),
    ],
)
def test_the_numbers_of_four_times_the_text_take_little_more_than_four_times_the_work(
    source: str, answer: str
) -> None:
    def compared(count: int) -> None:
        before, after = ("".join(one.format(at) for at in range(count)) for one in (source, answer))
        list(differences(before, after))

    grows_with(compared, 300)


def test_the_tokens_of_a_block_are_counted_once() -> None:
    blocks = [make_block(f"{number:040}\n\n", ()) for number in range(3000)]
    assert calls(estimate_tokens, lambda: list(group_blocks(blocks, 500))) <= len(blocks)


def test_the_tokens_of_a_word_are_counted_once() -> None:
    text = "all the words of a text that come over and over again, seventeen in all, as these here do " * 500
    known = format_named("text")
    assert known
    assert calls(estimate_tokens, lambda: list(known.pieces([text], 60))) < len(text.split()) / 4


class Counted(Sequence[str]):
    """Atoms of a text without any place to cut it; counts how many are looked at."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.looks = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: object) -> list[str]:  # type: ignore[override]
        self.looks += 1
        return ["a", "b"]


def test_the_middle_of_a_text_is_looked_for_near_it_alone() -> None:
    atoms = Counted(1_000_000)
    assert find_middle(atoms) == 500_000
    assert atoms.looks < 10_000


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("One two. Three four five.", 9),
        ("one two three four five si", 14),
        ("abcdefghij", 5),
        ("天地玄黄。宇宙洪荒，日月", 5),
        ("aaaaaa. bbb ccc ddd eee fff gggggg", 8),
        ("aaa. bbb ccc ddd eee fff ggg hhhhh", 17),
    ],
)
def test_the_cut_next_to_the_middle_is_taken(text: str, cut: int) -> None:
    assert find_middle(text) == cut
