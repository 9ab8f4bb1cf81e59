"""Rows of text: aligned columns to read on a terminal, tabs to cut in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from time import localtime, strftime

from gptkit.core.sanitize import one_line

CELL_CAP = 300
PADDED_CAP = 40
"""A wider cell pushes its own row to the right, not all the others."""


def format_table(rows: Sequence[Sequence[str]], aligned: bool) -> str:
    """One line a row; whatever a cell holds, it stays on its line."""
    cells = [[one_line(cell, CELL_CAP) for cell in row] for row in rows]
    if not aligned:
        return "\n".join("\t".join(row) for row in cells)
    widths = [min(PADDED_CAP, max(map(text_width, column))) for column in zip(*cells, strict=True)]
    return "\n".join(_aligned(row, widths) for row in cells)


def text_width(text: str) -> int:
    """Columns on a terminal: Chinese, Japanese and Korean characters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - text_width(cell)) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(padded).rstrip()


def format_time(moment: float) -> str:
    """Unix seconds as a time of the user's day."""
    return strftime("%Y-%m-%d %H:%M", localtime(moment))
