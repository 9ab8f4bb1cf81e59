"""Estimate what a long job would need before anything is sent: requests, tokens and money."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import prompt_tokens
from gptkit.jobs.merge_plan import requests_by_level, result_token_limit
from gptkit.jobs.missing import first_time
from gptkit.jobs.request import plain_request

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest, OutputFormat
    from gptkit.jobs.job import Job
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.services import Services
    from gptkit.text.pieces import Piece


LEAST_RATIO, MOST_RATIO = 0.8, 1.45
"""Tokens of an answer for each token of the text: from Russian into English, and from English into
Russian."""
PIECES_PER_RETRY = 10
"""Of this many pieces, and of fewer, at most one is expected to be asked for twice."""
SHORTEST_DIVISOR, USUAL_DIVISOR = 4, 2
"""By which the longest result is divided to get the shortest and the usual result."""
RULE_TOKENS = 200
"""Tokens of the rules that a merge is sent besides the prompt."""


def forecast(
    services: Services,
    job: Job,
    format_: OutputFormat,
    pieces: Iterable[tuple[Piece, Sequence[MissingAnswer]]],
    is_awaited: Callable[[bytes], object] = lambda _: None,
    token_limit: int = 0,
) -> dict[str, object]:
    """Return what `--dry-run` prints; reads all of the input and sends nothing.

    `pieces` come with the answers that the memory lacks of them. `is_awaited` tells whether a batch is to
    bring the answer to a key. `token_limit` is that of a request whose results are merged, 0 without merges;
    merges count as requests even if the memory has their answers.
    """
    counter = _PieceCounter(job, is_awaited, is_merged=bool(token_limit))
    for piece, missing in pieces:
        counter.add(piece, missing)
    levels = (
        requests_by_level(counter.sizes, token_limit, result_token_limit(token_limit) // USUAL_DIVISOR)
        if token_limit
        else ()
    )
    merge_prompt = prompt_tokens(plain_request(job, "", format_)) + RULE_TOKENS
    estimates = (
        [counter.reduce_estimate(token_limit, part, merge_prompt) for part in (SHORTEST_DIVISOR, 1)]
        if token_limit
        else counter.map_estimates()
    )
    return {
        "prompt": job.invocation.template.name,
        "url": services.url,
        "format": job.format.name,
        **counter.counts,
        "requests": counter.requests + sum(levels[1:]),
        **({"levels": list(levels)} if token_limit else {}),
        "estimate": {name: [getattr(estimate, name) for estimate in estimates] for name in Estimate._fields}
        | {"cost": _cost_range(services, job, estimates)},
        "body": counter.first_request.body() if counter.first_request else None,
    }


class Estimate(NamedTuple):
    """The requests and tokens of a whole job."""

    requests: int
    prompt_tokens: int
    completion_tokens: int


class _PieceCounter:
    """Counts pieces: unchanged, in the memory, in a batch, repeated; and the tokens of the requests for the
    others.

    `sizes` are the tokens of the sources of all pieces whose results are merged.
    """

    def __init__(self, job: Job, is_awaited: Callable[[bytes], object], is_merged: bool) -> None:
        self.counts = dict.fromkeys(("pieces", "unchanged", "in_memory", "in_batch", "repeated"), 0)
        self.sizes: list[int] = []
        self.first_request: ChatRequest | None = None
        self.requests = 0
        self._prompt_tokens = self._text_tokens = 0
        self._is_awaited = is_awaited
        self._is_new = first_time(job)
        self._is_merged = is_merged

    def add(self, piece: Piece, missing_answers: Sequence[MissingAnswer]) -> None:
        missing = [answer for answer in missing_answers if not self._is_awaited(answer.key)]
        new = [answer for answer in missing if self._is_new(answer.key)]
        self.counts["pieces"] += 1
        if self._is_merged:
            self.sizes.append(estimate_tokens(piece.source))
        if not (piece.text or self._is_merged):
            self.counts["unchanged"] += 1
        elif not new:
            self.counts["repeated" if missing else "in_batch" if missing_answers else "in_memory"] += 1
        for answer in new:
            request = answer.request()
            self.first_request = self.first_request or request
            self.requests += 1
            self._prompt_tokens += prompt_tokens(request)
            self._text_tokens += estimate_tokens(answer.piece.text)

    def map_estimates(self) -> list[Estimate]:
        """Return the least and the most that a map needs; a request that is repeated holds the first
        answer."""
        retries = -(-self.requests // PIECES_PER_RETRY)
        share = retries / max(1, self.requests)
        prompt, answer = self._prompt_tokens, self._text_tokens * MOST_RATIO
        return [
            Estimate(self.requests, prompt, int(self._text_tokens * LEAST_RATIO)),
            Estimate(
                self.requests + retries, int(prompt + (prompt + answer) * share), int(answer * (1 + share))
            ),
        ]

    def reduce_estimate(self, token_limit: int, part: int, merge_prompt: int) -> Estimate:
        """Return what a reduction needs if a result has the longest result's tokens divided by `part`."""
        result = result_token_limit(token_limit) // part
        merges = sum(requests_by_level(self.sizes, token_limit, result)[1:])
        read = merges * merge_prompt + (len(self.sizes) + merges - 1) * result if merges else 0
        requests = self.requests + merges
        return Estimate(requests, self._prompt_tokens + read, requests * result)


def _cost_range(services: Services, job: Job, estimates: Sequence[Estimate]) -> Mapping[str, object] | None:
    """Return the least and the most US dollars, with the day of the prices; None without a known price."""
    model, prices = job.invocation.model, services.prices
    dollars = []
    for requests, *tokens in estimates:
        cost = prices.cost(model, *(count // max(1, requests) for count in tokens))
        if cost is None:
            return None
        dollars.append(round(cost * requests * job.price_factor, 6))
    source = prices.source(model)
    dated = {} if source in ("settings", "offline") else {"prices": prices.version, "date": prices.date}
    return {"usd": dollars, **dated}
