"""Through a proxy: the deadlines hold as they do without one, and a broken proxy is told as what it is."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from fake.certificates import Authority
from fake.connection import Step, hang, pause
from fake.proxy import HttpProxy, SocksProxy
from fake.server import FakeServer
from fake.waiting import SILENCE, SOON
from fake.wire import chunked, http_head, stream_head
from provider_bytes import HELLO
from provider_calls import endpoint, failure, request

from gptkit.core.chat import Deadlines
from gptkit.core.errors import GptkitError, IncompleteError, ProtocolError, TryAgainError

Kind = type[HttpProxy | SocksProxy]
LONG = 2 * SILENCE
"""A deadline that must not be the one that ends a test: before that, the server complains of who waits."""
AFTER = 1.5
"""A deadline for silence that is not the first thing: longer than what comes before takes, also on a busy
machine."""
PING: list[Step] = [step for _ in range(400) for step in (chunked(b": ping\n\n"), pause(0.02))]
SPACE: list[Step] = [step for _ in range(400) for step in (b" ", pause(0.02))]
OBJECT = http_head(200, {"Content-Type": "application/json", "Connection": "close"})
every_proxy = pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])

OVERDUE: dict[str, tuple[list[Step], bool, Deadlines, type[GptkitError], str]] = {
    "silence after the request": (
        [hang()],
        True,
        Deadlines(idle=0.4, first_content=LONG),
        TryAgainError,
        "no answer in 0.4 s; it may have been billed",
    ),
    "silence that outlasts patience with content": (
        [hang()],
        True,
        Deadlines(idle=LONG, first_content=AFTER),
        TryAgainError,
        "answer cut short before its first word: no content for 1.5 s; it may have been billed",
    ),
    "silence after the head": (
        [stream_head(), hang()],
        True,
        Deadlines(idle=LONG, first_content=AFTER),
        TryAgainError,
        "answer cut short before its first word: no content for 1.5 s; it may have been billed",
    ),
    "comments only": (
        [stream_head(), *PING, hang()],
        True,
        Deadlines(idle=LONG, first_content=AFTER),
        TryAgainError,
        "answer cut short before its first word: no content for 1.5 s; it may have been billed",
    ),
    "silence after some text": (
        [stream_head(), chunked(HELLO), hang()],
        True,
        Deadlines(idle=LONG, content=0.4),
        IncompleteError,
        "answer cut short: no content for 0.4 s",
    ),
    "comments after some text": (
        [stream_head(), chunked(HELLO), *PING, hang()],
        True,
        Deadlines(idle=LONG, content=0.4),
        IncompleteError,
        "answer cut short: no content for 0.4 s",
    ),
    "white space instead of an object": (
        [OBJECT, *SPACE, hang()],
        False,
        Deadlines(idle=LONG, first_content=AFTER),
        TryAgainError,
        "answer cut short before its first word: no content for 1.5 s; it may have been billed",
    ),
    "silence instead of an object": (
        [OBJECT, hang()],
        False,
        Deadlines(idle=AFTER, first_content=LONG),
        TryAgainError,
        "answer cut short before its first word: no bytes for 1.5 s; it may have been billed",
    ),
}


@every_proxy
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("case", OVERDUE)
def test_a_deadline_holds(case: str, kind: Kind, tls: bool, authority: Authority, tmp_path: Path) -> None:
    steps, streamed, deadlines, fault, message = OVERDUE[case]
    context = authority.server("127.0.0.1") if tls else None
    with FakeServer(tls=context) as server, kind() as proxy:
        server.raw(steps)
        file = str(authority.write(tmp_path / "ca.pem"))
        place = endpoint(server.url, proxy=proxy.url, deadlines=deadlines, ca_file=file)
        _, error = failure(place, fault, request(stream=streamed))
    assert error.message == message


@contextlib.contextmanager
def odd_proxy(*replies: bytes, ends: bool = True) -> Iterator[str]:
    """The place of a proxy that answers what it is sent with these bytes, then closes or falls silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            client.settimeout(SILENCE)
            with client, contextlib.suppress(OSError):
                for reply in replies:
                    client.recv(65536)
                    client.sendall(reply)
                if ends:
                    client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(SOON)


ODD: list[tuple[str, tuple[bytes, ...], type[GptkitError], str, int]] = [
    ("http", (), TryAgainError, "connection closed by the proxy {} before the request was sent", 4),
    ("socks5", (), TryAgainError, "connection closed by the proxy {} before the request was sent", 4),
    (
        "socks5",
        (b"\x05\x00",),
        TryAgainError,
        "connection closed by the proxy {} before the request was sent",
        4,
    ),
    ("http", (b"SSH-2.0-OpenSSH_9.6\r\n\r\n",), ProtocolError, "{} does not speak HTTP", 2),
    ("socks5", (b"HTTP/1.1 400 Bad\r\n\r\n",), ProtocolError, "proxy {} does not speak SOCKS5", 2),
    ("socks5", (b"\x05\x00", b"\x05\x77"), ProtocolError, "proxy {} does not speak SOCKS5", 2),
    ("http", (b"HTTP/1.1 502 No\r\n\r\n",), TryAgainError, "proxy {}: 502 No", 4),
    (
        "socks5",
        (b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)),
        TryAgainError,
        "proxy {}: it could not make the connection",
        4,
    ),
]


@pytest.mark.parametrize(("scheme", "replies", "kind", "message", "tries"), ODD)
def test_a_proxy_that_is_none(
    scheme: str, replies: tuple[bytes, ...], kind: type[GptkitError], message: str, tries: int
) -> None:
    """Nothing was sent to the API by then, so nothing can have been billed."""
    with odd_proxy(*replies) as place:
        _, error = failure(endpoint("https://127.0.0.1:9/v1", proxy=f"{scheme}://{place}"), kind)
    assert (error.message, error.tries, error.billed) == (message.format(place), tries, False)


@pytest.mark.parametrize("scheme", ["http", "socks5", "https"])
def test_a_proxy_that_never_answers(scheme: str) -> None:
    with odd_proxy(ends=False) as place:
        deadlines = Deadlines(connect=0.4, idle=LONG)
        target = endpoint("https://127.0.0.1:9/v1", proxy=f"{scheme}://{place}", deadlines=deadlines)
        _, error = failure(target, TryAgainError)
    assert (error.message, error.tries) == (f"no connection through {place} in 0.4 s", 4)
    assert not error.billed
