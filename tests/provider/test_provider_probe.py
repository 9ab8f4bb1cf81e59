"""The walk of `doctor`: which step fails, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake.certificates import Authority
from fake.connection import hang
from fake.listener import closed_port
from fake.proxy import HttpProxy
from fake.server import FakeServer
from fake.wire import chunk, chunked, sse, stream_head
from provider_calls import KEY, endpoint

from gptkit.core.chat import Endpoint
from gptkit.provider.probe import ProbeStep, probe_endpoint

DIRECT = ["address", "name look-up", "TCP", "key", "model", "first token"]


def walked(place: Endpoint, model: str = "gpt-test") -> list[ProbeStep]:
    found = list(probe_endpoint(place, model))
    assert all(step.ok for step in found[:-1])
    assert all(step.seconds >= 0 for step in found)
    assert KEY not in str(found)
    return found


def test_all_is_well_and_the_first_token_is_enough(server: FakeServer) -> None:
    server.models("gpt-test", "gpt-other")
    server.raw([stream_head(), chunked(sse(chunk({"content": "y"}))), hang()])
    found = walked(endpoint(server.url))
    assert [step.name for step in found] == DIRECT
    assert [step.detail for step in found] == [
        server.url,
        "127.0.0.1 is 127.0.0.1",
        f"127.0.0.1:{server.port} answers from 127.0.0.1",
        "the API key: accepted",
        "'gpt-test' is one of 2",
        "it answers",
    ]
    assert found[-1].ok
    assert [request.method for request in server.requests] == ["GET", "POST"]
    assert server.connections[-1].wait_closed()


def test_with_tls(authority: Authority, tmp_path: Path) -> None:
    file = str(authority.write(tmp_path / "ca.pem"))
    with FakeServer(tls=authority.server()) as server:
        server.models("gpt-test")
        server.say("yes")
        found = walked(endpoint(server.url, ca_file=file))
        assert [step.name for step in found] == [*DIRECT[:3], "TLS", *DIRECT[3:]]
        assert found[3].detail.startswith("TLSv1.3, certificate valid until ")
    with FakeServer(tls=authority.server()) as server, HttpProxy() as proxy:
        last = walked(endpoint(server.url))[-1]
        assert (last.name, last.ok) == ("TLS", False)
        assert "SSL_CERT_FILE" in last.detail
        last = walked(endpoint(server.url, proxy=proxy.url))[-1]
        assert (last.name, last.ok) == ("TLS", False)


def test_through_a_proxy(server: FakeServer) -> None:
    server.models("gpt-test")
    server.say("yes")
    with HttpProxy("ann", "s3cret") as proxy:
        found = walked(endpoint(server.url, proxy=proxy.login_url))
        assert [step.name for step in found] == [
            "address",
            "name look-up",
            "proxy",
            "key",
            "model",
            "first token",
        ]
        assert found[-1].ok
        assert found[2].detail == f"127.0.0.1:{proxy.port} answers"
        last = walked(endpoint(server.url, proxy=proxy.url))[-1]
        assert (last.name, last.ok) == ("key", False)
        assert "wants a login (407)" in last.detail
        assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("url", "step", "detail"),
    [
        ("no URL", "address", "base URL: holds a space or a control character"),
        (
            "http://api.invalid/v1",
            "name look-up",
            "no such host: 'api.invalid' (check the base URL and the network)",
        ),
        ("http://127.0.0.1:{}/v1", "TCP", "nothing listens on 127.0.0.1:{}"),
    ],
)
def test_the_step_that_fails_is_the_last(url: str, step: str, detail: str) -> None:
    with closed_port() as port:
        last = walked(endpoint(url.format(port)))[-1]
    assert (last.name, last.ok, last.detail) == (step, False, detail.format(port))


def test_a_bad_key(server: FakeServer) -> None:
    server.fail(401, {"error": {"message": f"no such key {KEY}"}})
    last = walked(endpoint(server.url))[-1]
    assert (last.name, last.ok) == ("key", False)
    assert last.detail.startswith("the API key was not accepted (401): no such key ***")


def test_a_server_without_a_list_and_an_unlisted_model(server: FakeServer) -> None:
    server.fail(404)
    server.say("yes")
    details = [step.detail for step in walked(endpoint(server.url, key=None))]
    assert details[3:] == [
        "none, and none was asked for; the server has no list of models",
        "'gpt-test' cannot be looked up, trying it",
        "it answers",
    ]
    server.fail(404, {"detail": "Not Found"}, times=2)
    key, _, first = walked(endpoint(server.url))[3:]
    assert key.detail == "the API key: not checked; the server has no list of models"
    assert not first.ok
    assert first.detail.startswith(f"no chat API at '{server.url}' (404): Not Found (")
    server.models("gpt-tests", "other")
    server.fail(404)
    found = walked(endpoint(server.url))
    assert found[-2].detail == "'gpt-test' is not among the 2 listed, trying it; near it: gpt-tests"
    assert (found[-1].name, found[-1].ok) == ("first token", False)
    assert found[-1].detail.startswith(f"no model 'gpt-test' at '{server.url}' (404)")


def test_a_server_that_may_not_stream_answers_in_one_piece(server: FakeServer) -> None:
    server.models("gpt-test")
    server.fail(400, {"error": {"message": "Streaming is not supported for this model"}})
    server.say("yes")
    assert walked(endpoint(server.url))[-1].detail == "it answers"
    assert [request.json.get("stream") for request in server.requests[1:]] == [True, None]


def test_a_model_without_a_network() -> None:
    found = walked(Endpoint(""), "echo")
    assert [(step.name, step.ok, step.detail) for step in found] == [("first token", True, "it answers")]
    last = walked(Endpoint(""), "local:/nowhere.gguf")[-1]
    assert (last.name, last.ok, last.detail) == ("first token", False, "no such model file: '/nowhere.gguf'")
