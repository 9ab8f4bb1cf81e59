"""A long text in one result: its parts side by side, then their results merged, level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, islice
from typing import Literal, NamedTuple

from gptkit.core.chat import Finished, OutputFormat, Reply, Sink, Text
from gptkit.core.tokens import estimate
from gptkit.engine.long.reducing import Result, Steps, last_rules, together
from gptkit.exchange.ask import answered
from gptkit.exchange.invocation import Means, Outcome, request
from gptkit.jobs.job import Job, about
from gptkit.jobs.merge_plan import fits, groups
from gptkit.jobs.request import in_one_piece, key_of, with_rules
from gptkit.jobs.workers import Workshop
from gptkit.text.chunk import lines_of
from gptkit.text.formats.plain import Plain
from gptkit.text.pieces import Finding, Held, Piece

OVER = 1.5
"""A piece whose source is so much longer than what is asked for, mostly since a format hides much of it
from translators, is cut."""
SHRUNK = 0.8
"""Where merging leaves more than that of what there was, more of it leads nowhere."""


class Step(NamedTuple):
    """How far it is: `done` of the results of a level, `of` how many where that is known; `bytes` of the
    source are worked on."""

    level: int
    done: int
    of: int | None
    bytes: int


class Gathered(NamedTuple):
    """What the last request is made of: results in order, or the text itself where it is one part."""

    results: tuple[Result, ...]
    whole: str = ""
    levels: int = 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The parts that are missing."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def is_empty(self) -> bool:
        return not self.whole and not any(result.text for result in self.results)


def gathered(
    pieces: Iterable[Piece], job: Job, means: Means, room: int, watch: Callable[[Step], None]
) -> Gathered:
    """All levels but the last. Raises the first failure that ends the whole job.

    Args:
        pieces: as the format cuts them.
        room: how many tokens of text one request may have.
        watch: is told of every result, in the thread of the caller.
    """
    found = parts(pieces, room)
    first = list(islice(found, 2))
    if len(first) < 2:
        return Gathered((), first[0].source if first else "")
    steps = Steps(job, room)
    workshop = Workshop(steps.done, job.workers, means)
    try:
        results = _counted(workshop.run((piece,) for piece in chain(first, found)), 1, None, watch)
        level, weights = 1, _weights(results)
        while not fits(weights, room):
            level += 1
            runs = groups([result.opening for result in results], weights, room)
            merged = workshop.run(tuple(results[run.start : run.stop]) for run in runs)
            results = _counted(merged, level, len(runs), watch)
            before, weights = sum(weights), _weights(results)
            if sum(weights) > SHRUNK * before:
                break
        return Gathered(tuple(results), levels=level)
    finally:
        workshop.close()


def concluded(found: Gathered, job: Job, means: Means, sink: Sink | None) -> Outcome:
    """The last merge, which is shown while it arrives; or the answer that the memory has."""
    text = found.whole or together(found.results)
    rules = "" if found.whole else last_rules(found.results)
    name = result_name(job, text, means.format, "whole" if found.whole else "last")
    memory = job.memory
    with memory.claim(name, means.sleep) if memory else nullcontext():
        held = memory.get(name) if memory and not job.fresh else None
        if held is not None:
            return _remembered(held.answer, job, means, sink)
        sent = request(job.invocation._replace(text=text), means.format)
        exact = job.invocation.exact
        outcome = answered(with_rules(sent, rules) if rules else sent, means, sink, exact=exact)
        if memory and outcome.failure is None:
            memory.put(name, text, Held(outcome.reply.text), about(job))
        return outcome


def result_name(job: Job, text: str, form: OutputFormat, step: Literal["whole", "last"]) -> bytes:
    """What the result is found by: of a text that is one part, or of all results together."""
    return key_of(job, in_one_piece(job, text, form), step)


def parts(pieces: Iterable[Piece], most: int) -> Iterator[Piece]:
    """Pieces by the length of their sources: all of a source is read here, also what is not translated."""
    held: Piece | None = None
    size = 0
    for piece in pieces:
        weight = estimate(piece.source)
        if held is not None and not piece.text and size + weight <= most:
            held, size = held._replace(source=held.source + piece.source), size + weight
            continue
        if held is not None and held.source.strip():
            yield held
        held, size = piece, weight
        if weight > OVER * most:
            yield from _cut(piece, most)
            held = None
    if held is not None and held.source.strip():
        yield held


def _cut(piece: Piece, most: int) -> Iterator[Piece]:
    for one in Plain().pieces(lines_of(piece.source), most):
        if one.source.strip():
            yield one._replace(line=piece.line + one.line - 1, path=piece.path)


def _weights(results: Sequence[Result]) -> list[int]:
    return [estimate(result.text) + 10 for result in results]


def _counted(
    results: Iterable[Result], level: int, of: int | None, watch: Callable[[Step], None]
) -> list[Result]:
    found: list[Result] = []
    size = 0
    for result in results:
        found.append(result)
        size += result.bytes
        watch(Step(level, len(found), of, size))
    return found


def _remembered(text: str, job: Job, means: Means, sink: Sink | None) -> Outcome:
    if sink is not None:
        sink(Text(text))
        sink(Finished("stop"))
    reply = Reply(text=text, reason="stop", model=job.invocation.model, attempts=0)
    return Outcome(reply, text if job.invocation.exact else means.format.finish(text))
