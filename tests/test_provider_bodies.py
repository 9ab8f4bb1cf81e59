"""Bodies: their encodings, their labels, their sizes, and what is no answer at all."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
from fake.connection import Step, close, hang
from fake.server import FakeServer
from fake.wire import Completion, chunk, chunked, done, http_head, response, sse, stream_head
from provider_bytes import HELLO, SAID, STOP, stream
from provider_calls import answers, end, endpoint, failure, request, text

from gptkit.chat import Usage
from gptkit.errors import Incomplete, ProtocolFault


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "two members", "GZIP", "identity"])
@pytest.mark.parametrize("asked", [True, False])
def test_encodings_that_were_offered(server: FakeServer, encoding: str, asked: bool) -> None:
    body = (
        b"".join(Completion(SAID).events()) if asked else json.dumps(Completion(SAID).whole_object()).encode()
    )
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "GZIP": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": raw.compress(body) + raw.flush(),
        "two members": gzip.compress(body[:40]) + gzip.compress(body[40:]),
        "identity": body,
    }[encoding]
    name = {"raw deflate": "deflate", "two members": "gzip"}.get(encoding, encoding)
    head = http_head(200, {"Content-Type": "x/y", "Content-Encoding": name, "Transfer-Encoding": "chunked"})
    server.raw([head, chunked(packed, size=3), b"0\r\n\r\n"])
    assert text(answers(endpoint(server.url), request(asked))) == SAID


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\x1b[2J"])
def test_an_encoding_that_was_not_offered(server: FakeServer, encoding: str) -> None:
    server.raw(stream(HELLO, headers={"Content-Encoding": encoding.replace("\x1b", "x")}))
    _, error = failure(endpoint(server.url), ProtocolFault)
    assert error.message.startswith(f"unsupported encoding '{encoding.replace(chr(27), 'x')}'")


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_encoding(server: FakeServer, damage: str) -> None:
    packed = gzip.compress(HELLO + STOP + done())
    packed = packed[:-9] if damage == "cut" else packed[:12] + b"\xff\xff" + packed[14:]
    server.raw([response(200, packed, {"Content-Encoding": "gzip", "Connection": "close"})])
    failure(endpoint(server.url), ProtocolFault, request(stream=False))


@pytest.mark.parametrize("stream_asked", [True, False])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("label", ["", "text/event-stream", "application/json", "text/plain; charset=utf-8"])
def test_an_answer_in_the_other_form_or_under_another_label(
    server: FakeServer, stream_asked: bool, streamed: bool, label: str
) -> None:
    completion = Completion(SAID, usage=(3, 4))
    body = (
        b"".join(completion.events(True))
        if streamed
        else json.dumps(completion.whole_object(), indent=2).encode()
    )
    server.raw([http_head(200, {"Content-Type": label, "Connection": "close"}) + body])
    events = answers(endpoint(server.url), request(stream_asked))
    assert (text(events), end(events).reason, end(events).usage) == (SAID, "stop", Usage(3, 4))


STRANGERS: list[tuple[str, bytes, str]] = [
    (
        "text/html",
        b"<!doctype html><title>Hotel &amp; Wi-Fi\n login\x07</title>",
        "(text/html): 'Hotel & Wi-Fi login␇'",
    ),
    ("application/json", b"<html><head><title>Login</title>", "(application/json): 'Login'"),
    ("text/html; charset=utf-8", b'{"choices": []}', "(text/html)"),
    ("text/plain", b"Welcome to nginx!", "(text/plain)"),
    ("image/png", b"\x89PNG\r\n\x1a\n", "(image/png)"),
    ("", b"\x00" * 100, "(no content type)"),
]


@pytest.mark.parametrize("stream_asked", [True, False])
@pytest.mark.parametrize(("label", "body", "shown"), STRANGERS)
def test_what_is_not_an_api_answer(
    server: FakeServer, stream_asked: bool, label: str, body: bytes, shown: str
) -> None:
    server.raw([response(200, body, {"Connection": "close"}, content_type=label or " ")])
    _, error = failure(endpoint(server.url), ProtocolFault, request(stream_asked))
    assert (error.message, error.tries) == (f"not an API answer {shown}", 2)


@pytest.mark.parametrize("body", [b"", b" \r\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("stream_asked", [True, False])
def test_nothing_at_all(server: FakeServer, body: bytes, stream_asked: bool) -> None:
    server.raw([response(200, body, {"Connection": "close"}, content_type="text/event-stream")])
    _, error = failure(endpoint(server.url), ProtocolFault, request(stream_asked))
    assert (error.message, error.tries) == ("empty answer", 2)


@pytest.mark.parametrize("status", [204, 205, 206])
def test_a_success_that_brings_no_answer(server: FakeServer, status: int) -> None:
    server.raw([http_head(status, {"Connection": "close"})])
    _, error = failure(endpoint(server.url), ProtocolFault)
    assert (error.message, error.tries) == (f"not an API answer (status {status})", 2)


@pytest.mark.parametrize(
    "head",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x00" * 400,
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000,
    ],
)
def test_what_is_not_http(server: FakeServer, head: bytes) -> None:
    server.raw([head, close()])
    _, error = failure(endpoint(server.url), ProtocolFault)
    assert (error.message, error.tries) == (f"127.0.0.1:{server.port} does not speak HTTP", 2)


def endless(unit: bytes, count: int) -> Iterator[Step]:
    for _ in range(count):
        yield chunked(unit)


@pytest.mark.parametrize("partial", [True, False])
def test_an_endless_line(server: FakeServer, partial: bool) -> None:
    server.raw(
        [
            stream_head(),
            chunked(HELLO if partial else b""[:0] or b"\n"),
            chunked(b"data: "),
            *endless(b"x" * 1_000_000, 12),
            hang(),
        ]
    )
    _, error = failure(endpoint(server.url), Incomplete if partial else ProtocolFault)
    assert error.message.endswith("one event of the answer is larger than 8 MiB")


def test_an_event_of_endless_lines(server: FakeServer) -> None:
    server.raw([stream_head(), *endless(b"data: " + b" " * 1_000_000 + b"\n", 12), hang()])
    failure(endpoint(server.url), ProtocolFault)


@pytest.mark.parametrize("kind", ["comments", "deltas", "json"])
def test_an_endless_answer(server: FakeServer, kind: str) -> None:
    unit = {
        "comments": b": x" * 300_000 + b"\n",
        "deltas": sse(chunk({"content": "y" * 900_000})),
        "json": b" " * 1_000_000,
    }
    first = b'{"a":"' if kind == "json" else b"\n"
    server.raw([stream_head(), chunked(first), *endless(unit[kind], 80), hang()])
    got, error = failure(endpoint(server.url), Incomplete if kind == "deltas" else ProtocolFault)
    assert error.message.endswith("the answer is larger than 64 MiB")
    assert (len(got) > 60_000_000) is (kind == "deltas")


@pytest.mark.parametrize("head", [b'data: "', b'{"a":"', b"\n"])
def test_a_bomb(server: FakeServer, head: bytes) -> None:
    """1 MiB that unpacks to 1 GiB: read up to the cap and no further."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(head) + b"".join(
        packer.compress(b"\n" * 2**20 if head == b"\n" else b" " * 2**20) for _ in range(200)
    )
    packed += packer.flush()
    server.raw([response(200, packed, {"Content-Encoding": "gzip"}, content_type="a/b"), close()])
    _, error = failure(endpoint(server.url), ProtocolFault)
    assert "larger than" in error.message
    assert error.tries == 1
