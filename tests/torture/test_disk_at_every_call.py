"""A disk that is full or broken, and a kill, at every call that changes a file: old or new, never between."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from disk_sweeps import WRITINGS, Runner, swept
from fake.server import FakeServer

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
