"""Turns units of Markdown into rows for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from gptkit.output.blocks import DEEPEST, Block, CodeLines, FenceClosed, FenceOpened, Node, Unit
from gptkit.output.highlight import Highlighter
from gptkit.output.inline import inline, style
from gptkit.output.tables import table
from gptkit.output.wrapping import fold, wrap
from gptkit.sanitize import visible

if TYPE_CHECKING:
    from rich.text import Text

_NARROWEST = 8
"""Cells that nested content keeps, even if that makes a row wider than the terminal."""


class Rows:
    """Renders units in their order; remembers what the next one needs to know of those before it."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour
        self._highlighter = Highlighter("", colour)
        self._begun = False

    def settled(self, units: Iterable[Unit], width: int) -> list[Text]:
        """Rows no wider than the width, but for lines of code: the terminal folds those, so that
        a copy of them has no line breaks that are not in the code."""
        rows: list[Text] = []
        for unit in units:
            if isinstance(unit, CodeLines):
                rows += self._highlighter.lines(unit.lines)
                continue
            rows += self._rows(unit, width)
            if isinstance(unit, FenceOpened):
                self._highlighter = Highlighter(unit.language, self._colour)
            self._begun = True
        return rows

    def open(self, units: Iterable[Unit], width: int, height: int) -> list[Text]:
        """At most the last `height` rows of what is not settled, none wider than the width."""
        begun, highlighter = self._begun, self._highlighter
        rows: list[Text] = []
        for unit in units:
            if isinstance(unit, CodeLines):
                lines = [line[-width * height :] for line in unit.lines[-height:]]
                for line in highlighter.lines(lines, keep=False):
                    rows += fold(line, width)
                continue
            rows += self._rows(unit, width)
            if isinstance(unit, FenceOpened):
                highlighter = Highlighter(unit.language, self._colour)
            self._begun = True
        self._begun = begun
        return rows[-height:]

    def _rows(self, unit: Block | FenceOpened | FenceClosed, width: int) -> list[Text]:
        from rich.text import Text

        gap = [Text()] if not isinstance(unit, FenceClosed) and unit.gap and self._begun else []
        if not isinstance(unit, Block):
            return [*gap, *fold(Text(unit.line, style("faint")), width)]
        if _depth(unit.node) >= DEEPEST - 2:
            return [*gap, *_source(unit, width)]
        return gap + _Layout(unit.lines, self._colour).rows(unit.node, width)


class _Layout:
    """The blocks of one unit."""

    def __init__(self, lines: Sequence[str], colour: bool) -> None:
        self._lines = lines
        self._colour = colour

    def rows(self, node: Node, width: int) -> list[Text]:
        layouts: Mapping[str, Callable[[Node, int], list[Text]]] = {
            "paragraph_open": self._paragraph,
            "heading_open": self._heading,
            "list_item_open": self._item,
            "blockquote_open": self._quote,
            "table_open": table,
            "hr": self._rule,
            "fence": self._fence,
            "code_block": self._code,
        }
        layout = layouts.get(node.token.type, self._children)
        return layout(node, max(width, _NARROWEST))

    def _children(self, node: Node, width: int) -> list[Text]:
        """Blank lines between blocks where the model wrote some."""
        from rich.text import Text

        rows: list[Text] = []
        for child in node.children:
            if rows and not self._lines[child.start - 1].strip(" \t>"):
                rows.append(Text())
            rows += self.rows(child, width)
        return rows

    def _paragraph(self, node: Node, width: int) -> list[Text]:
        return wrap(inline(_inline_source(node)), width)

    def _heading(self, node: Node, width: int) -> list[Text]:
        text = inline(_inline_source(node))
        text.stylize(style("title" if node.token.tag == "h1" else "heading"))
        return wrap(text, width)

    def _item(self, node: Node, width: int) -> list[Text]:
        from rich.text import Text

        number, mark = node.token.info, node.token.markup
        marker = f"{number}{mark} " if number else "• "
        rows = self._children(node, width - len(marker)) or [Text()]
        first, rest = Text(marker, style("marker")), Text(" " * len(marker))
        return [_joined(rest if index else first, row) for index, row in enumerate(rows)]

    def _quote(self, node: Node, width: int) -> list[Text]:
        from rich.text import Text

        rows = self._children(node, width - 2) or [Text()]
        return [_joined(Text("│ ", style("faint")), row) for row in rows]

    def _rule(self, _: Node, width: int) -> list[Text]:
        from rich.text import Text

        return [Text("─" * width, style("faint"))]

    def _fence(self, node: Node, width: int) -> list[Text]:
        from rich.text import Text

        info, mark = visible(node.token.info.strip()), node.token.markup
        lines = Highlighter(info.split(" ")[0], self._colour).lines(node.token.content.split("\n")[:-1])
        lines = [Text(mark + info, style("faint")), *lines, Text(mark, style("faint"))]
        return [row for line in lines for row in fold(line, width)]

    def _code(self, node: Node, width: int) -> list[Text]:
        from rich.text import Text

        indent = Text(" " * 4)
        lines = node.token.content.removesuffix("\n").split("\n")
        return [_joined(indent, row) for line in lines for row in fold(Text(line), width - 4)]


def _inline_source(node: Node) -> str:
    return "\n".join(child.token.content for child in node.children)


def _joined(prefix: Text, row: Text) -> Text:
    joined = prefix.copy()
    joined.append_text(row)
    joined.rstrip()
    return joined


def _depth(node: Node) -> int:
    return max([node.token.level, *map(_depth, node.children)])


def _source(unit: Block, width: int) -> list[Text]:
    """The lines of a block as the model wrote them."""
    from rich.text import Text

    lines = unit.lines[unit.node.start : unit.node.end]
    return [row for line in lines for row in fold(Text(line), width)]
