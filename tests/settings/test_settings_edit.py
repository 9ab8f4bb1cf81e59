"""A change of one value in a file that people write by hand: nothing else in it moves."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.yaml_tree import parse_yaml
from gptkit.settings.edit import insert_value, remove_keys

FILE = """\
# 我的设置
model: gpt-x   # 便宜
parameters: {seed: 1, "top_p": 0.5} # flow

profiles:
  # two of them
  home:
    base_url: http://localhost:1/v1
    text: |
      a
      b

  # before work
  work:
      model: "quoted" # why
      api_key_command:
      - pass
      - show # it
  empty:
"""


def meaning(text: str) -> object:
    return parse_yaml(text, "test").data()


def test_a_value_is_replaced_where_it_stands_and_its_comment_stays() -> None:
    assert insert_value(FILE, ["model"], "gpt-y") == FILE.replace("gpt-x", "gpt-y")
    assert insert_value(FILE, ["profiles", "work", "model"], "b: c") == FILE.replace('"quoted"', '"b: c"')
    assert insert_value(FILE, ["parameters", "seed"], 2) == FILE.replace("seed: 1", "seed: 2")


def test_a_new_value_joins_its_mapping_in_its_style() -> None:
    after = FILE.replace("  empty:\n", "  empty:\ntemperature: 0.5\n")
    assert insert_value(FILE, ["temperature"], 0.5) == after
    after = FILE.replace("0.5}", '0.5, "stop": ["a"]}')
    assert insert_value(FILE, ["parameters", "stop"], ["a"]) == after
    after = FILE.replace("      - show # it\n", "      - show # it\n      markdown: false\n")
    assert insert_value(FILE, ["profiles", "work", "markdown"], False) == after
    after = FILE.replace("      b\n\n", "      b\n    model: m\n\n")
    assert insert_value(FILE, ["profiles", "home", "model"], "m") == after


def test_what_is_missing_on_the_way_is_added() -> None:
    after = FILE + "  new:\n    headers:\n      X-A: b\n"
    assert insert_value(FILE, ["profiles", "new", "headers", "X-A"], "b") == after
    after = FILE + "    model: m\n"
    assert insert_value(FILE, ["profiles", "empty", "model"], "m") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "model: m\n"),
        ("# only a comment", "# only a comment\nmodel: m\n"),
        ("---\n", "---\nmodel: m\n"),
        ("{}\n", '{"model": "m"}\n'),
        ("a: 1", "a: 1\nmodel: m\n"),
        ("a: 1\r\n# end\r\n", "a: 1\r\nmodel: m\r\n# end\r\n"),
        ("model:\n", "model: m\n"),
        ("model: # soon\n", "model: m # soon\n"),
        ("model:\n  - a\n  - b\n# end\n", "model: m\n# end\n"),
        ("model: >\n  folded\n  text\n\nx: 1\n", "model: m\n\nx: 1\n"),
        ("model: 'two\n  lines' # c\n", "model: m # c\n"),
        ("'model': a\n", "'model': m\n"),
    ],
)
def test_layouts(before: str, after: str) -> None:
    assert insert_value(before, ["model"], "m") == after


def test_a_value_is_removed_with_its_line_and_what_it_leaves_empty() -> None:
    assert remove_keys(FILE, ["model"]) == FILE.replace("model: gpt-x   # 便宜\n", "")
    assert remove_keys(FILE, ["parameters", "seed"]) == FILE.replace('seed: 1, "top_p"', '"top_p"')
    assert remove_keys(FILE, ["parameters", "top_p"]) == FILE.replace(', "top_p": 0.5', "")
    assert remove_keys(FILE, ["profiles", "empty"]) == FILE.replace("  empty:\n", "")
    command = "      api_key_command:\n      - pass\n      - show # it\n"
    assert remove_keys(FILE, ["profiles", "work", "api_key_command"]) == FILE.replace(command, "")
    assert remove_keys("a: {b: {c: 1}}\nd: 1\n", ["a", "b", "c"]) == "d: 1\n"
    assert remove_keys("a: {b: {c: 1}, e: 2}\n", ["a", "b", "c"]) == "a: {e: 2}\n"
    assert remove_keys("{a: 1}\n", ["a"]) == "{}\n"


def test_what_is_not_there_cannot_be_removed() -> None:
    for keys in (["nothing"], ["model", "deeper"], ["profiles", "none", "x"]):
        assert remove_keys(FILE, keys) == FILE


@pytest.mark.parametrize(
    "value", ["no", "1", "0.5", "null", "~", "- a", "a # b", "'x", "", "中文：模型", "a:", "=", "[x"]
)
def test_a_text_stays_a_text(value: str) -> None:
    assert meaning(insert_value("", ["model"], value)) == {"model": value}


PATHS = (
    ["model"],
    ["new"],
    ["parameters", "seed"],
    ["parameters", "n"],
    ["profiles", "home", "text"],
    ["profiles", "work", "headers", "X"],
    ["profiles", "empty", "y"],
    ["profiles", "no", "z"],
)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | LINES | st.lists(st.integers(0, 3))


@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES, st.booleans()), max_size=6))
def test_any_series_of_changes_means_what_it_says(changes: list[tuple[list[str], object, bool]]) -> None:
    text, wanted = FILE, copy.deepcopy(meaning(FILE))
    for keys, value, kept in changes:
        text = insert_value(text, keys, value)
        _set(wanted, keys, value)
        assert meaning(text) == wanted
        if not kept:
            text = remove_keys(text, keys)
            _unset(wanted, keys)
            assert meaning(text) == wanted
    assert "# 我的设置" in text


def _set(data: object, keys: list[str], value: object) -> None:
    assert isinstance(data, dict)
    if len(keys) == 1:
        data[keys[0]] = value
        return
    if not isinstance(data.get(keys[0]), dict):
        data[keys[0]] = {}
    _set(data[keys[0]], keys[1:], value)


def _unset(data: object, keys: list[str]) -> None:
    assert isinstance(data, dict)
    if len(keys) > 1:
        _unset(data[keys[0]], keys[1:])
        if data[keys[0]]:
            return
    del data[keys[0]]
