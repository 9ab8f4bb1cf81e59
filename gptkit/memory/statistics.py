"""What the memory holds, and what it saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gptkit.memory.store import Memory

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


def groups(memory: Memory) -> list[Group]:
    """Largest first."""
    with memory.reading() as connection:
        return [
            Group(prompt, model, language, count, int(size), int(hits), used)
            for prompt, model, language, count, size, hits, used in connection.execute(_GROUPS)
        ]


def file_size(memory: Memory) -> int:
    """Bytes on the disk, with the log."""
    sides = (memory.path.with_name(memory.path.name + ending) for ending in ("", "-wal"))
    return sum(path.stat().st_size for path in sides if path.exists())
