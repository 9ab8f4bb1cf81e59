"""Get an answer to a piece that passes the checks: ask, ask again, ask in halves, or keep the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gptkit.core.chat import ChatRequest, Reply, Sink
from gptkit.core.errors import (
    CutAtLimitError,
    GptkitError,
    IncompleteError,
    ProtocolError,
    RefusedError,
    TooLongError,
    WrongAnswerError,
)
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.ask import request_answer
from gptkit.exchange.invocation import Runtime
from gptkit.jobs.job import Job, Memory, Origin, PieceResult, answer_metadata
from gptkit.jobs.request import PieceContext, correction_request, piece_key, piece_request, plain_request
from gptkit.text.checks.common import line_finder
from gptkit.text.pieces import Finding, Piece, PieceAnswer

NUMBER = "number"
"""The kind of finding with which an answer is used nevertheless: it is nearer to the truth than the source,
and halves would be no better."""
SUBSTITUTES = ("refusal", "remark", "unchanged")
"""Kinds of findings that say that an answer is not the text that was asked for."""
DEEPEST_HALVING = 6
"""How often a piece is halved at most if it does not fit; one with a wrong answer is halved once."""
ANSWER_LIMIT = 4
"""The most answers that are asked for a piece and all its halves."""
LONG_HALF = 20
"""The weight of an answer from which two halves that have the answer in common are no chance."""
LONG_PIECE = 100
"""The least tokens of a piece whose halves may fit if its answer was cut."""


LiveSink = Callable[[Sequence[str]], Sink]
"""Returns a sink that shows an answer while it arrives, given what the marks in it stand for."""


def process_piece(
    job: Job, piece: Piece, context: PieceContext, runtime: Runtime, live_sink: LiveSink | None = None
) -> PieceResult:
    """Return what is written for a piece; raises a GptkitError that ends the whole job, such as an invalid
    key. An answer that the user sees arrive (`live_sink`) is not asked for again."""
    if not piece.text:
        return PieceResult(piece, piece.source, "through")
    return _PieceProcessor(job, context, runtime, live_sink).process(piece, 0)


class _CheckedAnswer(NamedTuple):
    """An answer with its findings."""

    text: str
    findings: tuple[Finding, ...]
    reply: Reply


class _PieceProcessor:
    """Asks for a piece and its halves, within a common limit of answers.

    That a piece does not fit into the model's window does not count as an answer.
    """

    def __init__(self, job: Job, context: PieceContext, runtime: Runtime, live_sink: LiveSink | None) -> None:
        self._job = job
        self._live_sink = live_sink
        self._has_shown = False
        self._context = context
        self._runtime = runtime._replace(rewrites_text=True)
        self._answers_left = ANSWER_LIMIT
        self._halves_by_answer: dict[str, str] = {}

    def process(self, piece: Piece, depth: int) -> PieceResult:
        if not piece.text:
            return PieceResult(piece, piece.source, "through")
        memory = self._job.memory
        request = plain_request(self._job, piece.text, self._runtime.format)
        key = piece_key(self._job, piece, request)
        if memory is None:
            return self._ask(piece, depth, key, request)
        if result := self._stored_result(memory, piece, depth, key):
            return result
        with memory.claim(key, self._runtime.sleep):
            return self._stored_result(memory, piece, depth, key) or self._ask(piece, depth, key, request)

    def _stored_result(self, memory: Memory, piece: Piece, depth: int, key: bytes) -> PieceResult | None:
        stored = None if self._job.fresh else memory.get(key, piece.text, answer_metadata(self._job))
        if stored is None:
            return None
        if stored.in_halves:
            return self._process_halves(piece, depth, ())
        findings = self._findings(piece, stored.answer)
        was_accepted = any(finding.level == "wrong" for finding in stored.findings)
        if any(finding.level == "wrong" for finding in findings) and not was_accepted:
            return None  # another tool's, or proved by the rules of an older version
        if depth:
            self._halves_by_answer.setdefault(stored.answer.strip(), piece.text)
        text = self._job.format.restore(piece, stored.answer)
        return PieceResult(piece, text, "memory", findings, is_accepted=was_accepted)

    def _ask(self, piece: Piece, depth: int, key: bytes, template_request: ChatRequest) -> PieceResult:
        request = piece_request(self._job, piece, self._context, template_request)
        tokens, server = estimate_tokens(piece.text), self._job.server
        if server and server.is_too_long(tokens) and (halves := self._split(piece, key, depth)):
            return halves
        try:
            answer = self._request_answer(piece, request)
            answer = answer if depth else self._improve(piece, request, answer)
        except (TooLongError, IncompleteError, RefusedError, ProtocolError) as error:
            fallback, is_long = _failed_result(piece, error), tokens >= LONG_PIECE
            if isinstance(error, TooLongError) and is_long:
                if server:
                    server.note_too_long(tokens)
                return self._split(piece, key, depth) or fallback
            deepest = DEEPEST_HALVING if isinstance(error, CutAtLimitError) and is_long else 0
            return self._retry_in_halves(piece, key, depth, fallback, deepest)
        if depth:
            self._halves_by_answer.setdefault(answer.text.strip(), piece.text)
        accepts = self._runtime.accepts
        if not (_is_usable(answer.findings) or accepts):
            return self._retry_in_halves(piece, key, depth, _rejected_result(piece, answer), 1)
        text = self._job.format.restore(piece, answer.text)
        result = PieceResult(piece, text, "answer", answer.findings, answer.reply, is_accepted=accepts)
        if result.is_whole:
            self._store(key, piece, PieceAnswer(answer.text, answer.findings))
        return result

    def _improve(self, piece: Piece, request: ChatRequest, first: _CheckedAnswer) -> _CheckedAnswer:
        """Ask once more with the defects of an answer; returns the new answer unless it is worse."""
        defects = [finding for finding in first.findings if finding.level != "doubtful"]
        if not defects or self._has_shown or self._runtime.accepts:
            return first
        try:
            second = self._request_answer(piece, correction_request(request, piece, first.text, defects))
        except (TooLongError, IncompleteError, RefusedError, ProtocolError):
            if not _is_usable(first.findings):
                raise
            return first
        return second if _severity(second.findings) <= _severity(first.findings) else first

    def _retry_in_halves(
        self, piece: Piece, key: bytes, depth: int, fallback: PieceResult, deepest: int
    ) -> PieceResult:
        """Process the halves of a piece; returns `fallback` if that is not possible or not allowed."""
        may_halve = depth < deepest and self._answers_left and not self._has_shown
        result = self._process_halves(piece, depth, fallback.findings) if may_halve else None
        return self._store_halves(key, piece, result) if result else fallback

    def _store_halves(self, key: bytes, piece: Piece, result: PieceResult) -> PieceResult:
        if result.is_whole:
            self._store(key, piece, PieceAnswer("", (), in_halves=True))
        return result

    def _split(self, piece: Piece, key: bytes, depth: int) -> PieceResult | None:
        """Process the halves of a piece that is too long for the model, each worth answers of its own."""
        if depth >= DEEPEST_HALVING or self._has_shown:
            return None
        result = self._process_halves(piece, depth, (), renews=True)
        return self._store_halves(key, piece, result) if result else None

    def _process_halves(
        self, piece: Piece, depth: int, findings: tuple[Finding, ...], *, renews: bool = False
    ) -> PieceResult | None:
        halves = self._job.format.halves(piece)
        if halves is None:
            return None
        parts = []
        for half in halves:
            self._answers_left = ANSWER_LIMIT if renews else self._answers_left
            parts.append(self.process(half, depth + 1))
        text = "".join(part.text for part in parts)
        part_findings = tuple(finding for part in parts for finding in part.findings)
        is_whole = all(part.origin != "source" for part in parts)
        origin: Origin = (
            "source"
            if not is_whole
            else "answer"
            if any(part.origin == "answer" for part in parts)
            else "memory"
        )
        failure = next((part.failure for part in parts if part.failure), None)
        reply = next((part.reply for part in reversed(parts) if part.reply), None)
        findings = part_findings or (() if is_whole else findings)
        is_accepted = any(part.is_accepted for part in parts)
        return PieceResult(piece, text, origin, findings, reply, failure, is_accepted)

    def _request_answer(self, piece: Piece, request: ChatRequest) -> _CheckedAnswer:
        if not self._answers_left:
            raise IncompleteError(f"no answer of use after {ANSWER_LIMIT} of them")
        sink = self._live_sink(piece.masks) if self._live_sink else None
        runtime = self._runtime._replace(most_answers=self._answers_left)
        outcome = request_answer(request, runtime, sink)
        if sink is not None:
            sink.close()
            self._has_shown = True
        self._answers_left = max(0, self._answers_left - outcome.answers)
        if outcome.failure is not None:
            raise outcome.failure
        return _CheckedAnswer(outcome.answer, self._findings(piece, outcome.answer), outcome.reply)

    def _findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        findings = tuple(self._whole_text_findings(piece, answer))
        if any(finding.kind in SUBSTITUTES for finding in findings):
            return findings  # the structure of what is not the text tells nothing more
        findings = (*self._job.format.findings(piece, answer), *findings)
        if self._is_answer_of_other_half(piece, answer):
            findings += (Finding(piece.line, "order", "answer is that of the text before"),)
        if self._job.glossary is not None:
            from gptkit.text.formats.units import unit_line_finder

            line_of = unit_line_finder(piece) if piece.slots else line_finder(piece)
            findings += self._job.glossary.missing_terms(piece.text, answer, line_of)
        return findings

    def _is_answer_of_other_half(self, piece: Piece, answer: str) -> bool:
        from gptkit.text.checks.language import weight

        other = self._halves_by_answer.get(answer.strip(), piece.text)
        return other != piece.text and weight(answer) >= LONG_HALF

    def _whole_text_findings(self, piece: Piece, answer: str) -> Iterator[Finding]:
        from gptkit.jobs.memory.entries import language_tag
        from gptkit.text.checks.translation import TargetLanguage, piece_findings

        languages = self._job.languages
        return piece_findings(
            piece, answer, TargetLanguage(language_tag(languages.target), languages.is_translation)
        )

    def _store(self, key: bytes, piece: Piece, answer: PieceAnswer) -> None:
        if self._job.memory is not None:
            self._job.memory.put(key, piece.text, answer, answer_metadata(self._job))
        self._runtime.answer_stored()


def _failed_result(piece: Piece, failure: GptkitError) -> PieceResult:
    """Return the result of a piece without an answer: its source."""
    return PieceResult(
        piece, piece.source, "source", (Finding(piece.line, "empty", failure.message),), None, failure
    )


def _rejected_result(piece: Piece, answer: _CheckedAnswer) -> PieceResult:
    """Return the result of a piece whose answer is wrong: its source."""
    findings = tuple(finding for finding in answer.findings if finding.level != "doubtful")
    kind = RefusedError if findings[0].kind == "refusal" else WrongAnswerError
    failure = kind(str(findings[0]))
    return PieceResult(piece, piece.source, "source", findings, answer.reply, failure)


def _is_usable(findings: tuple[Finding, ...]) -> bool:
    return all(finding.level != "wrong" or finding.kind == NUMBER for finding in findings)


def _severity(findings: tuple[Finding, ...]) -> int:
    """Return how bad findings are: those that make an answer unusable, then wrong numbers, then the
    others."""
    return sum(
        1 if finding.level != "wrong" else 1000 if finding.kind == NUMBER else 1_000_000
        for finding in findings
    )
