"""Plans: reads are done, the rest is written down, reviewed, and done later without a model."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import pytest
from tool_parts import DETACHED, PLAIN, Tools

from gptkit.capabilities.tools.plan import Plan, parse_plan, plan_text
from gptkit.core.errors import DataError

LOOK = ("look", {"name": "a.txt"})
REMOVE = ("remove", {"name": "a.txt"})
NOTE = ("note", {"name": "b.txt", "text": "tea\u202e"})


@pytest.fixture(autouse=True)
def note(request: pytest.FixtureRequest) -> Path:
    found: Tools = request.getfixturevalue("tools" if "tools" in request.fixturenames else "one")
    found.file()
    path = found.around.folder / "a.txt"
    path.write_text("milk\n")
    return path


def plan(one: Tools, *calls: Any, name: str = "p.yaml") -> Path:
    """The plan that comes of a model that makes these calls, one after the other."""
    for call in calls:
        one.call(call)
    one.answer("I did it.")
    assert one("notes", "tidy up, 谢谢", "--plan", name).code == 0
    return one.around.folder / name


def applied(one: Tools, path: Path, *args: str, answers: tuple[str, ...] = ()) -> Any:
    return one("do", "--apply", path.name, *args, answers=answers, key=None)


def test_reads_are_done_and_the_rest_is_written_down(tools: Tools, note: Path) -> None:
    tools.call(LOOK, REMOVE)
    tools.call(NOTE)
    tools.answer("I did it.")
    run = tools("notes", "tidy up", "--plan", "p.yaml", "--approve", "destructive")
    assert run.code == 0
    found = re.fullmatch(
        r"2 steps \(1 write, 1 destructive\) in p.yaml, hash ([0-9a-f]{16})\n", run.result.stdout
    )
    assert found
    assert note.exists()
    assert [row["tool"] for row in tools.logged()] == ["look"]
    text = (tools.around.folder / "p.yaml").read_text()
    assert text.startswith(
        "# gptkit plan 1: 2 steps (1 write, 1 destructive). Do it with: gptkit notes --apply p.yaml\n"
    )
    assert '  - does: "$ rm -- a.txt"\n    tool: "remove"\n    risk: "destructive"\n' in text
    assert 'seen:\n  - "$ cat -- a.txt"\n' in text
    assert "\\u202e" in text
    assert "\u202e" not in text
    read, stated = parse_plan(text, "p.yaml")
    assert read.hash == stated
    assert stated.startswith(found[1])


def test_the_command_that_a_plan_names_does_it(one: Tools, note: Path) -> None:
    path = plan(one, REMOVE)
    words = path.read_text().splitlines()[0].partition("Do it with: gptkit ")[2].split()
    assert one(*words, "--approve", "destructive").result == (0, "", "gptkit: ok $ rm -- a.txt\n")
    assert not note.exists()


def test_a_plan_in_a_pipe_and_in_json(one: Tools) -> None:
    one.call(REMOVE)
    one.answer()
    text = one("notes", "x", "--plan", "-").result.stdout
    one.call(REMOVE)
    one.answer("I did it.")
    record = one("notes", "x", "--plan", "p.yaml", "--json").record
    assert record["plan"]["hash"] == parse_plan(text, "-")[1]
    assert record["plan"]["steps"][0]["does"] == "$ rm -- a.txt"
    assert record["calls"][0]["outcome"] == "planned"


def test_two_plans_differ_where_they_do_something_else(one: Tools) -> None:
    first = plan(one, LOOK, NOTE, REMOVE).read_text().splitlines()
    assert plan(one, LOOK, NOTE, REMOVE).read_text().splitlines() == first
    second = plan(one, LOOK, NOTE, ("remove", {"name": "c.txt"})).read_text().splitlines()
    changed = [line for line in difflib.ndiff(first, second) if line[0] in "+-"]
    assert [line.split(":")[0] for line in changed] == [
        *("- hash", "+ hash", "-   - does", "+   - does", "-     arguments", "+     arguments")
    ]


def test_a_plan_is_done_without_a_model_and_without_a_key(one: Tools, note: Path) -> None:
    path = plan(one, LOOK, REMOVE)
    requests = len(one.server.requests)
    assert applied(one, path).code == 83
    assert note.exists()
    run = applied(one, path, answers=("yes",))
    assert run.result == (0, "", "gptkit: ok $ rm -- a.txt\n")
    assert "notes.yaml wants to do 1 thing" in run.questions[0]
    assert not note.exists()
    assert len(one.server.requests) == requests
    row = one.logged()[-1]
    assert (row["plan"], row["step"], row["approved"]) == (parse_plan(path.read_text(), "")[1], 1, "terminal")


def test_a_plan_is_not_done_twice(one: Tools, note: Path) -> None:
    path = plan(one, REMOVE)
    assert applied(one, path, "--approve", "remove").code == 0
    note.write_text("again")
    run = applied(one, path, "--approve", "remove")
    assert run.code == 0
    assert re.match(r"gptkit: already done at 20", run.result.stderr)
    assert note.exists()


def test_only_the_plan_that_was_reviewed(one: Tools, note: Path) -> None:
    path = plan(one, REMOVE)
    digest = parse_plan(path.read_text(), "")[1]
    assert applied(one, path, "--hash", "0" * 16, "--approve", "destructive").code == 65
    assert applied(one, path, "--hash", digest[:16], "--approve", "destructive").code == 0
    assert not note.exists()


CHANGES = [
    ("a.txt", "b.txt", "it was changed since it was made"),
    ("destructive", "read", "it was changed since it was made"),
    ("hash: ", "hash: 0", "it was changed since it was made"),
    ("steps:", "stages:", "it is no plan of gptkit"),
]


@pytest.mark.parametrize(("old", "new", "message"), CHANGES)
def test_a_plan_that_was_changed(one: Tools, note: Path, old: str, new: str, message: str) -> None:
    path = plan(one, REMOVE)
    path.write_text(path.read_text().replace(old, new))
    run = applied(one, path, "--approve", "destructive", answers=("yes",))
    assert run.code == 65
    assert message in run.result.stderr
    assert note.exists()


def recomputed(path: Path, old: str, new: str) -> None:
    """Change a plan, and the hash in it, as who wants to deceive can."""
    text = path.read_text().replace(old, new)
    changed, _ = parse_plan(text, "")
    path.write_text(plan_text(changed, path.name, "do"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"$ rm -- a.txt"', '"$ ls"'),
        ('{"name": "a.txt"}', '{"name": "other.txt"}'),
        ('"destructive"', '"read"'),
        ('tool: "remove"', 'tool: "look"'),
    ],
)
def test_a_step_that_would_do_something_else(one: Tools, note: Path, old: str, new: str) -> None:
    path = plan(one, REMOVE)
    recomputed(path, old, new)
    run = applied(one, path, "--approve", "destructive")
    assert run.code == 65
    assert "would do something else now" in run.result.stderr
    assert note.exists()


def test_a_tool_file_that_has_changed(one: Tools, note: Path) -> None:
    path = plan(one, REMOVE)
    one.file(PLAIN + "# changed\n")
    run = applied(one, path, "--approve", "destructive")
    assert run.code == 65
    assert "has changed since the plan was made" in run.result.stderr
    assert note.exists()


def test_a_failure_ends_the_plan_which_goes_on_from_there(one: Tools, note: Path) -> None:
    path = plan(one, NOTE, ("remove", {"name": "missing.txt"}), REMOVE)
    run = applied(one, path, "--approve", "destructive")
    assert run.code == 84
    assert "step 2 of 3: failed: it ended with 1" in run.result.stderr
    assert "1 after it not done" in run.result.stderr
    assert note.exists()
    (one.around.folder / "missing.txt").write_text("x")
    (one.around.folder / "b.txt").write_text("not again")
    assert applied(one, path, "--approve", "destructive").code == 0
    assert not note.exists()
    assert (one.around.folder / "b.txt").read_text() == "not again"


def test_a_kill_in_a_step_that_may_have_happened(one: Tools, note: Path, run: Any) -> None:
    script = one.around.home / "config" / "prompts" / "note.sh"
    path = plan(one, NOTE, REMOVE)
    script.write_text("kill -9 $PPID\n")
    assert run("do", "--apply", path.name, "--approve", "destructive", command=DETACHED)[0] == -9
    assert note.exists()
    script.write_text("echo more >> log.txt\n")
    result = applied(one, path, "--approve", "destructive")
    assert result.code == 83
    assert "step 1 may have been done at" in result.result.stderr
    result = applied(one, path, "--approve", "destructive", answers=("y",))
    assert result.code == 83
    assert note.exists()
    assert applied(one, path, "--approve", "destructive", answers=("yes",)).code == 0
    assert not note.exists()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("do", "words", "--apply", "p.yaml"), 2),
        (("do", "--apply", "p.yaml", "--with", "notes"), 2),
        (("do", "--apply", "none.yaml"), 66),
        (("do", "words", "--hash", "0"), 2),
    ],
)
def test_what_does_not_go_together(one: Tools, args: tuple[str, ...], code: int) -> None:
    plan(one, REMOVE)
    assert one(*args).code == code


def test_a_plan_without_steps(one: Tools) -> None:
    path = plan(one, LOOK)
    assert "0 steps" in path.read_text()
    assert applied(one, path).result == (0, "", "gptkit: nothing to do\n")


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "hash: 1", "{hash: 1, request: x, tools: [], seen: [], steps: 1}"]
)
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(DataError):
        parse_plan(text, "p.yaml")


def test_a_plan_survives_its_text() -> None:
    step = {
        "does": "$ x '\u2028\n😀'",
        "tool": "x",
        "risk": "write",
        "arguments": {"a": [1, None]},
        "definition": "d",
    }
    found = Plan('what: "x" # y', {"a b.yaml": "1"}, ("$ ls",), (step,))
    assert parse_plan(plan_text(found, "p", "do"), "p") == (found, found.hash)
