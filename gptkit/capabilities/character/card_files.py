"""Read a card from a file's content: JSON of V1 to V3, a PNG or APNG picture, or a CHARX archive."""

from __future__ import annotations

import binascii
import json
import math
import struct
import zlib
from typing import NamedTuple

from gptkit.capabilities.character import card_json
from gptkit.capabilities.character.card import Card, CardFinding, Report
from gptkit.core.errors import DataError
from gptkit.core.excerpt import describe_unexpected

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_CAP = 100_000
NAMES = ("ccv3", "chara")  # a picture with both is a V3 card, with a V2 card for others to read
_KINDS = (b"tEXt", b"zTXt", b"iTXt")


def png_card(data: bytes, cap: int, report: Report) -> bytes:
    """Return the JSON of the card in a picture; raises DataError if there is none, or above `cap` bytes."""
    chunks: dict[str, tuple[bytes, bytes]] = {}
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
            if known in NAMES and known not in chunks:
                chunks[known] = _chunk_data(view[place:end], known, cap), kind
        place = end
    else:
        raise DataError(f"more than {CHUNK_CAP} chunks in the picture")
    for name in NAMES:
        if name in chunks:
            if not ended:
                report(CardFinding("", "the picture is damaged after the card", fatal=False))
            return _decode(*chunks[name], name, cap)
    missing = "no character card in this picture"
    raise DataError(missing if ended else f"{missing}, and it is cut short or damaged")


def _chunk_data(chunk: memoryview, name: str, cap: int) -> bytes:
    """Return the content of a chunk; raises DataError for a wrong checksum."""
    if len(chunk) > 2 * cap:
        raise DataError(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
        raise DataError(f"the chunk '{name}' is damaged: its checksum is wrong")
    return bytes(chunk[8:-4])


def _decode(content: bytes, kind: bytes, name: str, cap: int) -> bytes:
    text = _text(content, kind, name, cap)
    if text.lstrip()[:1] == b"{":  # some writers leave out the base64
        return text
    packed = b"".join(text.split()).rstrip(b"=")
    try:
        decoded = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)
    except binascii.Error:
        raise DataError(f"the chunk '{name}' is not base64") from None
    if len(decoded) > cap:
        raise DataError(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    return decoded


def _text(content: bytes, kind: bytes, name: str, cap: int) -> bytes:
    _, _, rest = content.partition(b"\0")
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        method, packed = rest[:1], rest[1:]
        return _inflate(packed, method, name, cap)
    flag, method, rest = rest[:1], rest[1:2], rest[2:]
    parts = rest.split(b"\0", 2)  # language, translated keyword, text
    if len(parts) < 3 or flag not in (b"\0", b"\1"):
        raise DataError(f"the chunk '{name}' is damaged")
    return _inflate(parts[2], method, name, cap) if flag == b"\1" else parts[2]


def _inflate(packed: bytes, method: bytes, name: str, cap: int) -> bytes:
    if method != b"\0":
        raise DataError(f"the chunk '{name}' is packed in an unknown way")
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(packed, 2 * cap)
    except zlib.error:
        raise DataError(f"the chunk '{name}' is damaged: it cannot be unpacked") from None
    if unpacking.unconsumed_tail:
        raise DataError(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    if not unpacking.eof:
        raise DataError(f"the chunk '{name}' is damaged: it cannot be unpacked")
    return content


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
    """Whether the data is a ZIP archive, perhaps behind a JPEG picture, as some programs write CHARX."""
    if data.startswith(START):
        return True
    return data.startswith(b"\xff\xd8\xff") and data.rfind(_END, -_END_SIZE - _COMMENT_CAP) >= 0


def charx_card(data: bytes, cap: int) -> bytes:
    """Return the content of card.json in an archive; raises DataError, also above `cap` bytes."""
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
    content = _decompress(data[start : start + member.packed], member.method, cap)
    if len(content) != member.size or zlib.crc32(content) != member.checksum:
        raise DataError("the archive is damaged: the checksum of card.json is wrong")
    return content


def _member(data: bytes) -> _Member:
    """Read the entry of card.json in the archive's directory."""
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


def _decompress(packed: bytes, method: int, cap: int) -> bytes:
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


def read_card(data: bytes, source: str, report: Report | None = None) -> Card:
    """Read a card from a file's content, and pass all findings about the card to `report`.

    Raises DataError for content that is no card, is damaged or too large, or has a fatal finding.
    """
    findings: list[CardFinding] = []
    try:
        card = card_json.parse_card(_parse_json(_card_json(data, findings.append)), findings.append)
    except DataError as fault:
        raise DataError(f"'{source}': {fault.message}") from None
    for finding in findings if report else ():
        report(finding)  # type: ignore[misc]
    fatal = [finding for finding in findings if finding.fatal]
    if card is None or fatal:
        first = fatal[0]
        more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
        field = f"{first.field}: " if first.field else ""
        raise DataError(f"'{source}': {field}{first.message}{more}")
    return card


def _card_json(data: bytes, report: Report) -> bytes:
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


def _parse_json(data: bytes) -> object:
    if len(data) > JSON_CAP:
        raise DataError(f"the card is larger than {JSON_CAP >> 20} MiB")
    if not data.strip():
        raise DataError("empty")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not a character card, or not UTF-8") from None
    try:
        parsed = json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_float)
        return _clean(parsed, 0)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON: line {error.lineno}: {describe_unexpected(error.doc, error.pos)}"
        ) from None
    except ValueError:  # a number of more digits than Python reads
        raise DataError("not JSON: a number is too long") from None
    except RecursionError:
        raise _too_deep() from None


def _clean(value: object, depth: int) -> object:
    """Remove NUL, which no API takes, from all texts, and replace lone surrogates by U+FFFD."""
    if isinstance(value, str):
        return _clean_text(value)
    if not isinstance(value, dict | list):
        return value
    if depth == DEPTH_CAP:
        raise _too_deep()
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return {_clean_text(key): _clean(item, depth + 1) for key, item in value.items()}


def _clean_text(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def _refuse_constant(constant: str) -> object:
    raise DataError(f"not JSON: {constant} is not a number")


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise DataError(f"the number {digits[:20]} is too large")
    return number


def _too_deep() -> DataError:
    return DataError(f"nested deeper than {DEPTH_CAP} levels")
