"""Renders inline Markdown, code and tables as styled text, wrapped to rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate, chain, repeat, zip_longest
from typing import TYPE_CHECKING

from gptkit.core.sanitize import visible
from gptkit.output.markdown_blocks import MarkdownNode

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from rich.align import AlignMethod
    from rich.syntax import Syntax
    from rich.text import Text


_PARSED_LIMIT = 10_000
"""Characters of a block up to which marks are parsed; the time of the parser grows with the square."""
# only colours of the terminal's own sixteen, which every theme keeps readable
FAINT = "dim"
_ADDRESS_STYLE = "blue"
_STYLES = {
    "strong": "bold",
    "em": "italic",
    "s": "strike",
    "code": "bold cyan",
    "a": "underline blue",
}


def styled_text(text: str = "", style: str = "") -> Text:
    """Return a text with a style that appended text does not inherit."""
    from rich.text import Text

    return Text().append(text, style)


def render_inline(source: str, breaks: bool = False) -> Text:
    """Render the inline Markdown of one block; line breaks stay as the model wrote them.

    Characters that come from entities are sanitized here. With `breaks` a `<br>` begins a new line, as
    cells of tables need.
    """
    if len(source) > _PARSED_LIMIT:
        return styled_text("\n".join(map(_visible_line, source.split("\n"))))
    text = styled_text()
    open_marks: list[tuple[int, str]] = []
    for token in _tokens(source):
        if token.nesting > 0:
            open_marks.append((len(text), _visible_line(str(token.attrs.get("href", "")))))
        elif token.nesting < 0:
            start, address = open_marks.pop()
            text.stylize_before(_STYLES[token.tag], start)  # inner marks win
            if token.tag == "a" and address.removeprefix("mailto:") != text.plain[start:]:
                text.append(f" ({address})", _ADDRESS_STYLE)
        elif token.tag == "br":
            text.append("\n")
        elif token.tag == "code":
            text.append(_visible_line(token.content), _STYLES["code"])
        elif token.tag == "img":
            text.append(
                f"![{_visible_line(token.content)}]({_visible_line(str(token.attrs.get('src', '')))})"
            )
        else:
            lines = re.split(r"<br\s*/?>", token.content) if breaks else [token.content]
            text.append("\n".join(map(_visible_line, lines)))
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


def _visible_line(text: str) -> str:
    return visible(text).replace("\n", " ").replace("\t", " ")


_CONTEXT_LINES = 100
"""Earlier lines that are read again for the colours of new lines; more would not be linear."""
_HIGHLIGHTED_LIMIT = 2000
"""Characters of a line up to which it is coloured; longer lines are data, and lexers are slow on them."""


class CodeHighlighter:
    """Colours lines of code in one language; without a language or `colour` the lines stay plain."""

    def __init__(self, language: str, colour: bool) -> None:
        self._syntax = _syntax(language) if colour and language else None
        self._context: list[str] = []

    def lines(self, lines: Sequence[str]) -> list[Text]:
        if self._syntax is None:
            return [styled_text(line) for line in lines]
        context = [*self._context, *(line if len(line) <= _HIGHLIGHTED_LIMIT else "" for line in lines)]
        highlighted = self._syntax.highlight("\n".join(context)).split("\n", allow_blank=True)
        parts = chain(highlighted[len(self._context) :], repeat(styled_text()))  # a lexer may lose lines
        self._context = _recent_context(context)
        return [
            part if part.plain == line else styled_text(line)
            for part, line in zip(parts, lines, strict=False)
        ]


def _recent_context(lines: list[str]) -> list[str]:
    """Return the last lines that determine the state of the lexer, from an unindented line after a blank one.

    Such a line is rarely inside a comment or a string.
    """
    if len(lines) <= _CONTEXT_LINES:
        return lines
    lines = lines[-_CONTEXT_LINES // 2 :]
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
_TAB_WIDTH = 8
"""Columns between tab stops of a terminal."""
_IDEOGRAPH = (
    "[\u2e80-\u2fff\u3041-\u3096\u30a1-\u30fa\u3105-\u31ff\u3220-\u4dbf\u4e00-\ua48f\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


def wrap(text: Text, width: int) -> list[Text]:
    """Wrap a text to rows, at least one; its line breaks stay."""
    rows: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        rows += line.divide(row_breaks(line.plain, width))
    for row in rows:
        row.rstrip()
    return rows


def fold(line: Text, width: int) -> list[Text]:
    """Fold a line of code to rows, at least one, at any character; all spaces stay."""
    line = line.copy()
    line.expand_tabs(_TAB_WIDTH)
    return list(line.divide(row_breaks(line.plain, width, anywhere=True)))


def row_breaks(line: str, width: int, anywhere: bool = False) -> list[int]:
    """Return the offsets at which new rows begin, each row as long as the width (in cells) allows.

    A row ends after spaces, which may reach beyond the width, or between two characters of Chinese or
    Japanese; no row begins with a closing mark or ends with an opening one. A word that is wider than a
    row is broken anywhere.
    """
    widths = _offsets_in_cells(line)
    offsets = [0]
    while (end := _last_offset(widths, widths[offsets[-1]] + width)) < len(line):
        start = offsets[-1]
        if not anywhere:
            end = _row_end(line, widths, start, end)
        offsets.append(end if end > start else _last_offset(widths, widths[start + 1]))
    return [offset for offset in offsets if 0 < offset < len(line)]


def _last_offset(widths: Sequence[int], limit: int) -> int:
    """Return the last offset that at most `limit` cells precede."""
    return bisect_right(widths, limit) - 1


def _row_end(line: str, widths: Sequence[int], start: int, end: int) -> int:
    """Return where the next row begins, if the characters up to `end` fit into this row."""
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


def _offsets_in_cells(line: str) -> Sequence[int]:
    """Return for each offset how many cells precede it; characters that form one emoji count at its start."""
    if line.isascii():
        return range(len(line) + 1)
    sizes = [_width(character) for character in line]
    if "\ufe0f" in line or "\u200d" in line:
        first = 0
        for number, character in enumerate(line):
            if number and line[number - 1] == "\u200d":
                sizes[first] += sizes[number]
                sizes[number] = 0
            elif character == "\ufe0f":  # turns the character before it into an emoji, which is wide
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


_COLUMN_GAP = "  "
_ALIGNMENTS: Mapping[object, AlignMethod] = {"text-align:right": "right", "text-align:center": "center"}
_NARROWEST = 6
"""Cells of the narrowest column; a table with narrower ones is shown as records."""


def render_table(node: MarkdownNode, width: int) -> list[Text]:
    """Render a table as rows of at most `width` cells."""
    rows = [row.children for part in node.children for row in part.children]
    cells = [[_cell(cell) for cell in row] for row in rows]
    for name in cells[0]:
        name.stylize("bold")
    natural_widths = [max(_cell_width(row[number]) for row in cells) for number in range(len(cells[0]))]
    widths = _fit_columns(natural_widths, width - len(_COLUMN_GAP) * (len(natural_widths) - 1))
    if widths is None:
        return _records(cells, width)
    return _grid(cells, widths, [_ALIGNMENTS.get(cell.token.attrs.get("style"), "left") for cell in rows[0]])


def _cell(node: MarkdownNode) -> Text:
    return render_inline("".join(child.token.content for child in node.children), breaks=True)


def _cell_width(cell: Text) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in cell.plain.split("\n")), default=0)


def _fit_columns(natural_widths: Sequence[int], most: int) -> list[int] | None:
    """Cut the widest columns to one width so that all columns fit; None if that is too narrow."""
    if sum(natural_widths) <= most:
        return list(natural_widths)
    for limit in range(max(natural_widths) - 1, _NARROWEST - 1, -1):
        widths = [min(width, limit) for width in natural_widths]
        if sum(widths) <= most:
            return widths
    return None


def _grid(
    cells: Sequence[Sequence[Text]], widths: Sequence[int], alignments: Sequence[AlignMethod]
) -> list[Text]:
    folded = [[wrap(cell, width) for cell, width in zip(row, widths, strict=False)] for row in cells]
    rule = styled_text("─" * (sum(widths) + len(_COLUMN_GAP) * (len(widths) - 1)), FAINT)
    has_rules = any(len(cell) > 1 for row in folded[1:] for cell in row)
    rows: list[Text] = []
    for number, row in enumerate(folded):
        if number == 1 or (has_rules and number):
            rows.append(rule)
        for parts in zip_longest(*row):
            line = styled_text()
            for part, width, alignment in zip(parts, widths, alignments, strict=True):
                aligned = part or styled_text()
                aligned.align(alignment, width)
                line.append_text(aligned).append(_COLUMN_GAP)
            line.rstrip()
            rows.append(line)
    return rows


def _records(cells: Sequence[Sequence[Text]], width: int) -> list[Text]:
    rows: list[Text] = []
    for row in cells[1:] or cells:
        if rows:
            rows.append(styled_text("─" * width, FAINT))
        for name, cell in zip(cells[0], row, strict=True):
            if not cells[1:]:
                rows += wrap(name, width)
            elif cell:
                rows += wrap(styled_text(": ").join([name, cell]), width)
    return rows
