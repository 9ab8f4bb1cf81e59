"""JSON for people and programs, written in pieces: no second copy of a long answer is ever held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

PIECE = 1 << 18
"""Characters after which a piece is handed on."""


def json_pieces(value: object) -> Iterator[str]:
    """What `json.dumps(value, ensure_ascii=False, indent=2)` gives, a piece at a time."""
    waiting: list[str] = []
    size = 0
    for token in _tokens(value, "\n"):
        waiting.append(token)
        size += len(token)
        if size >= PIECE:
            yield "".join(waiting)
            waiting, size = [], 0
    yield "".join(waiting)


def _tokens(value: object, margin: str) -> Iterator[str]:
    """`margin` is a line break and the spaces before what stands beside the value."""
    if isinstance(value, str):
        yield '"'
        for start in range(0, len(value), PIECE):
            yield json.dumps(value[start : start + PIECE], ensure_ascii=False)[1:-1]
        yield '"'
    elif isinstance(value, Mapping) and value:
        yield "{"
        for position, (name, inner) in enumerate(value.items()):
            yield f"{',' if position else ''}{margin}  {json.dumps(str(name), ensure_ascii=False)}: "
            yield from _tokens(inner, f"{margin}  ")
        yield margin + "}"
    elif isinstance(value, list | tuple) and value:
        yield "["
        for position, inner in enumerate(value):
            yield f"{',' if position else ''}{margin}  "
            yield from _tokens(inner, f"{margin}  ")
        yield margin + "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
