"""A recorded answer cut at every byte, and bent at a thousand places: only the whole is a success."""

from __future__ import annotations

import pytest
from fake.program import Surroundings
from fake.server import FakeServer
from fault_sweeps import OBJECT, SEED, STREAM, cuts, flips, swept, table


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize(("recorded", "options"), [(STREAM, ()), (OBJECT, ("--no-stream",))])
def test_cut_at_every_byte(
    server: FakeServer,
    around: Surroundings,
    ending: str,
    recorded: bytes,
    options: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = swept(server, around, cuts(recorded, ending), *options)
    assert seen.total() == len(recorded) + 1
    kind = "whole object" if options else "stream"
    with capsys.disabled():
        print(f"\n{kind}, {seen.total()} cuts, {ending}: {table(seen)}")


@pytest.mark.parametrize(("recorded", "options"), [(STREAM, ()), (OBJECT, ("--no-stream",))])
def test_a_thousand_flipped_bytes(
    server: FakeServer,
    around: Surroundings,
    recorded: bytes,
    options: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = swept(server, around, flips(recorded, 1000, SEED), *options)
    kind = "whole object" if options else "stream"
    with capsys.disabled():
        print(f"\n{kind}, {seen.total()} flipped bytes (seed {SEED}): {table(seen)}")
