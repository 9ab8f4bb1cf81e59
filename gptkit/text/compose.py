"""Build pieces from blocks, and write answers into the layout of their sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gptkit.text.chunk import HOLE, TextBlock, group_blocks, number_holes
from gptkit.text.pieces import Piece, unmask

END = re.compile(r"\r\n|\n|\r")
MARK_OR_END = re.compile(r"⟦([0-9]+)⟧|\n")
GAP = re.compile(r"\n(?:[ \t]*\n)+")
INDENT = re.compile(r"^[ \t\u3000]*", re.MULTILINE)


class TextPositions(NamedTuple):
    """Where the text of a piece stands in its source."""

    marks: dict[int, int]  # from the number of a mark to the position of its mask
    ends: list[str]  # the line ends within the text
    start: int
    end: int


def build_pieces(blocks: Iterable[TextBlock], token_limit: int, name: str, line: int = 1) -> Iterator[Piece]:
    """Yield pieces of blocks in the format `name`; `line` is the line of the input where the blocks begin."""
    headings = Headings()
    for group in group_blocks(blocks, token_limit):
        piece = build_piece(group, name)._replace(line=line, path=headings.path(group[0]))
        headings.add(group)
        line += count_line_ends(piece.source)
        yield piece


class Headings:
    """The headings above a place of a document."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def path(self, first: TextBlock) -> tuple[str, ...]:
        """Return the titles above a block; if the block is a heading itself, those of higher levels."""
        return tuple(title for level, title in self._open if not first.level or level < first.level)

    def add(self, blocks: Iterable[TextBlock]) -> None:
        for block in blocks:
            if block.level:
                while self._open and self._open[-1][0] >= block.level:
                    self._open.pop()
                self._open.append((block.level, block.title))


def build_piece(group: Sequence[TextBlock], name: str) -> Piece:
    source = "".join(block.source for block in group)
    if all(block.is_wordless for block in group):
        return Piece(source, "", format=name)
    masks = [mask for block in group for mask in block.masks]
    text = _strip_masked("".join(block.text for block in group), masks)
    if "\r" in text:
        text = END.sub("\n", text)
    return Piece(source, number_holes(text), tuple(masks), format=name)


def _strip_masked(text: str, masks: list[str]) -> str:
    """Remove white space, masked or not, from both ends of a text, and its masks from `masks`."""
    text = text.strip()
    while text.startswith(HOLE) and not masks[0].strip():
        text, _ = text[len(HOLE) :].lstrip(), masks.pop(0)
    while text.endswith(HOLE) and masks[-1].isspace():
        text, _ = text[: -len(HOLE)].rstrip(), masks.pop()
    return text


def halve(blocks: Sequence[TextBlock], piece: Piece) -> tuple[Piece, Piece] | None:
    """Split a piece at the border between two of its blocks that is next to the middle."""
    total = sum(block.weight for block in blocks)
    cuts = []
    reached = 0
    for at, block in enumerate(blocks[:-1], 1):
        reached += block.weight
        if 0 < reached < total and not block.level:
            cuts.append((abs(total - 2 * reached), at))
    if not cuts:
        return None
    cut = min(cuts)[1]
    headings = Headings()
    headings.add(blocks[:cut])
    first, second = build_piece(blocks[:cut], piece.format), build_piece(blocks[cut:], piece.format)
    line = piece.line + count_line_ends(first.source)
    return (
        first._replace(path=piece.path, line=piece.line),
        second._replace(path=_join_paths(piece.path, headings.path(blocks[cut])), line=line),
    )


def _join_paths(path: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return path if path[-len(more) :] == more else path + more


def restore_layout(piece: Piece, answer: str, masks: Sequence[str], *, indents: bool = False) -> str:
    """Return the answer with the outer white space, line ends and blank lines of the piece's source.

    With `indents` an answer of as many lines also gets the indentation of each line of the source.
    """
    if not piece.text:
        return piece.source
    body = END.sub("\n", answer).strip()
    positions = locate_text(piece)
    if body != piece.text:
        body = _copy_gaps(piece.text, body)
        if indents and body.count("\n") == piece.text.count("\n"):
            body = _copy_indents(piece.text, body)
    if "\r" in piece.source:
        body = _copy_line_ends(body, positions.ends)
    return piece.source[: positions.start] + unmask(body, masks) + piece.source[positions.end :]


def locate_text(piece: Piece) -> TextPositions:
    source, text = piece.source, piece.text
    start = position = len(source) - len(source.lstrip())
    marks: dict[int, int] = {}
    ends: list[str] = []
    done = 0
    for match in MARK_OR_END.finditer(text):
        position += match.start() - done
        done = match.end()
        if match[1]:
            marks[int(match[1])] = position
            position += len(piece.masks[int(match[1])])
        else:
            end = "\r\n" if source.startswith("\r\n", position) else source[position]
            ends.append(end)
            position += len(end)
    return TextPositions(marks, ends, start, position + len(text) - done)


def count_line_ends(text: str) -> int:
    return text.count("\n") + (text.count("\r") - text.count("\r\n") if "\r" in text else 0)


def _copy_gaps(text: str, body: str) -> str:
    gaps = GAP.findall(text)
    parts = GAP.split(body)
    if len(parts) != len(gaps) + 1 or gaps == GAP.findall(body):
        return body
    return "".join(part + gap for part, gap in zip(parts, [*gaps, ""], strict=True))


def _copy_indents(text: str, body: str) -> str:
    pairs = zip(text.split("\n"), body.split("\n"), strict=True)
    return "\n".join(_indent(old) + new[len(_indent(new)) :] for old, new in pairs)


def _indent(line: str) -> str:
    match = INDENT.match(line)
    return match[0] if match else ""


def _copy_line_ends(body: str, ends: Sequence[str]) -> str:
    lines = body.split("\n")
    if len(lines) != len(ends) + 1:
        usual = Counter(ends).most_common(1)[0][0] if ends else "\n"
        ends = [usual] * (len(lines) - 1)
    return "".join(line + end for line, end in zip(lines, [*ends, ""], strict=True))
