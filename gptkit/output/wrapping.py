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
