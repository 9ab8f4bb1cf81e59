"""One turn of a course: what the request knows of the learner, the answer, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.engine.learner import setting
from gptkit.engine.learner.grades import grade, rubric_files
from gptkit.engine.learner.keeping import courses, keep, record
from gptkit.engine.learner.socratic import Progress, guided, progress
from gptkit.engine.learner.sums import listed, reckoned
from gptkit.errors import NoInput, UsageFault
from gptkit.learning.arithmetic import claims

if TYPE_CHECKING:
    from datetime import datetime

    from gptkit.chat import Sink
    from gptkit.engine.learner.keeping import Courses
    from gptkit.engine.work import Invocation, Means, Outcome
    from gptkit.learning.grading import Rubric
    from gptkit.learning.model import Learner

COMPUTED = 20
"""Wrong sums of the learner that the tutor is told of."""
DUE = 5
"""Reviews that the tutor is told of."""
NOT_FILES = ("words", "standard input")
"""Names of inputs that are the learner's own words."""


def prepare(invocation: Invocation, stores: Mapping[str, object]) -> Invocation:
    """The invocation with the template's variable `learner`.

    Raises BrokenPrompt for a course that was edited into something unreadable, and what is wrong
    with the files of a grade: before anything is sent.
    """
    store = courses(stores)
    template, values = invocation.template, invocation.values
    learner = store.load(setting.required_subject(template, values))
    if _rubric(invocation, store) is not None and not invocation.text.strip():
        raise NoInput(
            "there is no answer to grade", hint="give it as words, pipe it in, or name a file with -f"
        )
    known = record(learner)
    before = progress(invocation.notes)
    about = {
        **known,
        "new": not (learner.goals or learner.topics or learner.mistakes or learner.cards),
        "due": _due(learner, store.now()),
        "method": setting.method(template, values),
        "question": before.question,
        "attempts": before.attempts,
        "tries": setting.tries(template, values),
        "material": any(name not in NOT_FILES for name, _ in invocation.files),
        "computed": listed(claim for claim in claims(said(invocation)) if not claim.right)[:COMPUTED],
    }
    return invocation._replace(extras={**invocation.extras, setting.KEY: about})


def run(invocation: Invocation, means: Means, sink: Sink | None) -> Outcome:
    """The answer or the grade; then the course is brought up to date."""
    words = said(invocation)
    now = progress(invocation.notes)
    rubric = _rubric(invocation, courses(means.stores))
    if rubric is not None:
        outcome = grade(invocation, means, sink, rubric)
    elif _is_guided(invocation):
        outcome, now = guided(invocation, means, sink, words)
    else:
        outcome = reckoned(invocation, means, sink, words)
    outcome = outcome._replace(notes=_notes(invocation, outcome, now))
    if outcome.failure is None:
        means.settled(outcome)
        if sink is not None:
            sink.close()  # the answer is there to be read while the record is made
        keep(invocation, means, words, outcome.answer)
    return outcome


def said(invocation: Invocation) -> str:
    """All that the learner wrote or handed in with this turn."""
    return "\n\n".join(part for part in (invocation.wanted, invocation.text) if part)


def _is_guided(invocation: Invocation) -> bool:
    template, values = invocation.template, invocation.values
    return setting.method(template, values) == setting.SOCRATIC and setting.tries(template, values) > 0


def _rubric(invocation: Invocation, store: Courses) -> Rubric | None:
    rubric, key = rubric_files(invocation)
    if rubric and key:
        raise UsageFault("--rubric and --key do not go together", hint="a rubric in YAML may hold a 'key'")
    return store.rubric(rubric or key, bool(key)) if rubric or key else None


def _due(learner: Learner, now: datetime) -> list[dict[str, str]]:
    waiting = sorted((card for card in learner.cards if card.due <= now), key=lambda card: card.due)
    return [{"front": card.front, "back": card.back, "topic": card.topic} for card in waiting[:DUE]]


def _notes(invocation: Invocation, outcome: Outcome, now: Progress) -> Mapping[str, object]:
    return {**invocation.notes, **outcome.notes, setting.KEY: now._asdict()}
