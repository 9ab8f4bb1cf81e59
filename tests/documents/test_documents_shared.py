"""The shared index in PostgreSQL: what one writes the other finds, whatever becomes of the writers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from document_deaths import write_documents
from fake.program import COMMAND, Surroundings
from fake.server import FakeServer
from postgres_server import is_missing, serving
from together import together

pytest.importorskip("psycopg")
pytestmark = pytest.mark.skipif(bool(is_missing()), reason=is_missing())
Gptkit = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def database(server_url: str) -> str:
    """An empty database."""
    import psycopg

    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS documents")
        connection.execute("CREATE DATABASE documents")
    return server_url.replace("/postgres", "/documents")


def found(gptkit: Gptkit, url: str, question: str) -> list[tuple[str, float]]:
    code, output, errors = gptkit("qa", question, "--index", url, "--retrieve-only", "--json")
    assert code in (0, 85), errors
    return [(one["place"], one["score"]) for one in json.loads(output)]


def test_ranks_are_those_of_a_local_index(gptkit: Gptkit, folder: Path, database: str) -> None:
    write_documents(folder, files=20, parts=5)
    (folder / "docs" / "合同.txt").write_text("合同期满前三十日，任何一方可书面通知终止。O'Neill \\ 1")
    assert gptkit("index", "push", database, "docs")[:2] == (0, "21 files written, 21 files up to date\n")
    assert gptkit("index", "push", database, "docs")[1] == "0 files written, 21 files up to date\n"
    for question in ("where is w3x2?", "word of file 7", "提前多少天书面通知？", "O'Neill\\"):
        local = gptkit("qa", question, "docs", "--retrieve-only", "--json")
        assert found(gptkit, database, question) == [
            (one["place"], one["score"]) for one in json.loads(local[1])
        ]


def test_what_is_gone_is_gone(gptkit: Gptkit, server: FakeServer, folder: Path, database: str) -> None:
    write_documents(folder, files=3, parts=1)
    (folder / "lease.md").write_text("The rent is 5 euros.\n")
    gptkit("index", "push", database, "docs", "lease.md")
    (folder / "docs" / "1.md").unlink()
    (folder / "docs" / "2.md").write_text("Nothing.\n")
    assert gptkit("index", "push", database, "docs")[1] == "1 file written, 2 files up to date\n"
    assert found(gptkit, database, "w1x0 w2x0") == []
    server.say(
        json.dumps({"quotes": [{"passage": 1, "text": "The rent is 5 euros"}], "answer": "5 euros. [1]"})
    )
    assert gptkit("qa", "rent?", "--index", database, "--passages", "1")[:2] == (
        0,
        '5 euros. [1]\n\n[1] lease.md:1: "The rent is 5 euros"\n',
    )


def test_two_writers_and_a_killed_one(
    gptkit: Gptkit, around: Surroundings, folder: Path, database: str
) -> None:
    write_documents(folder, files=60, parts=8)
    environ = around.process_environ(None, "sk-test")
    command = [*COMMAND, "index", "push", database, "docs"]
    process = subprocess.Popen(command, env=environ, cwd=folder, stdout=subprocess.DEVNULL)
    time.sleep(1)
    process.kill()
    process.wait()
    ended = together(around, [("index", "push", database, "docs")] * 2)
    assert [(code, errors) for code, errors, _ in ended] == [(0, b"")] * 2
    local = gptkit("qa", "where is w3x2?", "docs", "--retrieve-only", "--json")
    assert found(gptkit, database, "where is w3x2?") == [
        (one["place"], one["score"]) for one in json.loads(local[1])
    ]


def test_the_index_of_the_settings_is_asked_where_no_document_is_named(
    gptkit: Gptkit, folder: Path, database: str
) -> None:
    write_documents(folder, files=1, parts=1)
    (folder / "other.md").write_text("w0x0 is here, too\n")
    gptkit("index", "push", database, "docs")
    assert gptkit("config", "set", "index", database)[0] == 0
    assert "docs/0.md:1-3" in gptkit("qa", "where is w0x0?", "--retrieve-only")[1]
    assert gptkit("qa", "where is w0x0?", "other.md", "--retrieve-only")[1].startswith("other.md:1\n")
    piped = gptkit("qa", "where is w0x0?", "--retrieve-only", stdin="w0x0")
    assert piped[1].startswith("standard input:1\n")


def test_what_is_wrong_with_an_address(gptkit: Gptkit, folder: Path, database: str) -> None:
    def failure(url: str) -> tuple[int, str]:
        code, _, errors = gptkit("qa", "why?", "--index", url, "--retrieve-only")
        return code, errors.splitlines()[0]

    assert failure("mysql://x/y") == (2, "gptkit: 'mysql:' is no shared index: it begins with postgresql://")
    assert failure("postgresql://a:secret@x/y")[0] == 2
    assert failure("postgresql://tester@127.0.0.1:1/documents")[0] == 75
    assert failure(database) == (74, "gptkit: --index: the database holds no documents")
