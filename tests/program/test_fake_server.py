"""The fake proves itself: with the real SDK, which must not see a difference, and byte by byte."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from fake.certificates import Authority
from fake.connection import close, finish, hang, keep, pause, read_body, reset, until
from fake.guard import Guard
from fake.proxy import HttpProxy, SocksProxy
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from fake.waiting import SILENCE, SOON
from fake.wire import chunk, chunked, done, http_head, last_chunk, response, sse, stream, stream_head

if TYPE_CHECKING:
    import openai

ASK: Any = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hallo 世界"}]}
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],"stream":true}'
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture
def sdk(server: FakeServer) -> Iterator[openai.OpenAI]:
    import openai

    with openai.OpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
        yield client


def test_the_sdk_reads_a_stream(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.say("Bonjour le 世界", finish="length", pieces=2, usage=(7, 3), reasoning="hm", refusal="no")
    options: Any = {"include_usage": True}
    chunks = list(sdk.chat.completions.create(**ASK, stream=True, stream_options=options))
    choices = [c.choices[0] for c in chunks if c.choices]
    assert [c.delta.content for c in choices if c.delta.content] == ["Bonjou", "r le 世界"]
    assert choices[0].delta.role == "assistant"
    assert [c.finish_reason for c in choices] == [None] * 7 + ["length"]
    assert [c.delta.refusal for c in choices if c.delta.refusal] == ["n", "o"]
    assert "".join(getattr(c.delta, "reasoning_content", "") for c in choices) == "hm"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (7, 3)
    assert {(c.id, c.model, c.object) for c in chunks} == {("chatcmpl-1", "gpt-x", "chat.completion.chunk")}
    request = server.request
    assert (request.method, request.path, request.user) == ("POST", "/v1/chat/completions", "Hallo 世界")
    assert request.headers["authorization"] == "Bearer sk-test"


def test_usage_is_streamed_only_if_asked_for(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.say("one two")
    chunks = list(sdk.chat.completions.create(**ASK, stream=True))
    assert [c.choices[0].delta.content for c in chunks] == ["", "one ", "two", None]
    assert all(c.usage is None for c in chunks)


def test_the_sdk_reads_a_whole_answer(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.say(
        "Grüße", usage=(7, 3), reasoning="hm", reasoning_key="reasoning", headers={"x-request-id": "r7"}
    )
    answer = sdk.chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Grüße"
    assert answer.choices[0].message.model_extra == {"reasoning": "hm"}
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 10
    assert (answer.model, answer._request_id) == ("gpt-x", "r7")


def test_tool_calls_and_refusals_have_no_content(server: FakeServer, sdk: openai.OpenAI) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    server.say(finish="tool_calls", delta={"tool_calls": [call]})
    server.say(refusal="No.")
    asked, refused = (sdk.chat.completions.create(**ASK).choices[0].message for _ in range(2))
    assert asked.tool_calls is not None
    assert (asked.content, asked.tool_calls[0].id) == (None, "c1")
    assert (refused.content, refused.refusal) == (None, "No.")


def test_the_sdk_reads_the_list_of_models(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.models("gpt-a", "gpt-b")
    assert [model.id for model in sdk.models.list()] == ["gpt-a", "gpt-b"]
    assert (server.request.method, server.request.path) == ("GET", "/v1/models")


def test_the_sdk_maps_failures(server: FakeServer, sdk: openai.OpenAI) -> None:
    import openai

    server.fail(429, message="slow down", code="slow_down", headers={"Retry-After": "1"})
    server.fail(503, "<html>busy</html>")
    with pytest.raises(openai.RateLimitError, match="slow down") as limited:
        sdk.chat.completions.create(**ASK)
    assert (limited.value.code, limited.value.request_id) == ("slow_down", "req_1")
    assert limited.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.InternalServerError) as busy:
        sdk.chat.completions.create(**ASK, stream=True)
    assert busy.value.response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("ending", [close(), reset()])
def test_the_sdk_sees_a_cut_stream(server: FakeServer, sdk: openai.OpenAI, ending: Any) -> None:
    import openai

    seen = threading.Event()
    server.raw([stream_head(), chunked(sse(chunk({"content": "half"}))), until(seen), ending])
    answer = sdk.chat.completions.create(**ASK, stream=True)
    texts = []
    with pytest.raises(openai.APIConnectionError):
        for piece in answer:
            texts.append(piece.choices[0].delta.content)
            seen.set()
    assert texts == ["half"]


def test_one_connection_carries_many_requests(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.say("a", times=2)
    server.fail(400)
    server.say("b")
    assert _texts(sdk, 2) == ["a", "a"]
    with pytest.raises(Exception, match="400"):
        sdk.chat.completions.create(**ASK)
    assert _texts(sdk, 1) == ["b"]
    assert [request.connection for request in server.requests] == [1, 1, 1, 1]
    sdk.close()
    assert server.connections[0].wait_closed()


def test_a_standing_answer_serves_any_number(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.say("queued first")
    server.answer(lambda request: request.user[::-1])
    assert _texts(sdk, 3) == ["queued first", "界世 ollaH", "界世 ollaH"]
    server.answer(lambda request: said("cut", finish="length"))
    assert sdk.chat.completions.create(**ASK).choices[0].finish_reason == "length"


def test_bytes_arrive_as_they_were_composed(server: FakeServer) -> None:
    events = sse(chunk({"content": "é"}), ascii_only=True) + sse(b"{broken") + done()
    server.raw([stream_head({"X-A": "b"}), chunked(events, size=7), last_chunk()])
    raw = _exchange(server, REQUEST)
    head, body = raw.split(b"\r\n\r\n", 1)
    assert head.splitlines() == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/event-stream; charset=utf-8",
        b"Transfer-Encoding: chunked",
        b"X-A: b",
    ]
    assert body.startswith(b"7\r\ndata: {\r\n7\r\n")
    assert body.endswith(b"0\r\n\r\n")
    assert b"".join(part for number, part in enumerate(body.split(b"\r\n")) if number % 2) == events
    assert server.request.raw == REQUEST
    assert server.request.extra == b""


def test_a_compressed_answer_is_composed(server: FakeServer, sdk: openai.OpenAI) -> None:
    packed = gzip.compress(stream("packed 世界", finish="stop"))
    server.raw([stream_head({"Content-Encoding": "gzip"}), chunked(packed, size=5, last=True), keep()])
    chunks = sdk.chat.completions.create(**ASK, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "packed 世界"


def test_a_chunked_request_with_expectation_is_read(server: FakeServer) -> None:
    server.say("ok")
    head = HEAD + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    with _connected(server) as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(chunked(BODY, size=9, last=True))
        assert client.recv(12) == b"HTTP/1.1 200"
    assert server.request.body == BODY


def test_bytes_after_the_request_are_noticed(server: FakeServer) -> None:
    server.say("one")
    server.say("two")
    with _connected(server) as client:
        client.sendall(REQUEST + REQUEST)
        while b"two" not in _received(client, b"0\r\n\r\n"):
            pass
    assert server.requests[0].extra == REQUEST
    assert server.requests[1].extra == b""


def test_an_early_answer_comes_before_the_body(server: FakeServer) -> None:
    server.queue(failed(413, when="head"))
    server.raw([http_head(200, {"Content-Length": "0"}), read_body(), keep()], when="head")
    with _connected(server) as client:
        client.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        assert client.recv(12) == b"HTTP/1.1 413"
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.sendall(b"x" * 100_000)
    with _connected(server) as client:
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY))
        assert client.recv(12) == b"HTTP/1.1 200"
        client.sendall(BODY)
    assert not server.connections[0].wait_closed()
    assert server.connections[1].wait_closed()
    assert [request.body for request in server.requests] == [b"", BODY]


def test_a_connection_is_refused_a_word(server: FakeServer) -> None:
    server.raw([reset()], when="connected")
    with pytest.raises(ConnectionResetError), _connected(server) as client:  # or while it still connects
        client.recv(1)
    assert server.requests == []
    assert len(server.connections) == 1


def test_an_orderly_end_waits_for_the_client(server: FakeServer) -> None:
    server.raw([response(200, {}), finish()])
    with _connected(server) as client:
        client.sendall(REQUEST)
        assert _until_end(client).endswith(b"{}")
        assert server.connections[0].closed is None
    assert server.connections[0].wait_closed()


def test_a_leaving_client_ends_a_pause(server: FakeServer) -> None:
    server.raw([stream_head(), pause(SILENCE), b"never"])
    with _connected(server) as client:
        client.sendall(REQUEST)
        client.recv(1000)
    assert server.connections[0].wait_closed(SOON)
    assert server.connections[0].sent == len(stream_head())


def test_a_hanging_server_is_closed_at_once() -> None:
    with FakeServer() as server:
        server.raw([hang()])
        with _connected(server) as client:
            client.sendall(REQUEST)
            server.wait_requests()
            server.close()
            assert server.problems == [], "it was silent to the end"
            assert _until_end(client) == b""


def test_gaps_and_delays_are_kept(server: FakeServer, sdk: openai.OpenAI) -> None:
    server.say("a b", delay=0.05, gap=0.02)
    started = time.monotonic()
    times = [time.monotonic() - started for _ in sdk.chat.completions.create(**ASK, stream=True)]
    assert times[0] >= 0.05
    assert times[-1] >= 0.05 + 3 * 0.02


def test_what_was_not_asked_for_fails_the_test() -> None:
    server = FakeServer()
    server.say("Bonjour")
    server.fail(429)
    server.close()
    with pytest.raises(AssertionError, match=r"queued but never asked for: say 'Bonjour', fail 429"):
        server.verify()


@pytest.mark.parametrize(
    ("line", "body", "complaint"),
    [
        ("POST /v1/chat/completions", ASK, "no reply was queued"),
        ("POST /v1/chat/completions", {"model": "m"}, "no messages"),
        ("POST /v1/chat/completions", {**ASK, "model": ""}, "no model"),
        ("POST /v1/chat/completions", {**ASK, "messages": [{"role": "bot"}]}, '"role": "bot"'),
        ("POST /v1/chat/completions", b"{", "not JSON"),
        ("POST /v1/chat/completions", b'"\xff"', "not JSON"),
        ("GET /v1/chat/completions", b"", "not a POST"),
        ("GET /v1/elsewhere", b"", "no reply was queued"),
    ],
)
def test_what_nobody_expected_fails_the_test(line: str, body: Any, complaint: str) -> None:
    method, path = line.split()
    _, _, content = response(200, body).partition(b"\r\n\r\n")
    server = FakeServer()
    client = http.client.HTTPConnection(*server.address)
    client.request(method, path, content, {"Content-Type": "application/json"})
    assert client.getresponse().status == 400
    client.close()
    server.close()
    with pytest.raises(AssertionError, match=complaint):
        server.verify()


def test_a_reply_for_another_path_and_a_broken_answer_fail_the_test(sdk: openai.OpenAI) -> None:
    def broken(request: Received) -> str | Reply:
        raise KeyError(request.method)

    server = FakeServer()
    server.models("a")
    server.answer(broken)
    assert b" 400 " in _exchange(server, REQUEST)
    assert b" 400 " in _exchange(server, REQUEST)
    server.close()
    with pytest.raises(AssertionError, match=r"the reply for /v1/models; .*answer failed: KeyError: 'POST'"):
        server.verify()


def test_tls_speaks_to_those_who_trust_it(authority: Authority) -> None:
    with FakeServer(authority.server(), name="localhost") as server:
        server.say("secret")
        assert server.url.startswith("https://localhost:")
        with (
            _connected(server) as raw,
            authority.client().wrap_socket(raw, server_hostname="localhost") as client,
        ):
            client.sendall(REQUEST)
            assert b"secret" in _received(client, b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("foreign", "unable to get local issuer"),
        ("self-signed", "self-signed certificate"),
        ("expired", "certificate has expired"),
        ("other name", "Hostname mismatch"),
    ],
)
def test_each_bad_certificate_is_bad(authority: Authority, kind: str, reason: str) -> None:
    contexts: dict[str, Callable[[], ssl.SSLContext]] = {
        "foreign": lambda: Authority().server(),
        "self-signed": Authority().self_signed,
        "expired": authority.expired,
        "other name": lambda: authority.server("other.invalid"),
    }
    with FakeServer(contexts[kind](), name="localhost") as server, _connected(server) as raw:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            authority.client().wrap_socket(raw, server_hostname="localhost")
        raw.close()
        assert server.connections[0].wait_closed()
        assert server.connections[0].tls_failure


def test_a_plain_port_answers_tls_as_servers_do(server: FakeServer, authority: Authority) -> None:
    with _connected(server) as raw, pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|wrong version"):
        authority.client().wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize("login", [(), ("me", "p w")])
def test_the_sdk_goes_through_a_proxy(server: FakeServer, scheme: str, login: tuple[str, ...]) -> None:
    kind = HttpProxy if scheme == "http" else SocksProxy
    server.say("by proxy")
    with kind(*login, routes={"api.invalid:80": server.address}) as proxy:
        assert _through(proxy, "http://api.invalid/v1", scheme) == "by proxy"
        passage = proxy.passages[0]
    assert (passage.granted, passage.login) == (True, ":".join(login) or None)
    assert passage.target == (
        "http://api.invalid/v1/chat/completions" if scheme == "http" else "api.invalid:80"
    )
    assert b"by proxy" in passage.down
    assert server.request.target == "/v1/chat/completions"
    assert not any(name.startswith("proxy-") for name in server.request.headers)


def test_a_tunnel_hides_what_goes_through(authority: Authority) -> None:
    with (
        FakeServer(authority.server("api.invalid")) as server,
        HttpProxy(routes={"api.invalid:443": server.address}) as proxy,
    ):
        server.say("secret")
        assert _through(proxy, "https://api.invalid/v1", "http", authority.client()) == "secret"
        assert [(passage.kind, passage.target) for passage in proxy.passages] == [
            ("CONNECT", "api.invalid:443")
        ]
        assert proxy.passages[0].up
        assert b"secret" not in proxy.passages[0].down


def test_an_http_proxy_says_no(server: FakeServer) -> None:
    import openai

    with HttpProxy("me", "right") as proxy:
        with pytest.raises(openai.APIStatusError, match="407"):
            _through(proxy, server.url, "http", login="me:wrong")
        assert [(passage.login, passage.granted) for passage in proxy.passages] == [("me:wrong", False)]
    with HttpProxy() as proxy:
        with pytest.raises(openai.APIStatusError, match="502"):
            _through(proxy, "http://nowhere.invalid/v1", "http")
        assert [passage.granted for passage in proxy.passages] == [False]
    assert server.connections == []


@pytest.mark.parametrize(
    ("dialogue", "kinds"),
    [
        ([(b"\x05\x01\x00", b"\x05\xff")], []),
        ([(b"\x05\x02\x00\x02", b"\x05\x02"), (b"\x01\x02me\x05wrong", b"\x01\x01")], []),
        (
            [
                (b"\x05\x01\x02", b"\x05\x02"),
                (b"\x01\x02me\x05right", b"\x01\x00"),
                (b"\x05\x01\x00\x03\x09a.invalid\x00\x50", b"\x05\x04\x00\x01" + bytes(6)),
            ],
            ["name"],
        ),
    ],
)
def test_a_socks_proxy_says_no(dialogue: list[tuple[bytes, bytes]], kinds: list[str]) -> None:
    # By hand: the SDK's HTTP library leaves its socket open when a SOCKS proxy refuses.
    with SocksProxy("me", "right") as proxy:
        with socket.create_connection(proxy.address, timeout=SOON) as client:
            for said_by_client, said_by_proxy in dialogue:
                client.sendall(said_by_client)
                assert client.recv(100) == said_by_proxy
            assert client.recv(1) == b""
        assert [(passage.kind, passage.granted) for passage in proxy.passages] == [
            (kind, False) for kind in kinds
        ]


def test_the_fence_holds(fence: Guard) -> None:
    with pytest.raises(AssertionError, match=r"'192\.0\.2\.1' is beyond loopback"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(AssertionError, match="beyond loopback"), socket.socket() as sock:
        sock.connect_ex(("192.0.2.1", 80))
    with pytest.raises(AssertionError, match=r"'api\.openai\.com' is beyond loopback"):
        socket.getaddrinfo("API.openai.com", 443)
    assert fence.refused == ["192.0.2.1", "192.0.2.1", "api.openai.com"]
    fence.refused.clear()
    for name, code in (("api.invalid", socket.EAI_NONAME), ("api.again.invalid", socket.EAI_AGAIN)):
        with pytest.raises(socket.gaierror) as unknown:
            socket.getaddrinfo(name, 443)
        assert unknown.value.errno == code
    assert socket.getaddrinfo("127.0.0.1", 80)
    fence.verify()


def _texts(sdk: openai.OpenAI, count: int) -> list[str | None]:
    return [sdk.chat.completions.create(**ASK).choices[0].message.content for _ in range(count)]


def _through(
    proxy: HttpProxy | SocksProxy,
    base_url: str,
    scheme: str,
    verify: ssl.SSLContext | bool = True,
    login: str | None = None,
) -> str | None:
    """One completion of the SDK by way of the proxy."""
    import httpx2
    import openai

    shown = login or proxy._login
    url = f"{scheme}://{shown + '@' if shown else ''}{proxy.host}:{proxy.port}"
    with (
        httpx2.Client(proxy=url, verify=verify) as transport,
        openai.OpenAI(api_key="k", base_url=base_url, max_retries=0, http_client=transport) as client,
    ):
        answer: str | None = client.chat.completions.create(**ASK).choices[0].message.content
        return answer


def _connected(server: FakeServer) -> socket.socket:
    return socket.create_connection(server.address, timeout=SOON)


def _exchange(server: FakeServer, request: bytes) -> bytes:
    with _connected(server) as client:
        client.sendall(request)
        return _until_end(client)


def _until_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def _received(client: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += client.recv(65_536)
    return data
