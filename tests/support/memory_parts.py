"""A memory, and answers to put into it; run as a program it is a job that can be killed."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from gptkit.jobs.memory.store import MemoryStore
from gptkit.text.pieces import PieceAnswer

STARTED = 1_780_000_000.0
"""A day in 2026."""
ABOUT = {"prompt": "translate", "model": "m", "to": "French"}


def key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def memory(folder: Path, notices: list[str] | None = None, now: float = STARTED) -> MemoryStore:
    said = [] if notices is None else notices
    return MemoryStore(folder / "data" / "memory.db", lambda: now, said.append)


def put(kept: MemoryStore, text: str, answer: str = "", **about: str) -> None:
    kept.put(key(text), text, PieceAnswer(answer or f"answer to {text}"), ABOUT | about)


def integrity(kept: MemoryStore) -> str:
    with kept.reading() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        orphans = "SELECT count(*) FROM entries WHERE id NOT IN (SELECT entry FROM texts)"
        assert connection.execute(orphans).fetchone() == (0,)
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def job(folder: Path, texts: list[str], log: Path) -> None:
    """Has each text answered that is not known yet; an answer is paid for when its line is in the log."""
    kept = MemoryStore(folder / "data" / "memory.db")
    paid = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for text in texts:
        with kept.claim(key(text)):
            if kept.get(key(text)) is None:
                os.write(paid, f"asked {text}\n".encode())
                kept.put(key(text), text, PieceAnswer(f"answer to {text}"), ABOUT)
                os.write(paid, f"kept {text}\n".encode())
    kept.close()


if __name__ == "__main__":
    job(Path(sys.argv[1]), sys.argv[3:], Path(sys.argv[2]))
