"""Reads the rows of a damaged database leaf by leaf, whatever else of the file is damaged.

SQLite itself reads them: every page that looks like a leaf of a table is laid where a header of our own says
that the one table is. So no broken way from a root to a leaf, and no schema, hides rows.
https://www.sqlite.org/fileformat.html
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Value = int | float | str | bytes | None
_LEAF = 0x0D
_LOG_HEADER, _FRAME_HEADER = 32, 24


def read_rows(copy: Path, width: int) -> Iterator[tuple[Value, ...]]:
    """The rows of all tables: a row's number, then its values, with None up to the width of the widest table.

    The copy, which nobody else has open, is changed. What its log has of a page replaces what the file has;
    pages of the log from the first damaged one on come last: they may hold rows that are nowhere else.
    """
    with copy.open("r+b", buffering=0) as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        size = 65536 if size == 1 else size if size in (1 << n for n in range(9, 16)) else 4096
        head = _head(copy.with_name("head"), size, width)
        file.seek(0)
        file.write(head)
        _take_log(copy, size)
        file.seek(0)
        file.write(head)
        for number in range(1, copy.stat().st_size // size):
            file.seek(number * size)
            page = file.read(size)
            if page[0] == _LEAF:
                file.seek(size)
                file.write(page)
                yield from _table(copy)


def _table(copy: Path) -> Iterator[tuple[Value, ...]]:
    """The rows of the page that is laid in, each by its number: one that is damaged hides no other."""
    import sqlite3

    address = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        numbers: list[tuple[int]] = []
        with suppress(sqlite3.Error):
            numbers.extend(connection.execute("SELECT rowid FROM leaf"))
        for number in numbers:
            with suppress(sqlite3.Error):
                yield from connection.execute("SELECT rowid, * FROM leaf WHERE rowid = ?", number)


def _head(path: Path, size: int, width: int) -> bytes:
    """The first page of a database with a log; its one table is on the second, its length is the file's."""
    import sqlite3

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {size:d}")
        connection.execute(f"CREATE TABLE leaf ({', '.join(f'c{n}' for n in range(width))})")
        connection.execute("PRAGMA journal_mode = WAL")
    page = path.read_bytes()[:size]
    return page[:28] + bytes(4) + page[32:]


def _take_log(copy: Path, size: int) -> None:
    """SQLite moves the log into the copy; the pages of the log that it does not trust are added at the end.

    Only those of the log's present round: what is left over from earlier ones is in the file.
    """
    import sqlite3

    log, frame, trusted = copy.with_name(f"{copy.name}-wal"), _FRAME_HEADER + size, 0
    if not log.exists():
        return
    kept = copy.with_name("log")  # SQLite deletes the other one
    shutil.copyfile(log, kept)
    with closing(sqlite3.connect(copy)) as connection, suppress(sqlite3.Error):
        trusted = max(0, connection.execute("PRAGMA wal_checkpoint").fetchone()[1])
    with kept.open("rb") as source, copy.open("ab") as target:
        target.write(bytes(-target.tell() % size))
        start = source.read(_LOG_HEADER + _FRAME_HEADER)
        rounds = (start[16:24], start[_LOG_HEADER + 8 : _LOG_HEADER + 16])  # alike, unless one is damaged
        source.seek(_LOG_HEADER + trusted * frame)
        while len(found := source.read(frame)) == frame:
            if found[8:16] in rounds:
                target.write(found[_FRAME_HEADER:])
