"""Decode a long input block by block, and split it into lines that keep their line ends."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from gptkit.core.errors import DataError
from gptkit.encodings.decode import decode

LINE_END = re.compile(r"\r\n|\n|\r")
LINE_CAP = 1 << 18
"""Characters of a line that are kept in memory; a longer line is split."""
_UTF8_MARK = b"\xef\xbb\xbf"


def decode_stream(
    head: bytes, rest: Iterable[bytes], source: str, encoding: str | None = None
) -> Iterator[str]:
    """Decode a long input; raises as `decode` does.

    UTF-8 is decoded block by block. Any other encoding is decoded only after all of the input is read,
    since it takes all of it to be certain.

    Args:
        head: the first bytes, enough to tell UTF-8 from anything else.
        source: what a message calls the input.
    """
    if encoding is not None or not _is_utf8(head):
        yield decode(b"".join([head, *rest]), source, encoding)
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    for block in chain([head.removeprefix(_UTF8_MARK)], rest):
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            raise _utf8_error(source, position + error.start) from None
        position += len(block)
        if "\0" in text:
            raise DataError(f"{source}: binary data, not text")
        yield text
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _utf8_error(source, position) from None


def split_lines(texts: Iterable[str]) -> Iterator[str]:
    """Split texts into lines with their ends (LF, CRLF or CR); the lines joined equal the texts joined.

    A line of more than LINE_CAP characters is yielded in parts, of which only the last has a line end.
    """
    parts: list[str] = []
    size = 0
    for text in _keep_line_ends(texts):
        start = 0
        for end in LINE_END.finditer(text):
            yield "".join([*parts, text[start : end.end()]])
            parts.clear()
            size, start = 0, end.end()
        if start < len(text):
            parts.append(text[start:])
            size += len(text) - start
        if size > LINE_CAP:
            yield "".join(parts)
            parts.clear()
            size = 0
    if parts:
        yield "".join(parts)


def _keep_line_ends(texts: Iterable[str]) -> Iterator[str]:
    """The same texts, divided so that none ends between a CR and its LF."""
    carriage_return = ""
    for text in texts:
        whole = carriage_return + text
        carriage_return = "\r" if whole.endswith("\r") else ""
        yield whole.removesuffix("\r") if carriage_return else whole
    yield carriage_return


def _is_utf8(head: bytes) -> bool:
    if b"\0" in head or b"\x1b$" in head or head.startswith((b"%PDF-", b"\x84\x31\x95\x33")):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _utf8_error(source: str, position: int) -> DataError:
    return DataError(
        f"{source}: not valid UTF-8 at byte {position}",
        hint="name the encoding with --encoding, for example --encoding gb18030",
    )
