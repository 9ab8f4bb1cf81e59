"""Renders units of Markdown as rows for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

from gptkit.core.sanitize import visible
from gptkit.output.markdown_blocks import (
    NESTING_LIMIT,
    CodeLines,
    FenceClosed,
    FenceOpened,
    MarkdownBlock,
    MarkdownNode,
    Unit,
)
from gptkit.output.markdown_inline import (
    FAINT,
    CodeHighlighter,
    fold,
    render_inline,
    render_table,
    styled_text,
    wrap,
)

if TYPE_CHECKING:
    from rich.text import Text

_NARROWEST = 8
"""Cells that nested content gets at least, even if a row becomes wider than the terminal."""
_MARKER = "yellow"
_TITLE, _HEADING = "bold underline magenta", "bold magenta"


class RowRenderer:
    """Renders units in their order, with the colours that earlier lines of code determine."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour
        self._highlighter = CodeHighlighter("", colour)
        self._has_begun = False

    def render(self, units: Iterable[Unit], width: int) -> list[Text]:
        """Render units as rows of at most `width` cells; lines of code may be longer.

        The terminal itself folds lines of code, so that copied code has no additional line breaks.
        """
        rows: list[Text] = []
        for unit in units:
            if isinstance(unit, CodeLines):
                rows += self._highlighter.lines(unit.lines)
                continue
            rows += self._render_unit(unit, width)
            if isinstance(unit, FenceOpened):
                self._highlighter = CodeHighlighter(unit.language, self._colour)
            self._has_begun = True
        return rows

    def render_tail(self, units: Iterable[Unit], width: int, height: int) -> list[Text]:
        """Render the last `height` rows of units that are not settled, each of at most `width` cells."""
        preview = copy(self)
        preview._highlighter = copy(self._highlighter)
        rows: list[Text] = []
        for unit in units:
            if isinstance(unit, CodeLines):
                line_ends = [line[-width * height :] for line in unit.lines[-height:]]
                rows += _fold_all(preview.render([CodeLines(line_ends)], width), width)
            else:
                rows += preview.render([unit], width)
        return rows[-height:]

    def _render_unit(self, unit: MarkdownBlock | FenceOpened | FenceClosed, width: int) -> list[Text]:
        gap = [styled_text()] if not isinstance(unit, FenceClosed) and unit.gap and self._has_begun else []
        if not isinstance(unit, MarkdownBlock):
            return gap + fold(styled_text(unit.line, FAINT), width)
        if _depth(unit.node) >= NESTING_LIMIT - 2:  # too deep for the parser: the source text
            return gap + _fold_all(map(styled_text, unit.lines[unit.node.start : unit.node.end]), width)
        return gap + _BlockRenderer(unit.lines, self._colour).render(unit.node, width)


class _BlockRenderer:
    """Renders the nested blocks of one unit."""

    def __init__(self, lines: Sequence[str], colour: bool) -> None:
        self._lines = lines
        self._colour = colour

    def render(self, node: MarkdownNode, width: int) -> list[Text]:
        renderers: Mapping[str, Callable[[MarkdownNode, int], list[Text]]] = {
            "paragraph_open": _render_text,
            "heading_open": _render_text,
            "list_item_open": self._render_item,
            "blockquote_open": self._render_quote,
            "table_open": render_table,
            "hr": lambda _, width: [styled_text("─" * width, FAINT)],
            "fence": self._render_fence,
            "code_block": _render_code,
        }
        renderer = renderers.get(node.token.type, self._render_children)
        return renderer(node, max(width, _NARROWEST))

    def _render_children(self, node: MarkdownNode, width: int) -> list[Text]:
        """Render child blocks, with blank lines where the model wrote some."""
        rows: list[Text] = []
        for child in node.children:
            if rows and not self._lines[child.start - 1].strip(" \t>"):
                rows.append(styled_text())
            rows += self.render(child, width)
        return rows or [styled_text()]

    def _render_item(self, node: MarkdownNode, width: int) -> list[Text]:
        number, mark = node.token.info, node.token.markup
        marker = f"{number}{mark} " if number else "• "
        first, *rest = self._render_children(node, width - len(marker))
        return [_join(styled_text(marker, _MARKER), first), *_indent(rest, styled_text(" " * len(marker)))]

    def _render_quote(self, node: MarkdownNode, width: int) -> list[Text]:
        return _indent(self._render_children(node, width - 2), styled_text("│ ", FAINT))

    def _render_fence(self, node: MarkdownNode, width: int) -> list[Text]:
        info, mark = visible(node.token.info.strip()), node.token.markup
        lines = CodeHighlighter(info.split(" ")[0], self._colour).lines(node.token.content.split("\n")[:-1])
        return _fold_all([styled_text(mark + info, FAINT), *lines, styled_text(mark, FAINT)], width)


def _render_text(node: MarkdownNode, width: int) -> list[Text]:
    text = render_inline("\n".join(child.token.content for child in node.children))
    if node.token.type == "heading_open":
        text.stylize(_TITLE if node.token.tag == "h1" else _HEADING)
    return wrap(text, width)


def _render_code(node: MarkdownNode, width: int) -> list[Text]:
    lines = node.token.content.removesuffix("\n").split("\n")
    return _indent(_fold_all(map(styled_text, lines), width - 4), styled_text(" " * 4))


def _fold_all(lines: Iterable[Text], width: int) -> list[Text]:
    return [row for line in lines for row in fold(line, width)]


def _indent(rows: Iterable[Text], prefix: Text) -> list[Text]:
    return [_join(prefix, row) for row in rows]


def _join(prefix: Text, row: Text) -> Text:
    whole = prefix.copy().append_text(row)
    whole.rstrip()
    return whole


def _depth(node: MarkdownNode) -> int:
    return max([node.token.level, *map(_depth, node.children)])
