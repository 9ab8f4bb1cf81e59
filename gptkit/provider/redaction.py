"""Server text without what belongs to the user alone: keys, passwords, secret headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptkit.provider.exchange import Exchange


def redacted(text: str, exchange: Exchange) -> str:
    for secret in _secrets(exchange):
        text = text.replace(secret, "***")
    return text


def _secrets(exchange: Exchange) -> Iterator[str]:
    from base64 import b64encode
    from urllib.parse import quote

    values = [exchange.endpoint.key or "", exchange.place.login.partition(":")[2]]
    secret = re.compile("auth|key|token|cookie", re.IGNORECASE)
    values += [value for name, value in exchange.endpoint.headers.items() if secret.search(name)]
    for value in values:
        for plain in {value.strip(), value.strip().removeprefix("Bearer ")}:
            if len(plain) >= 4:
                yield from (plain, quote(plain, safe=""), b64encode(plain.encode()).decode().rstrip("="))
