"""Pieces worked on side by side: order, proof, halves, memory, and what ends a job."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from fake.waiting import SOON
from long_models import PROMPT, Answer, Kept, Model, Words

from gptkit.capabilities.long.map import map_pieces
from gptkit.core.chat import ChatRequest, Event, Message
from gptkit.core.errors import (
    BudgetError,
    DataError,
    GptkitError,
    NoPermissionError,
    RateLimitError,
    RefusedError,
    TooLongError,
    TryAgainError,
)
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import Invocation, RetryPolicy
from gptkit.jobs.job import Job, PieceResult
from gptkit.jobs.workers import AHEAD_PER_WORKER, RequestLimiter, limit_requests


def shout(text: str) -> str:
    return text.upper().replace("{X}", "{x}")


def slow_at_times(text: str) -> str:
    time.sleep(0.02 if text.endswith("1") else 0)
    return shout(text)


def job(workers: int = 4, memory: Kept | None = None, fresh: bool = False) -> Job:
    invocation = Invocation(PROMPT, "gpt-0", stream=False)
    return Job(invocation, Words(), memory, None, workers, fresh)


def results(model: Model, lines: Iterable[str], one: Job | None = None) -> list[PieceResult]:
    return list(map_pieces(Words().pieces(lines, 100), one or job(), model.runtime()))


def written(found: Iterable[PieceResult]) -> str:
    return "".join(done.text for done in found)


def test_answers_are_written_in_the_order_of_their_pieces() -> None:
    model = Model(slow_at_times)
    lines = [f"line {number}\n" for number in range(40)]
    assert written(results(model, lines)) == "".join(lines).upper()
    assert len(model.asked) == 40


def test_as_many_work_at_once_as_there_are_workers() -> None:
    first, together = itertools.count(), threading.Barrier(5)

    def answer(text: str) -> str:
        if next(first) < 5:
            together.wait(SOON)
        return shout(text)

    model = Model(answer, delay=0.02)
    results(model, [f"{number}\n" for number in range(30)], job(workers=5))
    assert model.most == 5


def test_no_more_is_read_than_is_worked_on() -> None:
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for number in range(1000):
            read = number
            yield f"{number}\n"

    found = map_pieces(Words().pieces(lines(), 100), job(workers=2), Model(shout).runtime())
    for _ in range(3):
        next(found)
    assert read <= 3 + AHEAD_PER_WORKER * 2
    found.close()


def test_what_is_done_is_handed_on_while_more_is_waited_for() -> None:
    more = threading.Event()

    def lines() -> Iterator[str]:
        yield from ("a\n", "b\n", "c\n")
        assert more.wait(SOON), "nothing was handed on"
        yield "d\n"

    found = map_pieces(Words().pieces(lines(), 100), job(workers=2), Model(shout).runtime())
    assert [next(found).text for _ in range(3)] == ["A\n", "B\n", "C\n"]
    assert not more.is_set()
    more.set()
    assert [one.text for one in found] == ["D\n"]


def test_a_reading_that_fails_ends_the_job_after_what_was_read() -> None:
    def lines() -> Iterator[str]:
        yield from ("a\n", "b\n")
        raise DataError("line 3: broken")

    found = map_pieces(Words().pieces(lines(), 100), job(workers=2), Model(shout).runtime())
    assert [next(found).text for _ in range(2)] == ["A\n", "B\n"]
    with pytest.raises(DataError, match="line 3: broken"):
        next(found)


def test_what_is_not_to_be_worked_on_goes_through() -> None:
    model = Model(shout)
    found = results(model, ["a\n", "\n", "b"])
    assert (written(found), [done.origin for done in found]) == ("A\n\nB", ["answer", "through", "answer"])
    assert sorted(model.texts) == ["a", "b"]


def test_a_piece_knows_what_stands_before_it() -> None:
    model = Model(shout)
    results(model, ["first\n", "second\n"], job(workers=1))
    before, after = (request.messages[0].content for request in model.asked)
    assert "The text right before it" not in before
    assert "The text right before it:\nfirst" in after
    assert model.asked[1].messages[-1] == Message("user", "second")


def test_what_was_settled_is_told_to_the_pieces_that_need_it() -> None:
    model = Model(lambda text: text.replace("Tap", "Hahn"))
    results(model, ["**Tap** is open\n", "no such word\n", "the tap again\n"], job(workers=1))
    told = [request.messages[0].content for request in model.asked]
    assert "- Tap = Hahn" not in told[1]
    assert "- Tap = Hahn" in told[2]


def test_a_defect_is_named_when_the_piece_is_asked_for_again() -> None:
    tries = iter(["LOST", "FOUND {x}"])
    model = Model(lambda _: next(tries))
    (done,) = results(model, ["find {x}\n"])
    assert (done.text, done.origin, done.findings) == ("FOUND {x}\n", "answer", ())
    assert "placeholder '{x}' missing" in model.asked[1].messages[-1].content
    assert model.asked[1].messages[-2] == Message("assistant", "LOST")


def test_then_it_is_asked_for_in_halves() -> None:
    model = Model(lambda text: "LOST" if len(text) > 8 else shout(text))
    (done,) = results(model, ["one two {x} four"])
    assert (done.text, done.origin, done.is_whole) == ("ONE TWO {x} FOUR", "answer", True)
    assert model.texts == ["one two {x} four"] * 2 + ["one two", "{x} four"]


def test_then_it_is_kept_as_it_is_and_reported() -> None:
    model = Model(lambda text: "LOST")
    (done,) = results(model, ["{x}"])
    assert (done.text, done.origin) == ("{x}", "source")
    assert [str(finding) for finding in done.findings] == ["line 1: placeholder '{x}' missing"]


def test_a_wrong_number_is_asked_for_once_more_then_written_and_never_remembered() -> None:
    memory = Kept()
    model = Model(lambda text: shout(text).replace("7", "8"))
    (done,) = results(model, ["a b c 77"], job(memory=memory))
    assert (done.text, done.origin, done.is_whole) == ("A B C 88", "answer", False)
    assert [str(finding) for finding in done.findings] == ["line 1: number '77' missing"]
    assert model.texts == ["a b c 77"] * 2
    (again,) = results(Model(shout), ["a b c 77"], job(memory=memory))
    assert (again.text, again.origin, again.is_whole) == ("A B C 77", "answer", True)


@pytest.mark.parametrize("second", ["", "~", "LOST"])
def test_what_is_worse_the_second_time_is_not_taken(second: str) -> None:
    tries = iter(["88 {x}", second or RefusedError("the model refused")])
    model = Model(lambda _: next(tries))
    (done,) = results(model, ["77 {x}"])
    assert (done.text, done.origin) == ("88 {x}", "answer")
    assert len(model.asked) == 2


def test_what_is_wrong_besides_a_number_is_asked_for_in_halves() -> None:
    model = Model(lambda text: "LOST" if " " in text else text.replace("77", "88"))
    memory = Kept()
    (done,) = results(model, ["77 {x}"], job(memory=memory))
    assert (done.text, done.origin, done.is_whole) == ("88 {x}", "answer", False)
    assert model.texts == ["77 {x}", "77 {x}", "77", "{x}"]
    assert memory.texts == ["{x}"]


def test_a_doubtful_number_is_told_and_remembered() -> None:
    memory, model = Kept(), Model(lambda _: "five **Tap**")
    found = [
        *results(model, ["5 **tap**"], job(memory=memory)),
        *results(model, ["5 **tap**"], job(memory=memory)),
    ]
    assert [(done.text, done.origin, done.is_whole) for done in found] == [
        ("five **Tap**", "answer", True),
        ("five **Tap**", "memory", True),
    ]
    assert {str(finding) for done in found for finding in done.findings} == {"line 1: digits '5' missing"}
    assert len(model.asked) == 1


def test_what_is_doubtful_is_not_said_to_be_wrong() -> None:
    tries = iter(["FIVE", "FIVE {x}"])
    model = Model(lambda _: next(tries))
    (done,) = results(model, ["5 {x}"])
    assert (done.text, len(done.findings)) == ("FIVE {x}", 1)
    assert "digits" not in model.asked[1].messages[-1].content


def test_what_is_settled_may_be_doubtful() -> None:
    model = Model(lambda text: text.replace("Tap", "Hahn").replace("5", "fünf"))
    results(model, ["**Tap** 5\n", "the tap again\n"], job(workers=1))
    assert "- Tap = Hahn" in model.asked[1].messages[0].content


def test_an_answer_that_is_cut_is_asked_for_in_halves() -> None:
    model = Model(lambda text: text + "~" if len(text) > 600 else shout(text))
    (done,) = results(model, ["aa bb cc " * 120])
    assert (done.text, done.origin) == ("AA BB CC " * 120, "answer")
    assert len(model.asked) == 3


@pytest.mark.parametrize(("text", "answers"), [("aa bb cc dd", 1), ("aa bb cc " * 120, 4)])
def test_a_piece_is_worth_four_answers_and_a_sentence_is_not_cut(text: str, answers: int) -> None:
    model = Model(lambda text: text + "~")
    (done,) = results(model, [text])
    assert (done.text, done.origin, len(model.asked)) == (text, "source", answers)


def test_a_piece_that_is_too_long_for_the_window_is_halved() -> None:
    model = Model(lambda text: TooLongError("input too long") if len(text) > 400 else shout(text))
    (done,) = results(model, ["aa bb cc " * 120])
    assert (done.origin, len(model.asked)) == ("answer", 7)


def test_a_refused_piece_is_kept_and_the_others_go_on() -> None:
    model = Model(lambda text: RefusedError("the model refused") if text == "bad" else shout(text))
    found = results(model, ["a\n", "bad\n", "c\n"])
    assert written(found) == "A\nbad\nC\n"
    assert [done.origin for done in found] == ["answer", "source", "answer"]


def test_a_budget_is_spent_to_its_last_request() -> None:
    """Who has room in it is sent, also while others have found that there is none left for them."""
    for _ in range(20):
        model = Model(shout, 0.002)
        pieces = Words().pieces((f"{number}\n" for number in range(40)), 100)
        with pytest.raises(BudgetError):
            list(map_pieces(pieces, job(4), model.runtime(Budget(max_requests=10))))
        assert (len(model.asked), model.most <= 4) == (10, True)


@pytest.mark.parametrize("error", [NoPermissionError("the API key was not accepted"), BudgetError("used up")])
def test_what_ends_the_job_ends_it_at_once(error: GptkitError) -> None:
    model = Model(lambda text: error if text == "9" else shout(text))
    found: list[str] = []
    with pytest.raises(type(error)):
        found.extend(
            done.text
            for done in map_pieces(
                Words().pieces((f"{n}\n" for n in range(1000)), 9), job(1), model.runtime()
            )
        )
    assert "".join(found) == "".join(f"{number}\n" for number in range(9))
    assert len(model.asked) == 10


def test_the_memory_answers_the_second_time() -> None:
    memory, lines = Kept(), ["one\n", "two\n", "three\n"]
    results(Model(shout), lines, job(memory=memory))
    model = Model(shout)
    found = results(model, lines, job(memory=memory))
    assert (written(found), {done.origin for done in found}) == ("ONE\nTWO\nTHREE\n", {"memory"})
    assert model.asked == []


def test_one_changed_piece_is_one_request() -> None:
    memory = Kept()
    results(Model(shout), ["one\n", "two\n", "three\n"], job(memory=memory))
    model = Model(shout)
    assert written(results(model, ["one\n", "2\n", "three\n"], job(memory=memory))) == "ONE\n2\nTHREE\n"
    assert model.texts == ["2"]


def test_fresh_asks_again_and_keeps_the_new_answer() -> None:
    memory = Kept()
    results(Model(shout), ["one\n"], job(memory=memory))
    model = Model(lambda _: "UNO")
    results(model, ["one\n"], job(memory=memory, fresh=True))
    assert model.texts == ["one"]
    assert written(results(Model(shout), ["one\n"], job(memory=memory))) == "UNO\n"


def test_halves_that_were_accepted_are_not_asked_for_again() -> None:
    memory = Kept()
    answer: Answer = lambda text: text + "~" if len(text) > 600 else shout(text)  # noqa: E731
    results(Model(answer), ["aa bb cc " * 120], job(memory=memory))
    model = Model(answer)
    (done,) = results(model, ["aa bb cc " * 120], job(memory=memory))
    assert done.origin == "memory"
    assert model.asked == []


def test_what_was_not_accepted_is_not_remembered() -> None:
    memory = Kept()
    results(Model(lambda text: "LOST"), ["{x}"], job(memory=memory))
    assert memory.held == {}


def test_all_slow_down_together_and_speed_up_again() -> None:
    gate = RequestLimiter(8, lambda: 100.0)
    gate.slow_down(0.0, sent=90.0)
    assert gate.limit == 4
    gate.slow_down(0.0, sent=95.0)  # was under way already when the server called for less
    assert gate.limit == 4
    gate.slow_down(0.0, sent=101.0)
    assert gate.limit == 2
    for _ in range(5):
        gate.note_success()
    assert gate.limit == 3
    for _ in range(100):
        gate.note_success()
    assert gate.limit == 8


def test_a_place_is_held_until_the_answer_is_kept() -> None:
    gate = RequestLimiter(1, time.monotonic)
    sent: list[str] = []

    def other() -> None:
        gate.acquire()
        sent.append("other")
        gate.release()

    send = limit_requests(lambda _: iter(()), gate, time.monotonic, lambda: None)
    question = ChatRequest("m", ())
    send(question)
    thread = threading.Thread(target=other)
    thread.start()
    send(question)  # asked again: in its own place
    time.sleep(0.05)
    assert sent == []
    gate.release()
    gate.release()  # nothing is left twice
    thread.join(SOON)
    assert sent == ["other"]
    gate.acquire()
    gate.release()


def test_who_pauses_or_fails_has_no_place() -> None:
    gate = RequestLimiter(1, time.monotonic)

    def other() -> None:
        gate.acquire()
        gate.release()

    def refused(_: ChatRequest) -> Iterator[Event]:
        raise TryAgainError("500")

    send = limit_requests(refused, gate, time.monotonic, lambda: None)
    with pytest.raises(TryAgainError):
        send(ChatRequest("m", ()))
    for _ in range(2):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(SOON)
        assert not thread.is_alive()
        gate.acquire()
        gate.sleep(0.001)


def test_a_place_beyond_the_limit_is_given_up_before_the_next_request() -> None:
    gate = RequestLimiter(2, time.monotonic)
    entered = [threading.Event(), threading.Event()]
    go_on = threading.Event()

    def work(which: int) -> None:
        gate.acquire()
        entered[which].set()
        go_on.wait(SOON)
        gate.acquire()
        gate.release()

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    assert all(event.wait(SOON) for event in entered)
    gate.slow_down(0.01, sent=time.monotonic())
    assert gate.limit == 1
    go_on.set()
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()


def test_a_rate_limit_is_waited_out_and_nothing_is_lost() -> None:
    refused = iter([True, True, True])
    model = Model(
        lambda text: RateLimitError("429", tries=4, wait=0.01) if next(refused, False) else shout(text)
    )
    parts = model.runtime()._replace(policy=RetryPolicy(9, 60.0))
    lines = [f"{number}\n" for number in range(12)]
    found = list(map_pieces(Words().pieces(lines, 9), job(), parts))
    assert written(found) == "".join(lines)
    assert len(model.asked) == 15


def test_a_piece_without_luck_has_its_turn_again_while_others_have_some() -> None:
    tries: list[str] = []

    def answer(text: str) -> str | Exception:
        tries.append(text)
        return TryAgainError("server trouble") if text == "b" and tries.count("b") < 3 else shout(text)

    model = Model(answer)
    parts = model.runtime()._replace(sleep=lambda _: None)
    one = job(workers=2)
    found = list(map_pieces(Words().pieces(["a\n", "b\n", "c\n"], 9), one, parts))
    assert written(found) == "A\nB\nC\n"
    assert tries.count("b") == 3


def test_a_server_that_never_answered_is_given_up_at_once() -> None:
    model = Model(lambda _: TryAgainError("nothing listens"))
    with pytest.raises(TryAgainError):
        results(model, [f"{number}\n" for number in range(50)], job(workers=2))
    tries = Counter(model.texts)
    assert len(tries) <= 3, "what the three threads of two workers had in hand"
    assert max(tries.values()) == 2
