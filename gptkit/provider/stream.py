"""Reads the body of a response: decompression, size limits, and the data of server-sent events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from gptkit.core.errors import ProtocolError
from gptkit.core.sanitize import one_line
from gptkit.provider.exchange import Exchange

EVENT_LIMIT = 8 * 1024 * 1024
"""Bytes."""
_DONE = b"[DONE]"
_FIELDS = {b"", b"id", b"retry"}
_KEEP_ALIVE_NAMES = {b"ping", b"keepalive", b"keep-alive", b"heartbeat"}
"""Events that only keep a connection open; their data need not be JSON."""


def event_data(pieces: Iterator[bytes], exchange: Exchange) -> Iterator[list[bytes]]:
    """Yield the data of the events, those of one piece in one list; `[DONE]` ends the stream.

    A byte order mark and a last event without an empty line are accepted. Comments, ids, retry hints and
    events without data are skipped.
    """
    event = _Event()
    for lines in _lines(pieces):
        ready: list[bytes] = []
        for line in lines:
            if line[:5] == b"data:":
                event.add(line[6:] if line[5:6] == b" " else line[5:])
            elif line[:1] == b":":
                continue
            elif line:
                event.add_field(line)
            elif event.data:
                value = event.take_data()
                if value[:6] == _DONE:
                    exchange.is_complete = True
                    break
                ready.append(value)
            else:
                event.name = b""
        if any(ready):
            yield [value for value in ready if value]
        if exchange.is_complete:
            return
    if event.data:
        last = event.take_data()
        exchange.is_complete = last[:6] == _DONE
        if last and not exchange.is_complete:
            yield [last]


class _Event:
    """The event whose lines are read at the moment."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.name = b""
        self._size = 0

    def add(self, value: bytes) -> None:
        self._size += len(value) + len(b"data:\n")  # empty lines take room as well
        if self._size > EVENT_LIMIT:
            raise event_too_large()
        self.data.append(value)

    def add_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"event":
            self.name = value.strip().lower()
        elif name == b"data":  # the whole line: a field without a colon has an empty value
            self.add(b"")
        elif name not in _FIELDS and b"{" in line:  # data whose name is damaged; a comment's name is empty
            raise ProtocolError("malformed answer: an event without its name", tries=2, billed=True)

    def take_data(self) -> bytes:
        data = self.data[0] if len(self.data) == 1 else b"\n".join(self.data)
        name, self.data, self.name, self._size = self.name, [], b"", 0
        if name in _KEEP_ALIVE_NAMES or not data.strip():
            return b""
        if name == b"error" and not data.startswith(b'{"error"'):
            data = b'{"error":' + (data if data[:1] == b"{" else _json_string(data)) + b"}"
        return data


def _json_string(data: bytes) -> bytes:
    return json.dumps(data.decode("utf-8", "replace")).encode()


def _lines(pieces: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield the complete lines of each piece; LF, CRLF and CR end a line, the last line may have no end."""
    rest: list[bytes] = []
    size = 0
    ends_with_return = False
    for piece in skip_byte_order_mark(pieces):
        if ends_with_return and piece[:1] == b"\n":
            piece = piece[1:]  # noqa: PLW2901
        ends_with_return = piece[-1:] == b"\r" if piece else ends_with_return
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # noqa: PLW2901
        lines = piece.split(b"\n")
        if len(lines) > 1:
            if rest:
                rest.append(lines[0])
                lines[0] = b"".join(rest)
                rest, size = [], 0
            tail = lines.pop()
            yield lines
        else:
            tail = piece
        if tail:
            rest.append(tail)
            size += len(tail)
            if size > EVENT_LIMIT:
                raise event_too_large()
    if rest:
        yield [b"".join(rest)]


def skip_byte_order_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Skip a UTF-8 byte order mark, even one that comes in three pieces."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= 3 or not b"\xef\xbb\xbf".startswith(head):
            yield head.removeprefix(b"\xef\xbb\xbf")
            break
    else:
        if head:
            yield head
        return
    yield from pieces


def event_too_large() -> ProtocolError:
    return ProtocolError(f"one event of the answer is larger than {EVENT_LIMIT >> 20} MiB")


RESPONSE_LIMIT = 64 * 1024 * 1024
FILE_LIMIT = 200 * 1024 * 1024
"""Limit of a file of batch results, which is read line by line."""
ERROR_LIMIT = 64 * 1024
_BLOCK = 1024 * 1024
_TITLE = re.compile(rb"<title[^>]*>([^<]*)", re.IGNORECASE)
_STREAM_FIELDS = (b"data", b"event", b"id", b"retry", b":")

Kind = Literal["json", "events", "empty"]


def decompress(body: Iterator[bytes], encoding: str, exchange: Exchange) -> Iterator[bytes]:
    """Undo the content encoding. Raises ProtocolError for an unknown, a damaged or an incomplete one."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip", "deflate"):
        return _inflate(body, name, exchange)
    raise ProtocolError(f"unsupported encoding '{one_line(encoding, 40)}': gzip and deflate were offered")


def limit_size(body: Iterator[bytes], limit: int = RESPONSE_LIMIT) -> Iterator[bytes]:
    """Pass decompressed pieces on, up to `limit` bytes; raises ProtocolError for more."""
    total = 0
    for piece in body:
        total += len(piece)
        if total > limit:
            raise ProtocolError(f"the answer is larger than {limit >> 20} MiB")
        yield piece


def detect_kind(body: Iterator[bytes], kind: str) -> tuple[Kind, Iterator[bytes]]:
    """Tell JSON, an event stream and an empty body apart; returns the kind and the whole body.

    Raises ProtocolError for anything else, such as a web page.
    """
    pieces = skip_byte_order_mark(body)
    head = b""
    for piece in pieces:
        head = (head + piece).lstrip()  # some servers send white space while the model thinks
        if len(head) >= 6 or head[:1] in (b"{", b"["):
            break
    if not head:
        return "empty", iter(())
    rest = chain((head,), pieces)
    if "html" in kind.lower():
        raise _not_an_answer(kind, rest)
    if head[:1] in b"{[":
        return "json", rest
    labelled = "event-stream" in kind.lower() and head[:1] != b"<"
    if labelled or any(head.startswith(field) for field in _STREAM_FIELDS):
        return "events", rest
    raise _not_an_answer(kind, rest)


def read_start(body: Iterator[bytes], limit: int) -> bytes:
    """Return at most `limit` bytes; after a failure what came before, since a part is better than nothing."""
    start = bytearray()
    try:
        for piece in body:
            start += piece
            if len(start) >= limit:
                break
    except Exception:  # noqa: S110
        pass
    return bytes(start[:limit])


def page_title(page: bytes) -> str:
    """Return the title of a web page in one line; "" without one."""
    import html

    match = _TITLE.search(page)
    return one_line(html.unescape(match[1].decode("utf-8", "replace")), 100) if match else ""


def _not_an_answer(kind: str, body: Iterator[bytes]) -> ProtocolError:
    shown = one_line(kind.partition(";")[0], 60) or "no content type"
    name = page_title(read_start(body, ERROR_LIMIT))
    return ProtocolError(f"not an API answer ({shown})" + (f": '{name}'" if name else ""), tries=2)


def _inflate(body: Iterator[bytes], name: str, exchange: Exchange) -> Iterator[bytes]:
    """Decompress in blocks of at most 1 MiB; an empty block follows each checksum that agrees."""
    import zlib

    unpacker = None
    for piece in _at_least_two_bytes(body):
        packed = piece
        while packed:
            unpacker = unpacker or zlib.decompressobj(_window_bits(name, packed))
            exchange.is_verified = False
            try:
                while unpacked := unpacker.decompress(packed, _BLOCK):
                    yield unpacked
                    packed = unpacker.unconsumed_tail
            except zlib.error:
                message = f"the answer's {name} encoding is damaged"
                raise ProtocolError(message, tries=2, billed=True) from None
            packed = b""
            if unpacker.eof:
                packed, unpacker = unpacker.unused_data, None
                exchange.is_verified = not packed
                yield b""
    if unpacker is not None:
        raise ProtocolError(f"the answer's {name} encoding ends too early", tries=2, billed=True)


def _at_least_two_bytes(body: Iterator[bytes]) -> Iterator[bytes]:
    """Join pieces until the first has two bytes, which tell zlib from raw deflate."""
    head = b""
    for piece in body:
        head += piece
        if len(head) > 1:
            break
    yield head
    yield from body


def _window_bits(name: str, head: bytes) -> int:
    """Return zlib's number for the format; some servers send deflate without the zlib header."""
    if name != "deflate":
        return 31
    return 15 if head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else -15
