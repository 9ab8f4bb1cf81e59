"""The leaf blocks of a stretch of Markdown: what is text, what is code, and in what each of them stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

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
