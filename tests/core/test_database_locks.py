"""The locks of open databases: what one process has stored is not taken away when another one tidies up."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import history_parts
import memory_parts
import pytest
from asking import prompt
from fake import databases
from fake.program import AsProcess
from fake.received import Received
from fake.server import FakeServer
from fake.signals import unblocked
from fake.waiting import SOON

from gptkit.jobs.batch.queue import BatchQueue

LOCKS = Path("/proc/locks")
COUNT = 200

needs_proc = pytest.mark.skipif(not LOCKS.exists(), reason="the locks of a process are seen in /proc/locks")


class Database(NamedTuple):
    """One of the program's, by the parts that the program itself opens it with."""

    path: str
    opened: Callable[[Path], Any]
    write: Callable[[Any, str], object]
    count: Callable[[Any], int]


def history_count(kept: Any) -> int:
    with kept.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM turns").fetchone()[0])


def memory_count(kept: Any) -> int:
    with kept.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


DATABASES = {
    "history": Database(
        "data/history.db",
        history_parts.store,
        lambda kept, text: kept.finish(history_parts.opening(text), history_parts.ending()),
        history_count,
    ),
    "memory": Database("data/memory.db", memory_parts.memory, memory_parts.put, memory_count),
    "batches": Database(
        "batches.db",
        lambda folder: BatchQueue(folder / "batches.db"),
        lambda kept, text: kept.add_shard("host", text, 0.0),
        lambda kept: len(kept.shards()),
    ),
}


PLACES = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]


def counted_by_another(name: str, folder: Path) -> int:
    """A second process opens the database, counts what is there, and closes it."""
    with unblocked():
        done = subprocess.run(
            [sys.executable, __file__, name, str(folder)],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(PLACES)},
            check=True,
        )
    return int(done.stdout)


def is_locked(path: Path, process: int) -> bool:
    """Whether a process holds the shared lock that every connection to a database with a log has."""
    inode = str(path.stat().st_ino)
    rows = [line.split() for line in LOCKS.read_text().splitlines()]
    return any(row[1] == "POSIX" and int(row[4]) == process and row[5].split(":")[2] == inode for row in rows)


@needs_proc
@pytest.mark.parametrize("name", DATABASES)
def test_what_is_stored_stays_whoever_else_opens_the_database(tmp_path: Path, name: str) -> None:
    database = DATABASES[name]
    path = tmp_path / database.path
    log = path.with_name(path.name + "-wal")
    one = database.opened(tmp_path)
    for number in range(COUNT):
        database.write(one, f"text {number}")
    two = database.opened(tmp_path)
    assert database.count(two) == COUNT
    assert is_locked(path, os.getpid())
    before = log.stat().st_ino
    assert counted_by_another(name, tmp_path) == COUNT
    assert log.stat().st_ino == before
    for number in range(COUNT, 2 * COUNT):
        database.write(one, f"text {number}")
    assert counted_by_another(name, tmp_path) == 2 * COUNT
    two.close()
    assert is_locked(path, os.getpid())
    one.close()
    assert counted_by_another(name, tmp_path) == 2 * COUNT


@needs_proc
def test_a_running_job_keeps_what_it_paid_for(run: AsProcess, server: FakeServer, home: Path) -> None:
    """Another command opens and closes the memory meanwhile."""
    go_on = threading.Event()

    def answer(request: Received) -> str:
        if "last" in request.user:
            go_on.wait(SOON)
        return request.user

    server.answer(answer)
    prompt(home, "description: Works.\nsystem: Work.\nlong: {mode: map, piece: 60}\n")
    text = "\n\n".join(f"{word} " * 50 for word in ("first", "second", "last"))
    command = ("say", "-o", "out.txt", "--jobs", "1")
    job = run.start(*command, piped=True)
    assert job.stdin is not None
    job.stdin.write(text.encode())
    job.stdin.close()
    server.wait_requests(3)
    assert is_locked(home / "data" / "memory.db", job.pid)
    assert run("memory", "stats").code == 0
    go_on.set()
    assert job.wait(SOON) == 0
    asked = len(server.requests)
    assert run(*command, stdin=text).code == 0
    assert len(server.requests) == asked


@pytest.fixture
def planted(tmp_path: Path) -> Callable[[str, str], None]:
    """Opens a file of the test's folder, as code of the program in that module."""

    def opens(module: str, name: str) -> None:
        place = str(databases.PACKAGE / module)
        exec(
            compile("from pathlib import Path\nPath(path).read_bytes()", place, "exec"),
            {"path": tmp_path / name},
        )

    return opens


def test_no_code_opens_a_database_beside_sqlite(tmp_path: Path, planted: Callable[[str, str], None]) -> None:
    """All tests run with this guard; here it is seen to refuse."""
    memory = memory_parts.memory(tmp_path)
    memory_parts.put(memory, "text")
    for name in ("memory.db", "memory.db-wal", "memory.db-shm"):
        (tmp_path / "data" / name).read_bytes()  # a test may, as long as no lock of it matters
        with pytest.raises(databases.OpenedBesideSqliteError):
            planted("memory/store.py", f"data/{name}")
    assert len(databases.refused) == 3
    databases.refused.clear()
    memory.close()


@needs_proc
def test_the_recovery_alone_reads_a_file_that_is_closed(
    tmp_path: Path, planted: Callable[[str, str], None]
) -> None:
    history = history_parts.store(tmp_path)
    history.finish(history_parts.opening("hi"), history_parts.ending())
    with pytest.raises(databases.OpenedBesideSqliteError):
        planted("history/recover.py", "data/history.db")
    databases.refused.clear()
    history.close()
    planted("history/recover.py", "data/history.db")
    assert databases.refused == []


if __name__ == "__main__":
    counted = DATABASES[sys.argv[1]]
    mine = counted.opened(Path(sys.argv[2]))
    sys.stdout.write(str(counted.count(mine)))
    mine.close()
