"""Styled text from the inline part of Markdown: emphasis, code, links whose address stays visible."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate, chain, repeat, zip_longest
from typing import TYPE_CHECKING

from gptkit.core.sanitize import visible
from gptkit.output.markdown_blocks import Node

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from rich.align import AlignMethod
    from rich.syntax import Syntax
    from rich.text import Text


_LONGEST = 10_000
"""Characters of a block whose marks are read; the parser's time grows with the square."""
# Colours of the sixteen that the terminal defines, so that every theme keeps them readable.
FAINT = "dim"
_ADDRESS = "blue"
_MARKS = {
    "strong": "bold",
    "em": "italic",
    "s": "strike",
    "code": "bold cyan",
    "a": "underline blue",
}


def styled(text: str = "", style: str = "") -> Text:
    """A text to append to: what is added does not take on the style."""
    from rich.text import Text

    return Text().append(text, style)


def inline(source: str, breaks: bool = False) -> Text:
    """The inline part of one block as text. Line breaks stay as the model wrote them.

    What the parser makes of entities is sanitized here. `breaks`: `<br>` begins a new line, as in the
    cells of tables, which have no other way.
    """
    if len(source) > _LONGEST:
        return styled("\n".join(map(_shown, source.split("\n"))))
    text = styled()
    opened: list[tuple[int, str]] = []
    for token in _tokens(source):
        if token.nesting > 0:
            opened.append((len(text), _shown(str(token.attrs.get("href", "")))))
        elif token.nesting < 0:
            start, address = opened.pop()
            text.stylize_before(_MARKS[token.tag], start)  # what is within has the last word
            if token.tag == "a" and address.removeprefix("mailto:") != text.plain[start:]:
                text.append(f" ({address})", _ADDRESS)
        elif token.tag == "br":
            text.append("\n")
        elif token.tag == "code":
            text.append(_shown(token.content), _MARKS["code"])
        elif token.tag == "img":
            text.append(f"![{_shown(token.content)}]({_shown(str(token.attrs.get('src', '')))})")
        else:
            lines = re.split(r"<br\s*/?>", token.content) if breaks else [token.content]
            text.append("\n".join(map(_shown, lines)))
    return text


def _tokens(source: str) -> list[Token]:
    return [token for part in _parser().parseInline(source) for token in part.children or []]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Parser(MarkdownIt):
        def normalizeLink(self, url: str) -> str:  # noqa: N802
            return url  # shown as it was written

    return Parser("commonmark", {"html": False}).enable("strikethrough")


def _shown(text: str) -> str:
    return visible(text).replace("\n", " ").replace("\t", " ")


_CONTEXT = 100
"""Lines before a new one that are read again for its colours; more would not be linear."""
_LONGEST_CODE = 2000
"""Characters of a line that is given colours; longer ones are data, and lexers are slow on them."""


class Highlighter:
    """Gives lines of one language their colours; without one, or without colour, none."""

    def __init__(self, language: str, colour: bool) -> None:
        self._syntax = _syntax(language) if colour and language else None
        self._context: list[str] = []

    def lines(self, lines: Sequence[str]) -> list[Text]:
        if self._syntax is None:
            return [styled(line) for line in lines]
        known = [*self._context, *(line if len(line) <= _LONGEST_CODE else "" for line in lines)]
        coloured = self._syntax.highlight("\n".join(known)).split("\n", allow_blank=True)
        parts = chain(coloured[len(self._context) :], repeat(styled()))  # a lexer may lose lines
        self._context = _recent(known)
        return [
            part if part.plain == line else styled(line) for part, line in zip(parts, lines, strict=False)
        ]


def _recent(lines: list[str]) -> list[str]:
    """Enough lines to know the state of the lexer: all, or those from a new beginning on.

    After a blank line an unindented one rarely stands inside a comment or a string.
    """
    if len(lines) <= _CONTEXT:
        return lines
    lines = lines[-_CONTEXT // 2 :]
    for number in range(1, len(lines)):
        if not lines[number - 1].strip() and lines[number][:1].strip():
            return lines[number:]
    return lines


def _syntax(language: str) -> Syntax | None:
    from rich.syntax import Syntax

    lexer = Syntax("", language, tab_size=0).lexer
    return Syntax("", lexer, theme="ansi_dark", tab_size=0) if lexer else None


_OPENING = frozenset("（「『【〈《〔［｛〖〘")
_CLOSING = frozenset(
    "、。，．！？；：）」』】〉》〕］｝〗〙・ー々〻ゝゞ゛゜…～％ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ"
)
_TAB = 8
"""Columns between the stops of a terminal."""
_IDEOGRAPH = (
    "[\u2e80-\u2fff\u3041-\u3096\u30a1-\u30fa\u3105-\u31ff\u3220-\u4dbf\u4e00-\ua48f\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


def wrap(text: Text, width: int) -> list[Text]:
    """The rows of a text, one at least; its own line breaks stay."""
    rows: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        rows += line.divide(breaks(line.plain, width))
    for row in rows:
        row.rstrip()
    return rows


def fold(line: Text, width: int) -> list[Text]:
    """The rows of a line of code, one at least: broken anywhere, all its spaces kept."""
    line = line.copy()
    line.expand_tabs(_TAB)
    return list(line.divide(breaks(line.plain, width, anywhere=True)))


def breaks(line: str, width: int, anywhere: bool = False) -> list[int]:
    """The offsets at which new rows begin, each row as long as the width allows.

    A row ends after spaces (which may reach beyond the width) or, as Chinese and Japanese are
    written, between any two characters that do not belong together: none begins with a closing
    mark or ends with an opening one. What is wider than a whole row is broken anywhere.
    """
    widths = _widths(line)
    offsets = [0]
    while (end := _last(widths, widths[offsets[-1]] + width)) < len(line):
        start = offsets[-1]
        if not anywhere:
            end = _row_end(line, widths, start, end)
        offsets.append(end if end > start else _last(widths, widths[start + 1]))
    return [offset for offset in offsets if 0 < offset < len(line)]


def _last(widths: Sequence[int], limit: int) -> int:
    """The last offset before which no more cells than these are taken."""
    return bisect_right(widths, limit) - 1


def _row_end(line: str, widths: Sequence[int], start: int, end: int) -> int:
    """Where the next row begins, when the characters up to `end` fit into this one."""
    if line[end].isspace():
        return next((offset for offset in range(end, len(line)) if not line[offset].isspace()), len(line))
    for offset in range(end, start, -1):
        if widths[offset] < widths[offset + 1] and _may_break(line[offset - 1], line[offset]):
            return offset
    return end


def _may_break(before: str, after: str) -> bool:
    if after.isspace():
        return False
    if before.isspace():
        return True
    if after in _CLOSING or before in _OPENING or (after in "”’" and not before.isascii()):
        return False
    if _is_ideograph(before) or before in _CLOSING or after in _OPENING:
        return True
    return _is_ideograph(after) and before not in "“‘"


def _widths(line: str) -> Sequence[int]:
    """At each offset the cells taken by what stands before it, and by all that is seen as one
    character with that."""
    if line.isascii():
        return range(len(line) + 1)
    sizes = [_width(character) for character in line]
    if "\ufe0f" in line or "\u200d" in line:
        first = 0
        for number, character in enumerate(line):
            if number and line[number - 1] == "\u200d":
                sizes[first] += sizes[number]
                sizes[number] = 0
            elif character == "\ufe0f":  # makes an emoji of what is before it, which may then be wide
                sizes[first] = max(2, sizes[first])
            elif sizes[number]:
                first = number
    return list(accumulate(sizes, initial=0))


@cache
def _width(character: str) -> int:
    from rich.cells import cell_len

    return cell_len(character)


@cache
def _is_ideograph(character: str) -> bool:
    return re.match(_IDEOGRAPH, character) is not None


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
