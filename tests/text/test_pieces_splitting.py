"""Taking documents apart: what must hold of any document in any format."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from document_samples import EVERYTHING, TAO_TE_CHING, chinese, html, markdown, prose
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.core.tokens import estimate_tokens
from gptkit.encodings.stream import split_lines
from gptkit.text.formats import FORMATS, detect_format, format_named
from gptkit.text.formats.html import Html
from gptkit.text.formats.markdown import Markdown
from gptkit.text.formats.plain import PlainText
from gptkit.text.pieces import Format, Piece

SPLITTING: tuple[Format, ...] = (Markdown(), PlainText(), Html())
LIMITS = st.sampled_from([20, 60, 300, 2000])
ANY = st.one_of(markdown(), html(), st.text())


def split(how: Format, text: str, most: int) -> list[Piece]:
    return list(how.pieces(split_lines([text]), most))


@pytest.mark.parametrize("how", SPLITTING, ids=lambda how: how.name)
@given(text=ANY, most=LIMITS)
@settings(max_examples=80)
def test_pieces_join_to_the_input_and_fit(how: Format, text: str, most: int) -> None:
    pieces = split(how, text, most)
    assert "".join(piece.source for piece in pieces) == text
    for piece in pieces:
        assert how.restore(piece, piece.text) == piece.source
        assert how.restore(piece, f"\n{piece.text}\n\n") == piece.source
        assert how.findings(piece, piece.text + "\n") == ()
        assert estimate_tokens(piece.text) <= most
        assert piece.text == piece.text.strip()
        assert "\r" not in piece.text


@pytest.mark.parametrize("how", SPLITTING, ids=lambda how: how.name)
@given(text=ANY)
@settings(max_examples=40)
def test_halves_are_pieces_as_well(how: Format, text: str) -> None:
    for piece in split(how, text, 300):
        if piece.text and (halves := how.halves(piece)):
            assert halves[0].source + halves[1].source == piece.source
            assert all(how.restore(half, half.text) == half.source for half in halves)
            assert all(half.text for half in halves)
            assert [half.line for half in halves] == [piece.line, piece.line + ends(halves[0].source)]


@pytest.mark.parametrize("how", SPLITTING, ids=lambda how: how.name)
@given(text=ANY)
@settings(max_examples=40)
def test_each_piece_knows_its_line(how: Format, text: str) -> None:
    line = 1
    for piece in split(how, text, 60):
        assert piece.line == line
        line += ends(piece.source)


def test_a_very_small_limit_leaves_single_characters() -> None:
    for piece in split(PlainText(), "天地玄黄 abc", 1):
        assert len(piece.text) <= 1 or estimate_tokens(piece.text) <= 1


Maker = Callable[[random.Random], str]
DOCUMENTS: dict[str, tuple[Format, Maker]] = {
    "markdown": (Markdown(), lambda source: prose(source, source.randrange(1, 7))),
    "headings": (
        Markdown(),
        lambda source: ("## " if source.random() < 0.1 else "") + prose(source, source.randrange(1, 4)),
    ),
    "chinese": (Markdown(), lambda source: chinese(source, source.randrange(20, 200))),
    "plain": (PlainText(), lambda source: prose(source, source.randrange(1, 7))),
    "html": (Html(), lambda source: f"<p>{prose(source, source.randrange(1, 7))}</p>"),
}


@pytest.mark.parametrize("kind", ["markdown", "headings", "chinese", "plain"])
def test_an_edit_changes_its_own_piece(kind: str) -> None:
    """Words added to a paragraph change its piece, and hardly ever a border."""
    how, make = DOCUMENTS[kind]
    changed = Counter(changes(how, make, seed, lambda _, old: old + " More words.") for seed in range(60))
    assert changed[1] >= 54
    assert max(changed) <= 3


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_another_paragraph_moves_only_the_borders_beside_it(kind: str) -> None:
    how, make = DOCUMENTS[kind]
    changed = Counter(changes(how, make, seed, lambda source, _: make(source)) for seed in range(60))
    if kind != "html":
        assert max(changed) <= 3
    assert changed[1] + changed[2] >= 50


def changes(how: Format, make: Maker, seed: int, edit: Callable[[random.Random, str], str]) -> int:
    source = random.Random(seed)
    paragraphs = [make(source) for _ in range(80)]
    before = Counter(piece.text for piece in split(how, "\n\n".join(paragraphs), 600))
    place = source.randrange(len(paragraphs))
    paragraphs[place] = edit(source, paragraphs[place])
    after = Counter(piece.text for piece in split(how, "\n\n".join(paragraphs), 600))
    return (after - before).total()


@pytest.mark.parametrize("how", SPLITTING, ids=lambda how: how.name)
def test_pieces_come_while_the_input_does(how: Format) -> None:
    """No more is read than what may have to do with the piece; a book's end is not waited for."""
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        source = random.Random(1)
        while True:
            read += 1
            yield f"<p>{prose(source, 5)}</p>\n" if how.name == "html" else prose(source, 5) + "\n\n"

    pieces = how.pieces(endless(), 500)
    assert all(next(pieces).source for _ in range(20))
    assert read < 2000


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (Markdown(), "A paragraph of text.\n\n"),
        (Markdown(), "- an item of a list\n"),
        (PlainText(), "words and more. "),
    ],
)
def test_memory_does_not_grow_with_the_input(how: Format, line: str) -> None:
    assert peak(how, line, 80) < peak(how, line, 40) * 1.25 + 500_000


def peak(how: Format, line: str, blocks: int) -> int:
    """Bytes that splitting takes at most, of so many blocks of 4 KiB."""
    tracemalloc.start()
    for _ in how.pieces(split_lines(line * (4096 // len(line)) for _ in range(blocks)), 500):
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


MONOTONOUS = ("` `` ", "[", "]", '<a "', "<a ", "<!--", "$a ", "⟦", "&", "a@", "[a](", "  - a\n", "x\r")


@pytest.mark.parametrize("line", MONOTONOUS)
@pytest.mark.parametrize("how", SPLITTING, ids=lambda how: how.name)
def test_monotonous_text_joins(how: Format, line: str) -> None:
    text = line * (20_000 // len(line))
    assert "".join(piece.source for piece in split(how, text, 500)) == text


def test_an_open_block_of_code_is_passed_on_as_it_comes() -> None:
    pieces = Markdown().pieces(["Text.\n\n", "```\n", *["code\n\n"] * 30_000], 500)
    assert next(pieces).text == "Text."
    rest = list(pieces)
    assert {piece.text for piece in rest} == {""}
    assert max(len(piece.source) for piece in rest) < 1 << 18


@pytest.mark.parametrize("how", SPLITTING, ids=lambda how: how.name)
@pytest.mark.parametrize(
    "text", [EVERYTHING, EVERYTHING.replace("\n", "\r\n"), TAO_TE_CHING, TAO_TE_CHING * 40]
)
def test_whole_documents(how: Format, text: str) -> None:
    for most in (20, 100, 1000):
        pieces = split(how, text, most)
        assert "".join(how.restore(piece, piece.text) for piece in pieces) == text
        assert all(estimate_tokens(piece.text) <= most for piece in pieces)


def test_chinese_is_cut_at_sentences() -> None:
    for piece in split(PlainText(), TAO_TE_CHING.replace("\n", "") * 30, 200):
        assert piece.text.endswith("。")


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.md", "", "markdown"),
        ("A.HTML", "", "html"),
        ("notes.txt", "# Title\n\n- a\n- b\n", "text"),
        (None, "# Title\n\nSome `code` here.\n", "markdown"),
        (None, "```\ncode\n```\n", "markdown"),
        (None, "<!DOCTYPE html>\n<html>", "html"),
        (None, "Only prose, with a - dash.\n", "text"),
        (None, "# 1 on a list that is none\n", "text"),
        (None, "# 标题\n\n正文。\n", "markdown"),
        (None, "\r\n## Title\r\n\r\nText.\r\n", "markdown"),
        (None, "#!/bin/sh\n\necho\n", "text"),
        (None, "Text.\n\n# 1 on a list\n\n", "text"),
        ("README", "Title\n=====\n\n- a\n", "markdown"),
        (None, "", "text"),
    ],
)
def test_formats_are_recognised(name: str | None, head: str, expected: str) -> None:
    assert detect_format(name, head).name == expected


def test_formats_have_names_of_their_own() -> None:
    assert [known.load().name for known in FORMATS] == [known.name for known in FORMATS]
    assert format_named("unheard") is None
    assert format_named("htm") is format_named("html")


HEADS = [*"a# |>:-*`={[\n", "##", "```", "---", "[a]", "(b)", "**", "===", "<html", '"a"', "<!--", "-->"]
HEADS += ["msgid", "msgstr", "WEBVTT", "1", "00:00:01,000 --> 00:00:02,000"]


@given(st.lists(st.sampled_from(HEADS), max_size=8).map("".join))
def test_what_a_format_recognises_may_begin_so(head: str) -> None:
    for known in FORMATS[:-1]:
        assert known.may_begin(head) or not known.load().recognises(head)


def ends(text: str) -> int:
    return sum(line.endswith(("\n", "\r")) for line in split_lines([text]))
