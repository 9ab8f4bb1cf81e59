"""A piece as one line of text, for where it waits on disk."""

from __future__ import annotations

import json

from gptkit.text.pieces import Piece, Slot


def filed(piece: Piece) -> str:
    return json.dumps(piece)


def unfiled(text: str) -> Piece:
    source, masked, masks, units, path, line, form, slots, *_ = json.loads(text)
    return Piece(
        source,
        masked,
        tuple(masks),
        tuple(units),
        tuple(path),
        line,
        form,
        tuple(Slot(*one) for one in slots),
    )
