"""What one result of a long input would take: parts, levels of merges, tokens and money."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gptkit.chat import OutputFormat
from gptkit.cli.long.dry import priced
from gptkit.documents.pieces import Piece
from gptkit.documents.tokens import estimate
from gptkit.engine.budget import prompt_tokens
from gptkit.engine.long.asking import in_one_piece
from gptkit.engine.long.reduce import parts
from gptkit.engine.long.reducing import Steps
from gptkit.engine.long.tree import RESULT, plan
from gptkit.engine.long.values import Job

if TYPE_CHECKING:
    from gptkit.services import Services

RULES = 200
"""Tokens of what each step is told beside the prompt."""
LEAST, MOST = RESULT * 2, RESULT // 2
"""A result has between the one and the other part of the room of a request."""


def forecast(services: Services, job: Job, pieces: Iterable[Piece], room: int, form: OutputFormat) -> str:
    """Reads all of the input; sends nothing. Merges count as requests, whatever the memory has of them."""
    steps = Steps(job, room)
    tokens: list[int] = []
    held = text = 0
    for piece in parts(pieces, room):
        tokens.append(estimate(piece.source))
        if not any(steps.lacking(piece, form)):
            held += 1
        else:
            text += tokens[-1]
    levels = plan(tokens, room)
    merges = sum(levels[1:])
    requests = len(tokens) - held + merges
    around = prompt_tokens(in_one_piece(job, "x", form)) + RULES
    prompt = text + requests * around + (len(tokens) + merges) * (room // RESULT) * bool(merges)
    answers = requests * (room // LEAST), requests * (room // MOST)
    return json.dumps(
        {
            "prompt": job.invocation.template.name,
            "url": services.url,
            "format": job.format.name,
            "parts": len(tokens),
            "levels": list(levels),
            "in_memory": held,
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
