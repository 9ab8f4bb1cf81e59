"""What a tool file may say, and what `prompts check` says of mistakes in it."""

from __future__ import annotations

import pytest
from prompt_files import WORDS, broken, template
from tool_parts import PLAIN, Tools

from gptkit.capabilities.tools.config import TOOLS
from gptkit.capabilities.tools.model import Command, ToolsConfig
from gptkit.capabilities.tools.schema import command_schema
from gptkit.templates.template import Vocabulary

VOCABULARY = Vocabulary(WORDS.formats, (TOOLS,))
HEAD = "description: x\ntools:\n  commands:\n    f:\n"


def command(text: str) -> Command:
    """The command of a file whose entry `f` has these lines."""
    lines = "".join(f"      {line}\n" for line in text.strip().splitlines())
    config = template(HEAD + lines, VOCABULARY).capabilities["tools"]
    assert isinstance(config, ToolsConfig)
    return config.commands[0]


def problems(text: str) -> list[tuple[str, str]]:
    """The keys and messages of the mistakes in the entry `f`."""
    lines = "".join(f"      {line}\n" for line in text.strip().splitlines())
    return [
        (key.removeprefix("tools.commands."), message)
        for _, key, message, _ in broken(HEAD + lines, VOCABULARY)
    ]


ALONE = {"long": "map", "documents": "true", "course": "true", "character": "true"}


@pytest.mark.parametrize("key", ALONE)
def test_what_does_not_go_together_with_tools(one: Tools, key: str) -> None:
    one.file(f"{PLAIN}{key}: {ALONE[key]}\n")
    line = len(PLAIN.splitlines()) + 1
    run = one("prompts", "check", "notes")
    assert (
        run.code,
        f"notes.yaml:{line}: {key}: does not go together with 'tools'" in run.result.stdout,
    ) == (65, True)


def test_tools_are_no_parameter(one: Tools) -> None:
    one.file(f"{PLAIN}parameters: {{tools: []}}\n")
    assert "parameters.tools: gptkit sets it itself" in one("prompts", "check", "notes").result.stdout


def test_a_whole_command() -> None:
    found = command(
        """
description: How many pieces
run: [shopctl, stock, [--at, "{warehouse}"], --, "{sku}"]
arguments:
  sku: {pattern: "[A-Z]{3}", help: As ABC.}
  warehouse: {choices: [hamburg, 上海], optional: true}
risk: read
timeout: 10
ok: [0, 1]
env: {TOKEN: $SHOP_TOKEN}
most: 5
"""
    )
    assert found.run == ("shopctl", "stock", ("--at", "{warehouse}"), "--", "{sku}")
    assert (found.risk, found.timeout, found.ok, found.most) == ("read", 10.0, (0, 1), 5)
    assert command_schema(found.arguments) == {
        "type": "object",
        "properties": {
            "sku": {
                "type": "string",
                "description": "As ABC. It matches the regular expression [A-Z]{3}",
            },
            "warehouse": {"type": "string", "enum": ["hamburg", "上海"]},
        },
        "required": ["sku"],
        "additionalProperties": False,
    }


GOOD = "description: x\nrisk: read\n"
MISTAKES = [
    ("description: x\nrun: [ls]", [("f.risk", "missing")]),
    ("run: [ls]\nrisk: read", [("f.description", "missing; the model chooses by it")]),
    (GOOD, [("f.run", "missing; it is the program and its arguments, as a list")]),
    (GOOD + "run: ls -l", [("f.run", "must be a list: no shell takes it apart")]),
    (GOOD + "run: []", [("f.run", "empty; it is the program and its arguments")]),
    (GOOD + "run: [ls]\nshell: true", [("f.shell", "unknown key")]),
    (GOOD + "run: [ls]\napprove: write", [("f.approve", "unknown key")]),
    (GOOD.replace("read", "safe") + "run: [ls]", [("f.risk", "unknown word 'safe'")]),
    (GOOD + 'run: [ls, "{a}"]', [("f.run", "'a' is not declared")]),
    (GOOD + "run: [ls]\narguments: {a: {}}", [("f.arguments.a", "not used in 'run' or 'stdin'")]),
    (
        GOOD + 'run: [ls, "{a}"]\narguments: {a: {pattern: "("}}',
        [("f.arguments.a.pattern", "not a regular expression")],
    ),
    (
        GOOD + 'run: [ls, "{a}"]\narguments: {a: {optional: true}}',
        [("f.run", "'a' is optional: put its element into a list of its own")],
    ),
    (GOOD + "run: [ls]\ntimeout: 0", [("f.timeout", "must be a number of seconds, at most 3600")]),
    (GOOD + "run: [ls]\nmost: 0", [("f.most", "must be a whole number, at least 1")]),
    (GOOD + "run: [ls]\nok: [256]", [("f.ok", "must be a list of exit codes")]),
    (
        GOOD + 'run: [ls, "{home}"]\narguments: {home: {}}',
        [("f.arguments.home", "this name is that of a folder")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_mistakes(text: str, expected: list[tuple[str, str]]) -> None:
    assert problems(text) == expected


DISGUISED = [
    'sh, -c, "ls {a}"',
    'bash, -lc, "ls {a}"',
    'bash, "{a}"',
    '/bin/sh, -c, ls "$0", "{a}"',
    'python3, -c, "print({a})"',
    'python3.12, "{a}"',
    'perl, -e, "{a}"',
    'node, -e, x, "{a}"',
    'env, "{a}"',
    'sudo, ls, "{a}"',
    'xargs, "{a}"',
    'ssh, host, "ls {a}"',
    '"{a}", -l',
]


@pytest.mark.parametrize("run", DISGUISED)
def test_a_shell_in_disguise_is_refused(run: str) -> None:
    ((key, message),) = problems(GOOD + f"run: [{run}]\narguments: {{a: {{}}}}")
    assert key == "f.run"
    assert "of the model" in message


@pytest.mark.parametrize(
    "run", ['sh, "{project}/x.sh", --, "{a}"', 'python3, "{project}/x.py", "{a}"', 'git, -C, x, show, "{a}"']
)
def test_a_script_of_the_file_is_none(run: str) -> None:
    command(GOOD + f"run: [{run}]\narguments: {{a: {{}}}}")


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("tools: {}", "tools", "no tools; it needs commands, openapi or mcp"),
        ("tools: 1", "tools", "must be true or a mapping of keys, this is text"),
        ("tools: {calls: json, commands: {}}", "tools.calls", "unknown word 'json'"),
        ("tools: {approve: write}", "tools.approve", "unknown key"),
        ("tools: {commands: {ask_user: {}}}", "tools.commands.ask_user", "this name is gptkit's own"),
        (
            "tools: {mcp: {a: {run: [./server], select: [t]}}}",
            "tools.mcp.a.run",
            "'./server' depends on the current folder; begin it with {project}/",
        ),
    ],
)
def test_mistakes_around_the_tools(text: str, key: str, message: str) -> None:
    assert (key, message) in [(row[1], row[2]) for row in broken(f"description: x\n{text}", VOCABULARY)]


def test_a_file_for_the_tools_of_others() -> None:
    assert template("description: x\ntools: true", VOCABULARY).capabilities["tools"] == ToolsConfig()
    assert template(PLAIN, VOCABULARY).capabilities["tools"] != ToolsConfig()


ADDRESSES = {
    "https://api.example/v1": "",
    "https://接口.example": "",
    "http://127.0.0.1:8000/v1": "",
    "http://[::1]:8000": "",
    "https://api.example@evil.example": "not an address",
    "https://api.example/v1?x=1": "not an address",
    "ftp://api.example": "not an address",
    "http://localhost:x@evil.example": "not an address",
    "http://localhost.evil.example": "http goes to this machine only; use https",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address: str) -> None:
    message = ADDRESSES[address]
    api = f"description: x\ntools: {{openapi: {{a: {{file: a.json, server: '{address}'}}}}}}"
    server = f"description: x\ntools: {{mcp: {{a: {{url: '{address}', select: [t]}}}}}}"
    if not message:
        assert template(api, VOCABULARY).capabilities["tools"] != ToolsConfig()
        assert template(server, VOCABULARY).capabilities["tools"] != ToolsConfig()
        return
    assert [problem[2] for problem in broken(api, VOCABULARY)] == [message]
    if "?" not in address:
        expected = ["must be https, or http to this machine"]
        assert [problem[2] for problem in broken(server, VOCABULARY)] == expected
