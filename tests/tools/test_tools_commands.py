"""The arguments of a process from a template and a call; what a call may not say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from test_tools_files import GOOD, command

from gptkit.capabilities.tools.commands import build_argv, check_values, shown_command
from gptkit.capabilities.tools.environment import environment
from gptkit.capabilities.tools.model import RefusedCallError, ToolsConfig
from gptkit.capabilities.tools.schema import checked_arguments, strict_schema
from gptkit.capabilities.tools.trust import command_tools
from gptkit.core.errors import ConfigurationError

PLACES = {"project": "/p", "home": "/h", "here": "/w"}


def argv(lines: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of the process for a call of the command with these lines."""
    found = command(GOOD + lines)
    (tool,) = command_tools(ToolsConfig((found,)), Path("x.yaml"))
    checked = checked_arguments(tool, given)
    return build_argv(found, check_values(found, checked), PLACES)


ONE = 'run: [git, show, "{a}"]\narguments: {a: {}}'
AFTER = 'run: [git, show, --, "{a}"]\narguments: {a: {}}'
FILLED: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    (ONE, {"a": "; rm -rf ~ $(x) `y` *"}, ("git", "show", "; rm -rf ~ $(x) `y` *")),
    (ONE, {"a": "{project} {{a}} 界"}, ("git", "show", "{project} {{a}} 界")),
    (AFTER, {"a": "--output=/x"}, ("git", "show", "--", "--output=/x")),
    ('run: [ls, "--at={a}"]\narguments: {a: {}}', {"a": "-x"}, ("ls", "--at=-x")),
    ('run: [ls, "{{a}} {a}%"]\narguments: {a: {type: integer}}', {"a": "42"}, ("ls", "{a} 42%")),
    ('run: [ls, "{a}"]\narguments: {a: {type: list}}', {"a": ["x", "y z"]}, ("ls", "x", "y z")),
    ('run: [ls, "{a}"]\narguments: {a: {type: list}}', {"a": []}, ("ls",)),
    ('run: [ls, ["-n", "{a}"]]\narguments: {a: {optional: true}}', {}, ("ls",)),
    ('run: [ls, ["-n", "{a}"]]\narguments: {a: {optional: true}}', {"a": None}, ("ls",)),
    ('run: [ls, ["-n", "{a}"]]\narguments: {a: {optional: true}}', {"a": "x"}, ("ls", "-n", "x")),
    ('run: [ls, "{a}"]\narguments: {a: {default: 3}}', {}, ("ls", "3")),
    ('run: [ls, "{a}"]\narguments: {a: {choices: [-l, x]}}', {"a": "-l"}, ("ls", "-l")),
    ('run: [ls, "{a}"]\narguments: {a: {type: boolean}}', {"a": "true"}, ("ls", "true")),
    ('run: ["{home}/x", "{project}"]', {}, ("/h/x", "/p")),
    ('run: [ls, "{a}"]\narguments: {a: {pattern: "(?s).*"}}', {"a": "x\ny"}, ("ls", "x\ny")),
]


@pytest.mark.parametrize(("lines", "given", "expected"), FILLED)
def test_a_template_is_filled_in(lines: str, given: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert argv(lines, given) == expected


def patterned(pattern: str) -> str:
    return f'run: [git, branch, --, "{{a}}"]\narguments: {{a: {{pattern: "{pattern}"}}}}'


INTEGER = 'run: [ls, "{a}"]\narguments: {a: {type: integer, minimum: 0, maximum: 50}}'
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (ONE, {"a": "--output=/x"}, "'a' may not begin with '-'"),
    (ONE, {"a": "x\ny"}, "'a' may not hold a line break"),
    (ONE, {"a": "x\0y"}, "'a' holds a NUL character"),
    (ONE, {"a": 1.5, "b": 2}, "'b' was unexpected"),
    (ONE, {}, "'a' is a required property"),
    (ONE, {"a": None}, "None is not of type 'string'"),
    (ONE, {"a": ["x"]}, "is not of type 'string'"),
    (patterned("[a-z]+"), {"a": "ok\n--force"}, "'a' must match '[a-z]+' as a whole"),
    (patterned("[a-z]+"), {"a": "ok\n"}, "'a' must match '[a-z]+' as a whole"),
    (patterned("[a-z]+"), {"a": "old\u202e\x1b[2Jx"}, "'a' must match '[a-z]+' as a whole"),
    (INTEGER, {"a": "many"}, "'many' is not of type 'integer'"),
    (INTEGER, {"a": "1e3"}, "'1e3' is not of type 'integer'"),
    (INTEGER, {"a": 500}, "500 is greater than the maximum of 50"),
    (INTEGER, {"a": True}, "True is not of type 'integer'"),
    ('run: [ls, "{a}"]\narguments: {a: {type: list}}', {"a": ["-rf"]}, "'a' may not begin with '-'"),
    ('run: [ls, "{a}"]\narguments: {a: {type: file}}', {"a": "../../etc/passwd"}, "'a'"),
    ('run: [ls, "{a}"]\narguments: {a: {type: file}}', {"a": "/etc/passwd"}, "below the current folder"),
]


@pytest.mark.parametrize(("lines", "given", "message"), REFUSED)
def test_what_a_call_may_not_say(lines: str, given: dict[str, Any], message: str, folder: Path) -> None:
    with pytest.raises(RefusedCallError) as refused:
        argv(lines, given)
    assert message in str(refused.value)


def test_a_link_out_of_the_folder_is_no_file_of_it(folder: Path) -> None:
    lines = 'run: [ls, "{a}"]\narguments: {a: {type: file}}'
    (folder / "inside.txt").write_text("x")
    (folder / "out").symlink_to("/etc/passwd")
    assert argv(lines, {"a": "./inside.txt"}) == ("ls", str((folder / "inside.txt").resolve()))
    with pytest.raises(RefusedCallError, match="below the current folder"):
        argv(lines, {"a": "out"})


def test_a_command_is_shown_as_it_is_run_with_nothing_hidden() -> None:
    assert shown_command(("git", "branch", "-d", "a b\u202e\x1b[2J\n\tx"), b"") == (
        "$ git branch -d 'a b<U+202E>␛[2J␊␉x'"
    )
    assert shown_command(("cat",), b"x" * 1234) == "$ cat < 1,234 bytes"


STRICT: list[tuple[dict[str, Any], bool]] = [
    ({"type": "object", "properties": {}}, True),
    ({"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}, True),
    ({"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}, True),
    ({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}, True),
    ({"type": "object", "properties": {"a": {"type": "array"}}}, False),
    ({"type": "object", "properties": {"a": {"type": "object"}}}, False),
    ({"type": "object", "additionalProperties": {"type": "string"}, "properties": {}}, False),
    ({"type": "object", "properties": {"a": {}}}, False),
    ({"type": "object", "properties": {"a": {"enum": list(range(1001))}}}, False),
]


@pytest.mark.parametrize(("schema", "is_strict"), STRICT)
def test_the_strict_form(schema: dict[str, Any], is_strict: bool) -> None:
    found = strict_schema(schema)
    assert (found is not None) is is_strict
    if found is not None:
        properties = found["properties"]
        assert isinstance(properties, dict)
        assert found["required"] == [*properties]
        assert found["additionalProperties"] is False


def test_what_is_optional_may_be_null_in_the_strict_form() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"enum": ["x"]}},
        "required": ["a"],
    }
    assert strict_schema(schema) == {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"type": ["integer", "null"]},
            "c": {"anyOf": [{"enum": ["x"]}, {"type": "null"}]},
        },
        "required": ["a", "b", "c"],
        "additionalProperties": False,
    }


def test_the_environment_is_that_of_the_file() -> None:
    user = {"PATH": ".:/usr/bin:bin", "HOME": "/h", "LC_ALL": "C", "OPENAI_API_KEY": "sk-1", "T": "t-secret"}
    assert environment(user, {"A": "$T", "B": "x$T"}) == {
        "PATH": "/usr/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "A": "t-secret",
        "B": "xt-secret",
    }
    with pytest.raises(ConfigurationError, match="wants the variable NONE, which is not set"):
        environment(user, {"A": "$NONE"})
