"""A small database, and programs that use it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fake.signals import unblocked

from gptkit.core.sqlite import connect

HERE = Path(__file__).parent


APPLICATION = 0x74657374


Step = Callable[[sqlite3.Connection], None]


def first(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE words (text TEXT)")
    connection.execute("INSERT INTO words VALUES ('kept')")


def second(connection: sqlite3.Connection) -> None:
    """Each step slow enough to be killed in."""
    connection.execute("ALTER TABLE words ADD COLUMN length INTEGER")
    for _ in range(int(os.environ.get("STEPS", "1"))):
        connection.execute("UPDATE words SET length = coalesce(length, 0) + 1")
    if os.environ.get("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)


def opened(path: Path, steps: Sequence[Step] = (first, second)) -> sqlite3.Connection:
    return connect(path, steps, APPLICATION, "do this")


def files(path: Path) -> dict[str, bytes]:
    """All but the index into the log, which is rebuilt at every opening."""
    return {p.name: p.read_bytes() for p in path.parent.glob("a.db*") if not p.name.endswith("-shm")}


def programs(path: Path, count: int, **environ: str) -> list[int]:
    """Exit codes of processes that open the database together."""
    source = (
        "import sys, database_parts as t; from pathlib import Path; sys.stdin.readline();"
        "c = t.opened(Path(sys.argv[1])); c.execute('INSERT INTO words (text) VALUES (1)'); c.close()"
    )
    with unblocked():
        running = [
            subprocess.Popen(
                [sys.executable, "-c", source, str(path)],
                stdin=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(HERE), **environ},
            )
            for _ in range(count)
        ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    return [process.wait(120) for process in running]
