"""Read the images and PDFs that go along with a message."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from gptkit.core.chat import PDF, Attachment, Message
from gptkit.core.errors import CannotReadError, DataError, GptkitError, UsageError
from gptkit.core.hashing import sha256
from gptkit.encodings.magic import MEDIA_TYPES, binary_kind
from gptkit.session.input import DASH, display_name, open_blocks, quoted_names
from gptkit.session.options import is_url
from gptkit.settings.address import mask_password

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.templates.template import Template

SIZE_LIMIT = 50_000_000
"""Bytes of all attachments of a message (OpenAI's guides "Images and vision" and "File inputs")."""
ENCODED_AT_ONCE = 3 << 16
"""Bytes; a multiple of three, so that the pieces of base64 can be joined."""
PATCH, PATCH_TOKENS, MOST_PATCHES = 32, 1.2, 10_000
"""Pixels of the side of a square that a model sees as one patch, tokens of a patch, and the most patches of
an image (OpenAI's guide "Images and vision"). Older models scale large images down, which then take less."""
UNKNOWN_IMAGE_TOKENS = 1536
"""Tokens of an image whose width and height are not known."""
PAGE_TOKENS, PAGE_BYTES = 2000, 100_000
"""Tokens of a page of a PDF, which a model gets as text and as an image (OpenAI's guide "File inputs"), and
bytes of a page where the pages cannot be counted, since they are compressed. Both are rough."""


def check_attachments(sources: Sequence[str], template: Template) -> None:
    """Raise UsageError for attachments that a prompt does not take, and for URLs that cannot be attached."""
    if sources and not template.attachments:
        hint = "a prompt file takes them with 'attachments: [image, pdf]'"
        raise UsageError(f"'{template.name}' takes no attachments", hint=hint)
    for url in filter(is_url, sources):
        try:
            parts = urlsplit(url)
        except ValueError:
            raise UsageError(f"'{mask_password(url)}': not an address") from None
        if "@" in parts.netloc:
            raise UsageError(f"'{parts.hostname}': an address with a user or a password is not attached")
        if parts.scheme != "https" or not parts.hostname:
            raise UsageError(f"'{url}': only https addresses can be attached")
        if parts.path.lower().endswith(".pdf"):
            raise UsageError(f"'{url}': the API takes a PDF as a file only", hint="download the file first")


def read_attachments(
    sources: Iterable[str], template: Template, terminal: Terminal
) -> tuple[Attachment, ...]:
    """Read attachments. Raises UsageError for a kind that the prompt does not take, DataError for other types
    and above SIZE_LIMIT, and what `-f` raises for files."""
    attachments: list[Attachment] = []
    for source in sources:
        one = _read(source, SIZE_LIMIT - sum(each.size for each in attachments), terminal)
        if (kind := "pdf" if one.type == PDF else "image") not in template.attachments:
            noun = {"pdf": "images", "image": "PDF"}[kind]
            raise UsageError(f"{quoted_names([source])}: '{template.name}' takes {noun} only")
        attachments.append(one)
    return tuple(attachments)


def reload_attachments(
    messages: Sequence[Message], terminal: Terminal, warn: Callable[[str], None]
) -> tuple[Message, ...]:
    """Read the attachments of earlier messages again.

    Those that have changed or are gone are left out, which the user and the model are told.
    """
    return tuple(_reload(message, terminal, warn) if message.attachments else message for message in messages)


def _reload(message: Message, terminal: Terminal, warn: Callable[[str], None]) -> Message:
    loaded, content = [], message.content
    for one in message.attachments:
        try:
            loaded.append(_read_again(one, terminal))
        except GptkitError as error:
            warn(f"an earlier attachment is not sent: {error.message}")
            content += f"\n\n[{one.name} is not attached any more]"
    return message._replace(content=content, attachments=tuple(loaded))


def _read_again(one: Attachment, terminal: Terminal) -> Attachment:
    if one.source == DASH:
        raise CannotReadError("standard input cannot be read again")
    again = _read(one.source, SIZE_LIMIT, terminal)
    if again.sha256 != one.sha256:
        raise CannotReadError(f"'{one.source}': it has changed")
    return again


def _read(source: str, size_limit: int, terminal: Terminal) -> Attachment:
    if is_url(source):
        name = urlsplit(source).path.rpartition("/")[2] or source
        return Attachment(name, source, "", 0, "", UNKNOWN_IMAGE_TOKENS, source)
    name, read = quoted_names([source]), 0
    blocks = []
    for block in terminal.read_blocks()[0] if source == DASH else open_blocks(source, name)[0]:
        blocks.append(block)
        read += len(block)
        if read > size_limit:
            raise DataError(f"{name}: the attachments have more than {SIZE_LIMIT // 1_000_000} MB")
    data = b"".join(blocks)
    del blocks
    kind = binary_kind(data)
    if kind not in MEDIA_TYPES:
        what = f"looks like {kind}" if kind else "neither an image nor a PDF"
        raise DataError(f"{name}: {what}", hint="PNG, JPEG, WEBP, GIF and PDF are attached; -f reads texts")
    if data.startswith(b"GIF") and b"NETSCAPE2.0" in data:
        raise DataError(f"{name}: an animated GIF, which the API does not take")
    return Attachment(
        name=display_name(source).rpartition("/")[2],
        source=source if source == DASH else str(Path(source).absolute()),
        type=MEDIA_TYPES[kind],
        size=len(data),
        sha256=sha256(data).hexdigest(),
        tokens=_tokens(data, MEDIA_TYPES[kind]),
        url=_data_url(data, MEDIA_TYPES[kind]),
    )


def _data_url(data: bytes, media_type: str) -> str:
    view = memoryview(data)
    pieces = (view[start : start + ENCODED_AT_ONCE] for start in range(0, len(view), ENCODED_AT_ONCE))
    encoded = (b2a_base64(piece, newline=False).decode() for piece in pieces)
    return "".join([f"data:{media_type};base64,", *encoded])


def _tokens(data: bytes, media_type: str) -> int:
    """Estimate the tokens of an attachment."""
    if media_type == PDF:
        pages = sum(1 for _ in re.finditer(rb"/Type\s*/Page\b", data)) or ceil(len(data) / PAGE_BYTES)
        return pages * PAGE_TOKENS
    width, height = _image_size(data)
    if not width or not height:
        return UNKNOWN_IMAGE_TOKENS
    return ceil(min(ceil(width / PATCH) * ceil(height / PATCH), MOST_PATCHES) * PATCH_TOKENS)


def _image_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels, 0 where they are not found."""

    def number(start: int, end: int, order: Literal["big", "little"] = "little") -> int:
        return int.from_bytes(data[start:end], order)

    if data.startswith(b"\x89PNG"):
        return number(16, 20, "big"), number(20, 24, "big")
    if data.startswith(b"GIF"):
        return number(6, 8), number(8, 10)
    match data[12:16]:
        case b"VP8 ":
            return number(26, 28) & 0x3FFF, number(28, 30) & 0x3FFF
        case b"VP8L":
            return (number(21, 25) & 0x3FFF) + 1, (number(21, 25) >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return number(24, 27) + 1, number(27, 30) + 1
    place = 2  # of JPEG: segments up to the one that begins a frame
    while data[place : place + 1] == b"\xff" and place + 9 <= len(data):
        if data[place + 1] in JPEG_FRAMES:
            return number(place + 7, place + 9, "big"), number(place + 5, place + 7, "big")
        place += 2 + number(place + 2, place + 4, "big")
    return 0, 0


JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segments of a JPEG that hold width and height."""
