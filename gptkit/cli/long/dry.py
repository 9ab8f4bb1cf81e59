"""What a long job would take: pieces, requests, tokens and money, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.chat import OutputFormat, Request
from gptkit.documents.pieces import Piece
from gptkit.documents.tokens import estimate
from gptkit.engine.budget import prompt_tokens
from gptkit.engine.long.lacking import by_piece
from gptkit.engine.long.values import Job

if TYPE_CHECKING:
    from gptkit.services import Services

LEAST, MOST = 0.8, 1.6
"""Tokens of an answer for each token of the text: from Russian into English to English into Russian,
with one piece in ten asked for twice."""


class Forecast(NamedTuple):
    """`in_batch` are the pieces that a batch under way is to bring, `repeated` those that wait for another
    with the same text; `first` is the first of the `requests`."""

    pieces: int
    through: int
    in_memory: int
    in_batch: int
    repeated: int
    requests: int
    prompt_tokens: int
    text_tokens: int
    first: Request | None


def forecast(
    pieces: Iterable[Piece],
    job: Job,
    form: OutputFormat,
    awaited: Callable[[bytes], object],
    is_new: Callable[[bytes], bool],
) -> Forecast:
    """Reads all of the input; sends nothing. `awaited` knows what a batch is to bring, `is_new` what is
    asked for already."""
    count = through = held = waiting = repeated = requests = prompt = text = 0
    first: Request | None = None
    for piece, lacking in by_piece(pieces, job, form):
        count += 1
        through += not piece.text
        held += bool(piece.text) and not lacking
        missing = [one for one in lacking if not awaited(one.key)]
        waiting += bool(lacking) and not missing
        new = [one for one in missing if is_new(one.key)]
        repeated += bool(missing) and not new
        for one in new:
            sent = one.request()
            first = first or sent
            requests += 1
            prompt += prompt_tokens(sent)
            text += estimate(one.piece.text)
    return Forecast(count, through, held, waiting, repeated, requests, prompt, text, first)


def total(forecasts: Sequence[Forecast]) -> Forecast:
    """Of several documents together."""
    return Forecast(
        sum(one.pieces for one in forecasts),
        sum(one.through for one in forecasts),
        sum(one.in_memory for one in forecasts),
        sum(one.in_batch for one in forecasts),
        sum(one.repeated for one in forecasts),
        sum(one.requests for one in forecasts),
        sum(one.prompt_tokens for one in forecasts),
        sum(one.text_tokens for one in forecasts),
        next((one.first for one in forecasts if one.first), None),
    )


def record(
    services: Services, job: Job, found: Forecast, url: str, more: Mapping[str, object] | None = None
) -> str:
    """The forecast as `--dry-run` prints it."""
    least, most = (int(found.text_tokens * share) for share in (LEAST, MOST))
    return json.dumps(
        {
            "prompt": job.invocation.template.name,
            "url": url,
            "format": job.format.name,
            **(more or {}),
            "pieces": found.pieces,
            "unchanged": found.through,
            "in_memory": found.in_memory,
            "in_batch": found.in_batch,
            "repeated": found.repeated,
            "requests": found.requests,
            "estimate": {
                "prompt_tokens": found.prompt_tokens,
                "completion_tokens": [least, most],
                "cost": priced(services, job, found.requests, found.prompt_tokens, (least, most)),
            },
            "body": found.first.body() if found.first else None,
        },
        ensure_ascii=False,
        indent=2,
    )


def priced(
    services: Services, job: Job, requests: int, tokens: int, answers: tuple[int, int]
) -> Mapping[str, object] | None:
    """A range, with the day of the prices; None where no price is known."""
    model, prices = job.invocation.model, services.prices
    each = max(1, requests)
    costs = [prices.cost(model, tokens // each, answer // each) for answer in answers]
    if costs[0] is None or costs[1] is None:
        return None
    source = prices.source(model)
    dated = {} if source in ("settings", "offline") else {"prices": prices.version, "date": prices.date}
    paid = requests * job.share
    return {"usd": [round(cost * paid, 6) for cost in costs if cost is not None], **dated}
