"""What one result of a long input would take: parts, levels of merges, tokens and money."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from gptkit.chat import OutputFormat
from gptkit.cli.long.dry import priced
from gptkit.documents.pieces import Piece
from gptkit.documents.tokens import estimate
from gptkit.engine.budget import prompt_tokens
from gptkit.engine.long.asking import in_one_piece
from gptkit.engine.long.lacking import Lacking, by_part, newly
from gptkit.engine.long.tree import RESULT, plan
from gptkit.engine.long.values import Job

if TYPE_CHECKING:
    from gptkit.services import Services

RULES = 200
"""Tokens of what each step is told beside the prompt."""
LEAST, MOST = RESULT * 2, RESULT // 2
"""A result has between the one and the other part of the room of a request."""


def forecast(
    services: Services,
    job: Job,
    pieces: Iterable[Piece],
    room: int,
    form: OutputFormat,
) -> str:
    """Reads all of the input; sends nothing. Merges count as requests, whatever the memory has of them."""
    tokens, asked, repeated = _counted(by_part(pieces, job, form, room), newly(job))
    levels = plan(tokens, room)
    merges = sum(levels[1:])
    requests = len(asked) + merges
    around = prompt_tokens(in_one_piece(job, "x", form)) + RULES
    prompt = sum(asked) + requests * around + (len(tokens) + merges) * (room // RESULT) * bool(merges)
    answers = requests * (room // LEAST), requests * (room // MOST)
    return json.dumps(
        {
            "prompt": job.invocation.template.name,
            "url": services.url,
            "format": job.format.name,
            "parts": len(tokens),
            "levels": list(levels),
            "in_memory": len(tokens) - len(asked) - repeated,
            "repeated": repeated,
            "requests": requests,
            "estimate": {
                "prompt_tokens": prompt,
                "completion_tokens": list(answers),
                "cost": priced(services, job, requests, prompt, answers),
            },
        },
        ensure_ascii=False,
        indent=2,
    )


def _counted(
    found: Iterable[tuple[Piece, Sequence[Lacking]]], is_new: Callable[[bytes], bool]
) -> tuple[list[int], list[int], int]:
    """The tokens of all parts, those of the parts that are asked for, and how many wait for another with
    the same text."""
    tokens: list[int] = []
    asked: list[int] = []
    repeated = 0
    for piece, lacking in found:
        tokens.append(estimate(piece.source))
        new = [one for one in lacking if is_new(one.key)]
        repeated += bool(lacking) and not new
        if new:
            asked.append(tokens[-1])
    return tokens, asked, repeated
