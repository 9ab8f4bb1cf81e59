"""One exchange with a server that does nothing wrong: what goes out, what comes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake.certificates import Authority
from fake.connection import hang
from fake.proxy import HttpProxy, SocksProxy
from fake.server import FakeServer
from fake.wire import Completion, chunk, chunked, sse, stream_head
from provider_calls import KEY, answers, end, endpoint, failure, refusal, request, text, thoughts

from gptkit import __version__
from gptkit.core.chat import AnswerDelta, ChatRequest, Endpoint, Finished, Message, Usage
from gptkit.core.errors import ConfigurationError, DataError, NoPermissionError
from gptkit.provider.client import model_names, provider

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_and_what_was_sent_for_it(server: FakeServer, stream: bool) -> None:
    server.say("Guten Tag, 世界 🌍", usage=(12, 3))
    asked = request(stream, temperature=0.5, made_up={"a": [1, None]})
    events = answers(endpoint(server.url), asked)

    assert text(events) == "Guten Tag, 世界 🌍"
    finished = end(events)
    assert (finished.reason, finished.model, finished.request_id) == ("stop", "gpt-test", "req_1")
    sent = server.request
    assert (sent.method, sent.target) == ("POST", "/v1/chat/completions")
    assert sent.json == asked.body()
    assert ("stream" in sent.json) is stream
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["user-agent"] == f"gptkit/{__version__}"
    assert sent.headers["accept-encoding"] == "gzip, deflate"
    assert sent.headers["host"] == f"127.0.0.1:{server.port}"
    assert not [name for name in sent.headers if name.startswith("x-stainless")]
    assert len(server.connections) == 1


def test_the_whole_response_is_kept_when_it_came_in_one(server: FakeServer) -> None:
    server.say("Hi", usage=(12, 3))
    finished = end(answers(endpoint(server.url), request(stream=False)))
    expected = Completion("Hi", usage=(12, 3), model="gpt-test", identity="chatcmpl-1").whole_object()
    assert finished.response == expected
    assert finished.usage == Usage(12, 3)


def test_a_stream_brings_usage_where_it_was_asked_for(server: FakeServer) -> None:
    server.say("Hi", usage=(12, 3))
    events = answers(endpoint(server.url), request(stream_options={"include_usage": True}))
    assert events == [AnswerDelta("Hi"), Finished("stop", Usage(12, 3), "gpt-test", "req_1")]


def test_nothing_is_sent_before_the_first_event_is_wanted(server: FakeServer) -> None:
    provider(endpoint(server.url))(request())
    assert server.requests == []


def test_each_call_is_a_request_of_its_own(server: FakeServer) -> None:
    server.say("one")
    server.say("two")
    send = provider(endpoint(server.url))
    assert [text(send(request())), text(send(request()))] == ["one", "two"]


def test_an_abandoned_answer_closes_the_connection(server: FakeServer) -> None:
    server.raw([stream_head(), chunked(sse(chunk({"content": "a"}))), hang()])
    events = provider(endpoint(server.url))(request())
    assert next(events) == AnswerDelta("a")
    events.close()  # type: ignore[attr-defined]
    assert server.connections[0].wait_closed()


def test_headers_organization_and_project_go_out(server: FakeServer) -> None:
    server.say("ok")
    place = endpoint(
        server.url, organization="org-1", project="proj-1", headers={"X-Team": "a b", "user-agent": "mine"}
    )
    answers(place)
    headers = server.request.headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")
    assert (headers["x-team"], headers["user-agent"]) == ("a b", "mine")


def test_no_key_sends_no_authorization(server: FakeServer) -> None:
    server.say("ok")
    assert text(answers(endpoint(server.url, key=None))) == "ok"
    assert "authorization" not in server.request.headers


def test_white_space_around_a_key_is_dropped(server: FakeServer) -> None:
    server.say("ok")
    answers(endpoint(server.url, key=f"  {KEY}\r\n"))
    assert server.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY} {KEY}", f"{KEY}é", "\x00" + KEY])
def test_a_key_that_no_server_gave_is_refused_before_any_request(server: FakeServer, key: str) -> None:
    with pytest.raises(NoPermissionError) as raised:
        answers(endpoint(server.url, key=key))
    assert KEY not in f"{raised.value} {raised.value.__cause__} {raised.value.__context__}"
    assert server.connections == []


def test_the_environment_of_the_sdk_changes_nothing(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OPENAI_API_KEY": "sk-other",
        "OPENAI_ADMIN_KEY": "sk-admin",
        "OPENAI_ORG_ID": "org-other",
        "OPENAI_PROJECT_ID": "proj-other",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer sk-third\nX-Other: 1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    server.say("ok")
    assert text(answers(endpoint(server.url))) == "ok"
    raw = server.request.raw.decode()
    assert "other" not in raw
    assert "sk-third" not in raw


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("{}/", "/v1/chat/completions"),
        ("{}?api-version=2026-01-01&x=a%20b", "/v1/chat/completions?api-version=2026-01-01&x=a%20b"),
        ("{}/wörk space".replace(" ", "%20"), "/v1/w%C3%B6rk%20space/chat/completions"),
    ],
)
def test_base_urls_with_odd_ends(server: FakeServer, base: str, expected: str) -> None:
    server.raw([_whole("ok")])
    assert text(answers(endpoint(base.format(server.url)))) == "ok"
    assert server.request.target == expected


def test_user_and_password_in_the_base_url_become_a_login(server: FakeServer) -> None:
    server.say("ok")
    answers(endpoint(server.url.replace("//", "//ann:s%40cret@"), key=None))
    assert server.request.headers["authorization"] == "Basic YW5uOnNAY3JldA=="


@pytest.mark.parametrize(
    "url", ["", "api.example.com/v1", "ftp://h/v1", "http://", "http://h:x/", "http://a b/"]
)
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    failure(endpoint(url), ConfigurationError)


@pytest.mark.parametrize(
    "headers", [{"A b": "1"}, {"X": "a\r\nY: b"}, {"Content-Length": "3"}, {"X": "\u4e16"}]
)
def test_a_header_that_http_forbids_is_refused(server: FakeServer, headers: dict[str, str]) -> None:
    failure(endpoint(server.url, headers=headers), ConfigurationError)
    assert server.connections == []


def test_a_parameter_that_json_lacks_is_refused(server: FakeServer) -> None:
    _, error = failure(endpoint(server.url), DataError, request(top_p=float("nan")))
    assert error.message == "parameter 'top_p': its value cannot be written as JSON"
    failure(endpoint(server.url), DataError, ChatRequest("m", (Message("user", "\ud83d"),)))
    assert server.connections == []


def test_reasoning_and_refusal_are_told_apart(server: FakeServer) -> None:
    server.say("answer", reasoning="because of this", pieces=3)
    events = answers(endpoint(server.url))
    assert (text(events), thoughts(events)) == ("answer", "because of this")
    server.say(refusal="I would rather not", pieces=2)
    events = answers(endpoint(server.url))
    assert (text(events), refusal(events)) == ("", "I would rather not")


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
def test_through_a_proxy(server: FakeServer, kind: type[HttpProxy | SocksProxy]) -> None:
    server.say("ok", usage=(1, 2))
    with kind("ann", "s3cret") as proxy:
        place = endpoint(server.url, proxy=proxy.login_url)
        assert text(answers(place)) == "ok"
        assert [passage.login for passage in proxy.passages] == ["ann:s3cret"]
    assert server.request.headers["authorization"] == f"Bearer {KEY}"
    assert server.request.headers["user-agent"] == f"gptkit/{__version__}"


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("where", ["file", "folder", "folder and file"])
def test_tls_with_an_authority_of_ones_own(
    authority: Authority, tmp_path: Path, proxied: bool, where: str
) -> None:
    file = authority.write(tmp_path / "ca.pem")
    folder = tmp_path / "folder"
    folder.mkdir()
    if where == "folder":
        subprocess.run(["openssl", "rehash", tmp_path], check=True)
        place = {"ca_folder": str(tmp_path)}
    elif where == "file":
        place = {"ca_file": str(file)}
    else:  # the folder is asked first and does not know the server
        Authority().write(folder / "other.pem")
        subprocess.run(["openssl", "rehash", folder], check=True)
        place = {"ca_file": str(file), "ca_folder": str(folder)}
    with FakeServer(tls=authority.server()) as server, HttpProxy() as proxy:
        server.say("secret")
        assert text(answers(endpoint(server.url, proxy=proxy.url if proxied else None, **place))) == "secret"
        assert [passage.kind for passage in proxy.passages] == ["CONNECT"] * proxied
        assert len(server.requests) == 1


def test_names_of_models(server: FakeServer) -> None:
    server.models("gpt-b", "gpt-a")
    assert model_names(endpoint(server.url)) == ["gpt-a", "gpt-b"]
    assert (server.request.method, server.request.target) == ("GET", "/v1/models")
    assert server.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("stream", [True, False])
def test_echo_says_again_what_it_was_told(stream: bool) -> None:
    said = "Zeile 1\r\n\t世界 <think>x</think> \x00 end \n"
    asked = ChatRequest("echo", (Message("system", "s"), Message("user", said)), stream=stream)
    events = answers(Endpoint("https://api.openai.com/v1"), asked)
    assert text(events) == said
    finished = end(events)
    assert (finished.reason, finished.model) == ("stop", "echo")
    assert finished.usage is not None
    assert finished.usage.completion_tokens > 0
    assert (finished.response is None) is stream


def test_echo_says_the_input_without_the_words_around_it() -> None:
    asked = ChatRequest("echo", (Message("user", "Translate this:\n<text>Hi</text>"),), text="Hi")
    assert text(answers(Endpoint("https://api.openai.com/v1"), asked)) == "Hi"


def test_echo_streams() -> None:
    asked = ChatRequest("echo", (Message("user", "word " * 100),))
    assert len(answers(Endpoint("https://api.openai.com/v1"), asked)) > 10


def test_what_a_request_does_not_need_is_not_loaded_before_it_and_the_sdk_never(server: FakeServer) -> None:
    server.say("ok")
    code = """
import sys
from gptkit.core.chat import ChatRequest, Endpoint, Message
from gptkit.provider.client import provider
import socket
sent = socket.socket.send
def send(self, data):
    assert not {"openai", "h11", "ssl", "http.client", "dataclasses", "encodings.idna"} & set(sys.modules)
    print("sent", len(data) > 100)
    return sent(self, data)
socket.socket.send = send
events = list(provider(Endpoint(sys.argv[1]))(ChatRequest("m", (Message("user", "hi"),))))
print(events[0].text, "h11" in sys.modules, {"openai", "httpx2", "httpcore2", "pydantic"} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, server.url], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["sent True", "ok True set()"]


def _whole(answer: str) -> bytes:
    body = sse(chunk({"content": answer})) + sse(chunk({}, finish="stop"))
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + body
