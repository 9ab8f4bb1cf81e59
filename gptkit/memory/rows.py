"""Entries of the memory as rows of its tables."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotRead
from gptkit.memory.languages import tag
from gptkit.memory.schema import HINT
from gptkit.text.pieces import Finding, Held

if TYPE_CHECKING:
    import sqlite3

_HELD = """
    SELECT id, answer, findings, in_halves, is_foreign FROM entries JOIN texts ON entry = id WHERE key = ?
"""
_INSERT = (
    "INSERT INTO entries (key, origin, in_halves, is_foreign, size, created, used, hits)"
    " SELECT ?, id, ?, ?, ?, ?, ?, ? FROM origins WHERE digest = ?"
)
_ALL = """
    SELECT key, text, answer, findings, in_halves, is_foreign, prompt, model, options, created, used, hits
    FROM entries JOIN texts ON entry = entries.id JOIN origins ON origins.id = origin ORDER BY key
"""


class Entry(NamedTuple):
    """One accepted answer; `findings` and `options` are JSON, times are in Unix seconds."""

    key: bytes
    text: str
    answer: str
    findings: str
    in_halves: bool
    is_foreign: bool
    prompt: str
    model: str
    options: str
    created: float
    used: float
    hits: int

    @property
    def size(self) -> int:
        return len(self.text.encode()) + len(self.answer.encode())


def entry(key: bytes, text: str, held: Held, about: Mapping[str, str], now: float) -> Entry:
    return Entry(
        key=key,
        text=storable(text),
        answer=storable(held.answer),
        findings=storable(compact([list(finding) for finding in held.findings])),
        in_halves=held.in_halves,
        is_foreign=held.foreign,
        prompt=storable(about.get("prompt", "")),
        model=storable(about.get("model", "")),
        options=storable(compact({name: about[name] for name in sorted(about) if name not in _OWN})),
        created=now,
        used=now,
        hits=0,
    )


def held(connection: sqlite3.Connection, key: bytes) -> tuple[int, Held] | None:
    """An entry's id and what it says."""
    row = connection.execute(_HELD, (key,)).fetchone()
    if row is None:
        return None
    return int(row[0]), said(*row[1:])


def said(answer: str, findings: str, in_halves: int, is_foreign: int) -> Held:
    try:
        found = tuple(Finding(*each) for each in json.loads(findings)) if findings != "[]" else ()
    except (ValueError, TypeError):
        raise CannotRead("the memory is damaged: findings are no JSON", hint=HINT) from None
    return Held(answer, found, bool(in_halves), bool(is_foreign))


def insert(connection: sqlite3.Connection, each: Entry) -> None:
    """Add an entry; one with the same key makes way."""
    connection.execute("DELETE FROM entries WHERE key = ?", (each.key,))
    digest = _digest(each)
    values = (
        each.key,
        each.in_halves,
        each.is_foreign,
        each.size,
        each.created,
        each.used,
        each.hits,
        digest,
    )
    cursor = connection.execute(_INSERT, values)
    if not cursor.rowcount:
        connection.execute(
            "INSERT INTO origins (digest, prompt, model, language, options) VALUES (?, ?, ?, ?, ?)",
            (digest, each.prompt, each.model, _language(each.options), each.options),
        )
        cursor = connection.execute(_INSERT, values)
    connection.execute(
        "INSERT INTO texts VALUES (?, ?, ?, ?)", (cursor.lastrowid, each.text, each.answer, each.findings)
    )


def entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """All of them in the order of their keys, which does not depend on when they came."""
    for row in connection.execute(_ALL):
        each = Entry(*row)
        yield each._replace(in_halves=bool(each.in_halves), is_foreign=bool(each.is_foreign))


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def storable(text: str) -> str:
    """The text as valid Unicode: a lone surrogate becomes U+FFFD."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


_OWN = ("prompt", "model")


def _digest(each: Entry) -> bytes:
    return hashlib.sha256("\0".join((each.prompt, each.model, each.options)).encode()).digest()


def _language(options: str) -> str:
    """What answers are written in, as far as an option says so."""
    wanted = str(json.loads(options).get("to", ""))
    return tag(wanted) or wanted
