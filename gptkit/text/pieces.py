"""A piece of a document, small enough for one request: its text for the model, its answer, and their format.

In the text of a piece a mark (`⟦0⟧`, `⟦1⟧` ...) stands for what the model must not change. Where a document
consists of many short texts (JSON, PO, subtitles ...), a piece holds several of them, called units, each
below a line `⟦#1⟧`, `⟦#2⟧` ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

MARK = re.compile("⟦([0-9]+)⟧")
Level = Literal["wrong", "wanted", "doubtful"]
"""How serious a finding is. `wrong`: the answer is asked for again and never accepted. `wanted`: the answer
is asked for again, and accepted if it does not get better. `doubtful`: the finding is only reported."""
LEVELS: Mapping[str, Level] = {
    "term": "wanted",
    "digits": "doubtful",
    "emphasis": "doubtful",
    "literal": "doubtful",
    "surrogate": "doubtful",
}
"""The level of each kind of finding; any other kind is `wrong`."""
UNIT_LINE = re.compile(r"^[ \t]*⟦#([0-9]+)⟧[ \t]*(?:\n|$)", re.MULTILINE)


class Slot(NamedTuple):
    """Where a unit stands in the source of its piece, and what is needed to write its translation there."""

    start: int
    end: int
    syntax: str = ""  # how the text is written there (quotes, indentation, keyword); only the format reads it
    before: str = ""  # white space in front of the text, which the model does not see
    after: str = ""  # white space behind the text
    note: str = ""  # what the model should know about this text alone


class Piece(NamedTuple):
    """A part of a document for one request.

    `text` is empty if the piece holds nothing for the model: `source` is then written unchanged.
    """

    source: str  # the part of the input, unchanged
    text: str  # what the model gets: the source with marks
    masks: tuple[str, ...] = ()  # masks[n] is what the mark ⟦n⟧ stands for
    units: tuple[str, ...] = ()
    path: tuple[str, ...] = ()  # the headings or keys above the piece
    line: int = 1  # the line of the input where the piece begins
    format: str = "text"
    slots: tuple[Slot, ...] = ()  # one for each unit


class Finding(NamedTuple):
    """A difference between an answer and its source that the answer should not have."""

    line: int  # of the input
    kind: str
    message: str

    @property
    def level(self) -> Level:
        return LEVELS.get(self.kind, "wrong")

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class Format(Protocol):
    """How documents of one kind are split into pieces, checked and put together again."""

    @property
    def name(self) -> str: ...

    def recognises(self, head: str) -> bool:
        """Whether a document that begins with `head` (some 4 KiB) certainly has this format."""

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        """Split a document into pieces of at most `token_limit` tokens each.

        The sources of all pieces together are the input. One exception: what must differ in a translation
        whatever the model answers, as the plural rule of a PO file, is already changed in the sources.
        """

    def restore(self, piece: Piece, answer: str) -> str:
        """Return what is written in place of the piece's source: the answer in the form of the document."""

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        """Compare an answer with its piece. The answer is proved if no finding has the level `wrong`."""

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        """Split a piece into two of about half its size; None if it cannot be split."""


def mark(number: int) -> str:
    return f"⟦{number}⟧"


def unmask(text: str, masks: Sequence[str]) -> str:
    """Replace every mark in the text by what the mark stands for; an unknown mark stays as it is."""

    def original(match: re.Match[str]) -> str:
        number = int(match[1])
        return masks[number] if number < len(masks) else match[0]

    return MARK.sub(original, text) if "⟦" in text else text


def join_units(units: Sequence[str]) -> str:
    return "\n".join(f"⟦#{number}⟧\n{unit}" for number, unit in enumerate(units, 1))


def parse_units(answer: str) -> dict[int, str]:
    """Split an answer into its units by their numbers, stripped; of two with one number the first counts."""
    parts = UNIT_LINE.split(answer.replace("\r\n", "\n"))
    units: dict[int, str] = {}
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        units.setdefault(int(number), text.strip())
    return units


class PieceAnswer(NamedTuple):
    """What is remembered of a piece: its accepted answer, or that the piece has to be asked for in halves."""

    answer: str
    findings: tuple[Finding, ...] = ()
    in_halves: bool = False
    foreign: bool = False  # the answer comes from another tool and still has to be checked
