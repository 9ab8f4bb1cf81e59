"""Run one turn of a course: add the learner's record to the request, get the answer, update the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.capabilities.course import config
from gptkit.capabilities.course.arithmetic import wrong_sums
from gptkit.capabilities.course.grading import grade, rubric_files
from gptkit.capabilities.course.model import due_cards
from gptkit.capabilities.course.record import record_turn, request_record, store_of
from gptkit.capabilities.course.socratic import answer_socratically, stored_progress
from gptkit.core.errors import NoInputError, UsageError
from gptkit.exchange.ask import ask
from gptkit.exchange.invocation import build_request

if TYPE_CHECKING:
    from datetime import datetime

    from gptkit.capabilities.course.arithmetic import WrongSum
    from gptkit.capabilities.course.model import Learner
    from gptkit.capabilities.course.rubric import Rubric
    from gptkit.capabilities.course.store import CourseStore
    from gptkit.core.chat import Sink
    from gptkit.exchange.invocation import Invocation, Outcome, Runtime


DUE = 5
"""Due reviews that a request mentions."""
NOT_FILES = ("words", "standard input")
"""Names of inputs that are no files but the learner's own words."""


def prepare(invocation: Invocation, stores: Mapping[str, object]) -> Invocation:
    """Add the template variable `course`: what the tutor should know of the learner.

    Raises, before anything is sent, YamlFileError for a course that cannot be read, and the errors of the
    files of `--rubric` and `--key`.
    """
    store = store_of(stores)
    template, values = invocation.template, invocation.values
    learner = store.load(config.required_subject(template, values))
    if _rubric(invocation, store) is not None and not invocation.text.strip():
        raise NoInputError(
            "there is no answer to grade", hint="give it as words, pipe it in, or name a file with -f"
        )

    before = stored_progress(invocation.notes)
    earlier = "\n".join((learner.subject, *(message.content for message in invocation.turns)))
    about = {
        **request_record(learner),
        "new": not (learner.goals or learner.topics or learner.mistakes or learner.cards),
        "due": _due(learner, store.now()),
        "method": config.method(template, values),
        "question": before.question,
        "attempts": before.attempts,
        "tries": config.tries(template, values),
        "material": any(name not in NOT_FILES for name, _ in invocation.files),
        "computed": [str(wrong) for wrong in wrong_sums(learner_words(invocation), earlier)],
        "wrong": before.wrong,
    }
    return invocation._replace(extras={**invocation.extras, config.KEY: about})


def run(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Return the answer or the grade, after the course has been brought up to date."""
    words = learner_words(invocation)
    now = stored_progress(invocation.notes)
    rubric = _rubric(invocation, store_of(runtime.stores))
    if rubric is not None:
        outcome = grade(invocation, runtime, sink, rubric)
    elif _is_guided(invocation):
        outcome, now = answer_socratically(invocation, runtime, sink, words)
    else:
        outcome = ask(invocation, runtime, sink)
    sums = _wrong_sums(invocation, runtime, outcome.answer) if outcome.failure is None and not rubric else ()
    now = now._replace(wrong=tuple(map(str, sums)))
    outcome = outcome._replace(notes={**invocation.notes, **outcome.notes, config.KEY: now._asdict()})
    if outcome.failure is None:
        runtime.record_answer(outcome)
        if sink is not None:
            sink.close()  # the answer is there to be read while the record is made
        _report_sums(invocation, runtime, sums)
        record_turn(invocation, runtime, words, outcome.answer)
    return outcome


def learner_words(invocation: Invocation) -> str:
    """Return all that the learner wrote or handed in with this turn."""
    return "\n\n".join(part for part in (invocation.request, invocation.text) if part)


def _is_guided(invocation: Invocation) -> bool:
    template, values = invocation.template, invocation.values
    return config.method(template, values) == config.SOCRATIC and config.tries(template, values) > 0


def _rubric(invocation: Invocation, store: CourseStore) -> Rubric | None:
    rubric, key = rubric_files(invocation)
    if rubric and key:
        raise UsageError("--rubric and --key do not go together", hint="a rubric in YAML may hold a 'key'")
    return store.read_rubric(rubric or key, bool(key)) if rubric or key else None


def _due(learner: Learner, now: datetime) -> list[dict[str, str]]:
    cards = due_cards(learner, now)[:DUE]
    return [{"front": card.front, "back": card.back, "topic": card.topic} for card in cards]


def _wrong_sums(invocation: Invocation, runtime: Runtime, answer: str) -> tuple[WrongSum, ...]:
    """Return the wrong sums of an answer, but for those in its request, which the answer may quote."""
    request = build_request(invocation, runtime.format)
    return wrong_sums(answer, "\n".join(message.content for message in request.messages))


def _report_sums(invocation: Invocation, runtime: Runtime, sums: tuple[WrongSum, ...]) -> None:
    """Warn of wrong sums; only with -v if the right value may be what the learner has to find."""
    asks = config.method(invocation.template, invocation.values) in config.ASKING
    for wrong in sums:
        (runtime.notice if asks else runtime.warn)(f"worth checking: '{wrong.text}' comes to {wrong.value}")
