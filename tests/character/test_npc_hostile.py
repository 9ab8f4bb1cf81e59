"""What a game, a card and a model can send to break the game of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from character_files import V2
from fake.program import AsProcess
from fake.server import FakeServer

Gptkit = Callable[..., tuple[int, str, str]]
ASKED = '{"player": "hi", "session": "a"}\n'


@pytest.fixture
def free(folder: Path) -> str:
    """A character without a declared world: any state of the game's is taken."""
    (folder / "free.yaml").write_text("name: Free\ndescription: Anyone.\n")
    return "free.yaml"


def only(output: str) -> dict[str, Any]:
    (line,) = output.splitlines()
    found = json.loads(line, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"player": "x", "state": {"gold": NaN}}', "not JSON: NaN is not a number"),
        ('{"player": "x", "state": {"gold": -Infinity}}', "not JSON: -Infinity is not a number"),
        ('{"player": "x", "state": {"gold": 1e999}}', "not JSON: the number 1e999 is too large"),
        ('{"player": "x", "player": "y"}', "the key 'player' is given twice"),
        ('{"player": "x", "state": {"a": 1, "a": 2}}', "the key 'a' is given twice"),
        ('{"player": "x", "session": "\\ud800"}', "half a character (a lone surrogate) in a text"),
        ('{"player": "x", "state": {"\\udc00": 1}}', "half a character (a lone surrogate) in a text"),
        (
            '{"player": "x", "state": {"a": ' + "[" * 70 + "]" * 70 + "}}",
            "nested deeper than 64 levels",
        ),
    ],
)
def test_a_line_that_could_not_be_answered_with_json_is_refused(
    gptkit: Gptkit, server: FakeServer, free: str, line: str, message: str
) -> None:
    code, output, errors = gptkit("roleplay", free, "--npc", stdin=line + "\n")
    assert (code, errors) == (80, "")
    assert only(output)["error"]["message"] == f"line 1: {message}"
    assert server.requests == []


@pytest.mark.parametrize(
    "actions", [[["wave"]], [{"name": ["wave"]}], [None], "sing", {"sing": 1}, {"wave": 1}]
)
def test_actions_of_any_shape_are_held_against_the_list(
    gptkit: Gptkit, server: FakeServer, folder: Path, free: str, actions: object
) -> None:
    (folder / "s.json").write_text('{"type": "object"}')
    server.say(json.dumps({"say": "x", "actions": actions}))
    server.say('{"say": "y", "actions": "wave"}')
    command = ("roleplay", free, "--npc", "--schema", "s.json", "--actions", "wave,bow")
    code, output, errors = gptkit(*command, stdin=ASKED)
    assert (code, errors) == (0, "")
    assert only(output) == {"say": "y", "actions": "wave", "session": "a"}
    assert "is not among bow, wave" in server.requests[1].json["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("part", "keyword"),
    [
        ({"properties": {"say": {"type": "string", "pattern": "^(a+)+$"}}}, "pattern"),
        ({"properties": {"say": {"items": {"$ref": "#"}}}}, "$ref"),
        ({"additionalProperties": {"anyOf": [{"patternProperties": {"(a+)+$": {}}}]}}, "patternProperties"),
    ],
)
def test_a_card_brings_no_schema_that_takes_years_to_check(
    run: AsProcess, server: FakeServer, folder: Path, part: dict[str, object], keyword: str
) -> None:
    card = json.loads(json.dumps(V2))
    card["data"]["extensions"] = {"gptkit": {"schema": {"type": "object", **part}}}
    (folder / "c.json").write_text(json.dumps(card))
    code, output, errors = run("roleplay", "c.json", "--npc", stdin=ASKED)
    first, hint = errors.splitlines()
    assert (code, output) == (65, "")
    assert first == f"gptkit: 'Haruhi': extensions.gptkit.schema: '{keyword}' is not allowed in a card"
    assert hint == "hint: a schema of your own, given with --schema, may have it"
