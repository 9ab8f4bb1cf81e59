"""Export the memory as JSON Lines without loss, and import such an export whole or not at all."""

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
_LATEST_TIME = 253402300800.0
"""Seconds to the year 10000."""
_LARGEST_COUNT = 1 << 53
_TEXTS = ("text", "answer", "prompt", "model")
_FLAGS = ("in_halves", "foreign")


class ImportCounts(NamedTuple):
    """The entries of an import: `known` ones were there already, `left_out` ones cannot be used."""

    added: int
    known: int
    left_out: int = 0


def export_jsonl(memory: MemoryStore) -> Iterator[bytes]:
    with memory.reading() as connection:
        yield entries.compact_json(_HEADER).encode() + b"\n"
        for entry in entries.read_entries(connection):
            yield entries.compact_json(_entry_record(entry)).encode() + b"\n"


def import_jsonl(memory: MemoryStore, lines: Iterable[bytes]) -> ImportCounts:
    """Import an export; a broken line raises DataError with its number, and nothing is imported."""
    number = added = known = 0
    with memory.writing() as connection:
        for number, line in enumerate(lines, 1):
            try:
                record = _parse_line(line)
                if number == 1:
                    _check_header(record)
                    continue
                entry = _parse_entry(record)
            except _LineError as error:
                raise DataError(f"line {number}: {error}") from None
            if connection.execute("SELECT 1 FROM entries WHERE key = ?", (entry.key,)).fetchone():
                known += 1
            else:
                entries.insert_entry(connection, entry)
                added += 1
    if not number:
        raise DataError("it is empty")
    return ImportCounts(added, known)


class _LineError(Exception):
    pass


def _entry_record(entry: entries.MemoryEntry) -> dict[str, object]:
    return {
        "key": entry.key.hex(),
        "text": entry.text,
        "answer": entry.answer,
        "findings": json.loads(entry.findings),
        "in_halves": entry.in_halves,
        "foreign": entry.is_foreign,
        "prompt": entry.prompt,
        "model": entry.model,
        "options": json.loads(entry.options),
        "created": entry.created,
        "used": entry.used,
        "hits": entry.hits,
    }


def _parse_line(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _LineError("it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise _LineError("it is not JSON") from None
    if not isinstance(record, dict):
        raise _LineError("it is not a JSON object")
    return record


def _check_header(record: dict[str, object]) -> None:
    if record.get("gptkit") != "memory":
        raise _LineError("it is no export of the memory")
    version = record.get("version")
    if version != _HEADER["version"]:
        raise UsageError(
            f"the export was written by a newer gptkit (version {version!r})", hint="upgrade gptkit"
        )


def _parse_entry(record: dict[str, object]) -> entries.MemoryEntry:
    names = ("key", *_TEXTS, *_FLAGS, "findings", "options", "created", "used", "hits")
    for name in names:
        if name not in record:
            raise _LineError(f"'{name}' is missing")
    if unknown := sorted(set(record) - set(names)):
        raise _LineError(f"unknown key '{unknown[0][:50]}'")
    key = record["key"]
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _LineError("'key' must be 64 hexadecimal digits")
    texts = {name: _parse_text(record, name) for name in _TEXTS}
    return entries.MemoryEntry(
        key=bytes.fromhex(key),
        text=texts["text"],
        answer=texts["answer"],
        findings=_parse_findings(record["findings"]),
        in_halves=_parse_flag(record, "in_halves"),
        is_foreign=_parse_flag(record, "foreign"),
        prompt=texts["prompt"],
        model=texts["model"],
        options=_parse_options(record["options"]),
        created=_parse_time(record, "created"),
        used=_parse_time(record, "used"),
        hits=_parse_count(record["hits"]),
    )


def _parse_text(record: dict[str, object], name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise _LineError(f"'{name}' must be text")
    return entries.replace_surrogates(value)


def _parse_flag(record: dict[str, object], name: str) -> bool:
    value = record[name]
    if not isinstance(value, bool):
        raise _LineError(f"'{name}' must be true or false")
    return value


def _parse_time(record: dict[str, object], name: str) -> float:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST_TIME:
        raise _LineError(f"'{name}' must be seconds since 1970")
    return float(value)


def _parse_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST_COUNT:
        raise _LineError("'hits' must be a count")
    return value


def _parse_findings(value: object) -> str:
    if not isinstance(value, list) or not all(
        isinstance(finding, list) and [type(part) for part in finding] == [int, str, str] for finding in value
    ):
        raise _LineError("'findings' must be a list of [line, kind, message]")
    return entries.replace_surrogates(entries.compact_json(value))


def _parse_options(value: object) -> str:
    if not isinstance(value, dict) or not all(isinstance(option, str) for option in value.values()):
        raise _LineError("'options' must be an object of texts")
    return entries.replace_surrogates(entries.compact_json({name: value[name] for name in sorted(value)}))
