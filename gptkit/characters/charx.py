"""The card in a CHARX file: `card.json` at the root of a ZIP archive, of which nothing else is unpacked.

The directory is read here and not by zipfile, which builds an object for each of the millions of names a
hostile archive can have, and unpacks a member whole before its size is known to be a lie.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from gptkit.core.errors import DataFault

START = b"PK\x03\x04"
_END = b"PK\x05\x06"
_ENTRY = b"PK\x01\x02"
_ZIP64 = b"PK\x06\x07"
_END_SIZE, _ENTRY_SIZE, _HEADER_SIZE, _COMMENT_CAP = 22, 46, 30, 0xFFFF
MEMBER_CAP = 50_000
NAME = b"card.json"


class _Member(NamedTuple):
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    place: int


def is_archive(data: bytes) -> bool:
    """A ZIP archive, also one that follows a JPEG picture, as some programs write CHARX."""
    if data.startswith(START):
        return True
    return data.startswith(b"\xff\xd8\xff") and data.rfind(_END, -_END_SIZE - _COMMENT_CAP) >= 0


def charx_card(data: bytes, cap: int) -> bytes:
    """The content of card.json, of at most `cap` bytes; raises DataFault."""
    member = _member(data)
    if member.flags & 1:
        raise DataFault("card.json is encrypted")
    if member.size > cap or member.packed > cap:
        raise DataFault(f"card.json is larger than {cap >> 20} MiB")
    header = data[member.place : member.place + _HEADER_SIZE]
    if len(header) < _HEADER_SIZE or not header.startswith(START):
        raise DataFault("the archive is damaged: card.json is not where it should be")
    name, extra = struct.unpack_from("<HH", header, 26)
    start = member.place + _HEADER_SIZE + name + extra
    content = _unpacked(data[start : start + member.packed], member.method, cap)
    if len(content) != member.size or zlib.crc32(content) != member.checksum:
        raise DataFault("the archive is damaged: the checksum of card.json is wrong")
    return content


def _member(data: bytes) -> _Member:
    """What the directory says of card.json."""
    end = data.rfind(_END, max(0, len(data) - _END_SIZE - _COMMENT_CAP))
    if end < 0 or end + _END_SIZE > len(data):
        raise DataFault("the archive is cut short or damaged")
    if data[max(0, end - 20) : end].startswith(_ZIP64):
        raise DataFault("an archive of the ZIP64 kind, which is made for more than 4 GiB")
    size, place = struct.unpack_from("<II", data, end + 12)
    before = end - size - place  # bytes in front of the archive, such as a picture
    place += before
    if before < 0:
        raise DataFault("the archive is damaged: its directory is not where it should be")
    for _ in range(MEMBER_CAP):
        if place + _ENTRY_SIZE > end or data[place : place + 4] != _ENTRY:
            break
        flags, method, _, _, checksum, packed, whole, name, extra, comment = struct.unpack_from(
            "<HHHHIIIHHH", data, place + 8
        )
        following = place + _ENTRY_SIZE + name
        if data[place + _ENTRY_SIZE : following] == NAME:
            offset = struct.unpack_from("<I", data, place + 42)[0]
            return _Member(flags, method, checksum, packed, whole, before + offset)
        place = following + extra + comment
    else:
        raise DataFault(f"more than {MEMBER_CAP} files in the archive")
    raise DataFault("no card.json at the root of the archive")


def _unpacked(packed: bytes, method: int, cap: int) -> bytes:
    if method == 0:
        return packed
    if method != 8:
        raise DataFault("card.json is packed in a way that is not supported")
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(packed, cap)
    except zlib.error:
        raise DataFault("the archive is damaged: card.json cannot be unpacked") from None
    if unpacking.unconsumed_tail:
        raise DataFault(f"card.json is larger than {cap >> 20} MiB")
    return content
