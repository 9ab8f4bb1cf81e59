"""Remove secrets from messages, also where a server repeats them escaped or encoded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SHORTEST_SECRET = 8
"""Characters of the shortest secret: removing shorter ones would remove ordinary words."""
_SHORTEST_PART = 8
"""Characters of the shortest part of a secret that is replaced; a part also has a third of the secret."""
STARS = "***"
_SECRET_HEADER = re.compile("auth|key|token|cookie", re.IGNORECASE)


def is_secret(header: str) -> bool:
    """Whether a header's name says that its value is secret."""
    return _SECRET_HEADER.search(header) is not None


class Redactor:
    """Replaces secrets in texts; secrets of fewer than `shortest` characters are not replaced."""

    def __init__(self, shortest: int = SHORTEST_SECRET) -> None:
        self._shortest = shortest
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        """Remember secrets; `Bearer ` before one is not part of it."""
        bare = (secret.strip().removeprefix("Bearer ").strip() for secret in secrets)
        self._secrets.update(secret for secret in bare if len(secret) >= self._shortest)

    def redact(self, text: str) -> str:
        """Replace the secrets in a text by `***`."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = re.sub("|".join(_spellings(secret)), STARS, text)
            text = _redact_cut_secret(text, secret, self._shortest)
            text = _redact_part(text, secret)
        return text


def _spellings(secret: str) -> Iterator[str]:
    """Patterns of a secret: plain, with any character escaped as in URLs, JSON or HTML, and in base64."""
    yield "".join(
        rf"(?:{re.escape(char)}|%(?i:{ord(char):02x})|\\u00(?i:{ord(char):02x})|\\{re.escape(char)}"
        rf"|&#0*{ord(char)};|&#[xX]0*(?i:{ord(char):x});)"
        for char in secret
    )
    for before in range(3):
        yield _base64_pattern(secret.encode(), before)


def _base64_pattern(secret: bytes, before: int) -> str:
    """A pattern of a secret in base64, after `before` other bytes (0 to 2, since three make whole digits).

    The pattern holds the digits that depend on the secret alone, and also its last digit, if nothing after
    the secret has changed that digit.
    """
    from base64 import b64encode

    digits = b64encode(bytes(before) + secret).decode().rstrip("=")
    first = -(-before * 8 // 6)
    last = (before + len(secret)) * 8 // 6
    signs = {"+": r"(?:[+-]|%2[bB])", "/": "(?:[/_]|%2[fF])"}
    own_digits, last_digit = (
        "".join(signs.get(digit, digit) for digit in part) for part in (digits[first:last], digits[last:])
    )
    return f"{own_digits}(?:{last_digit}(?![A-Za-z0-9+/_-]))?" if last_digit else own_digits


def _redact_cut_secret(text: str, secret: str, shortest: int) -> str:
    """Replace the first half of a secret before the `…` of a message that was cut within the secret."""
    if "…" not in text:
        return text
    parts = text.split("…")
    for index, part in enumerate(parts[:-1]):
        for length in range(min(len(part), len(secret) - 1), shortest - 1, -1):
            if part.endswith(secret[:length]):
                parts[index] = part[:-length] + STARS
                break
    return "…".join(parts)


def _redact_part(text: str, secret: str) -> str:
    """Replace each long part of a secret, as in a message that shows most of a key and masks the rest."""
    least = max(_SHORTEST_PART, -(-len(secret) // 3))
    for start in range(len(secret) - least + 1):
        part = secret[start : start + least]
        while (position := text.find(part)) >= 0:
            end = least
            while (
                start + end < len(secret) and text[position + end : position + end + 1] == secret[start + end]
            ):
                end += 1
            text = text[:position] + STARS + text[position + end :]
    return text
