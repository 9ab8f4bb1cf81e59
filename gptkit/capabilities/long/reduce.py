"""A long text in one result: its parts side by side, then their results merged, level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain, islice
from typing import Literal, NamedTuple

from gptkit.core.chat import AnswerDelta, ChatRequest, Finished, OutputFormat, Reply, Sink
from gptkit.core.errors import IncompleteError, ProtocolError, RefusedError, TooLongError
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.ask import request_answer
from gptkit.exchange.invocation import Outcome, Runtime, build_request
from gptkit.jobs.job import Job, about
from gptkit.jobs.merge_plan import fits, groups, words
from gptkit.jobs.missing import Lacking
from gptkit.jobs.request import in_one_piece, key_of, with_rules
from gptkit.jobs.workers import Workshop
from gptkit.text.chunk import split_lines
from gptkit.text.compose import count_line_ends
from gptkit.text.formats.plain import PlainText
from gptkit.text.pieces import Finding, Piece, PieceAnswer

DEEPEST = 6
"""How often a part that is too long for the window is halved; one whose result is cut, a third as often."""
PART = """\
The text is one part of a longer document. Nobody reads your result as it stands: it is merged with the \
results of the other parts into one for the whole document.
- Keep what the result for the whole may need, in the order of the text: facts, names, numbers, who says \
what.{form}
- At most {words} words, or {characters} characters where no spaces part the words.
- Neither say that it is a part, nor guess what the others hold."""
MERGE = """\
The text is made of results for consecutive parts of one document, in their order, each between <part> and \
</part>. Nobody reads your result as it stands: it is merged with others like it into one for the whole \
document.
- Merge them: say once what several of them say, and keep what the result for the whole may need, in \
order.{form}
- At most {words} words, or {characters} characters where no spaces part the words.
- Never mention the parts, nor that there are results."""
LAST = """\
The text is made of results for consecutive parts of one document, in their order, each between <part> and \
</part>. Write the one result for the document from them, in the form and the length that are asked for \
above, as if you had read the document itself.
- Say once what several of them say; what matters to the document as a whole comes before what matters to a \
part.
- Never mention the parts, nor that there are results."""
OPENING = 40
"""Characters by which a part is known, whatever changes behind them."""
FREE = " The form and the length that are asked for above hold for the whole alone."
BOUND = " Keep the form that is asked for above."
GAP = """
- Where it says that a part is missing, nothing is known of that part: do not guess what it says, and do \
not say that the document is silent on something."""
MISSING = "[A part of the document is missing here.]"


class Result(NamedTuple):
    """Of the lines from `first` to `last`; `text` is empty where all of them are missing.

    `findings` tell of what is missing. `opening` is how its source begins.
    """

    text: str
    first: int
    last: int
    bytes: int
    findings: tuple[Finding, ...] = ()
    opening: str = ""


class Steps:
    """What the workers do, each step through the memory."""

    def __init__(self, job: Job, room: int) -> None:
        self._job = job
        self._words = words(room)

    def done(self, step: tuple[Piece | Result, ...], runtime: Runtime) -> Result:
        """A step is one piece, or the results that are to be merged."""
        if isinstance(step[0], Piece):
            return self._part(step[0], runtime, 0)
        return self._merged([one for one in step if isinstance(one, Result)], runtime)

    def lacking(self, piece: Piece, form: OutputFormat) -> Iterator[Piece]:
        """What the memory has no result of: the part, or what lacks of the halves that it needs."""
        try:
            known = self._known(self.name(piece, form))
        except _InHalves:
            for half in PlainText().halves(piece) or ():
                yield from self.lacking(half, form)
        else:
            if known is None:
                yield piece

    def name(self, piece: Piece, form: OutputFormat) -> bytes:
        """What the result of a part is found by."""
        return self._name(piece.source, "part", form)

    def asked(self, piece: Piece, form: OutputFormat) -> ChatRequest:
        """The request for a part."""
        return self._request(piece.source, PART, form)

    def _part(self, piece: Piece, runtime: Runtime, depth: int) -> Result:
        try:
            return _of(piece, self._answer(piece.source, "part", PART, runtime))
        except _InHalves:
            return self._halved(piece, runtime, depth) or _of(piece, "")
        except (TooLongError, IncompleteError) as error:
            deepest = DEEPEST if isinstance(error, TooLongError) else DEEPEST // 3
            found = self._halved(piece, runtime, depth) if depth < deepest else None
            if found is None:
                return _of(piece, "", error.message)
            if not found.findings:
                self._keep(piece.source, "part", PieceAnswer("", in_halves=True), runtime.format)
            return found
        except (RefusedError, ProtocolError) as error:
            return _of(piece, "", error.message)

    def _halved(self, piece: Piece, runtime: Runtime, depth: int) -> Result | None:
        halves = PlainText().halves(piece)
        if halves is None:
            return None
        first, second = (self._part(half, runtime, depth + 1) for half in halves)
        return _joined((first, second))

    def _merged(self, results: Sequence[Result], runtime: Runtime) -> Result:
        """Those that cannot be merged stay side by side: the next level gets them all."""
        whole = _joined(results)
        if sum(bool(result.text) for result in results) < 2:
            return whole
        rules = MERGE + (GAP if whole.findings else "")
        try:
            text = self._answer(together(results), "merge", rules, runtime)
        except (TooLongError, IncompleteError, RefusedError, ProtocolError):
            return whole
        return whole._replace(text=text)

    def _answer(self, text: str, step: str, rules: str, runtime: Runtime) -> str:
        memory = self._job.memory
        if memory is None:
            return self._sent(text, rules, runtime)
        name = self._name(text, step, runtime.format)
        if (known := self._known(name)) is not None:
            return known
        with memory.claim(name, runtime.sleep):
            if (known := self._known(name)) is not None:
                return known
            answer = self._sent(text, rules, runtime)
            self._keep(text, step, PieceAnswer(answer), runtime.format)
            runtime.answer_stored()
            return answer

    def _known(self, name: bytes) -> str | None:
        memory = self._job.memory
        held = memory.get(name) if memory is not None and not self._job.fresh else None
        if held is not None and held.in_halves:
            raise _InHalves
        return held.answer if held is not None else None

    def _sent(self, text: str, rules: str, runtime: Runtime) -> str:
        outcome = request_answer(self._request(text, rules, runtime.format), runtime, None)
        if outcome.failure is not None:
            raise outcome.failure
        return outcome.answer

    def _request(self, text: str, rules: str, form: OutputFormat) -> ChatRequest:
        bound = BOUND if form.parameters else FREE
        told = rules.format(form=bound, words=self._words, characters=2 * self._words)
        return with_rules(in_one_piece(self._job, text, form), told)

    def _keep(self, text: str, step: str, held: PieceAnswer, form: OutputFormat) -> None:
        if self._job.memory is not None:
            self._job.memory.put(self._name(text, step, form), text, held, about(self._job))

    def _name(self, text: str, step: str, form: OutputFormat) -> bytes:
        return key_of(self._job, in_one_piece(self._job, text, form), f"{step} {self._words}")


class _InHalves(Exception):  # noqa: N818 - no error: the memory says how to go on
    """The part was too long once already."""


def together(results: Sequence[Result]) -> str:
    """What a merge is asked for with."""
    return "\n".join(f"<part>\n{(result.text or MISSING).strip()}\n</part>" for result in results)


def last_rules(results: Sequence[Result]) -> str:
    return LAST + (GAP if any(result.findings for result in results) else "")


def _joined(results: Sequence[Result]) -> Result:
    """Several as one, their texts one after the other."""
    texts = [result.text or MISSING for result in results]
    return Result(
        "\n\n".join(text.strip() for text in texts) if any(result.text for result in results) else "",
        results[0].first,
        results[-1].last,
        sum(result.bytes for result in results),
        tuple(finding for result in results for finding in result.findings),
        results[0].opening,
    )


def _of(piece: Piece, text: str, trouble: str = "") -> Result:
    """Of one part; with a `trouble`, it is missing."""
    first, last = piece.line, piece.line + count_line_ends(piece.source.rstrip("\r\n"))
    where = f"lines {first} to {last} are" if last > first else f"line {first} is"
    findings = (Finding(first, "empty", f"{where} missing: {trouble}"),) if trouble else ()
    size = len(piece.source.encode("utf-8", "replace"))
    return Result(text, first, last, size, findings, piece.source.lstrip()[:OPENING])


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
    pieces: Iterable[Piece], job: Job, runtime: Runtime, room: int, watch: Callable[[Step], None]
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
    workshop = Workshop(steps.done, job.workers, runtime)
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


def concluded(found: Gathered, job: Job, runtime: Runtime, sink: Sink | None) -> Outcome:
    """The last merge, which is shown while it arrives; or the answer that the memory has."""
    text = found.whole or together(found.results)
    rules = "" if found.whole else last_rules(found.results)
    name = result_name(job, text, runtime.format, "whole" if found.whole else "last")
    memory = job.memory
    with memory.claim(name, runtime.sleep) if memory else nullcontext():
        held = memory.get(name) if memory and not job.fresh else None
        if held is not None:
            return _remembered(held.answer, job, runtime, sink)
        sent = build_request(job.invocation._replace(text=text), runtime.format)
        exact = job.invocation.exact
        outcome = request_answer(with_rules(sent, rules) if rules else sent, runtime, sink, exact=exact)
        if memory and outcome.failure is None:
            memory.put(name, text, PieceAnswer(outcome.reply.text), about(job))
        return outcome


def result_name(job: Job, text: str, form: OutputFormat, step: Literal["whole", "last"]) -> bytes:
    """What the result is found by: of a text that is one part, or of all results together."""
    return key_of(job, in_one_piece(job, text, form), step)


def parts(pieces: Iterable[Piece], most: int) -> Iterator[Piece]:
    """Pieces by the length of their sources: all of a source is read here, also what is not translated."""
    held: Piece | None = None
    size = 0
    for piece in pieces:
        weight = estimate_tokens(piece.source)
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
    for one in PlainText().pieces(split_lines(piece.source), most):
        if one.source.strip():
            yield one._replace(line=piece.line + one.line - 1, path=piece.path)


def _weights(results: Sequence[Result]) -> list[int]:
    return [estimate_tokens(result.text) + 10 for result in results]


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


def _remembered(text: str, job: Job, runtime: Runtime, sink: Sink | None) -> Outcome:
    if sink is not None:
        sink(AnswerDelta(text))
        sink(Finished("stop"))
    reply = Reply(text=text, reason="stop", model=job.invocation.model, attempts=0)
    return Outcome(reply, text if job.invocation.exact else runtime.format.finish(text))


def lacking_parts(pieces: Iterable[Piece], job: Job, form: OutputFormat, room: int) -> Iterator[Lacking]:
    """Of a document that becomes one result: its first level, or the only request that it takes."""
    for _, lacking in by_part(pieces, job, form, room):
        yield from lacking


def by_part(
    pieces: Iterable[Piece], job: Job, form: OutputFormat, room: int
) -> Iterator[tuple[Piece, Sequence[Lacking]]]:
    """Every part with what lacks of it: nothing, or itself, or some of its halves."""
    found = parts(pieces, room)
    first = list(islice(found, 2))
    if len(first) < 2:
        yield from ((piece, _whole(piece, job, form)) for piece in first)
        return
    steps = Steps(job, room)
    for part in chain(first, found):
        yield (
            part,
            [
                Lacking(steps.name(piece, form), piece, partial(steps.asked, piece, form))
                for piece in steps.lacking(part, form)
            ],
        )


def _whole(piece: Piece, job: Job, form: OutputFormat) -> Sequence[Lacking]:
    """Of a text that is one part: its one request is for the result."""
    name = result_name(job, piece.source, form, "whole")
    if job.memory is not None and not job.fresh and job.memory.get(name) is not None:
        return ()
    return (Lacking(name, piece, partial(in_one_piece, job, piece.source, form)),)
