"""The answers of `data/damages.yaml`: faithful ones, and what models make of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from translations_of import marked
from yaml import CSafeLoader, load

from gptkit.encodings.stream import split_lines
from gptkit.text.checks.translation import TargetLanguage, piece_findings
from gptkit.text.formats import format_named
from gptkit.text.pieces import Format, Piece

DATA = Path(__file__).parent / "data"


class Damage(NamedTuple):
    """What must be found, at which level, where `old` of an answer (`*` is all of it) becomes `new`."""

    kind: str
    level: str
    old: str
    new: str


class Answer(NamedTuple):
    """A faithful answer to a document; `text` has what its marks stand for."""

    name: str
    format: str
    source: str
    target: TargetLanguage
    text: str
    damages: tuple[Damage, ...]

    def damaged(self, damage: Damage) -> str:
        assert damage.old in self.text or damage.old == "*"
        return damage.new if damage.old == "*" else self.text.replace(damage.old, damage.new, 1)

    def from_model(self, text: str) -> str:
        """The text with marks, as a model gives it."""
        return marked(self.piece()[1], text).rstrip("\n")

    def findings(self, text: str) -> set[tuple[str, str]]:
        known, piece = self.piece()
        given = marked(piece, text)
        found = [*known.findings(piece, given), *piece_findings(piece, given, self.target)]
        return {(one.kind, one.level) for one in found}

    def piece(self) -> tuple[Format, Piece]:
        known = format_named(self.format)
        assert known
        (piece,) = [one for one in known.pieces(split_lines([self.source]), 4000) if one.text]
        return known, piece


def answers() -> Iterator[Answer]:
    documents: list[dict[str, Any]] = load((DATA / "damages.yaml").read_text("utf-8"), CSafeLoader)
    for one in documents:
        for answer in one["answers"]:
            target = TargetLanguage(answer["to"], is_translated=not one.get("keeps_language", False))
            damages = tuple(Damage(*damage) for damage in answer["damages"])
            name = f"{one['name']} [{answer['to']}]"
            yield Answer(name, one["format"], one["source"], target, answer["text"], damages)
