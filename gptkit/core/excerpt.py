"""Short quotations from a text for messages that say where the text is wrong."""

from __future__ import annotations


def describe_unexpected(text: str, position: int) -> str:
    """Describe the character of `text` at which a parser stopped, such as `unexpected '}'`."""
    if not text[position:].strip():
        return "unexpected end"
    first = text[position]
    if first in "\t\r\n":
        return "unexpected tab" if first == "\t" else "unexpected end of the line"
    return f"unexpected '{shorten(text[position : position + 100].splitlines()[0], 30)}'"


def shorten(text: str, limit: int) -> str:
    """Join a text to one line and cut the line to `limit` characters, the last one `…`."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
