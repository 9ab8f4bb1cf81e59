"""The memory as JSON Lines that lose nothing, and back: all of them, or none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import DataError, UsageError
from gptkit.jobs.memory import entries

if TYPE_CHECKING:
    from gptkit.jobs.memory.store import MemoryStore


_HEADER = {"gptkit": "memory", "version": 1}
_KEY = re.compile("[0-9a-f]{64}")
_FARTHEST = 253402300800.0
"""Seconds to the year 10000."""
_MOST = 1 << 53
_TEXTS = ("text", "answer", "prompt", "model")
_FLAGS = ("in_halves", "foreign")


class ImportCounts(NamedTuple):
    """`known` were there already, `left_out` are of no use."""

    added: int
    known: int
    left_out: int = 0


def json_lines(memory: MemoryStore) -> Iterator[bytes]:
    with memory.reading() as connection:
        yield entries.compact(_HEADER).encode() + b"\n"
        for each in entries.entries(connection):
            yield entries.compact(_record(each)).encode() + b"\n"


def take_json_lines(memory: MemoryStore, lines: Iterable[bytes]) -> ImportCounts:
    """Raises DataError with the number of the line."""
    number = added = known = 0
    with memory.writing() as connection:
        for number, line in enumerate(lines, 1):
            try:
                record = _parsed(line)
                if number == 1:
                    _check_header(record)
                    continue
                each = _entry(record)
            except _Fault as fault:
                raise DataError(f"line {number}: {fault}") from None
            if connection.execute("SELECT 1 FROM entries WHERE key = ?", (each.key,)).fetchone():
                known += 1
            else:
                entries.insert(connection, each)
                added += 1
    if not number:
        raise DataError("it is empty")
    return ImportCounts(added, known)


class _Fault(Exception):  # noqa: N818 - becomes a DataError that knows the line
    pass


def _record(each: entries.Entry) -> dict[str, object]:
    return {
        "key": each.key.hex(),
        "text": each.text,
        "answer": each.answer,
        "findings": json.loads(each.findings),
        "in_halves": each.in_halves,
        "foreign": each.is_foreign,
        "prompt": each.prompt,
        "model": each.model,
        "options": json.loads(each.options),
        "created": each.created,
        "used": each.used,
        "hits": each.hits,
    }


def _parsed(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _Fault("it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise _Fault("it is not JSON") from None
    if not isinstance(record, dict):
        raise _Fault("it is not a JSON object")
    return record


def _check_header(record: dict[str, object]) -> None:
    if record.get("gptkit") != "memory":
        raise _Fault("it is no export of the memory")
    version = record.get("version")
    if version != _HEADER["version"]:
        raise UsageError(
            f"the export was written by a newer gptkit (version {version!r})", hint="upgrade gptkit"
        )


def _entry(record: dict[str, object]) -> entries.Entry:
    names = ("key", *_TEXTS, *_FLAGS, "findings", "options", "created", "used", "hits")
    for name in names:
        if name not in record:
            raise _Fault(f"'{name}' is missing")
    if unknown := sorted(set(record) - set(names)):
        raise _Fault(f"unknown key '{unknown[0][:50]}'")
    key = record["key"]
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _Fault("'key' must be 64 hexadecimal digits")
    texts = {name: _text(record, name) for name in _TEXTS}
    return entries.Entry(
        key=bytes.fromhex(key),
        text=texts["text"],
        answer=texts["answer"],
        findings=_findings(record["findings"]),
        in_halves=_flag(record, "in_halves"),
        is_foreign=_flag(record, "foreign"),
        prompt=texts["prompt"],
        model=texts["model"],
        options=_options(record["options"]),
        created=_time(record, "created"),
        used=_time(record, "used"),
        hits=_count(record["hits"]),
    )


def _text(record: dict[str, object], name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise _Fault(f"'{name}' must be text")
    return entries.replace_surrogates(value)


def _flag(record: dict[str, object], name: str) -> bool:
    value = record[name]
    if not isinstance(value, bool):
        raise _Fault(f"'{name}' must be true or false")
    return value


def _time(record: dict[str, object], name: str) -> float:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _FARTHEST:
        raise _Fault(f"'{name}' must be seconds since 1970")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise _Fault("'hits' must be a count")
    return value


def _findings(value: object) -> str:
    if not isinstance(value, list) or not all(
        isinstance(each, list) and [type(part) for part in each] == [int, str, str] for each in value
    ):
        raise _Fault("'findings' must be a list of [line, kind, message]")
    return entries.replace_surrogates(entries.compact(value))


def _options(value: object) -> str:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise _Fault("'options' must be an object of texts")
    return entries.replace_surrogates(entries.compact({name: value[name] for name in sorted(value)}))
