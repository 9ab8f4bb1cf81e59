"""Plain text: paragraphs that blank lines part, wrapped or one to a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import east_asian_width

from gptkit.text.checks.common import differs_from_source, general_findings, line_finder, normalize_answer
from gptkit.text.chunk import BUFFER_LIMIT, TextBlock, bounded_lines, make_block, split_block, split_lines
from gptkit.text.compose import GAP, build_pieces, halve, restore_layout
from gptkit.text.masking import COMMON_RULES, mask_text
from gptkit.text.pieces import Finding, Piece

UNWRAPPED = 100
"""Columns of a line that nobody broke: it is a paragraph of its own."""


class PlainText:
    name = "text"
    endings = (".txt", ".text")

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
        found = list(general_findings(piece, body, COMMON_RULES, line_of))
        was, became = _paragraphs(piece.text), _paragraphs(body)
        if body and was != became:
            found.append(Finding(line_of(0), "blocks", f"{was} paragraphs became {became}"))
        elif body and _is_unwrapped(piece.text) and (was := _lines(piece.text)) != (became := _lines(body)):
            found.append(Finding(line_of(0), "blocks", f"{was} lines became {became}"))
        return tuple(found)

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        found = list(_blocks(split_lines(piece.source), 1 << 60))
        if len(found) == 1:
            found = list(split_block(found[0], found[0].weight // 2 + 1))
        return halve(found, piece)


def _blocks(lines: Iterable[str], token_limit: int) -> Iterator[TextBlock]:
    for paragraph in _paragraphs_of(bounded_lines(lines)):
        yield from split_block(make_block(*mask_text(paragraph, COMMON_RULES)), token_limit)


def _paragraphs_of(lines: Iterable[str]) -> Iterator[str]:
    """With the blank lines behind them. A line alone tells whether one ends with it."""
    held: list[str] = []
    size, ended, blank = 0, True, False
    for line in lines:
        is_blank = not line.strip()
        indented = line[0] in "\t\u3000" or line.startswith("  ")
        if (
            held
            and ended
            and not is_blank
            and (blank or indented or size > BUFFER_LIMIT or _is_long(held[-1]))
        ):
            yield "".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
        blank, ended = is_blank and ended, line.endswith(("\n", "\r"))
        if not ended and size > BUFFER_LIMIT:
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)


def _is_long(line: str) -> bool:
    if len(line) > UNWRAPPED or line.isascii():
        return len(line) > UNWRAPPED
    return len(line) + sum(east_asian_width(sign) in "WF" for sign in line) > UNWRAPPED


def _is_unwrapped(text: str) -> bool:
    return any(_is_long(line) for line in text.split("\n"))


def _lines(text: str) -> int:
    return sum(1 for line in text.split("\n") if line.strip())


def _paragraphs(text: str) -> int:
    return len(GAP.split(text))
