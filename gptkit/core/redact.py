"""Takes secrets out of what is told, however the one who repeats them has written them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LEAST = 8
"""Characters of a secret at least: what is shorter would blot out ordinary words."""
STARS = "***"
_SECRET_HEADER = re.compile("auth|key|token|cookie", re.IGNORECASE)


def is_secret(header: str) -> bool:
    """Whether the value of a header of that name is nobody else's business."""
    return _SECRET_HEADER.search(header) is not None


class Redactor:
    """Secrets of at least so many characters; `redacted` is a text without them."""

    def __init__(self, least: int = LEAST) -> None:
        self._least = least
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        bare = (secret.strip().removeprefix("Bearer ").strip() for secret in secrets)
        self._secrets.update(secret for secret in bare if len(secret) >= self._least)

    def redact(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = re.sub("|".join(_spellings(secret)), STARS, text)
            text = _without_beginning(text, secret, self._least)
        return text


def _spellings(secret: str) -> Iterator[str]:
    """As patterns: plain, with any of its characters escaped as in URLs, JSON and HTML, and in base64."""
    yield "".join(
        rf"(?:{re.escape(each)}|%(?i:{ord(each):02x})|\\u00(?i:{ord(each):02x})|\\{re.escape(each)}"
        rf"|&#0*{ord(each)};|&#[xX]0*(?i:{ord(each):x});)"
        for each in secret
    )
    for before in range(3):
        yield _encoded(secret.encode(), before)


def _encoded(secret: bytes, before: int) -> str:
    """The digits of base64 that the secret alone decides, with so many bytes of something before it; and the
    last one, which something after it may have changed, where nothing has."""
    from base64 import b64encode

    digits = b64encode(bytes(before) + secret).decode().rstrip("=")
    first = -(-before * 8 // 6)
    last = (before + len(secret)) * 8 // 6
    signs = {"+": r"(?:[+-]|%2[bB])", "/": "(?:[/_]|%2[fF])"}
    own, end = (
        "".join(signs.get(digit, digit) for digit in part) for part in (digits[first:last], digits[last:])
    )
    return f"{own}(?:{end}(?![A-Za-z0-9+/_-]))?" if end else own


def _without_beginning(text: str, secret: str, least: int) -> str:
    """A message that was cut in the middle of a secret must not show its first half."""
    if "…" not in text:
        return text
    parts = text.split("…")
    for index, part in enumerate(parts[:-1]):
        for length in range(min(len(part), len(secret) - 1), least - 1, -1):
            if part.endswith(secret[:length]):
                parts[index] = part[:-length] + STARS
                break
    return "…".join(parts)
