"""Cards are written as V3 JSON and as gptkit's YAML, and nothing of them is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from character_files import V1, V2, V3, json_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.characters import read, sheet, write
from gptkit.characters.card import Action, Asset, Book, Card, Entry, Variable
from gptkit.errors import DataFault
from gptkit.templates import tree

EMPTY = [
    "description",
    "personality",
    "scenario",
    "first_mes",
    "mes_example",
    "creator_notes",
    "creator",
    "system_prompt",
    "post_history_instructions",
    "character_version",
]
GAME = Card(
    "Mira",
    state=(
        Variable("gold", "integer", 10, 0, 99, help="coins"),
        Variable("door", "choice", "shut", choices=("shut", "open")),
        Variable("心情", "text", "no"),
    ),
    actions=(Action("wave"), Action("give", "gives an item")),
    emotions=("happy", "sad"),
    extensions={"gptkit": {"later": 1}, "x": "1e3"},
)


@pytest.mark.parametrize("whole", [V1, V2, V3])
def test_cards_survive_both_formats(whole: dict[str, object]) -> None:
    card = read.card(json_bytes(whole), "a")
    assert read.card(write.v3(card), "a")._replace(form=card.form) == card
    assert sheet.card(write.own(card), "a")._replace(form=card.form) == card


def test_what_is_written_is_v3() -> None:
    data = json.loads(
        write.v3(Card("Ann", assets=(Asset("icon"),), book=Book((Entry(("a",)),))), modified=12.5)
    )
    assert data == {
        "spec": "chara_card_v3",
        "spec_version": "3.0",
        "data": {
            **dict.fromkeys(EMPTY, ""),
            "name": "Ann",
            "tags": [],
            "alternate_greetings": [],
            "group_only_greetings": [],
            "extensions": {},
            "modification_date": 12,
            "assets": [{"type": "icon", "uri": "", "name": "", "ext": ""}],
            "character_book": {
                "extensions": {},
                "entries": [
                    {
                        "keys": ["a"],
                        "content": "",
                        "extensions": {},
                        "enabled": True,
                        "insertion_order": 0,
                        "use_regex": False,
                    }
                ],
            },
        },
    }


def test_what_a_game_needs_survives() -> None:
    again = read.card(write.v3(GAME), "a")
    assert again._replace(form="YAML") == GAME
    assert json.loads(write.v3(GAME))["data"]["extensions"]["gptkit"]["later"] == 1
    assert sheet.card(write.own(GAME), "a") == GAME


def test_yaml_is_written_to_be_read() -> None:
    card = Card("Ann", "one\ntwo\n", greeting="no", alternate_greetings=("你好: x",), tags=("007",))
    assert write.own(card) == (
        'name: Ann\ndescription: |\n  one\n  two\ntags:\n- "007"\ngreetings:\n- "no"\n- \'你好: x\'\n'
    )


def _made(kind: Callable[..., Any], fields: Mapping[str, object]) -> Any:
    return kind(**fields)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBER = st.none() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
ENTRIES = st.fixed_dictionaries(
    {
        "keys": TEXTS,
        "content": TEXT,
        "enabled": st.booleans(),
        "insertion_order": st.integers(-99, 99),
        "secondary_keys": TEXTS,
        "case_sensitive": st.none() | st.booleans(),
        "priority": NUMBER,
        "position": st.sampled_from([None, "before_char", "after_char"]),
        "id": st.none() | st.integers() | TEXT,
        "extensions": st.dictionaries(TEXT, JSON, max_size=2),
    }
).map(lambda fields: _made(Entry, fields))
BOOKS = st.fixed_dictionaries(
    {"entries": st.lists(ENTRIES, max_size=2).map(tuple), "scan_depth": st.none() | st.integers(0, 9)}
).map(lambda fields: _made(Book, fields))
CARDS = st.fixed_dictionaries(
    {
        "name": TEXT.filter(str.strip),
        "description": TEXT,
        "examples": TEXT,
        "system": TEXT,
        "greeting": TEXT,
        "alternate_greetings": TEXTS,
        "tags": TEXTS,
        "creator_notes_multilingual": st.dictionaries(st.sampled_from(["en", "zh"]), TEXT),
        "book": st.none() | BOOKS,
        "extensions": st.dictionaries(TEXT.filter(lambda key: key != "gptkit"), JSON, max_size=2),
    }
).map(lambda fields: _made(Card, fields))


@settings(max_examples=100)
@given(CARDS)
def test_any_card_survives(card: Card) -> None:
    assert read.card(write.v3(card), "a")._replace(form="YAML") == card
    try:
        text = write.own(card)
    except DataFault as fault:
        assert "empty name" in fault.message
        return
    assert sheet.card(text, "a") == card


def test_what_yaml_cannot_hold_is_told() -> None:
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    for card in (
        Card("a", extensions={"a": deep}),
        Card("a", extensions={"a": {"": 1}}),
        Card("a", "x" * write.YAML_CAP),
        Card("a", tags=("x",) * write.COUNT_CAP),
    ):
        with pytest.raises(DataFault):
            write.own(card)
    assert (write.YAML_CAP, write.COUNT_CAP) == (tree.SIZE_CAP, tree.NODE_CAP)
    assert write.DEPTH_CAP < tree.DEPTH_CAP


def test_assets_inside_the_old_file_are_named() -> None:
    assert write.left_behind(read.card(json_bytes(V3), "a")) == (
        "ccdefault:",
        "embeded://assets/emotion/images/a.png",
    )
    assert write.left_behind(Card("a", assets=(Asset("icon", "https://x/y.png"),))) == ()
