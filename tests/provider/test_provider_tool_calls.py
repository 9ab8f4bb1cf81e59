"""Calls of tools: what the request offers and repeats, and how the pieces of an answer become calls."""

from __future__ import annotations

from typing import Any

import pytest
from fake.proxy import SocksProxy
from fake.replies import scripted
from fake.server import FakeServer
from fake.wire import Completion, chunk, chunked, done, last_chunk, response, sse, stream_head
from provider_calls import endpoint, request

from gptkit.core.chat import AnswerDelta, ChatRequest, Event, Finished, Message, ToolCall, Usage
from gptkit.core.errors import ProtocolError
from gptkit.provider.client import provider

CALLS = (("get_order", {"id": 42}), ("find", '{"name": "王"}'))


def events(server: FakeServer, asked: ChatRequest, proxied: bool = False) -> list[Event]:
    if not proxied:
        return list(provider(endpoint(server.url))(asked))
    with SocksProxy() as proxy:
        return list(provider(endpoint(server.url, proxy=proxy.url))(asked))


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_calls_come_before_the_end_on_both_roads(server: FakeServer, streamed: bool, proxied: bool) -> None:
    server.say("I look.", calls=CALLS, usage=(7, 3), pieces=1)
    asked = request(streamed, tools=[{"type": "function", "function": {"name": "get_order"}}])
    told = events(server, asked, proxied)
    name = f"call_chatcmpl-{server.request.number}"
    assert told[:3] == [
        AnswerDelta("I look."),
        ToolCall(f"{name}_0", "get_order", '{"id": 42}'),
        ToolCall(f"{name}_1", "find", '{"name": "王"}'),
    ]
    end = told[3]
    assert isinstance(end, Finished)
    assert end.reason == "tool_calls"
    assert end.usage == (None if streamed else Usage(7, 3))
    assert server.request.json["tools"] == [{"type": "function", "function": {"name": "get_order"}}]


def test_calls_and_their_outputs_are_sent_again_as_the_api_wants_them() -> None:
    call = ToolCall("c1", "get_order", '{"id": 42}')
    asked = ChatRequest(
        "m",
        (
            Message("user", "refund"),
            Message("assistant", "", (call,)),
            Message("tool", "total 99.9", answers="c1"),
        ),
    )
    function = {"name": "get_order", "arguments": '{"id": 42}'}
    assert asked.body()["messages"] == [
        {"role": "user", "content": "refund"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "total 99.9"},
    ]


def piece(
    arguments: Any, *, index: int | None = None, identity: str | None = None, name: str | None = None
) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    found: dict[str, Any] = {"function": function}
    return found | ({} if index is None else {"index": index}) | ({"id": identity} if identity else {})


STREAMS: list[tuple[str, list[list[dict[str, Any]]], list[ToolCall]]] = [
    (
        "every call has the index 0",
        [[piece("{}", index=0, identity="a", name="f")], [piece("[]", index=0, identity="b", name="g")]],
        [ToolCall("a", "f", "{}"), ToolCall("b", "g", "[]")],
    ),
    (
        "pieces of two calls are mixed",
        [
            [piece("{", index=0, identity="a", name="f"), piece("[", index=1, identity="b", name="g")],
            [piece("]", index=1), piece("}", index=0)],
        ],
        [ToolCall("a", "f", "{}"), ToolCall("b", "g", "[]")],
    ),
    (
        "id and name come again with each piece",
        [[piece("{", index=0, identity="a", name="f")], [piece("}", index=0, identity="a", name="f")]],
        [ToolCall("a", "f", "{}")],
    ),
    (
        "arguments are an object",
        [[piece({"x": "界"}, index=0, name="f")]],
        [ToolCall("call_0", "f", '{"x": "界"}')],
    ),
    ("no id and no index", [[piece("{}", name="f")]], [ToolCall("call_0", "f", "{}")]),
    ("no arguments", [[piece(None, index=0, identity="a", name="f")]], [ToolCall("a", "f", "")]),
    ("an empty list", [[]], []),
]


@pytest.mark.parametrize(("deltas", "calls"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_pieces_become_calls(
    server: FakeServer, deltas: list[list[dict[str, Any]]], calls: list[ToolCall]
) -> None:
    chunks = [chunk({"tool_calls": delta}) for delta in deltas]
    steps = [
        stream_head(),
        *(chunked(sse(one)) for one in (*chunks, chunk({}, finish="stop"))),
        chunked(done()),
    ]
    server.raw([*steps, last_chunk()])
    *told, end = events(server, request(True))
    assert told == calls
    assert isinstance(end, Finished)
    assert end.reason == "stop"


@pytest.mark.parametrize("calls", ["f", {"name": "f"}, ["f"], [{"id": "a"}], [{"function": "f"}]])
def test_calls_that_are_none_are_a_malformed_answer(server: FakeServer, calls: Any) -> None:
    server.raw([response(200, Completion("", delta={"tool_calls": calls}).whole_object())])
    with pytest.raises(ProtocolError, match="tool call"):
        events(server, request(False))


def test_the_fake_is_read_as_it_is_written(server: FakeServer) -> None:
    server.queue(scripted([response(200, Completion("", calls=CALLS).whole_object())]))
    assert events(server, request(False))[0] == ToolCall("call_chatcmpl-1_0", "get_order", '{"id": 42}')
