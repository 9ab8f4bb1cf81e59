"""Cards on disk: gptkit's own format with problems by line, paths and names, and what checks find."""

from __future__ import annotations

from pathlib import Path

import pytest
from character_files import V2, V3, charx, json_bytes, png

from gptkit.capabilities.character import card_yaml, library, world
from gptkit.capabilities.character.card import Action, Asset, Book, BookEntry, Card, CardFinding, Variable
from gptkit.core.errors import CannotReadError, DataError, NoInputError
from gptkit.core.yaml_tree import Problem, YamlFileError

SHEET = """\
name: no
nickname: 012
description: |
  {{char}} keeps an inn.
greetings: [Welcome., 欢迎光临。]
examples:
  - {user: A room?, char: Two coins.}
  - "{{char}}: Hm."
system: Be brief.
post_history: Stay in character.
tags: inn
book:
  scan_depth: 3
  entries:
    - keys: [旅馆, 7]
      content: The inn is old.
      insertion_order: 2
state:
  gold: 10
  door: {type: choice, choices: [shut, open], help: The front door.}
  trust: {type: number, default: 0.5, min: 0, max: 1}
actions: {pour: pours a drink, wave: }
emotions: [calm, no]
unknown: {x_field: 1}
extensions: {a/b: {c: [1, null]}}
"""


def test_gptkits_own_format_is_read() -> None:
    assert card_yaml.parse_card(SHEET, "a.yaml") == Card(
        name="no",
        nickname="012",
        description="{{char}} keeps an inn.\n",
        greeting="Welcome.",
        alternate_greetings=("欢迎光临。",),
        examples="<START>\n{{user}}: A room?\n{{char}}: Two coins.\n<START>\n{{char}}: Hm.",
        system="Be brief.",
        post_history="Stay in character.",
        tags=("inn",),
        book=Book((BookEntry(("旅馆", "7"), "The inn is old.", insertion_order=2),), scan_depth=3),
        state=(
            Variable("gold", "integer", 10),
            Variable("door", "choice", "shut", choices=("shut", "open"), help="The front door."),
            Variable("trust", "number", 0.5, 0, 1),
        ),
        actions=(Action("pour", "pours a drink"), Action("wave")),
        emotions=("calm", "no"),
        unknown={"x_field": 1},
        extensions={"a/b": {"c": [1, None]}},
        specification="YAML",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: a\nsystm: x", Problem(2, "systm", "unknown key", "did you mean 'system'?")),
        ("- a", Problem(1, "", "a character is a mapping of keys, this is a list")),
        ("description: x", Problem(1, "name", "missing")),
        ("name: a\n\ndescription: [x]", Problem(3, "description", "must be text, this is a list")),
        ("name: a\nbook:\n  entry: 1", Problem(3, "book.entry", "unknown key", "did you mean 'entries'?")),
        (
            "name: a\nbook:\n  entries:\n  - content: x\n    constant: maybe",
            Problem(5, "book.entries[0].constant", "must be true or false, this is text"),
        ),
        (
            "name: a\nbook:\n  entries:\n  - contents: x",
            Problem(4, "book.entries[0].contents", "unknown key", "did you mean 'content'?"),
        ),
        (
            "name: a\ngreeting: x\ngreetings: [y]",
            Problem(3, "greetings", "'greeting' and 'greetings' do not go together"),
        ),
        (
            "name: a\nstate:\n  g: {type: int}",
            Problem(3, "state.g.type", "must be one of text, integer, number, boolean, choice"),
        ),
        ("name: a\nstate:\n  g: {default: 5, max: 3}", Problem(3, "state.g.default", "must be at most 3")),
        (
            "name: a\nstate:\n  g: {type: integer, min: 5, max: 3}",
            Problem(3, "state.g.max", "less than min, 5: no value is allowed"),
        ),
        ("name: a\nstate:\n  1g: 2", Problem(3, "state.1g", "a name consists of letters, digits, _ and -")),
        ("name: a\nstate: [g]", Problem(2, "state", "must be a mapping of names")),
        ("name: a\nactions: {b: [c]}", Problem(2, "actions.b", "must be text")),
        ("name: a\nname: b", Problem(2, "name", "duplicate key (first on line 1)")),
        ("name: a\nexamples:\n- {you: x}", Problem(3, "examples.you", "unknown key", "allowed: user, char")),
    ],
)
def test_problems_are_told_by_line(text: str, problem: Problem) -> None:
    with pytest.raises(YamlFileError) as caught:
        card_yaml.parse_card(text, "a.yaml")
    assert caught.value.problems == (problem,)


def test_files_are_read_by_what_they_are(tmp_path: Path) -> None:
    files = {
        "a.json": json_bytes(V2),
        "b.png": png({"chara": V2}),
        "c.charx": charx({"card.json": json_bytes(V3)}),
    }
    for name, data in {**files, "d.yaml": SHEET.encode(), "e.YML": b"\xef\xbb\xbfname: e"}.items():
        (tmp_path / name).write_bytes(data)
    forms = {path.name: library.load_card(path).specification for path in tmp_path.iterdir()}
    assert forms == {"a.json": "V2", "b.png": "V2", "c.charx": "V3", "d.yaml": "YAML", "e.YML": "YAML"}


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "bad.yaml").write_bytes(b"name: a\n\xff")
    with pytest.raises(NoInputError, match="no such file"):
        library.load_card(tmp_path / "none.json")
    with pytest.raises(NoInputError, match="empty"):
        library.load_card(tmp_path / "empty.json")
    with pytest.raises(CannotReadError):
        library.load_card(tmp_path)
    with pytest.raises(CannotReadError):
        library.load_card(Path("a\0b"))
    with pytest.raises(YamlFileError, match=r"bad\.yaml:2: not UTF-8"):
        library.load_card(tmp_path / "bad.yaml")


def test_a_name_is_never_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "characters"
    folder.mkdir()
    (tmp_path / "secret.yaml").write_text("name: x")
    (folder / "店主.png").write_bytes(png({"chara": V2}))
    assert library.card_path("店主", folder) == folder / "店主.png"
    (folder / "店主.yaml").write_text("name: x")
    assert library.card_path("店主", folder) == folder / "店主.yaml"
    assert library.find_card_file("./店主", folder) is None
    assert library.find_card_file("a.PNG", folder) == Path("a.PNG")
    for name in (
        "../secret",
        "",
        ".",
        "..",
        "a\0b",
        "x/y",
        "con",
        "nobody",
        str(tmp_path / "secret"),
        "x" * 101,
    ):
        with pytest.raises(NoInputError, match="no character named"):
            library.card_path(name, folder)


def test_an_examination_tells_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json_bytes({**V2, "spec_version": "2.1", "data": {"name": "a", "tags": 3}}))
    found = library.examine(path)
    assert found.card and found.card.name == "a" and found.fault is None
    assert [one.field for one in found.findings] == [
        "spec_version", "data.tags", "data.description", "data.first_mes",
    ]  # fmt: skip
    path.write_bytes(b'{"spec":"chara_card_v2","data":{"name":[1],"scenario":{}}}')
    broken = library.examine(path)
    assert broken.card is None and isinstance(broken.fault, DataError)
    assert [one.field for one in broken.findings] == [
        "spec_version", "data.name", "data.scenario",
    ]  # fmt: skip
    sheet_path = tmp_path / "a.yaml"
    sheet_path.write_text("nam: a\ntag: b")
    assert [one.line for one in library.examine(sheet_path).problems] == [1, 2]


def test_checks_find_what_an_author_wants_to_know() -> None:
    entries = (
        BookEntry((), "x"),
        BookEntry(("a",), "@@odd\n"),
        BookEntry(("/(/",), "x {{getvar::a}}", use_regex=True),
        BookEntry(("/a/",), "x", use_regex=True, constant=True),
        BookEntry(("a",), "x", selective=True),
        BookEntry((), "", enabled=False),
    )
    icons = (Asset("icon", "u"), Asset("icon", "u"), Asset())
    card = Card("a", "b\u202e {{user", assets=icons, book=Book(entries, scan_depth=-1), specification="V3")
    assert [(one.field, one.message.split(":")[0]) for one in card_yaml.find_problems(card)] == [
        ("data.first_mes", "empty; the character is the first to speak"),
        ("data.description", "a '{{' without its '}}', or a '}}' without its '{{'"),
        ("data.description", "holds the invisible character U+202E"),
        ("data.assets", "of several assets of the type icon exactly one must be named main"),
        ("data.assets[2]", "needs a type and a uri"),
        ("data.character_book.scan_depth", "must not be negative"),
        ("data.character_book.entries[0].keys", "none, and the entry is not constant"),
        ("data.character_book.entries[1].content", "empty; the entry adds nothing"),
        (
            "data.character_book.entries[1].content",
            "the decorator '@@odd' is not understood, or has no such value",
        ),
        ("data.character_book.entries[2].keys", "a pattern that never matches"),
        ("data.character_book.entries[2].content", "nothing replaces '{{getvar}}'; it is sent as it is"),
        ("data.character_book.entries[3].constant", "has no effect beside patterns"),
        ("data.character_book.entries[4].secondary_keys", "none, though selective is true"),
    ]
    assert card_yaml.find_problems(card_yaml.parse_card(SHEET, "a")) == ()
    many = Card("a", "b", greeting="c", book=Book((BookEntry((), "x"),) * 10_000))
    assert card_yaml.find_problems(many)[-1] == CardFinding("", "and more", fatal=False)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (Variable("a", "integer", 0, 0, 5), 5, ""),
        (Variable("a", "integer", 0, 0, 5), 6, "must be at most 5"),
        (Variable("a", "integer", 0, 0, 5), -1, "must be at least 0"),
        (Variable("a", "integer", 0), 1.5, "must be a whole number"),
        (Variable("a", "integer", 0), True, "must be a number"),
        (Variable("a", "number", 0), float("nan"), "must be between -1e+15 and 1e+15"),
        (Variable("a", "number", 0), 10**400, "must be between -1e+15 and 1e+15"),
        (Variable("a", "boolean", False), 1, "must be true or false"),
        (Variable("a"), None, "must be text"),
        (Variable("a", "choice", "x", choices=("x", "y")), "z", "must be one of x, y"),
        (Variable("a", "choice", "x", choices=("x", "y")), ["x"], "must be one of x, y"),
    ],
)
def test_values_of_the_world_keep_to_their_bounds(variable: Variable, value: object, expected: str) -> None:
    assert world.value_fault(variable, value) == expected


def test_the_world_has_a_beginning_and_a_schema() -> None:
    variables = card_yaml.parse_card(SHEET, "a").state
    assert world.initial_values(variables) == {"gold": 10, "door": "shut", "trust": 0.5}
    assert world.world_schema(variables) == {
        "type": "object",
        "properties": {
            "gold": {"type": "integer"},
            "door": {"type": "string", "enum": ["shut", "open"], "description": "The front door."},
            "trust": {"type": "number", "description": "at least 0, at most 1"},
        },
        "required": ["gold", "door", "trust"],
        "additionalProperties": False,
    }
