"""What holds for every format of many short texts: edits stay local, names and content find them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import pieces_of

from gptkit.core.errors import UsageError
from gptkit.text.formats import detect_format, format_named
from gptkit.text.formats.json import Json
from gptkit.text.formats.po import Po
from gptkit.text.formats.subtitles import SubRip
from gptkit.text.formats.units import UnitFormat
from gptkit.text.formats.yaml import Yaml

Rows = Sequence[str]


def as_json(rows: Rows) -> str:
    return "[\n" + ",\n".join(f'"{row}"' for row in rows) + "]\n"


def as_yaml(rows: Rows) -> str:
    return "en:\n" + "".join(f"  - {row}\n" for row in rows)


def as_catalog(rows: Rows) -> str:
    return "".join(f'msgid "{row}"\nmsgstr ""\n\n' for row in rows)


ROWS = [f"Message number {number * number} says {'so ' * (number % 7)}much" for number in range(500)]


@settings(max_examples=25)
@given(
    st.sampled_from([(Json(), as_json), (Yaml(), as_yaml), (Po(), as_catalog)]),
    st.integers(0, 499),
    st.sampled_from(["edit", "insert", "delete"]),
)
def test_an_edit_changes_the_piece_that_holds_it(
    kind: tuple[UnitFormat, Callable[[Rows], str]], at: int, what: str
) -> None:
    known, written = kind
    edited = list(ROWS)
    edited[at : at + (what != "insert")] = [] if what == "delete" else [f"Other words {at}"]
    before = {piece.text for piece in known.pieces(written(ROWS).splitlines(keepends=True), 400)}
    after = {piece.text for piece in known.pieces(written(edited).splitlines(keepends=True), 400)}
    assert len(before) > 15
    assert len(after - before) <= 4


def test_a_piece_is_halved_down_to_one_text_and_further_within_it() -> None:
    (piece,) = pieces_of(Json(), '["One two. Three four five.", "Six", "Seven"]')
    texts: list[str] = []
    todo = [piece]
    while todo:
        one = todo.pop()
        halves = Json().halves(one) if len(one.text) > 24 else None
        if halves:
            todo += reversed(halves)
        else:
            texts += one.units
    assert texts == ["One two.", "Three four five.", "Six", "Seven"]


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.srt", "", "srt"),
        ("a.VTT", "", "vtt"),
        ("de.po", "", "po"),
        ("a.jsonl", "", "json"),
        ("en.yml", "", "yaml"),
        (None, '{"a": "b"}', "json"),
        (None, "WEBVTT\n", "vtt"),
        (None, 'msgid ""\nmsgstr ""\n', "po"),
        (None, "en:\n  a: b\n", "yaml"),
        (None, "1\n00:00:01,000 --> 00:00:02,000\nHi\n", "srt"),
    ],
)
def test_found_by_name_and_by_content(name: str | None, head: str, expected: str) -> None:
    assert detect_format(name, head).name == expected


MARKED = "a " + '<a href="x y SECRET">' * 40 + " {{ SECRET name }} %(SECRET name)s" * 40


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("json", json.dumps([MARKED])),
        ("yaml", f"a: |\n  {MARKED}\n"),
        ("yaml", f"a: '{MARKED}'\n"),
        ("yaml", f"a: {json.dumps(MARKED)}\n"),
        ("po", f'msgid {json.dumps(MARKED)}\nmsgstr ""\n'),
        ("srt", f"1\n00:00:01,000 --> 00:00:02,000\n{MARKED}\n"),
        ("html", f"<p>{MARKED}</p>"),
    ],
)
def test_a_long_text_is_not_cut_within_a_tag_or_a_placeholder(name: str, document: str) -> None:
    known = format_named(name)
    assert isinstance(known, UnitFormat)
    pieces = pieces_of(known, document, 100)
    assert len(pieces) > 5
    assert not [piece.text for piece in pieces if "SECRET" in piece.text]


def test_only_named_values_have_keys() -> None:
    with pytest.raises(UsageError, match="--keys: 'a' chooses nothing in srt"):
        SubRip().with_keys(["a"])
    known = format_named("json")
    assert isinstance(known, Json)
    assert isinstance(known.with_keys(["a"]), Json)


def test_an_answer_with_more_or_other_texts_is_found_out() -> None:
    (piece,) = pieces_of(Json(), '["One thing", "Two things"]')

    def messages(answer: str) -> list[str]:
        return [finding.message for finding in Json().findings(piece, answer)]

    assert messages("⟦#1⟧\nUn\n⟦#2⟧\nDeux\n") == []
    assert messages("Voici :\n⟦#1⟧\nUn\n⟦#2⟧\nDeux") == ["there is text before the first unit"]
    assert messages("⟦#1⟧\nUn\n⟦#1⟧\nDeux") == ["text 1 is there more than once", "text 2 of 2 missing"]
    assert messages("Un\nDeux") == ["text 1 of 2 missing", "text 2 of 2 missing"]
    assert Json().restore(piece, "⟦#2⟧\r\nDeux\r\n") == '["One thing", "Deux"]'
