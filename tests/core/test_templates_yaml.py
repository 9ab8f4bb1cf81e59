"""The YAML of prompt files: what is refused before any key is read, where things stand, what scalars are."""

from __future__ import annotations

import pytest
from prompt_files import FILE, broken, template
from work import within

from gptkit.core.yaml_tree import DEPTH_CAP, NODE_CAP, SIZE_CAP, YamlFileError, parse_value, parse_yaml

REFUSED = [
    (
        "a: 1\nb: !!python/object/apply:os.system [x]",
        2,
        "",
        "the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed",
    ),
    ("a: !!str x", 1, "", "the tag 'tag:yaml.org,2002:str' is not allowed"),
    ("a: !env HOME", 1, "", "the tag '!env' is not allowed"),
    ("a:\n  - !x [1]", 2, "", "the tag '!x' is not allowed"),
    ("a: !x {b: 1}", 1, "", "the tag '!x' is not allowed"),
    ("a: &x 1\n\nb: *x", 3, "", "aliases are not allowed"),
    ("a: &x [1]\nb: [*x, *x]", 2, "", "aliases are not allowed"),
    ("a: 1\n<<: {b: 2}", 2, "", "merge keys are not allowed"),
    ("options:\n  <<: {b: 2}", 2, "", "merge keys are not allowed"),
    ("? [a, b]\n: c", 1, "", "a key must be a word"),
    ("? {a: b}\n: c", 1, "", "a key must be a word"),
    ("a: 1\n? \n: 2", 2, "", "a key must be a word"),
    ("'': 2", 1, "", "a key must be a word"),
    ("a: 1\nb: 2\na: 3", 3, "a", "duplicate key (first on line 1)"),
    ("a: 1\n'a': 3", 2, "a", "duplicate key (first on line 1)"),
    ("x:\n  中: 1\n  b: 2\n  中: 3", 4, "中", "duplicate key (first on line 2)"),
    ("x: {a: 1, a: 2}", 1, "a", "duplicate key (first on line 1)"),
    ("a: 1\n---\nb: 2", 2, "", "a second document is not allowed"),
    ("---\na: 1\n...\n---\n", 4, "", "a second document is not allowed"),
    ("a: 1\nb: 中文\nc: \x00", 3, "", "not YAML: the character U+0000 is not allowed"),
    ("a: \x1b[31m", 1, "", "not YAML: the character U+001B is not allowed"),
    ("a: 𠀀\r\n\r\nb: \uffff", 3, "", "not YAML: the character U+FFFF is not allowed"),
    ("a: 1\nb: \ud800", 2, "", "not Unicode text"),
    ("a: 1\nb: [1, 2\nc: 3", 3, "", "not YAML: unexpected ': 3'"),
    ("a: 'x", 1, "", "not YAML: unexpected end"),
    ("a: 1\n\tb: 2", 2, "", "not YAML: unexpected tab"),
    ("a:\n  b: 'x\n", 3, "", "not YAML: unexpected end of what begins on line 2"),
    ("中文: 你好: 再见", 1, "", "not YAML: unexpected ': 再见'"),
    ("a: b: c", 1, "", "not YAML: unexpected ': c'"),
    ("a: 1\nb: @x", 2, "", "not YAML: unexpected '@x'"),
    ("%YAML 3.0\n---\na: 1", 1, "", "not YAML: unexpected '%YAML 3.0'"),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), REFUSED)
def test_what_yaml_could_hide_is_refused_by_line(text: str, line: int, key: str, message: str) -> None:
    assert broken(text) == [(line, key, message, "")]


def test_depth_has_a_cap() -> None:
    deepest = "[" * DEPTH_CAP + "]" * DEPTH_CAP
    assert parse_yaml(deepest, FILE).kind == "a list"
    assert broken(f"\n[{deepest}]") == [(2, "", f"nested deeper than {DEPTH_CAP} levels", "")]
    assert broken("\n" + "[" * 100_000) == [(2, "", f"nested deeper than {DEPTH_CAP} levels", "")]
    assert broken("\na: " + "[ " * 100_000) == [(2, "", f"nested deeper than {DEPTH_CAP} levels", "")]
    block = "".join(f"{' ' * level}a:\n" for level in range(30))
    assert broken(block) == [(DEPTH_CAP, "", f"nested deeper than {DEPTH_CAP} levels", "")]


def test_the_number_of_values_has_a_cap() -> None:
    assert broken("a: [" + "x,\n" * (NODE_CAP + 1) + "]")[0][2] == f"more than {NODE_CAP} values"


def test_a_long_text_is_refused_before_it_is_parsed() -> None:
    text = "a: [" * (10_000_000 // 4)
    assert within(1000, broken, text) == [(1, "", f"larger than {SIZE_CAP >> 10} KiB", "")]


def test_an_exploding_document_costs_nothing() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert broken(bomb) == [(2, "", "aliases are not allowed", "")]


@pytest.mark.parametrize("text", ["- a", "\n- a\n- b"])
def test_a_list_is_no_prompt_file(text: str) -> None:
    line = text.index("-") + 1
    assert broken(text) == [(line, "", "a prompt file is a mapping of keys, this is a list", "")]


def test_a_text_is_no_prompt_file() -> None:
    assert broken("hello") == [(1, "", "a prompt file is a mapping of keys, this is text", "")]


@pytest.mark.parametrize(("text", "line"), [("", 1), ("# nothing\n", 1), ("---\n", 2), ("{}", 1), ("~", 1)])
def test_an_empty_file_lacks_its_description(text: str, line: int) -> None:
    assert broken(text) == [(line, "description", "missing; it is the first line of --help", "")]


@pytest.mark.parametrize(
    "text",
    [
        "description: A haiku.\nsystem: |\n  Be brief.\n\n  Be kind.\n",
        "\ufeffdescription: A haiku.\nsystem: |\n  Be brief.\n\n  Be kind.\n",
        "description: A haiku.\r\nsystem: |\r\n  Be brief.\r\n\r\n  Be kind.\r\n",
        "--- \ndescription: A haiku.\nsystem: |\n  Be brief.\n\n  Be kind.\n...\n",
        '{"description": "A haiku.", "system": "Be brief.\\n\\nBe kind.\\n"}',
    ],
)
def test_byte_order_mark_line_ends_and_json_make_no_difference(text: str) -> None:
    found = template(text)
    assert (found.description, found.system) == ("A haiku.", "Be brief.\n\nBe kind.\n")


PLACES = [
    # nested keys and items: the line on which the key or the item stands
    ("description: x\noptions:\n  a:\n    type: text\n    sort: x\n", 5, "options.a.sort"),
    ("description: x\noptions: {a: {type: text,\n  sort: x}}\n", 3, "options.a.sort"),
    ("description: x\n\n# a\noptions:\n\n  a:\n    default:\n      - x\n", 7, "options.a.default"),
    (
        "description: x\ntests:\n  - expect: {contains: x}\n\n  -\n    txt: x\n    expect: {contains: x}\n",
        6,
        "tests.2.txt",
    ),
    ("description: x\r\noptions:\r\n  a:\r\n    sort: x\r\n", 4, "options.a.sort"),
    ("description: x\nsystem: |\n  a\n  b\nusr: x\n", 5, "usr"),
    ("description: x\nsystem: >\n  a\n\n  b\nusr: x\n", 6, "usr"),
    ('description: x\nsystem: "a\n  b\n\n  c"\nusr: x\n', 6, "usr"),
]


@pytest.mark.parametrize(("text", "line", "key"), PLACES)
def test_keys_and_items_are_named_by_their_line(text: str, line: int, key: str) -> None:
    assert broken(text)[0][:2] == (line, key)


TYPED = [
    ("", None),
    ("~", None),
    ("null", None),
    ("# only a comment", None),
    ("true", True),
    ("FALSE", False),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("False", False),
    ("TrUe", "TrUe"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("1", 1),
    ("-7", -7),
    ("+1", 1),
    ("010", 10),
    ("0x1F", 31),
    ("0o17", 15),
    ("1_000", "1_000"),
    ("1.0", 1.0),
    ("1e3", 1000.0),
    ("1e-3", 0.001),
    (".5", 0.5),
    ("5.", 5.0),
    ("-2.5E+1", -25.0),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("1e999", "1e999"),
    ("9" * 5000, "9" * 5000),
    ("2024-01-01", "2024-01-01"),
    ("12:30:00", "12:30:00"),
    ("=", "="),
    ("<<", "<<"),
    ("'1'", "1"),
    ('"true"', "true"),
    ("  1 ", 1),
    ("中文", "中文"),
    ("[1, no, 2024-01-01, '3']", [1, "no", "2024-01-01", "3"]),
    ("{1: 2, a: [~]}", {"1": 2, "a": [None]}),
    ("{a: 1, a: 2}", "{a: 1, a: 2}"),
    ("a: b", {"a": "b"}),
    ("[1", "[1"),
    ("!!int 1", "!!int 1"),
    ("*a", "*a"),
    ("\x00", "\x00"),
    ("\ud800", "\ud800"),
]


@pytest.mark.parametrize(("text", "value"), TYPED)
def test_a_text_is_typed_as_json_could_hold_it(text: str, value: object) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_keep_their_text_in_data() -> None:
    root = parse_yaml("a: '1'\nb: 1\nc: |\n  2\nd: [no, 'null', null]", FILE)
    assert root.data() == {"a": "1", "b": 1, "c": "2\n", "d": ["no", "null", None]}


def test_the_error_names_the_first_problem_and_counts_the_rest() -> None:
    with pytest.raises(YamlFileError) as caught:
        template("description: x\nzzz: 1\ninput: none\noptions: {A: {}, B: {}}\n")
    assert caught.value.message.startswith(f"{FILE}:2: zzz: unknown key (and 2 more)")
    assert [problem.line for problem in caught.value.problems] == [2, 4, 4]
