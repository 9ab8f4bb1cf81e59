"""Cuts Markdown that is still arriving into units that nothing to come can change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


LONG_PARAGRAPH = 40
"""Source lines after which a paragraph is cut, so that long runs of lines settle as they come."""
DEEPEST = 40
"""Levels of nesting that are parsed; the parser drops what is deeper."""
_SURELY_TEXT = re.compile(r"(?!\d{1,9}[.)])[^\W_]")
"""A line that begins so begins a paragraph if it begins a block."""
_WINDOW = 8192
"""Characters parsed at a time; a block that is longer is parsed in a larger window."""


class Node(NamedTuple):
    """A block with the blocks in it. Its lines count from the start of what was parsed with it."""

    token: Token
    children: list[Node]

    @property
    def start(self) -> int:
        return (self.token.map or [0, 0])[0]

    @property
    def end(self) -> int:
        return (self.token.map or [0, 0])[1]


class Block(NamedTuple):
    """A block of the outermost level, or one item of a list there. `gap`: a blank line precedes it."""

    node: Node
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


Unit = Block | FenceOpened | CodeLines | FenceClosed


class Blocks:
    """Text goes in; units come out, each once.

    Into which pieces the text was cut does not show in the units, but for the grouping of code
    lines. Reference definitions are not known: one that comes later would change what is settled.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._due = 1
        self._gap = False
        self._fence: _Fence | None = None
        self._settled: list[Unit] = []

    def feed(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    @property
    def due(self) -> bool:
        """Enough has come since the last look for another to be worth it: its cost stays linear."""
        return self._length >= self._due

    def settled(self, final: bool = False) -> list[Unit]:
        """The units that became complete since the last call; at the end of the text all of them."""
        text = "".join(self._pieces)
        stop = len(text) if final else text.rfind("\n") + 1
        self._settled = []
        position = 0
        while position < stop:
            if self._fence:
                taken = self._take_code(self._fence, text, position, stop)
            else:
                taken = self._take_blocks(text, position, stop, final)
            if not taken:
                break
            position += taken
        self._pieces = [text[position:]]
        self._length = len(text) - position
        self._due = self._length + _growth(self._length)
        return self._settled

    def open(self) -> list[Unit]:
        """What is not settled, as it would look if nothing followed."""
        text = "".join(self._pieces)
        if self._fence:
            return [CodeLines([self._fence.content(text)])] if text.strip(f" {self._fence.mark}") else []
        return self._units(_nodes(text), text.split("\n"))

    def _take_code(self, fence: _Fence, text: str, position: int, stop: int) -> int:
        """Take the lines of the open fence, and its end if it is there."""
        closing = fence.closing.search(text, position, stop)
        end = closing.start() if closing else stop
        if end > position:
            lines = text[position:end].removesuffix("\n").split("\n")
            self._settled.append(CodeLines([fence.content(line) for line in lines]))
        if closing:
            self._settled.append(FenceClosed(closing.group().strip()))
            self._fence = None
            self._gap = False
            end = min(closing.end() + 1, len(text))
        return end - position

    def _take_blocks(self, text: str, position: int, stop: int, final: bool) -> int:
        """Take what is followed by another block; parses no more text at a time than it needs."""
        if blank := re.compile(r"(?:[ \t]*\n)+").match(text, position, stop):
            self._gap = True
            return blank.end() - position
        window = _WINDOW
        while True:
            end = text.find("\n", position + window, stop) + 1 or stop
            taken = self._take_whole(text[position:end], final and end == stop)
            if taken or end == stop:
                return taken
            window *= 4

    def _take_whole(self, source: str, final: bool) -> int:
        """Take the blocks that are whole; of a fence the opening, of a long paragraph a part."""
        nodes, lines = _nodes(source), source.split("\n")
        number = _first_open(nodes, final)
        self._settled += self._units(nodes[:number], lines)
        if number == len(nodes):
            return len(source) if final else 0
        node = nodes[number]
        line, self._gap = node.start, self._has_gap(node, lines)
        if node.token.type == "fence":
            self._fence = _Fence(lines[line])
            self._settled.append(self._fence.opened(self._gap))
            line += 1
        while node.end - line > LONG_PARAGRAPH and _is_long_paragraph(node):
            part = lines[line : line + LONG_PARAGRAPH]
            self._settled += self._units(_nodes("\n".join(part)), part)
            self._gap = False
            line += LONG_PARAGRAPH
            if not _SURELY_TEXT.match(lines[line]):
                break
        return sum(len(line) + 1 for line in lines[:line])

    def _units(self, nodes: Sequence[Node], lines: Sequence[str]) -> list[Unit]:
        units: list[Unit] = []
        for node in nodes:
            gap = self._has_gap(node, lines)
            if node.token.type == "fence":
                units += _Fence(lines[node.start]).units(lines[node.start + 1 : node.end], gap)
            else:
                units.append(Block(node, lines, gap))
        return units

    def _has_gap(self, node: Node, lines: Sequence[str]) -> bool:
        return not lines[node.start - 1].strip() if node.start else self._gap


class _Fence:
    """A fence of the outermost level, whose lines need no parser."""

    def __init__(self, opening: str) -> None:
        self._indent = len(opening) - len(opening.lstrip(" "))
        self._line = opening.strip()
        self.mark = self._line[0]
        marker = self._line[: len(self._line) - len(self._line.lstrip(self.mark))]
        self.closing = re.compile(rf"^ {{0,3}}{marker}{self.mark}*[ \t]*$", re.MULTILINE)
        self._language = self._line[len(marker) :].strip().split(" ")[0]

    def content(self, line: str) -> str:
        """The line without as much of its indentation as the opening has."""
        return line[min(self._indent, len(line) - len(line.lstrip(" "))) :]

    def opened(self, gap: bool) -> FenceOpened:
        return FenceOpened(self._line, self._language, gap)

    def units(self, lines: Sequence[str], gap: bool) -> Iterator[Unit]:
        closing = self.closing.fullmatch(lines[-1]) if lines else None
        content = lines[:-1] if closing else lines
        yield self.opened(gap)
        if content:
            yield CodeLines([self.content(line) for line in content])
        if closing:
            yield FenceClosed(closing.group().strip())


def _first_open(nodes: Sequence[Node], final: bool) -> int:
    """The first block that may still change or is not taken as a whole; their number if there is none."""
    for number, node in enumerate(nodes):
        if _is_long_paragraph(node):
            return number
    if nodes and (not final or nodes[-1].token.type == "fence"):
        return len(nodes) - 1
    return len(nodes)


def _is_long_paragraph(node: Node) -> bool:
    """A heading underlined with `=` or `-` is a paragraph until its last line comes."""
    kind = node.token.type
    paragraph = kind == "paragraph_open" or (kind == "heading_open" and node.token.markup in ("=", "-"))
    return paragraph and node.end - node.start > LONG_PARAGRAPH


def _nodes(source: str) -> list[Node]:
    """The outermost blocks, of lists their items."""
    root: list[Node] = []
    stack = [root]
    for token in _parser().parse(source):
        if token.nesting < 0:
            stack.pop()
            continue
        node = Node(token, [])
        stack[-1].append(node)
        if token.nesting > 0:
            stack.append(node.children)
    lists = ("bullet_list_open", "ordered_list_open")
    return [part for node in root for part in (node.children if node.token.type in lists else [node])]


@cache
def _parser() -> MarkdownIt:
    """CommonMark's blocks with tables, but nothing that hides text: HTML and definitions are text."""
    from markdown_it import MarkdownIt, rules_block

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    # After lists and fences, or else the line that follows could make a table of their first one.
    parser.block.ruler.before("lheading", "late_table", rules_block.table, {"alt": ["paragraph"]})
    return parser.disable(["reference", "inline"])


def _growth(length: int) -> int:
    """Characters that must come before a remainder of this length is looked at again."""
    if length < 4096:
        return 1
    return length // 8 if length < 65536 else length // 2
