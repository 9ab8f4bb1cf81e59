"""Ctrl-C that stops one thing and not the program."""

from __future__ import annotations

import os
import signal
import sys
from subprocess import PIPE, Popen

import pytest
from fake.signals import unblocked
from fake.waiting import SOON

from gptkit.core.errors import SignalError
from gptkit.core.signals import ignore_interrupts, interruptible

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
PROGRAM = """
import os, signal, sys, time
from gptkit.core.signals import catch_signals, interruptible, ignore_interrupts
from gptkit.core.errors import SignalError
def say(text):
    os.write(1, text.encode() + b"\\n")
def wait():
    say("waits")
    os.read(0, 1)
    say("went on")
catch_signals()
try:
    {body}
except SignalError as stop:
    os._exit(128 + stop.number)
os._exit(0)
"""
TWICE = """
    for _ in range(2):
        try:
            with interruptible():
                wait()
        except SignalError as stop:
            if stop.number != signal.SIGINT:
                raise
            say(f"stopped by {stop.number}")
    wait()
"""
BESIDE = """
    with ignore_interrupts():
        wait()
        try:
            with interruptible():
                wait()
        except SignalError:
            say("stopped")
        wait()
"""
CALLBACK = """
    class Dying:
        def __del__(self):
            wait()
    try:
        with interruptible():
            dying = Dying()
            del dying
            wait()
    except SignalError:
        say("stopped after all")
"""


class Running:
    def __init__(self, body: str) -> None:
        with unblocked():
            self.process = Popen(
                [sys.executable, "-c", PROGRAM.replace("{body}", body.strip())],
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
            )

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().decode().strip()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        output, errors = self.process.communicate(timeout=SOON)
        return self.process.returncode, output.decode(), errors.decode()


def test_it_stops_what_is_done_within_each_time_and_later_the_program() -> None:
    running = Running(TWICE)
    for _ in range(2):
        assert running.line() == "waits"
        running.signal(signal.SIGINT)
        assert running.line() == "stopped by 2"
    assert running.line() == "waits"
    running.signal(signal.SIGINT)
    assert running.end() == (130, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_the_program(number: int) -> None:
    running = Running(TWICE)
    assert running.line() == "waits"
    running.signal(number)
    assert running.end() == (128 + number, "", "")


def test_what_is_not_to_be_interrupted_goes_on() -> None:
    running = Running(BESIDE)
    for interrupted in (False, True, False):
        assert running.line() == "waits"
        running.signal(signal.SIGINT)
        if not interrupted:
            assert running.process.stdin
            running.process.stdin.write(b".")
            running.process.stdin.flush()
        assert running.line() == ("stopped" if interrupted else "went on")
    assert running.end() == (0, "", "")


def test_an_interruption_that_python_drops_comes_again() -> None:
    running = Running(CALLBACK)
    assert running.line() == "waits"
    running.signal(signal.SIGINT)
    assert running.line() == "waits"
    assert running.line() == "stopped after all"
    assert running.end() == (0, "", "")


def test_impatience_counts_once() -> None:
    """Also where the tests run in the background of a shell, which has them ignore INT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interruptible():
            with pytest.raises(SignalError):
                signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("within", [interruptible, ignore_interrupts])
def test_what_the_caller_ignores_stays_ignored(within: type) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with within():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
