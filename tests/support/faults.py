"""What a server can do wrong, as bytes on the wire, and what the program makes of each."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any, NamedTuple

from fake.connection import Step, close, hang, keep, pause, read_body, reset
from fake.received import Received
from fake.replies import Reply, failed, said, scripted
from fake.wire import Completion, chunk, chunked, done, error_object, http_head, response, sse, stream_head

CODE = "print('世界 🌍')\n"
ANSWER = f"```python\n{CODE}```\n"
HALF = ANSWER[:18]
"""What has come of the answer when something happens."""
BEGUN = sse(chunk({"content": HALF}))
REST = sse(chunk({"content": ANSWER[18:]}))
ROLE = sse(chunk({"role": "assistant", "content": ""}))
STOP = sse(chunk({}, finish="stop"))
WHOLE = BEGUN + REST + STOP + done()
OBJECT = json.dumps(Completion(ANSWER).whole_object()).encode()
BENT = gzip.compress(WHOLE)[:-8] + bytes(8)
CLOSING = {"Content-Type": "text/event-stream", "Connection": "close"}
NEVER = "idle_timeout: 0.5\nattempts: 2\n"
STALL = "idle_timeout: 1.5\nattempts: 2\n"
SLOW_START = "first_token_timeout: 1.5\nattempts: 2\n"
SLOW = "token_timeout: 0.4\nattempts: 2\n"
COMMENTS: list[Step] = [step for _ in range(200) for step in (chunked(b": ping\n\n"), pause(0.02))]


class Fault(NamedTuple):
    """One thing that a server does, whether a stream was asked for or not.

    `shown` is what a pipe holds then. `buffered` is the number of requests where nothing is
    written before the answer is whole; None: as many as otherwise.
    """

    name: str
    reply: Reply
    code: int
    requests: int
    says: str = ""
    shown: str = ""
    buffered: int | None = None
    settings: str = ""


def stream(*pieces: bytes | Step, headers: dict[str, str] | None = None) -> Reply:
    """An event stream that ends with the connection."""
    return scripted([http_head(200, CLOSING | (headers or {})), *pieces])


def in_chunks(*pieces: bytes | Step) -> Reply:
    """An event stream in chunks, without the last one."""
    return scripted([stream_head(), *(chunked(p) if isinstance(p, bytes) else p for p in pieces)])


def whole(value: Any, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
    return scripted([response(200, value, {"Connection": "close"} | (headers or {}), **fields)])


def packed(encoding: str, data: bytes) -> Reply:
    return stream(data, headers={"Content-Encoding": encoding})


def bomb(size: int, unit: bytes = b"\n", head: bytes = b"") -> bytes:
    """The head, then the unit until it unpacks to `size` MiB: one packed block, many times over."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(unit * (2**20 // len(unit))) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * size


def dated(seconds: float) -> Reply:
    """Too many requests, with the time of day at which to come back."""

    def steps(request: Received) -> Iterator[Step]:
        yield response(
            429, error_object(429), {"Retry-After": formatdate(time.time() + seconds, usegmt=True)}
        )
        yield keep()

    return Reply("fail 429 until a date", steps)


def tool_call(finish: str) -> Reply:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "rm", "arguments": '{"a":'}}
    return said("", delta={"tool_calls": [call]}, finish=finish)


BEFORE = [
    Fault("headers never come", scripted([hang()]), 75, 2, "no answer in 0.5 s; it may have", settings=NEVER),
    Fault("closed before headers", scripted([close()]), 75, 2, "connection closed before an answer; it may"),
    Fault("reset before headers", scripted([reset()]), 75, 2, "connection reset before an answer; it may"),
    Fault("garbage status line", scripted([b"SSH-2.0-OpenSSH\r\n", close()]), 76, 2, "does not speak HTTP"),
    Fault("101", scripted([b"HTTP/1.1 101 Go\r\n\r\n", close()]), 76, 2, "does not speak HTTP"),
    Fault("endless 1xx", scripted([b"HTTP/1.1 100 C\r\n\r\n" * 99, close()]), 76, 2, "does not speak HTTP"),
    *(
        Fault(
            f"{status}", scripted([http_head(status, {"Connection": "close"})]), 76, 2, f"(status {status})"
        )
        for status in (204, 206)
    ),
    Fault(
        "a status before the body is read",
        failed(413, headers={"Connection": "close"}, when="head"),
        65,
        1,
        "input too long (413)",
    ),
    Fault(
        "a status at once, then the body",
        scripted([response(401, error_object(401)), read_body(), close()], when="head"),
        77,
        1,
        "the key in OPENAI_API_KEY was not accepted (401)",
    ),
]

CUT = [
    Fault("stall", in_chunks(BEGUN, hang()), 80, 1, "no bytes for 1.5 s", HALF, 2, STALL),
    Fault("stall at once", in_chunks(ROLE, hang()), 75, 2, "no bytes for 1.5 s", settings=STALL),
    Fault("comments for ever", in_chunks(*COMMENTS, hang()), 75, 2, "no content for", settings=SLOW_START),
    Fault(
        "comments after a start",
        in_chunks(BEGUN, *COMMENTS, hang()),
        80,
        1,
        "cut short: no content for 0.4",
        HALF,
        2,
        SLOW,
    ),
    Fault("reset", in_chunks(BEGUN, pause(0.05), reset()), 80, 1, "cut short: connection reset", HALF, 4),
    Fault("reset at once", in_chunks(ROLE, pause(0.05), reset()), 75, 2, "first word: connection reset"),
    Fault("no last chunk", in_chunks(BEGUN, close()), 80, 1, "cut short: connection closed", HALF, 4),
    Fault("half a chunk", scripted([stream_head(), b"40\r\ndata", close()]), 75, 2, "connection closed"),
    Fault("clean close", stream(BEGUN), 80, 1, "cut short: the server never said", HALF, 2),
    Fault("clean close without text", stream(ROLE), 75, 4, "the server ended the stream at once"),
    Fault("[DONE] without a finish", stream(BEGUN, done()), 80, 1, "cut short: the server never", HALF, 2),
    Fault(
        "[DONE] without a finish, lenient",
        stream(BEGUN, REST, done()),
        0,
        1,
        shown=ANSWER,
        settings="finish: lenient\n",
    ),
    Fault("lenient but cut", stream(BEGUN), 80, 1, "cut short", HALF, 2, "finish: lenient\n"),
    Fault("finish without [DONE]", stream(BEGUN, REST, STOP), 0, 1, shown=ANSWER),
    Fault(
        "silence after the finish",
        in_chunks(BEGUN, REST, STOP, hang()),
        0,
        1,
        shown=ANSWER,
        settings="end_timeout: 0.3\n",
    ),
    Fault("more after the finish", stream(BEGUN, STOP, pause(0.1), REST + STOP), 0, 1, shown=ANSWER),
    Fault(
        "more after the finish, and no other",
        stream(BEGUN, STOP, REST, done()),
        80,
        1,
        "cut short: the server never said",
        ANSWER,
        2,
    ),
    Fault("reset after the finish", in_chunks(BEGUN, REST, STOP, pause(0.05), reset()), 0, 1, shown=ANSWER),
    Fault(
        "fewer bytes than announced",
        stream(BEGUN, headers={"Content-Length": "9999"}),
        80,
        1,
        "fewer bytes than",
        HALF,
        4,
    ),
    Fault(
        "an object with fewer bytes than announced",
        scripted(
            [http_head(200, {"Content-Length": "9999", "Content-Type": "application/json"}), OBJECT[:-9]]
        ),
        76,
        2,
        "fewer bytes than announced",
    ),
]

BROKEN = [
    Fault("malformed JSON", stream(BEGUN, sse('{"a":'), REST, STOP), 80, 1, "not valid JSON", HALF, 2),
    Fault("malformed JSON at once", stream(sse('{"a":'), BEGUN, REST, STOP), 76, 2, "not valid JSON"),
    Fault("a malformed object", whole(b'{"choices": [', content_type="application/json"), 76, 2, "JSON"),
    Fault("invalid UTF-8", stream(BEGUN, WHOLE.replace(b"\xe4", b"\xff")), 80, 1, "UTF-8", HALF, 2),
    Fault("invalid UTF-8 at once", stream(WHOLE.replace(b"\xe4", b"\xff")), 76, 2, "not valid UTF-8"),
    Fault("no choices", stream(sse({"choices": []}), done()), 76, 2, "the answer holds no choices"),
    Fault("an object without choices", whole({"object": "chat.completion"}), 76, 2, "holds no choices"),
    Fault("empty 200", whole(b"", content_type="text/event-stream"), 76, 2, "empty answer"),
    Fault(
        "a web page", whole("<title>Hotel \x1b[2J Wi-Fi</title>"), 76, 2, "(text/html): 'Hotel ␛[2J Wi-Fi'"
    ),
    Fault("content null", said([], finish="stop"), 76, 2, "empty answer"),
    Fault("blank content", said(" \n", finish="stop"), 76, 1, "empty answer", " \n", 2),
    Fault("brotli", packed("br", WHOLE), 76, 1, "unsupported encoding 'br'"),
    Fault("zstd", packed("zstd", WHOLE), 76, 1, "unsupported encoding 'zstd'"),
    Fault("a damaged gzip", packed("gzip", gzip.compress(WHOLE)[:12] + b"\xff" * 40), 76, 2, "is damaged"),
    Fault("a gzip without its end", packed("gzip", gzip.compress(WHOLE)[:-8]), 80, 1, "early", ANSWER, 2),
    Fault("a gzip that was bent", packed("gzip", BENT), 76, 2, "gzip encoding is damaged"),
    Fault(
        "a deflate without its end", packed("deflate", zlib.compress(WHOLE)[:-4]), 80, 1, "early", ANSWER, 2
    ),
    Fault("a gzip cut short", packed("gzip", gzip.compress(WHOLE)[:-12]), 80, 1, "ends too early", ANSWER, 2),
    Fault("a bomb", packed("gzip", bomb(80)), 76, 1, "larger than 64 MiB"),
    Fault("an endless line", in_chunks(b"data: ", *[b"x" * 2**20] * 9, hang()), 76, 1, "larger than 8 MiB"),
    Fault("endless empty lines", in_chunks(*[b"data:\n" * 180_000] * 9, hang()), 76, 1, "larger than 8 MiB"),
    Fault(
        "an endless line after a start",
        in_chunks(BEGUN, b"data: ", *[b"x" * 2**20] * 9, hang()),
        80,
        1,
        "larger than 8 MiB",
        HALF,
    ),
]

ENDED = [
    Fault("length", said(ANSWER, finish="length"), 80, 1, "answer cut at the token limit", ANSWER),
    Fault("MAX_TOKENS", said(ANSWER, finish="MAX_TOKENS"), 80, 1, "answer cut at the token limit", ANSWER),
    Fault("content filter", said(ANSWER, finish="content_filter"), 81, 1, "content filter", ANSWER),
    Fault("refusal", said(refusal="I \x1b[31mcannot"), 81, 1, "the model refused: 'I ␛[31mcannot'"),
    Fault("finish error", said("", finish="error"), 75, 4, "the server stopped with an error"),
    Fault("finish error after text", said(ANSWER, finish="error"), 80, 1, "with an error", ANSWER, 4),
    Fault("unknown finish", said(ANSWER, finish="tired"), 80, 1, "finish reason 'tired'", ANSWER),
    Fault("unasked tool calls", tool_call("tool_calls"), 76, 1, "a tool that was not offered"),
    Fault("truncated tool arguments", tool_call("length"), 80, 1, "token limit"),
    Fault(
        "an error in the stream",
        stream(sse({"error": {"message": "Overloaded", "code": 502}})),
        75,
        4,
        "server trouble (502): Overloaded",
    ),
    Fault(
        "an error after text",
        stream(BEGUN, sse({"error": {"message": "boom"}})),
        80,
        1,
        "cut short: the server stopped with an error: boom",
        HALF,
        4,
    ),
    Fault(
        "no credit in the stream", stream(sse({"error": {"code": "insufficient_quota"}})), 69, 1, "no credit"
    ),
]

STATUSES = [
    Fault("400", failed(400), 69, 1, "request not accepted (400)"),
    Fault("context length", failed(400, code="context_length_exceeded"), 65, 1, "input too long"),
    Fault("401", failed(401), 77, 1, "the key in OPENAI_API_KEY was not accepted (401)"),
    Fault("402", failed(402), 69, 1, "no credit (402)"),
    Fault("403", failed(403, {"error": "Country not supported"}), 77, 1, "(403): Country not supported"),
    Fault("404", failed(404), 69, 1, "no model 'gpt-6-luna' at 'http://127.0.0.1:"),
    Fault("404 of a path", failed(404, {"detail": "Not Found"}), 69, 1, "no chat API at 'http://127.0.0.1:"),
    Fault(
        "a wrong key in an array",
        failed(400, [{"error": {"code": 400, "message": "API key not valid."}}]),
        77,
        1,
        "was not accepted (400): API key not valid.",
    ),
    Fault("408", failed(408), 75, 2, "told to say 408.; it may have been billed"),
    Fault("409", failed(409), 75, 2, "told to say 409.; it may have been billed"),
    Fault("413", failed(413), 65, 1, "input too long (413)"),
    Fault("422", failed(422), 69, 1, "request not accepted (422)"),
    Fault("429", failed(429), 75, 4, "too many requests (429)"),
    Fault("slow down", failed(429, code="slow_down"), 75, 4, "too many requests (429)"),
    *(
        Fault(f"no credit: {code}", failed(429, code=code), 69, 1, "no credit (429)")
        for code in ("insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached")
    ),
    *(Fault(f"{n}", failed(n), 75, 4, f"server trouble ({n})") for n in (500, 502, 503, 504, 529)),
    Fault("an empty 502", failed(502, ""), 75, 4, "server trouble (502)"),
    Fault(
        "a page as 503",
        failed(503, "<title>\x1b]0;x\x07Down</title>" + "x" * 999),
        75,
        4,
        "(503): ␛]0;x␇Down",
    ),
    Fault("garbage as 500", failed(500, b"\xff\x00\x1b[2J" * 99), 75, 4, "server trouble (500): \ufffd␀␛[2J"),
    *(
        Fault(f"{n} to {to or 'nowhere'}", failed(n, "", headers={"Location": to}), 76, 1, "redirects to")
        for n, to in (
            (301, "/v2"),
            (302, "/v2"),
            (302, ""),
            (307, "/v1/chat/completions"),  # the same address: a loop
            (307, "http://elsewhere.invalid/"),
            (308, "https://127.0.0.1:9/v1"),
            (308, "file:///etc/passwd"),
        )
    ),
    Fault("wait longer than the budget", failed(429, headers={"Retry-After": "3600"}), 75, 1, "wait 3600 s"),
    Fault("wait longer, in ms", failed(503, headers={"retry-after-ms": "90000"}), 75, 1, "to wait 90 s"),
    Fault("wait longer, by date", dated(7200), 75, 1, "the server asks to wait 7"),
]

FINE = [
    Fault("whole", said(ANSWER), 0, 1, shown=ANSWER),
    *(
        Fault(f"finish {finish}", said(ANSWER, finish=finish), 0, 1, shown=ANSWER)
        for finish in ("eos_token", "STOP")
    ),
    Fault("a byte at a time", in_chunks(*(bytes([b]) for b in WHOLE), close()), 0, 1, shown=ANSWER),
    *(
        Fault(name, stream(spelled), 0, 1, shown=ANSWER)
        for name, spelled in (
            ("CRLF", WHOLE.replace(b"\n", b"\r\n")),
            ("CR", WHOLE.replace(b"\n", b"\r")),
            ("no space", WHOLE.replace(b"data: ", b"data:")),
            ("BOM", b"\xef\xbb\xbf" + WHOLE),
            ("several lines", WHOLE.replace(b',"delta', b',\ndata: "delta')),
            ("event lines", WHOLE.replace(b"data:", b"event: message\nid: 1\ndata:")),
            ("comments", WHOLE.replace(b"data:", b": hello\n\nevent: ping\ndata: {}\n\ndata:")),
        )
    ),
    Fault(
        "surrogates in two halves", stream(WHOLE.replace("🌍".encode(), rb"\ud83c\udf0d")), 0, 1, shown=ANSWER
    ),
    Fault(
        "half a surrogate",
        stream(WHOLE.replace("🌍".encode(), rb"\ud83c")),
        0,
        1,
        shown=ANSWER.replace("🌍", "\ufffd"),
    ),
    Fault("NUL", stream(WHOLE.replace("🌍".encode(), rb"\u0000")), 0, 1, shown=ANSWER.replace("🌍", "\0")),
    Fault("an object for a stream", whole(OBJECT, content_type="application/json"), 0, 1, shown=ANSWER),
    Fault("a stream for an object", stream(WHOLE), 0, 1, shown=ANSWER),
    Fault("gzip", packed("gzip", gzip.compress(WHOLE)), 0, 1, shown=ANSWER),
    Fault("deflate", packed("deflate", zlib.compress(WHOLE)), 0, 1, shown=ANSWER),
    Fault("no usage", said(ANSWER, usage=None), 0, 1, shown=ANSWER),
    Fault("odd usage", stream(WHOLE.replace(b'"choices"', b'"usage":"?","choices"')), 0, 1, shown=ANSWER),
    Fault(
        "an empty first chunk, twice the role, two choices, no index",
        stream(
            sse({"choices": []}),
            ROLE + ROLE,
            sse(chunk({"content": "other"}, index=1)),
            WHOLE.replace(b'"index":0,', b"").replace(b'"id":"chatcmpl-1",', b""),
        ),
        0,
        1,
        shown=ANSWER,
    ),
    *(
        Fault(key, said(ANSWER, reasoning="hm 思", reasoning_key=key), 0, 1, shown=ANSWER)
        for key in ("reasoning_content", "reasoning")
    ),
    Fault("thoughts in the answer", said(f"<think>hm 思</think>\n\n{ANSWER}"), 0, 1, shown=ANSWER),
]

FAULTS = [*BEFORE, *CUT, *BROKEN, *ENDED, *STATUSES, *FINE]
