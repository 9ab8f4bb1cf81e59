"""Answers to texts that are worked on: a table of damages, and translations by people that must pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from translations_of import marked
from yaml import CSafeLoader, load

from gptkit.encodings.stream import split_lines
from gptkit.text.checks.translation import Target, piece_findings
from gptkit.text.formats import format_named

DATA = Path(__file__).parents[1] / "support" / "data"


class Answer(NamedTuple):
    name: str
    format: str
    source: str
    target: Target
    text: str
    damages: tuple[tuple[str, str, str, str], ...]

    def findings(self, answer: str) -> set[tuple[str, str]]:
        known = format_named(self.format)
        assert known
        (piece,) = [one for one in known.pieces(split_lines([self.source]), 4000) if one.text]
        given = marked(piece, answer)
        found = [*known.findings(piece, given), *piece_findings(piece, given, self.target)]
        return {(one.kind, one.level) for one in found}


def answers() -> Iterator[Answer]:
    documents: list[dict[str, Any]] = load((DATA / "damages.yaml").read_text("utf-8"), CSafeLoader)
    for one in documents:
        for answer in one["answers"]:
            target = Target(answer["to"], is_translated=not one.get("keeps_language", False))
            damages = tuple((kind, level, old, new) for kind, level, old, new in answer["damages"])
            name = f"{one['name']} [{answer['to']}]"
            yield Answer(name, one["format"], one["source"], target, answer["text"], damages)


ALL = list(answers())
DAMAGES = [
    pytest.param(one, *damage, id=f"{one.name}: {damage[0]}: {damage[2]!r} -> {damage[3]!r}"[:100])
    for one in ALL
    for damage in one.damages
]


def test_the_table_is_of_some_size() -> None:
    assert len(DAMAGES) >= 60
    assert {one.format for one in ALL} >= {"text", "markdown", "json", "yaml", "srt", "vtt", "po"}


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_faithful_answer_passes(one: Answer) -> None:
    assert one.findings(one.text) == set()


@pytest.mark.parametrize(("one", "kind", "level", "old", "new"), DAMAGES)
def test_a_damage_is_found(one: Answer, kind: str, level: str, old: str, new: str) -> None:
    assert old in one.text or old == "*"
    damaged = new if old == "*" else one.text.replace(old, new, 1)
    assert (kind, level) in one.findings(damaged)
