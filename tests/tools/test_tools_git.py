"""The first minutes of a newcomer: the tool file of the page, real git, a terminal, cron, a conversation."""

from __future__ import annotations

import difflib
import re
import subprocess
from pathlib import Path

import pytest
from fake.program import AsProcess, OnTerminal
from tool_parts import DETACHED, Tools

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text("utf-8")
MERGED: tuple[str, dict[str, str]] = ("merged", {})
DELETE = ("delete_branch", {"branch": "old-login"})
WORDS = "delete the branches that are merged into main"


@pytest.fixture(autouse=True)
def repository(one: Tools) -> Path:
    """A repository with a branch that is merged, and the page's `git.yaml` in it."""
    folder = one.around.folder
    begin = ["commit", "-q", "--allow-empty", "-m", "begin"]
    for command in (["init", "-q", "-b", "main"], begin, ["branch", "old-login"]):
        git(folder, *command)
    found = re.search(r"```yaml\n(# git\.yaml\n.*?)```", PAGE, re.DOTALL)
    assert found
    (folder / "git.yaml").write_text(found[1])
    return folder


def git(folder: Path, *command: str) -> str:
    own = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *command]
    return subprocess.run(own, cwd=folder, check=True, capture_output=True, text=True).stdout


def scripted(one: Tools) -> None:
    one.call(MERGED)
    one.call(DELETE)
    one.answer("I deleted old-login.")


def test_a_newcomer_is_asked_and_the_branch_goes(one: Tools, repository: Path, screen: OnTerminal) -> None:
    scripted(one)
    shown = screen("do", WORDS, "--with", "git.yaml", columns=120)
    shown.wait_for("Use them, until the file changes? [y/N]")
    shown.send("y\r")
    shown.wait_for("destructive  $ git branch -d -- old-login")
    assert "old-login" in git(repository, "branch")
    shown.send("yes\r")
    assert shown.wait_exit() == 0
    assert "I deleted old-login." in shown.text
    assert "old-login" not in git(repository, "branch")


def test_the_same_in_cron(one: Tools, repository: Path, run: AsProcess) -> None:
    code, output, errors = run("do", WORDS, "--with", "git.yaml", command=DETACHED)
    assert (code, output) == (83, "")
    assert errors.startswith("gptkit: 'git.yaml': it is not trusted\nhint: 'gptkit prompts trust git.yaml'")
    assert run("prompts", "trust", "git.yaml", command=DETACHED).code == 0
    one.call(MERGED)
    one.call(DELETE)
    code, output, errors = run("do", WORDS, "--with", "git.yaml", command=DETACHED)
    assert (code, output) == (83, "")
    assert "not approved, and nobody could be asked: $ git branch -d -- old-login" in errors
    assert "old-login" in git(repository, "branch")


def test_reviewed_by_diff(one: Tools, repository: Path, run: AsProcess) -> None:
    assert run("prompts", "trust", "git.yaml", command=DETACHED).code == 0
    plans = []
    for number in range(2):
        scripted(one)
        assert run("do", WORDS, "--with", "git.yaml", "--plan", f"p{number}", command=DETACHED).code == 0
        plans.append((repository / f"p{number}").read_text().splitlines()[1:])
    assert [*difflib.unified_diff(plans[0], plans[1])] == []
    code, _, errors = run("do", "--apply", "p0", "--approve", "delete_branch", command=DETACHED, key=None)
    assert (code, errors) == (0, "gptkit: ok $ git branch -d -- old-login\n")
    assert "old-login" not in git(repository, "branch")


def test_in_a_conversation(one: Tools, repository: Path, screen: OnTerminal) -> None:
    one.file((repository / "git.yaml").read_text() + "conversation: true\n", "git")
    one.call(DELETE)
    shown = screen("git", columns=120)
    shown.wait_for("> ")
    shown.send("delete old-login\r")
    shown.wait_for("destructive  $ git branch -d -- old-login")
    shown.send("n\r")
    shown.wait_for("not approved")
    assert "old-login" in git(repository, "branch")
    one.call(DELETE)
    one.answer("It is gone.")
    shown.send("do it\r")
    shown.wait_until(lambda found: found.text.count("yes does it") == 2)
    shown.send("yes\r")
    shown.wait_for("It is gone.")
    assert "old-login" not in git(repository, "branch")
    one.answer("I deleted old-login.")
    shown.send("what did you do?\r")
    shown.wait_for("I deleted old-login.")
    system = one.server.requests[-1].json["messages"][0]["content"]
    assert "$ git branch -d -- old-login: ok" in system
    shown.wait_for("I deleted old-login.\n>")
    shown.send("\x04")
    assert shown.wait_exit() == 0
