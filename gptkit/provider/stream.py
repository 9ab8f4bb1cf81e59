"""A server's event stream, in whatever spelling: the data of its events."""

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
_DONE = b"[DONE]"
_FIELDS = {b"", b"id", b"retry"}
_IDLE = {b"ping", b"keepalive", b"keep-alive", b"heartbeat"}
"""Events that only keep a connection open; their data need not be JSON."""


def data(pieces: Iterator[bytes], exchange: Exchange) -> Iterator[list[bytes]]:
    """The data of each event, those of one piece together; `[DONE]` ends the stream and is not among them.

    Nothing is lost behind a byte order mark or before an end without an empty line. Comments, ids,
    retry hints and events without data go; so a stream of nothing else yields nothing.
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
                event.field(line)
            elif event.data:
                taken = event.taken()
                if taken[:6] == _DONE:
                    exchange.done = True
                    break
                ready.append(taken)
            else:
                event.name = b""
        if any(ready):
            yield [one for one in ready if one]
        if exchange.done:
            return
    if event.data:
        last = event.taken()
        exchange.done = last[:6] == _DONE
        if last and not exchange.done:
            yield [last]


class _Event:
    """The event whose lines are being read."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.name = b""
        self._size = 0

    def add(self, value: bytes) -> None:
        self._size += len(value) + len(b"data:\n")  # empty lines take room as well
        if self._size > EVENT_LIMIT:
            raise too_large()
        self.data.append(value)

    def field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"event":
            self.name = value.strip().lower()
        elif name == b"data":  # the whole line: a field without a colon has an empty value
            self.add(b"")
        elif name not in _FIELDS and b"{" in line:  # data whose name is damaged; a comment's name is empty
            raise ProtocolError("malformed answer: an event without its name", tries=2, billed=True)

    def taken(self) -> bytes:
        data = self.data[0] if len(self.data) == 1 else b"\n".join(self.data)
        name, self.data, self.name, self._size = self.name, [], b"", 0
        if name in _IDLE or not data.strip():
            return b""
        if name == b"error" and not data.startswith(b'{"error"'):
            data = b'{"error":' + (data if data[:1] == b"{" else _quoted(data)) + b"}"
        return data


def _quoted(data: bytes) -> bytes:
    return json.dumps(data.decode("utf-8", "replace")).encode()


def _lines(pieces: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Complete lines, each piece's at once; LF, CRLF and CR end a line, the last line may lack it."""
    rest: list[bytes] = []
    held = 0
    after_return = False
    for piece in without_mark(pieces):
        if after_return and piece[:1] == b"\n":
            piece = piece[1:]  # noqa: PLW2901
        after_return = piece[-1:] == b"\r" if piece else after_return
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # noqa: PLW2901
        lines = piece.split(b"\n")
        if len(lines) > 1:
            if rest:
                rest.append(lines[0])
                lines[0] = b"".join(rest)
                rest, held = [], 0
            tail = lines.pop()
            yield lines
        else:
            tail = piece
        if tail:
            rest.append(tail)
            held += len(tail)
            if held > EVENT_LIMIT:
                raise too_large()
    if rest:
        yield [b"".join(rest)]


def without_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes behind a UTF-8 byte order mark, even one that comes in three pieces."""
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


def too_large() -> ProtocolError:
    return ProtocolError(f"one event of the answer is larger than {EVENT_LIMIT >> 20} MiB")


RESPONSE_LIMIT = 64 * 1024 * 1024
FILE_LIMIT = 200 * 1024 * 1024
"""Of the answers to a whole batch, which are read line by line."""
ERROR_LIMIT = 64 * 1024
_BLOCK = 1024 * 1024
_TITLE = re.compile(rb"<title[^>]*>([^<]*)", re.IGNORECASE)
_STREAM_FIELDS = (b"data", b"event", b"id", b"retry", b":")

Kind = Literal["json", "events", "empty"]


def decoded(body: Iterator[bytes], encoding: str, exchange: Exchange) -> Iterator[bytes]:
    """Raises ProtocolError for an encoding that was not asked for, a damaged or a cut one."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name in ("gzip", "x-gzip", "deflate"):
        return _inflated(body, name, exchange)
    raise ProtocolError(f"unsupported encoding '{one_line(encoding, 40)}': gzip and deflate were offered")


def limited(body: Iterator[bytes], limit: int = RESPONSE_LIMIT) -> Iterator[bytes]:
    """Counted after decompression: a small answer that unpacks to gigabytes ends here."""
    total = 0
    for piece in body:
        total += len(piece)
        if total > limit:
            raise ProtocolError(f"the answer is larger than {limit >> 20} MiB")
        yield piece


def recognised(body: Iterator[bytes], kind: str) -> tuple[Kind, Iterator[bytes]]:
    """JSON, an event stream, or nothing; raises ProtocolError for anything else, such as a web page."""
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


def _stranger(kind: str, body: Iterator[bytes]) -> ProtocolError:
    shown = one_line(kind.partition(";")[0], 60) or "no content type"
    name = title(start(body, ERROR_LIMIT))
    return ProtocolError(f"not an API answer ({shown})" + (f": '{name}'" if name else ""), tries=2)


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
                raise ProtocolError(message, tries=2, billed=True) from None
            packed = b""
            if unpacker.eof:
                packed, unpacker = unpacker.unused_data, None
                exchange.sealed = not packed
                yield b""
    if unpacker is not None:
        raise ProtocolError(f"the answer's {name} encoding ends too early", tries=2, billed=True)


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
