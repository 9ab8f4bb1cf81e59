"""Streams and whole answers that are odd, cut, broken or endless, row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake.connection import Step, close, hang, pause, reset
from fake.proxy import HttpProxy
from fake.server import FakeServer
from fake.waiting import SOON
from fake.wire import Completion, chunk, chunked, done, http_head, sse, stream_head
from provider_bytes import HELLO, SAID, STOP, stream, whole
from provider_calls import HURRIED, answers, end, endpoint, failure, refusal, request, text, thoughts

from gptkit.core.chat import Deadlines, Usage
from gptkit.core.errors import (
    GptkitError,
    IncompleteError,
    NoPermissionError,
    ProtocolError,
    TryAgainError,
    UnavailableError,
)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_bytes_cut_anywhere(server: FakeServer, size: int, proxied: bool) -> None:
    body = b"".join(Completion(SAID, pieces=4).events())
    pieces = [chunked(body[start : start + size]) for start in range(0, len(body), size)]
    server.raw([stream_head(), *pieces, b"0\r\n\r\n"])
    with HttpProxy() as proxy:
        events = answers(endpoint(server.url, proxy=proxy.url if proxied else None))
    assert (text(events), end(events).reason) == (SAID, "stop")


def _spelled(events: list[bytes], name: str) -> bytes:
    body = b"".join(events)
    data = [event[len(b"data: ") : -2] for event in events]
    spellings = {
        "crlf": body.replace(b"\n", b"\r\n"),
        "cr": body.replace(b"\n", b"\r"),
        "no space": body.replace(b"data: ", b"data:"),
        "bom": b"\xef\xbb\xbf" + body,
        "event lines": b"".join(b"event: message\nid: 7\nretry: 10\ndata: %b\n\n" % piece for piece in data),
        "comments": b"".join(b": keep-alive\n\n:\ndata: %b\n\n\n\n" % piece for piece in data),
        "pings": b"".join(
            b"event: ping\n\nevent: ping\ndata: {}\n\nid: 1\n\nretry: 3\n\ndata: %b\n\n" % p for p in data
        ),
        "odd pings": b"".join(
            b"event: ping\ndata: pong\n\ndata:\n\ndata\n\ndata: %b\n\n" % piece for piece in data
        ),
        "multi-line": b"".join(b"data: %b\n\n" % piece.replace(b',"', b',\ndata: "') for piece in data),
        "no last line end": body.rstrip(b"\n"),
        "unknown fields": b"".join(b"foo: bar\ndataset: 1\ndata: %b\n\n" % piece for piece in data),
        "white space first": b"\n\n \n" + body,
    }
    return spellings[name]


@pytest.mark.parametrize("size", [1, 2, 5, 100_000])
@pytest.mark.parametrize(
    "name",
    """crlf|cr|no space|bom|event lines|comments|pings|odd pings|multi-line|no last line end|unknown fields
    |white space first""".replace("\n    ", "").split("|"),
)
def test_every_spelling_of_an_event_stream(server: FakeServer, name: str, size: int) -> None:
    body = _spelled(list(Completion(SAID, pieces=3).events()), name)
    server.raw(
        [stream_head(), *(chunked(body[n : n + size]) for n in range(0, len(body), size)), b"0\r\n\r\n"]
    )
    events = answers(endpoint(server.url))
    assert (text(events), end(events).reason) == (SAID, "stop")


ENDINGS: list[tuple[list[Step], str]] = [
    ([reset()], "connection reset"),
    ([b"5\r\nhel", close()], "connection closed"),
    ([close()], "connection closed"),
    ([b"zz\r\n\r\n", close()], "the answer's HTTP framing is broken"),
]


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize(("ending", "cause"), ENDINGS)
def test_a_stream_that_is_cut(server: FakeServer, ending: list[Step], cause: str, partial: bool) -> None:
    server.raw(
        [
            stream_head({"x-request-id": "r1"}),
            chunked(HELLO if partial else sse(chunk({"role": "assistant"}))),
            pause(0.05),
            *ending,
        ]
    )
    if partial:
        got, error = failure(endpoint(server.url), IncompleteError)
        assert (got, error.message) == ("Hello", f"answer cut short: {cause}")
    else:
        got, error = failure(endpoint(server.url), ProtocolError if "framing" in cause else TryAgainError)
        assert (got, error.message.rpartition(": ")[2]) == ("", f"{cause}; it may have been billed")
    assert error.billed is not partial or "framing" in cause
    assert error.partial is partial
    assert error.request_id == "r1"
    assert error.tries > 1


def test_a_cut_through_a_proxy(server: FakeServer) -> None:
    server.raw([stream_head(), chunked(HELLO), pause(0.05), reset()])
    with HttpProxy() as proxy:
        got, error = failure(endpoint(server.url, proxy=proxy.url), IncompleteError)
    assert got == "Hello"
    assert error.message.startswith("answer cut short: connection")


@pytest.mark.parametrize("stream_asked", [True, False])
def test_fewer_bytes_than_announced(server: FakeServer, stream_asked: bool) -> None:
    body = HELLO if stream_asked else json.dumps(Completion("Hello").whole_object()).encode()[:-20]
    server.raw([http_head(200, {"Content-Length": "9999"}) + body, close()])
    got, error = failure(
        endpoint(server.url), IncompleteError if stream_asked else ProtocolError, request(stream_asked)
    )
    assert "fewer bytes than announced" in error.message
    assert (got, error.tries) == (("Hello", 4) if stream_asked else ("", 2))


@pytest.mark.parametrize("proxied", [False, True])
def test_a_stall(server: FakeServer, proxied: bool) -> None:
    with HttpProxy() as proxy:
        place = endpoint(server.url, deadlines=HURRIED, proxy=proxy.url if proxied else None)
        server.raw([stream_head(), chunked(HELLO), hang()])
        got, error = failure(place, IncompleteError)
        assert (got, error.message, error.tries) == ("Hello", "answer cut short: no bytes for 1.5 s", 4)
        server.raw([stream_head(), hang()])
        got, error = failure(place, TryAgainError)
        assert (error.message, error.billed) == (
            "answer cut short before its first word: no bytes for 1.5 s; it may have been billed",
            True,
        )


IDLE = [
    b": keep-alive\n\n",
    b"\n\n",
    b"event: ping\ndata: {}\n\n",
    sse(chunk()),
    sse(chunk({"role": "assistant"})),
]


@pytest.mark.parametrize("idle", IDLE)
@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("proxied", [True, False])
def test_what_only_keeps_the_connection_open(
    server: FakeServer, idle: bytes, partial: bool, proxied: bool
) -> None:
    deadlines = Deadlines(idle=SOON, first_content=SOON if partial else 1.5, content=0.5)
    keeping: list[Step] = [step for _ in range(200) for step in (chunked(idle), pause(0.02))]
    server.raw([stream_head(), *([chunked(HELLO)] if partial else []), *keeping, hang()])
    with HttpProxy() as proxy:
        place = endpoint(server.url, deadlines=deadlines, proxy=proxy.url if proxied else None)
        _, error = failure(place, IncompleteError if partial else TryAgainError)
    after = "0.5 s" if partial else "1.5 s; it may have been billed"
    assert error.message.endswith(f"no content for {after}")


def test_a_clean_end_without_a_finish_reason(server: FakeServer) -> None:
    server.raw(stream(HELLO))
    events = answers(endpoint(server.url))
    assert (text(events), end(events).reason) == ("Hello", None)


@pytest.mark.parametrize(("lenient", "reason"), [(False, None), (True, "stop")])
def test_done_without_a_finish_reason(server: FakeServer, lenient: bool, reason: str | None) -> None:
    server.raw(stream(HELLO, done()))
    assert end(answers(endpoint(server.url, lenient_finish=lenient))).reason == reason
    server.raw(stream(HELLO))
    assert end(answers(endpoint(server.url, lenient_finish=lenient))).reason is None


@pytest.mark.parametrize("ending", [close, reset])
def test_a_finish_reason_is_enough(server: FakeServer, ending: Any) -> None:
    """The text is whole then; how the connection ends is not the reader's business."""
    server.raw([stream_head(), chunked(HELLO + STOP), pause(0.05), ending()])
    events = answers(endpoint(server.url))
    assert (text(events), end(events).reason) == ("Hello", "stop")


def test_a_server_that_stays_silent_after_the_finish_reason_is_not_waited_for(server: FakeServer) -> None:
    server.raw([stream_head(), chunked(HELLO + STOP), hang()])
    events = answers(endpoint(server.url, deadlines=HURRIED))
    assert (text(events), end(events).reason) == ("Hello", "stop")


def test_content_after_a_finish_reason_is_read(server: FakeServer) -> None:
    """The server has said too early why the answer ended; only what stands at the end counts."""
    server.raw([stream_head(), chunked(HELLO + STOP), pause(0.4), chunked(HELLO + STOP), hang()])
    hurried = Deadlines(idle=SOON, first_content=SOON, content=SOON, end=0.8)
    events = answers(endpoint(server.url, deadlines=hurried))
    assert (text(events), end(events).reason) == ("HelloHello", "stop")
    server.raw(stream(HELLO, STOP, HELLO, done()))
    events = answers(endpoint(server.url))
    assert (text(events), end(events).reason) == ("HelloHello", None)


@pytest.mark.parametrize("stream_asked", [True, False])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        *((name, "stop") for name in ("eos", "eos_token", "end", "end_turn", "STOP", "stop_sequence")),
        *((name, "stop") for name in ("completed", "COMPLETE")),
        *((name, "length") for name in ("max_tokens", "MAX_TOKENS", "model_length")),
        ("SAFETY", "content_filter"),
        ("Tired", "Tired"),
    ],
)
def test_finish_reasons_of_other_apis(server: FakeServer, said: str, reason: str, stream_asked: bool) -> None:
    server.say("Hello", finish=said)
    assert end(answers(endpoint(server.url), request(stream_asked))).reason == reason


BROKEN: list[tuple[bytes, str]] = [
    (b'data: {"choices": [{"delta": {"content": "x"\n\n', "not valid JSON"),
    (b"data: hello\n\n", "not valid JSON"),
    (b"data: {'a': 1}\n\n", "not valid JSON"),
    (b"data: " + b"[" * 100_000 + b"\n\n", "not valid JSON"),
    (b'data: {"n": ' + b"9" * 5000 + b"}\n\n", "not valid JSON"),
    (b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n', "not valid UTF-8"),
    (b'data: {"choices":[{"index":0,"delta":{"content":"\xed\xa0\xbd"}}]}\n\n', "not valid UTF-8"),
    (b'data: {"choices":[{"index":0,"delta":{"content":"\xe4\xb8"}}]}\n\n', "not valid UTF-8"),
    (b"data: 5\n\n", "a piece is not an object"),
    (b"data: null\n\n", "a piece is not an object"),
    (sse({"choices": {"0": 1}}), "its choices are not a list"),
    (sse({"choices": [{"delta": {"content": 5}}]}), "its content is not text"),
    (
        sse({"choices": [{"delta": {"content": [{"type": "image_url"}]}}]}),
        "a part of its content is not text",
    ),
]


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize(("event", "cause"), BROKEN)
def test_a_broken_event_is_never_skipped(server: FakeServer, event: bytes, cause: str, partial: bool) -> None:
    server.raw(stream(HELLO if partial else b"", event, STOP, done()))
    got, error = failure(endpoint(server.url), IncompleteError if partial else ProtocolError)
    told = f"malformed answer: {cause}"
    told = f"answer cut short: {told}" if partial else f"{told}; it may have been billed"
    assert (got, error.message) == ("Hello" if partial else "", told)
    assert (error.tries, error.billed) == (2, True)


@pytest.mark.parametrize("body", [b'{"choices": [', b'{"a": "\xff"}', b"{}{}", b"[1]", b'{"a": NaN, b}'])
def test_a_broken_whole_answer(server: FakeServer, body: bytes) -> None:
    server.raw(whole(body, content_type="application/json"))
    _, error = failure(endpoint(server.url), ProtocolError, request(stream=False))
    assert error.message.startswith("malformed answer: ")
    assert error.message.endswith("; it may have been billed")
    assert (error.tries, error.billed) == (2, True)


@pytest.mark.parametrize("stream_asked", [True, False])
@pytest.mark.parametrize("value", [{"choices": []}, {}, {"object": "chat.completion"}, {"choices": None}])
def test_no_choices(server: FakeServer, value: Any, stream_asked: bool) -> None:
    server.raw(stream(sse(value), done()) if stream_asked else whole(value))
    _, error = failure(endpoint(server.url), ProtocolError, request(stream_asked))
    assert (error.message, error.tries) == ("the answer holds no choices", 2)


ERRORS: list[tuple[Any, type[GptkitError], str, int]] = [
    ({"error": {"message": "Overloaded", "code": 502}}, TryAgainError, "server trouble (502): Overloaded", 4),
    ({"error": {"message": "boom"}}, TryAgainError, "the server stopped with an error: boom", 4),
    ({"error": "boom"}, TryAgainError, "the server stopped with an error: boom", 4),
    ({"error": {"message": "no", "code": "insufficient_quota"}}, UnavailableError, "no credit (402): no", 1),
    (
        {"error": {"message": "bad key", "code": 401}},
        NoPermissionError,
        "the API key was not accepted (401): bad key",
        1,
    ),
    (
        {"error": {"message": "bad", "type": "invalid_request_error"}},
        UnavailableError,
        "request not accepted (400): bad",
        1,
    ),
    ({"object": "error", "message": "boom"}, TryAgainError, "the server stopped with an error: boom", 4),
]


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize(("value", "kind", "message", "tries"), ERRORS)
def test_an_error_in_the_stream(
    server: FakeServer, value: Any, kind: type[GptkitError], message: str, tries: int, partial: bool
) -> None:
    server.raw(stream(HELLO if partial else b"", sse(value), done()))
    got, error = failure(endpoint(server.url), IncompleteError if partial else kind)
    assert error.message == ("answer cut short: " if partial else "") + message
    assert (got, error.tries, error.partial) == ("Hello" if partial else "", tries, partial)


def test_an_error_event_and_an_error_in_a_whole_answer(server: FakeServer) -> None:
    for event in (b'event: error\ndata: {"message": "boom"}\n\n', b"event: error\ndata: boom\n\n"):
        server.raw(stream(event))
        assert (
            failure(endpoint(server.url), TryAgainError)[1].message
            == "the server stopped with an error: boom"
        )
    server.raw(whole({"error": {"message": "boom"}}))
    failure(endpoint(server.url), TryAgainError, request(stream=False))
    server.raw(stream(HELLO, sse(chunk({}, finish="error"))))
    failure(endpoint(server.url), IncompleteError)


def test_what_servers_add_and_leave_out(server: FakeServer) -> None:
    bare: list[Any] = [
        {"choices": [], "prompt_filter_results": []},  # Azure's first
        {"choices": [{"delta": {"role": "assistant"}}]},
        {"choices": [{"delta": {"role": "assistant", "content": None}, "index": 0}]},
        {"choices": [{"index": 1, "delta": {"content": "other"}}, {"index": 0, "delta": {"content": "a"}}]},
        {"choices": [{"delta": {"content": "b", "role": "assistant"}, "finish_reason": ""}], "id": None},
        {"choices": [{"index": 2, "delta": {}, "finish_reason": "length"}]},
        {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}], "usage": "none"},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4.0}},
        {"choices": None, "usage": {"prompt_tokens": -3}},
    ]
    server.raw(stream(*map(sse, bare), done()))
    events = answers(endpoint(server.url))
    assert (text(events), end(events).reason, end(events).usage) == ("ab", "stop", Usage(3, 4))


def test_content_in_parts(server: FakeServer) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "so"},
        "!",
    ]
    server.raw(stream(sse(chunk({"content": parts})), STOP))
    events = answers(endpoint(server.url))
    assert (text(events), thoughts(events)) == ("so!", "hm")


@pytest.mark.parametrize("stream_asked", [True, False])
def test_surrogates(server: FakeServer, stream_asked: bool) -> None:
    r"""A pair is joined even over two events; half of one becomes U+FFFD; \u0000 stays."""
    if stream_asked:
        pieces = [r"a\ud83c", r"\udf0d\ud83c\udf0db\ud83c", r"c\udf0d", r"\u0000\ud83c"]
        events = [
            b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % p.encode() for p in pieces
        ]
        server.raw(stream(*events, STOP))
    else:
        content = rb'{"content":"a\ud83c\udf0d\ud83c\udf0db\ud83cc\udf0d\u0000\ud83c"}'
        body = b'{"choices":[{"finish_reason":"stop","message":' + content + b"}]}"
        server.raw(whole(body, content_type="application/json"))
    events_ = answers(endpoint(server.url), request(stream_asked))
    assert text(events_) == "a🌍🌍b\ufffdc\ufffd\x00\ufffd"
    json.dumps(end(events_).response, ensure_ascii=False).encode()


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("stream_asked", [True, False])
def test_reasoning_beside_the_answer(server: FakeServer, key: str, stream_asked: bool) -> None:
    server.say("answer", reasoning="thought", reasoning_key=key)
    events = answers(endpoint(server.url), request(stream_asked))
    assert (text(events), thoughts(events)) == ("answer", "thought")


def test_both_names_of_reasoning_count_once(server: FakeServer) -> None:
    delta = {"reasoning": "hm", "reasoning_content": "hm", "content": ""}
    server.raw(stream(sse(chunk(delta)), HELLO, STOP))
    assert thoughts(answers(endpoint(server.url))) == "hm"


@pytest.mark.parametrize("stream_asked", [True, False])
def test_a_refusal(server: FakeServer, stream_asked: bool) -> None:
    server.say(refusal="No\ud83d!".encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    events = answers(endpoint(server.url), request(stream_asked))
    assert (text(events), refusal(events)) == ("", "No\ufffd!")
