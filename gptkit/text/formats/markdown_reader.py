"""The leaf blocks of a stretch of Markdown: what is text, what is code, and in what each of them stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gptkit.text.chunk import BUFFER_LIMIT, bounded_lines, split_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


TEXT, HEADING_LEAF, ITEM, TABLE, HTML = "paragraph", "heading", "list item", "table", "HTML block"
CODE = "block"
"""Goes through untouched: code, rules, comments, front matter, blank lines."""


class Leaf(NamedTuple):
    """A block that holds no other, with the blank lines behind it."""

    kind: str
    source: str
    level: int = 0
    inside: str = ""
    """The containers around it, from without: `>` a quotation, `-` and `1` lists."""


def leaves_of(lines: Sequence[str], carried: int = 0) -> list[Leaf]:
    """Blocks that join to the lines, which are indented by `carried` more than if they stood alone."""
    text = "".join(lines)
    first = text[:1]
    if PARAGRAPH.fullmatch(text):
        return [Leaf(TEXT, text)]
    if first == "#" and (found := ONE_HEADING.fullmatch(text)):
        return [Leaf(HEADING_LEAF, text, len(found[1]))]
    if first in "-*+0123456789" and LIST.fullmatch(text):
        return _items(text)
    if "|" in lines[0] and _is_table(lines):
        return [Leaf(TABLE, text)]
    return _joined(lines, _parsed(lines, carried))


SAFE = (
    r"(?:[^\s#>\-+*_=~`|<:\[\d\\$⟦]|\*{1,2}[^\s*]|_{1,2}[^\s_]|`[^`\n\r]|\d+(?![\d.)])"
    r"|\[(?!\^)[^\[\]\n\r]++\](?!:)|\\[^\[\s]|\$[^$\s]|:[a-z])"
)
"""The start of a line that can begin nothing but a paragraph."""
REST = r"[^\n\r]*+(?:\r\n|\n|\r|\Z)"
BLANK = r"(?:[ \t]*+(?:\r\n|\n|\r))*+[ \t]*+"
MARKER = r"(?:[-*+]|\d{1,9}[.)])"
TASK = r"(?:\[[ xX]\][ \t]+)?"
PARAGRAPH = re.compile(rf"(?:{SAFE}{REST})++{BLANK}")
ONE_HEADING = re.compile(rf"(#{{1,6}})(?:[ \t]{REST}|(?:\r\n|\n|\r|\Z)){BLANK}")
ONE_ITEM = rf"[ ]{{0,12}}{MARKER}(?: {{1,4}}|\t){TASK}{SAFE}{REST}(?:[ \t]*+{SAFE}{REST})*+"
LIST = re.compile(rf"(?:{ONE_ITEM})++{BLANK}")
ITEM_START = re.compile(rf"^([ ]*)({MARKER})[ \t]", re.MULTILINE)
DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*+\|?[ \t]*[\r\n]*")
PIPE = re.compile(r"(?<!\\)\|")
FOOTNOTE = re.compile(r"( {0,3})\[\^[^\]\s]+\]:")
RAW_HTML = re.compile(r"\s*<(?:[!?]|(?:script|pre|style|textarea)\b)", re.IGNORECASE)


def columns(row: str) -> int:
    """Cells of a row of a table."""
    return len(PIPE.findall(row.strip().removeprefix("|").removesuffix("|"))) + 1


def _is_table(lines: Sequence[str]) -> bool:
    rows = [line for line in lines if line.strip(" \t\r\n")]
    return (
        len(rows) > 1
        and all(row.startswith("|") for row in rows)
        and DELIMITERS.fullmatch(rows[1]) is not None
        and columns(rows[0]) == columns(rows[1])
    )


def _items(text: str) -> list[Leaf]:
    starts = [
        (found.start(), len(found[1]), found[2]) for found in ITEM_START.finditer(text.replace("\r", "\n"))
    ]
    ends = [*(start for start, _, _ in starts[1:]), len(text)]
    open_lists: list[tuple[int, str]] = []
    found = []
    for (start, indent, marker), end in zip(starts, ends, strict=True):
        while open_lists and indent <= open_lists[-1][0]:
            open_lists.pop()
        open_lists.append((indent, "-" if marker in "-*+" else "1"))
        inside = "".join(sign for _, sign in open_lists)
        found.append(Leaf(ITEM, text[start:end], len(open_lists), inside))
    return found


def _parsed(lines: Sequence[str], carried: int) -> Iterator[tuple[int, int, Leaf]]:
    """Leaves without their source, and the lines from which and to which they reach."""
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse("\n".join(_plainer(lines, carried)) + "\n", parser, {}, tokens)
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
            depth = int(token.tag[1]) if kind == HEADING_LEAF else level if kind == ITEM else 0
            yield token.map[0], token.map[1], Leaf(kind, "", depth, inside)


def _plainer(lines: Sequence[str], carried: int) -> Iterator[str]:
    """The lines as CommonMark: a footnote is like an item of a list, a formula like a block of code."""
    whole = any("$$" in line or "\\[" in line for line in lines)
    formulas = _formula_lines(lines) if whole else ()
    for number, line in enumerate(lines):
        plain = line.rstrip("\r\n").replace("\n", " ")
        if carried:
            plain = plain[min(carried, len(plain) - len(plain.lstrip(" \t"))) :]
        if number in formulas:
            indent = len(plain) - len(plain.lstrip(" \t"))
            plain = plain[:indent] + "~~~~~~~~"
        elif footnote := FOOTNOTE.match(plain):
            plain = f"{footnote[1]}-   {plain[footnote.end() :].lstrip() or '.'}"
        yield plain


def _formula_lines(lines: Sequence[str]) -> set[int]:
    """The first and last lines of formulas that are set apart."""
    found: set[int] = set()
    opened: tuple[int, str] | None = None
    for number, line in enumerate(lines):
        stripped = line.strip()
        if opened is None and stripped in BLOCK_FORMULA_ENDS:
            opened = number, BLOCK_FORMULA_ENDS[stripped]
        elif opened and stripped == opened[1]:
            found |= {opened[0], number}
            opened = None
    return found


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


def _joined(lines: Sequence[str], found: Iterator[tuple[int, int, Leaf]]) -> list[Leaf]:
    """With the sources, and what belongs to no block (blank lines, bare markers) behind the one before it."""
    leaves: list[Leaf] = []
    done = 0
    for start, end, leaf in found:
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


def leaves(lines: Iterable[str], carried: int = 0) -> Iterator[Leaf]:
    """Join to the input. Only lines that may belong together are held, seldom more than 16 Ki characters.

    `carried` is by how much the first lines are indented because of containers opened before them.
    """
    return _Reader(carried).read(bounded_lines(lines))


def with_front_matter(lines: Iterable[str]) -> Iterator[Leaf]:
    """The leaves of a whole document."""
    rest = iter(lines)
    held = [line for line in [next(rest, None)] if line is not None]
    ends = FRONT_MATTER.get(held[0].strip()) if held else None
    size = 0
    while ends and size < BUFFER_LIMIT and (line := next(rest, None)) is not None:
        held.append(line)
        size += len(line)
        if len(held) == 2 and not FRONT_LINE.match(line):
            break
        if line.rstrip() in ends:
            yield Leaf(CODE, "".join(held))
            held = []
            break
    yield from leaves(chain(held, rest))


REGION = BUFFER_LIMIT // 4
"""Characters that are parsed at once; the parser takes some five hundred times as many bytes."""
FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
FRONT_LINE = re.compile(r"\s*(?:[\w\"'.-]+\s*[:=]|[#\[]|---|\+\+\+)")
ATX = re.compile(r"#{1,6}(?:[ \t\r\n]|$)")
FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
OPENER = re.compile(
    r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:(?P<fence>`{3,}(?=[^`]*$)|~{3,})"
    r"|(?P<html><!--|<\?|<!\[CDATA\[|<(?:script|pre|style|textarea)\b)|(?P<formula>\$\$|\\\[)\s*$)",
    re.IGNORECASE,
)
HTML_ENDS = {"<!--": "-->", "<?": r"\?>", "<![cdata[": r"\]\]>"}
FORMULA_ENDS = {"$$": r"^\s*\$\$\s*$", "\\[": r"^\s*\\\]\s*$"}


class _Reader:
    """What starts in the first column behind a blank line is in no container: there a stretch begins."""

    def __init__(self, carried: int) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._carried = carried
        self._kind = ""  # where the first line tells it
        self._end: re.Pattern[str] | None = None  # what closes a fence, comment or formula that is open
        self._blank = False
        self._ended = True

    def read(self, lines: Iterable[str]) -> Iterator[Leaf]:
        for line in lines:
            if self._begins(line):
                yield from self._leaves()
                self._forget()
            self._add(line)
            if self._size > REGION:
                yield from self._spilled()
        yield from self._leaves()

    def _begins(self, line: str) -> bool:
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
                    self._kind = _kind(line)
                self._end = _end(line)
            self._blank = not line.strip(" \t\r\n")
        self._lines.append(line)
        self._size += len(line)
        self._ended = line.endswith(("\n", "\r"))

    def _leaves(self) -> list[Leaf]:
        if not self._lines:
            return []
        if self._kind and self._kind != HEADING_LEAF:
            return [Leaf(self._kind, "".join(self._lines))]
        return leaves_of(self._lines, self._carried)

    def _spilled(self) -> list[Leaf]:
        """All that is sure; what goes on belongs to the last block, as far as can be told so early."""
        found = self._leaves()
        last = found[-1]
        if len(found) > 1 and len(last.source) < REGION // 2:
            self._lines = list(split_lines(last.source))
            first = self._lines[0]
            self._carried = 0 if last.kind == CODE else len(first) - len(first.lstrip(" \t"))
            self._size = len(last.source)
            return found[:-1]
        self._lines, self._size = [], 0
        goes_on = CODE if last.kind in {CODE, HTML} else last.kind
        self._kind = goes_on if self._end or not self._ended else ""
        return found

    def _forget(self) -> None:
        self._lines, self._size, self._carried, self._kind = [], 0, 0, ""


def _kind(line: str) -> str:
    if line[0] == "#" and ATX.match(line):
        return HEADING_LEAF
    return CODE if line[0] in "`~" and FENCE.match(line) else ""


def _end(line: str) -> re.Pattern[str] | None:
    """What closes that which a line leaves open."""
    found = OPENER.match(line)
    if found is None:
        return None
    if fence := found["fence"]:
        before = " {0,3}" if line.startswith(fence) else r"[ \t>]*"
        return re.compile(rf"^{before}{fence[0]}{{{len(fence)},}}[ \t]*[\r\n]*$")
    if html := found["html"]:
        end = re.compile(HTML_ENDS.get(html.lower(), rf"</(?:{html[1:]})>"), re.IGNORECASE)
        return None if end.search(line, found.end()) else end
    return re.compile(FORMULA_ENDS[found["formula"]])
