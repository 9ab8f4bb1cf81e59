"""What `docs/tour.md` shows is what a terminal shows when somebody types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fake.program import OnTerminal, Surroundings
from fake.screen import Screen
from fake.server import FakeServer

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "docs" / "tour.md").read_text("utf-8")
BLOCKS: list[str] = re.findall(r"^```screen\n(.*?)^```$", TOUR, re.DOTALL | re.MULTILINE)
FILES: dict[str, str] = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", TOUR, re.DOTALL | re.MULTILINE))
PROMPT = "tour$ "
DO = 'gptkit do "delete the branches that are merged into main" --with git.yaml'
TYPED: dict[str, list[tuple[str, str, str]]] = {
    "gptkit chat -s trip": [
        ("", ">", "Suggest a town by the sea for May.\r"),
        ("not yet full.", ">", "\x04"),
    ],
    "gptkit chat -c": [("", ">", "And by train from Madrid?\r"), ("by bus.", ">", "exit\r")],
    DO: [("", "yes does it", "yes\r")],
}
"""What is typed at a command, once the screen shows the first words and the cursor's line the second."""
QUOTED = {"quotes": [{"passage": 1, "text": "with three months' notice"}], "answer": "Three months. [1]"}
STEPS = (
    {"tool": "merged", "arguments": {}},
    {"tool": "delete_branch", "arguments": {"branch": "old-login"}},
    {"tool": "answer", "text": "I deleted old-login."},
)
REPLIES: dict[str, list[str]] = {
    'gptkit ask "what is a pty?"': ["A **pty** is a pair:\n\n- one end for the program,\n- one for you."],
    'gptkit translate --to Chinese "Good morning, Anna."': ["早上好，安娜。"],
    "gptkit chat -s trip": ["Nerja: warm by then, and not yet full."],
    "gptkit chat -c": ["By train to Málaga, and from there by bus."],
    "gptkit commit": ["Greet Anna by name"],
    'gptkit review "Mind the Chinese names."': ["hello.py:1: the name is fixed; read it from an argument."],
    'gptkit qa "what is the notice period?" lease.txt': [json.dumps(QUOTED)],
    DO: [json.dumps({"step": step}) for step in STEPS],
    "gptkit haiku autumn": ["Red leaf on the pond,\nthe wind has forgotten it.\nOne carp comes to look."],
}
"""What the model says to a command, request by request."""
CHANGING = (
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE"),
    (r"^[a-z0-9]{8}  ", "ID        "),
    (r"^(DATE +\d+) +[\d. ]+", r"\1 TOKENS AND COST "),
)
"""What is another text in each run."""


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A folder whose name is short, so that a path in it fits into a line."""
    folder = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shell(around: Surroundings, short_home: Path, screen: OnTerminal) -> Screen:
    """A shell in a Git repository with the files that the tour names."""
    (around.folder / "lease.txt").write_text("Either party may end this lease with three months' notice.\n")
    (around.folder / "hello.py").write_text("print('hello')\n")
    (around.folder / "git.yaml").write_text(FILES["git.yaml"])
    (short_home / "config").mkdir()
    (short_home / "config" / "config.yaml").write_text("prices: {gpt-6-luna: [0.25, 2]}\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "Begin"], ["branch", "old-login"]):
        subprocess.run([*git, *words], cwd=around.folder, check=True)
    (around.folder / "hello.py").write_text("print('hello, Anna')\n")
    subprocess.run(["git", "add", "."], cwd=around.folder, check=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {"GPTKIT_HOME": str(short_home), "PATH": path, "PS1": PROMPT, "HISTFILE": "", "EDITOR": "true"}
    bash = ("/bin/bash", "--norc", "--noprofile", "--noediting", "-i")
    shell = screen(env=environ, key=None, command=bash)
    shell.wait_until(lambda found: found.text.endswith(PROMPT.rstrip()))
    return shell


def _type(shell: Screen, command: str) -> str:
    """Type a command and what it asks for; returns what the screen shows from the command on."""
    start = shell.text.rfind("\n") + 1
    shell.send(f"{command}\r")
    for words, asked, keys in TYPED.get(command, []):
        shell.wait_until(partial(_is_asked, start=start, words=words, asked=asked), f"{words} {asked}")
        shell.send(keys)
    shell.wait_until(lambda found: found.text[start:].endswith(f"\n{PROMPT.rstrip()}"), command)
    return shell.text[start:].removesuffix(PROMPT.rstrip()).replace(PROMPT, "$ ")


def _is_asked(shell: Screen, *, start: int, words: str, asked: str) -> bool:
    return words in shell.text[start:] and shell.lines[shell.cursor[1]].startswith(asked)


def _without_changes(text: str) -> str:
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return re.sub("  +", "  ", text)


def test_each_screen_is_what_a_terminal_shows(
    shell: Screen, server: FakeServer, around: Surroundings, short_home: Path
) -> None:
    for block in BLOCKS:
        seen = ""
        commands = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
        for command in commands:
            for reply in REPLIES.get(command, []):
                server.say(reply)
            seen += _type(shell, command)
        seen = seen.replace(f"{short_home}/config", "~/.config/gptkit")
        assert _without_changes(seen) == _without_changes(block)


def test_every_screen_was_found() -> None:
    assert len(BLOCKS) >= 8
