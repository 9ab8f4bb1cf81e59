"""A recorded answer cut at every byte, and bent at a thousand places: only the whole is a success."""

from __future__ import annotations

import pytest
from fake.program import Surroundings
from fake.server import FakeServer
from fault_sweeps import OBJECT, PACKED, SEED, STREAM, cuts, flips, swept, table

RECORDINGS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "stream": (STREAM, ()),
    "compressed stream": (PACKED, ()),
    "whole object": (OBJECT, ("--no-stream",)),
}


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("name", RECORDINGS)
def test_cut_at_every_byte(
    server: FakeServer,
    around: Surroundings,
    ending: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded, options = RECORDINGS[name]
    seen = swept(server, around, cuts(recorded, ending), *options)
    assert seen.total() == len(recorded) + 1
    with capsys.disabled():
        print(f"\n{name}, {seen.total()} cuts, {ending}: {table(seen)}")


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_thousand_flipped_bytes(
    server: FakeServer,
    around: Surroundings,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded, options = RECORDINGS[name]
    seen = swept(server, around, flips(recorded, 1000, SEED), *options)
    with capsys.disabled():
        print(f"\n{name}, {seen.total()} flipped bytes (seed {SEED}): {table(seen)}")
