"""What a run may spend, and what it has spent."""

from __future__ import annotations

import threading

import pytest
from engine_parts import Parts, Shown, question, said

from gptkit.core.chat import AnswerDelta, Charge, ChatRequest, Finished, Message, Reply, ToolCall, Usage
from gptkit.core.errors import BudgetError, ConfigurationError, GptkitError, SignalError, TryAgainError
from gptkit.exchange.budget import Budget, CostCap, SentRequest, WorkerBudget, prompt_tokens
from gptkit.exchange.retry import send_with_retries

MILLION = 1_000_000


def dear(model: str, prompt: int, completion: int) -> float | None:
    """A dollar for a million tokens in, ten for a million out."""
    return None if model == "unknown" else (prompt + 10 * completion) / MILLION


def budget(dollars: float, requests: int | None = None) -> Budget:
    return Budget(requests, (CostCap(dollars, "--max-cost"),), dear, "api.example", lambda: 7.0)


def paid(one: Budget, request: ChatRequest, reply: Reply) -> None:
    one.charge(SentRequest(request, one.reserve(request), 5.0, "answer"), reply, False)


def test_a_request_is_charged_by_the_server_s_count() -> None:
    one = budget(1.0)
    paid(one, question(), Reply("because", "stop", usage=Usage(100, 20), model="gpt-0-mini"))
    assert one.charges == [
        Charge("gpt-0-mini", "answer", "api.example", 100, 20, False, 300 / MILLION, 5.0, 2.0)
    ]
    assert one.spent == 300 / MILLION


def test_without_a_count_it_is_estimated() -> None:
    one = budget(1.0)
    paid(one, question(), Reply("because it is so", "stop"))
    (charge,) = one.charges
    assert charge.estimated
    assert charge.prompt_tokens == prompt_tokens(question())
    assert charge.completion_tokens > 2


def test_tools_and_calls_count_as_well() -> None:
    one, call = budget(1.0), ToolCall("c1", "get_order", '{"id": 42, "why": "late"}')
    asked = question()._replace(parameters={"tools": [{"description": "word " * 50}]})
    paid(one, asked, Reply("", "tool_calls", calls=(call,)))
    assert one.charges[0].prompt_tokens > prompt_tokens(question()) + 40
    assert one.charges[0].completion_tokens > 5
    repeated = question()._replace(messages=(*question().messages, Message("assistant", "", (call,))))
    assert prompt_tokens(repeated) > prompt_tokens(question()) + 9


def test_no_price_is_looked_up_where_no_cap_needs_it() -> None:
    def asked(*_: object) -> float:
        raise AssertionError("asked for a price")

    one = Budget(price=asked)
    paid(one, question(), Reply("because", "stop"))
    assert one.charges[0].cost is None


def test_the_request_that_would_go_over_is_not_sent() -> None:
    one = budget(0.000_192)
    paid(one, question(), Reply("because", "stop", usage=Usage(100, 9)))
    with pytest.raises(BudgetError) as caught:
        one.reserve(question())
    assert caught.value.message.startswith("--max-cost of 0.000192 USD is used up: 0.00019 is spent")
    assert one.request_count == 1


def test_the_limit_of_the_answer_counts_before_it_comes() -> None:
    with pytest.raises(BudgetError):
        budget(0.001).reserve(question({"max_tokens": 1000}))
    budget(0.001).reserve(question({"max_completion_tokens": 50}))


def test_what_is_reserved_by_others_counts() -> None:
    one = budget(0.001)
    held = one.reserve(question({"max_tokens": 60}))
    with pytest.raises(BudgetError):
        one.reserve(question({"max_tokens": 60}))
    one.charge(SentRequest(question(), held, 0.0, "answer"), Reply("", None), False)
    one.reserve(question({"max_tokens": 60}))


def test_what_is_reserved_by_others_is_told() -> None:
    one = budget(0.001)
    one.reserve(question({"max_tokens": 60}))
    with pytest.raises(BudgetError, match=r": 0 is spent, 0[.]\d+ set aside for requests under way"):
        one.reserve(question({"max_tokens": 60}))


def test_answers_as_long_as_their_texts_are_reserved_with_that_length() -> None:
    text = "word " * 100
    one = question()._replace(messages=(Message("user", text),), text=text)
    assert budget(0.0005).reserve(one) < 0.0002
    echoing = budget(0.0005)
    echoing.answers_match_texts = True
    with pytest.raises(BudgetError):
        echoing.reserve(one)
    with pytest.raises(BudgetError):
        echoing.with_price_factor(0.9).reserve(one)


def test_answers_are_expected_to_be_as_long_as_those_before() -> None:
    text = "word " * 100
    one = question()._replace(messages=(Message("user", text),), text=text)
    echoing = budget(0.5)
    echoing.answers_match_texts = True
    first = echoing.reserve(one)
    echoing.charge(SentRequest(one, first, 5.0, "answer"), Reply("x", "stop", usage=Usage(100, 1000)), False)
    assert echoing.reserve(one) == pytest.approx(1000 * 10 / MILLION, rel=0.1)
    counted = Budget()
    counted.max_answer_tokens = 2500
    counted.charge(
        SentRequest(one, counted.reserve(one), 5.0, "answer"), Reply("x", "stop", usage=Usage(9, 1000)), False
    )
    counted.reserve(one)
    with pytest.raises(BudgetError, match="of 2500 tokens"):
        counted.reserve(one)


def test_what_was_set_aside_may_not_fit_any_more() -> None:
    text = "word " * 100
    one = question()._replace(messages=(Message("user", text),), text=text)
    dear_one = budget(0.01)
    dear_one.answers_match_texts = True
    first, _ = dear_one.reserve(one), dear_one.reserve(one)
    dear_one.confirm()
    dear_one.charge(SentRequest(one, first, 5.0, "answer"), Reply("x", "stop", usage=Usage(100, 1000)), False)
    with pytest.raises(BudgetError, match=r"is used up: 0.0101 is spent, 0.00.* set aside"):
        dear_one.confirm()
    with pytest.raises(BudgetError):
        WorkerBudget(dear_one).confirm()


def test_a_cap_in_money_needs_a_price() -> None:
    with pytest.raises(ConfigurationError) as caught:
        budget(1.0).reserve(ChatRequest("unknown", (Message("user", "x"),)))
    assert caught.value.message == "no price is known for 'unknown', so --max-cost cannot be checked"


def test_all_workers_together_keep_the_cap() -> None:
    one = Budget(100)
    over: list[int] = []

    def work() -> None:
        for _ in range(40):
            try:
                one.reserve(question())
            except BudgetError:
                over.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (one.request_count, len(over)) == (100, 220)


def test_each_try_is_charged_and_a_doubtful_one_at_its_estimate() -> None:
    lost = TryAgainError("no answer", tries=2, billed=True)
    parts = Parts([(lost,), said("because", Usage(30, 4))])
    send_with_retries(question(), parts.runtime, None)
    first, second = parts.budget.charges
    assert (first.prompt_tokens, first.completion_tokens, first.estimated) == (
        prompt_tokens(question()),
        0,
        True,
    )
    assert (second.prompt_tokens, second.completion_tokens, second.estimated) == (30, 4, False)
    assert parts.budget.request_count == 3


@pytest.mark.parametrize("error", [TryAgainError("refused", tries=1), GptkitError("bug")])
def test_what_never_reached_the_server_is_not_charged(error: GptkitError) -> None:
    parts = Parts([(error,)])
    with pytest.raises(GptkitError):
        send_with_retries(question(), parts.runtime, None)
    assert parts.budget.charges == []


def test_what_a_signal_cuts_short_is_charged() -> None:
    def stop(_: object) -> None:
        raise SignalError(2)

    parts = Parts([(AnswerDelta("half of it"), Finished("stop"))])
    with pytest.raises(SignalError):
        send_with_retries(question(), parts.runtime, Shown(stop))
    (charge,) = parts.budget.charges
    assert charge.estimated
    assert charge.completion_tokens > 1


def test_the_purpose_is_kept() -> None:
    parts = Parts([(AnswerDelta("x"), Finished("stop"))])
    send_with_retries(question(), parts.runtime, None, "check")
    assert parts.budget.charges[0].purpose == "check"


def test_what_was_spent_before_counts_and_is_told() -> None:
    cap = CostCap(1.0, "the monthly_limit", 1.25)
    one = Budget(None, (cap,), dear, "api.example", lambda: 7.0)
    with pytest.raises(BudgetError, match=r"the monthly_limit of 1 USD is used up: 1[.]25 is spent, and"):
        one.reserve(question())
    assert (cap.dollars_left, CostCap(1.0, "x", 0.25).dollars_left) == (0.0, 0.75)
    assert Budget(None, (cap._replace(spent_before=0.5),), dear).reserve(question()) > 0


def test_the_answers_of_a_job_have_a_length_together() -> None:
    one = Budget()
    one.max_answer_tokens = 30
    request = question()._replace(text="ten words of text that an answer would have too")
    for _ in range(2):
        paid(one, request, Reply("because", "stop", usage=Usage(10, 10)))
    one.reserve(request)  # twenty were answered, about ten are expected
    with pytest.raises(BudgetError) as caught:
        one.reserve(request)
    assert caught.value.message == "the budget of 30 tokens is used up"


def test_a_share_of_the_price_leaves_room_for_more() -> None:
    one = Budget(3, (CostCap(1.0, "--max-cost"),), dear, "api.example", lambda: 7.0)
    cost = one.reserve(question())
    half = one.with_price_factor(0.5)
    assert half.reserve(question()) == cost / 2
    assert half.request_count == 1
    half.reserve(question())
    half.reserve(question())
    with pytest.raises(BudgetError):
        half.reserve(question())
