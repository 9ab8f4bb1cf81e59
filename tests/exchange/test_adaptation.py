"""What a server does not take: the request is changed once, and facts refute what was learned."""

from __future__ import annotations

import pytest
from engine_parts import Answer, Parts, question, said

from gptkit.core.chat import STREAM, SYSTEM_ROLE, ChatRequest, Message
from gptkit.core.errors import GptkitError, TryAgainError, UnavailableError
from gptkit.exchange.retry import send_with_retries

MANY, NEW = "max_tokens", "max_completion_tokens"


def refused(name: str, one_value: bool = False) -> Answer:
    return [UnavailableError("request not accepted (400)", parameter=name, one_value=one_value)]


def conversation(*messages: tuple[str, str]) -> ChatRequest:
    return ChatRequest("gpt-0", tuple(Message(role, text) for role, text in messages))  # type: ignore[arg-type]


def test_what_was_learned_is_forgotten_when_its_replacement_is_refused() -> None:
    parts = Parts([refused(NEW), said("a"), said("b")], known={"gpt-0": {MANY}})
    send_with_retries(question({MANY: 9}), parts.runtime, None)
    send_with_retries(question({MANY: 9}), parts.runtime, None)
    assert [dict(sent.parameters) for sent in parts.sent] == [{NEW: 9}, {MANY: 9}, {MANY: 9}]
    assert parts.known == {"gpt-0": {NEW}}
    forgets = "('gptkit config unset rejected' forgets that)"
    assert parts.notices == [
        f"'gpt-0' is known not to take '{MANY}'; sent as '{NEW}' {forgets}",
        f"'gpt-0' does not take '{NEW}'; sent again as it was",
    ]


def test_a_limit_that_is_refused_under_both_names_ends_after_two_requests() -> None:
    parts = Parts([refused(NEW), refused(MANY)], known={"gpt-0": {MANY}})
    with pytest.raises(GptkitError) as caught:
        send_with_retries(question({MANY: 9}), parts.runtime, None)
    assert (caught.value.attempts, parts.known) == (2, {"gpt-0": set()})


def test_what_was_left_out_is_sent_again_when_the_server_wants_it() -> None:
    parts = Parts([refused("seed"), said("a")], known={"gpt-0": {"seed"}})
    send_with_retries(question({"seed": 1}, ["seed"]), parts.runtime, None)
    assert [dict(sent.parameters) for sent in parts.sent] == [{}, {"seed": 1}]
    assert parts.known == {"gpt-0": set()}


@pytest.mark.parametrize("one_value", [True, False])
def test_one_value_or_all_are_remembered(one_value: bool) -> None:
    parts = Parts([refused("temperature", one_value), said("a")])
    send_with_retries(question({"temperature": 0.2}, ["temperature"]), parts.runtime, None)
    assert parts.values == [0.2 if one_value else None]


def test_a_server_that_may_not_stream_is_asked_in_one_piece() -> None:
    parts = Parts([refused(STREAM), said("a"), said("b")])
    asked = question({"stream_options": {"include_usage": True}}, ["stream_options"])
    outcome = send_with_retries(asked, parts.runtime, None)
    send_with_retries(asked, parts.runtime, None)
    assert (outcome.answer, outcome.reply.attempts) == ("a", 2)
    assert [(sent.stream, sent.patient, dict(sent.parameters)) for sent in parts.sent] == [
        (True, False, {"stream_options": {"include_usage": True}}),
        (False, True, {}),
        (False, True, {}),
    ]
    assert parts.values == [True]


def test_a_server_that_can_only_stream_is_asked_for_a_stream() -> None:
    parts = Parts([refused(STREAM), said("a")])
    send_with_retries(question()._replace(stream=False), parts.runtime, None)
    assert [sent.stream for sent in parts.sent] == [False, True]
    assert parts.values == [False]


def test_a_server_that_can_do_neither_ends_after_two_requests() -> None:
    parts = Parts([refused(STREAM), refused(STREAM)])
    with pytest.raises(GptkitError) as caught:
        send_with_retries(question(), parts.runtime, None)
    assert (caught.value.attempts, parts.known) == (2, {})


def test_a_server_without_system_messages_gets_them_from_the_user() -> None:
    parts = Parts(
        [[TryAgainError("server trouble (500)", parameter=SYSTEM_ROLE, tries=4)], said("a"), said("b")]
    )
    asked = conversation(("system", "Be brief."), ("user", "为什么?"))
    send_with_retries(asked, parts.runtime, None)
    send_with_retries(asked, parts.runtime, None)
    moved = (Message("user", "Be brief.\n\n为什么?"),)
    assert [sent.messages for sent in parts.sent] == [asked.messages, moved, moved]
    assert (parts.known, parts.pauses) == ({"gpt-0": {SYSTEM_ROLE}}, [])


@pytest.mark.parametrize(
    ("messages", "moved"),
    [
        ([("system", "S"), ("assistant", "Hi"), ("user", "u")], "user:S assistant:Hi user:u"),
        ([("system", "S"), ("user", "u"), ("assistant", "a"), ("user", "v")], "user:S+u assistant:a user:v"),
        ([("user", "u"), ("system", "S"), ("assistant", "a"), ("user", "v")], "user:u+S assistant:a user:v"),
        ([("user", "u"), ("system", "S")], "user:u+S"),
        ([("system", "S")], "user:S"),
        ([("user", "u")], "user:u"),
    ],
)
def test_where_a_system_message_goes(messages: list[tuple[str, str]], moved: str) -> None:
    changed = conversation(*messages).without_system_role().messages
    assert " ".join(f"{m.role}:{m.content}" for m in changed).replace("\n\n", "+") == moved
