"""Bytes become a Card: JSON of V1 to V3, a PNG or APNG picture with a card in it, a CHARX archive."""

from __future__ import annotations

import binascii
import json
import math
import struct
import zlib
from typing import NamedTuple

from gptkit.capabilities.character import card_json
from gptkit.capabilities.character.card import Card, Finding, Report
from gptkit.core.errors import DataError
from gptkit.core.excerpt import describe_unexpected

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_CAP = 100_000
NAMES = ("ccv3", "chara")  # a picture with both is a V3 card, with a V2 card for others to read
_KINDS = (b"tEXt", b"zTXt", b"iTXt")


def png_card(data: bytes, cap: int, report: Report) -> bytes:
    """The JSON of the card in a picture, of at most `cap` bytes; raises DataError."""
    found: dict[str, tuple[bytes, bytes]] = {}
    view, place, ended = memoryview(data), len(SIGNATURE), False
    for _ in range(CHUNK_CAP):
        if place + 12 > len(data):
            break
        length = int.from_bytes(view[place : place + 4])
        kind = bytes(view[place + 4 : place + 8])
        end = place + 12 + length
        if end > len(data):
            break
        if kind == b"IEND":
            ended = True
            break
        if kind in _KINDS:
            keyword = bytes(view[place + 8 : place + 8 + min(length, 80)]).partition(b"\0")[0]
            known = keyword.decode("latin-1").lower()  # V1 writes 'Chara', everyone else 'chara'
            if known in NAMES and known not in found:
                found[known] = _checked(view[place:end], known, cap), kind
        place = end
    else:
        raise DataError(f"more than {CHUNK_CAP} chunks in the picture")
    for name in NAMES:
        if name in found:
            if not ended:
                report(Finding("", "the picture is damaged after the card", grave=False))
            return _decoded(*found[name], name, cap)
    missing = "no character card in this picture"
    raise DataError(missing if ended else f"{missing}, and it is cut short or damaged")


def _checked(chunk: memoryview, name: str, cap: int) -> bytes:
    """What a chunk holds, if it is whole."""
    if len(chunk) > 2 * cap:
        raise DataError(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
        raise DataError(f"the chunk '{name}' is damaged: its checksum is wrong")
    return bytes(chunk[8:-4])


def _decoded(content: bytes, kind: bytes, name: str, cap: int) -> bytes:
    text = _text(content, kind, name, cap)
    if text.lstrip()[:1] == b"{":  # some writers leave out the base64
        return text
    packed = b"".join(text.split()).rstrip(b"=")
    try:
        found = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)
    except binascii.Error:
        raise DataError(f"the chunk '{name}' is not base64") from None
    if len(found) > cap:
        raise DataError(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    return found


def _text(content: bytes, kind: bytes, name: str, cap: int) -> bytes:
    _, _, rest = content.partition(b"\0")
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        method, packed = rest[:1], rest[1:]
        return _inflated(packed, method, name, cap)
    flag, method, rest = rest[:1], rest[1:2], rest[2:]
    parts = rest.split(b"\0", 2)  # language, translated keyword, text
    if len(parts) < 3 or flag not in (b"\0", b"\1"):
        raise DataError(f"the chunk '{name}' is damaged")
    return _inflated(parts[2], method, name, cap) if flag == b"\1" else parts[2]


def _inflated(packed: bytes, method: bytes, name: str, cap: int) -> bytes:
    if method != b"\0":
        raise DataError(f"the chunk '{name}' is packed in an unknown way")
    unpacking = zlib.decompressobj()
    try:
        found = unpacking.decompress(packed, 2 * cap)
    except zlib.error:
        raise DataError(f"the chunk '{name}' is damaged: it cannot be unpacked") from None
    if unpacking.unconsumed_tail:
        raise DataError(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    if not unpacking.eof:
        raise DataError(f"the chunk '{name}' is damaged: it cannot be unpacked")
    return found


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
    """The content of card.json, of at most `cap` bytes; raises DataError."""
    member = _member(data)
    if member.flags & 1:
        raise DataError("card.json is encrypted")
    if member.size > cap or member.packed > cap:
        raise DataError(f"card.json is larger than {cap >> 20} MiB")
    header = data[member.place : member.place + _HEADER_SIZE]
    if len(header) < _HEADER_SIZE or not header.startswith(START):
        raise DataError("the archive is damaged: card.json is not where it should be")
    name, extra = struct.unpack_from("<HH", header, 26)
    start = member.place + _HEADER_SIZE + name + extra
    content = _unpacked(data[start : start + member.packed], member.method, cap)
    if len(content) != member.size or zlib.crc32(content) != member.checksum:
        raise DataError("the archive is damaged: the checksum of card.json is wrong")
    return content


def _member(data: bytes) -> _Member:
    """What the directory says of card.json."""
    end = data.rfind(_END, max(0, len(data) - _END_SIZE - _COMMENT_CAP))
    if end < 0 or end + _END_SIZE > len(data):
        raise DataError("the archive is cut short or damaged")
    if data[max(0, end - 20) : end].startswith(_ZIP64):
        raise DataError("an archive of the ZIP64 kind, which is made for more than 4 GiB")
    size, place = struct.unpack_from("<II", data, end + 12)
    before = end - size - place  # bytes in front of the archive, such as a picture
    place += before
    if before < 0:
        raise DataError("the archive is damaged: its directory is not where it should be")
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
        raise DataError(f"more than {MEMBER_CAP} files in the archive")
    raise DataError("no card.json at the root of the archive")


def _unpacked(packed: bytes, method: int, cap: int) -> bytes:
    if method == 0:
        return packed
    if method != 8:
        raise DataError("card.json is packed in a way that is not supported")
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(packed, cap)
    except zlib.error:
        raise DataError("the archive is damaged: card.json cannot be unpacked") from None
    if unpacking.unconsumed_tail:
        raise DataError(f"card.json is larger than {cap >> 20} MiB")
    return content


FILE_CAP = 128 << 20
JSON_CAP = 8 << 20
DEPTH_CAP = 64


def card(data: bytes, source: str, report: Report | None = None) -> Card:
    """The card of a file's content; `report` hears of everything that is not as it should be.

    Raises DataError for what is no card, is damaged, too large, or lacks what the model is to read.
    """
    findings: list[Finding] = []
    try:
        found = card_json.card(_parsed(_json(data, findings.append)), findings.append)
    except DataError as fault:
        raise DataError(f"'{source}': {fault.message}") from None
    for finding in findings if report else ():
        report(finding)  # type: ignore[misc]
    grave = [finding for finding in findings if finding.grave]
    if found is None or grave:
        first = grave[0]
        more = f" (and {len(grave) - 1} more)" if len(grave) > 1 else ""
        field = f"{first.field}: " if first.field else ""
        raise DataError(f"'{source}': {field}{first.message}{more}")
    return found


def _json(data: bytes, report: Report) -> bytes:
    if len(data) > FILE_CAP:
        raise DataError(f"larger than {FILE_CAP >> 20} MiB")
    if data.startswith(SIGNATURE):
        return png_card(data, JSON_CAP, report)
    if is_archive(data):
        return charx_card(data, JSON_CAP)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise DataError("a WEBP picture cannot hold a card; use PNG")
    if data.startswith(b"\xff\xd8\xff"):
        raise DataError("a JPEG picture without a card in it")
    return data


def _parsed(data: bytes) -> object:
    if len(data) > JSON_CAP:
        raise DataError(f"the card is larger than {JSON_CAP >> 20} MiB")
    if not data.strip():
        raise DataError("empty")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not a character card, or not UTF-8") from None
    try:
        parsed = json.loads(text, parse_constant=_refused, parse_float=_finite)
        return _cleaned(parsed, 0)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON: line {error.lineno}: {describe_unexpected(error.doc, error.pos)}"
        ) from None
    except ValueError:  # a number of more digits than Python reads
        raise DataError("not JSON: a number is too long") from None
    except RecursionError:
        raise _too_deep() from None


def _cleaned(value: object, depth: int) -> object:
    """Without NUL, which no API takes, and with U+FFFD for halves of characters, which no UTF-8 has."""
    if isinstance(value, str):
        return _whole(value)
    if not isinstance(value, dict | list):
        return value
    if depth == DEPTH_CAP:
        raise _too_deep()
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    return {_whole(key): _cleaned(item, depth + 1) for key, item in value.items()}


def _whole(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)
    return text


def _refused(constant: str) -> object:
    raise DataError(f"not JSON: {constant} is not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise DataError(f"the number {digits[:20]} is too large")
    return number


def _too_deep() -> DataError:
    return DataError(f"nested deeper than {DEPTH_CAP} levels")
