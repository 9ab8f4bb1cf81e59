"""Reduce a long text to one result: ask for a result of each part, then merge results, level by level."""

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
from gptkit.exchange.invocation import Outcome, Runtime
from gptkit.jobs.job import Job, answer_metadata
from gptkit.jobs.merge_plan import fits_last_merge, group_results, word_limit
from gptkit.jobs.missing import MissingAnswer
from gptkit.jobs.request import plain_request, request_key, with_rules
from gptkit.jobs.workers import WorkerPool
from gptkit.text.chunk import split_lines
from gptkit.text.compose import count_line_ends
from gptkit.text.formats.plain import PlainText
from gptkit.text.pieces import Finding, Piece, PieceAnswer

DEEPEST_HALVING = 6
"""How often a part that is too long for the window is halved; one whose result is cut, a third as often."""
PART_RULES = """\
The text is one part of a longer document. Nobody reads your result as it stands: it is merged with the \
results of the other parts into one for the whole document.
- Keep what the result for the whole may need, in the order of the text: facts, names, numbers, who says \
what.{form}
- At most {words} words, or {characters} characters where no spaces part the words.
- Neither say that it is a part, nor guess what the others hold."""
MERGE_RULES = """\
The text is made of results for consecutive parts of one document, in their order, each between <part> and \
</part>. Nobody reads your result as it stands: it is merged with others like it into one for the whole \
document.
- Merge them: say once what several of them say, and keep what the result for the whole may need, in \
order.{form}
- At most {words} words, or {characters} characters where no spaces part the words.
- Never mention the parts, nor that there are results."""
FINAL_RULES = """\
The text is made of results for consecutive parts of one document, in their order, each between <part> and \
</part>. Write the one result for the document from them, in the form and the length that are asked for \
above, as if you had read the document itself.
- Say once what several of them say; what matters to the document as a whole comes before what matters to a \
part.
- Never mention the parts, nor that there are results."""
OPENING_LENGTH = 40
"""Characters by which a part is known, whatever changes behind them."""
FREE_FORM = " The form and the length that are asked for above hold for the whole alone."
BOUND_FORM = " Keep the form that is asked for above."
GAP_RULE = """
- Where it says that a part is missing, nothing is known of that part: do not guess what it says, and do \
not say that the document is silent on something."""
MISSING_PART = "[A part of the document is missing here.]"


class PartResult(NamedTuple):
    """The result of the lines from `first` to `last`; `text` is empty if all of them are missing.

    `findings` name the missing parts. `opening` is the beginning of the source, `bytes` the size of the
    source.
    """

    text: str
    first: int
    last: int
    bytes: int
    findings: tuple[Finding, ...] = ()
    opening: str = ""


class StepRunner:
    """Runs the steps of a reduction, which are the parts and the merges; stores each result in the memory."""

    def __init__(self, job: Job, token_limit: int) -> None:
        self._job = job
        self._word_limit = word_limit(token_limit)

    def run(self, step: tuple[Piece | PartResult, ...], runtime: Runtime) -> PartResult:
        """Run one step: ask for the result of one piece, or merge several results."""
        if isinstance(step[0], Piece):
            return self._reduce_part(step[0], runtime, 0)
        return self._merge([result for result in step if isinstance(result, PartResult)], runtime)

    def missing_pieces(self, piece: Piece, format_: OutputFormat) -> Iterator[Piece]:
        """Yield the part if the memory has no result of it, or those of its halves that lack one."""
        try:
            answer = self._stored_answer(self.part_key(piece, format_))
        except _InHalves:
            for half in PlainText().halves(piece) or ():
                yield from self.missing_pieces(half, format_)
        else:
            if answer is None:
                yield piece

    def part_key(self, piece: Piece, format_: OutputFormat) -> bytes:
        """Return the key of a part's result in the memory."""
        return self._key(piece.source, "part", format_)

    def part_request(self, piece: Piece, format_: OutputFormat) -> ChatRequest:
        """Return the request for the result of a part."""
        return self._request(piece.source, PART_RULES, format_)

    def _reduce_part(self, piece: Piece, runtime: Runtime, depth: int) -> PartResult:
        try:
            return _part_result(piece, self._stored_or_new_answer(piece.source, "part", PART_RULES, runtime))
        except _InHalves:
            return self._reduce_halves(piece, runtime, depth) or _part_result(piece, "")
        except (TooLongError, IncompleteError) as error:
            deepest = DEEPEST_HALVING if isinstance(error, TooLongError) else DEEPEST_HALVING // 3
            result = self._reduce_halves(piece, runtime, depth) if depth < deepest else None
            if result is None:
                return _part_result(piece, "", error.message)
            if not result.findings:
                self._store(piece.source, "part", PieceAnswer("", in_halves=True), runtime.format)
            return result
        except (RefusedError, ProtocolError) as error:
            return _part_result(piece, "", error.message)

    def _reduce_halves(self, piece: Piece, runtime: Runtime, depth: int) -> PartResult | None:
        halves = PlainText().halves(piece)
        if halves is None:
            return None
        first, second = (self._reduce_part(half, runtime, depth + 1) for half in halves)
        return _join_results((first, second))

    def _merge(self, results: Sequence[PartResult], runtime: Runtime) -> PartResult:
        """Merge results; those that cannot be merged are joined, and the next level gets them all."""
        joined = _join_results(results)
        if sum(bool(result.text) for result in results) < 2:
            return joined
        rules = MERGE_RULES + (GAP_RULE if joined.findings else "")
        try:
            text = self._stored_or_new_answer(merge_input(results), "merge", rules, runtime)
        except (TooLongError, IncompleteError, RefusedError, ProtocolError):
            return joined
        return joined._replace(text=text)

    def _stored_or_new_answer(self, text: str, step: str, rules: str, runtime: Runtime) -> str:
        memory = self._job.memory
        if memory is None:
            return self._ask(text, rules, runtime)
        key = self._key(text, step, runtime.format)
        if (stored := self._stored_answer(key)) is not None:
            return stored
        with memory.claim(key, runtime.sleep):
            if (stored := self._stored_answer(key)) is not None:
                return stored
            answer = self._ask(text, rules, runtime)
            self._store(text, step, PieceAnswer(answer), runtime.format)
            runtime.answer_stored()
            return answer

    def _stored_answer(self, key: bytes) -> str | None:
        memory = self._job.memory
        stored = memory.get(key) if memory is not None and not self._job.fresh else None
        if stored is not None and stored.in_halves:
            raise _InHalves
        return stored.answer if stored is not None else None

    def _ask(self, text: str, rules: str, runtime: Runtime) -> str:
        outcome = request_answer(self._request(text, rules, runtime.format), runtime, None)
        if outcome.failure is not None:
            raise outcome.failure
        return outcome.answer

    def _request(self, text: str, rules: str, format_: OutputFormat) -> ChatRequest:
        form_rule = BOUND_FORM if format_.parameters else FREE_FORM
        added_rules = rules.format(form=form_rule, words=self._word_limit, characters=2 * self._word_limit)
        return with_rules(plain_request(self._job, text, format_), added_rules)

    def _store(self, text: str, step: str, answer: PieceAnswer, format_: OutputFormat) -> None:
        if self._job.memory is not None:
            self._job.memory.put(self._key(text, step, format_), text, answer, answer_metadata(self._job))

    def _key(self, text: str, step: str, format_: OutputFormat) -> bytes:
        return request_key(self._job, plain_request(self._job, text, format_), f"{step} {self._word_limit}")


class _InHalves(Exception):  # noqa: N818 - no error: the memory says how to go on
    """The memory says that the part was too long before, and was asked for in halves."""


def merge_input(results: Sequence[PartResult]) -> str:
    """Return the text of a request that merges results."""
    return "\n".join(f"<part>\n{(result.text or MISSING_PART).strip()}\n</part>" for result in results)


def final_rules(results: Sequence[PartResult]) -> str:
    return FINAL_RULES + (GAP_RULE if any(result.findings for result in results) else "")


def _join_results(results: Sequence[PartResult]) -> PartResult:
    """Join consecutive results into one, their texts one after the other."""
    texts = [result.text or MISSING_PART for result in results]
    return PartResult(
        "\n\n".join(text.strip() for text in texts) if any(result.text for result in results) else "",
        results[0].first,
        results[-1].last,
        sum(result.bytes for result in results),
        tuple(finding for result in results for finding in result.findings),
        results[0].opening,
    )


def _part_result(piece: Piece, text: str, problem: str = "") -> PartResult:
    """Return the result of one part; with a `problem` the part is missing."""
    first, last = piece.line, piece.line + count_line_ends(piece.source.rstrip("\r\n"))
    where = f"lines {first} to {last} are" if last > first else f"line {first} is"
    findings = (Finding(first, "empty", f"{where} missing: {problem}"),) if problem else ()
    size = len(piece.source.encode("utf-8", "replace"))
    return PartResult(text, first, last, size, findings, piece.source.lstrip()[:OPENING_LENGTH])


LARGE_PIECE = 1.5
"""A piece whose source has more than this many times the tokens of a request is split. A format may hide much
of a source from translators, which a result for a reader still needs."""
USEFUL_MERGE = 0.8
"""Merging stops after a level that leaves more than this part of the tokens."""


class ReduceProgress(NamedTuple):
    """How far a reduction is: results of a level, their total if known, bytes of the source that are done."""

    level: int
    finished: int
    total: int | None
    bytes: int


class FinalInput(NamedTuple):
    """The input of the last request: results in order, or the `whole` text if it is a single part."""

    results: tuple[PartResult, ...]
    whole: str = ""
    levels: int = 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A finding for each missing part."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def is_empty(self) -> bool:
        return not self.whole and not any(result.text for result in self.results)


def reduce_to_final_input(
    pieces: Iterable[Piece],
    job: Job,
    runtime: Runtime,
    token_limit: int,
    report: Callable[[ReduceProgress], None],
) -> FinalInput:
    """Run all levels but the last; raises the first failure that ends the whole job.

    One request has at most `token_limit` tokens of text. `report` is called after every result, in the thread
    of the caller.
    """
    parts = split_parts(pieces, token_limit)
    first = list(islice(parts, 2))
    if len(first) < 2:
        return FinalInput((), first[0].source if first else "")
    runner = StepRunner(job, token_limit)
    pool = WorkerPool(runner.run, job.workers, runtime)
    try:
        results = _collect_results(pool.run((piece,) for piece in chain(first, parts)), 1, None, report)
        level, sizes = 1, _token_counts(results)
        while not fits_last_merge(sizes, token_limit):
            level += 1
            groups = group_results([result.opening for result in results], sizes, token_limit)
            merged = pool.run(tuple(results[group.start : group.stop]) for group in groups)
            results = _collect_results(merged, level, len(groups), report)
            size_before, sizes = sum(sizes), _token_counts(results)
            if sum(sizes) > USEFUL_MERGE * size_before:
                break
        return FinalInput(tuple(results), levels=level)
    finally:
        pool.close()


def request_final_result(final_input: FinalInput, job: Job, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Ask for the final result, which goes to the sink while it arrives, unless the memory has it."""
    text = final_input.whole or merge_input(final_input.results)
    rules = "" if final_input.whole else final_rules(final_input.results)
    key = result_key(job, text, runtime.format, "whole" if final_input.whole else "last")
    memory = job.memory
    with memory.claim(key, runtime.sleep) if memory else nullcontext():
        stored = memory.get(key) if memory and not job.fresh else None
        if stored is not None:
            return _stored_outcome(stored.answer, job, runtime, sink)
        request = plain_request(job, text, runtime.format)
        exact = job.invocation.exact
        outcome = request_answer(with_rules(request, rules) if rules else request, runtime, sink, exact=exact)
        if memory and outcome.failure is None:
            memory.put(key, text, PieceAnswer(outcome.reply.text), answer_metadata(job))
        return outcome


def result_key(job: Job, text: str, format_: OutputFormat, step: Literal["whole", "last"]) -> bytes:
    """Return the memory's key of the final result, made of one `whole` text or in the `last` merge."""
    return request_key(job, plain_request(job, text, format_), step)


def split_parts(pieces: Iterable[Piece], token_limit: int) -> Iterator[Piece]:
    """Regroup pieces by the length of their sources, since a result also needs what is not translated."""
    part: Piece | None = None
    size = 0
    for piece in pieces:
        tokens = estimate_tokens(piece.source)
        if part is not None and not piece.text and size + tokens <= token_limit:
            part, size = part._replace(source=part.source + piece.source), size + tokens
            continue
        if part is not None and part.source.strip():
            yield part
        part, size = piece, tokens
        if tokens > LARGE_PIECE * token_limit:
            yield from _split_piece(piece, token_limit)
            part = None
    if part is not None and part.source.strip():
        yield part


def _split_piece(piece: Piece, token_limit: int) -> Iterator[Piece]:
    for part in PlainText().pieces(split_lines(piece.source), token_limit):
        if part.source.strip():
            yield part._replace(line=piece.line + part.line - 1, path=piece.path)


def _token_counts(results: Sequence[PartResult]) -> list[int]:
    return [estimate_tokens(result.text) + 10 for result in results]


def _collect_results(
    results: Iterable[PartResult], level: int, total: int | None, report: Callable[[ReduceProgress], None]
) -> list[PartResult]:
    collected: list[PartResult] = []
    size = 0
    for result in results:
        collected.append(result)
        size += result.bytes
        report(ReduceProgress(level, len(collected), total, size))
    return collected


def _stored_outcome(text: str, job: Job, runtime: Runtime, sink: Sink | None) -> Outcome:
    if sink is not None:
        sink(AnswerDelta(text))
        sink(Finished("stop"))
    reply = Reply(text=text, reason="stop", model=job.invocation.model, attempts=0)
    return Outcome(reply, text if job.invocation.exact else runtime.format.finish(text))


def missing_answers_of_parts(
    pieces: Iterable[Piece], job: Job, format_: OutputFormat, token_limit: int
) -> Iterator[MissingAnswer]:
    """Yield the answers that the memory lacks of the parts of a document, or of its only request."""
    for _, missing in missing_by_part(pieces, job, format_, token_limit):
        yield from missing


def missing_by_part(
    pieces: Iterable[Piece], job: Job, format_: OutputFormat, token_limit: int
) -> Iterator[tuple[Piece, Sequence[MissingAnswer]]]:
    """Yield every part with the answers that the memory lacks of it: of none, the part, or some halves."""
    parts = split_parts(pieces, token_limit)
    first = list(islice(parts, 2))
    if len(first) < 2:
        yield from ((piece, _missing_whole(piece, job, format_)) for piece in first)
        return
    runner = StepRunner(job, token_limit)
    for part in chain(first, parts):
        yield (
            part,
            [
                MissingAnswer(
                    runner.part_key(piece, format_), piece, partial(runner.part_request, piece, format_)
                )
                for piece in runner.missing_pieces(part, format_)
            ],
        )


def _missing_whole(piece: Piece, job: Job, format_: OutputFormat) -> Sequence[MissingAnswer]:
    """Return the answer that the memory lacks of a text with a single part, for which the result is asked."""
    key = result_key(job, piece.source, format_, "whole")
    if job.memory is not None and not job.fresh and job.memory.get(key) is not None:
        return ()
    return (MissingAnswer(key, piece, partial(plain_request, job, piece.source, format_)),)
