"""`--copy`: the whole answer goes to the clipboard as well, by a program or through the terminal."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from asking import failure, prompt
from fake.program import InMemory, OnTerminal
from fake.server import FakeServer

ANSWER = "春眠不觉晓，\n处处闻啼鸟。"
NOWHERE = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "TMUX": "", "WSL_DISTRO_NAME": "", "SSH_CONNECTION": ""}
TOLD = "gptkit: sent to the terminal's clipboard, if it allows that (OSC 52)"


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


def sequence(text: str) -> bytes:
    return b"\x1b]52;c;" + b64encode(text.encode()) + b"\x07"


def clipboard_program(folder: Path, name: str, code: int = 0) -> dict[str, str | None]:
    """A program that writes its arguments and input to a file, and the environment that finds it."""
    file = folder / name
    file.write_text(f'#!/bin/sh\necho "$@" >{folder}/arguments\ncat >{folder}/copied\nexit {code}\n')
    file.chmod(0o755)
    return {**NOWHERE, "PATH": f"{folder}:/usr/bin:/bin", "TERM": "xterm"}


@pytest.mark.parametrize("words", [("say", "hi"), ("translate", "hi", "--to", "Chinese")])
def test_a_terminal_gets_the_answer_twice(
    screen: OnTerminal, server: FakeServer, words: tuple[str, ...]
) -> None:
    server.say(ANSWER, pieces=3)
    shown = screen(*words, "--copy", env={**NOWHERE, "PATH": ""})
    assert shown.wait_exit() == 0
    lines = [line for line in shown.text.splitlines() if line]
    assert lines == [*ANSWER.split("\n"), TOLD]
    assert sequence(ANSWER) in shown.raw


@pytest.mark.parametrize(
    ("variable", "name", "arguments"),
    [
        ("WAYLAND_DISPLAY", "wl-copy", ""),
        ("DISPLAY", "xclip", "-selection clipboard"),
        ("TMUX", "tmux", "load-buffer -w -"),
    ],
)
def test_a_program_gets_the_answer(
    gptkit: InMemory, server: FakeServer, folder: Path, variable: str, name: str, arguments: str
) -> None:
    environ = {**clipboard_program(folder, name), variable: "x"}
    server.say(ANSWER)
    assert gptkit("say", "hi", "--copy", env=environ) == (
        0,
        f"{ANSWER}\n",
        f"gptkit: copied with {name}\n",
    )
    assert (folder / "copied").read_text("utf-8") == ANSWER
    assert (folder / "arguments").read_text().strip() == arguments


def test_windows_gets_utf_16(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    environ = {**clipboard_program(folder, "clip.exe"), "WSL_DISTRO_NAME": "Ubuntu"}
    server.say(ANSWER)
    assert gptkit("say", "hi", "--copy", "-q", env=environ) == (0, f"{ANSWER}\n", "")
    assert (folder / "copied").read_bytes() == ANSWER.encode("utf-16-le")


def test_over_ssh_the_terminal_is_the_users_own(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    environ = {**clipboard_program(folder, "xclip"), "DISPLAY": ":0", "SSH_CONNECTION": "a b"}
    server.say(ANSWER)
    result = gptkit("say", "hi", "--copy", env=environ, tty=True)
    assert result.raw.endswith(sequence(ANSWER))
    assert not (folder / "copied").exists()


def test_without_a_clipboard_one_line_says_so(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    """The answer is printed all the same; a program that fails is none."""
    told = failure("no clipboard: no program for it is installed, and the terminal has none")
    server.say(ANSWER, times=2)
    assert gptkit("say", "hi", "--copy", env=NOWHERE) == (0, f"{ANSWER}\n", told)
    environ = {**clipboard_program(folder, "wl-copy", code=1), "WAYLAND_DISPLAY": "x"}
    assert gptkit("say", "hi", "--copy", env=environ) == (0, f"{ANSWER}\n", told)


def test_what_is_copied_is_what_is_printed(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    environ = {**clipboard_program(folder, "xclip"), "DISPLAY": ":0"}
    server.say("Run:\n\n```sh\nls\n```\n")
    assert gptkit("say", "list", "-x", "--copy", "-q", env=environ) == (0, "ls\n", "")
    assert (folder / "copied").read_text() == "ls"


def test_an_answer_that_is_cut_is_not_copied(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    environ = {**clipboard_program(folder, "xclip"), "DISPLAY": ":0"}
    server.say("half of", finish="length")
    assert gptkit("say", "hi", "--copy", env=environ).code == 80
    assert not (folder / "copied").exists()


def test_a_long_translation_is_copied_whole(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    environ = {**clipboard_program(folder, "xclip"), "DISPLAY": ":0"}
    server.say("你好。")
    assert gptkit("translate", "--to", "Chinese", "--copy", "-q", stdin="Hello.\n", env=environ).code == 0
    assert (folder / "copied").read_text("utf-8") == "你好。"
