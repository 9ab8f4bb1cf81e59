"""Breaks lines of text so that they fit a number of terminal cells."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

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
    widths = _widths(line.plain)
    offsets: list[int] = []
    start = 0
    while (end := _fitting(widths, start, width)) < len(line.plain):
        start = _whole_character(line.plain, start, end)
        offsets.append(start)
    return list(line.divide(offset for offset in offsets if offset < len(line.plain)))


def breaks(line: str, width: int) -> list[int]:
    """The offsets at which new rows begin, each row as long as the width allows.

    A row ends after spaces (which may reach beyond the width) or, as Chinese and Japanese are
    written, between any two characters that do not belong together: none begins with a closing
    mark or ends with an opening one. What is wider than a whole row is broken anywhere.
    """
    widths = _widths(line)
    offsets: list[int] = []
    start = 0
    while (end := _fitting(widths, start, width)) < len(line):
        start = _row_end(line, start, end)
        if start < len(line):
            offsets.append(start)
    return offsets


def _fitting(widths: Sequence[int], start: int, width: int) -> int:
    """The offset up to which a row that begins at `start` is not too wide."""
    return bisect_right(widths, widths[start] + width, start) - 1


def _row_end(line: str, start: int, end: int) -> int:
    """Where the next row begins, when the characters up to `end` fit into this one."""
    if line[end].isspace():
        while end < len(line) and line[end].isspace():
            end += 1
        return end
    for offset in range(end, start, -1):
        if _may_break(line[offset - 1], line[offset]):
            return offset
    return _whole_character(line, start, end)


def _whole_character(line: str, start: int, end: int) -> int:
    """The offset, or the nearest that does not part what is seen as one character."""
    before = end
    while before > start and _joined(line[before - 1], line[before]):
        before -= 1
    if before > start:
        return before
    end = max(end, start + 1)
    while end < len(line) and _joined(line[end - 1], line[end]):
        end += 1
    return end


def _may_break(before: str, after: str) -> bool:
    if after.isspace() or _joined(before, after):
        return False
    if before.isspace():
        return True
    if after in _CLOSING or before in _OPENING or (after in "”’" and not before.isascii()):
        return False
    if _is_ideograph(before) or before in _CLOSING or after in _OPENING:
        return True
    return _is_ideograph(after) and before not in "“‘"


def _joined(before: str, after: str) -> bool:
    """The two are parts of what is seen as one character."""
    return before == "\u200d" or (not after.isascii() and _width(after) == 0)


def _widths(line: str) -> Sequence[int]:
    """At each offset the cells taken by what stands before it."""
    if line.isascii():
        return range(len(line) + 1)
    sizes = [_width(character) for character in line]
    if "\ufe0f" in line:  # makes an emoji of the character before it, which may then be wide
        for number, character in enumerate(line):
            if character == "\ufe0f" and number and sizes[number - 1] == 1:
                sizes[number] = 1
    return list(accumulate(sizes, initial=0))


@cache
def _width(character: str) -> int:
    from rich.cells import cell_len

    return cell_len(character)


@cache
def _is_ideograph(character: str) -> bool:
    return re.match(_IDEOGRAPH, character) is not None
