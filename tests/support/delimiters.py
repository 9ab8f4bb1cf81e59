"""The lines that stand around a text in a request."""

from __future__ import annotations

import hashlib
import re


def delimited(name: str, text: str, attributes: str = "") -> str:
    digits = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"<{name} {digits}{attributes}>\n{text}\n</{name} {digits}>"


def between(asked: str) -> str:
    """The text between such lines at the end of a user message."""
    found = re.search(r"<text ([0-9a-f]{16})>\n(.*)\n</text \1>\n?\Z", asked, re.DOTALL)
    assert found, f"no <text ...> in {asked!r}"
    return found[2]
