"""Split Markdown into leaf blocks: paragraphs, headings, list items, tables, code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.patterns import lazy_pattern
from gptkit.text.chunk import BUFFER_LIMIT, bounded_lines, split_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


TEXT, HEADING_LEAF, ITEM, TABLE, HTML = "paragraph", "heading", "list item", "table", "HTML block"
ADMONITION = "admonition"
"""The line that begins or ends an admonition, which holds its syntax and maybe a title."""
CODE = "block"
"""A block that is not translated: code, rules, comments, blank lines."""


class Leaf(NamedTuple):
    """A block that holds no other, with the blank lines behind it."""

    kind: str
    source: str
    level: int = 0
    inside: str = ""
    """The containers around the block, outermost first: `>` a quotation, `-` and `1` lists."""


def parse_leaves(lines: Sequence[str], indent_before: int = 0) -> list[Leaf]:
    """Split lines into leaf blocks; see `leaves`."""
    text = "".join(lines)
    first = text[:1]
    if first == "i" and (imports := IMPORTS.match(text)):
        rest = list(split_lines(text[imports.end() :]))
        return [Leaf(CODE, imports[0]), *(parse_leaves(rest) if rest else ())]
    if PARAGRAPH.fullmatch(text):
        return [Leaf(TEXT, text)]
    if first == "#" and (heading := ONE_HEADING.fullmatch(text)):
        return [Leaf(HEADING_LEAF, text, len(heading[1]))]
    if first in "-*+0123456789" and LIST.fullmatch(text):
        return _items(text)
    if "|" in lines[0] and _is_table(lines):
        return [Leaf(TABLE, text)]
    return _add_sources(lines, _parse(lines, indent_before))


SAFE = (
    r"(?!!!!|\?\?\?)(?:[^\s#>\-+*_=~`|<:\[\d\\$⟦]|\*{1,2}[^\s*]|_{1,2}[^\s_]|`[^`\n\r]|\d+(?![\d.)])"
    r"|\[(?!\^)[^\[\]\n\r]++\](?!:)|\\[^\[\s]|\$[^$\s]|:[a-z])"
)
"""The start of a line that can begin nothing but a paragraph."""
REST = r"[^\n\r]*+(?:\r\n|\n|\r|\Z)"
END = r"(?:\r\n|\n|\r)"
BLANK = rf"(?:[ \t]*+{END})*+[ \t]*+"
MARKER = r"(?:[-*+]|\d{1,9}[.)])"
TASK = r"(?:\[[ xX]\][ \t]+)?"
PARAGRAPH = lazy_pattern(rf"(?:{SAFE}{REST})++{BLANK}")
ONE_HEADING = lazy_pattern(rf"(#{{1,6}})(?:[ \t]{REST}|(?:\r\n|\n|\r|\Z)){BLANK}")
ONE_ITEM = rf"[ ]{{0,12}}{MARKER}(?: {{1,4}}|\t){TASK}{SAFE}{REST}(?:[ \t]*+{SAFE}{REST})*+"
LIST = lazy_pattern(rf"(?:{ONE_ITEM})++{BLANK}")
ITEM_START = lazy_pattern(rf"^([ ]*)({MARKER})[ \t]", re.MULTILINE)
DELIMITERS = lazy_pattern(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*+\|?[ \t]*[\r\n]*")
PIPE = lazy_pattern(r"(?<!\\)\|")
IMPORTS = lazy_pattern(
    rf"(?:import[ \t]+(?:[\w$*{{}},\s]+?\sfrom[ \t]*)?(['\"])[^'\"\r\n]+\1[ \t]*;?[ \t]*(?:{END}|\Z))++"
    rf"(?:[ \t]*+{END})*+"
)
"""Lines of MDX that import modules, with the blank lines behind."""
ADMONITION_LINE = lazy_pattern(
    r"([ \t>]*)(?:(?P<body>!!![ \t]+[\w-]|\?\?\?\+?[ \t]+[\w-]|===[!+]?[ \t]+\")|:{3,}[ \t]*(?:[\w{\[-]|$))"
)
"""Admonitions, details and tabs of MkDocs, whose `body` is indented; fences of colons, as in Docusaurus."""
FOOTNOTE = lazy_pattern(r"( {0,3})\[\^[^\]\s]+\]:")
RAW_HTML = lazy_pattern(r"\s*<(?:[!?]|(?:script|pre|style|textarea)\b)", re.IGNORECASE)


def count_columns(row: str) -> int:
    """Count the cells of a row of a table."""
    return len(PIPE.findall(row.strip().removeprefix("|").removesuffix("|"))) + 1


def _is_table(lines: Sequence[str]) -> bool:
    rows = [line for line in lines if line.strip(" \t\r\n")]
    return (
        len(rows) > 1
        and all(row.startswith("|") for row in rows)
        and DELIMITERS.fullmatch(rows[1]) is not None
        and count_columns(rows[0]) == count_columns(rows[1])
    )


def _items(text: str) -> list[Leaf]:
    starts = [
        (match.start(), len(match[1]), match[2]) for match in ITEM_START.finditer(text.replace("\r", "\n"))
    ]
    ends = [*(start for start, _, _ in starts[1:]), len(text)]
    open_lists: list[tuple[int, str]] = []
    items = []
    for (start, indent, marker), end in zip(starts, ends, strict=True):
        while open_lists and indent <= open_lists[-1][0]:
            open_lists.pop()
        open_lists.append((indent, "-" if marker in "-*+" else "1"))
        inside = "".join(sign for _, sign in open_lists)
        items.append(Leaf(ITEM, text[start:end], len(open_lists), inside))
    return items


def _parse(lines: Sequence[str], indent_before: int) -> Iterator[tuple[int, int, Leaf]]:
    """Yield leaves without their sources, each with its first line and the line behind its last."""
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse("\n".join(_to_commonmark(lines, indent_before)) + "\n", parser, {}, tokens)
    inside, item_line, level = "", -1, 0
    for token in tokens:
        if token.type in CONTAINERS:
            inside = inside + CONTAINERS[token.type] if token.nesting > 0 else inside[:-1]
        elif token.type == "list_item_open" and token.map:
            item_line, level = token.map[0], len(inside)
        elif token.type in LEAVES and token.map:
            kind = LEAVES[token.type]
            if kind == TEXT and token.map[0] == item_line:
                kind, item_line = ITEM, -1
            elif kind == HTML and RAW_HTML.match(token.content):
                kind = CODE
            elif kind == HEADING_LEAF and ADMONITION_LINE.match(lines[token.map[0]].rstrip("\r\n")):
                kind = ADMONITION
            depth = int(token.tag[1]) if kind == HEADING_LEAF else level if kind == ITEM else 0
            yield token.map[0], token.map[1], Leaf(kind, "", depth, inside)


def _to_commonmark(lines: Sequence[str], indent_before: int) -> Iterator[str]:
    """Write footnotes as list items, formulas as code blocks, and lines of admonitions as headings.

    An admonition with an indented body becomes a list item.
    """
    whole = any("$$" in line or "\\[" in line for line in lines)
    formulas = _formula_lines(lines) if whole else ()
    for number, line in enumerate(lines):
        plain = line.rstrip("\r\n").replace("\n", " ")
        if indent_before:
            plain = plain[min(indent_before, len(plain) - len(plain.lstrip(" \t"))) :]
        if number in formulas:
            indent = len(plain) - len(plain.lstrip(" \t"))
            plain = plain[:indent] + "~~~~~~~~"
        elif footnote := FOOTNOTE.match(plain):
            plain = f"{footnote[1]}-   {plain[footnote.end() :].lstrip() or '.'}"
        elif admonition := ADMONITION_LINE.match(plain):
            plain = f"{admonition[1]}-   # ." if admonition["body"] else f"{admonition[1]}# ."
        yield plain


def _formula_lines(lines: Sequence[str]) -> set[int]:
    """Return the numbers of the first and last lines of block formulas."""
    formula_lines: set[int] = set()
    opened: tuple[int, str] | None = None
    for number, line in enumerate(lines):
        stripped = line.strip()
        if opened is None and stripped in BLOCK_FORMULA_ENDS:
            opened = number, BLOCK_FORMULA_ENDS[stripped]
        elif opened and stripped == opened[1]:
            formula_lines |= {opened[0], number}
            opened = None
    return formula_lines


BLOCK_FORMULA_ENDS = {"$$": "$$", "\\[": "\\]"}
CONTAINERS = {
    **dict.fromkeys(("blockquote_open", "blockquote_close"), ">"),
    **dict.fromkeys(("bullet_list_open", "bullet_list_close"), "-"),
    **dict.fromkeys(("ordered_list_open", "ordered_list_close"), "1"),
}
LEAVES = {
    "paragraph_open": TEXT,
    "heading_open": HEADING_LEAF,
    "table_open": TABLE,
    "html_block": HTML,
    **dict.fromkeys(("fence", "code_block", "hr"), CODE),
}


def _add_sources(lines: Sequence[str], parsed: Iterator[tuple[int, int, Leaf]]) -> list[Leaf]:
    """Add the sources to leaves; lines of no block (blank lines, bare markers) belong to the leaf before."""
    leaves: list[Leaf] = []
    done = 0
    for start, end, leaf in parsed:
        if start > done:
            _append(leaves, "".join(lines[done:start]))
            done = start
        leaves.append(leaf._replace(source="".join(lines[done:end])))
        done = max(done, min(end, len(lines)))
    if done < len(lines):
        _append(leaves, "".join(lines[done:]))
    return leaves


def _append(leaves: list[Leaf], source: str) -> None:
    if leaves:
        leaves[-1] = leaves[-1]._replace(source=leaves[-1].source + source)
    else:
        leaves.append(Leaf(CODE, source))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("reference")


def leaves(lines: Iterable[str], indent_before: int = 0) -> Iterator[Leaf]:
    """Split lines into leaf blocks whose sources together are the input.

    Holds only lines that may belong together, seldom more than 16 Ki characters.

    Args:
        lines: the lines, with their line ends.
        indent_before: columns by which the first lines are indented because of containers opened before them.
    """
    return _StretchReader(indent_before).read(bounded_lines(lines))


def split_front_matter(lines: Iterable[str]) -> tuple[str, Iterator[str]]:
    """Return the front matter that a document begins with, empty if it has none, and the lines behind it."""
    rest = iter(lines)
    head = [line for line in [next(rest, None)] if line is not None]
    closings = FRONT_MATTER.get(head[0].strip()) if head else None
    size = 0
    while closings and size < BUFFER_LIMIT and (line := next(rest, None)) is not None:
        head.append(line)
        size += len(line)
        if len(head) == 2 and not FRONT_LINE.match(line):
            break
        if line.rstrip() in closings:
            return "".join(head), rest
    return "", chain(head, rest)


REGION = BUFFER_LIMIT // 4
"""Characters that are parsed at once; the parser takes some five hundred times as many bytes."""
FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
FRONT_LINE = lazy_pattern(r"\s*(?:[\w\"'.-]+\s*[:=]|[#\[]|---|\+\+\+)")
ATX = lazy_pattern(r"#{1,6}(?:[ \t\r\n]|$)")
FENCE = lazy_pattern(r"(`{3,})[^`]*$|(~{3,})")
OPENER = lazy_pattern(
    r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:(?P<fence>`{3,}(?=[^`]*$)|~{3,})"
    r"|(?P<html><!--|<\?|<!\[CDATA\[|<(?:script|pre|style|textarea)\b)|(?P<formula>\$\$|\\\[)\s*$)",
    re.IGNORECASE,
)
HTML_ENDS = {"<!--": "-->", "<?": r"\?>", "<![cdata[": r"\]\]>"}
FORMULA_ENDS = {"$$": r"^\s*\$\$\s*$", "\\[": r"^\s*\\\]\s*$"}


class _StretchReader:
    """Cuts lines into stretches that can be parsed alone.

    A line that starts in the first column behind a blank line is in no container: there a stretch begins.
    """

    def __init__(self, indent_before: int) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._carried = indent_before
        self._kind = ""  # the kind of the stretch's only block, if its first line decides that
        self._end: re.Pattern[str] | None = None  # what closes a fence, comment or formula that is open
        self._blank = False
        self._ended = True

    def read(self, lines: Iterable[str]) -> Iterator[Leaf]:
        for line in lines:
            if self._begins_stretch(line):
                yield from self._leaves()
                self._reset()
            self._add(line)
            if self._size > REGION:
                yield from self._settled_leaves()
        yield from self._leaves()

    def _begins_stretch(self, line: str) -> bool:
        first = line[0]
        if not self._lines or not self._ended or self._end or first in "\r\n":
            return False
        if self._kind:
            return bool(line.strip(" \t\r\n"))
        if first in " \t":
            return False
        if self._blank:
            return True
        if first == "#" or first in "`~":
            interrupts = ATX.match(line) or FENCE.match(line)
            return interrupts is not None and not self._lines[0].startswith("<")
        return False

    def _add(self, line: str) -> None:
        if self._ended:
            if self._end:
                if self._end.search(line):
                    self._end = None
            else:
                if not self._lines and not self._kind:
                    self._kind = _first_line_kind(line)
                self._end = _closing_pattern(line)
            self._blank = not line.strip(" \t\r\n")
        self._lines.append(line)
        self._size += len(line)
        self._ended = line.endswith(("\n", "\r"))

    def _leaves(self) -> list[Leaf]:
        if not self._lines:
            return []
        if self._kind and self._kind != HEADING_LEAF:
            return [Leaf(self._kind, "".join(self._lines))]
        return parse_leaves(self._lines, self._carried)

    def _settled_leaves(self) -> list[Leaf]:
        """Return the leaves that are settled; what follows is taken to continue the last block."""
        leaves = self._leaves()
        last = leaves[-1]
        if len(leaves) > 1 and len(last.source) < REGION // 2:
            self._lines = list(split_lines(last.source))
            first = self._lines[0]
            self._carried = 0 if last.kind == CODE else len(first) - len(first.lstrip(" \t"))
            self._size = len(last.source)
            return leaves[:-1]
        self._lines, self._size = [], 0
        goes_on = CODE if last.kind in {CODE, HTML} else last.kind
        self._kind = goes_on if self._end or not self._ended else ""
        return leaves

    def _reset(self) -> None:
        self._lines, self._size, self._carried, self._kind = [], 0, 0, ""


def _first_line_kind(line: str) -> str:
    if line[0] == "#" and ATX.match(line):
        return HEADING_LEAF
    return CODE if line[0] in "`~" and FENCE.match(line) else ""


def _closing_pattern(line: str) -> re.Pattern[str] | None:
    """Return the pattern of the line that closes the fence, comment or formula which this line opens."""
    opener = OPENER.match(line)
    if opener is None:
        return None
    if fence := opener["fence"]:
        before = " {0,3}" if line.startswith(fence) else r"[ \t>]*"
        return lazy_pattern(rf"^{before}{fence[0]}{{{len(fence)},}}[ \t]*[\r\n]*$")
    if html := opener["html"]:
        end = lazy_pattern(HTML_ENDS.get(html.lower(), rf"</(?:{html[1:]})>"), re.IGNORECASE)
        return None if end.search(line, opener.end()) else end
    return lazy_pattern(FORMULA_ENDS[opener["formula"]])
