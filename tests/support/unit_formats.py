"""What is asserted of every format that is made of many short texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gptkit.core.tokens import estimate_tokens
from gptkit.text.formats.units import UnitFormat
from gptkit.text.pieces import MARK, Finding, Piece, join_units


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def pieces_of(known: UnitFormat, text: str, most: int = 1000) -> list[Piece]:
    """The pieces of a document, of which all is asserted that holds for any."""
    pieces = list(known.pieces(text.splitlines(keepends=True), most))
    assert "".join(piece.source for piece in pieces) == text
    for piece in pieces:
        assert_sound(known, piece, most)
    return pieces


def assert_sound(known: UnitFormat, piece: Piece, most: int) -> None:
    assert not piece.text or estimate_tokens(piece.text) <= most
    assert piece.text == join_units(piece.units)
    assert len(piece.slots) == len(piece.units)
    assert known.restore(piece, piece.text) == piece.source
    assert known.findings(piece, piece.text) == ()
    assert [int(number) for number in MARK.findall(piece.text)] == list(range(len(piece.masks)))
    piece.text.encode()
    if parts := known.halves(piece):
        assert parts[0].source + parts[1].source == piece.source
        for half in parts:
            assert known.restore(half, half.text) == half.source


def translated(known: UnitFormat, text: str, translation: Callable[[str], str], most: int = 1000) -> str:
    """The document with every unit replaced by its translation."""
    done = []
    for piece in pieces_of(known, text, most):
        done.append(known.restore(piece, join_units([translation(unit) for unit in piece.units])))
    return "".join(done)


def units(known: UnitFormat, text: str, most: int = 1000) -> list[str]:
    return [unit for piece in pieces_of(known, text, most) for unit in piece.units]


def shout(unit: str) -> str:
    """A translation that leaves marks as they are."""
    return unit.upper()


def found(known: UnitFormat, text: str, answers: Sequence[str]) -> list[str]:
    """The findings for a document of one piece."""
    (piece,) = pieces_of(known, text)
    findings: tuple[Finding, ...] = known.findings(piece, join_units(answers))
    return [str(finding) for finding in findings]
