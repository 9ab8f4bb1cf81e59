"""The prompt loop as a person at a terminal meets it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake.program import AsProcess, OnTerminal
from fake.screen import Screen

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals of POSIX")
DRIVER = (sys.executable, str(Path(__file__).parents[1] / "support" / "loop_driver.py"))
PASTE = "\x1b[200~{}\x1b[201~"
Talking = Callable[..., Screen]


@pytest.fixture
def talking(screen: OnTerminal) -> Talking:
    """A loop that waits for its first message."""

    def start(*args: str, columns: int = 80, rows: int = 24, **env: str) -> Screen:
        running = screen(*args, command=DRIVER, columns=columns, rows=rows, env=env)
        prompts(running, 1)
        return running

    return start


def prompts(running: Screen, count: int) -> None:
    """Wait until that many prompts have been shown, the last of them waiting."""
    running.wait_until(lambda s: sum(line[:1] == ">" for line in s.text.split("\n")) >= count, "no prompt")


def ended(running: Screen) -> None:
    running.wait_until(lambda s: s.lines[s.cursor[1]] == ">", "no prompt")
    running.send("\x04")
    assert running.wait_exit() == 0


def test_a_message_is_answered_and_ctrl_d_leaves(talking: Talking) -> None:
    running = talking()
    before = running.attributes()
    running.send("hello\r")
    running.wait_for("['hello']")
    prompts(running, 2)
    running.send("\x04")
    assert running.wait_exit() == 0
    shown = [line for line in running.text.split("\n") if line]
    assert shown[:2] == ["> hello", "['hello']"]
    assert "Traceback" not in running.text
    assert running.attributes()[3] != 0
    assert before is not None


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (PASTE.format("one\ntwo\r\nthree") + "\r", "one\\ntwo\\nthree"),
        (PASTE.format("/usr/bin\nls\n") + "\r", "/usr/bin\\nls"),
        ("one\x1b\rtwo\r", "one\\ntwo"),
        ('"""\rone\r\rtwo\r"""\r', "one\\n\\ntwo"),
        ('"""\r/undo\r"""\r', "/undo"),
        ("//etc is what?\r", "/etc is what?"),
        ("你好，世界\r", "你好，世界"),
        ("cafe\u0301 \U0001f44d\r", "caf\u00e9 \U0001f44d"),  # the emulator composes
        ("abc\x01x\x05y\r", "xabcy"),
        ("a \x1b[31mred\x1b[0m word\r", "a red word"),  # copied with its colour
    ],
)
def test_what_is_typed_is_one_message(talking: Talking, typed: str, sent: str) -> None:
    running = talking()
    running.send(typed)
    running.wait_until(lambda s: f"['{sent}']" in s.text.replace("\n", ""), f"{sent} was not sent")
    ended(running)


def test_wide_characters_are_removed_whole(talking: Talking) -> None:
    running = talking()
    running.send("你好世界\x7f\x7f")
    running.wait_until(lambda s: s.lines[s.cursor[1]].startswith("> 你好") and s.cursor[0] == 6)
    running.send("\r")
    running.wait_for("['你好']")
    ended(running)


def test_ctrl_c_stops_the_answer_and_keeps_it(talking: Talking) -> None:
    running = talking()
    running.send("slow\r")
    running.wait_for("begins")
    running.send("\x03")
    prompts(running, 2)
    running.send("/history\r")
    running.wait_for("(cancelled) begins")
    running.send("slow\r")
    running.wait_until(lambda s: s.text.count("begins") == 3)
    running.send("\x03")
    prompts(running, 4)
    ended(running)


def test_ctrl_c_clears_the_line_and_says_how_to_leave(talking: Talking) -> None:
    running = talking()
    running.send("never sent")
    running.wait_for("> never sent")
    running.send("\x03")
    running.wait_until(lambda s: "never" not in s.text)
    running.send("\x03")
    running.wait_for("Ctrl-D leaves")
    running.send("x")
    running.wait_until(lambda s: "Ctrl-D" not in s.text)
    running.send("\r")
    running.wait_for("['x']")
    ended(running)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("answering", [True, False])
def test_other_signals_end_it_and_leave_the_terminal_as_it_was(
    screen: OnTerminal, number: int, code: int, answering: bool
) -> None:
    script = 'before=$(stty -g); "$@"; code=$?; test "$before" = "$(stty -g)" && echo same $code'
    running = screen(
        command=("/bin/sh", "-c", script, "sh", "/bin/sh", "-c", 'echo pid $$.; exec "$@"', "sh", *DRIVER)
    )
    prompts(running, 1)
    pid = int(running.text.partition("pid ")[2].partition(".")[0])
    if answering:
        running.send("slow\r")
        running.wait_for("begins")
    os.kill(pid, number)
    running.wait_for(f"same {code}")
    assert running.wait_exit() == 0


def test_an_interrupt_from_outside_clears_the_line_too(talking: Talking) -> None:
    running = talking()
    running.send("hello")
    running.wait_for("> hello")
    os.kill(running.process.pid, signal.SIGINT)
    running.wait_until(lambda s: "hello" not in s.text)
    running.send("again\r")
    running.wait_for("['again']")
    ended(running)


def test_the_status_line_shows_what_fits(talking: Talking) -> None:
    running = talking(columns=70)
    running.send("hello\r")
    running.wait_for("gpt-test · 1,234 of 128,000 tokens · $0.0125 of $1.00")
    running.resize(40, 20)
    os.kill(running.process.pid, signal.SIGWINCH)
    running.wait_for("gpt-test · 1.2k/128k · $0.01/$1.00")
    running.resize(20, 20)
    os.kill(running.process.pid, signal.SIGWINCH)
    running.wait_until(lambda s: "1.2k/128k" in s.lines)
    ended(running)


def test_twenty_columns(talking: Talking) -> None:
    running = talking(columns=20, rows=12)
    running.send("the quick brown fox jumps 敏捷的棕色狐狸\r")
    running.wait_until(lambda s: "狐狸']" in s.text.replace("\n", ""))
    running.send("/help\r")
    running.wait_for("leaves.")
    running.wait_until(lambda s: s.lines[s.cursor[1]] == ">", "no prompt")
    running.send("/he\t")
    running.wait_until(lambda s: "> /help" in s.lines[s.cursor[1]])
    running.send("\x03")
    ended(running)


def test_resizing_does_not_lose_what_is_typed(talking: Talking) -> None:
    running = talking(columns=60)
    running.send("a message of some length that will wrap")
    running.wait_for("will wrap")
    for columns in (25, 100, 30):
        running.resize(columns, 24)
        os.kill(running.process.pid, signal.SIGWINCH)
    running.send(" indeed\r")
    running.wait_until(
        lambda s: "'a message of some length that will wrap indeed'" in s.text.replace("\n", "")
    )
    ended(running)


def test_completion(talking: Talking, folder: Path) -> None:
    (folder / "notes of mine.md").write_text("x")
    (folder / "evil\x1b[2J").write_text("x")
    running = talking()
    running.send("/mod\t")
    running.wait_for("> /model")
    running.send("gpt-n\t")
    running.wait_for("gpt-next")
    running.send("\r")
    running.wait_for("model: gpt-next")
    running.send("/file no\t\r")
    running.wait_for("'notes of mine.md' goes with the next message")
    running.send("read\r")
    running.wait_for("['read' with notes of mine.md]")
    ended(running)


@pytest.mark.parametrize("trouble", ["--slow", "--unreachable"])
def test_names_that_do_not_come_hinder_nobody(talking: Talking, trouble: str) -> None:
    running = talking(trouble)
    running.send("/model g\tpt-own\r")
    running.wait_for("model: gpt-own")
    ended(running)


def test_editing_the_last_message(talking: Talking) -> None:
    running = talking()
    running.send("frist\r")
    running.wait_for("['frist']")
    running.send("/edit\r")
    running.wait_for("edit> frist")
    running.send("\x15first\r")
    running.wait_for("['first']")
    running.send("/edit\r")
    running.wait_until(lambda screen: screen.text.count("edit> first") == 2)
    running.send("\x03new\r")
    running.wait_for("['new']")
    running.send("/history\r")
    running.wait_for("you: new")
    assert "you: first" in running.text
    assert "you: frist" not in running.text
    ended(running)


def test_an_editor_writes_the_message(talking: Talking, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ncat "$1" >&2; env | grep -c KEY >&2; printf "line 1\\nline 2\\n" > "$1"\n')
    editor.chmod(0o700)
    running = talking(EDITOR=shlex.quote(str(editor)))
    running.send("/editor begun\r")
    running.wait_for("begun0")
    running.wait_for("['line 1\\nline 2']")
    assert not list(tmp_path.rglob("draft-*"))
    ended(running)


def test_copying_goes_through_the_terminal(talking: Talking) -> None:
    running = talking(DISPLAY="", WAYLAND_DISPLAY="")
    running.send("hello\r")
    running.wait_for("['hello']")
    running.send("/copy\r")
    running.wait_for("OSC 52")
    ended(running)
    assert b"\x1b]52;c;WydoZWxsbydd\x07" in running.raw


def test_history_is_kept_for_the_next_time(talking: Talking, home: Path) -> None:
    first = talking()
    first.send("你好\r")
    first.wait_for("['你好']")
    first.send(PASTE.format("two\nlines") + "\r")
    first.wait_for("['two\\nlines']")
    ended(first)
    file = home / "data" / "prompt_history"
    assert file.stat().st_mode & 0o777 == 0o600
    second = talking()
    second.send("\x1b[A")
    second.wait_for("lines")
    second.send("\x1b[A\x1b[A")
    second.wait_for("> 你好")
    second.send("\r")
    second.wait_for("['你好']")
    ended(second)
    third = talking("--no-log")
    third.send("secret\r")
    third.wait_for("['secret']")
    ended(third)
    assert "secret" not in file.read_text()


def test_a_dumb_terminal_gets_no_escape_sequences(screen: OnTerminal) -> None:
    running = screen(command=DRIVER, env={"TERM": "dumb"})
    prompts(running, 1)
    running.send("hello\r")
    running.wait_for("gpt-test · 1,234 of 128,000 tokens · $0.0125 of $1.00")
    prompts(running, 2)
    running.send('"""\rone\rtwo\r"""\r')
    running.wait_for("['one\\ntwo']")
    prompts(running, 3)
    running.send("lost\x03")
    prompts(running, 4)
    running.send("\x03")
    running.wait_for("Ctrl-D leaves")
    prompts(running, 5)
    running.send("slow\r")
    running.wait_for("begins")
    running.send("\x03")
    prompts(running, 6)
    running.send("/edit changed\r")
    running.wait_for("['changed']")
    ended(running)
    assert b"\x1b" not in running.raw


def test_no_colour(talking: Talking) -> None:
    running = talking(NO_COLOR="1")
    running.send("hello\r")
    running.wait_for("1,234 of 128,000")
    ended(running)
    row = next(number for number, line in enumerate(running.lines) if "['hello']" in line)
    assert all(running.cell(column, row).fg == "default" for column in range(20))
    assert b"\x1b[90m" not in running.raw
    assert b"38;5" not in running.raw


def test_no_terminal_to_type_at(run: AsProcess) -> None:
    assert run(command=DRIVER) == (
        66,
        "",
        "gptkit: standard input: it is not a terminal\nhint: give a message to answer it and end\n",
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/hlep", "hint: did you mean '/help'?"),
        ("/zzz", "hint: '/help' shows all"),
        ("/file", "gptkit: '/file PATH': PATH is missing"),
        ("/file nowhere", "gptkit: no file 'nowhere'"),
        ("/undo it", "gptkit: '/undo' takes no argument"),
        ("/undo", "gptkit: there is nothing to undo"),
        ("/retry", "gptkit: there is no message yet"),
        ("/copy", "gptkit: there is no answer yet"),
        ("/history x", "gptkit: '/history': 'x' is not a number of turns"),
        ("/system", "Be brief."),
        ("/system Be long.", "Be long."),
        ("/roll 2d6+1", "2d6+1: 4"),
        ("/fork other", "going on as 'other'"),
        ("/cost", "tokens: 0 of 128,000"),
        ("fail", "gptkit: no answer"),
    ],
)
def test_commands(talking: Talking, typed: str, told: str) -> None:
    running = talking()
    running.send(typed + "\r")
    running.wait_for(told)
    prompts(running, 2)
    running.send("/exit\r")
    assert running.wait_exit() == 0


def test_saving(talking: Talking, folder: Path) -> None:
    (folder / "old.md").write_text("old")
    running = talking()
    running.send("hello\r")
    running.wait_for("['hello']")
    running.send("/save old.md\r")
    running.wait_for("hint: '/save -f old.md' replaces it")
    assert (folder / "old.md").read_text() == "old"
    for name in ("new.md", "-f old.md"):
        running.send(f"/save {name}\r")
        running.wait_for(f"saved 1 turn in '{name.removeprefix('-f ')}'")
    ended(running)
    expected = "## You\n\nhello\n\n## gpt-test\n\n['hello']\n"
    assert [(folder / name).read_text() for name in ("new.md", "old.md")] == [expected, expected]
