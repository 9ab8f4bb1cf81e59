"""Ctrl-C, TERM and HUP at any moment: the right code soon, nothing but what was shown already."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from itertools import product
from pathlib import Path
from subprocess import Popen

import pytest
from asking import SAY, prompt, settings
from fake.connection import hang, pause, until
from fake.program import COMMAND, OnTerminal, Surroundings
from fake.replies import failed, scripted
from fake.server import FakeServer
from fake.waiting import SILENCE, SOON, wait_true
from fake.wire import chunk, chunked, done, http_head, last_chunk, sse, stream_head
from processes import ended, first_bytes, started

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
each = pytest.mark.parametrize("number", [INT, TERM, HUP])


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


def piece(text: str) -> bytes:
    return chunked(sse(chunk({"content": text})))


def shows(server: FakeServer, *texts: str) -> None:
    """The server sends these pieces and then nothing more."""
    server.raw([stream_head(), *map(piece, texts), hang()])


@pytest.mark.parametrize(("number", "args"), [(INT, []), (TERM, ["-v"]), (HUP, ["--raw"])])
def test_in_the_middle_of_an_answer(
    around: Surroundings, server: FakeServer, number: signal.Signals, args: list[str]
) -> None:
    shows(server, "first ", "second")
    process = started(around, "say", "x", *args)
    assert first_bytes(process, 12) == b"first second"
    process.send_signal(number)
    told = "gptkit: transport: direct\n" if "-v" in args else ""
    assert ended(process) == (128 + number, "", told)
    assert server.connections[0].wait_closed()


@pytest.mark.parametrize(
    ("number", "seconds"),
    [*product([INT], (0.0, 0.03, 0.07, 0.12, 0.2, 0.3, 0.5, 0.9)), (TERM, 0.0), (TERM, 0.9), (HUP, 0.1)],
)
def test_before_the_first_word(
    around: Surroundings, server: FakeServer, number: signal.Signals, seconds: float
) -> None:
    """The request arrives before what reads the answer is loaded, so the first of these hit that import."""
    server.raw([hang()])
    process = started(around, "say", "x")
    server.wait_requests()
    time.sleep(seconds)
    process.send_signal(number)
    assert ended(process) == (128 + number, "", "")
    assert server.connections[0].wait_closed()


@pytest.mark.parametrize(
    ("number", "args"),
    [(INT, ["--json"]), (TERM, ["--response"]), (HUP, ["-o", "out"])],
)
def test_while_a_whole_answer_is_awaited(
    around: Surroundings, server: FakeServer, number: signal.Signals, args: list[str]
) -> None:
    (around.folder / "out").write_text("old")
    shows(server, "half")
    process = started(around, "say", "x", *args)
    server.wait_requests()
    time.sleep(0.6)
    process.send_signal(number)
    assert ended(process) == (128 + number, "", "")
    assert [(path.name, path.read_text()) for path in around.folder.iterdir()] == [("out", "old")]


def test_while_an_answer_in_one_piece_is_awaited(around: Surroundings, server: FakeServer) -> None:
    head = http_head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    server.raw([head, b'{"id": "chatcmpl-1",', hang()])
    process = started(around, "say", "x", "--no-stream")
    server.wait_requests()
    time.sleep(0.6)
    process.send_signal(INT)
    assert ended(process) == (128 + INT, "", "")


@pytest.mark.parametrize(("first", "second"), [(INT, INT), (TERM, TERM), (INT, TERM), (HUP, INT)])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_second_signal_changes_nothing(
    around: Surroundings, server: FakeServer, first: signal.Signals, second: signal.Signals, at_once: bool
) -> None:
    """`timeout` sends its signal twice, impatient people send theirs more often."""
    shows(server, "shown")
    process = started(around, "say", "x")
    assert first_bytes(process, 5) == b"shown"
    process.send_signal(first)
    if not at_once:
        wait_true(lambda: _leaves(process) or process.poll() is not None, "the signal is not handled")
    for _ in range(5):
        process.send_signal(second)
    code, output, errors = ended(process)
    assert code == 128 + first or (at_once and code == 128 + second)
    assert (output, errors) == ("", "")


def _leaves(process: Popen[bytes]) -> bool:
    """Whether the process has begun to end because of a signal: it then catches SIGALRM as well."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    caught = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt")), 0)
    return bool(caught >> (signal.SIGALRM - 1) & 1)


@pytest.mark.parametrize("number", [INT, HUP])
def test_while_the_reader_does_not_read(
    around: Surroundings, server: FakeServer, number: signal.Signals
) -> None:
    server.say("x" * 5_000_000, pieces=3)
    process = started(around, "say", "x")
    assert first_bytes(process, 1) == b"x"
    process.send_signal(number)
    assert process.wait(SOON) == 128 + number
    output, errors = process.communicate()
    assert (set(output), errors) == ({ord("x")}, b"")


@pytest.mark.parametrize("number", [INT, TERM])
def test_between_two_tries(around: Surroundings, server: FakeServer, number: signal.Signals) -> None:
    server.queue(failed(500, headers={"Retry-After": "50"}))
    process = started(around, "say", "x")
    server.wait_requests()
    time.sleep(1.0)
    process.send_signal(number)
    assert ended(process) == (128 + number, "", "")
    assert len(server.requests) == 1


@each
def test_a_signal_that_the_caller_ignores_is_ignored(
    around: Surroundings, server: FakeServer, number: signal.Signals
) -> None:
    """As nohup does with HUP, and a shell with INT for what it starts in the background."""
    sent = threading.Event()
    server.raw([stream_head(), piece("a "), until(sent), piece("b"), *_end()])
    shell = ("/bin/sh", "-c", f'trap "" {number.name[3:]}; exec "$@"', "sh", *COMMAND)
    process = started(around, "say", "x", command=shell)
    assert first_bytes(process, 2) == b"a "
    process.send_signal(number)
    sent.set()
    assert ended(process) == (0, "b\n", "")


def _end() -> list[bytes]:
    return [chunked(sse(chunk({}, finish="stop"))), chunked(done()), last_chunk()]


SLOW_START = """
import subprocess, time
start = subprocess.Popen._execute_child
def slowly(*args, **options):
    start(*args, **options)
    time.sleep(0.2)
subprocess.Popen._execute_child = slowly
from gptkit.__main__ import entry_point
entry_point()
"""
"""The program on a machine that is busy just when it starts another one, whose number is not known yet."""


@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("program", [COMMAND, (sys.executable, "-c", SLOW_START)], ids=["", "slow start"])
def test_while_the_key_s_command_runs(
    around: Surroundings, server: FakeServer, home: Path, program: tuple[str, ...], number: signal.Signals
) -> None:
    """It ends too: as long as it runs, it holds the program's standard error."""
    command = f"touch started; exec sleep {SILENCE:.0f}"
    settings(home, f"api_key_command: [sh, -c, '{command}']\nbase_url: {server.url}\n")
    process = started(around, "say", "x", command=program, env={"OPENAI_BASE_URL": None}, key=None)
    wait_true((around.folder / "started").exists, "the command is not run")
    process.send_signal(number)
    assert ended(process) == (128 + number, "", "")
    assert server.requests == []


def test_ctrl_c_on_a_terminal(screen: OnTerminal, server: FakeServer) -> None:
    shows(server, "shown so far")
    shown = screen("say", "x", "--raw")
    before = shown.attributes()
    shown.wait_for("shown so far")
    shown.send("\x03")
    assert shown.wait_exit() == 130
    assert shown.text == "shown so far^C"
    assert shown.attributes() == before


def test_what_is_shown_whole_only_shows_nothing(around: Surroundings, server: FakeServer, home: Path) -> None:
    prompt(home, SAY + "output: code\n")
    server.queue(scripted([stream_head(), piece("```\n"), pause(0.01), hang()]))
    process = started(around, "say", "x")
    server.wait_requests()
    time.sleep(0.8)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "")
