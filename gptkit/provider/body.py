"""A response body decompressed, within its caps, and recognised by what it is rather than by its label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from gptkit.core.errors import ProtocolFault
from gptkit.core.sanitize import one_line
from gptkit.provider.exchange import Exchange
from gptkit.provider.sse import without_mark

RESPONSE_LIMIT = 64 * 1024 * 1024
FILE_LIMIT = 200 * 1024 * 1024
"""Of the answers to a whole batch, which are read line by line."""
ERROR_LIMIT = 64 * 1024
_BLOCK = 1024 * 1024
_TITLE = re.compile(rb"<title[^>]*>([^<]*)", re.IGNORECASE)
_STREAM_FIELDS = (b"data", b"event", b"id", b"retry", b":")

Kind = Literal["json", "events", "empty"]


def decoded(body: Iterator[bytes], encoding: str, exchange: Exchange) -> Iterator[bytes]:
    """Raises ProtocolFault for an encoding that was not asked for, a damaged or a cut one."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip", "deflate"):
        return _inflated(body, name, exchange)
    raise ProtocolFault(f"unsupported encoding '{one_line(encoding, 40)}': gzip and deflate were offered")


def limited(body: Iterator[bytes], limit: int = RESPONSE_LIMIT) -> Iterator[bytes]:
    """Counted after decompression: a small answer that unpacks to gigabytes ends here."""
    total = 0
    for piece in body:
        total += len(piece)
        if total > limit:
            raise ProtocolFault(f"the answer is larger than {limit >> 20} MiB")
        yield piece


def recognised(body: Iterator[bytes], kind: str) -> tuple[Kind, Iterator[bytes]]:
    """JSON, an event stream, or nothing; raises ProtocolFault for anything else, such as a web page."""
    pieces = without_mark(body)
    head = b""
    for piece in pieces:
        head = (head + piece).lstrip()  # some servers send white space while the model thinks
        if len(head) >= 6 or head[:1] in (b"{", b"["):
            break
    if not head:
        return "empty", iter(())
    rest = chain((head,), pieces)
    if "html" in kind.lower():
        raise _stranger(kind, rest)
    if head[:1] in b"{[":
        return "json", rest
    labelled = "event-stream" in kind.lower() and head[:1] != b"<"
    if labelled or any(head.startswith(field) for field in _STREAM_FIELDS):
        return "events", rest
    raise _stranger(kind, rest)


def start(body: Iterator[bytes], limit: int) -> bytes:
    """At most `limit` bytes; what came before a failure counts: an error body is better than none."""
    kept = bytearray()
    try:
        for piece in body:
            kept += piece
            if len(kept) >= limit:
                break
    except Exception:  # noqa: S110
        pass
    return bytes(kept[:limit])


def title(page: bytes) -> str:
    """What a web page calls itself, in one line."""
    import html

    found = _TITLE.search(page)
    return one_line(html.unescape(found[1].decode("utf-8", "replace")), 100) if found else ""


def _stranger(kind: str, body: Iterator[bytes]) -> ProtocolFault:
    shown = one_line(kind.partition(";")[0], 60) or "no content type"
    name = title(start(body, ERROR_LIMIT))
    return ProtocolFault(f"not an API answer ({shown})" + (f": '{name}'" if name else ""), tries=2)


def _inflated(body: Iterator[bytes], name: str, exchange: Exchange) -> Iterator[bytes]:
    """In blocks of at most 1 MiB, whatever a piece unpacks to; a last empty one when all is checked."""
    import zlib

    unpacker = None
    for piece in _paired(body):
        packed = piece
        while packed:
            unpacker = unpacker or zlib.decompressobj(_window(name, packed))
            exchange.sealed = False
            try:
                while unpacked := unpacker.decompress(packed, _BLOCK):
                    yield unpacked
                    packed = unpacker.unconsumed_tail
            except zlib.error:
                message = f"the answer's {name} encoding is damaged"
                raise ProtocolFault(message, tries=2, billed=True) from None
            packed = b""
            if unpacker.eof:
                packed, unpacker = unpacker.unused_data, None
                exchange.sealed = not packed
                yield b""
    if unpacker is not None:
        raise ProtocolFault(f"the answer's {name} encoding ends too early", tries=2, billed=True)


def _paired(body: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, at least two in the first piece: that many tell zlib from raw deflate."""
    head = b""
    for piece in body:
        head += piece
        if len(head) > 1:
            break
    yield head
    yield from body


def _window(name: str, head: bytes) -> int:
    """zlib's name for the format; some servers send deflate without the zlib header they owe."""
    if name != "deflate":
        return 31
    return 15 if head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else -15
