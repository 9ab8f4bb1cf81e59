"""Reads the rows of a database file from its pages alone, whatever else of the file is damaged.

Every page that looks like a leaf of a table is taken for one; there is no way from the root to it that
could be broken. https://www.sqlite.org/fileformat.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_LEAF = 0x0D
_LOG_HEADER, _FRAME_HEADER = 32, 24
_LOG_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""How the checksums of a log are computed: little-endian or big-endian."""
_LONGEST = 1 << 30
Value = int | float | str | bytes | None


class Row(NamedTuple):
    rowid: int
    values: tuple[Value, ...]


class _BrokenCellError(Exception):
    """A cell that does not hold what it says."""


class Pages:
    """A database file and its write-ahead log, of which either may be damaged, short or missing."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes() if path.exists() else b""
        log = path.with_name(path.name + "-wal")
        self._log = log.read_bytes() if log.exists() else b""
        self.size = _page_size(self._data, self._log)
        self._newer, self._doubtful = _frames(self._log, self.size)

    def rows(self) -> Iterator[Row]:
        """The rows of all tables; what the log has of a page replaces what the file has.

        Frames after the first one that is damaged come last: they may hold rows that are nowhere else.
        """
        for number in range(1, max(len(self._data) // self.size, *self._newer, 0) + 1):
            yield from self._page_rows(self._page(number), number)
        for offset in self._doubtful:
            yield from self._page_rows(self._log[offset : offset + self.size], 0)

    def _page(self, number: int) -> bytes:
        if number in self._newer:
            return self._log[self._newer[number] : self._newer[number] + self.size]
        return self._data[(number - 1) * self.size : number * self.size]

    def _page_rows(self, page: bytes, number: int) -> Iterator[Row]:
        start = 100 if number == 1 else 0
        if len(page) != self.size or page[start] != _LEAF:
            return
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        for index in range(count):
            place = int.from_bytes(page[start + 8 + 2 * index :][:2], "big")
            try:
                yield self._cell(page, place)
            except (_BrokenCellError, IndexError, ValueError, struct.error):
                continue

    def _cell(self, page: bytes, place: int) -> Row:
        length, place = _varint(page, place)
        rowid, place = _varint(page, place)
        if length > _LONGEST:
            raise _BrokenCellError
        longest, least = self.size - 35, (self.size - 12) * 32 // 255 - 23
        local = length
        if length > longest:
            local = least + (length - least) % (self.size - 4)
            local = local if local <= longest else least
        payload = page[place : place + local]
        if length > local:
            following = int.from_bytes(page[place + local : place + local + 4], "big")
            payload += self._overflow(following, length - local)
        if len(payload) != length:
            raise _BrokenCellError
        return Row(rowid if rowid < 1 << 63 else rowid - (1 << 64), _record(payload))

    def _overflow(self, number: int, length: int) -> bytes:
        pieces, left = [], length
        while left > 0:
            page = self._page(number) if number else b""
            if len(page) != self.size:
                raise _BrokenCellError
            pieces.append(page[4 : 4 + left])
            left -= len(pieces[-1])
            number = int.from_bytes(page[:4], "big")
        if number:
            raise _BrokenCellError  # the chain is not this cell's
        return b"".join(pieces)


def _page_size(data: bytes, log: bytes) -> int:
    for found in (int.from_bytes(data[16:18], "big"), int.from_bytes(log[8:12], "big")):
        size = 65536 if found == 1 else found
        if 512 <= size <= 65536 and size & (size - 1) == 0:
            return size
    return 4096


def _frames(log: bytes, size: int) -> tuple[dict[int, int], list[int]]:
    """Where the log holds the newest whole version of each page, and the frames nobody can vouch for."""
    newer: dict[int, int] = {}
    waiting: dict[int, int] = {}
    doubtful: list[int] = []
    order = _LOG_MAGIC.get(int.from_bytes(log[:4], "big"))
    salt = log[16:24]
    state = _checksum(log[:24], (0, 0), order or "<")
    sound = order is not None and struct.pack(">2I", *state) == log[24:32]
    for start in range(_LOG_HEADER, len(log) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        number, committed = struct.unpack_from(">2I", log, start)
        content = start + _FRAME_HEADER
        if sound and order:
            if log[start + 8 : start + 16] != salt:
                break  # left over from an earlier round of the log: all of it is in the file
            state = _checksum(log[start : start + 8], state, order)
            state = _checksum(log[content : content + size], state, order)
            sound = struct.pack(">2I", *state) == log[start + 16 : start + 24]
        if not sound:
            doubtful.append(content)
            continue
        waiting[number] = content
        if committed:
            newer |= waiting
            waiting.clear()
    return newer, doubtful


def _checksum(data: bytes, state: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = state
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[place]
        place += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place
    return value << 8 | data[place], place + 1


def _record(payload: bytes) -> tuple[Value, ...]:
    length, place = _varint(payload, 0)
    body = length
    values = []
    while place < length:
        kind, place = _varint(payload, place)
        value, body = _value(payload, body, kind)
        values.append(value)
    if place != length or body != len(payload):
        raise _BrokenCellError
    return tuple(values)


def _value(payload: bytes, place: int, kind: int) -> tuple[Value, int]:
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), place
    size = (0, 1, 2, 3, 4, 6, 8, 8)[kind] if kind < 8 else (kind - 12) // 2
    piece = payload[place : place + size]
    if kind in (10, 11) or len(piece) != size:
        raise _BrokenCellError
    place += size
    if kind < 7:
        return int.from_bytes(piece, "big", signed=True), place
    if kind == 7:
        return struct.unpack(">d", piece)[0], place
    return (piece.decode("utf-8") if kind % 2 else piece), place
