"""The memory as JSON Lines and TMX: what goes out comes in again, and nothing hostile does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_parts import ABOUT, STARTED, key, memory, put

from gptkit.core.errors import DataError, UsageError
from gptkit.jobs.memory.entries import foreign_key, language_tag, renumber_marks
from gptkit.jobs.memory.jsonl import ImportCounts, export_jsonl, import_jsonl
from gptkit.jobs.memory.maintenance import group_entries
from gptkit.jobs.memory.store import MemoryStore
from gptkit.jobs.memory.tmx import export_tmx, import_tmx
from gptkit.text.pieces import Finding, PieceAnswer

HEAD = b'{"gptkit":"memory","version":1}\n'
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[MemoryStore]:
    found = memory(tmp_path)
    yield found
    found.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[MemoryStore]:
    found = memory(tmp_path / "other", now=STARTED + 9)
    yield found
    found.close()


def unit(source: str, target: str, language: str = "fr", attributes: str = "") -> str:
    return (
        f'<tu {attributes}><tuv xml:lang="en"><seg>{source}</seg></tuv>'
        f'<tuv xml:lang="{language}"><seg>{target}</seg></tuv></tu>'
    )


def document(*units: str, srclang: str = "en") -> bytes:
    head = '<!DOCTYPE tmx SYSTEM "tmx14.dtd"><tmx version="1.4">'
    return f'{head}<header srclang="{srclang}"/><body>{"".join(units)}</body></tmx>'.encode()


def taken(kept: MemoryStore, data: bytes, prompt: str | None = "translate") -> ImportCounts:
    return import_tmx(kept, io.BytesIO(data), prompt, STARTED)


def answer(kept: MemoryStore, text: str, **about: str) -> str | None:
    found = kept.get(key("no such key"), text, ABOUT | about)
    assert found is None or found.foreign
    return found.answer if found else None


def test_json_lines_lose_nothing(kept: MemoryStore, other: MemoryStore) -> None:
    held = PieceAnswer("réponse\0\r\n世界", (Finding(3, "number", "'7'"),))
    kept.put(key("a"), "a\u2028\x1b", held, ABOUT | {"tone": "x\udc80"})
    kept.put(key("b"), "b", PieceAnswer("", in_halves=True), {"prompt": "p"})
    put(kept, "c")
    taken(kept, document(unit("Hello", "Bonjour")))
    kept.get(key("c"))
    kept.close()
    whole = b"".join(export_jsonl(kept))
    assert import_jsonl(other, whole.splitlines(keepends=True)) == (4, 0, 0)
    assert b"".join(export_jsonl(other)) == whole
    assert other.get(key("a")) == held
    assert answer(other, "Hello") == "Bonjour"
    assert import_jsonl(other, io.BytesIO(whole)) == (0, 4, 0)
    assert whole.startswith(HEAD)
    assert whole.count(b'"foreign":true') == 1


def test_an_export_does_not_tell_the_order_in_which_answers_came(kept: MemoryStore, tmp_path: Path) -> None:
    other = memory(tmp_path / "other")
    for number in range(20):
        put(kept, str(number))
        put(other, str(19 - number))
    assert b"".join(export_jsonl(kept)) == b"".join(export_jsonl(other))
    other.close()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\xff", "it is not UTF-8"),
        (b"{", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        ({"answer": None}, "'answer' must be text"),
        ({"answer": ...}, "'answer' is missing"),
        ({"more": 1}, "unknown key 'more'"),
        ({"key": "ab"}, "'key' must be 64 hexadecimal digits"),
        ({"key": 7}, "'key' must be 64 hexadecimal digits"),
        ({"in_halves": 1}, "'in_halves' must be true or false"),
        ({"created": -1}, "'created' must be seconds since 1970"),
        ({"used": float("nan")}, "'used' must be seconds since 1970"),
        ({"hits": 2**63}, "'hits' must be a count"),
        ({"hits": True}, "'hits' must be a count"),
        ({"findings": [[1, "a"]]}, "'findings' must be a list of [line, kind, message]"),
        ({"options": {"a": 1}}, "'options' must be an object of texts"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_taken(
    kept: MemoryStore, other: MemoryStore, line: bytes | dict[str, object], says: str
) -> None:
    put(other, "a")
    put(other, "b")
    head, first, second = b"".join(export_jsonl(other)).splitlines()
    if isinstance(line, dict):
        record = json.loads(second) | line
        line = json.dumps({name: value for name, value in record.items() if value is not ...}).encode()
    with pytest.raises(DataError) as caught:
        import_jsonl(kept, [head, first, line])
    assert caught.value.message == f"line 3: {says}"
    assert group_entries(kept) == []


def test_another_file_is_no_export(kept: MemoryStore) -> None:
    for lines, says in (
        ([], "it is empty"),
        ([b'{"gptkit":"history"}'], "line 1: it is no export of the memory"),
    ):
        with pytest.raises(DataError) as caught:
            import_jsonl(kept, lines)
        assert caught.value.message == says
    with pytest.raises(UsageError):
        import_jsonl(kept, [HEAD.replace(b"1", b"2")])


def test_tmx_says_what_a_translator_s_tool_needs(kept: MemoryStore) -> None:
    put(kept, 'a < ⟦0⟧ & "b"\r\n\x1b⟦12⟧', "⟦12⟧ c ⟦0⟧", to="French", **{"from": "en-GB"}, tone='<"warm">')
    kept.put(key("halves"), "halves", PieceAnswer("", in_halves=True), ABOUT)
    whole = b"".join(export_tmx(kept))
    assert b'<seg>a &lt; <ph x="0"/> &amp; &quot;b&quot;&#13;\n<ph type="x-control">U+001B</ph>' in whole
    root = ElementTree.fromstring(whole)
    (only,) = root.iter("tu")
    assert [tuv.get(LANG) for tuv in only.iter("tuv")] == ["en-GB", "fr"]
    assert {prop.get("type"): prop.text for prop in only.iter("prop")} == {
        "x-prompt": "translate",
        "x-model": "m",
        "x-option-from": "en-GB",
        "x-option-to": "French",
        "x-option-tone": '<"warm">',
    }
    assert only.attrib == {
        "creationdate": "20260528T202640Z",
        "lastusagedate": "20260528T202640Z",
        "usagecount": "0",
    }


def test_an_unnamed_language_is_undetermined(kept: MemoryStore, other: MemoryStore) -> None:
    put(kept, "a", to="Klingon")
    whole = b"".join(export_tmx(kept))
    assert whole.count(b'xml:lang="und"') == 2
    assert taken(other, whole) == (0, 0, 1)


TEXT = st.text(st.sampled_from("ab ⟦⟧01#<>&\"'\r\n\t\x00\x1b\x85\ufffe世😀]"), min_size=1, max_size=12)


@settings(max_examples=40)
@given(st.dictionaries(TEXT.map(str.strip).filter(bool), TEXT, min_size=1, max_size=5))
def test_any_text_survives_tmx(tmp_path_factory: pytest.TempPathFactory, pairs: dict[str, str]) -> None:
    """Of texts that differ in the numbers of their marks alone, one is found."""
    folder = tmp_path_factory.mktemp("tmx")
    source, target = memory(folder / "a"), memory(folder / "b")
    plain = {renumber_marks(text)[0]: text for text in pairs if "⟦#" not in text}
    texts = {text: f"{text} {pairs[text].replace('⟦', '')}.".strip() for text in plain.values()}
    for text, translated in texts.items():
        put(source, text, translated)
    assert taken(target, b"".join(export_tmx(source))) == (len(texts), 0, 0)
    assert {text: answer(target, text) for text in texts} == texts
    source.close()
    target.close()


def test_texts_of_another_tool_are_found_by_what_they_say(kept: MemoryStore) -> None:
    assert taken(kept, document(unit("Hello", "Bonjour", "fr-FR"), unit("Hello", "Allô", "FR-ca"))) == (
        2,
        0,
        0,
    )
    assert answer(kept, "Hello") == "Bonjour"
    assert answer(kept, "\n Hello\r\n", to="fr_FR") == "\n Bonjour\r\n"
    assert answer(kept, "Hello", to="Canadian French") == "Allô"
    for about in ({"to": "German"}, {"to": "Klingon"}, {"to": ""}, {"prompt": "explain"}):
        assert answer(kept, "Hello", **about) is None
    assert kept.get(key("Hello"), "Hello", {"prompt": "translate"}) is None
    assert kept.get(key("Hello")) is None
    put(kept, "Hello", "Salut")
    assert kept.get(key("Hello"), "Hello", ABOUT) == PieceAnswer("Salut")


def test_they_belong_to_the_prompt_they_were_imported_for(kept: MemoryStore) -> None:
    whole = document(unit("Hello", "Bonjour"))
    taken(kept, whole, "legal")
    assert (answer(kept, "Hello"), answer(kept, "Hello", prompt="legal")) == (None, "Bonjour")
    named = whole.replace(b"<tu >", b'<tu ><prop type="x-prompt">own</prop>')
    taken(kept, named, None)
    assert (answer(kept, "Hello"), answer(kept, "Hello", prompt="own")) == (None, "Bonjour")


def test_a_later_import_corrects(kept: MemoryStore) -> None:
    assert taken(kept, document(unit("Hello", "Bonsoir"))) == (1, 0, 0)
    assert taken(kept, document(unit("Hello", "Bonjour"))) == (1, 0, 0)
    assert taken(kept, document(unit("Hello", "Bonjour"))) == (0, 1, 0)
    assert (answer(kept, "Hello"), group_entries(kept)[0].entries) == ("Bonjour", 1)


@pytest.mark.parametrize(
    ("source", "target", "text", "found"),
    [
        ('Hi <ph x="7">{n}</ph>!', '<ph x="7">{n}</ph>, salut', "Hi ⟦3⟧!", "⟦3⟧, salut"),
        ("<ph>a</ph> or <ph>b</ph>", "<ph>b</ph> ou <ph>a</ph>", "⟦0⟧ or ⟦1⟧", "⟦1⟧ ou ⟦0⟧"),
        ("<ph>a</ph> or <ph>a</ph>", "<ph>a</ph> ou <ph>a</ph>", "⟦4⟧ or ⟦9⟧", "⟦4⟧ ou ⟦9⟧"),
        (
            'a <bpt i="1">&lt;b></bpt>b<ept i="1">&lt;/b></ept>',
            '<bpt i="1">&lt;b></bpt>B<ept i="1">&lt;/b></ept> A',
            "a ⟦0⟧b⟦1⟧",
            "⟦0⟧B⟦1⟧ A",
        ),
        ("a <hi>b</hi>", "<hi>B</hi> A", "a b", "B A"),
        ('a <ph x="1">&lt;img alt="<sub>words</sub>"></ph>', 'A <ph x="1"/>', "a ⟦0⟧", "A ⟦0⟧"),
        ('a <ph x="1"/>', "A", "a ⟦0⟧", None),
        ("a", '<ph x="1"/>', "a", None),
        ("a", " ", "a", None),
    ],
)
def test_codes_of_other_tools_are_marks(
    kept: MemoryStore, source: str, target: str, text: str, found: str | None
) -> None:
    assert taken(kept, document(unit(source, target))) == ((1, 0, 0) if found else (0, 0, 1))
    assert answer(kept, text) == found


def test_the_original_is_the_one_in_the_source_language(kept: MemoryStore) -> None:
    whole = document(unit('<ph x="2"/>A', 'B<ph x="9"/><ph x="2"/>', "fr"), srclang="FR")
    assert taken(kept, whole) == (0, 0, 1)
    assert taken(kept, whole.replace(b'<ph x="9"/>', b"")) == (1, 0, 0)
    assert answer(kept, "B⟦5⟧", to="English") == "⟦5⟧A"


def test_a_piece_of_several_texts_is_found_when_each_of_them_is(kept: MemoryStore) -> None:
    taken(kept, document(unit("One", "Un"), unit('Two <ph x="1"/>', 'Deux <ph x="1"/>')))
    assert answer(kept, "⟦#1⟧\nOne\n⟦#2⟧\nTwo ⟦6⟧") == "⟦#1⟧\nUn\n⟦#2⟧\nDeux ⟦6⟧"
    assert answer(kept, "⟦#1⟧\nOne\n⟦#2⟧\nThree") is None
    assert answer(kept, "⟦#1⟧\nOne\n⟦#2⟧\n \n⟦#3⟧\nOne") == "⟦#1⟧\nUn\n⟦#2⟧\n\n⟦#3⟧\nUn"
    assert (answer(kept, " \n"), answer(kept, "⟦#1⟧\n \n⟦#2⟧\n ")) == (None, None)


def test_codes_are_counted_as_they_come_in_the_original(kept: MemoryStore) -> None:
    taken(kept, document(unit('<ph x="1"/> a <ph x="2"/>', 'B <ph x="2"/> <ph x="1"/>'), srclang="fr"))
    assert answer(kept, "B ⟦4⟧ ⟦9⟧", to="English") == "⟦9⟧ a ⟦4⟧"


def test_marks_that_are_not_in_the_text_stay(kept: MemoryStore) -> None:
    kept.put(foreign_key("Hi", "translate", "fr"), "Hi", PieceAnswer("Salut ⟦0⟧ ⟦7⟧", foreign=True), ABOUT)
    assert answer(kept, "Hi") == "Salut ⟦0⟧ ⟦7⟧"


def test_the_key_of_a_text_never_changes() -> None:
    """What is in the memories of those who use gptkit would not be found any more."""
    digest = "48ede1edff2b61cdfddfe0d1dc5f4226103aa28c8e076b05298803effb76a065"
    assert foreign_key(" Hi ⟦3⟧, ⟦1⟧ ⟦3⟧世\n", "translate", "fr").hex() == digest


def test_a_piece_of_several_texts_becomes_as_many_units(kept: MemoryStore, other: MemoryStore) -> None:
    put(kept, "⟦#1⟧\nOne\n⟦#2⟧\nTwo ⟦6⟧", "⟦#1⟧\nUn\n⟦#2⟧\nDeux ⟦6⟧")
    assert taken(other, b"".join(export_tmx(kept))) == (2, 0, 0)
    assert answer(other, "Two ⟦0⟧") == "Deux ⟦0⟧"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_any_encoding(kept: MemoryStore, encoding: str) -> None:
    text = (
        f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{document(unit("é", "ü")).decode()}'
    )
    assert taken(kept, text.encode(encoding)) == (1, 0, 0)
    assert answer(kept, "é") == "ü"


NUL = document(unit("a", "b\x00"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "line 1, column 1: not XML"),
        (b"<html/>", "line 1: it is not TMX"),
        (b"<tmx>\n<body>\n<tu>", "line 3, column 5: not XML"),
        (
            b'<!DOCTYPE tmx [\n<!ENTITY a "b">]><tmx/>',
            "line 2: it has entities of its own, which are not read",
        ),
        (b'<!DOCTYPE t [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><tmx/>', "line 1: it has entities of"),
        (document(unit("a", "b"), unit("&nbsp;", "b")), "line 1: it has entities of its own"),
        (b"<tmx>" + b"<a>" * 60, "line 1: it is nested too deeply"),
        (NUL, f"line 1, column {NUL.index(0) + 1}: not XML"),
    ],
)
def test_what_is_no_tmx_is_refused_whole(kept: MemoryStore, data: bytes, says: str) -> None:
    with pytest.raises(DataError) as caught:
        taken(kept, data)
    assert caught.value.message.startswith(says)
    assert group_entries(kept) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *[(name, "fr") for name in ("French", "FRENCH", "français", "fr", "fr_FR", " fr-FR ")],
        *[(name, "zh") for name in ("Chinese", "简体中文", "zh-CN", "zh-Hans", "simplified  chinese")],
        *[(name, "zh-TW") for name in ("繁體中文", "zh-Hant", "zh-tw", "Traditional Chinese")],
        ("pt-BR", "pt"),
        ("pt-pt", "pt-PT"),
        ("sr-Latn-RS", "sr-Latn-RS"),
        ("yue", "yue"),
        *[(name, "") for name in ("Klingon", "und", "mul", "", "German (formal)", "a", "en\0", '"/>')],
    ],
)
def test_languages_by_name_and_tag(name: str, found: str) -> None:
    assert language_tag(name) == found
