"""Runs over one folder of documents at once, and runs that are killed while they read it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from fake.program import COMMAND, InMemory, Surroundings
from together import together

QUESTION = ("qa", "where is w3x2?", "docs", "--retrieve-only", "--json")


def write_documents(folder: Path, files: int, parts: int) -> None:
    (folder / "docs").mkdir()
    for number in range(files):
        texts = (
            f"## Part {part}\n\nThe word of file {number} and part {part} is w{number}x{part}. "
            f"{'Some words that fill the part up. ' * 20}\n"
            for part in range(parts)
        )
        (folder / "docs" / f"{number}.md").write_text("\n".join(texts))


def found(output: str | bytes) -> list[tuple[str, float]]:
    """The passages of an answer with their scores."""
    return [(one["place"], one["score"]) for one in json.loads(output)]


def first_runs(around: Surroundings, many: int) -> None:
    """All runs find the same, as a run that is alone."""
    ended = together(around, [QUESTION] * many)
    assert [(code, errors) for code, errors, _ in ended] == [(0, b"")] * many
    assert len({tuple(found(output)) for _, _, output in ended}) == 1
    assert found(ended[0][2])[0][0].startswith("docs/3.md")


def killed_runs(around: Surroundings, gptkit: InMemory, deaths: int) -> None:
    """After any death the next run goes on, and the last one finds what a fresh index finds."""
    environ = around.process_environ(None, "sk-test")
    command = [*COMMAND, *QUESTION]
    started = time.monotonic()
    fresh = subprocess.run(
        [*command, "--no-index"], env=environ, cwd=around.folder, capture_output=True, check=True
    )
    whole = time.monotonic() - started
    index = around.home / "cache" / "documents.db"
    for number in range(deaths):
        process = subprocess.Popen(
            command, env=environ, cwd=around.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        time.sleep(whole * (number % 10 + 1) / 10)
        process.kill()
        assert process.communicate()[1] == b""
        if number % 10 == 9:
            for file in index.parent.glob("documents.db*"):
                file.unlink()
    last = subprocess.run(command, env=environ, cwd=around.folder, capture_output=True, check=True)
    assert (found(last.stdout), last.stderr) == (found(fresh.stdout), b"")
