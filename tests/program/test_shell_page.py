"""The lines of `docs/shell.md` in their shells: the command stands in the line, and does not run."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from fake.program import InMemory, OnTerminal
from fake.server import FakeServer

PAGE = (Path(__file__).parents[2] / "docs" / "shell.md").read_text("utf-8")
ANSWER = "Here:\n```sh\ntouch ran\n```\n"


def line_for(shell: str) -> str:
    """The line of the page for a shell."""
    found = re.search(rf"For {shell}:\n\n```sh\n(.*)\n```", PAGE)
    assert found
    return found[1]


def test_a_terminal_gets_the_bare_command(gptkit: InMemory, server: FakeServer) -> None:
    server.say(ANSWER, times=2)
    for tty in (True, False):
        assert gptkit("shell", "make a file", tty=tty) == (0, "touch ran\n", "")


def test_a_wish_without_a_command_is_told(gptkit: InMemory, server: FakeServer) -> None:
    server.say("No command can do that.")
    told = "gptkit: no code in the answer: 'No command can do that.'\n"
    assert gptkit("shell", "make tea", tty=True) == (80, "", told)


@pytest.mark.parametrize(
    ("shell", "options", "prompt"),
    [
        ("bash", ("--norc",), "PS1='% '"),
        ("zsh", ("-f",), "PS1='%% '"),
        ("fish", ("--no-config",), "function fish_prompt; echo '% '; end"),
    ],
)
def test_the_line_of_a_shell(
    screen: OnTerminal,
    server: FakeServer,
    folder: Path,
    tmp_path: Path,
    shell: str,
    options: tuple[str, ...],
    prompt: str,
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    wrapper = tmp_path / "bin" / "gptkit"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gptkit "$@"\n')
    wrapper.chmod(0o700)
    (tmp_path / "line").write_text(f"{line_for(shell)}\n{prompt}\n")
    path = f"{wrapper.parent}:/usr/local/bin:/usr/bin:/bin"
    running = screen(env={"PATH": path}, command=(program, *options), columns=100)
    running.send(f". '{tmp_path / 'line'}'; echo rea\"\"dy\r")
    running.wait_for("\nready")
    server.say(ANSWER)
    running.send("make a file\x07")
    running.wait_for("% touch ran")
    server.say("No command can do that.")
    running.send(" tea\x07")
    running.wait_for("no code in the answer")
    running.wait_for("% touch ran tea")
    assert not (folder / "ran").exists()
