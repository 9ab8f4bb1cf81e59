"""The long form of tests/documents/test_documents_processes.py."""

from __future__ import annotations

from pathlib import Path

from document_deaths import first_runs, killed_runs, write_documents
from fake.program import InMemory, Surroundings


def test_sixty_four_first_runs(around: Surroundings, folder: Path) -> None:
    write_documents(folder, files=300, parts=10)
    first_runs(around, 64)


def test_a_hundred_deaths(around: Surroundings, gptkit: InMemory, folder: Path) -> None:
    write_documents(folder, files=400, parts=10)
    killed_runs(around, gptkit, 100)
