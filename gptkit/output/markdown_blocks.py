"""Splits Markdown that is still arriving into units that later text cannot change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


LONG_PARAGRAPH = 40
"""Lines after which a paragraph is split, so that long paragraphs settle while they arrive."""
NESTING_LIMIT = 40
"""Levels of nesting that are parsed; the parser drops deeper content."""
_SURELY_TEXT = re.compile(r"(?!\d{1,9}[.)])[^\W_]")
"""Matches a line that can only begin a paragraph."""
_WINDOW = 8192
"""Characters that are parsed at once; a longer block is parsed in a larger window."""


class MarkdownNode(NamedTuple):
    """A block and its nested blocks. Line numbers count from the start of the parsed text."""

    token: Token
    children: list[MarkdownNode]

    @property
    def start(self) -> int:
        return (self.token.map or [0, 0])[0]

    @property
    def end(self) -> int:
        return (self.token.map or [0, 0])[1]


class MarkdownBlock(NamedTuple):
    """A block of the outermost level, or an item of a list there; `gap` is whether a blank line precedes."""

    node: MarkdownNode
    lines: Sequence[str]
    gap: bool


class FenceOpened(NamedTuple):
    line: str
    language: str
    gap: bool


class CodeLines(NamedTuple):
    lines: Sequence[str]


class FenceClosed(NamedTuple):
    line: str


Unit = MarkdownBlock | FenceOpened | CodeLines | FenceClosed


class BlockSplitter:
    """Takes text in pieces and returns units, each once.

    The units do not depend on the pieces, except that lines of code are grouped differently. Reference
    definitions are not supported, since a later definition would change settled units.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._next_length = 1
        self._gap = False
        self._fence: _Fence | None = None
        self._settled_units: list[Unit] = []

    def feed(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    @property
    def is_due(self) -> bool:
        """Whether enough text has come to look for settled units again; that keeps the cost linear."""
        return self._length >= self._next_length

    def take_settled(self, final: bool = False) -> list[Unit]:
        """Return the units that became settled since the last call; with `final` all units."""
        text = "".join(self._pieces)
        stop = len(text) if final else text.rfind("\n") + 1
        self._settled_units = []
        position = 0
        while position < stop:
            if self._fence:
                length = self._take_code(self._fence, text, position, stop)
            else:
                length = self._take_blocks(text, position, stop, final)
            if not length:
                break
            position += length
        self._pieces = [text[position:]]
        self._length = len(text) - position
        self._next_length = self._length + _required_growth(self._length)
        return self._settled_units

    def open_units(self) -> list[Unit]:
        """Return the units of the rest of the text, as if no more text followed."""
        text = "".join(self._pieces)
        if self._fence:
            return [CodeLines([self._fence.content(text)])] if text.strip(f" {self._fence.mark}") else []
        return self._units(_parse_nodes(text), text.split("\n"))

    def _take_code(self, fence: _Fence, text: str, position: int, stop: int) -> int:
        """Take lines of the open fence, and its end if that has come; returns the characters taken."""
        closing = fence.closing.search(text, position, stop)
        end = closing.start() if closing else stop
        if end > position:
            lines = text[position:end].removesuffix("\n").split("\n")
            self._settled_units.append(CodeLines([fence.content(line) for line in lines]))
        if closing:
            self._settled_units.append(FenceClosed(closing.group().strip()))
            self._fence = None
            self._gap = False
            end = min(closing.end() + 1, len(text))
        return end - position

    def _take_blocks(self, text: str, position: int, stop: int, final: bool) -> int:
        """Take blocks that another block follows, from a window of the text; returns the characters taken."""
        if blank := re.compile(r"(?:[ \t]*\n)+").match(text, position, stop):
            self._gap = True
            return blank.end() - position
        window = _WINDOW
        while True:
            end = text.find("\n", position + window, stop) + 1 or stop
            length = self._take_whole_blocks(text[position:end], final and end == stop)
            if length or end == stop:
                return length
            window *= 4

    def _take_whole_blocks(self, source: str, final: bool) -> int:
        """Take whole blocks, the opening line of a fence, or a part of a long paragraph."""
        nodes, lines = _parse_nodes(source), source.split("\n")
        number = _first_unsettled(nodes, final)
        self._settled_units += self._units(nodes[:number], lines)
        if number == len(nodes):
            return len(source) if final else 0
        node = nodes[number]
        line, self._gap = node.start, self._has_gap(node, lines)
        if node.token.type == "fence":
            self._fence = _Fence(lines[line])
            self._settled_units.append(self._fence.opening_unit(self._gap))
            line += 1
        while node.end - line > LONG_PARAGRAPH and _is_long_paragraph(node):
            part = lines[line : line + LONG_PARAGRAPH]
            self._settled_units += self._units(_parse_nodes("\n".join(part)), part)
            self._gap = False
            line += LONG_PARAGRAPH
            if not _SURELY_TEXT.match(lines[line]):
                break
        return sum(len(line) + 1 for line in lines[:line])

    def _units(self, nodes: Sequence[MarkdownNode], lines: Sequence[str]) -> list[Unit]:
        units: list[Unit] = []
        for node in nodes:
            gap = self._has_gap(node, lines)
            if node.token.type == "fence":
                units += _Fence(lines[node.start]).units(lines[node.start + 1 : node.end], gap)
            else:
                units.append(MarkdownBlock(node, lines, gap))
        return units

    def _has_gap(self, node: MarkdownNode, lines: Sequence[str]) -> bool:
        return not lines[node.start - 1].strip() if node.start else self._gap


class _Fence:
    """A fence of the outermost level, whose lines are read without the parser."""

    def __init__(self, opening_line: str) -> None:
        self._indent = len(opening_line) - len(opening_line.lstrip(" "))
        self._line = opening_line.strip()
        self.mark = self._line[0]
        marker = self._line[: len(self._line) - len(self._line.lstrip(self.mark))]
        self.closing = re.compile(rf"^ {{0,3}}{marker}{self.mark}*[ \t]*$", re.MULTILINE)
        self._language = self._line[len(marker) :].strip().split(" ")[0]

    def content(self, line: str) -> str:
        """Strip the indentation of the opening line from a line of code."""
        return line[min(self._indent, len(line) - len(line.lstrip(" "))) :]

    def opening_unit(self, gap: bool) -> FenceOpened:
        return FenceOpened(self._line, self._language, gap)

    def units(self, lines: Sequence[str], gap: bool) -> Iterator[Unit]:
        closing = self.closing.fullmatch(lines[-1]) if lines else None
        content = lines[:-1] if closing else lines
        yield self.opening_unit(gap)
        if content:
            yield CodeLines([self.content(line) for line in content])
        if closing:
            yield FenceClosed(closing.group().strip())


def _first_unsettled(nodes: Sequence[MarkdownNode], final: bool) -> int:
    """Number of the first block that may still change or is taken in parts; `len(nodes)` if there is none."""
    for number, node in enumerate(nodes):
        if _is_long_paragraph(node):
            return number
    if nodes and (not final or nodes[-1].token.type == "fence"):
        return len(nodes) - 1
    return len(nodes)


def _is_long_paragraph(node: MarkdownNode) -> bool:
    """Whether a node is a long paragraph, or a heading whose last line is an underline."""
    kind = node.token.type
    paragraph = kind == "paragraph_open" or (kind == "heading_open" and node.token.markup in ("=", "-"))
    return paragraph and node.end - node.start > LONG_PARAGRAPH


def _parse_nodes(source: str) -> list[MarkdownNode]:
    """Parse text into blocks of the outermost level, and lists into their items."""
    root: list[MarkdownNode] = []
    stack = [root]
    for token in _parser().parse(source):
        if token.nesting < 0:
            stack.pop()
            continue
        node = MarkdownNode(token, [])
        stack[-1].append(node)
        if token.nesting > 0:
            stack.append(node.children)
    lists = ("bullet_list_open", "ordered_list_open")
    return [part for node in root for part in (node.children if node.token.type in lists else [node])]


@cache
def _parser() -> MarkdownIt:
    """Return a parser of CommonMark with tables; HTML and definitions stay text, which hides nothing."""
    from markdown_it import MarkdownIt, rules_block

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING_LIMIT})
    # after lists and fences, since a line that follows could make their first line a table
    parser.block.ruler.before("lheading", "late_table", rules_block.table, {"alt": ["paragraph"]})
    return parser.disable(["reference", "inline"])


def _required_growth(length: int) -> int:
    """Characters that must arrive before a rest of `length` characters is parsed again."""
    if length < 4096:
        return 1
    return length // 8 if length < 65536 else length // 2
