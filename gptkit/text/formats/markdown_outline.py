"""The outline of a Markdown text, by which the blocks of an answer are compared with those of its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gptkit.core.patterns import lazy_pattern
from gptkit.text.chunk import split_lines
from gptkit.text.compose import count_line_ends
from gptkit.text.formats.markdown_reader import (
    ADMONITION,
    CODE,
    HEADING_LEAF,
    HTML,
    ITEM,
    TABLE,
    TEXT,
    Leaf,
    count_columns,
    leaves,
)
from gptkit.text.pieces import Finding

KINDS = {
    TEXT: "blocks",
    ADMONITION: "blocks",
    HEADING_LEAF: "heading",
    ITEM: "list",
    TABLE: "table",
    HTML: "tag",
    CODE: "blocks",
}
TASK_MARK = lazy_pattern(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[([ xX])\][ \t]")
EMPTY_CELL = lazy_pattern(r"(?<!\\)\|[ \t]*(?=\|)")
WORD = lazy_pattern(r"[^\W_]")
MAX_DIFFERENCES = 8
"""Findings about the outline that are reported for one piece."""


class OutlineEntry(NamedTuple):
    """A block in the outline of a text; the outlines of source and answer are compared."""

    kind: str  # of the leaf
    label: str  # describes the block in messages
    inside: str  # see Leaf.inside
    line: int  # of the text, from 0

    @property
    def likeness(self) -> tuple[str, str]:
        return self.label, self.inside


def outline_findings(before: str, after: str, first_line: int, indent_before: int) -> Iterator[Finding]:
    """Compare the blocks of two texts; `first_line` is the line of the input where `before` begins."""
    old, new = list(_outline(before, indent_before)), list(_outline(after, indent_before))
    if [entry.likeness for entry in old] == [entry.likeness for entry in new]:
        return
    for start, end, new_start, new_end in _changes(old, new)[:MAX_DIFFERENCES]:
        line = old[min(start, len(old) - 1)].line + first_line if old else first_line
        kind = KINDS[(old[start] if start < end else new[new_start]).kind]
        yield Finding(line, kind, _message(old[start:end], new[new_start:new_end]))


def _changes(old: Sequence[OutlineEntry], new: Sequence[OutlineEntry]) -> list[tuple[int, int, int, int]]:
    """Yield the start and end of each stretch that differs, in the old and in the new outline."""
    if len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [(at, at + 1, at, at + 1) for at, (was, now) in pairs if was.likeness != now.likeness]
    from difflib import SequenceMatcher

    before, after = ([entry.likeness for entry in entries] for entries in (old, new))
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [code[1:] for code in codes if code[0] != "equal"]


def _message(old: Sequence[OutlineEntry], new: Sequence[OutlineEntry]) -> str:
    was, became = _describe_all(old), _describe_all(new)
    if not new:
        return f"{was} missing"
    if not old:
        return f"{became} added"
    if was == became:
        return f"{was} stands in '{new[0].inside}', not in '{old[0].inside}'"
    return f"{was} became {became}"


def _describe_all(entries: Sequence[OutlineEntry]) -> str:
    names = [entry.label for entry in entries[:4]]
    return ", ".join(names) + (f" and {len(entries) - 4} more" if len(entries) > 4 else "")


def _outline(text: str, indent_before: int) -> Iterator[OutlineEntry]:
    line = 0
    for leaf in leaves(split_lines(text), indent_before):
        if leaf.source.strip():
            blank = count_line_ends(leaf.source[: len(leaf.source) - len(leaf.source.lstrip())])
            yield OutlineEntry(leaf.kind, _describe(leaf), leaf.inside, line + blank)
        line += count_line_ends(leaf.source)


def _describe(leaf: Leaf) -> str:
    rows = [row for row in leaf.source.splitlines() if row.strip()]
    if leaf.kind == TABLE or (leaf.kind == TEXT and all(row.lstrip().startswith("|") for row in rows)):
        empty = sum(len(EMPTY_CELL.findall(row.strip())) for row in rows)
        cells = f" with {empty} empty" if empty else ""
        return f"table of {len(rows)} rows by {'/'.join(_shape(rows))} columns{cells}"
    bare = "" if leaf.kind == CODE or WORD.search(leaf.source) else " without words"
    if leaf.kind == HEADING_LEAF:
        return f"heading of level {leaf.level}{bare}"
    if leaf.kind == ITEM:
        task = TASK_MARK.match(leaf.source)
        state = (" [ ]" if task[1] == " " else " [x]") if task else ""
        return f"list item of level {leaf.level}{state}{bare}"
    return leaf.kind + bare


def _shape(rows: Sequence[str]) -> list[str]:
    """Return the number of columns of each row; only one number if all rows have as many."""
    shape = [str(count_columns(row.lstrip(" \t>"))) for row in rows]
    return shape[:1] if len(set(shape)) == 1 else shape
