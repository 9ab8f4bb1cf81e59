"""What a reduction has to ask for, before it asks: the parts whose results the memory lacks."""

from __future__ import annotations

import pytest
from engine_parts import Plain as Unpromised
from long_models import Kept, Model
from long_reductions import ROOM, book, job, numbers, pieces

from gptkit.capabilities.long.reduce import (
    missing_answers_of_parts,
    reduce_to_final_input,
    request_final_result,
)
from gptkit.core.errors import TooLongError
from gptkit.jobs.missing import MissingAnswer
from gptkit.text.pieces import PieceAnswer


def lacking(text: str, memory: Kept, fresh: bool = False) -> list[MissingAnswer]:
    return list(missing_answers_of_parts(pieces(text), job(memory, fresh), Unpromised(), ROOM))


def test_nothing_lacks_once_a_run_is_over(memory_of_a_run: tuple[Kept, str]) -> None:
    memory, text = memory_of_a_run
    assert lacking(text, memory) == []
    assert len(lacking(text, memory, fresh=True)) == len(pieces(text))
    assert [one.piece.source for one in lacking(text.replace("m18m", "m18m m19m"), memory)] == [
        one.source for one in pieces(text.replace("m18m", "m18m m19m")) if "m19m" in one.source
    ]


def test_of_a_part_that_was_too_long_a_half_that_lacks_is_wanted(
    memory_of_a_run: tuple[Kept, str],
) -> None:
    memory, text = memory_of_a_run
    name = next(name for name, held in memory.held.items() if held.in_halves)
    before = dict(memory.held)
    memory.held.clear()
    whole = {one.key: one.piece for one in lacking(text, memory)}
    memory.held.update(before)
    half = next(one.key for one in _halves(text, memory, name) if one.piece.source in whole[name].source)
    del memory.held[half]
    (found,) = lacking(text, memory)
    assert found.key == half


def _halves(text: str, memory: Kept, name: bytes) -> list[MissingAnswer]:
    """What lacks when nothing but that a part needs halves is known."""
    return lacking(text, _of({name: memory.held[name]}))


def _of(held: dict[bytes, PieceAnswer]) -> Kept:
    memory = Kept()
    memory.held = held
    return memory


@pytest.fixture
def memory_of_a_run() -> tuple[Kept, str]:
    """After a run in which a part was too long."""
    memory, text = Kept(), book(30)
    long = next(one.source for one in pieces(text) if "m18m" in one.source)
    model = Model(lambda asked: TooLongError("too long") if asked == long else numbers(asked))
    one, runtime = job(memory), model.runtime()
    found = reduce_to_final_input(pieces(text), one, runtime, ROOM, lambda _: None)
    assert request_final_result(found, one, runtime, None).answer == numbers(text)
    return memory, text
