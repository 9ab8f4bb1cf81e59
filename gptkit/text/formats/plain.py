"""Plain text: paragraphs between blank lines, or one to a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import east_asian_width

from gptkit.text.checks.common import (
    differs_from_source,
    directive_findings,
    general_findings,
    line_finder,
    normalize_answer,
)
from gptkit.text.chunk import BUFFER_LIMIT, TextBlock, bounded_lines, make_block, split_block, split_lines
from gptkit.text.compose import GAP, build_pieces, halve, restore_layout
from gptkit.text.masking import COMMON_RULES, mask_text
from gptkit.text.pieces import Finding, Piece

UNWRAPPED = 100
"""Columns: a longer line was not wrapped by its author and is a paragraph of its own."""


class PlainText:
    name = "text"

    def recognises(self, head: str) -> bool:
        return False

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        return build_pieces(_blocks(lines, token_limit), token_limit, self.name)

    def restore(self, piece: Piece, answer: str) -> str:
        return restore_layout(piece, answer, piece.masks, indents=True)

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        if not differs_from_source(piece, answer):
            return ()
        line_of, body = line_finder(piece), normalize_answer(answer)
        findings = list(general_findings(piece, body, COMMON_RULES, line_of))
        findings += directive_findings(piece, body, line_of)
        was, became = _count_paragraphs(piece.text), _count_paragraphs(body)
        if body and was != became:
            findings.append(Finding(line_of(0), "blocks", f"{was} paragraphs became {became}"))
        elif body and _has_long_line(piece.text):
            was, became = _count_lines(piece.text), _count_lines(body)
            if was != became:
                findings.append(Finding(line_of(0), "blocks", f"{was} lines became {became}"))
        return tuple(findings)

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        blocks = list(_blocks(split_lines(piece.source), 1 << 60))
        if len(blocks) == 1:
            blocks = list(split_block(blocks[0], blocks[0].weight // 2 + 1))
        return halve(blocks, piece)


def _blocks(lines: Iterable[str], token_limit: int) -> Iterator[TextBlock]:
    for paragraph in _paragraphs(bounded_lines(lines)):
        yield from split_block(make_block(*mask_text(paragraph, COMMON_RULES)), token_limit)


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Split lines into paragraphs, each with the blank lines behind it.

    Whether a paragraph ends before a line depends on that line and the one above alone.
    """
    paragraph: list[str] = []
    size, ended, blank = 0, True, False
    for line in lines:
        is_blank = not line.strip()
        indented = line[0] in "\t\u3000" or line.startswith("  ")
        if (
            paragraph
            and ended
            and not is_blank
            and (blank or indented or size > BUFFER_LIMIT or _is_long(paragraph[-1]))
        ):
            yield "".join(paragraph)
            paragraph, size = [], 0
        paragraph.append(line)
        size += len(line)
        blank, ended = is_blank and ended, line.endswith(("\n", "\r"))
        if not ended and size > BUFFER_LIMIT:
            yield "".join(paragraph)
            paragraph, size = [], 0
    if paragraph:
        yield "".join(paragraph)


def _is_long(line: str) -> bool:
    if len(line) > UNWRAPPED or line.isascii():
        return len(line) > UNWRAPPED
    return len(line) + sum(east_asian_width(sign) in "WF" for sign in line) > UNWRAPPED


def _has_long_line(text: str) -> bool:
    return any(_is_long(line) for line in text.split("\n"))


def _count_lines(text: str) -> int:
    return sum(1 for line in text.split("\n") if line.strip())


def _count_paragraphs(text: str) -> int:
    return len(GAP.split(text))
