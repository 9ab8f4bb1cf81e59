"""YAML as a document: values are rewritten in their own style, everything else stays to the byte."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import found, lines_of, pieces_of, shout, translated, units

from gptkit.core.errors import DataError
from gptkit.text.formats.yaml import Yaml

RAILS = """# Rails
en:
  save: Save   # a button
  greeting: &hi "Hello, %{name}\\n!"
  again: *hi
  'no': 'It''s late'
  count: {one: One item, other: "%{count} items", n: 12, ok: btn_ok}
  list:
  - First thing
  - {deep: [Second thing, yes]}
  text: |-
    First line
      indented

    last line

  story: >
    This is folded
    into a line.

    Second paragraph.
  tagged: !!str Some words
  symbol: !ruby/symbol some words
  ? complex key
  : Plain text
    over two lines
  on: 2024-05-01
  empty:
...
"""
TEXTS = (
    "Save/Hello/It''s late/One item/ items/First thing/Second thing/First line/indented/last line/"
    "Second paragraph/Some words/lines\n"
)


def test_only_values_that_are_language_are_translated() -> None:
    (piece,) = pieces_of(Yaml(), RAILS)
    assert piece.path == ("en",)
    assert piece.units == (
        "Save",
        "Hello, ⟦0⟧\n!",
        "It's late",
        "One item",
        "⟦1⟧ items",
        "First thing",
        "Second thing",
        "First line\n  indented\n\nlast line",
        "This is folded into a line.\nSecond paragraph.",
        "Some words",
        "Plain text over two lines",
    )


def test_each_is_written_in_its_own_style() -> None:
    expected = RAILS.replace("Plain text\n    over two", "PLAIN TEXT OVER TWO")
    expected = expected.replace("This is folded\n    into a line.", "THIS IS FOLDED INTO A LINE.")
    for text in TEXTS.split("/"):
        expected = expected.replace(text, text.upper())
    assert translated(Yaml(), RAILS, shout) == expected


@pytest.mark.parametrize(
    ("source", "new", "expected"),
    [
        ("a: Save it", "Sauver: tout", 'a: "Sauver: tout"'),
        ("a: Save it", "Sauver # 1", 'a: "Sauver # 1"'),
        ("a: Save it", "no", 'a: "no"'),
        ("a: Save it", "12", 'a: "12"'),
        ("a: Save it", "0o14", 'a: "0o14"'),
        ("a: Save it", "- x", 'a: "- x"'),
        ("a: Save it", '"Oui" dit-il', "a: '\"Oui\" dit-il'"),
        ("a: Save it", "Oui, l'été", "a: Oui, l'été"),
        ("a: [Save it]", "Oui, non", 'a: ["Oui, non"]'),
        ("a: Save it", "un\ndeux", 'a: "un\\ndeux"'),
        ("a: 'Save it'", "l'été", "a: 'l''été'"),
        ("a: 'Save it'", "un\ndeux", 'a: "un\\ndeux"'),
        ('a: "Save it"', 'l"été\\', 'a: "l\\"été\\\\"'),
        ('a: "caf\\u00e9 x"', "th😀", 'a: "th\\U0001f600"'),
        ("a: |\n  One two\n", "Un\n\n  deux", "a: |\n  Un\n\n    deux\n"),
        ("a: |+2\n  One two\n\n", "Un\ndeux", "a: |+2\n  Un\n  deux\n\n"),
        ("- >-\r\n  One two\r\n", "Un\ndeux", "- >-\r\n  Un\r\n\r\n  deux\r\n"),
        ("Save it", "Sauver: tout", '"Sauver: tout"'),
    ],
)
def test_quotes_only_where_the_translation_needs_them(source: str, new: str, expected: str) -> None:
    assert translated(Yaml(), source, lambda _: new) == expected
    value = yaml.safe_load(expected)
    while not isinstance(value, str):
        value = value[0] if isinstance(value, list) else value["a"]
    assert value.rstrip("\n") == new


def test_keys_choose() -> None:
    assert units(Yaml().with_keys(["en.list", "en.count.one"]), RAILS) == [
        "One item",
        "First thing",
        "Second thing",
    ]
    assert units(Yaml().with_keys(["**.deep"]), RAILS) == ["Second thing"]


@pytest.mark.parametrize("style", ["'", '"', "|", ">", None])
def test_a_long_text_is_cut_and_still_says_the_same(style: str | None) -> None:
    text = (
        "This is a sentence, it isn't short. " * 20
        + "\nThen one more. "
        + "And another one follows. " * 20
        + "End"
    )
    source = yaml.safe_dump({"a": {"b": text}}, default_style=style, width=60)
    assert len(pieces_of(Yaml(), source, 100)) > 3
    assert yaml.safe_load(translated(Yaml(), source, shout, 100).replace('"A"', "a").replace('"B"', "b")) == {
        "a": {"b": text.upper()}
    }


def test_a_part_of_a_plain_scalar_must_stay_plain() -> None:
    pieces = pieces_of(Yaml(), "a: " + "some words and so on " * 60 + "end\n", 100)
    assert [finding.kind for finding in Yaml().findings(pieces[0], "un: deux")] == ["form"]
    assert Yaml().restore(pieces[0], "un: deux") == pieces[0].source


def test_documents_bom_and_comments() -> None:
    source = "\ufeff# c\n%YAML 1.1\n---\na: One two # x\n---\n- Three four\n"
    assert translated(Yaml(), source, shout) == source.replace("One two", "ONE TWO").replace(
        "Three four", "THREE FOUR"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a: [", "yaml, line 2, column 1: not YAML"),
        ('a: "b', "yaml, line 1, column 6: not YAML"),
        ("a: b: c", "yaml, line 1, column 5: not YAML"),
        ("\ta: b", "yaml, line 1, column 1: not YAML"),
        ("a: \x07", "yaml: not YAML"),
        ("a: *b c\n- d", "yaml, line 1, column 7: not YAML"),
        ("@", "yaml, line 1, column 1: not YAML"),
        ("a\ud800: b", "yaml: half of a surrogate pair in the text"),
    ],
)
def test_what_is_not_yaml_is_refused(source: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}$"):
        list(Yaml().pieces(lines_of(source), 100))


def test_findings_name_the_line() -> None:
    assert found(Yaml(), "a:\n  b: Hello %{name}\n", ["Salut"]) == ["line 2: placeholder '%{name}' missing"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (RAILS, True),
        ("---\na:\n  b: c\n", True),
        ("---\ntitle: x\ntags:\n  - a\n---\n# Markdown\n", False),
        ("Note: this is prose.\nIt goes on: here.\n", False),
        ("", False),
    ],
)
def test_recognised_by_content(head: str, expected: bool) -> None:
    assert Yaml().recognises(head) is expected


STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    st.sampled_from("ab. 世。\n\t'\"\\{}%s:#-,[]&*é😀"), max_size=100
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    STRINGS | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=8,
)
STYLES = st.sampled_from([None, "'", '"', "|", ">"])
MORE = st.sampled_from([" z: , #x", " zut\n\nalors", "no", '"', " x\ny' z \\é"])


@settings(max_examples=200)
@given(VALUES, st.booleans() | st.none(), STYLES, st.sampled_from([30, 60, 1000]), MORE)
def test_any_value_stays_itself_around_its_texts(
    value: Any, flow: bool | None, style: str | None, most: int, more: str
) -> None:
    source = yaml.safe_dump(value, allow_unicode=True, default_flow_style=flow, default_style=style)
    pieces_of(Yaml(), source, most)
    assert_extended(
        yaml.safe_load(source), yaml.safe_load(translated(Yaml(), source, lambda unit: unit + more)), more
    )


def assert_extended(before: Any, after: Any, more: str) -> None:
    """Every string is as it was or has more behind its last sign."""
    assert type(before) is type(after)
    if isinstance(before, dict):
        assert list(before) == list(after)
        for key, value in before.items():
            assert_extended(value, after[key], more)
    elif isinstance(before, list):
        for one, other in zip(before, after, strict=True):
            assert_extended(one, other, more)
    elif before != after:
        core = before.strip()
        assert after.strip() == (before[: before.index(core)] + core + more).strip()


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(list("ab :-[]{}\n\t'\"|>&*!%#,?é世⟦⟧\ufeff\u2028")), max_size=40).map("".join)
)
def test_any_text_joins_or_is_refused(text: str) -> None:
    try:
        pieces_of(Yaml(), text)
    except DataError:
        return
