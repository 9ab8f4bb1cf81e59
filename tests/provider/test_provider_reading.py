"""The pure parts of reading an answer: thoughts, rejected parameters, streams cut and bent anywhere."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fake.connection import close, reset
from fake.server import FakeServer
from fake.wire import Completion, chunked, error_object, stream_head
from provider_calls import end, endpoint, failure, request, text

from gptkit.core.chat import AnswerDelta, Event, ReasoningDelta, TextDelta
from gptkit.core.errors import GptkitError, UnavailableError
from gptkit.provider.client import provider
from gptkit.provider.error_body import parse_error_body
from gptkit.provider.events import ThinkTagSplitter

THOUGHTS = [
    ("plain answer", "", "plain answer"),
    ("", "", ""),
    ("<think>hm</think>so", "hm", "so"),
    ("\n <think>\nhm\n</think>\n\nso\n", "\nhm\n", "so\n"),
    ("<think></think>so", "", "so"),
    ("<think>never closed </thin", "never closed </thin", ""),
    ("<think>a < b </ think></think>so", "a < b </ think>", "so"),
    ("say <think>this</think>", "", "say <think>this</think>"),
    ("<thin", "", "<thin"),
    ("<thinker>x</thinker>", "", "<thinker>x</thinker>"),
    ("  \n ", "", "  \n "),
    ("<think>x</think> \n ", "x", ""),
    ("<think>x</think>a<think>y</think>", "x", "a<think>y</think>"),
]


@pytest.mark.parametrize(("whole", "thought", "answer"), THOUGHTS)
def test_thoughts_however_they_are_cut(whole: str, thought: str, answer: str) -> None:
    for size in range(1, len(whole) + 1):
        splitter = ThinkTagSplitter()
        events: list[Event] = []
        for start in range(0, len(whole), size):
            events += splitter.feed(whole[start : start + size])
        events += splitter.end()
        assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == thought
        assert "".join(event.text for event in events if isinstance(event, AnswerDelta)) == answer
        assert not [event for event in events if isinstance(event, TextDelta) and not event.text]


PARAMETERS: list[tuple[object, str]] = [
    ({"message": "Unsupported parameter: it is not supported.", "param": "max_tokens"}, "max_tokens"),
    ("Unsupported parameter: 'max_tokens' is not. Use 'max_completion_tokens' instead.", "max_tokens"),
    ("Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature"),
    ("Unrecognized request argument supplied: top_k", "top_k"),
    ("Unrecognized request arguments supplied: top_k, min_p", "top_k"),
    ("Unknown parameter: 'foo'.", "foo"),
    ("'temperature' is not supported with this model", "temperature"),
    ("`top_p` does not support 0.3", "top_p"),
    ({"message": "x", "param": "response_format.json_schema"}, "response_format"),
    ({"message": "x", "param": "messages[0].content"}, "messages"),
    ({"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs"}]}, "top_k"),
    ({"object": "error", "message": {"detail": [{"loc": ["body", "foo"], "msg": "no"}]}}, "foo"),
    ("[{'type': 'extra_forbidden', 'loc': ('body', 'foo'), 'msg': 'Extra inputs are not permitted'}]", "foo"),
    ({"message": "Invalid 'messages'", "param": None}, ""),
    ("Rate limit reached for gpt-x", ""),
    ({"message": "nothing", "param": 3}, ""),
    (None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "name"), PARAMETERS)
def test_the_parameter_that_was_rejected(said: object, name: str) -> None:
    body = {"error": {"message": said}} if isinstance(said, str) else said
    assert parse_error_body(body).parameter == name


@pytest.mark.parametrize("status", [400, 422])
def test_a_rejected_parameter_is_named_by_the_error(server: FakeServer, status: int) -> None:
    server.fail(status, error_object(status, "Unsupported value: 'temperature' does not support 2"))
    _, error = failure(endpoint(server.url), UnavailableError)
    assert error.parameter == "temperature"


def test_a_message_made_to_be_slow_is_not() -> None:
    for text_ in ("maximum context length is 1 " * 5000, "(1 tokens) exceeds " * 5000, "loc: [" * 20000):
        parse_error_body({"error": {"message": text_}})


def outcomes(place: str, count: int) -> Iterator[tuple[str, str | None]]:
    """Text and finish reason of so many answers; a failure has the reason 'failed'."""
    send = provider(endpoint(place))
    for _ in range(count):
        got: list[Event] = []
        try:
            for event in send(request()):
                got.append(event)
            reason = end(got).reason
        except GptkitError:
            reason = "failed"
        yield text(got), reason


RECORDED = "Grüße, “世界” 🌍!"
HEAD = stream_head()


@pytest.mark.parametrize("ending", [close, reset])
def test_a_stream_cut_anywhere_is_whole_only_if_all_of_it_came(server: FakeServer, ending: Any) -> None:
    body = b"".join(chunked(event) for event in Completion(RECORDED, pieces=2).events()) + b"0\r\n\r\n"
    cuts = [*range(0, len(body), 5), len(body)]
    for cut in cuts:
        server.raw([HEAD + body[:cut], ending()])
    got = list(outcomes(server.url, len(cuts)))
    assert all(RECORDED.startswith(said) for said, _ in got)
    assert all(said == RECORDED for said, reason in got if reason == "stop")
    assert got[0] == ("", "failed")
    assert ending is reset or got[-1] == (RECORDED, "stop")


def test_a_flipped_bit_never_passes_for_the_whole_answer(server: FakeServer) -> None:
    """Except inside the text and the number of the choice, where nothing could tell."""
    body = b"".join(chunked(event) for event in Completion(RECORDED, pieces=3).events()) + b"0\r\n\r\n"
    unknowable = re.finditer(rb'(?<="content":")[^"]*|(?<="index":)0', body)
    free = {at for found in unknowable for at in range(*found.span())}
    dice = random.Random(7)
    places = dice.sample(sorted(set(range(len(body))) - free), 250)
    raws = [body[:at] + bytes([body[at] ^ (1 << dice.randrange(8))]) + body[at + 1 :] for at in places]
    for raw in raws:
        server.raw([HEAD + raw, close()])
    for raw, (said, reason) in zip(raws, outcomes(server.url, len(raws)), strict=True):
        assert said == RECORDED or reason != "stop", raw
