"""Turns units of Markdown into rows for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

from gptkit.core.sanitize import visible
from gptkit.output.markdown_blocks import DEEPEST, Block, CodeLines, FenceClosed, FenceOpened, Node, Unit
from gptkit.output.markdown_inline import FAINT, Highlighter, fold, inline, styled, table, wrap

if TYPE_CHECKING:
    from rich.text import Text

_NARROWEST = 8
"""Cells that nested content keeps, even if that makes a row wider than the terminal."""
_MARKER = "yellow"
_TITLE, _HEADING = "bold underline magenta", "bold magenta"


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
        look = copy(self)
        look._highlighter = copy(self._highlighter)
        rows: list[Text] = []
        for unit in units:
            if isinstance(unit, CodeLines):
                ends = [line[-width * height :] for line in unit.lines[-height:]]
                rows += _folded(look.settled([CodeLines(ends)], width), width)
            else:
                rows += look.settled([unit], width)
        return rows[-height:]

    def _rows(self, unit: Block | FenceOpened | FenceClosed, width: int) -> list[Text]:
        gap = [styled()] if not isinstance(unit, FenceClosed) and unit.gap and self._begun else []
        if not isinstance(unit, Block):
            return gap + fold(styled(unit.line, FAINT), width)
        if _depth(unit.node) >= DEEPEST - 2:  # as the model wrote it
            return gap + _folded(map(styled, unit.lines[unit.node.start : unit.node.end]), width)
        return gap + _Layout(unit.lines, self._colour).rows(unit.node, width)


class _Layout:
    """The blocks of one unit."""

    def __init__(self, lines: Sequence[str], colour: bool) -> None:
        self._lines = lines
        self._colour = colour

    def rows(self, node: Node, width: int) -> list[Text]:
        layouts: Mapping[str, Callable[[Node, int], list[Text]]] = {
            "paragraph_open": _text,
            "heading_open": _text,
            "list_item_open": self._item,
            "blockquote_open": self._quote,
            "table_open": table,
            "hr": lambda _, width: [styled("─" * width, FAINT)],
            "fence": self._fence,
            "code_block": _code,
        }
        layout = layouts.get(node.token.type, self._children)
        return layout(node, max(width, _NARROWEST))

    def _children(self, node: Node, width: int) -> list[Text]:
        """Blank lines between blocks where the model wrote some."""
        rows: list[Text] = []
        for child in node.children:
            if rows and not self._lines[child.start - 1].strip(" \t>"):
                rows.append(styled())
            rows += self.rows(child, width)
        return rows or [styled()]

    def _item(self, node: Node, width: int) -> list[Text]:
        number, mark = node.token.info, node.token.markup
        marker = f"{number}{mark} " if number else "• "
        first, *rest = self._children(node, width - len(marker))
        return [_joined(styled(marker, _MARKER), first), *_indented(rest, styled(" " * len(marker)))]

    def _quote(self, node: Node, width: int) -> list[Text]:
        return _indented(self._children(node, width - 2), styled("│ ", FAINT))

    def _fence(self, node: Node, width: int) -> list[Text]:
        info, mark = visible(node.token.info.strip()), node.token.markup
        lines = Highlighter(info.split(" ")[0], self._colour).lines(node.token.content.split("\n")[:-1])
        return _folded([styled(mark + info, FAINT), *lines, styled(mark, FAINT)], width)


def _text(node: Node, width: int) -> list[Text]:
    text = inline("\n".join(child.token.content for child in node.children))
    if node.token.type == "heading_open":
        text.stylize(_TITLE if node.token.tag == "h1" else _HEADING)
    return wrap(text, width)


def _code(node: Node, width: int) -> list[Text]:
    lines = node.token.content.removesuffix("\n").split("\n")
    return _indented(_folded(map(styled, lines), width - 4), styled(" " * 4))


def _folded(lines: Iterable[Text], width: int) -> list[Text]:
    return [row for line in lines for row in fold(line, width)]


def _indented(rows: Iterable[Text], prefix: Text) -> list[Text]:
    return [_joined(prefix, row) for row in rows]


def _joined(prefix: Text, row: Text) -> Text:
    joined = prefix.copy().append_text(row)
    joined.rstrip()
    return joined


def _depth(node: Node) -> int:
    return max([node.token.level, *map(_depth, node.children)])
