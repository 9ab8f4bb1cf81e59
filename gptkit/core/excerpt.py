"""Pieces of a text for a message that says where something is wrong with it."""

from __future__ import annotations


def describe_unexpected(text: str, position: int) -> str:
    """What stands at the place of a text at which a parser gave up."""
    if not text[position:].strip():
        return "unexpected end"
    first = text[position]
    if first in "\t\r\n":
        return "unexpected tab" if first == "\t" else "unexpected end of the line"
    return f"unexpected '{shorten(text[position : position + 100].splitlines()[0], 30)}'"


def shorten(text: str, limit: int) -> str:
    """On one line, of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
