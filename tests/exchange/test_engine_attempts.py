"""When a request is sent again: how often, after how long, and what is left of broken answers."""

from __future__ import annotations

import pytest
from engine_parts import WHOLE, Answer, Parts, Shown, question, said

from gptkit.core.chat import AnswerDelta, ChatRequest, Event, Finished, ReasoningDelta, RefusalDelta, Usage
from gptkit.core.errors import (
    BudgetError,
    CannotWriteError,
    GptkitError,
    IncompleteError,
    InternalError,
    NoPermissionError,
    ProtocolError,
    RefusedError,
    SignalError,
    TryAgainError,
    UnavailableError,
)
from gptkit.exchange.invocation import RetryPolicy
from gptkit.exchange.retry import send_with_retries


def busy(wait: float | None = None) -> TryAgainError:
    return TryAgainError("too many requests (429)", tries=4, wait=wait)


def cut() -> IncompleteError:
    return IncompleteError("answer cut short: connection reset", tries=4, partial=True)


def failing(parts: Parts, sink: Shown | None = None, request: ChatRequest | None = None) -> GptkitError:
    with pytest.raises(GptkitError) as caught:
        send_with_retries(request or question(), parts.runtime, sink)
    return caught.value


def test_a_whole_answer_is_one_request() -> None:
    usage = Usage(3, 4)
    parts = Parts(
        [
            (
                1.5,
                ReasoningDelta("hm"),
                1.0,
                AnswerDelta(""),
                AnswerDelta("a"),
                0.5,
                AnswerDelta("b"),
                Finished("stop", usage, "m", "r", {"id": 1}),
            )
        ]
    )
    sink = Shown()
    outcome = send_with_retries(question(), parts.runtime, sink)
    reply = outcome.reply
    assert (outcome.answer, outcome.failure) == ("ab", None)
    assert (reply.text, reply.reasoning, reply.reason, reply.usage) == ("ab", "hm", "stop", usage)
    assert (reply.model, reply.request_id, reply.response) == ("m", "r", {"id": 1})
    assert (reply.attempts, reply.first, reply.total) == (1, 2.5, 3.0)
    assert sink.events == [
        ReasoningDelta("hm"),
        AnswerDelta(""),
        AnswerDelta("a"),
        AnswerDelta("b"),
        Finished("stop", usage, "m", "r", {"id": 1}),
    ]
    assert (parts.sent, parts.budget.request_count, parts.notices, parts.closed) == ([question()], 1, [], 1)


def test_a_failure_that_may_pass_is_tried_again() -> None:
    parts = Parts([[busy()], [busy()], said("a")])
    outcome = send_with_retries(question(), parts.runtime, Shown())
    assert (outcome.answer, outcome.reply.attempts) == ("a", 3)
    assert (len(parts.sent), parts.budget.request_count, parts.closed) == (3, 3, 3)
    assert parts.notices == [
        "too many requests (429); next try in 0.5 s",
        "too many requests (429); next try in 1.0 s",
    ]


def test_times_count_from_the_first_request() -> None:
    parts = Parts([[2.0, busy()], [1.0, AnswerDelta("a"), Finished("stop")]])
    reply = send_with_retries(question(), parts.runtime, None).reply
    assert (reply.first, reply.total) == (3.5, 3.5)


@pytest.mark.parametrize(
    ("tries", "attempts", "sent"), [(1, 4, 1), (2, 4, 2), (4, 4, 4), (4, 2, 2), (4, 1, 1), (9, 4, 4)]
)
def test_tries_are_what_the_failure_deserves_and_the_policy_allows(
    tries: int, attempts: int, sent: int
) -> None:
    parts = Parts(
        [[TryAgainError("no", tries=tries)] for _ in range(9)], policy=RetryPolicy(attempts=attempts)
    )
    failure = failing(parts)
    assert (failure.message, failure.attempts, len(parts.sent)) == ("no", sent, sent)


@pytest.mark.parametrize(
    "kind", [UnavailableError, NoPermissionError, RefusedError, ProtocolError, InternalError]
)
def test_what_does_not_pass_is_not_tried_again(kind: type[GptkitError]) -> None:
    failure = failing(Parts([[kind("no")]]))
    assert (type(failure), failure.attempts) == (kind, 1)


def test_each_failure_counts_by_its_own_tries() -> None:
    parts = Parts([[busy()], [busy()], [TryAgainError("no such host", tries=2)]])
    assert failing(parts).message == "no such host"
    assert len(parts.sent) == 3


@pytest.mark.parametrize(
    ("chance", "pauses"), [(1.0, [0.5, 1.0, 2.0]), (0.5, [0.25, 0.5, 1.0]), (0.0, [0.0, 0.0, 0.0])]
)
def test_pauses_double_and_are_cut_at_random(chance: float, pauses: list[float]) -> None:
    parts = Parts([[busy()] for _ in range(4)], chance=chance)
    failing(parts)
    assert parts.pauses == pauses


def test_a_pause_has_a_limit() -> None:
    parts = Parts([[TryAgainError("no", tries=12)] for _ in range(12)], policy=RetryPolicy(12, 1000.0))
    failing(parts)
    assert parts.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0, 20.0, 20.0]


@pytest.mark.parametrize(("asked", "pause"), [(0.3, 0.5), (3.0, 3.0), (0.0, 0.5), (None, 0.5), (60.0, 60.0)])
def test_what_the_server_asks_for_is_the_least(asked: float | None, pause: float) -> None:
    parts = Parts([[busy(asked)], said("a")])
    send_with_retries(question(), parts.runtime, None)
    assert parts.pauses == [pause]


def test_a_longer_wait_than_there_is_patience_fails_at_once_and_says_when() -> None:
    parts = Parts([[busy(61.0)]])
    failure = failing(parts)
    assert failure.message == "too many requests (429); the server asks to wait 61 s"
    assert (failure.code, failure.attempts, parts.pauses) == (75, 1, [])


def test_patience_is_for_all_pauses_together() -> None:
    parts = Parts([[busy(25.0)] for _ in range(4)])
    failure = failing(parts)
    assert (parts.pauses, failure.attempts) == ([25.0, 25.0], 3)
    assert failure.message == "too many requests (429); the server asks to wait 25 s"


def test_patience_ends_quietly_where_the_server_asks_for_nothing() -> None:
    parts = Parts([[busy()] for _ in range(4)], policy=RetryPolicy(wait=1.0))
    assert failing(parts).message == "too many requests (429)"
    assert parts.pauses == [0.5]


BROKEN: list[tuple[Answer, str]] = [
    ([AnswerDelta("par"), cut()], "answer cut short: connection reset"),
    ([AnswerDelta("par"), Finished(None)], "answer cut short: the server never said that it is whole"),
    ([AnswerDelta("par")], "answer cut short: the server never said that it is whole"),
    ([AnswerDelta("par"), Finished("error")], "answer cut short: the server stopped with an error"),
    ([AnswerDelta("par"), TryAgainError("odd", tries=4)], "odd"),
]


@pytest.mark.parametrize(("broken", "message"), BROKEN)
def test_nothing_is_tried_again_once_text_was_shown(broken: Answer, message: str) -> None:
    parts, sink = Parts([broken]), Shown()
    outcome = send_with_retries(question(), parts.runtime, sink)
    assert (outcome.answer, sink.text, len(parts.sent)) == ("par", "par", 1)
    failure = outcome.failure
    assert failure is not None
    assert (failure.message, failure.partial, failure.attempts) == (message, True, 1)


@pytest.mark.parametrize(("broken", "message"), BROKEN)
def test_a_broken_answer_that_nobody_saw_is_asked_for_again(broken: Answer, message: str) -> None:
    parts = Parts([broken, WHOLE])
    outcome = send_with_retries(question(), parts.runtime, None)
    assert (outcome.answer, outcome.failure, outcome.reply.attempts) == ("whole answer", None, 2)
    assert parts.notices == [f"{message}; next try in 0.5 s"]


def test_reasoning_that_was_shown_does_not_keep_from_trying_again() -> None:
    parts = Parts([[ReasoningDelta("hm"), busy()], said("a")])
    outcome = send_with_retries(question(), parts.runtime, Shown())
    assert (outcome.answer, outcome.reply.reasoning) == ("a", "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([AnswerDelta("par"), Finished("length")], "answer cut at the token limit"),
        (
            [AnswerDelta("par"), Finished("content_filter")],
            "the provider's content filter stopped the answer",
        ),
        ([AnswerDelta("par"), RefusalDelta("no"), Finished("stop")], "the model refused: 'no'"),
        ([AnswerDelta("par"), Finished("odd")], "answer may not be whole: finish reason 'odd'"),
        ([AnswerDelta(" "), ProtocolError("malformed answer")], "malformed answer"),
    ],
)
def test_what_another_try_would_not_mend_is_returned_with_its_text(answer: Answer, message: str) -> None:
    for sink in (None, Shown()):
        parts = Parts([answer])
        outcome = send_with_retries(question(), parts.runtime, sink)
        assert outcome.failure is not None
        assert (outcome.failure.message, outcome.failure.partial) == (message, True)
        assert outcome.answer == outcome.reply.text != ""
        assert len(parts.sent) == 1


def test_a_refusal_without_text_is_raised_with_its_id() -> None:
    failure = failing(
        Parts([[RefusalDelta("I ca"), RefusalDelta("n't."), Finished("stop", request_id="r7")]]), Shown()
    )
    assert (failure.code, failure.message, failure.request_id) == (81, "the model refused: 'I can't.'", "r7")
    assert (failure.partial, failure.attempts) == (False, 1)


def test_of_broken_answers_the_longest_is_kept() -> None:
    parts = Parts(
        [
            [AnswerDelta("longest"), cut()],
            [AnswerDelta("par"), cut()],
            [busy()],
            [TryAgainError("nothing listens", tries=4)],
        ]
    )
    outcome = send_with_retries(question(), parts.runtime, None)
    assert (outcome.answer, outcome.reply.text, outcome.reply.attempts) == ("longest", "longest", 4)
    failure = outcome.failure
    assert failure is not None
    assert (failure.code, failure.message, failure.attempts) == (80, "answer cut short: connection reset", 4)
    assert failure.partial is True


def test_a_failure_of_the_sink_is_no_failure_of_the_provider() -> None:
    def full(event: Event) -> None:
        raise CannotWriteError("standard output: no space left", tries=4)

    parts = Parts([WHOLE, WHOLE])
    failure = failing(parts, Shown(full))
    assert (failure.message, len(parts.sent), parts.closed) == ("standard output: no space left", 1, 1)


def test_a_signal_ends_the_request_at_once() -> None:
    def stop(event: Event) -> None:
        raise SignalError(13)

    parts = Parts([[AnswerDelta("a"), AnswerDelta("b"), busy()]])
    sink = Shown(stop)
    with pytest.raises(SignalError):
        send_with_retries(question(), parts.runtime, sink)
    assert (sink.events, parts.closed) == ([AnswerDelta("a")], 1)


def test_a_provider_may_fail_before_its_first_event() -> None:
    def provider(request: ChatRequest) -> None:
        raise NoPermissionError("no key")

    runtime = Parts().runtime._replace(provider=provider)  # type: ignore[arg-type]
    with pytest.raises(NoPermissionError) as caught:
        send_with_retries(question(), runtime, None)
    assert caught.value.attempts == 1


def test_an_iterator_without_an_end_of_its_own_will_do() -> None:
    runtime = Parts().runtime._replace(provider=lambda _: iter([AnswerDelta("a"), Finished("stop")]))
    assert send_with_retries(question(), runtime, None).answer == "a"


def test_a_budget_is_checked_before_the_first_request() -> None:
    parts = Parts([WHOLE], requests=1)
    send_with_retries(question(), parts.runtime, None)
    failure = failing(parts)
    assert (failure.code, failure.message) == (82, "the budget of 1 request is used up")
    assert (failure.attempts, len(parts.sent)) == (0, 1)


def test_a_budget_is_checked_before_every_retry() -> None:
    parts = Parts([[busy()] for _ in range(4)], requests=2)
    failure = failing(parts)
    assert isinstance(failure, BudgetError)
    assert (
        failure.message
        == "the budget of 2 requests is used up; the last request failed: too many requests (429)"
    )
    assert (failure.attempts, len(parts.sent), parts.budget.request_count) == (2, 2, 2)
    assert parts.pauses == [0.5]


@pytest.mark.parametrize(("requests", "sent"), [(1, 1), (2, 1), (3, 2), (None, 2)])
def test_a_request_that_may_be_billed_twice_counts_twice(requests: int | None, sent: int) -> None:
    lost = "no answer in 60 s; it may have been billed"
    parts = Parts([[TryAgainError(lost, tries=2, billed=True)], said("a")], requests=requests)
    if sent == 1:
        failure = failing(parts)
        assert (failure.code, parts.pauses) == (82, [])
        assert failure.message.endswith(f"; the last request failed: {lost}")
    else:
        assert send_with_retries(question(), parts.runtime, None).answer == "a"
        assert parts.budget.request_count == 3
        assert parts.notices == [f"{lost}; next try in 0.5 s, counted twice"]
    assert len(parts.sent) == sent


def test_a_billed_request_that_is_not_tried_again_counts_once() -> None:
    parts = Parts([[TryAgainError("no answer", tries=1, billed=True)]])
    assert failing(parts).code == 75
    assert parts.budget.request_count == 1


def test_text_is_kept_when_the_budget_ends() -> None:
    parts = Parts([[AnswerDelta("par"), cut()]], requests=1)
    outcome = send_with_retries(question(), parts.runtime, None)
    assert outcome.answer == "par"
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.partial, outcome.failure.attempts) == (82, True, 1)
