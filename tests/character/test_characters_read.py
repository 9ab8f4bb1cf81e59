"""Character cards are read from every format, and what is no card is refused by what is wrong with it."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from character_files import SIGNATURE, V1, V2, V3, charx, chunk, json_bytes, picture, png, text_chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.capabilities.character import card_files
from gptkit.capabilities.character.card import Asset, BookEntry, Card, CardFinding
from gptkit.core.errors import DataError


def test_v1_is_read() -> None:
    card = card_files.read_card(json_bytes(V1), "a")
    assert card == Card(
        name="Haruhi",
        description="{{char}} runs a club.",
        personality="restless",
        scenario="{{user}} meets {{char}} after school.",
        greeting="You are late, {{user}}.",
        examples="<START>\n{{user}}: hi\n{{char}}: hello\n<START>\n{{user}}: hi\nHaruhi: hello",
        specification="V1",
    )


def test_v2_is_read() -> None:
    card = card_files.read_card(json_bytes(V2), "a")
    assert (card.specification, card.system, card.post_history) == (
        "V2",
        "{{original}} Be brief.",
        "Stay as {{char}}.",
    )
    assert card.greetings == ("You are late, {{user}}.", "Sit down.", "你好，{{user}}。")
    assert (card.tags, card.creator, card.version) == (("school", "校园"), "somebody", "1.2")
    assert card.extensions == V2["data"]["extensions"]  # type: ignore[index]
    assert card.book is not None
    assert (card.book.scan_depth, card.book.token_budget, card.book.recursive_scanning) == (2, 100, False)
    assert card.book.entries == (
        BookEntry(
            keys=("brigade", "社团"),
            content="The brigade has five members.",
            insertion_order=10,
            secondary_keys=("members",),
            selective=True,
            case_sensitive=False,
            priority=5,
            position="before_char",
            name="members",
            comment="who",
            id=1,
            extensions={"b": [None, 2.5]},
        ),
    )


def test_v3_is_read() -> None:
    card = card_files.read_card(json_bytes(V3), "a")
    assert (card.specification, card.name, card.display_name) == ("V3", "Haruhi", "Haru")
    assert card.group_greetings == ("All of you are late.",)
    assert card.source == ("https://example.org/card",)
    assert card.creator_notes_multilingual == {"zh": "说明"}
    assert (card.created, card.modified) == (1700000000, 1700000001)
    assert card.assets == (
        Asset("icon", "ccdefault:", "main", "png"),
        Asset("emotion", "embeded://assets/emotion/images/a.png", "happy", "png"),
    )
    assert card.available_emotions == ("happy",)
    assert card.unknown == {"a_field_of_v4": {"kept": True}}


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "iTXt packed"])
@pytest.mark.parametrize("animated", [False, True])
def test_pictures_are_read(kind: str, animated: bool) -> None:
    assert card_files.read_card(png({"chara": V2}, kind, animated), "a.png") == card_files.read_card(
        json_bytes(V2), "a"
    )


@pytest.mark.parametrize("order", [("chara", "ccv3"), ("ccv3", "chara")])
def test_v3_goes_before_v2_in_one_picture(order: tuple[str, str]) -> None:
    cards = {"chara": V2, "ccv3": V3}
    assert card_files.read_card(png({name: cards[name] for name in order}), "a.png").specification == "V3"


@pytest.mark.parametrize(
    "text",
    [
        b"  " + json_bytes(V1),
        b"eyJuYW1lIjoiQSIsInNjZW5hcmlvIjoi\n5aSPIn0",
        b"eyJuYW1lIjoiQSIsInNjZW5hcmlvIjoi5aSPIn0===",
    ],
    ids=["plain JSON", "line breaks", "padding"],
)
def test_liberties_of_other_writers_are_met(text: bytes) -> None:
    assert card_files.read_card(picture([text_chunk("Chara", text)]), "a.png").name in ("Haruhi", "A")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("before", [b"", b"\xff\xd8\xff a JPEG picture \xff\xd9"])
def test_charx_is_read(packed: bool, before: bytes) -> None:
    files = {"assets/icon/images/a.png": bytes(99), "card.json": json_bytes(V3), "x/card.json": b"no"}
    assert card_files.read_card(before + charx(files, packed), "a.charx").display_name == "Haru"


def test_a_byte_order_mark_is_no_part_of_a_card() -> None:
    assert card_files.read_card(b"\xef\xbb\xbf" + json_bytes(V1), "a").name == "Haruhi"


def _with(**changes: object) -> bytes:
    return json_bytes({**V2, "data": {**V2["data"], **changes}})  # type: ignore[dict-item]


def _entries(*entries: object) -> bytes:
    return _with(character_book={"entries": list(entries)})


DEEP = b'{"spec":"chara_card_v2","data":{"name":"a","extensions":{"a":' + b"[" * 70 + b"]" * 70 + b"}}}"
REFUSED = [
    (b"", "empty"),
    (b"hello", "not JSON: line 1: unexpected 'hello'"),
    (b"\x80abc", "not a character card, or not UTF-8"),
    (b"[]", "not a character card: no JSON object"),
    (b"{}", "spec: not a character card: must be 'chara_card_v2' or 'chara_card_v3'"),
    (b'{"name":"a"}', "spec: not a character card: must be 'chara_card_v2' or 'chara_card_v3'"),
    (b'{"spec":"chara_card_v3"}', "data: missing; it holds the character"),
    (b'{"spec":"lorebook_v3","data":{"entries":[]}}', "spec: a lorebook without a character"),
    (
        b'{"spec":["chara_card_v3"],"data":{}}',
        "spec: not a character card: must be 'chara_card_v2' or 'chara_card_v3'",
    ),
    (b"[" * 100_000, "nested deeper than 64 levels"),
    (DEEP, "nested deeper than 64 levels"),
    (b'{"name":"a","scenario":NaN}', "not JSON: NaN is not a number"),
    (b'{"name":"a","scenario":1e999}', "the number 1e999 is too large"),
    (b'{"name":"a","scenario":' + b"9" * 5000 + b"}", "not JSON: a number is too long"),
    (b'{"name":"a"' + b" " * (8 << 20) + b"}", "the card is larger than 8 MiB"),
    (_with(name=" "), "data.name: missing"),
    (_with(description={}), "data.description: must be text, this is an object"),
    (_with(description=[], scenario=True), "data.description: must be text, this is a list (and 1 more)"),
    (
        _with(alternate_greetings={"a": 1}),
        "data.alternate_greetings: must be a list of texts, this is an object",
    ),
    (_with(character_book=7), "data.character_book: must be an object, this is a number"),
    (_with(character_book={"entries": {}}), "data.character_book.entries: must be a list, this is an object"),
    (_entries(None), "data.character_book.entries[0]: must be an object, this is null"),
    (_entries({"keys": 3}), "data.character_book.entries[0].keys: must be a list of texts, this is a number"),
    (_entries(*[{}] * 20_001), "data.character_book.entries: more than 20000 entries"),
    (b"RIFF1234WEBPVP8 ", "a WEBP picture cannot hold a card; use PNG"),
    (b"\xff\xd8\xff\xe0 picture", "a JPEG picture without a card in it"),
    (picture([]), "no character card in this picture"),
    (png({"chara": V2})[:60], "no character card in this picture, and it is cut short or damaged"),
    (
        SIGNATURE + b"\xff\xff\xff\xfftEXtchara\0",
        "no character card in this picture, and it is cut short or damaged",
    ),
    (SIGNATURE + chunk(b"aaaa", b"") * 100_001, "more than 100000 chunks in the picture"),
    (png({"chara": V2}).replace(b"chara\0", b"chara\0A"), None),
    (picture([text_chunk("chara", b"e30*")]), "the chunk 'chara' is not base64"),
    (picture([text_chunk("chara", b"x")]), "the chunk 'chara' is not base64"),
    (
        picture([chunk(b"zTXt", b"chara\0\0nothing packed")]),
        "the chunk 'chara' is damaged: it cannot be unpacked",
    ),
    (picture([chunk(b"zTXt", b"chara\0\1")]), "the chunk 'chara' is packed in an unknown way"),
    (picture([chunk(b"iTXt", b"chara\0\0\0en")]), "the chunk 'chara' is damaged"),
    (
        picture([text_chunk("chara", bytes(40 << 20), "zTXt")]),
        "the card in the chunk 'chara' is larger than 8 MiB",
    ),
    (picture([text_chunk("chara", b"A" * (17 << 20))]), "the card in the chunk 'chara' is larger than 8 MiB"),
    (charx({"other.json": b"{}"}), "no card.json at the root of the archive"),
    (charx({"card.json": b" " * (9 << 20)}), "card.json is larger than 8 MiB"),
    (charx({"card.json": json_bytes(V1)})[:-30], "the archive is cut short or damaged"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_card_is_refused(data: bytes, message: str | None) -> None:
    with pytest.raises(DataError) as caught:
        card_files.read_card(data, "a.png")
    assert message is None or caught.value.message == f"'a.png': {message}"


def test_a_wrong_checksum_is_told() -> None:
    whole = text_chunk("ccv3", b"e30=")
    with pytest.raises(DataError, match="the chunk 'ccv3' is damaged: its checksum is wrong"):
        card_files.read_card(picture([whole[:-1] + bytes([whole[-1] ^ 1])]), "a")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (8, b"\1\0", "card.json is encrypted"),
        (10, b"\x0c\0", "card.json is packed in a way that is not supported"),
        (16, b"\0\0\0\0", "the archive is damaged: the checksum of card.json is wrong"),
        (24, b"\1\0\0\0", "the archive is damaged: the checksum of card.json is wrong"),
        (42, b"\xff\0\0\0", "the archive is damaged: card.json is not where it should be"),
    ],
)
def test_a_lying_directory_is_told(place: int, value: bytes, message: str) -> None:
    data = bytearray(charx({"card.json": json_bytes(V1)}))
    start = data.rfind(b"PK\x01\x02") + place
    data[start : start + len(value)] = value
    with pytest.raises(DataError, match=message):
        card_files.read_card(bytes(data), "a.charx")


def test_a_zip_bomb_with_a_small_claim_is_not_unpacked() -> None:
    data = bytearray(charx({"card.json": bytes(64 << 20)}))
    start = data.rfind(b"PK\x01\x02") + 24
    data[start : start + 4] = struct.pack("<I", 10)
    with pytest.raises(DataError, match=r"card\.json is larger than 8 MiB"):
        card_files.read_card(bytes(data), "a.charx")


def test_a_picture_of_50_mb_is_no_hindrance() -> None:
    assert card_files.read_card(png({"chara": V2}, pixels=50 << 20), "a.png").name == "Haruhi"


def test_a_picture_cut_short_after_its_card_is_read_and_told() -> None:
    found: list[CardFinding] = []
    data = picture([text_chunk("chara", json_bytes(V1))])[:-20]
    assert card_files.read_card(data, "a.png", found.append).name == "Haruhi"
    assert found == [CardFinding("", "the picture is damaged after the card", fatal=False)]


def test_text_that_no_request_can_hold_is_made_whole() -> None:
    card = card_files.read_card(b'{"name":"\\ud800A\\u0000","scenario":"\\ud83d\\ude00\\u202e"}', "a")
    assert (card.name, card.scenario) == ("\ufffdA", "😀\u202e")


LENIENT: list[tuple[dict[str, Any], str, object]] = [
    ({"tags": None}, "tags", ()),
    ({"description": None}, "description", ""),
    ({"description": 5}, "description", "5"),
    ({"tags": "one"}, "tags", ("one",)),
    ({"tags": {}}, "tags", ()),
    ({"creator": []}, "creator", ""),
    ({"extensions": []}, "extensions", {}),
    ({"creation_date": "12"}, "created", 12),
    ({"creation_date": 10**400}, "created", None),
    ({"creation_date": "nan"}, "created", None),
    ({"assets": {}}, "assets", None),
    ({"character_book": []}, "book", None),
]


@pytest.mark.parametrize(("changes", "name", "expected"), LENIENT, ids=range(len(LENIENT)))
def test_small_mistakes_do_not_cost_the_card(changes: dict[str, Any], name: str, expected: object) -> None:
    assert getattr(card_files.read_card(_with(**changes), "a"), name) == expected


def test_secondary_keys_may_be_one_text_with_commas() -> None:
    card = card_files.read_card(_entries({"secondary_keys": "a, b,,c"}), "a")
    assert card.book and card.book.entries[0].secondary_keys == ("a", "b", "c")


def test_a_newer_version_is_read_and_told() -> None:
    found: list[CardFinding] = []
    newer = {**V3, "spec_version": "3.5"}
    assert card_files.read_card(json_bytes(newer), "a", found.append).name == "Haruhi"
    assert [(one.field, one.fatal) for one in found] == [("spec_version", False)]
    assert "newer than 3.0" in found[0].message


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(V3["data"])  # type: ignore[call-overload]
ENTRY_FIELDS = sorted(V2["data"]["character_book"]["entries"][0])  # type: ignore[index]
ENTRY = st.dictionaries(st.sampled_from(ENTRY_FIELDS), ANYTHING)
BOOK = st.fixed_dictionaries({"entries": st.lists(ENTRY | ANYTHING, max_size=3), "scan_depth": ANYTHING})
OWN = st.fixed_dictionaries(
    {"gptkit": st.dictionaries(st.sampled_from(["state", "actions", "emotions"]), ANYTHING)}
)
DATA = st.fixed_dictionaries(
    {"name": st.text() | ANYTHING},
    optional={
        name: BOOK | ANYTHING if name == "character_book" else ANYTHING for name in FIELDS if name != "name"
    }
    | {"extensions": OWN | ANYTHING},
)


@settings(max_examples=150)
@given(DATA, st.sampled_from(["chara_card_v2", "chara_card_v3", None]))
def test_any_json_is_a_card_or_a_fault(data: dict[str, object], spec: str | None) -> None:
    whole = data if spec is None else {"spec": spec, "spec_version": "3.0", "data": data}
    try:
        assert isinstance(card_files.read_card(json.dumps(whole).encode(), "a"), Card)
    except DataError as fault:
        assert fault.message.startswith("'a': ")


@settings(max_examples=150)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4), st.booleans())
def test_damaged_files_are_cards_or_faults(place: int, noise: bytes, archive: bool) -> None:
    data = charx({"card.json": json_bytes(V1)}) if archive else png({"chara": V1, "ccv3": V3}, "zTXt")
    damaged = data[: place % len(data)] + noise + data[place % len(data) + len(noise) :]
    try:
        assert isinstance(card_files.read_card(damaged, "a"), Card)
    except DataError as fault:
        assert fault.code == 65
