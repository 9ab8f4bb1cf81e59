"""One piece until its answer is proved: asked, asked again, asked in halves, or left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gptkit.core.chat import ChatRequest, Reply
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
from gptkit.jobs.job import Done, How, Job, Memory, about
from gptkit.jobs.request import Surroundings, again, asked, in_one_piece, key
from gptkit.text.checks.common import line_finder
from gptkit.text.pieces import Finding, Piece, PieceAnswer

NUMBER = "number"
"""The kind of what may be wrong with an answer that is used all the same: it is nearer to the truth than the
source, and no half of it would be better."""
DEEPEST = 6
"""How often a piece is halved at most where it does not fit; a defective one is halved once."""
ANSWERS = 4
"""Answers that a piece is worth, with all its halves."""
LONG = 100
"""Tokens of a piece from which on its halves may fit where its answer was cut."""


def done(job: Job, piece: Piece, around: Surroundings, runtime: Runtime) -> Done:
    """What is written for a piece. Raises the GptkitError that ends the whole job, as a dead key does."""
    if not piece.text:
        return Done(piece, piece.source, "through")
    return _Course(job, around, runtime).done(piece, 0)


class _Answer(NamedTuple):
    """An answer and what is wrong with it."""

    text: str
    findings: tuple[Finding, ...]
    reply: Reply


class _Course:
    """The answers to one piece and its halves; that it does not fit into the model's window is no answer."""

    def __init__(self, job: Job, around: Surroundings, runtime: Runtime) -> None:
        self._job = job
        self._around = around
        self._runtime = runtime._replace(rewrites_text=True)
        self._left = ANSWERS

    def done(self, piece: Piece, depth: int) -> Done:
        if not piece.text:
            return Done(piece, piece.source, "through")
        memory = self._job.memory
        plain = in_one_piece(self._job, piece.text, self._runtime.format)
        name = key(self._job, piece, plain)
        if memory is None:
            return self._asked(piece, depth, name, plain)
        if found := self._remembered(memory, piece, depth, name):
            return found
        with memory.claim(name, self._runtime.sleep):
            return self._remembered(memory, piece, depth, name) or self._asked(piece, depth, name, plain)

    def _remembered(self, memory: Memory, piece: Piece, depth: int, name: bytes) -> Done | None:
        held = None if self._job.fresh else memory.get(name, piece.text, about(self._job))
        if held is None:
            return None
        if held.in_halves:
            return self._halved(piece, depth, ())
        findings = self._findings(piece, held.answer)
        was_accepted = any(finding.level == "wrong" for finding in held.findings)
        if any(finding.level == "wrong" for finding in findings) and not was_accepted:
            return None  # another tool's, or proved by the rules of an older version
        text = self._job.format.restore(piece, held.answer)
        return Done(piece, text, "memory", findings, is_accepted=was_accepted)

    def _asked(self, piece: Piece, depth: int, name: bytes, plain: ChatRequest) -> Done:
        request = asked(self._job, piece, self._around, plain)
        try:
            answer = self._answer(piece, request)
            answer = answer if depth else self._better(piece, request, answer)
        except (TooLongError, IncompleteError, RefusedError, ProtocolError) as error:
            self._left += isinstance(error, TooLongError)
            may_fit = (
                isinstance(error, TooLongError | CutAtLimitError) and estimate_tokens(piece.text) >= LONG
            )
            return self._redone(piece, name, depth, _source(piece, error), DEEPEST if may_fit else 0)
        accepts = self._runtime.accepts
        if not (_is_of_use(answer.findings) or accepts):
            return self._redone(piece, name, depth, _unproved(piece, answer), 1)
        text = self._job.format.restore(piece, answer.text)
        done = Done(piece, text, "answer", answer.findings, answer.reply, is_accepted=accepts)
        if done.is_whole:
            self._keep(name, piece, PieceAnswer(answer.text, answer.findings))
        return done

    def _better(self, piece: Piece, request: ChatRequest, first: _Answer) -> _Answer:
        """The answer, or the one that comes when the piece is asked for once more, naming what has to be
        better, if that is no worse."""
        wanting = [finding for finding in first.findings if finding.level != "doubtful"]
        if not wanting:
            return first
        try:
            second = self._answer(piece, again(request, first.text, wanting))
        except (TooLongError, IncompleteError, RefusedError, ProtocolError):
            if not _is_of_use(first.findings):
                raise
            return first
        return second if _weight(second.findings) <= _weight(first.findings) else first

    def _redone(self, piece: Piece, name: bytes, depth: int, source: Done, deepest: int) -> Done:
        """The piece in halves, or its `source` where that does not help."""
        found = self._halved(piece, depth, source.findings) if depth < deepest and self._left else None
        if found is None:
            return source
        if found.is_whole:
            self._keep(name, piece, PieceAnswer("", (), in_halves=True))
        return found

    def _halved(self, piece: Piece, depth: int, findings: tuple[Finding, ...]) -> Done | None:
        halves = self._job.format.halves(piece)
        if halves is None:
            return None
        parts = [self.done(half, depth + 1) for half in halves]
        text = "".join(part.text for part in parts)
        found = tuple(finding for part in parts for finding in part.findings)
        whole = all(part.how != "source" for part in parts)
        how: How = (
            "source" if not whole else "answer" if any(part.how == "answer" for part in parts) else "memory"
        )
        failure = next((part.failure for part in parts if part.failure), None)
        reply = next((part.reply for part in reversed(parts) if part.reply), None)
        return Done(piece, text, how, found or (() if whole else findings), reply, failure)

    def _answer(self, piece: Piece, request: ChatRequest) -> _Answer:
        if not self._left:
            raise IncompleteError(f"no answer of use after {ANSWERS} of them")
        outcome = request_answer(request, self._runtime, None)
        self._left = max(0, self._left - outcome.answers)
        if outcome.failure is not None:
            raise outcome.failure
        return _Answer(outcome.answer, self._findings(piece, outcome.answer), outcome.reply)

    def _findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        found = tuple(self._job.format.findings(piece, answer))
        found += tuple(self._whole_text_findings(piece, answer))
        if self._job.glossary is not None:
            from gptkit.text.formats.units import unit_line_finder

            line_of = unit_line_finder(piece) if piece.slots else line_finder(piece)
            found += self._job.glossary.missing_terms(piece.text, answer, line_of)
        return found

    def _whole_text_findings(self, piece: Piece, answer: str) -> Iterator[Finding]:
        from gptkit.jobs.memory.entries import language_tag
        from gptkit.text.checks.translation import Target, piece_findings

        languages = self._job.languages
        return piece_findings(piece, answer, Target(language_tag(languages.target), languages.is_translation))

    def _keep(self, name: bytes, piece: Piece, held: PieceAnswer) -> None:
        if self._job.memory is not None:
            self._job.memory.put(name, piece.text, held, about(self._job))
        self._runtime.answer_stored()


def _source(piece: Piece, failure: GptkitError) -> Done:
    """The piece as it was, since there is no answer to it."""
    return Done(
        piece, piece.source, "source", (Finding(piece.line, "empty", failure.message),), None, failure
    )


def _unproved(piece: Piece, answer: _Answer) -> Done:
    """The piece as it was, since something is wrong with its answer."""
    findings = tuple(finding for finding in answer.findings if finding.level != "doubtful")
    kind = RefusedError if findings[0].kind == "refusal" else WrongAnswerError
    failure = kind(str(findings[0]))
    return Done(piece, piece.source, "source", findings, answer.reply, failure)


def _is_of_use(findings: tuple[Finding, ...]) -> bool:
    return all(finding.level != "wrong" or finding.kind == NUMBER for finding in findings)


def _weight(findings: tuple[Finding, ...]) -> int:
    """What keeps an answer from being used first, then wrong numbers, then how many findings."""
    return sum(
        1 if finding.level != "wrong" else 1000 if finding.kind == NUMBER else 1_000_000
        for finding in findings
    )
