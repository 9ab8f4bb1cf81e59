"""What goes wrong before a server can say anything, through the whole program: names, ports, TLS, keys."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from asking import settings
from fake.certificates import Authority
from fake.listener import closed_port
from fake.program import Result, Surroundings
from fake.proxy import HttpProxy
from fake.server import FakeServer
from fake.wire import error_object, response

from gptkit.__main__ import main
from gptkit.core.terminal import memory_terminal

CANARY = "sk-canary-0123456789"
Environment = dict[str, str | None]
COMMANDS = [
    ("ask", "hi"),
    ("ask", "hi", "--no-stream"),
    ("translate", "hi"),
    ("code", "hi"),
    ("ask", "hi", "--json"),
]
every_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


class Obstacle(NamedTuple):
    """A way not to reach an API. `place` yields the environment, and checks that nothing was sent."""

    name: str
    place: Callable[[Authority, Path], AbstractContextManager[Environment]]
    code: int
    attempts: int
    says: str
    hint: str = ""


def at(url: str, **environ: str | None) -> Callable[[Authority, Path], AbstractContextManager[Environment]]:
    @contextmanager
    def place(_authority: Authority, _folder: Path) -> Iterator[Environment]:
        yield {"OPENAI_BASE_URL": url, **environ}

    return place


@contextmanager
def unheard(_authority: Authority, _folder: Path) -> Iterator[Environment]:
    with closed_port() as port:
        yield {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}


@contextmanager
def plain_port(_authority: Authority, _folder: Path) -> Iterator[Environment]:
    with FakeServer() as server:
        yield {"OPENAI_BASE_URL": server.url.replace("http:", "https:")}
        assert server.requests == []


@contextmanager
def guarded_proxy(_authority: Authority, _folder: Path) -> Iterator[Environment]:
    with FakeServer() as server, HttpProxy("ann", "right") as proxy:
        url = proxy.url.replace("//", "//ann:hunter2@")
        yield {"OPENAI_BASE_URL": server.url, "HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": ""}
        assert server.connections == []


def behind(certificate: str) -> Callable[[Authority, Path], AbstractContextManager[Environment]]:
    """A server whose certificate cannot be believed."""

    @contextmanager
    def place(authority: Authority, folder: Path) -> Iterator[Environment]:
        wrong = certificate == "other host"
        context = authority.server("other.example") if wrong else getattr(authority, certificate)()
        trusted = None if certificate == "self_signed" else str(authority.write(folder / "ca.pem"))
        with FakeServer(tls=context) as server:
            yield {"OPENAI_BASE_URL": server.url, "SSL_CERT_FILE": trusted}
            assert server.requests == []

    return place


OBSTACLES = [
    Obstacle("refused", unheard, 75, 4, "nothing listens on 127.0.0.1:"),
    Obstacle("no such name", at("https://api.invalid/v1"), 75, 2, "no such host: 'api.invalid'"),
    Obstacle("no look-up", at("https://again.invalid/v1"), 75, 4, "name look-up for 'again.invalid'"),
    Obstacle("expired", behind("expired"), 76, 1, "certificate of '127.0.0.1': expired", "SSL_CERT_FILE"),
    Obstacle(
        "self-signed",
        behind("self_signed"),
        76,
        1,
        "certificate of '127.0.0.1': self-signed",
        "SSL_CERT_FILE",
    ),
    Obstacle(
        "other host",
        behind("other host"),
        76,
        1,
        "certificate of '127.0.0.1': made out to another host",
        "SSL_CERT_FILE",
    ),
    Obstacle("no TLS", plain_port, 76, 1, "TLS with 127.0.0.1:", "http://"),
    Obstacle("proxy login", guarded_proxy, 77, 1, "the proxy 127.0.0.1:"),
    Obstacle("plain http", at("http://api.example.com/v1"), 78, 0, "http", "allow_http"),
]


def ran(around: Surroundings, environ: Environment, key: str | None, *args: str) -> Result:
    terminal = memory_terminal(environ=around.environ(environ, key))
    terminal.sleep = lambda _seconds: None
    code = main(list(args), terminal)
    return Result(code, terminal.output, terminal.errors)


@every_command
@pytest.mark.parametrize("obstacle", OBSTACLES, ids=[obstacle.name for obstacle in OBSTACLES])
def test_an_obstacle(
    around: Surroundings,
    authority: Authority,
    tmp_path: Path,
    obstacle: Obstacle,
    command: tuple[str, ...],
) -> None:
    with obstacle.place(authority, tmp_path) as environ:
        result = ran(around, environ, CANARY, *command)
    first, *rest = result.stderr.splitlines()
    assert (result.code, result.stdout) == (obstacle.code, "")
    assert first.startswith("gptkit: ")
    assert obstacle.says in first
    assert len(rest) <= 1
    assert CANARY not in result.stderr
    assert "hunter2" not in result.stderr
    if "--json" in command:
        record = json.loads(rest[0])
        assert (record["code"], record["attempts"], record["partial"]) == (
            obstacle.code,
            obstacle.attempts,
            False,
        )
        assert record["retryable"] is (obstacle.code == 75)
    else:
        assert obstacle.hint in "".join(rest)


@every_command
@pytest.mark.parametrize("key", ["sk-\u4e16\u754c-canary", "sk-can ary", "sk-can\nary", "sk-\u00fccanary"])
def test_a_key_that_no_server_gave(
    server: FakeServer, around: Surroundings, key: str, command: tuple[str, ...]
) -> None:
    result = ran(around, {}, key, *command)
    assert (result.code, result.stdout) == (77, "")
    assert "canary" not in result.stderr
    assert key not in result.stderr
    assert len(result.stderr.splitlines()) <= 2
    assert server.connections == []


@pytest.mark.parametrize("key", [f"{CANARY}\n", f"  {CANARY}\t", f"{CANARY}\r\n"])
def test_a_key_pasted_with_white_space_works(server: FakeServer, around: Surroundings, key: str) -> None:
    server.say("ok")
    assert ran(around, {}, key, "ask", "hi") == (0, "ok\n", "")
    assert server.request.headers["authorization"] == f"Bearer {CANARY}"


@every_command
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_sends_nothing_to_the_other_host(
    server: FakeServer, around: Surroundings, status: int, command: tuple[str, ...]
) -> None:
    with FakeServer() as other:
        server.fail(status, "", headers={"Location": other.url.replace("127.0.0.1", "localhost")})
        result = ran(around, {}, CANARY, *command)
        assert other.connections == []
    assert (result.code, result.stdout) == (76, "")
    assert f"'http://127.0.0.1' redirects to 'http://localhost' ({status})" in result.stderr.splitlines()[0]


@pytest.mark.parametrize("command", [one for one in COMMANDS if one[0] != "translate"], ids=" ".join)
def test_a_large_request_that_is_refused_early(
    server: FakeServer, around: Surroundings, command: tuple[str, ...], tmp_path: Path
) -> None:
    """The server resets while megabytes are under way: its status wins over the write error."""
    text = tmp_path / "long.txt"
    text.write_text("世界 hello\n" * 600_000, encoding="utf-8")
    server.raw([response(413, error_object(413), {"Connection": "close"})], when="head")
    result = ran(around, {}, CANARY, command[0], "-f", str(text), *command[2:])
    assert (result.code, result.stdout) == (65, "")
    assert "input too long (413)" in result.stderr


@every_command
def test_a_connection_that_is_never_answered(around: Surroundings, command: tuple[str, ...]) -> None:
    settings(around.home, "connect_timeout: 0.2\nattempts: 2\n")
    with socket.socket() as full:  # a backlog of one that is taken: further connects wait for ever
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        result = ran(around, {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}, CANARY, *command)
        for client in waiting:
            client.close()
    assert (result.code, result.stdout) == (75, "")
    assert f"no connection to 127.0.0.1:{port} in 0.2 s" in result.stderr.splitlines()[0]
