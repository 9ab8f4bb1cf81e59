"""One request's worth of a document: what the model works on, what it never sees, what proves its answer.

What is not the model's business stands in a piece's text as a mark, `⟦0⟧`, `⟦1⟧` and so on; the texts of a
format that is made of many short ones are set apart by lines `⟦#1⟧`, `⟦#2⟧`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

MARK = re.compile("⟦([0-9]+)⟧")
Level = Literal["wrong", "wanted", "doubtful"]
"""What is wrong is asked for again and not accepted; what is wanted is asked for again; what is doubtful is
told."""
LEVELS: Mapping[str, Level] = {"term": "wanted", "digits": "doubtful"}
UNIT_LINE = re.compile(r"^[ \t]*⟦#([0-9]+)⟧[ \t]*(?:\n|$)", re.MULTILINE)


class Slot(NamedTuple):
    """Where a unit stands in the source of its piece, and what it takes to write another text there."""

    start: int
    end: int
    how: str = ""  # for the format alone: quotes, indentation, keyword
    before: str = ""  # white space around the text, which the model does not see
    after: str = ""
    note: str = ""  # what the model should know of this text alone


class Piece(NamedTuple):
    """`text` is empty where there is nothing to do: `source` then goes through as it is."""

    source: str
    text: str
    masks: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    line: int = 1
    format: str = "text"
    slots: tuple[Slot, ...] = ()  # one for each unit


class Finding(NamedTuple):
    """What is not in an answer as it was in the source, with the line of the input."""

    line: int
    kind: str
    message: str

    @property
    def level(self) -> Level:
        return LEVELS.get(self.kind, "wrong")

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class Format(Protocol):
    """How one kind of document is taken apart, put together and compared."""

    @property
    def name(self) -> str: ...

    @property
    def endings(self) -> tuple[str, ...]:
        """Of file names, with the dot, in lower case."""

    def recognises(self, head: str) -> bool:
        """Whether the first characters of a document (some 4 KiB) are this format beyond doubt."""

    def pieces(self, lines: Iterable[str], most: int) -> Iterator[Piece]:
        """Pieces whose sources join to the input and whose texts hold at most `most` tokens each.

        What must be another in every translation, as a catalog's plural rule, is so in the sources already.
        """

    def rebuilt(self, piece: Piece, answer: str) -> str:
        """What is written in place of the piece's source."""

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        """What is not in the answer as it was; nothing that is wrong means that it is proved."""

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None: ...


def mark(number: int) -> str:
    return f"⟦{number}⟧"


def unmasked(text: str, masks: Sequence[str]) -> str:
    """`text` with every mark replaced by what it stands for; a mark that stands for nothing stays."""

    def original(found: re.Match[str]) -> str:
        number = int(found[1])
        return masks[number] if number < len(masks) else found[0]

    return MARK.sub(original, text) if "⟦" in text else text


def joined_units(units: Sequence[str]) -> str:
    return "\n".join(f"⟦#{number}⟧\n{unit}" for number, unit in enumerate(units, 1))


def units_of(answer: str) -> dict[int, str]:
    """The texts of an answer by number, without white space around them; the first of a number wins."""
    parts = UNIT_LINE.split(answer.replace("\r\n", "\n"))
    found: dict[int, str] = {}
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        found.setdefault(int(number), text.strip())
    return found


class Held(NamedTuple):
    """The accepted answer to a piece, or that it must be asked for in halves.

    `foreign` says that the answer came from another tool: it has yet to be proved.
    """

    answer: str
    findings: tuple[Finding, ...] = ()
    in_halves: bool = False
    foreign: bool = False
