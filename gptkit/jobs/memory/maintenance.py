"""Removes answers so that nothing of their text stays in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from gptkit.jobs.memory.store import MemoryStore


_ROUNDS = 5


def clear(memory: MemoryStore) -> int:
    """Everything; returns how many entries."""
    with memory.writing() as connection:
        count = int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
        for table in ("texts", "entries", "origins"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
    memory.shrink()
    return count


def prune(memory: MemoryStore, before: float | None, size: int | None) -> int:
    """What was last used before a time, then the least recently used until the file has at most `size`
    bytes; returns how many entries."""
    count = 0
    if before is not None:
        with memory.writing() as connection:
            count += _removed(connection, "SELECT id FROM entries WHERE used < ?", before)
        memory.shrink()
    if size is None:
        return count
    for _ in range(_ROUNDS):
        with memory.writing() as connection:
            found = _excess(connection, size)
            if found:
                count += found
        memory.shrink()
        if not found or memory.path.stat().st_size <= size:
            break
    return count


def _excess(connection: sqlite3.Connection, size: int) -> int:
    """Remove as much text as the file is too long, by the share that texts have of it."""
    pages, free, page_size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    used = (pages - free) * page_size
    total = int(connection.execute("SELECT total(size) FROM entries").fetchone()[0])
    if used <= size or not total:
        return 0
    surplus = total * (used - size) / used
    return _removed(
        connection,
        "SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY used, id) - size AS older FROM entries)"
        " WHERE older < ?",
        surplus,
    )


def _removed(connection: sqlite3.Connection, chosen: str, value: float) -> int:
    count = connection.execute(f"DELETE FROM entries WHERE id IN ({chosen})", (value,)).rowcount  # noqa: S608
    connection.execute("DELETE FROM origins WHERE id NOT IN (SELECT origin FROM entries)")
    return int(count)


_GROUPS = """
    SELECT prompt, model, language, count(*), total(size), total(hits), max(used)
    FROM entries JOIN origins ON origins.id = origin GROUP BY prompt, model, language
    ORDER BY count(*) DESC, prompt, model, language
"""


class Group(NamedTuple):
    """Answers of one prompt and model in one language; `size` is in bytes of text, `used` the last use.

    The model is empty where they came from another tool.
    """

    prompt: str
    model: str
    language: str
    entries: int
    size: int
    hits: int
    used: float


def groups(memory: MemoryStore) -> list[Group]:
    """Largest first."""
    with memory.reading() as connection:
        return [
            Group(prompt, model, language, count, int(size), int(hits), used)
            for prompt, model, language, count, size, hits, used in connection.execute(_GROUPS)
        ]


def file_size(memory: MemoryStore) -> int:
    """Bytes on the disk, with the log."""
    sides = (memory.path.with_name(memory.path.name + ending) for ending in ("", "-wal"))
    return sum(path.stat().st_size for path in sides if path.exists())
