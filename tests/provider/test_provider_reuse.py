"""One connection for requests that follow each other at once, where the server says that it keeps it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake.certificates import Authority
from fake.connection import hang, keep, reset
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from fake.waiting import SOON, wait_true
from fake.wire import Completion, chunk, chunked, response, sse, stream_head
from provider_calls import endpoint, request, text

from gptkit.core.chat import Provider
from gptkit.core.errors import RateLimitError, TryAgainError
from gptkit.provider.client import provider
from gptkit.provider.connection import IdleConnections

KEPT = {"Connection": "keep-alive"}
WHOLE = request(stream=False)


def ask(send: Provider) -> str:
    return text(send(WHOLE))


def kept(server: FakeServer) -> int:
    """How many connections there were."""
    return len(server.connections)


@pytest.mark.parametrize("header", [{"connection": "Keep-Alive"}, {"Keep-Alive": "timeout=5"}])
def test_a_connection_that_is_kept_carries_the_next_request(
    server: FakeServer, header: Mapping[str, str]
) -> None:
    for number in range(3):
        server.say(f"answer {number}", headers=header)
    send = provider(endpoint(server.url))
    assert [ask(send) for _ in range(3)] == ["answer 0", "answer 1", "answer 2"]
    assert kept(server) == 1
    bodies = [json.loads(one.body) for one in server.requests]
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_connection_over_tls_too(authority: Authority, tmp_path: Path) -> None:
    with FakeServer(authority.server()) as server:
        server.say("one", headers=KEPT)
        server.say("two", headers=KEPT)
        send = provider(endpoint(server.url, ca_file=str(authority.write(tmp_path / "ca.pem"))))
        assert [ask(send), ask(send), kept(server)] == ["one", "two", 1]


@pytest.mark.parametrize("header", [{}, {"Connection": "close"}, {"Connection": "keep-alive, close"}])
def test_a_server_that_promises_nothing_is_met_anew(server: FakeServer, header: Mapping[str, str]) -> None:
    server.say("one", headers=header)
    server.say("two", headers=header)
    send = provider(endpoint(server.url))
    assert (ask(send), ask(send), kept(server)) == ("one", "two", 2)


def test_a_refusal_leaves_the_connection_to_the_next_try(server: FakeServer) -> None:
    server.queue(failed(429, headers=KEPT))
    server.say("now", headers=KEPT)
    send = provider(endpoint(server.url))
    with pytest.raises(RateLimitError):
        ask(send)
    assert (ask(send), kept(server)) == ("now", 1)


def test_a_stream_that_was_left_before_its_end_is_closed(server: FakeServer) -> None:
    server.raw([stream_head(KEPT), chunked(sse(chunk({"content": "a "}))), hang()])
    server.say("next", headers=KEPT)
    send = provider(endpoint(server.url))
    events = send(request())
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert server.connections[0].wait_closed()
    assert (ask(send), kept(server)) == ("next", 2)


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\n\r\n", b"x"])
def test_bytes_after_an_answer_are_never_taken_for_the_next_one(server: FakeServer, extra: bytes) -> None:
    server.raw([_answer("one") + extra, keep()])
    server.raw([_answer("two"), extra, keep()])
    server.say("three", headers=KEPT)
    send = provider(endpoint(server.url))
    assert [ask(send), ask(send)] == ["one", "two"]
    wait_true(lambda: server.connections[1].sent == len(_answer("two") + extra), "it was not sent")
    assert ask(send) == "three"
    assert server.connections[0].wait_closed()
    assert kept(server) == 3


def test_a_promise_that_is_broken_once_is_not_believed_again(server: FakeServer) -> None:
    server.say("one", headers=KEPT)
    server.raw([reset()])
    for word in ("two", "three"):
        server.say(word, headers=KEPT)
    send = provider(endpoint(server.url))
    assert ask(send) == "one"
    with pytest.raises(TryAgainError):
        ask(send)
    assert kept(server) == 1
    assert (ask(send), ask(send), kept(server)) == ("two", "three", 3)


def test_requests_side_by_side_have_a_connection_each(server: FakeServer) -> None:
    together = threading.Barrier(4)

    def answer(_: Received) -> Reply:
        together.wait(SOON)
        return said("word", headers=KEPT)

    server.answer(answer)
    send = provider(endpoint(server.url))
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda _: ask(send), range(4))) == ["word"] * 4
    assert kept(server) == 4


def test_a_connection_is_taken_while_it_is_fresh_and_silent() -> None:
    clock = [100.0]
    idle = IdleConnections(lambda: clock[0])
    here, there = socket.socketpair()
    with there:
        idle.put(here)
        clock[0] += 2.0
        assert idle.take() is here
        idle.put(here)
        clock[0] += 2.1
        assert idle.take() is None
        assert here.fileno() == -1


@pytest.mark.parametrize("said", [b"", b"late"])
def test_a_connection_over_which_something_came_is_closed(said: bytes) -> None:
    idle = IdleConnections()
    quiet, silent = socket.socketpair()
    here, there = socket.socketpair()
    with silent, there:
        idle.put(quiet)
        idle.put(here)
        there.sendall(said) if said else there.close()
        assert idle.take() is quiet
        assert here.fileno() == -1
        idle.put(quiet)
        idle.stop_keeping()
        assert quiet.fileno() == -1


def _answer(words: str) -> bytes:
    return response(200, Completion(words).whole_object(), KEPT)
