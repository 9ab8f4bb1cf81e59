"""JSON and JSON Lines as documents: which values the model sees, and that nothing else changes by a byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import found, lines_of, pieces_of, shout, translated, units

from gptkit.core.errors import DataError, UsageError
from gptkit.text.formats.json import Json
from gptkit.text.formats.plain import PlainText

MESSAGES = """{
  "id": "btn_ok", "version": "1.2.0",
  "title" : "Title",\t"color": "#ff8800",
  "menu": { "open": "Open {file}", "Save": "Save", "nested": ["One fish", 2, null, "https://a.com/b"] },
  "when": "2024-05-01T10:00:00Z", "n": -1.5e3, "empty": ""
}
"""
CODE = """\
btn_ok
saveButton
com.example.app
#fff
#A1B2C3
https://a.b/c?d=e
a@b.org
en-US
2024-05-01
2024-05-01T10:00:00+02:00
images/logo.png
/usr/bin/env
v1.2.3
12 px
{{x}}
7c9e6679-7425-40de-944b-e07fc1f90ae7
%s: %d
true
rgb(1, 2, 3)
<br>
***"""
PROSE = """\
Save
OK
check-in
Terms & conditions
and/or
保存
no
Hi {name}!"""


def test_only_values_that_are_language_are_translated() -> None:
    assert units(Json(), MESSAGES) == ["Title", "Open ⟦0⟧", "Save", "One fish"]
    expected = MESSAGES
    for old, new in (
        ('"Title"', '"TITLE"'),
        ("Open {", "OPEN {"),
        (': "Save"', ': "SAVE"'),
        ("One fish", "ONE FISH"),
    ):
        expected = expected.replace(old, new)
    assert translated(Json(), MESSAGES, shout) == expected


@pytest.mark.parametrize("value", CODE.splitlines())
def test_what_programs_read_is_left_alone(value: str) -> None:
    assert units(Json(), json.dumps({"a": value})) == []


@pytest.mark.parametrize("value", PROSE.splitlines())
def test_what_people_read_is_translated(value: str) -> None:
    assert len(units(Json(), json.dumps({"a": value}))) == 1


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["title"], ["Top"]),
        (["*.title"], ["One", "Two"]),
        (["**.title"], ["Top", "One", "Two"]),
        (["items.1"], ["Two", "More"]),
        (["items.*.text"], ["More"]),
        (["$.items.te*"], ["More"]),
        (["title", "items.text"], ["Top", "More"]),
        (["nothing"], []),
    ],
)
def test_keys_choose(patterns: list[str], expected: list[str]) -> None:
    document = '{"title": "Top", "items": [{"title": "One"}, {"title": "Two", "text": "More"}]}'
    assert units(Json().with_keys(patterns), document) == expected


def test_a_pattern_with_an_empty_key_is_refused() -> None:
    with pytest.raises(UsageError, match="empty key"):
        Json().with_keys(["a..b"])


def test_the_path_is_the_keys_above_all_texts() -> None:
    (piece,) = pieces_of(Json(), '{"a": {"b": {"c": "One fish", "d": ["Two fish"]}}}')
    assert piece.path == ("a", "b")


@pytest.mark.parametrize(
    ("source", "new", "expected"),
    [
        ('"caf\\u00e9 x"', "thé", '"th\\u00e9"'),
        ('"café x"', "thé", '"thé"'),
        ('"a b"', 'say "é"\n\\', '"say \\"é\\"\\n\\\\"'),
        ('"1\\/2 cup"', "1/2 tasse", '"1\\/2 tasse"'),
        ('"1/2 cup"', "1/2 tasse", '"1/2 tasse"'),
        ('"x \\u003c y"', "z < y", '"z \\u003c y"'),
        ('"\\ud83d\\ude00 joy"', "joie 😀", '"joie \\ud83d\\ude00"'),
    ],
)
def test_escapes_are_written_as_the_file_does(source: str, new: str, expected: str) -> None:
    assert translated(Json(), source, lambda _: new) == expected


def test_white_space_at_the_ends_and_carriage_returns_come_back() -> None:
    source = '{"a": "  one\\r\\ntwo \\n"}'
    assert units(Json(), source) == ["one⟦0⟧\ntwo"]
    assert translated(Json(), source, shout) == '{"a": "  ONE\\r\\nTWO \\n"}'


def test_half_of_a_surrogate_pair_stays_out_of_the_request() -> None:
    assert translated(Json(), '["a\\ud800b c"]', shout) == '["A\\ud800B C"]'


def test_plural_messages_keep_their_form() -> None:
    source = json.dumps(["You have {n, plural, one {# new item} other {# new items}} in {where}."])
    (piece,) = pieces_of(Json(), source)
    assert piece.masks == ("{n, plural, one {", "} other {", "}}", "{where}")
    assert piece.units == ("You have ⟦0⟧# new item⟦1⟧# new items⟦2⟧ in ⟦3⟧.",)


def test_the_number_of_a_plural_stays_where_it_is_more_than_one() -> None:
    source = json.dumps({"a": "{n, plural, one {# item} other {# items}}"})
    (piece,) = pieces_of(Json(), source)

    def levels(answer: str) -> list[tuple[str, str]]:
        return [(one.level, one.message) for one in Json().findings(piece, answer)]

    assert levels("⟦0⟧un élément⟦1⟧# éléments⟦2⟧") == [("doubtful", "placeholder '#' missing")]
    assert levels("⟦0⟧# élément⟦1⟧des éléments⟦2⟧") == [("wrong", "placeholder '#' missing")]


def test_json_lines() -> None:
    source = '{"q": "How are you?", "id": 1}\n{"q": "Fine, thanks", "id": 2}\r\n\n'
    assert translated(Json(), source, shout) == source.replace("How are you", "HOW ARE YOU").replace(
        "Fine, thanks", "FINE, THANKS"
    )


@pytest.mark.parametrize(
    "source",
    [
        *('{"a": }', '{"a" 1}', "[1 2]", '{"a": "b"', '["a', '["a\nb"]', "[}", "{1: 2}", "[1,]", '{"a": 1,}'),
        *("[tru]", "[nul", "// no\n{}", '"\\x"', "]", "[01x]", "hello"),
    ],
)
def test_what_is_not_json_is_refused_by_line(source: str) -> None:
    with pytest.raises(DataError, match=r"json, line [12]: "):
        list(Json().pieces(lines_of(source), 100))


def test_chunks_may_end_anywhere() -> None:
    source = '{"key": "A text \\u00e9 here", "n": 123.5, "t": [true, null]}'
    for size in range(1, 12):
        chunks = [source[at : at + size] for at in range(0, len(source), size)]
        pieces = list(Json().pieces(chunks, 100))
        assert "".join(piece.source for piece in pieces) == source
        assert [unit for piece in pieces for unit in piece.units] == ["A text é here"]


def test_a_long_text_is_cut_at_sentences() -> None:
    text = "This is a sentence, number one. " * 30
    pieces = pieces_of(Json(), json.dumps({"a": text}), 100)
    assert len(pieces) > 3
    assert all(
        unit.startswith("This is") and unit.endswith("one.") for piece in pieces for unit in piece.units
    )
    assert json.loads(translated(Json(), json.dumps({"a": text}), shout, 100)) == {"a": text.upper()}


def test_findings() -> None:
    source = '{\n"a": "Hello {name}",\n"b": "There are 12 months",\n"c": "Third"}'
    assert found(Json(), source, ["Salut ⟦0⟧", "Il y a 12 mois", "Troisième"]) == []
    assert found(Json(), source, ["Salut", "Il y a 12 mois", "Troisième"]) == [
        "line 2: placeholder '{name}' missing"
    ]
    assert found(Json(), source, ["Salut ⟦0⟧", "Il y a 13 mois", ""]) == [
        "line 3: number '12' missing",
        "line 3: number '13' added",
        "line 4: text 3 of 3 is empty",
    ]
    assert found(Json(), source, ["Salut ⟦0⟧", "Il y a 12 mois"]) == ["line 4: text 3 of 3 missing"]
    assert found(Json(), source, ["Salut ⟦0⟧", "Il y a 12 mois", "x", "y"]) == [
        "line 1: text 4 was not asked for"
    ]


def test_one_text_may_be_answered_without_its_mark() -> None:
    (piece,) = pieces_of(Json(), '["Good morning"]')
    assert Json().restore(piece, "Bonjour\n") == '["Bonjour"]'
    assert Json().findings(piece, "Bonjour\n") == ()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('{"a": 1}', True),
        ('\ufeff\n[\n {"a": 1', True),
        ('["a", "b"]', True),
        ("[link](x)", False),
        ("{a}", False),
        ('["quoted"](x)', False),
        ("", False),
    ],
)
def test_recognised_by_content(head: str, expected: bool) -> None:
    assert Json().recognises(head) is expected


def test_other_formats_have_no_keys() -> None:
    assert not hasattr(PlainText(), "with_keys")


STRINGS = st.text(max_size=60) | st.text(
    st.sampled_from("ab. 世界。\n\r\t'\"\\{}%s:#-,[]&*é😀\u2028\x85\x07"), max_size=120
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    STRINGS | st.text(st.characters(), max_size=6) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150)
@given(VALUES, st.booleans(), st.sampled_from([None, 2]), st.sampled_from([30, 60, 1000]))
def test_any_value_stays_itself_around_its_texts(
    value: Any, ascii_only: bool, indent: int | None, most: int
) -> None:
    source = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    pieces_of(Json(), source, most)
    answer = json.loads(translated(Json(), source, lambda unit: unit + " 'x\": \n,é", most))
    assert _shape(answer) == _shape(value)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value) if isinstance(value, str) else value
