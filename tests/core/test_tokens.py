"""The token estimate against the true tokenizer, and its cost.

`data/tokens.json` holds texts with the counts of o200k_base, taken with the npm package gpt-tokenizer 4.0.0.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from work import grows_with

from gptkit.core.tokens import estimate_tokens

DATA = json.loads((Path(__file__).parents[1] / "support" / "data" / "tokens.json").read_text("utf-8"))
TRUE = tuple((entry["name"], entry["text"], entry["tokens"]) for entry in DATA["texts"])


@pytest.mark.parametrize(("name", "text", "tokens"), TRUE)
def test_estimate_is_near_the_true_count(name: str, text: str, tokens: int) -> None:
    assert 0.85 <= estimate_tokens(text) / tokens <= 1.15, f"{name}: {estimate_tokens(text)} for {tokens}"


def test_estimates_add_up_over_languages() -> None:
    assert (
        0.95
        <= sum(estimate_tokens(text) for _, text, _ in TRUE) / sum(tokens for _, _, tokens in TRUE)
        <= 1.05
    )


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("Hello!", 2),
        ("你好", 1),
        ("7", 1),
        ("😀", 1),
        ("\n", 1),
        ("1234567890", 4),
        ("\ud800", 1),
    ],
)
def test_very_short_text(text: str, tokens: int) -> None:
    assert abs(estimate_tokens(text) - tokens) <= 1
    assert bool(estimate_tokens(text)) == bool(text)


@pytest.mark.parametrize(("name", "text", "tokens"), TRUE)
def test_estimate_grows_with_the_text(name: str, text: str, tokens: int) -> None:
    assert estimate_tokens(text * 50) == pytest.approx(50 * estimate_tokens(text), rel=0.03)


def test_a_long_text_is_counted_in_slices_without_a_trace() -> None:
    line = "Two words, 世界 and 12345.\n"
    assert estimate_tokens(line * 100_000) == pytest.approx(
        100_000 * estimate_tokens(line * 100) / 100, rel=0.001
    )


@pytest.mark.parametrize(
    "text", ["a" * 3_000_000, " " * 3_000_000, "0" * 3_000_000, "中" * 1_000_000, "aA" * 1_500_000]
)
def test_monotonous_text_costs_linear_time(text: str) -> None:
    grows_with(lambda count: estimate_tokens(text[:count]), len(text) // 4)
