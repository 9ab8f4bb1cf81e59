"""The card in a PNG or APNG picture: text chunks named `ccv3` or `chara`."""

from __future__ import annotations

import binascii
import zlib

from gptkit.characters.card import Finding, Report
from gptkit.core.errors import DataFault

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_CAP = 100_000
NAMES = ("ccv3", "chara")  # a picture with both is a V3 card, with a V2 card for others to read
_KINDS = (b"tEXt", b"zTXt", b"iTXt")


def png_card(data: bytes, cap: int, report: Report) -> bytes:
    """The JSON of the card in a picture, of at most `cap` bytes; raises DataFault."""
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
        raise DataFault(f"more than {CHUNK_CAP} chunks in the picture")
    for name in NAMES:
        if name in found:
            if not ended:
                report(Finding("", "the picture is damaged after the card", grave=False))
            return _decoded(*found[name], name, cap)
    missing = "no character card in this picture"
    raise DataFault(missing if ended else f"{missing}, and it is cut short or damaged")


def _checked(chunk: memoryview, name: str, cap: int) -> bytes:
    """What a chunk holds, if it is whole."""
    if len(chunk) > 2 * cap:
        raise DataFault(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
        raise DataFault(f"the chunk '{name}' is damaged: its checksum is wrong")
    return bytes(chunk[8:-4])


def _decoded(content: bytes, kind: bytes, name: str, cap: int) -> bytes:
    text = _text(content, kind, name, cap)
    if text.lstrip()[:1] == b"{":  # some writers leave out the base64
        return text
    packed = b"".join(text.split()).rstrip(b"=")
    try:
        found = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)
    except binascii.Error:
        raise DataFault(f"the chunk '{name}' is not base64") from None
    if len(found) > cap:
        raise DataFault(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
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
        raise DataFault(f"the chunk '{name}' is damaged")
    return _inflated(parts[2], method, name, cap) if flag == b"\1" else parts[2]


def _inflated(packed: bytes, method: bytes, name: str, cap: int) -> bytes:
    if method != b"\0":
        raise DataFault(f"the chunk '{name}' is packed in an unknown way")
    unpacking = zlib.decompressobj()
    try:
        found = unpacking.decompress(packed, 2 * cap)
    except zlib.error:
        raise DataFault(f"the chunk '{name}' is damaged: it cannot be unpacked") from None
    if unpacking.unconsumed_tail:
        raise DataFault(f"the card in the chunk '{name}' is larger than {cap >> 20} MiB")
    if not unpacking.eof:
        raise DataFault(f"the chunk '{name}' is damaged: it cannot be unpacked")
    return found
