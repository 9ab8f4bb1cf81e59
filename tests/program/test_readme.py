"""What the README shows is run: every console block against the fake, and the settings table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake.program import Surroundings
from fake.server import FakeServer
from fake.waiting import SOON
from tutoring import check, course, grade, mark, update

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CONSOLE = re.compile(r"```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)```", re.DOTALL)
HAIKU = re.compile(r"```yaml\n(?P<file>description: Write a haiku.*?)```", re.DOTALL)
GUARD = re.compile(r"```yaml\n(?P<file>name: Holt.*?)```", re.DOTALL)
BLOCKS = [(found["command"], found["output"]) for found in CONSOLE.finditer(README)]
FILES = {
    "notes.md": "# Release\n\nIt moves to Monday.\n",
    "lease.txt": "Either party may end this lease with three months' notice.\n",
    "annex.txt": "Pets are welcome.\n",
    "报告.txt": "三季度营收同比增长一成。\n",
    "rubric.txt": "Names the rule (2 points)\nFinds x (3 points)\n",
    "answer.txt": "I divide both sides by 2, so x = 4.\n",
}
GERMAN = "# Freigabe\n\nSie ist jetzt am Montag.\n"
COURSE = """\
subject: algebra
reviews:
  - front: What may be done to both sides of an equation?
    back: the same
    due: 2026-01-02
"""
GRADE = grade(
    mark("Names the rule", 2, "divide both sides", "The rule is named."),
    mark("Finds x", 0, "", "Half of six is not four."),
    feedback="Put your result back into the equation.",
)


def replies(command: str, output: str) -> list[str]:
    """What the model has to say, request by request, for the block to come out as it is shown."""
    if "gptkit prompts" in command or "--due" in command:
        return []
    if "--rubric" in command:
        return [GRADE, update()]
    if "gptkit tutor" in command:
        return [output.removesuffix("\n"), check(), update()]
    return [_reply(command, output)]


def _reply(command: str, output: str) -> str:
    if "| python3 -c" in command:
        return output.removesuffix("\n")
    if " > " in command or " -o " in command:
        return "```go\npackage main\n```" if "code" in command else GERMAN
    if "gptkit shell" in command:
        return f"```sh\n{output}```"
    return output


@pytest.fixture
def shell(around: Surroundings) -> dict[str, str]:
    """The environment of a user's shell in a folder with the files that the README names."""
    for name, text in FILES.items():
        (around.folder / name).write_text(text, "utf-8")
    course(around.home, COURSE, "algebra")
    prompts = around.home / "config" / "prompts"
    prompts.mkdir(parents=True)
    haiku = HAIKU.search(README)
    assert haiku
    (prompts / "haiku.yaml").write_text(haiku["file"], "utf-8")
    guard = GUARD.search(README)
    assert guard
    (around.folder / "guard.yaml").write_text(guard["file"], "utf-8")
    environ = around.process_environ({}, "sk-test")
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (around.folder / "names.py").write_text("name = ''\n")
    for command in (["init", "-q"], ["add", "names.py"], ["commit", "-qm", "Begin"]):
        subprocess.run([*git, *command], cwd=around.folder, env=environ, check=True)
    (around.folder / "names.py").write_text("assert name\n")
    return environ


@pytest.mark.parametrize(("command", "output"), BLOCKS, ids=[command[:50] for command, _ in BLOCKS])
def test_console_block(
    command: str, output: str, shell: dict[str, str], server: FakeServer, around: Surroundings
) -> None:
    wanted = replies(command, output)
    for reply in wanted:
        server.say(reply)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=shell,
        cwd=around.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SOON,
        check=False,
    )
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, output, "")
    assert len(server.requests) == len(wanted)


def test_every_kind_of_block_was_found() -> None:
    assert len(BLOCKS) >= 15


def test_settings_table_is_that_of_the_program() -> None:
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, re.DOTALL)
    assert found
    assert found[1] == settings_table()


def settings_table() -> str:
    """The README's table, from the program's own; `python tests/program/test_readme.py` prints it."""
    from gptkit.settings.schema import SETTINGS

    rows = ["| setting | default | environment | what it is |", "|---|---|---|---|"]
    for setting in SETTINGS.values():
        default = "" if setting.default in (None, ()) else f"`{_shown(setting.default)}`"
        variables = ", ".join(f"`{name}`" for name in setting.environment)
        rows.append(f"| `{setting.name}` | {default} | {variables} | {setting.description} |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(settings_table())
