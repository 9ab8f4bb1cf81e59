"""Rows of cells as text: aligned columns for a terminal, tab-separated for a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from time import localtime, strftime

from gptkit.core.sanitize import one_line

CELL_CAP = 300
"""Characters of a cell; longer ones are cut."""
PADDED_CAP = 40
"""Columns of the widest cell that the cells below are aligned with; a wider cell shifts only its own row."""
NARROWEST = 12
"""Columns that are left to the last cell of a row on the narrowest terminal."""


def format_table(rows: Sequence[Sequence[str]], aligned: bool, columns: int | None = None) -> str:
    """Format each row as one line; line breaks within a cell become spaces.

    The last cells of an aligned table are shortened where the table would take more than `columns`.
    """
    cells = [[one_line(cell, CELL_CAP) for cell in row] for row in rows]
    if not aligned:
        return "\n".join("\t".join(row) for row in cells)
    widths = [min(PADDED_CAP, max(map(text_width, column))) for column in zip(*cells, strict=True)]
    if columns is not None:
        room = [columns - text_width(_align_row([*row[:-1], "x"], widths)) + 1 for row in cells]
        cells = [
            [*row[:-1], fit_line(row[-1], max(n, NARROWEST))] for row, n in zip(cells, room, strict=True)
        ]
    return "\n".join(_align_row(row, widths) for row in cells)


def text_width(text: str) -> int:
    """The columns that a text takes on a terminal: two for a Chinese, Japanese or Korean character."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def fit_line(text: str, width: int) -> str:
    """Shorten foreign text to one line of at most `width` columns."""
    line = one_line(text, max(width, 2))
    while line and text_width(line) > width:
        line = line.removesuffix("…")[:-1].rstrip() + "…" if len(line) > 1 else ""
    return line


def _align_row(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - text_width(cell)) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(padded).rstrip()


def wrap_words(line: str, width: int, indent: str = "") -> str:
    """Break a line between words into parts of fewer columns than `width`; a longer word stays whole.

    All parts but the first begin with `indent`.
    """
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}"
        if lines[-1] and text_width(longer) >= width:
            lines.append(indent + word)
        else:
            lines[-1] = longer if lines[-1] else word
    return "\n".join(lines)


def format_time(seconds: float) -> str:
    """Format Unix seconds as date and time in the user's time zone."""
    return strftime("%Y-%m-%d %H:%M", localtime(seconds))
