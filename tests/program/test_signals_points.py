"""The short form of the sweep in `tests/torture`: what was shown when a signal came is stored."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from asking import prompt
from fake.program import OnTerminal, Surroundings
from fake.server import FakeServer
from signal_sweeps import in_a_pipe, on_a_terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.mark.parametrize(
    ("number", "point", "times"),
    [(signal.SIGINT, 1, 2), (signal.SIGTERM, 7, 1), (signal.SIGHUP, 0, 1), (signal.SIGINT, 19, 1)],
)
def test_in_a_pipe_and_on_a_terminal(
    around: Surroundings,
    screen: OnTerminal,
    server: FakeServer,
    home: Path,
    number: signal.Signals,
    point: int,
    times: int,
) -> None:
    prompt(home)
    in_a_pipe(around, server, point, number, times)
    on_a_terminal(screen, server, point, number, times)
