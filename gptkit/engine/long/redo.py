"""One piece until its answer is proved: asked, asked again, asked in halves, or kept as it is."""

from __future__ import annotations

from gptkit.chat import Request
from gptkit.documents.formats.proof import line_finder
from gptkit.documents.formats.units import unit_line_finder
from gptkit.documents.held import Held
from gptkit.documents.pieces import Finding, Piece
from gptkit.engine.ask import answered
from gptkit.engine.long import asking
from gptkit.engine.long.asking import Surroundings, again, key
from gptkit.engine.long.values import GRAVE, Done, How, Job, Memory, about
from gptkit.engine.work import Means
from gptkit.errors import Incomplete, ProtocolFault, Refused, TooLong

DEEPEST = 6
"""How often a piece is halved at most where its answer does not fit; a defective one is halved once."""
FOR_NUMBERS = 3
"""How often where nothing but a number is wrong: languages write them in more ways than any proof knows,
and what stays as it is should then be short."""


def done(job: Job, piece: Piece, around: Surroundings, means: Means) -> Done:
    """What is written for a piece. Raises the GptkitError that ends the whole job, as a dead key does."""
    if not piece.text:
        return Done(piece, piece.source, "through")
    return _Course(job, around, means).done(piece, 0)


class _Course:
    def __init__(self, job: Job, around: Surroundings, means: Means) -> None:
        self._job = job
        self._around = around
        self._means = means

    def done(self, piece: Piece, depth: int) -> Done:
        if not piece.text:
            return Done(piece, piece.source, "through")
        memory = self._job.memory
        name = key(self._job, piece, self._means.format)
        if memory is None:
            return self._asked(piece, depth, name)
        if found := self._remembered(memory, piece, depth, name):
            return found
        with memory.claim(name, self._means.sleep):
            return self._remembered(memory, piece, depth, name) or self._asked(piece, depth, name)

    def _remembered(self, memory: Memory, piece: Piece, depth: int, name: bytes) -> Done | None:
        held = None if self._job.fresh else memory.get(name, piece.text, about(self._job))
        if held is None:
            return None
        if held.in_halves:
            return self._halved(piece, depth, ())
        findings = self._findings(piece, held.answer)
        if any(finding.kind in GRAVE for finding in findings):
            return None  # another tool's, or proved by the rules of an older version
        return Done(piece, self._job.format.rebuilt(piece, held.answer), "memory", findings)

    def _asked(self, piece: Piece, depth: int, name: bytes) -> Done:
        request = asking.asked(self._job, piece, self._around, self._means.format)
        try:
            answer = self._answer(request)
            findings = self._findings(piece, answer)
            if findings:
                other = self._answer(again(request, answer, findings))
                found = self._findings(piece, other)
                if _weight(found) <= _weight(findings):
                    answer, findings = other, found
        except (TooLong, Incomplete) as error:
            finding = Finding(piece.line, "empty", error.message)
            return self._redone(piece, name, depth, (finding,), DEEPEST)
        except (Refused, ProtocolFault) as error:
            return self._source(piece, (Finding(piece.line, "empty", error.message),))
        if grave := {finding.kind for finding in findings} & GRAVE:
            return self._redone(piece, name, depth, findings, FOR_NUMBERS if grave == {"number"} else 1)
        self._keep(name, piece, Held(answer, findings))
        return Done(piece, self._job.format.rebuilt(piece, answer), "answer", findings)

    def _redone(
        self, piece: Piece, name: bytes, depth: int, findings: tuple[Finding, ...], deepest: int
    ) -> Done:
        found = self._halved(piece, depth, findings) if depth < deepest else None
        if found is None:
            return self._source(piece, findings)
        if found.how != "source":
            self._keep(name, piece, Held("", (), in_halves=True))
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
        return Done(piece, text, how, found or (() if whole else findings))

    def _answer(self, request: Request) -> str:
        outcome = answered(request, self._means, None)
        if outcome.failure is not None:
            raise outcome.failure
        return outcome.answer

    def _findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        found = tuple(self._job.format.findings(piece, answer))
        if self._job.glossary is not None:
            line_of = unit_line_finder(piece) if piece.slots else line_finder(piece)
            found += self._job.glossary.missing(piece.text, answer, line_of)
        return found

    def _source(self, piece: Piece, findings: tuple[Finding, ...]) -> Done:
        return Done(piece, piece.source, "source", findings)

    def _keep(self, name: bytes, piece: Piece, held: Held) -> None:
        if self._job.memory is not None:
            self._job.memory.put(name, piece.text, held, about(self._job))
        self._means.kept()


def _weight(findings: tuple[Finding, ...]) -> int:
    """Grave findings first, then how many."""
    return sum(1000 if finding.kind in GRAVE else 1 for finding in findings)
