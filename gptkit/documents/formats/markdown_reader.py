"""Markdown as its lines arrive: stretches that nothing reaches out of, and their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from gptkit.documents.chunk import HELD, lines_of, whole_lines
from gptkit.documents.formats.markdown_blocks import CODE, HEADING_LEAF, HTML, Leaf, leaves_of


def leaves(lines: Iterable[str], carried: int = 0) -> Iterator[Leaf]:
    """Join to the input. Only lines that may belong together are held, seldom more than 16 Ki characters.

    `carried` is by how much the first lines are indented because of containers opened before them.
    """
    return _Reader(carried).read(whole_lines(lines))


def with_front_matter(lines: Iterable[str]) -> Iterator[Leaf]:
    """The leaves of a whole document."""
    rest = iter(lines)
    held = [line for line in [next(rest, None)] if line is not None]
    ends = FRONT_MATTER.get(held[0].strip()) if held else None
    size = 0
    while ends and size < HELD and (line := next(rest, None)) is not None:
        held.append(line)
        size += len(line)
        if len(held) == 2 and not FRONT_LINE.match(line):
            break
        if line.rstrip() in ends:
            yield Leaf(CODE, "".join(held))
            held = []
            break
    yield from leaves(chain(held, rest))


REGION = HELD // 4
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
            self._lines = list(lines_of(last.source))
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
