"""What of a conversation is sent again, and what is summarised when the window nears its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest
from engine_parts import Parts, said

from gptkit.core.chat import AnswerDelta, Attachment, Finished, Message
from gptkit.core.errors import IncompleteError
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import message_tokens
from gptkit.exchange.context import (
    CUT_OFF,
    PastTurn,
    StoredSummary,
    build_context,
    stored_attachments,
    summarise_turns,
)

LONG = "word " * 400


class Turn(NamedTuple):
    id: int
    user: str
    answer: str
    state: str = "ok"
    request: Mapping[str, object] = {}


def turns(*pairs: tuple[str, str]) -> list[Turn]:
    """Newest first, as the store hands them out; ids count from 1."""
    return [Turn(number, *pair) for number, pair in enumerate(pairs, 1)][::-1]


def unwanted(before: str, older: Sequence[PastTurn], room: int) -> str:
    raise AssertionError("nothing was to be summarised")


def test_turns_go_back_in_their_order() -> None:
    found = build_context(turns(("a", "b"), ("c", "d")), None, lambda wanted: wanted, unwanted)
    assert found.turns == (
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "c"),
        Message("assistant", "d"),
    )
    assert (found.summary, found.new_summary) == ("", None)


@pytest.mark.parametrize("state", ["partial", "cancelled"])
def test_a_part_of_an_answer_is_marked_as_one(state: str) -> None:
    found = build_context([Turn(1, "count", "one, two", state)], None, lambda _: None, unwanted)
    assert found.turns == (Message("user", "count"), Message("assistant", "one, two" + CUT_OFF))


@pytest.mark.parametrize(
    "turn", [Turn(1, "a", "no", "refused"), Turn(1, "a", "", "failed"), Turn(1, "a", "", "cancelled")]
)
def test_what_brought_no_answer_is_not_sent_again(turn: Turn) -> None:
    found = build_context([Turn(2, "b", "c"), turn], None, lambda _: None, unwanted)
    assert [message.content for message in found.turns] == ["b", "c"]


def test_a_greeting_has_no_words_of_the_user() -> None:
    assert build_context([Turn(1, "", "Welcome!")], None, lambda _: None, unwanted).turns == (
        Message("assistant", "Welcome!"),
    )


def test_a_summary_stands_for_all_turns_up_to_its_own() -> None:
    found = build_context(
        turns(("a", "b"), ("c", "d"), ("e", "f")), StoredSummary(2, "so far"), lambda _: None, unwanted
    )
    assert [message.content for message in found.turns] == ["e", "f"]
    assert found.summary == "so far"


def test_no_turn_behind_a_summary_is_read() -> None:
    def chain() -> Iterator[Turn]:
        yield Turn(9, "new", "answer")
        yield Turn(8, "old", "answer")
        raise AssertionError("read on")

    assert len(build_context(chain(), StoredSummary(8, "so far"), lambda _: None, unwanted).turns) == 2


def test_a_small_window_is_kept_to() -> None:
    """As of a model that runs on one's own machine, or what the server has just called too long."""
    chain = turns(*((f"number {number} " * 4, "answer " * 8) for number in range(6)))
    found = build_context(chain, None, lambda wanted: wanted // 2, lambda *_: "in short")
    assert (found.summary, 2 <= len(found.turns) < 12) == ("in short", True)


def test_what_does_not_fit_is_summarised_from_the_oldest_on() -> None:
    seen: list[tuple[str, list[int], int]] = []

    def summarise(before: str, older: Sequence[PastTurn], room: int) -> str:
        seen.append((before, [turn.id for turn in older], room))
        return "the record"

    room = message_tokens([Message("user", LONG)]) * 5
    chain = turns(*((f"{number} {LONG}", LONG) for number in range(1, 6)))
    found = build_context(chain, StoredSummary(0, "before"), lambda _: room, summarise)
    assert seen == [("before", [1, 2, 3, 4], room)]
    assert found.summary == "the record"
    assert found.new_summary == StoredSummary(4, "the record")
    assert [message.content[:2] for message in found.turns] == ["5 ", "wo"]
    assert found.tokens <= room


def test_the_last_turn_goes_too_when_it_alone_is_too_long() -> None:
    chain = turns((LONG * 3, LONG))
    found = build_context(chain, None, lambda _: 1600, lambda *_: "short")
    assert (found.turns, found.new_summary) == ((), StoredSummary(1, "short"))


def test_the_record_is_asked_for_with_what_was_recorded_before() -> None:
    parts = Parts([said(" the new record\n")])
    text = summarise_turns("the old record", turns(("What is 2+2?", "4"))[::-1], 4000, parts.runtime, "gpt-0")
    assert text == "the new record"
    (sent,) = parts.sent
    assert "<record>\nthe old record\n</record>" in sent.messages[-1].content
    assert "user: What is 2+2?\n\nassistant: 4" in sent.messages[-1].content
    assert [charge.purpose for charge in parts.budget.charges] == ["summary"]


def test_many_turns_are_recorded_in_several_requests_each_within_the_room() -> None:
    parts = Parts([said(f"record {number}") for number in range(50)])
    older = turns(*((f"{number} {LONG}", LONG) for number in range(10)))[::-1]
    text = summarise_turns("", older, 2400, parts.runtime, "gpt-0")
    assert text == f"record {len(parts.sent) - 1}"
    assert 3 < len(parts.sent) < 20
    assert all(estimate_tokens(request.messages[-1].content) < 2400 for request in parts.sent)
    words = "".join(request.messages[-1].content for request in parts.sent)
    assert all(f"user: {number} word" in words for number in range(10))


def test_a_message_larger_than_a_request_keeps_both_its_ends() -> None:
    parts = Parts([said("record")] * 9)
    summarise_turns("", [Turn(1, "BEGIN " + LONG * 20 + " END", "yes")], 2000, parts.runtime, "gpt-0")
    first = parts.sent[0].messages[-1].content
    assert "BEGIN" in first
    assert "[...]" in first
    assert "END" in first
    assert estimate_tokens(first) < 2000


def test_a_record_that_is_cut_is_a_failure() -> None:
    parts = Parts([(AnswerDelta("half"), Finished("length"))])
    with pytest.raises(IncompleteError):
        summarise_turns("", [Turn(1, "a", "b")], 2000, parts.runtime, "gpt-0")


def test_attachments_of_earlier_turns_are_sent_and_counted() -> None:
    cat = Attachment("猫.png", "/猫.png", "image/png", 9, "ab", 360)
    good = cat.record()
    records = [good, {**good, "tokens": "many"}, {"name": "x"}, {**good, "url": "data:"}, "x", None]
    assert stored_attachments({"attachments": records}) == (cat,)
    assert stored_attachments({"attachments": "x"}) == ()
    found = build_context(
        [Turn(1, "what is it?", "A cat", request={"attachments": [good]})],
        None,
        lambda wanted: wanted,
        unwanted,
    )
    assert found.turns[0] == Message("user", "what is it?", attachments=(cat,))
    assert (
        found.tokens == message_tokens([Message("user", "what is it?"), Message("assistant", "A cat")]) + 360
    )
