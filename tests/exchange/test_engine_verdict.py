"""Which replies are whole answers, and what each other one is."""

from __future__ import annotations

import pytest

from gptkit.core.chat import Reply, ToolCall
from gptkit.core.errors import (
    CutAtLimitError,
    GptkitError,
    IncompleteError,
    ProtocolError,
    RefusedError,
    TryAgainError,
)
from gptkit.exchange.retry import reply_failure

NO_END = "the server never said that it is whole"
ROWS: list[tuple[str, str | None, str, type[GptkitError], str, int]] = [
    # text, finish reason, refusal: failure, message, tries
    ("", "stop", "", ProtocolError, "empty answer", 2),
    (" \n\t", "stop", "", ProtocolError, "empty answer", 2),
    ("a", None, "", IncompleteError, f"answer cut short: {NO_END}", 2),
    ("", None, "", TryAgainError, "no answer: the server ended the stream at once", 4),
    ("a", "length", "", CutAtLimitError, "answer cut at the token limit", 1),
    ("", "length", "", CutAtLimitError, "the token limit was reached before any answer", 1),
    ("a", "content_filter", "", RefusedError, "the provider's content filter stopped the answer", 1),
    ("", "content_filter", "", RefusedError, "the provider's content filter stopped the answer", 1),
    ("", "stop", "I can't.", RefusedError, "the model refused: 'I can't.'", 1),
    ("a", "stop", "I can't.", RefusedError, "the model refused: 'I can't.'", 1),
    ("", None, "No\n\x1b[31mway", RefusedError, "the model refused: 'No ␛[31mway'", 1),
    ("a", "length", "No", RefusedError, "the model refused: 'No'", 1),
    ("", "tool_calls", "", ProtocolError, "the model called a tool that was not offered", 1),
    ("a", "tool_calls", "", ProtocolError, "the model called a tool that was not offered", 1),
    ("a", "function_call", "", ProtocolError, "the model called a tool that was not offered", 1),
    ("", "error", "", TryAgainError, "the server stopped with an error", 4),
    ("a", "error", "", IncompleteError, "answer cut short: the server stopped with an error", 4),
    ("a", "", "", IncompleteError, "answer may not be whole: finish reason ''", 1),
    ("a", "STOP", "", IncompleteError, "answer may not be whole: finish reason 'STOP'", 1),
    ("a", "end_turn", "", IncompleteError, "answer may not be whole: finish reason 'end_turn'", 1),
    ("", "paused", "", IncompleteError, "answer may not be whole: finish reason 'paused'", 1),
    ("a", "x\ny\x07", "", IncompleteError, "answer may not be whole: finish reason 'x y␇'", 1),
]


@pytest.mark.parametrize(("text", "reason", "refusal", "kind", "message", "tries"), ROWS)
def test_what_is_not_whole_has_its_failure(
    text: str, reason: str | None, refusal: str, kind: type[GptkitError], message: str, tries: int
) -> None:
    failure = reply_failure(Reply(text, reason, refusal=refusal, request_id="r1"))
    assert type(failure) is kind
    assert (failure.message, failure.tries, failure.request_id) == (message, tries, "r1")
    assert failure.partial is bool(text)


@pytest.mark.parametrize("text", ["a", "\n a \n", "不", "0", "null"])
def test_an_answer_with_its_end_is_whole(text: str) -> None:
    assert reply_failure(Reply(text, "stop")) is None


def test_what_helps_against_the_token_limit_is_said() -> None:
    failure = reply_failure(Reply("a", "length"))
    assert failure is not None
    assert failure.hint == "raise --max-tokens, or choose a model with a larger limit"


def test_a_long_refusal_is_one_line_of_bearable_length() -> None:
    failure = reply_failure(Reply("", "stop", refusal="no " * 10_000))
    assert failure is not None
    assert len(failure.message) < 900
    assert failure.message.endswith("…'")


CALL = (ToolCall("c1", "f", "{}"),)


@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
@pytest.mark.parametrize("text", ["", "I look."])
def test_calls_are_a_whole_answer_where_tools_are_offered(text: str, reason: str) -> None:
    assert reply_failure(Reply(text, reason, calls=CALL), offers_tools=True) is None
    failure = reply_failure(Reply("", reason, calls=CALL))
    assert isinstance(failure, ProtocolError)


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (Reply("", "tool_calls"), ProtocolError, "the model called a tool, but the answer holds no call"),
        (Reply("", "length", calls=CALL), CutAtLimitError, "the token limit was reached before any answer"),
        (Reply("", None, calls=CALL), TryAgainError, "no answer: the server ended the stream at once"),
        (Reply("a", None, calls=CALL), IncompleteError, f"answer cut short: {NO_END}"),
        (Reply("", "stop", "No.", calls=CALL), RefusedError, "the model refused: 'No.'"),
    ],
)
def test_calls_that_may_be_cut_are_not_whole(reply: Reply, kind: type[GptkitError], message: str) -> None:
    failure = reply_failure(reply, offers_tools=True)
    assert type(failure) is kind
    assert failure.message == message
