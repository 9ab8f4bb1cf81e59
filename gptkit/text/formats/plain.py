"""Plain text: paragraphs that blank lines part, wrapped or one to a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import east_asian_width

from gptkit.text.checks.common import general, line_finder, unified, unproved
from gptkit.text.chunk import HELD, Block, block, divided, split_lines, whole_lines
from gptkit.text.compose import GAP, answered, halved, pieces_of
from gptkit.text.masking import PLAIN, masked
from gptkit.text.pieces import Finding, Piece

UNWRAPPED = 100
"""Columns of a line that nobody broke: it is a paragraph of its own."""


class PlainText:
    name = "text"
    endings = (".txt", ".text")

    def recognises(self, head: str) -> bool:
        return False

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        return pieces_of(_blocks(lines, token_limit), token_limit, self.name)

    def restore(self, piece: Piece, answer: str) -> str:
        return answered(piece, answer, piece.masks, indents=True)

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        if not unproved(piece, answer):
            return ()
        line_of, body = line_finder(piece), unified(answer)
        found = list(general(piece, body, PLAIN, line_of))
        was, became = _paragraphs(piece.text), _paragraphs(body)
        if body and was != became:
            found.append(Finding(line_of(0), "blocks", f"{was} paragraphs became {became}"))
        elif body and _is_unwrapped(piece.text) and (was := _lines(piece.text)) != (became := _lines(body)):
            found.append(Finding(line_of(0), "blocks", f"{was} lines became {became}"))
        return tuple(found)

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        found = list(_blocks(split_lines(piece.source), 1 << 60))
        if len(found) == 1:
            found = list(divided(found[0], found[0].weight // 2 + 1))
        return halved(found, piece)


def _blocks(lines: Iterable[str], token_limit: int) -> Iterator[Block]:
    for paragraph in _paragraphs_of(whole_lines(lines)):
        yield from divided(block(*masked(paragraph, PLAIN)), token_limit)


def _paragraphs_of(lines: Iterable[str]) -> Iterator[str]:
    """With the blank lines behind them. A line alone tells whether one ends with it."""
    held: list[str] = []
    size, ended, blank = 0, True, False
    for line in lines:
        is_blank = not line.strip()
        indented = line[0] in "\t\u3000" or line.startswith("  ")
        if held and ended and not is_blank and (blank or indented or size > HELD or _is_long(held[-1])):
            yield "".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
        blank, ended = is_blank and ended, line.endswith(("\n", "\r"))
        if not ended and size > HELD:
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
