"""The translations of `tests/support/translations`: faithful ones, and what sloppy models make of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from yaml import CSafeLoader, load

from gptkit.encodings.stream import split_lines
from gptkit.text.formats import format_named
from gptkit.text.pieces import MARK, UNIT_LINE, Finding, Format, Piece, mark

FOLDER = Path(__file__).parent / "translations"


class Translation(NamedTuple):
    """`damages` are the kind that must be found, what of the answer is replaced, and with what."""

    name: str
    format: str
    source: str
    answer: str
    damages: tuple[tuple[str, str, str], ...]

    def findings(self, answer: str) -> tuple[Finding, ...]:
        """Of an answer in which code, addresses and placeholders stand as they are."""
        known, piece = self.piece()
        return known.findings(piece, marked(piece, answer))

    def piece(self) -> tuple[Format, Piece]:
        known = format_named(self.format)
        assert known
        (piece,) = [one for one in known.pieces(split_lines([self.source]), 4000) if one.text]
        return known, piece


def translations() -> Iterator[Translation]:
    for file in sorted(FOLDER.glob("*.yaml")):
        documents: list[dict[str, Any]] = load(file.read_text(encoding="utf-8"), CSafeLoader)
        for document in documents:
            for answer in document["answers"]:
                yield Translation(
                    f"{document['name']} [{answer['to']}]",
                    document["format"],
                    document["source"],
                    answer["text"],
                    tuple((kind, old, new) for kind, old, new in answer["damages"]),
                )


def marked(piece: Piece, answer: str) -> str:
    """The answer as a model gives it: with marks for what the piece has marks for."""
    if not piece.units:
        return _marked(answer, MARK.findall(piece.text), piece.masks)
    parts = UNIT_LINE.split(answer)
    units = dict(enumerate(piece.units, 1))
    done = [parts[0]]
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        wanted = MARK.findall(units.get(int(number), ""))
        done.append(f"⟦#{number}⟧\n{_marked(text, wanted, piece.masks)}")
    return "".join(done).rstrip("\n")


def _marked(text: str, numbers: list[str], masks: tuple[str, ...]) -> str:
    """The longest first; what stands there more often than in the source gets the last mark of its kind."""
    of: dict[str, list[str]] = {}
    for number in numbers:
        of.setdefault(masks[int(number)], []).append(number)
    for mask in sorted(of, key=len, reverse=True):
        if not mask:
            continue
        parts = text.split(mask)
        last = of[mask][-1]
        text = parts[0] + "".join(
            mark(int(number)) + part
            for number, part in zip([*of[mask], *[last] * len(parts)], parts[1:], strict=False)
        )
    return text
