"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import re

import pytest

from gptkit.core.patterns import lazy_pattern


def test_is_the_pattern_that_it_stands_for() -> None:
    pattern = lazy_pattern(r"(?P<first>A)b", re.IGNORECASE)
    assert pattern.sub("x", "abABc") == "xxc"
    assert [match["first"] for match in pattern.finditer("abAB")] == ["a", "A"]
    assert "first" in pattern.groupindex


def test_a_broken_one_is_told_when_it_is_used() -> None:
    pattern = lazy_pattern("(")
    with pytest.raises(re.error):
        pattern.search("")
