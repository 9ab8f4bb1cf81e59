"""The short form of the sweeps in `tests/torture`: a recorded answer cut and bent here and there."""

from __future__ import annotations

import pytest
from fake.program import Surroundings
from fake.server import FakeServer
from fault_sweeps import OBJECT, PACKED, SEED, STREAM, cuts, flips, swept


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize(("recorded", "options"), [(STREAM, ()), (PACKED, ()), (OBJECT, ("--no-stream",))])
def test_only_a_whole_answer_is_a_success(
    server: FakeServer, around: Surroundings, ending: str, recorded: bytes, options: tuple[str, ...]
) -> None:
    seen = swept(server, around, cuts(recorded, ending, step=37), *options)
    assert seen[0, False] == 0
    assert sum(count for (code, _), count in seen.items() if code) > len(recorded) // 37 // 2
    assert ending == "reset" or seen[0, True] >= 1


def test_a_flipped_byte_never_makes_a_wrong_success(server: FakeServer, around: Surroundings) -> None:
    seen = swept(server, around, flips(STREAM, 60, SEED))
    seen += swept(server, around, flips(PACKED, 60, SEED))
    assert seen[0, False] == 0
    assert len(seen) > 1
