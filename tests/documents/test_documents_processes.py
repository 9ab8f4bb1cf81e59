"""Many runs over one folder, and runs that die while they read: every answer is right."""

from __future__ import annotations

from pathlib import Path

from document_deaths import first_runs, killed_runs, write_documents
from fake.program import InMemory, Surroundings


def test_first_runs_at_once(around: Surroundings, folder: Path) -> None:
    write_documents(folder, files=60, parts=5)
    first_runs(around, 6)


def test_deaths(around: Surroundings, gptkit: InMemory, folder: Path) -> None:
    write_documents(folder, files=120, parts=10)
    killed_runs(around, gptkit, 9)
