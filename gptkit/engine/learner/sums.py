"""Arithmetic in answers: computed before the learner reads it, and asked for again where it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.chat import Event, Finished, Message, Request, Sink, Text
from gptkit.engine.ask import answered
from gptkit.engine.learner import setting
from gptkit.engine.work import Invocation, Means, Outcome, request
from gptkit.errors import GptkitError
from gptkit.learning.arithmetic import claims

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gptkit.learning.arithmetic import Claim

TAIL = 400
"""Characters of what was shown already that tell the model where to go on."""
WRONG = """\
A program computed what you wrote. This is not right:
{}

{} What is wrong on purpose (words of the learner that you quote, a statement that is to be judged) stays \
as it is. Do not mention this message."""
WHOLE = "Give the whole answer again, corrected, and nothing else."
REST = """\
The learner has read your answer up to the end of <read> (the last words of it):
<read>
{}
</read>
Go on exactly from there, corrected; repeat nothing of it."""


def reckoned(invocation: Invocation, means: Means, sink: Sink | None, said: str) -> Outcome:
    """The answer, line by line as soon as a line's arithmetic was found right.

    From the first wrong line on it is held back and asked for again, once. `said` is what the
    learner wrote: quoting it is no mistake.
    """
    first = request(invocation, means.format)
    gate = Gate(sink, said) if sink is not None and means.format.streams else None
    outcome = answered(first, means, gate or sink, exact=invocation.exact)
    if outcome.failure is not None:
        if gate is not None:
            gate.release()
        return outcome
    found = wrong(outcome.reply.text, said)
    if found and (gate is not None or sink is None):
        outcome = _corrected(first, outcome, means, found, gate)
        found = wrong(outcome.reply.text, said)
    if gate is not None:
        gate.finish(outcome.reply.text)
    tell(invocation, means, found)
    return outcome


def wrong(text: str, said: str) -> tuple[Claim, ...]:
    """What the text claims of numbers and computing does not confirm, but for what the learner claimed."""
    found = tuple(claim for claim in claims(text) if not claim.right)
    if not found:
        return ()
    quoted = _compact(said)
    return tuple(claim for claim in found if _compact(claim.text) not in quoted)


def listed(found: Iterable[Claim]) -> list[str]:
    return [f"{' '.join(claim.text.split())} (it comes to {claim.value})" for claim in found]


def tell(invocation: Invocation, means: Means, found: Iterable[Claim]) -> None:
    """What is still wrong after it was asked for again is told beside the answer.

    Only with -v where it may be a question: what a statement comes to is then what the learner is to find.
    """
    asks = setting.method(invocation.template, invocation.values) in setting.ASKING
    for claim in found:
        text = f"worth checking: '{' '.join(claim.text.split())}' comes to {claim.value}"
        (means.notice if asks else means.warn)(text)


def complaint(found: Iterable[Claim], shown: str = "") -> str:
    """The message that asks for the answer, or for its rest, once more."""
    lines = "\n".join(f"- {line}" for line in listed(found))
    return WRONG.format(lines, REST.format(shown[-TAIL:]) if shown else WHOLE)


def with_message(asked: Request, draft: str, complaint: str) -> Request:
    """The request again, after a draft and what is wrong with it."""
    turns = (Message("assistant", draft), Message("user", complaint))
    return asked._replace(messages=asked.messages + turns)


def _corrected(
    first: Request, outcome: Outcome, means: Means, found: tuple[Claim, ...], gate: Gate | None
) -> Outcome:
    """The answer as it is after its wrong lines were asked for again; as it was if that fails."""
    shown = gate.shown if gate is not None else ""
    asked = with_message(first, outcome.reply.text, complaint(found, shown))
    try:
        again = answered(asked, means, None, exact=True)
        if again.failure is not None:
            return outcome
        text = shown + again.reply.text
        return again._replace(reply=again.reply._replace(text=text), answer=_finished(text, outcome, means))
    except GptkitError as error:
        means.notice(f"the answer is not corrected: {error.message}")
        return outcome


def _finished(text: str, outcome: Outcome, means: Means) -> str:
    """In the form that the answer had: as the model wrote it, or as the format has it."""
    from gptkit.chat import Defect

    if outcome.answer == outcome.reply.text:
        return text
    try:
        return means.format.finish(text)
    except Defect as defect:
        raise defect.failure from None


class Gate:
    """A sink that hands lines on until one holds wrong arithmetic; `shown` is what went through.

    A line without a number claims nothing, so its words go on as they come.
    """

    def __init__(self, sink: Sink, said: str) -> None:
        self._sink = sink
        self._said = said
        self._shown: list[str] = []
        self._line: list[str] = []
        self._held: list[str] = []
        self._numbered = self._closed = False

    @property
    def shown(self) -> str:
        return "".join(self._shown)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Text):
            *lines, rest = event.text.split("\n")
            for line in lines:
                self._add(line + "\n")
            self._add(rest)
        elif isinstance(event, Finished):
            self._end_line()
        else:
            self._sink(event)

    def release(self) -> None:
        """Hand on what is still held back."""
        held, self._held = "".join(self._held), []
        self._show(held)

    def finish(self, text: str) -> None:
        """Hand on the rest of the text, of which what was shown is the beginning."""
        self._held = []
        self._show(text[len(self.shown) :])
        self._sink(Finished("stop"))

    def close(self) -> None:
        self._sink.close()

    def _add(self, piece: str) -> None:
        self._held.append(piece)
        if self._closed:
            return
        self._line.append(piece)
        self._numbered = self._numbered or any(map(str.isnumeric, piece))
        if piece.endswith("\n"):
            self._end_line()
        elif not self._numbered:
            self.release()

    def _end_line(self) -> None:
        line, self._line = "".join(self._line), []
        if self._numbered and wrong(line, self._said):
            self._closed = True
        self._numbered = False
        if not self._closed:
            self.release()

    def _show(self, text: str) -> None:
        if text:
            self._shown.append(text)
            self._sink(Text(text))


def _compact(text: str) -> str:
    return "".join(text.replace("*", "").replace("`", "").split())
