"""Tables of Markdown as rows of text, folded or turned into records where they are too wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from gptkit.output.blocks import Node
from gptkit.output.inline import FAINT, inline, styled
from gptkit.output.wrapping import wrap

if TYPE_CHECKING:
    from rich.align import AlignMethod
    from rich.text import Text

_GAP = "  "
_SIDES: Mapping[object, AlignMethod] = {"text-align:right": "right", "text-align:center": "center"}
_NARROWEST = 6
"""Cells below which a column is not folded; the table is then shown as records."""


def table(node: Node, width: int) -> list[Text]:
    """The rows of a table, none wider than the width."""
    rows = [row.children for part in node.children for row in part.children]
    cells = [[_cell(cell) for cell in row] for row in rows]
    for name in cells[0]:
        name.stylize("bold")
    natural = [max(_cell_width(row[number]) for row in cells) for number in range(len(cells[0]))]
    widths = _fitting(natural, width - len(_GAP) * (len(natural) - 1))
    if widths is None:
        return _records(cells, width)
    return _grid(cells, widths, [_SIDES.get(cell.token.attrs.get("style"), "left") for cell in rows[0]])


def _cell(node: Node) -> Text:
    return inline("".join(child.token.content for child in node.children), breaks=True)


def _cell_width(cell: Text) -> int:
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


def _grid(cells: Sequence[Sequence[Text]], widths: Sequence[int], sides: Sequence[AlignMethod]) -> list[Text]:
    folded = [[wrap(cell, width) for cell, width in zip(row, widths, strict=False)] for row in cells]
    rule = styled("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)), FAINT)
    ruled = any(len(cell) > 1 for row in folded[1:] for cell in row)
    shown: list[Text] = []
    for number, row in enumerate(folded):
        if number == 1 or (ruled and number):
            shown.append(rule)
        for parts in zip_longest(*row):
            line = styled()
            for part, width, side in zip(parts, widths, sides, strict=True):
                aligned = part or styled()
                aligned.align(side, width)
                line.append_text(aligned).append(_GAP)
            line.rstrip()
            shown.append(line)
    return shown


def _records(cells: Sequence[Sequence[Text]], width: int) -> list[Text]:
    shown: list[Text] = []
    for row in cells[1:] or cells:
        if shown:
            shown.append(styled("─" * width, FAINT))
        for name, cell in zip(cells[0], row, strict=True):
            if not cells[1:]:
                shown += wrap(name, width)
            elif cell:
                shown += wrap(styled(": ").join([name, cell]), width)
    return shown
