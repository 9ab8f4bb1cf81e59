"""The ways to run the program prove themselves: in memory, as a process, on a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fake.program import NOWHERE, AsProcess, InMemory, OnTerminal, Result, Surroundings
from fake.waiting import SOON

if TYPE_CHECKING:
    from fake.server import FakeServer

PYTHON = (sys.executable, "-c")
SHOW_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
on_posix = pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals here")


def test_a_result_is_its_three_parts() -> None:
    result = Result(1, "é\n".encode(), "no\n")
    code, output, errors = result
    assert (code, output, errors) == result == (1, "é\n", "no\n")
    assert (result.code, result.stdout, result.stderr, result.raw) == (1, "é\n", "no\n", b"\xc3\xa9\n")
    with pytest.raises(UnicodeDecodeError):
        Result(0, b"\xff", "")


def test_memory_and_process_are_the_same_program(gptkit: InMemory, run: AsProcess) -> None:
    assert gptkit("--no-such-option") == run("--no-such-option")
    assert gptkit("--no-such-option").code == 2


def test_a_process_inherits_nothing(
    server: FakeServer, run: AsProcess, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    shown = run(SHOW_ENVIRONMENT, command=PYTHON, env={"EXTRA": "1", "HOME": None}, key="sk-other")
    environ = json.loads(shown.stdout)
    assert environ.keys() - {"PATH", "SYSTEMROOT", "LC_CTYPE"} == {
        "EXTRA",
        "GPTKIT_HOME",
        "LANG",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    }
    assert environ["GPTKIT_HOME"] == str(around.home)
    assert (environ["OPENAI_BASE_URL"], environ["OPENAI_API_KEY"]) == (server.url, "sk-other")


def test_a_process_without_a_server_reaches_nobody(run: AsProcess) -> None:
    environ = json.loads(run(SHOW_ENVIRONMENT, command=PYTHON, key=None).stdout)
    assert environ["OPENAI_BASE_URL"] == NOWHERE
    assert "OPENAI_API_KEY" not in environ


def test_standard_input_and_code_are_passed(run: AsProcess) -> None:
    echo = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data); sys.exit(len(data))"
    assert run(echo, command=PYTHON, stdin="世") == (3, "世", "")
    assert run(echo, command=PYTHON) == (0, "", "")


def test_what_still_runs_is_ended(around: Surroundings) -> None:
    program = AsProcess(around)
    process = program.start("import time; time.sleep(600)", command=PYTHON)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    program.close()
    assert process.returncode


@on_posix
def test_a_screen_shows_what_a_person_sees(screen: OnTerminal) -> None:
    script = r"""
        stty size; printf 'name? '; read name; printf 'gone\rhello %s\n' "$name"; printf '\033[1m世界\033[0m'
        stty -echo; printf '\033[6n'; IFS= read -r -d R where; echo " ${where#?}"
    """
    shown = screen(script, command=("bash", "-c"), columns=60, rows=10)
    shown.wait_for("name? ")
    shown.send("Zoë\r")
    assert shown.wait_exit() == 0
    assert shown.lines[:4] == ["10 60", "name? Zoë", "hello Zoë", "世界 [4;5"]
    assert shown.text == "10 60\nname? Zoë\nhello Zoë\n世界 [4;5"
    assert shown.cell(0, 3).bold
    assert b"gone\rhello" in shown.raw
    assert shown.cursor == (0, 4)


@on_posix
def test_a_screen_scrolls_is_resized_and_interrupted(screen: OnTerminal) -> None:
    script = "trap 'stty size; exit 7' INT; seq 3000; echo 世界; echo ready; while :; do sleep 0.01; done"
    shown = screen(script, command=("bash", "-c"), columns=60, rows=10)
    shown.wait_for("ready")
    assert shown.text.splitlines()[:2998:999] == ["1", "1000", "1999", "2998"]
    shown.resize(50, 12)
    shown.send("\x03")
    assert shown.wait_exit() == 7
    assert shown.text.endswith("3000\n世界\nready\n^C12 50")


@on_posix
def test_a_program_hears_signals_that_the_suite_ignores(screen: OnTerminal, run: AsProcess) -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        shown = screen("echo ready; exec sleep 600", command=("sh", "-c"))
        process = run.start("600", command=("sleep",))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)
    shown.wait_for("ready")
    shown.send("\x03")
    assert shown.wait_exit() == -signal.SIGINT
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON) == -signal.SIGINT


@on_posix
def test_a_screen_says_what_it_waits_for(screen: OnTerminal) -> None:
    shown = screen("echo there; sleep 600", command=("sh", "-c"))
    shown.wait_for("there")
    with pytest.raises(AssertionError, match=r"'here!' did not appear; the screen:\nthere"):
        shown.wait_for("here!", seconds=0.05)
    shown.close()
    assert shown.process.returncode == -signal.SIGKILL
