"""What a long job would take: requests, tokens and money, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import prompt_tokens
from gptkit.jobs.merge_plan import longest, plan
from gptkit.jobs.missing import newly
from gptkit.jobs.request import in_one_piece

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest, OutputFormat
    from gptkit.jobs.job import Job
    from gptkit.jobs.missing import Lacking
    from gptkit.services import Services
    from gptkit.text.pieces import Piece


LEAST, MOST = 0.8, 1.45
"""Tokens of an answer for each token of the text: from Russian into English, and back."""
TWICE = 10
"""Of so many pieces one is asked for twice at most, and one of fewer."""
SHORTEST, USUAL = 4, 2
"""The shortest and the usual result have one part in so many of the longest."""
RULES = 200
"""Tokens of what a merge is told beside the prompt."""


def forecast(
    services: Services,
    job: Job,
    form: OutputFormat,
    found: Iterable[tuple[Piece, Sequence[Lacking]]],
    awaited: Callable[[bytes], object] = lambda _: None,
    room: int = 0,
) -> dict[str, object]:
    """As `--dry-run` prints it. Reads all of the input; sends nothing.

    Args:
        found: the pieces of a document, or of several, each with what lacks of it.
        awaited: knows what a batch is to bring.
        room: how many tokens of text a request may have, where the results of the pieces are merged. Merges
            count as requests, whatever the memory has of them.
    """
    count = _Count(job, awaited, is_merged=bool(room))
    for piece, lacking in found:
        count.add(piece, lacking)
    levels = plan(count.sizes, room, longest(room) // USUAL) if room else ()
    around = prompt_tokens(in_one_piece(job, "", form)) + RULES
    loads = [count.merged(room, part, around) for part in (SHORTEST, 1)] if room else count.asked()
    return {
        "prompt": job.invocation.template.name,
        "url": services.url,
        "format": job.format.name,
        **count.told,
        "requests": count.requests + sum(levels[1:]),
        **({"levels": list(levels)} if room else {}),
        "estimate": {name: [getattr(one, name) for one in loads] for name in Load._fields}
        | {"cost": _cost(services, job, loads)},
        "body": count.first.body() if count.first else None,
    }


class Load(NamedTuple):
    """Of a whole job."""

    requests: int
    prompt_tokens: int
    completion_tokens: int


class _Count:
    """Of pieces: those that need no request, that the memory has, that a batch is to bring, that wait for
    another with the same text; and what the others take. `sizes` are the tokens of all that are merged."""

    def __init__(self, job: Job, awaited: Callable[[bytes], object], is_merged: bool) -> None:
        self.told = dict.fromkeys(("pieces", "unchanged", "in_memory", "in_batch", "repeated"), 0)
        self.sizes: list[int] = []
        self.first: ChatRequest | None = None
        self.requests = 0
        self._prompt = self._text = 0
        self._awaited = awaited
        self._is_new = newly(job)
        self._is_merged = is_merged

    def add(self, piece: Piece, lacking: Sequence[Lacking]) -> None:
        missing = [one for one in lacking if not self._awaited(one.key)]
        new = [one for one in missing if self._is_new(one.key)]
        self.told["pieces"] += 1
        if self._is_merged:
            self.sizes.append(estimate_tokens(piece.source))
        if not (piece.text or self._is_merged):
            self.told["unchanged"] += 1
        elif not new:
            self.told["repeated" if missing else "in_batch" if lacking else "in_memory"] += 1
        for one in new:
            sent = one.request()
            self.first = self.first or sent
            self.requests += 1
            self._prompt += prompt_tokens(sent)
            self._text += estimate_tokens(one.piece.text)

    def asked(self) -> list[Load]:
        """At least, and at most; who asks again sends the first answer as well."""
        again = -(-self.requests // TWICE)
        share = again / max(1, self.requests)
        prompt, answer = self._prompt, self._text * MOST
        return [
            Load(self.requests, prompt, int(self._text * LEAST)),
            Load(self.requests + again, int(prompt + (prompt + answer) * share), int(answer * (1 + share))),
        ]

    def merged(self, room: int, part: int, around: int) -> Load:
        """With results that have one part in so many of the longest; each of them is read once."""
        result = longest(room) // part
        merges = sum(plan(self.sizes, room, result)[1:])
        read = merges * around + (len(self.sizes) + merges - 1) * result if merges else 0
        requests = self.requests + merges
        return Load(requests, self._prompt + read, requests * result)


def _cost(services: Services, job: Job, loads: Sequence[Load]) -> Mapping[str, object] | None:
    """A range, with the day of the prices; None where no price is known."""
    model, prices = job.invocation.model, services.prices
    dollars = []
    for requests, *tokens in loads:
        cost = prices.cost(model, *(each // max(1, requests) for each in tokens))
        if cost is None:
            return None
        dollars.append(round(cost * requests * job.share, 6))
    source = prices.source(model)
    dated = {} if source in ("settings", "offline") else {"prices": prices.version, "date": prices.date}
    return {"usd": dollars, **dated}
