"""Tables of Markdown as rows of text, folded or turned into records where they are too wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gptkit.output.blocks import Node
from gptkit.output.inline import inline, style
from gptkit.output.wrapping import wrap

if TYPE_CHECKING:
    from rich.text import Text

_GAP = "  "
_NARROWEST = 6
"""Cells below which a column is not folded; the table is then shown as records."""


def table(node: Node, width: int) -> list[Text]:
    """The rows of a table, none wider than the width."""
    rows = [row.children for part in node.children for row in part.children]
    cells = [[_cell(cell) for cell in row] for row in rows]
    natural = [max(_width(row[number]) for row in cells) for number in range(len(cells[0]))]
    widths = _fitting(natural, width - len(_GAP) * (len(natural) - 1))
    if widths is None:
        return _records(cells, width)
    sides = [str(cell.token.attrs.get("style", "")).removeprefix("text-align:") for cell in rows[0]]
    return _grid(cells, widths, sides)


def _cell(node: Node) -> Text:
    return inline("".join(child.token.content for child in node.children), breaks=True)


def _width(cell: Text) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in cell.plain.split("\n")), default=0)


def _fitting(natural: Sequence[int], room: int) -> list[int] | None:
    """The widest columns cut to one width such that all fit; None if that would be too narrow."""
    if sum(natural) <= room:
        return list(natural)
    for limit in range(max(natural) - 1, _NARROWEST - 1, -1):
        widths = [min(each, limit) for each in natural]
        if sum(widths) <= room:
            return widths
    return None


def _grid(cells: Sequence[Sequence[Text]], widths: Sequence[int], sides: Sequence[str]) -> list[Text]:
    from rich.text import Text

    folded = [[wrap(cell, width) for cell, width in zip(row, widths, strict=False)] for row in cells]
    rule = Text("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)), style("faint"))
    ruled = any(len(cell) > 1 for row in folded[1:] for cell in row)
    shown: list[Text] = []
    for number, row in enumerate(folded):
        if number == 1 or (ruled and number):
            shown.append(rule)
        for line in range(max(map(len, row))):
            parts = [
                _aligned(cell[line] if line < len(cell) else Text(), width, side)
                for cell, width, side in zip(row, widths, sides, strict=True)
            ]
            joined = Text(_GAP).join(parts)
            if not number:
                joined.stylize(style("bold"))
            joined.rstrip()
            shown.append(joined)
    return shown


def _aligned(text: Text, width: int, side: str) -> Text:
    from rich.cells import cell_len

    room = max(0, width - cell_len(text.plain))
    left = {"right": room, "center": room // 2}.get(side, 0)
    aligned = text.copy()
    aligned.pad_left(left)
    aligned.pad_right(room - left)
    return aligned


def _records(cells: Sequence[Sequence[Text]], width: int) -> list[Text]:
    from rich.text import Text

    shown: list[Text] = []
    for row in cells[1:] or cells:
        if shown:
            shown.append(Text("─" * width, style("faint")))
        for name, cell in zip(cells[0], row, strict=True):
            if not cell and cells[1:]:
                continue
            head = name.copy()
            head.stylize(style("bold"))
            shown += wrap(Text(": ").join([head, cell]) if cells[1:] else head, width)
    return shown
