"""What a server, a network or a certificate does wrong before an answer, and what is said about it."""

from __future__ import annotations

import re
import socket
import ssl
from collections import UserDict
from collections.abc import ItemsView
from email.utils import formatdate
from time import time
from typing import Any

import pytest
from fake.certificates import Authority
from fake.connection import Step, close, hang, reset
from fake.listener import closed_port
from fake.proxy import HttpProxy, SocksProxy
from fake.server import FakeServer
from fake.wire import error_object, http_head, response
from provider_calls import HURRIED, KEY, answers, endpoint, failure, request, text

from gptkit.core.chat import Deadlines
from gptkit.core.errors import (
    GptkitError,
    NoPermissionError,
    ProtocolError,
    RateLimitError,
    RefusedError,
    SignalError,
    TooLongError,
    TryAgainError,
    UnavailableError,
)
from gptkit.provider.client import model_names, provider
from gptkit.provider.error_body import parse_error_body
from gptkit.provider.errors import to_gptkit_error
from gptkit.provider.exchange import Exchange

FAILURES: list[tuple[int, Any, type[GptkitError], int, str]] = [
    (400, None, UnavailableError, 1, "request not accepted (400): The fake server was told to say 400."),
    (
        400,
        {"error": {"code": "content_filter", "message": "The response was filtered"}},
        RefusedError,
        1,
        "the provider refused the request (400): The response was filtered",
    ),
    (
        400,
        {"error": {"code": "invalid_prompt", "message": "Invalid prompt"}},
        RefusedError,
        1,
        "the provider refused the request (400): Invalid prompt",
    ),
    (
        403,
        {"error": {"code": 403, "message": "your input was flagged"}},
        RefusedError,
        1,
        "the provider refused the request (403): your input was flagged",
    ),
    (
        401,
        None,
        NoPermissionError,
        1,
        "the API key was not accepted (401): The fake server was told to say 401.",
    ),
    (402, "", UnavailableError, 1, "no credit (402)"),
    (
        403,
        {"error": "Country not supported"},
        NoPermissionError,
        1,
        "not allowed (403): Country not supported",
    ),
    (
        408,
        {"detail": "too slow"},
        TryAgainError,
        2,
        "the server gave up waiting (408): too slow; it may have been billed",
    ),
    (
        409,
        {"message": "locked"},
        TryAgainError,
        2,
        "conflict at the server (409): locked; it may have been billed",
    ),
    (413, "<html><title>Entity Too Large</title>", TooLongError, 1, "input too long (413): Entity Too Large"),
    (
        418,
        "short and\r\nstout\x1b[31m",
        UnavailableError,
        1,
        "request not accepted (418): short and stout␛[31m",
    ),
    (
        422,
        {"detail": [{"loc": ["body", "n"], "msg": "bad"}]},
        UnavailableError,
        1,
        "request not accepted (422): n: bad",
    ),
    (429, None, RateLimitError, 4, "too many requests (429): The fake server was told to say 429."),
    (500, None, TryAgainError, 4, "server trouble (500): The fake server was told to say 500."),
    (
        502,
        "<HTML><TITLE>Bad &amp; Gateway</TITLE></HTML>",
        TryAgainError,
        4,
        "server trouble (502): Bad & Gateway",
    ),
    (503, "", TryAgainError, 4, "server trouble (503)"),
    (504, {"error": {"message": ""}}, TryAgainError, 4, "server trouble (504)"),
    (
        529,
        {"type": "error", "error": {"message": "Overloaded"}},
        TryAgainError,
        4,
        "server trouble (529): Overloaded",
    ),
    (599, [1, 2], TryAgainError, 4, "server trouble (599)"),
    (
        400,
        [{"error": {"code": 400, "message": "Invalid role: sys", "status": "INVALID_ARGUMENT"}}],
        UnavailableError,
        1,
        "request not accepted (400): Invalid role: sys",
    ),
    (
        400,
        [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}],
        NoPermissionError,
        1,
        "the API key was not accepted (400): API key not valid. Please pass a valid API key.",
    ),
    (
        400,
        {"code": "invalid_argument", "error": "Incorrect API key provided: ab***yz."},
        NoPermissionError,
        1,
        "the API key was not accepted (400): Incorrect API key provided: ab***yz.",
    ),
    (
        429,
        [{"error": {"message": "You exceeded your current quota", "details": [{"retryDelay": "15.5s"}]}}],
        RateLimitError,
        4,
        "too many requests (429): You exceeded your current quota",
    ),
    (404, {"detail": "Not Found"}, UnavailableError, 1, "no chat API at 'URL' (404): Not Found"),
    (404, "<title>404</title>", UnavailableError, 1, "no chat API at 'URL' (404): 404"),
    (404, {"error": "模型不存在"}, UnavailableError, 1, "no model 'gpt-test' at 'URL' (404): 模型不存在"),
    (404, {"error": "no gpt-test"}, UnavailableError, 1, "no model 'gpt-test' at 'URL' (404): no gpt-test"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("status", "body", "kind", "tries", "message"), FAILURES)
def test_a_status_is_told_with_the_words_of_the_server(
    server: FakeServer,
    stream: bool,
    status: int,
    body: Any,
    kind: type[GptkitError],
    tries: int,
    message: str,
) -> None:
    server.fail(status, body)
    got, error = failure(endpoint(server.url), kind, request(stream))
    assert (got, error.message, error.tries) == ("", message.replace("URL", server.url), tries)
    assert error.request_id == "req_1"
    assert error.billed is (status in (408, 409))
    assert len(server.requests) == 1


def test_404_shows_model_and_base_url(server: FakeServer) -> None:
    server.fail(404)
    _, error = failure(endpoint(server.url), UnavailableError)
    assert error.message.startswith(f"no model 'gpt-test' at '{server.url}' (404): The fake")


def test_401_without_a_key_asks_for_one(server: FakeServer) -> None:
    server.fail(401, {"error": "who are you?"})
    _, error = failure(endpoint(server.url, key=None), NoPermissionError)
    assert error.message == "the server wants an API key (401): who are you?"


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "insufficient_quota"), (400, "credit_balance_exhausted"), (429, "billing_hard_limit_reached")],
)
def test_an_empty_account_is_not_tried_again(server: FakeServer, status: int, code: str) -> None:
    server.fail(status, error_object(status, "You exceeded it", code=code), headers={"Retry-After": "1"})
    _, error = failure(endpoint(server.url), UnavailableError)
    assert (error.message, error.tries) == (f"no credit ({status}): You exceeded it", 1)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "1"}, 1, 1),
        ({"Retry-After": "0.3"}, 0.3, 0.3),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25, 0.25),
        ({"Retry-After": formatdate(time() + 7200, usegmt=True)}, 3600, 7201),
        ({"Retry-After": formatdate(time() - 30, usegmt=True)}, 0, 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_server_asks_for(
    server: FakeServer, status: int, headers: dict[str, str], least: float, most: float
) -> None:
    server.fail(status, headers=headers)
    _, error = failure(endpoint(server.url), RateLimitError if status == 429 else TryAgainError)
    assert error.wait is not None
    assert least <= error.wait <= most


@pytest.mark.parametrize("value", ["", "soon", "-1", "inf", "nan", "Thu, 99 Foo 2026"])
def test_a_wait_that_is_none(server: FakeServer, value: str) -> None:
    server.fail(429, headers={"Retry-After": value})
    assert failure(endpoint(server.url), RateLimitError)[1].wait is None


LONG = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "This model's maximum context length is 8,192 tokens. However, you requested about 9000 tokens (8000).",
    "prompt is too long: 9000 tokens > 8192 maximum",
    "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
    {"type": "exceed_context_size_error", "message": "m", "n_prompt_tokens": 9000, "n_ctx": 8192},
    {
        "code": "context_length_exceeded",
        "message": "the request (9000 tokens) exceeds it (8192 tokens)",
    },
]


@pytest.mark.parametrize("said", LONG)
def test_input_that_is_too_long_says_by_how_much(server: FakeServer, said: Any) -> None:
    server.fail(400, {"error": {"message": said} if isinstance(said, str) else said})
    assert failure(endpoint(server.url), TooLongError)[1].message == "input too long: 9000 of 8192 tokens"


def test_the_key_is_never_shown_even_if_the_server_echoes_it(server: FakeServer) -> None:
    # cut at 300 characters the key would be half there, and no longer be recognised
    server.fail(401, error_object(401, "x" * 280 + f" {KEY} was wrong"))
    _, error = failure(endpoint(server.url), NoPermissionError)
    assert KEY[:8] not in error.message
    assert error.message.endswith("***…") or "***" in error.message
    server.fail(400, error_object(400, f"Bearer {KEY} and c2stY2FuYXJ5LTAxMjM0NTY3ODk="))
    _, error = failure(endpoint(server.url), UnavailableError)
    assert error.message == "request not accepted (400): Bearer *** and ***="


def test_an_error_body_is_read_up_to_a_limit(server: FakeServer) -> None:
    endless: list[Step] = [b"x" * 65536] * 200
    server.raw([http_head(500, {"Content-Type": "text/plain"}), *endless, hang()])
    _, error = failure(endpoint(server.url), TryAgainError)
    assert error.message.startswith("server trouble (500): xxx")
    assert len(error.message) < 330


def test_an_error_body_that_is_cut_still_counts(server: FakeServer) -> None:
    server.raw([http_head(400, {"Content-Length": "99"}) + b'{"error":', reset()])
    _, error = failure(endpoint(server.url), UnavailableError)
    assert error.message.startswith("request not accepted (400)")


@pytest.mark.parametrize("status", [413, 401])
def test_the_status_wins_over_the_write_error(server: FakeServer, status: int) -> None:
    """A server that refuses a large request early and resets the connection."""
    server.raw([response(status, error_object(status)), close()], when="head")
    asked = request(metadata={"x": "y" * 8_000_000})
    failure(endpoint(server.url), TooLongError if status == 413 else NoPermissionError, asked)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("ending", [close, reset])
def test_the_end_before_an_answer_may_have_been_billed(
    server: FakeServer, ending: Any, proxied: bool
) -> None:
    server.raw([ending()])
    with HttpProxy() as proxy:
        _, error = failure(endpoint(server.url, proxy=proxy.url if proxied else None), TryAgainError)
    assert error.message.endswith("before an answer; it may have been billed")
    assert (error.tries, error.billed) == (2, True)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_headers_that_never_come(server: FakeServer, head: bytes, proxied: bool) -> None:
    server.raw([head, hang()])
    with HttpProxy() as proxy:
        place = endpoint(server.url, deadlines=HURRIED, proxy=proxy.url if proxied else None)
        _, error = failure(place, TryAgainError)
    assert error.message == "no answer in 1.5 s; it may have been billed"
    assert "idle_timeout" in error.hint
    assert (error.tries, error.billed) == (2, True)
    assert len(server.requests) == 1


def test_nothing_listens() -> None:
    with closed_port() as port:
        _, error = failure(endpoint(f"http://127.0.0.1:{port}/v1"), TryAgainError)
        assert (error.message, error.tries) == (f"nothing listens on 127.0.0.1:{port}", 4)
        proxy = f"http://ann:pw@127.0.0.1:{port}"
        _, error = failure(endpoint("http://127.0.0.1:1/v1", proxy=proxy), TryAgainError)
    assert error.message == f"the proxy 127.0.0.1:{port} does not listen"
    assert error.hint.startswith("'--proxy none' goes without a proxy; ")


@pytest.mark.parametrize(
    ("port", "host", "hint"),
    [
        (11434, "127.0.0.1", "is Ollama running? 'ollama serve' starts it"),
        (1234, "localhost", "is LM Studio running? 'lms server start' starts it"),
        (9, "127.0.0.1", ""),
        (11434, "api.example", ""),
    ],
)
def test_a_server_that_people_run_themselves_is_named(port: int, host: str, hint: str) -> None:
    exchange = Exchange(endpoint(f"http://{host}:{port}/v1"), "/models")
    assert to_gptkit_error(ConnectionRefusedError(), exchange).hint == hint


def test_names_that_cannot_be_looked_up() -> None:
    _, error = failure(endpoint("http://api.invalid/v1"), TryAgainError)
    assert (error.message, error.tries) == ("no such host: 'api.invalid'", 2)
    _, error = failure(endpoint("http://again.invalid/v1"), TryAgainError)
    assert (error.message, error.tries) == ("no answer from name look-up for 'again.invalid'", 4)
    _, error = failure(endpoint(f"http://{'a' * 70}.invalid/v1"), TryAgainError)
    assert error.message.startswith("no such host: 'aaaa")


def test_a_dead_address_does_not_take_the_whole_deadline(server: FakeServer) -> None:
    """`localhost` is ::1 first on most machines, and nothing listens there."""
    server.say("ok")
    with closed_port() as port:
        failure(endpoint(f"http://localhost:{port}/v1"), TryAgainError)
    place = endpoint(server.url.replace("127.0.0.1", "localhost"))
    assert text(answers(place)) == "ok"


def test_no_connection_within_the_deadline() -> None:
    with socket.socket() as full:  # a backlog of one that is taken: further connects wait for ever
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        _, error = failure(
            endpoint(f"http://127.0.0.1:{port}", deadlines=Deadlines(connect=0.2)), TryAgainError
        )
        for client in waiting:
            client.close()
    assert (error.message, error.tries) == (f"no connection to 127.0.0.1:{port} in 0.2 s", 4)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ("expired", "expired"),
        ("self_signed", "self-signed"),
        ("server", "made out to another host"),
    ],
)
def test_certificates_that_are_not_believed(
    authority: Authority, tmp_path: Any, certificate: str, reason: str, proxied: bool
) -> None:
    file = str(authority.write(tmp_path / "ca.pem"))
    context = (
        authority.server("other.example") if certificate == "server" else getattr(authority, certificate)()
    )
    with FakeServer(tls=context) as server, HttpProxy() as proxy:
        place = endpoint(
            server.url,
            ca_file=None if certificate == "self_signed" else file,
            proxy=proxy.url if proxied else None,
        )
        _, error = failure(place, ProtocolError)
        assert server.requests == []
    assert error.message == f"TLS: certificate of '127.0.0.1': {reason}"
    assert "SSL_CERT_FILE" in error.hint
    assert error.tries == 1


def test_an_authority_that_is_not_trusted(authority: Authority) -> None:
    with FakeServer(tls=authority.server()) as server:
        _, error = failure(endpoint(server.url), ProtocolError)
        assert server.requests == []
    assert error.message == "TLS: certificate of '127.0.0.1': its authority is not trusted"
    assert "SSL_CERT_FILE" in error.hint


def test_a_handshake_that_fails(authority: Authority, tmp_path: Any) -> None:
    """The server speaks no cipher that the client takes; the reason is told by its name."""
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("NULL:@SECLEVEL=0")
    with FakeServer(tls=context) as server:
        file = str(authority.write(tmp_path / "ca.pem"))
        _, error = failure(endpoint(server.url, ca_file=file), ProtocolError)
    assert re.fullmatch(rf"TLS with 127\.0\.0\.1:{server.port}: it failed \([A-Z0-9_]+\)", error.message)


def test_a_port_without_tls(server: FakeServer) -> None:
    _, error = failure(endpoint(server.url.replace("http:", "https:")), ProtocolError)
    assert error.message == f"TLS with 127.0.0.1:{server.port}: the server does not speak it"
    assert error.tries == 1
    assert server.requests == []


def test_a_proxy_that_wants_a_login(server: FakeServer) -> None:
    with HttpProxy("ann", "s3cret") as proxy:
        url = proxy.url.replace("//", "//bob:hunter2@")
        for place in (endpoint(server.url, proxy=url), endpoint("https://127.0.0.1:9/v1", proxy=url)):
            _, error = failure(place, NoPermissionError)
            assert error.message.startswith(f"the proxy 127.0.0.1:{proxy.port} wants a login (407)")
            assert "hunter2" not in f"{error.message}{error.hint}"
    assert server.requests == []


def test_a_proxy_that_nobody_named_wants_a_login(server: FakeServer) -> None:
    server.fail(407, "")
    _, error = failure(endpoint(server.url), NoPermissionError)
    assert (error.message, error.hint) == (
        "a proxy on the way wants a login (407)",
        "write user and password into its URL",
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304, 300])
@pytest.mark.parametrize(
    "location", ["/v1/elsewhere", "{}/v1", "https://127.0.0.1:9/", "file:///etc/passwd", "http://[", ""]
)
def test_redirects_are_not_followed(server: FakeServer, status: int, location: str) -> None:
    with FakeServer() as other:
        to = location.format(other.origin)
        server.fail(status, "moved", headers={"Location": to})
        _, error = failure(endpoint(server.url), ProtocolError)
        assert other.connections == []
    assert "redirects to" in error.message
    assert error.tries == 1
    assert len(server.requests) == 1


def test_a_redirect_names_both_hosts(server: FakeServer) -> None:
    server.fail(307, "", headers={"Location": "https://evil.example/v1?x=1"})
    _, error = failure(endpoint(server.url), ProtocolError)
    assert error.message == "'http://127.0.0.1' redirects to 'https://evil.example' (307)"


def test_a_list_of_models_that_fails(server: FakeServer) -> None:
    server.fail(401)
    with pytest.raises(NoPermissionError) as refused:
        model_names(endpoint(server.url))
    assert refused.value.record()["attempts"] == 1
    server.fail(404)
    with pytest.raises(UnavailableError) as raised:
        model_names(endpoint(server.url))
    assert raised.value.message.startswith(f"no chat API at '{server.url}' (404)")


@pytest.mark.parametrize(
    ("message", "code", "rejected"),
    [
        (
            "Unsupported parameter: 'temperature' is not supported with this model.",
            "unsupported_parameter",
            True,
        ),
        (
            "Unsupported value: 'temperature' does not support 0.3 with this model. Only 1.",
            "unsupported_value",
            True,
        ),
        ("Unrecognized request argument supplied: temperature", None, True),
        (
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2.",
            "decimal_above_max_value",
            False,
        ),
        ("temperature must be between 0 and 2", None, False),
        ("temperature is too large: 3", None, False),
        ("Input should be less than or equal to 2", "less_than_equal", False),
    ],
)
def test_a_wrong_value_is_no_rejected_parameter(message: str, code: str | None, rejected: bool) -> None:
    said = parse_error_body({"error": {"message": message, "code": code, "param": "temperature"}})
    assert said.rejected_parameter == ("temperature" if rejected else "")


@pytest.mark.parametrize("told", [True, False], ids=["as its cause", "as its context"])
def test_a_signal_that_was_taken_for_a_failure_is_still_the_signal(told: bool) -> None:
    """What runs when it comes may wrap it, as the SDK and httpcore2 do with what the network raises."""

    class Headers(UserDict[str, str]):
        asked = 0

        def items(self) -> ItemsView[str, str]:
            self.asked += 1
            if self.asked > 1:  # once for the direct road's request, then inside the SDK
                try:
                    raise SignalError(15)
                except SignalError as stop:
                    raise RuntimeError("connection error") from (stop if told else None)
            return super().items()

    with SocksProxy() as proxy, pytest.raises(SignalError) as raised:
        list(provider(endpoint("http://127.0.0.1:9", proxy=proxy.url, headers=Headers()))(request()))
    assert raised.value.number == 15
