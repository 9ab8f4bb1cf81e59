"""Draws sums as rows with bars, in as few columns as a terminal has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gptkit.cli.columns import text_width
from gptkit.sanitize import one_line

if TYPE_CHECKING:
    from gptkit.cli.spending import Spending, Sum

LEAST_BAR = 6
MOST_BAR = 40
LEAST_NAME = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ASCII = str.maketrans({"≈": "~", "…": ".", "█": "#"})
_NOWHERE = "-"


def is_plain(environ: Mapping[str, str]) -> bool:
    """Whether to draw in ASCII: what the terminal says that it is, or the locale."""
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "utf-8")
    return environ.get("TERM") == "dumb" or "utf" not in locale.lower()


def in_ascii(text: str) -> str:
    """Our own signs as ASCII; names stay what they are."""
    return text.translate(_ASCII)


def chart(found: Spending, by: str, width: int, plain: bool) -> Iterator[str]:
    """A head, a row for each sum, and their total. Names are cut to make room; what does not fit then is
    left out: the bars, the number of requests, the tokens, never the cost."""
    rows = [*found.rows, found.total] if len(found.rows) > 1 else found.rows
    by_cost = not found.total.unpriced and bool(found.total.cost)
    table = [(by, "requests", "in", "out", "USD"), *map(_cells, rows)]
    widths = [max(map(text_width, column)) for column in zip(*table, strict=True)]
    chosen = _chosen(widths, width)
    room = width - sum(widths[index] + 2 for index in chosen[1:])
    beside_bar = room - LEAST_BAR - 2
    widths[0] = min(widths[0], beside_bar if beside_bar >= min(widths[0], LEAST_NAME) else max(room, 1))
    bar = min(room - widths[0] - 2, MOST_BAR)
    values = [(row.cost or 0.0) if by_cost else float(row.tokens) for row in found.rows]
    drawn = ["cost" if by_cost else "tokens", *(_bar(each, max(values), bar, plain) for each in values), ""]
    for line, picture in zip(table, drawn, strict=False):
        cells = [_cut(line[0], widths[0]) if index == 0 else line[index] for index in chosen]
        text = _row(cells, [widths[index] for index in chosen])
        text = f"{text}  {picture}" if bar >= LEAST_BAR else text
        yield in_ascii(text.rstrip()) if plain else text.rstrip()


def _cells(row: Sum) -> tuple[str, str, str, str, str]:
    name = one_line(row.name, 300) or _NOWHERE
    return name, f"{row.requests:,}", f"{row.prompt_tokens:,}", f"{row.completion_tokens:,}", _cost(row)


def _cost(row: Sum) -> str:
    """≈ before what is estimated, + behind what leaves requests out."""
    if row.cost is None:
        return "?"
    figures = "<0.0001" if 0 < row.cost < 0.00005 else f"{row.cost:.4f}" if row.cost else "0"
    return f"{'≈' if row.estimated else ''}{figures}{'+' if row.unpriced else ''}"


def _chosen(widths: Sequence[int], width: int) -> tuple[int, ...]:
    """The columns that fit beside a name."""
    name = min(widths[0], LEAST_NAME)
    for chosen in ((0, 1, 2, 3, 4), (0, 2, 3, 4)):
        if name + sum(widths[index] + 2 for index in chosen[1:]) <= width:
            return chosen
    return (0, 4)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = cells
    start = first + " " * (widths[0] - text_width(first))
    return "  ".join([start, *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])


def _cut(text: str, width: int) -> str:
    if text_width(text) <= width:
        return text
    while text and text_width(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _bar(value: float, most: float, width: int, plain: bool) -> str:
    """In eighths of a column; what is not nothing can be seen."""
    if value <= 0 or most <= 0 or width < 1:
        return ""
    eighths = max(1, round(value / most * width * 8))
    if plain:
        return "#" * max(1, round(eighths / 8))
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
