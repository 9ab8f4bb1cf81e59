"""Runs that start together on an empty home: all succeed, and every file is whole."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fake.program import COMMAND, InMemory, Surroundings
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from fake.signals import unblocked
from fake.waiting import SOON
from together import together

MANY = 8
"""Enough to lose each other's changes; `tests/torture` has 64."""


def left_behind(home: Path) -> list[str]:
    return [str(path) for path in home.rglob("*") if path.name.startswith(".gptkit-")]


def test_first_runs_without_a_server(around: Surroundings, home: Path) -> None:
    home.rmdir()
    runs = [("ask", f"word {number}", "--model", "echo") for number in range(MANY)]
    assert together(around, runs) == [(0, b"", f"word {number}\n".encode()) for number in range(MANY)]
    assert left_behind(home.parent) == []


def test_first_runs_against_one_server(around: Surroundings, server: FakeServer, home: Path) -> None:
    home.rmdir()
    server.answer(lambda request: f"to {request.user}")
    runs = [("ask", f"word {number}") for number in range(MANY)]
    assert together(around, runs) == [(0, b"", f"to word {number}\n".encode()) for number in range(MANY)]
    assert len(server.requests) == MANY


def test_keys_that_are_stored_together_are_all_kept(
    around: Surroundings, home: Path, gptkit: InMemory
) -> None:
    home.rmdir()
    runs = [("keys", "set", "--host", f"host{number}.example") for number in range(MANY)]
    results = together(around, runs, stdin=b"sk-0123456789abcdef", key=None)
    assert [code for code, _, _ in results] == [0] * MANY, results
    listed = gptkit("keys", "list").stdout.splitlines()
    assert sorted(listed) == sorted(f"host{number}.example\t****cdef" for number in range(MANY))
    assert (home / "config" / "keys.yaml").stat().st_mode & 0o777 == 0o600
    assert left_behind(home) == []


def test_settings_that_are_changed_together_are_all_kept(around: Surroundings, home: Path) -> None:
    home.rmdir()
    runs = [("config", "set", f"headers.X-Number-{number}", str(number)) for number in range(MANY)]
    results = together(around, runs)
    assert [code for code, _, _ in results] == [0] * MANY, results
    text = (home / "config" / "config.yaml").read_text()
    assert [number for number in range(MANY) if f"X-Number-{number}: " not in text] == []


def test_parameters_that_are_rejected_together_are_all_remembered(
    around: Surroundings, server: FakeServer, home: Path, gptkit: InMemory
) -> None:
    """Each run asks another model, so that each has its own line to write."""
    assert gptkit("config", "set", "temperature", "0.5").code == 0

    def answer(request: Received) -> Reply:
        if "temperature" not in request.json:
            return said("hello")
        message = "Unsupported parameter: 'temperature' is not supported with this model."
        body = {"error": {"message": message, "param": "temperature", "code": "unsupported_parameter"}}
        return failed(400, body)

    server.answer(answer)
    runs = [("ask", "hi", "--model", f"model-{number}") for number in range(MANY)]
    results = together(around, runs)
    assert results == [(0, b"", b"hello\n")] * MANY
    kept = json.loads((home / "data" / "rejected.json").read_text())
    assert sorted(entry["model"] for entry in kept) == sorted(f"model-{number}" for number in range(MANY))
    assert left_behind(home) == []


def test_trust_that_is_given_together_is_kept(around: Surroundings, home: Path, tmp_path: Path) -> None:
    folders = [tmp_path / f"project{number}" for number in range(8)]
    for folder in folders:
        (folder / ".gptkit" / "prompts").mkdir(parents=True)
        (folder / ".gptkit" / "prompts" / "mine.yaml").write_text("system: Be brief. {{ text }}\n")
    command = 'cd "$1"; shift; exec "$@"'
    with unblocked():
        processes = [
            subprocess.Popen(
                ["/bin/sh", "-c", command, "sh", str(folder), *COMMAND, "prompts", "trust"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=around.process_environ(None, None),
            )
            for folder in folders
        ]
    assert [process.wait(SOON) for process in processes] == [0] * len(folders)
    assert len(json.loads((home / "data" / "trusted.json").read_text())) == len(folders)
