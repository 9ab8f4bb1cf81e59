"""Reads the rows of a damaged database leaf page by leaf page, whatever else of the file is damaged.

SQLite itself reads each page: every page that looks like a leaf of a table is copied to page 2, where a
header of our own says that the only table is. So neither a broken tree nor a broken schema hides rows.
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
    """Yield the rows of all tables: the rowid, then the values, filled with None up to `width` columns.

    `copy` is changed, and nobody else may have it open. Pages of its log replace those of the file; the pages
    of the log from the first damaged one on come last, since they may hold rows that are nowhere else.
    """
    with copy.open("r+b", buffering=0) as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        size = 65536 if size == 1 else size if size in (1 << n for n in range(9, 16)) else 4096
        first_page = _first_page(copy.with_name("head"), size, width)
        file.seek(0)
        file.write(first_page)
        _merge_log(copy, size)
        file.seek(0)
        file.write(first_page)
        for number in range(1, copy.stat().st_size // size):
            file.seek(number * size)
            page = file.read(size)
            if page[0] == _LEAF:
                file.seek(size)
                file.write(page)
                yield from _read_page(copy)


def _read_page(copy: Path) -> Iterator[tuple[Value, ...]]:
    """Yield the rows of page 2, each read by its rowid, so that a damaged row does not hide others."""
    import sqlite3

    address = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        numbers: list[tuple[int]] = []
        with suppress(sqlite3.Error):
            numbers.extend(connection.execute("SELECT rowid FROM leaf"))
        for number in numbers:
            with suppress(sqlite3.Error):
                yield from connection.execute("SELECT rowid, * FROM leaf WHERE rowid = ?", number)


def _first_page(path: Path, size: int, width: int) -> bytes:
    """Make the first page of a database in WAL mode whose only table is on page 2, of the file's length."""
    import sqlite3

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {size:d}")
        connection.execute(f"CREATE TABLE leaf ({', '.join(f'c{n}' for n in range(width))})")
        connection.execute("PRAGMA journal_mode = WAL")
    page = path.read_bytes()[:size]
    return page[:28] + bytes(4) + page[32:]


def _merge_log(copy: Path, size: int) -> None:
    """Let SQLite merge the log into the copy, and append the pages of the log that SQLite does not trust.

    Pages from before the last checkpoint, which have other salts, are in the file already.
    """
    import sqlite3

    log, frame_size, trusted_frames = copy.with_name(f"{copy.name}-wal"), _FRAME_HEADER + size, 0
    if not log.exists():
        return
    log_copy = copy.with_name("log")  # SQLite deletes the log itself
    shutil.copyfile(log, log_copy)
    with closing(sqlite3.connect(copy)) as connection, suppress(sqlite3.Error):
        trusted_frames = max(0, connection.execute("PRAGMA wal_checkpoint").fetchone()[1])
    with log_copy.open("rb") as source, copy.open("ab") as target:
        target.write(bytes(-target.tell() % size))
        start = source.read(_LOG_HEADER + _FRAME_HEADER)
        salts = (start[16:24], start[_LOG_HEADER + 8 : _LOG_HEADER + 16])  # equal, unless one is damaged
        source.seek(_LOG_HEADER + trusted_frames * frame_size)
        while len(frame_bytes := source.read(frame_size)) == frame_size:
            if frame_bytes[8:16] in salts:
                target.write(frame_bytes[_FRAME_HEADER:])
