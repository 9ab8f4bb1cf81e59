"""Documents full of the program's own signs, or of broken markup: taken apart and joined like any other."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.core.errors import DataError
from gptkit.core.tokens import estimate_tokens
from gptkit.text.chunk import split_lines
from gptkit.text.formats import FORMATS, format_named
from gptkit.text.formats.po_catalog import encode_field
from gptkit.text.pieces import MARK, Format, Piece

ROOM = 60
SIGNS = ["⟦", "⟧", "⟦0⟧", "⟦#1⟧", "⟦⟧", "\\", "\\⟦", "\\⟧", "`", "``", "`a`", "`⟦1⟧`", "  \n", "\\\n", "\n"]
SIGNS += [
    "\r\n",
    "\n\n",
    " ",
    "word",
    "Two words. ",
    "你好。",
    "[a](b⟦)",
    "[a]",
    "]",
    "[a]: /b\n",
    "**",
    "| a ",
    "|",
    "- ",
]
SIGNS += [
    "> ",
    "# ",
    "$x$",
    "{x}",
    "%s",
    "<b>",
    "</b>",
    "<!--",
    "-->",
    "a@b.c",
    "http://a.b/⟦",
    "```\n",
    "$$\n",
    "&lt;",
]
RICH = st.lists(st.sampled_from(SIGNS), max_size=40).map("".join)


def as_document(name: str, text: str) -> str:
    inner = " ".join(text.split()) or "x"
    if name == "json":
        return json.dumps({"a": text, "b": [text, "word"]}, ensure_ascii=False) + "\n"
    if name == "yaml":
        return f"a: {json.dumps(inner, ensure_ascii=False)}\nb: |\n  {inner}\n"
    if name == "po":
        return encode_field("msgid", text or "x", "\n", wraps=True) + 'msgstr ""\n'
    if name in ("srt", "vtt"):
        return f"WEBVTT\n\n1\n00:00:01,000 --> 00:00:02,000\n{text}\n"
    return text


def named(name: str) -> Format:
    known = format_named(name)
    assert known
    return known


def assert_sound(known: Format, text: str, most: int) -> None:
    try:
        pieces = list(known.pieces(split_lines(text), most))
    except DataError:
        return
    assert "".join(piece.source for piece in pieces) == text
    for piece in pieces:
        _assert_sound(known, piece)
        if most >= ROOM:
            assert estimate_tokens(piece.text) <= most


def _assert_sound(known: Format, piece: Piece, depth: int = 6) -> None:
    assert known.restore(piece, piece.text) == piece.source
    assert known.findings(piece, piece.text) == ()
    assert [int(number) for number in MARK.findall(piece.text)] == list(range(len(piece.masks)))
    known.findings(piece, piece.text.replace("⟦0⟧", "").replace("o", "0"))
    known.restore(piece, piece.text.replace("⟦0⟧", "").replace("o", "0"))
    halves = known.halves(piece) if piece.text and depth else None
    if halves:
        assert halves[0].source + halves[1].source == piece.source
        for half in halves:
            _assert_sound(known, half, depth - 1)


@pytest.mark.parametrize("name", [known.name for known in FORMATS])
@settings(max_examples=50)
@given(text=RICH, most=st.sampled_from([8, ROOM, 1000]))
def test_own_signs_in_a_text_are_none_of_its_structure(name: str, text: str, most: int) -> None:
    assert_sound(named(name), as_document(name, text), most)


def test_an_escaped_sign_is_no_hole() -> None:
    (piece,) = named("markdown").pieces(split_lines("a\\⟦\nb  \nc\n"), 1000)
    halves = named("markdown").halves(piece)
    assert [half.source for half in halves or ()] == ["a\\⟦", "\nb  \nc\n"]


@pytest.mark.parametrize("name", ["markdown", "text", "html"])
def test_a_long_line_of_escaped_signs_and_code_is_cut(name: str) -> None:
    text = "".join(f"word {at} `code{at}` and \\⟦ more text here. " for at in range(900)) + "\n"
    assert_sound(named(name), text, 400)
