"""A disk that is full or broken, and a kill, at every call that changes a file: old or new, never between."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from disk_sweeps import FAULTS, WRITINGS, Runner, swept
from fake.server import FakeServer
from long_disk_sweeps import swept_long

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")


def test_at_every_call(tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    total = 0
    with Runner(tmp_path, server) as runner:
        for name, writing in WRITINGS.items():
            seen = swept(runner, writing)
            total += seen.total()
            with capsys.disabled():
                print(f"\n{name}: {', '.join(f'{what} {count}' for what, count in sorted(seen.items()))}")
    with capsys.disabled():
        print(f"\n{total} runs")
    assert total > 700


@pytest.mark.parametrize(
    ("faults", "options", "least"),
    [(FAULTS, ("--no-log",), 70), (("full", "broken", "dead", "kill"), (), 230)],
    ids=["alone", "with memory and history"],
)
def test_at_every_call_of_a_long_job(
    tmp_path: Path,
    server: FakeServer,
    faults: tuple[str, ...],
    options: tuple[str, ...],
    least: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Runner(tmp_path, server) as runner:
        seen = swept_long(runner, server, faults, options)
    with capsys.disabled():
        print(f"\na long job: {', '.join(f'{what} {count}' for what, count in sorted(seen.items()))}")
    assert seen.total() > least
