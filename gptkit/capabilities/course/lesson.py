"""One turn of a course: what the request knows of the learner, the answer, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.capabilities.course import config
from gptkit.capabilities.course.arithmetic import wrong_sums
from gptkit.capabilities.course.grading import grade, rubric_files
from gptkit.capabilities.course.record import courses, keep, record
from gptkit.capabilities.course.socratic import guided, progress
from gptkit.core.errors import NoInputError, UsageError
from gptkit.exchange.ask import ask
from gptkit.exchange.invocation import build_request

if TYPE_CHECKING:
    from datetime import datetime

    from gptkit.capabilities.course.arithmetic import WrongSum
    from gptkit.capabilities.course.model import Learner
    from gptkit.capabilities.course.rubric import Rubric
    from gptkit.capabilities.course.store import Courses
    from gptkit.core.chat import Sink
    from gptkit.exchange.invocation import Invocation, Outcome, Runtime


DUE = 5
"""Reviews that the tutor is told of."""
NOT_FILES = ("words", "standard input")
"""Names of inputs that are the learner's own words."""


def prepare(invocation: Invocation, stores: Mapping[str, object]) -> Invocation:
    """The invocation with the template's variable `learner`.

    Raises YamlFileError for a course that was edited into something unreadable, and what is wrong
    with the files of a grade: before anything is sent.
    """
    store = courses(stores)
    template, values = invocation.template, invocation.values
    learner = store.load(config.required_subject(template, values))
    if _rubric(invocation, store) is not None and not invocation.text.strip():
        raise NoInputError(
            "there is no answer to grade", hint="give it as words, pipe it in, or name a file with -f"
        )
    known = record(learner)
    before = progress(invocation.notes)
    earlier = "\n".join((learner.subject, *(message.content for message in invocation.turns)))
    about = {
        **known,
        "new": not (learner.goals or learner.topics or learner.mistakes or learner.cards),
        "due": _due(learner, store.now()),
        "method": config.method(template, values),
        "question": before.question,
        "attempts": before.attempts,
        "tries": config.tries(template, values),
        "material": any(name not in NOT_FILES for name, _ in invocation.files),
        "computed": [str(one) for one in wrong_sums(said(invocation), earlier)],
        "wrong": before.wrong,
    }
    return invocation._replace(extras={**invocation.extras, config.KEY: about})


def run(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """The answer or the grade; then the course is brought up to date."""
    words = said(invocation)
    now = progress(invocation.notes)
    rubric = _rubric(invocation, courses(runtime.stores))
    if rubric is not None:
        outcome = grade(invocation, runtime, sink, rubric)
    elif _is_guided(invocation):
        outcome, now = guided(invocation, runtime, sink, words)
    else:
        outcome = ask(invocation, runtime, sink)
    sums = _wrong_sums(invocation, runtime, outcome.answer) if outcome.failure is None and not rubric else ()
    now = now._replace(wrong=tuple(map(str, sums)))
    outcome = outcome._replace(notes={**invocation.notes, **outcome.notes, config.KEY: now._asdict()})
    if outcome.failure is None:
        runtime.record_answer(outcome)
        if sink is not None:
            sink.close()  # the answer is there to be read while the record is made
        _tell(invocation, runtime, sums)
        keep(invocation, runtime, words, outcome.answer)
    return outcome


def said(invocation: Invocation) -> str:
    """All that the learner wrote or handed in with this turn."""
    return "\n\n".join(part for part in (invocation.request, invocation.text) if part)


def _is_guided(invocation: Invocation) -> bool:
    template, values = invocation.template, invocation.values
    return config.method(template, values) == config.SOCRATIC and config.tries(template, values) > 0


def _rubric(invocation: Invocation, store: Courses) -> Rubric | None:
    rubric, key = rubric_files(invocation)
    if rubric and key:
        raise UsageError("--rubric and --key do not go together", hint="a rubric in YAML may hold a 'key'")
    return store.rubric(rubric or key, bool(key)) if rubric or key else None


def _due(learner: Learner, now: datetime) -> list[dict[str, str]]:
    waiting = sorted((card for card in learner.cards if card.due <= now), key=lambda card: card.due)
    return [{"front": card.front, "back": card.back, "topic": card.topic} for card in waiting[:DUE]]


def _wrong_sums(invocation: Invocation, runtime: Runtime, answer: str) -> tuple[WrongSum, ...]:
    """Those of an answer, but for what stands in its request: that may be quoted."""
    asked = build_request(invocation, runtime.format)
    return wrong_sums(answer, "\n".join(message.content for message in asked.messages))


def _tell(invocation: Invocation, runtime: Runtime, sums: tuple[WrongSum, ...]) -> None:
    """Only with -v where what a statement comes to may be what the learner is to find."""
    asks = config.method(invocation.template, invocation.values) in config.ASKING
    for one in sums:
        (runtime.notice if asks else runtime.warn)(f"worth checking: '{one.text}' comes to {one.value}")
