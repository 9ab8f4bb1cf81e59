"""INT, TERM and HUP at twenty points of a stream, once and twice, into a pipe and on a terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from asking import prompt
from fake.program import OnTerminal, Surroundings
from fake.server import FakeServer
from signal_sweeps import POINTS, SIGNALS, in_a_pipe, on_a_terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
each = pytest.mark.parametrize(
    ("number", "times"), [(number, times) for number in SIGNALS for times in (1, 2)]
)


@each
def test_in_a_pipe(
    around: Surroundings,
    server: FakeServer,
    home: Path,
    number: signal.Signals,
    times: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompt(home)
    seconds = [in_a_pipe(around, server, point, number, times) for point in range(POINTS)]
    with capsys.disabled():
        print(f"\n{number.name} x {times}, pipe: {POINTS} points, at most {max(seconds):.2f} s")


@each
def test_on_a_terminal(
    screen: OnTerminal,
    server: FakeServer,
    home: Path,
    number: signal.Signals,
    times: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompt(home)
    seconds = [on_a_terminal(screen, server, point, number, times) for point in range(POINTS)]
    with capsys.disabled():
        print(f"\n{number.name} x {times}, terminal: {POINTS} points, at most {max(seconds):.2f} s")
