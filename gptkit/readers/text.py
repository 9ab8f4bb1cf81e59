"""Blocks of what is text already: paragraphs of prose, Markdown, source code, JSON and notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gptkit.core.errors import DataError
from gptkit.readers import Block, DocumentData, DocumentPlace, HeadingPath, whole_letters

LINE_END = re.compile(r"\r\n|\r")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
TITLE = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
UNDERLINE = re.compile(r" {0,3}(=+|--+)[ \t]*$")
NO_TITLE = re.compile(r"\s*(?:[-*+>|#]|\d+[.)]\s)")
"""How a line begins that no row of dashes below makes a title of."""
DEFINITION = re.compile(
    r"\s*(?:(?:export|default|public|private|protected|static|abstract|final|async|pub(?:\(\w+\))?|open|override"
    r"|virtual|inline|data|sealed|partial|internal|unsafe|const)\s+)*"
    r"(?:class|def|defp|defmodule|function|func|fn|fun|interface|struct|enum|trait|impl|module|namespace|sub)\s+\w"
)
ESCAPES = re.compile(r"(?<!\\)(?:\\\\)*((?:\\u[0-9a-fA-F]{4})+)")


def read_text(source: DocumentData) -> Iterator[Block]:
    for first, lines in paragraphs(source.text()):
        yield Block("\n".join(lines), DocumentPlace("line", first, first + len(lines) - 1))


def read_markdown(source: DocumentData) -> Iterator[Block]:
    return markdown_blocks(source.text(), HeadingPath())


def markdown_blocks(text: str, headings: HeadingPath) -> Iterator[Block]:
    """Paragraphs, lists and code blocks below their headings; a heading is a block too."""
    lines = _lines(text)
    at = _front_matter(lines)
    if at:
        yield _block(lines, 0, at, ())
    while at < len(lines):
        first = at
        if fence := FENCE.match(lines[at]):
            at = _fence_end(lines, at, fence[1])
        elif title := TITLE.match(lines[at]):
            headings.enter(len(title[1]), title[2].rstrip("# \t"))
            at += 1
        elif not lines[at].strip():
            at += 1
            continue
        else:
            at = _paragraph_end(lines, at)
            if at == first + 1 and (level := _underline(lines, at)):
                headings.enter(level, lines[first].strip())
                at += 1
        yield _block(lines, first, at, headings.path)


def _front_matter(lines: Sequence[str]) -> int:
    """How many lines the settings at the top of a Markdown file take."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    return next((at + 1 for at in range(1, min(len(lines), 200)) if lines[at].rstrip() == "---"), 0)


def _fence_end(lines: Sequence[str], at: int, mark: str) -> int:
    for end in range(at + 1, len(lines)):
        line = lines[end].strip()
        if line.startswith(mark) and not line.strip(mark[0]):
            return end + 1
    return len(lines)


def _paragraph_end(lines: Sequence[str], at: int) -> int:
    """Where a paragraph ends: at a blank line, a heading, a fence, or the line below a title."""
    end = at + 1
    while end < len(lines) and (line := lines[end]).strip():
        if FENCE.match(line) or TITLE.match(line) or (end == at + 1 and UNDERLINE.match(line)):
            break
        end += 1
    return end


def _underline(lines: Sequence[str], at: int) -> int:
    """The level of the heading that line `at` makes of the one before; 0 if it makes none."""
    if at == len(lines) or NO_TITLE.match(lines[at - 1]):
        return 0
    underline = UNDERLINE.match(lines[at])
    return 0 if not underline else 1 if underline[1][0] == "=" else 2


def _block(lines: Sequence[str], first: int, end: int, heading: tuple[str, ...]) -> Block:
    return Block("\n".join(lines[first:end]), DocumentPlace("line", first + 1, end), heading)


def read_source(source: DocumentData) -> Iterator[Block]:
    """Source code between blank lines, below the lines that begin its classes and functions."""
    headings = HeadingPath()
    for first, lines in paragraphs(source.text()):
        for line in lines:
            if DEFINITION.match(line):
                headings.enter(len(line) - len(line.lstrip()), line)
        yield Block("\n".join(lines), DocumentPlace("line", first, first + len(lines) - 1), headings.path)


def read_json(source: DocumentData) -> Iterator[Block]:
    r"""JSON by its lines, with the letters that are written like \u4e2d."""

    def letters(match: re.Match[str]) -> str:
        return match[0][: match.start(1) - match.start()] + str(json.loads(f'"{match[1]}"'))

    return read_text(source._replace(decode=lambda *_: whole_letters(ESCAPES.sub(letters, source.text()))))


def read_notebook(source: DocumentData) -> Iterator[Block]:
    """The cells of a Jupyter notebook, and what they printed."""
    try:
        cells: list[dict[str, Any]] = json.loads(source.text())["cells"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{source.name}: it is no notebook of Jupyter 4 or newer") from None
    headings = HeadingPath()
    for number, cell in enumerate(cells, 1):
        place = DocumentPlace("cell", number, number)
        text = _joined(cell.get("source"))
        if cell.get("cell_type") == "markdown":
            for block in markdown_blocks(text, headings):
                yield block._replace(place=place)
        elif text.strip():
            yield Block(text, place, headings.path)
        for output in cell.get("outputs", ()):
            printed = _joined(output.get("text") or output.get("data", {}).get("text/plain"))
            if printed.strip():
                yield Block(printed, place, headings.path)


def _joined(text: str | list[str] | None) -> str:
    return "".join(text or ())


def _lines(text: str) -> list[str]:
    return LINE_END.sub("\n", text).split("\n")


def paragraphs(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Lines between blank ones, with the number of the first line."""
    lines = _lines(text)
    first = 0
    for at in range(len(lines) + 1):
        if at < len(lines) and lines[at].strip():
            continue
        if first < at:
            yield first + 1, lines[first:at]
        first = at + 1
