"""Text that arrives block by block: decoded as it comes, and its lines with their ends."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from gptkit.core.errors import DataError
from gptkit.encodings.decode import decode

LINE_END = re.compile(r"\r\n|\n|\r")
FRAGMENT = 1 << 18
"""Characters of a line that are held until its end comes."""
_UTF8_MARK = b"\xef\xbb\xbf"


def decode_stream(
    head: bytes, rest: Iterable[bytes], source: str, encoding: str | None = None
) -> Iterator[str]:
    """The text of a long input. Only UTF-8 is decoded as it comes; to recognise another encoding, and to
    be never silently wrong about it, takes all of it.

    Args:
        head: the first bytes, enough to tell UTF-8 from anything else.
        source: what a message calls the data.
    """
    if encoding is not None or not _is_utf8(head):
        yield decode(b"".join([head, *rest]), source, encoding)
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    seen = 0
    for block in chain([head.removeprefix(_UTF8_MARK)], rest):
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            raise _fault(source, seen + error.start) from None
        seen += len(block)
        if "\0" in text:
            raise DataError(f"{source}: binary data, not text")
        yield text
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _fault(source, seen) from None


def split_lines(texts: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, which are LF, CRLF or CR; together they are the input to the letter.

    A line that is longer than FRAGMENT comes in parts, of which only the last has its end.
    """
    held: list[str] = []
    size = 0
    for text in _whole_ends(texts):
        last = 0
        for end in LINE_END.finditer(text):
            yield "".join([*held, text[last : end.end()]])
            held.clear()
            size, last = 0, end.end()
        if last < len(text):
            held.append(text[last:])
            size += len(text) - last
        if size > FRAGMENT:
            yield "".join(held)
            held.clear()
            size = 0
    if held:
        yield "".join(held)


def _whole_ends(texts: Iterable[str]) -> Iterator[str]:
    """The texts, cut so that none ends between a CR and its LF."""
    waiting = ""
    for text in texts:
        whole = waiting + text
        waiting = "\r" if whole.endswith("\r") else ""
        yield whole.removesuffix("\r") if waiting else whole
    yield waiting


def _is_utf8(head: bytes) -> bool:
    if b"\0" in head or b"\x1b$" in head or head.startswith((b"%PDF-", b"\x84\x31\x95\x33")):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _fault(source: str, place: int) -> DataError:
    return DataError(
        f"{source}: not valid UTF-8 at byte {place}",
        hint="name the encoding with --encoding, for example --encoding gb18030",
    )
