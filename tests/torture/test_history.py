"""Sixty-four processes on one history, and hundreds that are killed at work."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from database_parts import opened, programs
from fake.program import Surroundings
from history_deaths import survive
from history_parts import integrity, store
from together import together

MANY = 64


def test_sixty_four_first_exchanges(around: Surroundings, home: Path) -> None:
    home.rmdir()
    runs = [("ask", f"word {number}", "--model", "echo") for number in range(MANY)]
    assert together(around, runs) == [(0, b"", f"word {number}\n".encode()) for number in range(MANY)]
    kept = store(home)
    turns = sorted(turn.user.strip() for session in kept.sessions(99) for turn in kept.chain(session.head))
    assert turns == sorted(f"word {number}" for number in range(MANY))
    assert integrity(kept) == "ok"
    kept.close()


@pytest.mark.parametrize("seed", range(10))
def test_killed_at_work(tmp_path: Path, seed: int) -> None:
    survive(tmp_path, 30, random.Random(seed))


def test_sixty_four_migrations(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert programs(path, MANY, STEPS="2000") == [0] * MANY
    connection = opened(path)
    assert connection.execute("SELECT length FROM words WHERE text = 'kept'").fetchall() == [(2000,)]
    assert connection.execute("SELECT count(*) FROM words").fetchone() == (MANY + 1,)
    connection.close()
