"""One exchange in its promised format: what is defective is asked for once more, and both are counted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from engine_parts import Answer, Parts, Shown, said

from gptkit.core.chat import AnswerDelta, AnswerFormatError, Finished, Message, Rendering, Usage
from gptkit.core.errors import BudgetError, GptkitError, IncompleteError, TryAgainError
from gptkit.exchange.ask import ask
from gptkit.exchange.invocation import Invocation, Outcome
from gptkit.templates.template import Template

HAIKU = Invocation(Template("haiku", "f", "x", system="Be brief."), "gpt-0", "rain")


class Number:
    """A format: a number, which is printed with two digits after the point."""

    streams = False
    rendering: Rendering = "none"
    parameters: Mapping[str, object] = {"response_format": {"type": "number"}}

    def __init__(self, again: bool = True, failure: Exception | None = None) -> None:
        self.again = again
        self.failure = failure

    def finish(self, text: str) -> str:
        try:
            return f"{float(text):.2f}"
        except ValueError:
            failure = self.failure or IncompleteError(f"no number: '{text}'")
            raise AnswerFormatError(f"'{text}' is no number", failure, again=self.again) from None


def asking(*answers: Answer, requests: int | None = None, form: Number | None = None) -> Parts:
    return Parts(list(answers), format=form or Number(), requests=requests)


def failed(outcome: Outcome) -> GptkitError:
    assert outcome.failure is not None
    return outcome.failure


def test_the_answer_is_the_finished_text() -> None:
    parts = asking(said(" 3.14159\n"))
    outcome = ask(HAIKU, parts.runtime, None)
    assert (outcome.answer, outcome.reply.text, outcome.failure) == ("3.14", " 3.14159\n", None)
    assert parts.sent[0].parameters == {"response_format": {"type": "number"}}
    assert parts.sent[0].droppable == {"response_format"}
    assert parts.sent[0].text == "rain"


def test_who_wants_the_text_as_it_is_gets_it() -> None:
    for text in ("3.14159", "no number"):
        outcome = ask(HAIKU._replace(exact=True), asking(said(text)).runtime, None)
        assert (outcome.answer, outcome.failure) == (text, None)


def test_a_defective_answer_is_asked_for_once_more_with_the_problem_named() -> None:
    parts = asking(said("many", Usage(10, 2), "r1"), said("7", Usage(20, 3), "r2"))
    outcome = ask(HAIKU, parts.runtime, None)
    assert (outcome.answer, outcome.failure, outcome.reply.text) == ("7.00", None, "7")
    assert parts.sent[1].messages == (
        Message("system", "Be brief."),
        Message("user", "rain"),
        Message("assistant", "many"),
        Message(
            "user",
            "That answer cannot be used: 'many' is no number. "
            "Give the whole answer again, corrected, and nothing else.",
        ),
    )
    assert parts.sent[1].parameters == parts.sent[0].parameters
    reply = outcome.reply
    assert (reply.usage, reply.attempts, reply.request_id) == (Usage(30, 5), 2, "r2")
    assert parts.budget.request_count == 2


def test_times_and_tries_of_both_requests_add_up() -> None:
    first: Answer = [1.0, AnswerDelta("many"), 1.0, Finished("stop")]
    second: Answer = [4.0, AnswerDelta("7"), 1.0, Finished("stop")]
    parts = asking([TryAgainError("busy", tries=4)], first, [TryAgainError("busy", tries=4)], second)
    reply = ask(HAIKU, parts.runtime, None).reply
    assert (reply.attempts, reply.first, reply.total) == (4, 2.5 + 4.5, 2.5 + 5.5)


@pytest.mark.parametrize(("one", "other"), [(Usage(1, 2), None), (None, Usage(1, 2)), (None, None)])
def test_tokens_that_are_half_known_are_not_known(one: Usage | None, other: Usage | None) -> None:
    assert ask(HAIKU, asking(said("many", one), said("7", other)).runtime, None).reply.usage is None


def test_there_is_no_third_request() -> None:
    parts = asking(said("many", Usage(1, 1)), said("more", Usage(1, 1), "r2"))
    outcome = ask(HAIKU, parts.runtime, None)
    failure = failed(outcome)
    assert (failure.code, failure.message) == (80, "no number: 'more'")
    assert (failure.attempts, failure.request_id, failure.partial) == (2, "r2", True)
    assert (outcome.answer, outcome.reply.usage, len(parts.sent)) == ("more", Usage(2, 2), 2)


def test_a_format_may_see_no_sense_in_asking_again() -> None:
    parts = asking(said("many", request_id="r1"), form=Number(again=False))
    outcome = ask(HAIKU, parts.runtime, None)
    assert (failed(outcome).message, failed(outcome).attempts) == ("no number: 'many'", 1)
    assert (failed(outcome).request_id, outcome.answer, len(parts.sent)) == ("r1", "many", 1)


def test_nothing_is_asked_again_that_the_user_has_seen() -> None:
    parts, sink = asking(said("many")), Shown()
    outcome = ask(HAIKU, parts.runtime, sink)
    assert (failed(outcome).message, sink.text, len(parts.sent)) == ("no number: 'many'", "many", 1)
    assert failed(outcome).partial is True


def test_what_is_no_error_of_ours_is_not_made_one() -> None:
    with pytest.raises(ZeroDivisionError):
        ask(HAIKU, asking(said("many"), form=Number(again=False, failure=ZeroDivisionError())).runtime, None)


def test_an_unfinished_answer_is_not_put_into_form() -> None:
    parts = asking([AnswerDelta("many"), Finished("length")])
    outcome = ask(HAIKU, parts.runtime, None)
    assert (failed(outcome).message, outcome.answer) == ("answer cut at the token limit", "many")
    assert len(parts.sent) == 1


def test_a_second_answer_that_breaks_off_is_what_came() -> None:
    parts = asking(said("many", Usage(1, 1)), [AnswerDelta("7"), Finished("length", Usage(2, 2))])
    outcome = ask(HAIKU, parts.runtime, None)
    assert (failed(outcome).code, failed(outcome).attempts) == (80, 2)
    assert (outcome.answer, outcome.reply.usage, outcome.reply.attempts) == ("7", Usage(3, 3), 2)


def test_a_second_request_that_fails_does_not_lose_the_first_answer() -> None:
    parts = asking(said("many"), [TryAgainError("nothing listens on x")])
    outcome = ask(HAIKU, parts.runtime, None)
    failure = failed(outcome)
    assert failure.message == "nothing listens on x; the answer before it cannot be used: 'many' is no number"
    assert (failure.code, failure.attempts, failure.partial) == (75, 2, True)
    assert (outcome.answer, outcome.reply.text) == ("many", "many")


def test_a_budget_holds_for_the_second_request_as_well() -> None:
    parts = asking(said("many"), requests=1)
    outcome = ask(HAIKU, parts.runtime, None)
    failure = failed(outcome)
    assert isinstance(failure, BudgetError)
    assert failure.message == (
        "the budget of 1 request is used up; the answer before it cannot be used: 'many' is no number"
    )
    assert (failure.attempts, outcome.answer, len(parts.sent)) == (1, "many", 1)


def test_a_first_request_that_fails_is_raised() -> None:
    with pytest.raises(TryAgainError):
        ask(HAIKU, asking([TryAgainError("no")]).runtime, None)
