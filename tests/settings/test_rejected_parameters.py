"""What is remembered of what servers rejected: of what, for how long, and how it is forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gptkit.core.paths import Paths
from gptkit.settings.rejected_parameters import DAY, MEMORY, RejectionFile, forget_rejections

URL = "https://api.example/v1"
NOW = 1_800_000_000.0


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path, tmp_path, tmp_path / "none")


def file(places: Paths, url: str = URL, now: float = NOW) -> RejectionFile:
    return RejectionFile(places, url, lambda: now)


def test_a_rejection_is_of_one_base_url_model_parameter_and_value(places: Paths) -> None:
    file(places).add("m", "temperature", 0.2)
    file(places).add("m", "seed")
    known = file(places)
    assert known.rejects("m", "temperature", 0.2)
    assert not known.rejects("m", "temperature", 1)
    assert known.rejects("m", "seed", 1)
    assert known.rejects("m", "seed", 2)
    assert not known.rejects("other", "seed", 1)
    assert not file(places, "https://api.example/v2").rejects("m", "seed", 1)


@pytest.mark.parametrize(
    ("seconds", "known"), [(MEMORY - DAY, True), (MEMORY + DAY, False), (-MEMORY - DAY, False)]
)
def test_a_rejection_is_forgotten_after_a_month(places: Paths, seconds: float, known: bool) -> None:
    file(places).add("m", "seed")
    assert file(places, now=NOW + seconds).rejects("m", "seed", 1) is known
    file(places, now=NOW + seconds).add("m", "top_p")
    assert len(json.loads((places.data / "rejected.json").read_text())) == 1 + known


def test_a_rejection_can_be_given_up(places: Paths) -> None:
    known = file(places)
    known.add("m", "seed")
    file(places).add("n", "seed")
    known.remove("m", "seed")
    assert not known.rejects("m", "seed", 1)
    assert not file(places).rejects("m", "seed", 1)
    assert file(places).rejects("n", "seed", 1)
    assert forget_rejections(places)
    assert not forget_rejections(places)
    assert not file(places).rejects("n", "seed", 1)


@pytest.mark.parametrize(
    "text", ["", "{", '{"host m": ["seed"]}', '[1, {"model": "m"}, {"learned": "x"}]', "[" * 9999]
)
def test_a_file_that_says_nothing_costs_nothing(places: Paths, text: str) -> None:
    (places.data / "rejected.json").write_text(text)
    assert not file(places).rejects("m", "seed", 1)
    file(places).add("m", "seed")
    assert file(places).rejects("m", "seed", 1)
