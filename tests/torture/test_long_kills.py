"""Twenty thousand marked lines through a server that fails most of the time, killed again and again."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from fake.program import AsProcess
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer

LINES = 20_000
KILLS = 50
JOBS = 8
PROMPT = "description: Works on it.\nsystem: Work.\nlong: {mode: map, piece: 2000}\n"


class Trouble:
    """Answers with the text it was given, or fails, in one of the ways a server can; keeps a log."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.succeeded: Counter[str] = Counter()
        self.refused: set[str] = set()
        """Texts whose answers are stored: nobody may ask for them again."""
        self.again: list[str] = []
        self._chance = random.Random(11)

    def __call__(self, request: Received) -> str | Reply:
        text = str(request.json["messages"][1]["content"])
        if text in self.refused:
            self.again.append(text)
        if self._chance.random() < self.share:
            status = self._chance.choice([429, 500, 502, 503, 529])
            return failed(status, headers={"retry-after-ms": "50"})
        self.succeeded[text] += 1
        return said(text)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_every_line_once_and_nothing_paid_for_twice(
    run: AsProcess, server: FakeServer, home: Path, folder: Path, share: float
) -> None:
    (home / "config" / "prompts").mkdir(parents=True)
    (home / "config" / "prompts" / "same.yaml").write_text(PROMPT)
    text = "".join(
        f"Line {number} with the mark m{number}m and some words to fill it up.\n\n" for number in range(LINES)
    )
    (folder / "book.md").write_text(text)
    trouble, chance = Trouble(share), random.Random(5)
    server.answer(trouble)
    command = ("same", "-f", "book.md", "-o", "out.md", "--jobs", str(JOBS))
    for _ in range(KILLS):
        process = run.start(*command)
        time.sleep(0.6 + chance.random() * 1.5)
        finished = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        trouble.refused |= stored(home)
        if finished:
            break
    for _ in range(200):
        result = run(*command, timeout=1200)
        if result.code == 0:
            break
        assert result.code == 75, result.stderr
        trouble.refused |= stored(home)
    assert (folder / "out.md").read_text() == text
    assert [path.name for path in folder.iterdir() if path.name.startswith("out")] == ["out.md"]
    assert trouble.again == []
    assert len(stored(home)) == len(trouble.succeeded)


def stored(home: Path) -> set[str]:
    """The texts whose answers were accepted."""
    path = home / "data" / "memory.db"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT text FROM texts")}
