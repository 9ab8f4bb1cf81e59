"""The outline of Markdown, and what of it an answer does not have as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gptkit.documents.chunk import lines_of
from gptkit.documents.formats.composing import line_ends
from gptkit.documents.formats.markdown_blocks import (
    CODE,
    HEADING_LEAF,
    HTML,
    ITEM,
    TABLE,
    TEXT,
    Leaf,
    columns,
)
from gptkit.documents.formats.markdown_reader import leaves
from gptkit.documents.pieces import Finding

KINDS = {TEXT: "blocks", HEADING_LEAF: "heading", ITEM: "list", TABLE: "table", HTML: "tag", CODE: "blocks"}
TASK_MARK = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[([ xX])\][ \t]")
EMPTY_CELL = re.compile(r"(?<!\\)\|[ \t]*(?=\|)")
WORD = re.compile(r"[^\W_]")
MOST = 8
"""Findings of this kind that are told of one piece."""


class Entry(NamedTuple):
    kind: str
    shown: str
    inside: str
    line: int

    @property
    def likeness(self) -> tuple[str, str]:
        return self.shown, self.inside


def differences(before: str, after: str, first_line: int, carried: int) -> Iterator[Finding]:
    old, new = list(_outline(before, carried)), list(_outline(after, carried))
    if [entry.likeness for entry in old] == [entry.likeness for entry in new]:
        return
    for start, end, new_start, new_end in _changes(old, new)[:MOST]:
        line = old[min(start, len(old) - 1)].line + first_line if old else first_line
        kind = KINDS[(old[start] if start < end else new[new_start]).kind]
        yield Finding(line, kind, _message(old[start:end], new[new_start:new_end]))


def _changes(old: Sequence[Entry], new: Sequence[Entry]) -> list[tuple[int, int, int, int]]:
    """From where to where the first are other than the second."""
    if len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [(at, at + 1, at, at + 1) for at, (one, two) in pairs if one.likeness != two.likeness]
    from difflib import SequenceMatcher

    before, after = ([entry.likeness for entry in entries] for entries in (old, new))
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [code[1:] for code in codes if code[0] != "equal"]


def _message(old: Sequence[Entry], new: Sequence[Entry]) -> str:
    was, became = _listed(old), _listed(new)
    if not new:
        return f"{was} missing"
    if not old:
        return f"{became} added"
    if was == became:
        return f"{was} stands in '{new[0].inside}', not in '{old[0].inside}'"
    return f"{was} became {became}"


def _listed(entries: Sequence[Entry]) -> str:
    names = [entry.shown for entry in entries[:4]]
    return ", ".join(names) + (f" and {len(entries) - 4} more" if len(entries) > 4 else "")


def _outline(text: str, carried: int) -> Iterator[Entry]:
    line = 0
    for leaf in leaves(lines_of(text), carried):
        if leaf.source.strip():
            blank = line_ends(leaf.source[: len(leaf.source) - len(leaf.source.lstrip())])
            yield Entry(leaf.kind, _shown(leaf), leaf.inside, line + blank)
        line += line_ends(leaf.source)


def _shown(leaf: Leaf) -> str:
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
    """The columns of each row, once where they are all the same."""
    shape = [str(columns(row.lstrip(" \t>"))) for row in rows]
    return shape[:1] if len(set(shape)) == 1 else shape
