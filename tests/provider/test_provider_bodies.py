"""Bodies: their encodings, their labels, their sizes, and what is no answer at all."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator

import pytest
from fake.connection import Step, close, hang, pause, reset
from fake.server import FakeServer
from fake.waiting import SILENCE
from fake.wire import Completion, chunk, chunked, done, http_head, response, sse, stream_head
from provider_bytes import HELLO, SAID, STOP, stream
from provider_calls import HURRIED, answers, end, endpoint, failure, request, text

from gptkit.core.chat import Deadlines, Usage
from gptkit.core.errors import IncompleteError, ProtocolError


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
    _, error = failure(endpoint(server.url), ProtocolError)
    assert error.message.startswith(f"unsupported encoding '{encoding.replace(chr(27), 'x')}'")


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_encoding(server: FakeServer, damage: str) -> None:
    packed = gzip.compress(HELLO + STOP + done())
    packed = packed[:-9] if damage == "cut" else packed[:12] + b"\xff\xff" + packed[14:]
    server.raw([response(200, packed, {"Content-Encoding": "gzip", "Connection": "close"})])
    failure(endpoint(server.url), ProtocolError, request(stream=False))


WHOLE = HELLO + STOP + done()
PACKED = {"gzip": gzip.compress(WHOLE, mtime=0), "deflate": zlib.compress(WHOLE)}
TRAILER = {"gzip": 8, "deflate": 4}
"""Bytes of checksum (and length) behind the compressed data."""


def _compressed(encoding: str, *pieces: bytes | Step, framing: str) -> list[Step]:
    """The pieces of a compressed stream that HTTP calls whole, or that just ends with the connection."""
    headers = {"Content-Type": "text/event-stream", "Content-Encoding": encoding}
    if framing == "close":
        return [http_head(200, headers | {"Connection": "close"}), *pieces]
    if framing == "length":
        length = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
        return [http_head(200, headers | {"Content-Length": str(length)}), *pieces]
    sent = [chunked(piece) if isinstance(piece, bytes) else piece for piece in pieces]
    end: list[Step] = [b"0\r\n\r\n"] if framing == "last chunk" else []
    return [http_head(200, headers | {"Transfer-Encoding": "chunked"}), *sent, *end]


every_framing = pytest.mark.parametrize("framing", ["close", "length", "last chunk", "no last chunk"])


@every_framing
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("encoding", PACKED)
def test_a_compressed_answer_with_its_checksum_is_whole(
    server: FakeServer, encoding: str, apart: bool, framing: str
) -> None:
    data, size = PACKED[encoding], TRAILER[encoding]
    pieces: list[bytes | Step] = [data[:-size], pause(0.05), data[-size:]] if apart else [data]
    server.raw([*_compressed(encoding, *pieces, framing=framing), close()])
    events = answers(endpoint(server.url))
    assert (text(events), end(events).reason) == ("Hello", "stop")


def test_behind_the_checksum_nothing_is_waited_for(server: FakeServer) -> None:
    """The server complains of who waits as long as it would take here."""
    server.raw([*_compressed("gzip", PACKED["gzip"], framing="no last chunk"), hang()])
    place = endpoint(server.url, deadlines=Deadlines(idle=2 * SILENCE, content=2 * SILENCE, end=2 * SILENCE))
    assert text(answers(place)) == "Hello"


@every_framing
@pytest.mark.parametrize("missing", [1, 4, 8])
def test_a_compressed_answer_without_its_checksum_is_not_whole(
    server: FakeServer, missing: int, framing: str
) -> None:
    """The protocol said [DONE], but nothing says that the bytes before it are the ones that were sent."""
    server.raw([*_compressed("gzip", PACKED["gzip"][:-missing], framing=framing), close()])
    got, error = failure(endpoint(server.url), IncompleteError)
    cause = "connection closed" if framing == "no last chunk" else "the answer's gzip encoding ends too early"
    assert (got, error.message) == ("Hello", f"answer cut short: {cause}")


@pytest.mark.parametrize("ending", [reset, hang])
def test_a_checksum_that_never_comes(server: FakeServer, ending: Callable[[], Step]) -> None:
    packed = PACKED["gzip"][:-8]
    server.raw([*_compressed("gzip", packed, framing="no last chunk"), pause(0.05), ending()])
    got, error = failure(endpoint(server.url, deadlines=HURRIED), IncompleteError)
    assert got == "Hello"
    assert error.message.startswith(("answer cut short: connection", "answer cut short: no bytes for 1.5 s"))


@pytest.mark.parametrize("framing", ["close", "last chunk"])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("place", [1, 4])
@pytest.mark.parametrize("apart", [False, True])
def test_a_checksum_that_does_not_agree(
    server: FakeServer, encoding: str, place: int, apart: bool, asked: bool, framing: str
) -> None:
    body = WHOLE if asked else json.dumps(Completion("Hello").whole_object()).encode()
    packed = bytearray(gzip.compress(body) if encoding == "gzip" else zlib.compress(body))
    packed[-place] ^= 1
    data, trailer = bytes(packed[: -TRAILER[encoding]]), bytes(packed[-TRAILER[encoding] :])
    pieces: list[bytes | Step] = [data, pause(0.05), trailer] if apart else [data + trailer]
    server.raw([*_compressed(encoding, *pieces, framing=framing), close()])
    seen = asked and apart  # before the damage could be known
    got, error = failure(endpoint(server.url), IncompleteError if seen else ProtocolError, request(asked))
    assert got == ("Hello" if seen else "")
    assert f"the answer's {encoding} encoding is damaged" in error.message
    assert (error.tries, error.billed) == (2, True)


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
    _, error = failure(endpoint(server.url), ProtocolError, request(stream_asked))
    assert (error.message, error.tries) == (f"not an API answer {shown}", 2)


@pytest.mark.parametrize("body", [b"", b" \r\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("stream_asked", [True, False])
def test_nothing_at_all(server: FakeServer, body: bytes, stream_asked: bool) -> None:
    server.raw([response(200, body, {"Connection": "close"}, content_type="text/event-stream")])
    _, error = failure(endpoint(server.url), ProtocolError, request(stream_asked))
    assert (error.message, error.tries) == ("empty answer", 2)


@pytest.mark.parametrize("status", [204, 205, 206])
def test_a_success_that_brings_no_answer(server: FakeServer, status: int) -> None:
    server.raw([http_head(status, {"Connection": "close"})])
    _, error = failure(endpoint(server.url), ProtocolError)
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
    _, error = failure(endpoint(server.url), ProtocolError)
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
    _, error = failure(endpoint(server.url), IncompleteError if partial else ProtocolError)
    assert error.message.endswith("one event of the answer is larger than 8 MiB")


def test_an_event_of_endless_lines(server: FakeServer) -> None:
    server.raw([stream_head(), *endless(b"data: " + b" " * 1_000_000 + b"\n", 12), hang()])
    failure(endpoint(server.url), ProtocolError)


@pytest.mark.parametrize("kind", ["comments", "deltas", "json"])
def test_an_endless_answer(server: FakeServer, kind: str) -> None:
    unit = {
        "comments": b": x" * 300_000 + b"\n",
        "deltas": sse(chunk({"content": "y" * 900_000})),
        "json": b" " * 1_000_000,
    }
    first = b'{"a":"' if kind == "json" else b"\n"
    server.raw([stream_head(), chunked(first), *endless(unit[kind], 80), hang()])
    got, error = failure(endpoint(server.url), IncompleteError if kind == "deltas" else ProtocolError)
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
    _, error = failure(endpoint(server.url), ProtocolError)
    assert "larger than" in error.message
    assert error.tries == 1
