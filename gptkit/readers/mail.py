"""Messages of e-mail files and mailboxes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

from gptkit.core.errors import DataError, GptkitError
from gptkit.readers import Block, DocumentData, DocumentPlace
from gptkit.readers.text import paragraphs
from gptkit.readers.web import read_html

BEGIN = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\n]*\n")
"""The line before each message of a mailbox."""
SHOWN = ("From", "To", "Cc", "Date", "Subject")
DEEPEST = 20


def read_mail(source: DocumentData) -> Iterator[Block]:
    return _message(source, source.data, 1)


def read_mailbox(source: DocumentData) -> Iterator[Block]:
    starts = [match.span() for match in BEGIN.finditer(source.data)]
    if not starts:
        raise DataError(f"{source.name}: it is no mailbox: no line begins with 'From '")
    ends = [start for start, _ in starts[1:]] + [len(source.data)]
    for number, ((_, start), end) in enumerate(zip(starts, ends, strict=True), 1):
        yield from _message(source, source.data[start:end], number)


def _message(source: DocumentData, data: bytes, number: int) -> Iterator[Block]:
    """The headers of a message, then its texts; lines are counted from the first header on."""
    message = message_from_bytes(data)
    subject = _header(message, "Subject")
    text = "\n\n".join(_texts(message, source, 0))
    for first, lines in paragraphs(text):
        place = DocumentPlace("message", first, first + len(lines) - 1, str(number))
        yield Block("\n".join(lines), place, (subject,) if subject else ())


def _texts(part: Message, source: DocumentData, depth: int) -> Iterator[str]:
    """The headers and texts of a message, of what it forwards, and of its attachments that are text."""
    if depth == 0 or part.get_content_type() == "message/rfc822":
        headers = part if depth == 0 else part.get_payload(0)
        if isinstance(headers, Message):
            yield "\n".join(f"{name}: {_header(headers, name)}" for name in SHOWN if headers[name])
    if part.is_multipart():
        parts = [one for one in part.get_payload() if isinstance(one, Message)]
        if part.get_content_type() == "multipart/alternative":
            parts = [one for one in parts if one.get_content_type() == "text/plain"][:1] or parts[-1:]
        for one in parts if depth < DEEPEST else ():
            yield from _texts(one, source, depth + 1)
    elif part.get_content_maintype() == "text":
        yield _text(part, source)


def _header(message: Message, name: str) -> str:
    """A header on one line, decoded; as it is where that fails."""
    value = message[name] or ""
    try:
        text = str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        text = str(value)
    return " ".join(text.split())


def _text(part: Message, source: DocumentData) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    text = _decoded(data, part.get_content_charset(), source)
    if part.get_content_subtype() != "html":
        return text
    page = source._replace(data=text.replace("\0", "").encode("utf-8", "replace"), encoding="utf-8")
    return "\n\n".join(block.text for block in read_html(page))


def _decoded(data: bytes, charset: str | None, source: DocumentData) -> str:
    """As the message says, else as is likely; what is neither shows that letters are missing."""
    for encoding in dict.fromkeys((source.encoding or charset, None)):
        try:
            return source.decode(data, source.name, encoding)
        except GptkitError:  # wrong, or unknown
            continue
    return data.decode("utf-8", "replace")
