"""What `gptkit prompts` and `gptkit history actions` do for tool files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tool_parts import PLAIN, Tools

TESTS = """\
tests:
  - text: remove a
    calls: [{look: {name: a.txt}}, {remove: {name: a.txt}}]
    results: {look: milk}
    reply: Removed.
    expect: {does: "$ rm -- a.txt", asks: destructive, contains: Removed}
  - text: note tea
    calls: [{ask_user: {question: Where?}}]
    expect: {exit: 66}
  - text: 看看
    calls: [{look: {name: a.txt}}]
    expect: {does: [], asks: read, exit: 0}
"""


def test_a_tool_file_of_one_s_own(one: Tools) -> None:
    run = one("prompts", "new", "--tools", "git")
    assert run.code == 0
    path = Path(run.result.stdout.strip())
    assert path == one.around.home / "config" / "prompts" / "git.yaml"
    assert one("prompts", "check", "git").result == (0, "git: ok\n", "")
    assert one("prompts", "test", "git").result == (0, "git: 1 passed, 0 failed\n", "")
    assert one("prompts", "new", "--tools", "--from", "ask", "x").code == 2


def test_the_tests_of_a_file_run_offline(one: Tools) -> None:
    one.file(PLAIN + TESTS)
    assert one("prompts", "test", "notes", key=None).result == (0, "notes: 3 passed, 0 failed\n", "")
    assert one.logged() == []


WRONG = [
    ("does: $ rm a.txt", "does should be '$ rm a.txt'; it is '[\"$ rm -- a.txt\"]'"),
    ("asks: write", "asks should be 'write'; it is 'destructive'"),
    ("exit: 80", "exit should be '80'; it is '0'"),
]


@pytest.mark.parametrize(("expect", "message"), WRONG)
def test_what_differs_is_told(one: Tools, expect: str, message: str) -> None:
    one.file(
        f"{PLAIN}tests:\n  - text: x\n    calls: [{{remove: {{name: a.txt}}}}]\n    expect: {{{expect}}}\n"
    )
    run = one("prompts", "test", "notes")
    assert run.code == 65
    assert message in run.result.stdout


def test_a_renamed_argument_breaks_a_test_not_a_user(one: Tools) -> None:
    renamed = PLAIN.replace("{name}", "{note}").replace("{name: ", "{note: ")
    one.file(renamed + TESTS)
    run = one("prompts", "test", "notes")
    assert run.code == 65
    assert "a call is refused" in run.result.stdout


def test_live_the_model_is_asked_and_nothing_runs(tools: Tools) -> None:
    tools.file(PLAIN + TESTS)
    (tools.around.folder / "a.txt").write_text("x")
    tools.call(("look", {"name": "a.txt"}))
    tools.call(("remove", {"name": "a.txt"}))
    tools.answer("Removed.")
    tools.call(("ask_user", {"question": "Which note?"}))
    tools.call(("look", {"name": "b.txt"}))
    tools.answer("It is empty.")
    run = tools("prompts", "test", "notes", "--live")
    assert run.code == 65
    assert 'the model called: look {"name": "b.txt"}' in run.result.stdout
    assert "notes: 2 passed, 1 failed" in run.result.stdout
    assert (tools.around.folder / "a.txt").exists()
    assert tools.logged() == []


def test_check_names_a_large_tool(one: Tools) -> None:
    one.file(PLAIN.replace("Show a note.", "Show a note. " + "Very long. " * 2000))
    run = one("prompts", "check", "notes")
    assert run.code == 65
    assert re.search(r"'look' takes [0-9,]+ tokens of each request", run.result.stdout)


def test_show_lists_the_tools_beside_the_file(one: Tools) -> None:
    one.file()
    run = one("prompts", "show", "notes")
    assert run.result.stdout == PLAIN
    lines = run.result.stderr.splitlines()
    assert lines[0] == "gptkit: 3 tools, not trusted on its own"
    assert lines[3] == "gptkit: remove  destructive  $ rm -- {name}"
    broken = "description: x\ntools: {commands: {f: {}}}\n"
    one.file(broken)
    assert one("prompts", "show", "notes").result.stdout == broken


def test_a_file_is_trusted_until_it_changes(one: Tools) -> None:
    path = one.around.folder / "own.yaml"
    path.write_text(PLAIN)
    run = one("prompts", "trust", "own.yaml")
    assert run.code == 0
    assert "remove  destructive  $ rm -- {name}" in run.result.stdout
    one.answer()
    assert one("do", "x", "--with", "./own.yaml").code == 0
    path.write_text(PLAIN.replace("destructive", "read"))
    assert one("do", "x", "--with", "./own.yaml").code == 83
    assert one("prompts", "trust", "own.yaml").code == 0
    assert one("prompts", "trust", "own.yaml", "--remove").code == 0
    assert one("do", "x", "--with", "./own.yaml").code == 83
    assert one("prompts", "trust", "own.yaml", "--remove").code == 66
    assert one("prompts", "trust", "ask").code == 2


def test_the_log_of_actions(one: Tools) -> None:
    assert one("history", "actions").result == (0, "", "")
    one.file()
    (one.around.folder / "a.txt").write_text("牛奶")
    one.call(("look", {"name": "a.txt"}))
    one.call(("remove", {"name": "a.txt"}))
    one.answer()
    one("notes", "x", "--approve", "remove")
    run = one("history", "actions")
    newest, oldest = (line.split("\t")[1:] for line in run.result.stdout.splitlines())
    assert newest == ["ok", "destructive", "--approve remove", "$ rm -- a.txt"]
    assert oldest == ["ok", "read", "read", "$ cat -- a.txt"]
    lines = one("history", "actions", "--json", "--limit", "1", "--since", "7d").result.stdout.splitlines()
    (record,) = (json.loads(line) for line in lines)
    assert (record["tool"], record["arguments"], record["outcome"]) == ("remove", {"name": "a.txt"}, "ok")
    assert one("history", "actions", "--since", "yesterday").code == 2
    assert "actions" in one("history", "--help").result.stdout
