"""Remove answers from the memory, so that nothing of their text stays in the file, and count them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from gptkit.jobs.memory.store import MemoryStore


_ROUNDS = 5


def remove_all(memory: MemoryStore) -> int:
    """Remove every entry; returns their number."""
    with memory.writing() as connection:
        count = int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
        for table in ("texts", "entries", "origins"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
    memory.shrink()
    return count


def prune(memory: MemoryStore, before: float | None, size: int | None) -> int:
    """Remove entries that were last used before a time, then the least recently used until the file has at
    most `size` bytes; returns the number of removed entries."""
    count = 0
    if before is not None:
        with memory.writing() as connection:
            count += _remove_entries(connection, "SELECT id FROM entries WHERE used < ?", before)
        memory.shrink()
    if size is None:
        return count
    for _ in range(_ROUNDS):
        with memory.writing() as connection:
            removed = _remove_excess(connection, size)
            if removed:
                count += removed
        memory.shrink()
        if not removed or memory.path.stat().st_size <= size:
            break
    return count


def _remove_excess(connection: sqlite3.Connection, size: int) -> int:
    """Remove the least recently used entries that make the file larger than `size` bytes.

    The texts are taken to share in the excess by their part of the file, so that several rounds may be
    needed.
    """
    pages, free, page_size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    used = (pages - free) * page_size
    total = int(connection.execute("SELECT total(size) FROM entries").fetchone()[0])
    if used <= size or not total:
        return 0
    surplus = total * (used - size) / used
    return _remove_entries(
        connection,
        "SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY used, id) - size AS older FROM entries)"
        " WHERE older < ?",
        surplus,
    )


def _remove_entries(connection: sqlite3.Connection, selection: str, value: float) -> int:
    count = connection.execute(f"DELETE FROM entries WHERE id IN ({selection})", (value,)).rowcount  # noqa: S608
    connection.execute("DELETE FROM origins WHERE id NOT IN (SELECT origin FROM entries)")
    return int(count)


_GROUPS = """
    SELECT prompt, model, language, count(*), total(size), total(hits), max(used)
    FROM entries JOIN origins ON origins.id = origin GROUP BY prompt, model, language
    ORDER BY count(*) DESC, prompt, model, language
"""


class EntryGroup(NamedTuple):
    """The answers of one prompt and model in one language. `size` is in bytes of text, `used` is the last
    use.

    The model is empty for answers of another tool.
    """

    prompt: str
    model: str
    language: str
    entries: int
    size: int
    hits: int
    used: float


def group_entries(memory: MemoryStore) -> list[EntryGroup]:
    """Group all entries by prompt, model and language; the largest group first."""
    with memory.reading() as connection:
        return [
            EntryGroup(prompt, model, language, count, int(size), int(hits), used)
            for prompt, model, language, count, size, hits, used in connection.execute(_GROUPS)
        ]


def file_size(memory: MemoryStore) -> int:
    """Return the bytes on the disk of the database and its log."""
    sides = (memory.path.with_name(memory.path.name + ending) for ending in ("", "-wal"))
    return sum(path.stat().st_size for path in sides if path.exists())
