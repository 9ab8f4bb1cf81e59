"""JSON in pieces: the same text as the standard library's, and no piece much longer than announced."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.output.json_format import PIECE_SIZE, json_pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_it_is_what_the_standard_library_writes(value: object) -> None:
    assert "".join(json_pieces(value)) == json.dumps(value, ensure_ascii=False, indent=2)


@pytest.mark.parametrize("unit", ["x", "世", '"\\\n', "🌍\x00"])
def test_a_long_text_comes_in_pieces(unit: str) -> None:
    value = {"answer": unit * (3 * PIECE_SIZE // len(unit)), "reason": ["stop"]}
    pieces = list(json_pieces(value))
    assert "".join(pieces) == json.dumps(value, ensure_ascii=False, indent=2)
    assert len(pieces) > 3
    assert max(map(len, pieces)) <= 7 * PIECE_SIZE  # as long as all of a piece is written with escapes


def test_short_tokens_are_handed_on_together() -> None:
    assert list(json_pieces({"a": [1, 2, {"b": "c"}]})) == [
        json.dumps({"a": [1, 2, {"b": "c"}]}, indent=2),
    ]
