"""Sixty-four first runs on an empty home, started together: all succeed."""

from __future__ import annotations

from pathlib import Path

from fake.program import InMemory, Surroundings
from fake.server import FakeServer
from together import together

MANY = 64


def test_first_runs_without_a_server(around: Surroundings, home: Path) -> None:
    home.rmdir()
    runs = [("ask", f"word {number}", "--model", "echo") for number in range(MANY)]
    assert together(around, runs) == [(0, b"", f"word {number}\n".encode()) for number in range(MANY)]


def test_first_runs_against_one_server(around: Surroundings, server: FakeServer, home: Path) -> None:
    home.rmdir()
    server.answer(lambda request: f"to {request.user}")
    runs = [("ask", f"word {number}") for number in range(MANY)]
    assert together(around, runs) == [(0, b"", f"to word {number}\n".encode()) for number in range(MANY)]
    assert len(server.requests) == MANY


def test_keys(around: Surroundings, home: Path, gptkit: InMemory) -> None:
    home.rmdir()
    runs = [("keys", "set", "--host", f"host{number}.example") for number in range(MANY)]
    results = together(around, runs, stdin=b"sk-0123456789abcdef", key=None)
    assert [code for code, _, _ in results] == [0] * MANY, results
    assert len(gptkit("keys", "list").stdout.splitlines()) == MANY
