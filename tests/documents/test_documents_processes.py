"""Many runs over one folder, and runs that die while they read: every answer is right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from disk_sweeps import Runner
from document_deaths import first_runs, killed_runs, write_documents
from fake.program import InMemory, Surroundings
from fake.server import FakeServer
from index_sweeps import killed_refreshes


def test_first_runs_at_once(around: Surroundings, folder: Path) -> None:
    write_documents(folder, files=60, parts=5)
    first_runs(around, 6)


def test_deaths(around: Surroundings, gptkit: InMemory, folder: Path) -> None:
    write_documents(folder, files=120, parts=10)
    killed_runs(around, gptkit, 9)


@pytest.mark.skipif(os.name != "posix", reason="forks and kills")
def test_a_death_at_every_call_that_changes_a_file(tmp_path: Path, server: FakeServer) -> None:
    with Runner(tmp_path, server) as runner:
        assert killed_refreshes(runner) > 100
