"""Answers without end and bombs: the program stops at its caps, at a bounded cost in memory and time."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pytest
from asking import settings
from fake.connection import Step, hang
from fake.program import AsProcess
from fake.replies import Reply, scripted
from fake.server import FakeServer
from fake.wire import chunk, chunked, http_head, response, sse, stream_head
from fault_costs import measured
from faults import bomb

MEMORY = 256
TIME, LONG_TIME = 5, 30
"""Seconds of processor time for a bomb, and for tens of megabytes that do come over the wire."""
MEBIBYTE = 2**20
EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"'
SMALL = sse(chunk({"content": "世界 hello "})) * 4000

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")


def endless(*start: bytes, unit: bytes, count: int) -> Reply:
    steps: Iterable[Step] = [stream_head(), *(chunked(piece) for piece in start), *[chunked(unit)] * count]
    return scripted([*steps, hang()])


def exploding(unit: bytes = b"\n", head: bytes = b"", status: int = 200) -> Reply:
    headers = {"Content-Encoding": "gzip", "Connection": "close"}
    return scripted([response(status, bomb(1024, unit, head), headers, content_type="text/event-stream")])


HOSTILE: dict[str, tuple[Reply, int, str]] = {
    "bomb of blank lines": (exploding(), 76, "larger than 64 MiB"),
    "bomb of one event": (exploding(b"x", EVENT.encode()), 76, "larger than 8 MiB"),
    "bomb of one object": (exploding(b" ", b'{"a":"'), 76, "larger than 64 MiB"),
    "bomb of comments": (exploding(b": hello\n"), 76, "larger than 64 MiB"),
    "bomb of brackets": (exploding(b"[" * 16, b""), 76, "larger than 64 MiB"),
    "bomb of an error": (exploding(b"x", status=400), 69, "request not accepted (400)"),
    "endless line": (endless(b"data: ", unit=b"x" * MEBIBYTE, count=12), 76, "larger than 8 MiB"),
    "endless lines of one event": (
        endless(unit=b"data: xxxxxx\n" * 80_000, count=40),
        76,
        "larger than 8 MiB",
    ),
    "endless empty lines of one event": (endless(unit=b"data:\n" * 180_000, count=80), 76, "larger than"),
    "endless comments": (endless(unit=b": ping\n\n" * 130_000, count=80), 76, "larger than 64 MiB"),
    "endless small deltas": (endless(unit=SMALL, count=80), 80, "larger than 64 MiB"),
    "endless large deltas": (
        endless(unit=sse(chunk({"content": "y" * MEBIBYTE})), count=80),
        80,
        "larger than 64 MiB",
    ),
    "endless wide deltas": (
        endless(unit=sse(chunk({"content": "世界" * 170_000})), count=80),
        80,
        "larger than 64 MiB",
    ),
    "endless head": (
        scripted([http_head(200)[:-2] + b"X: " + b"y" * MEBIBYTE, hang()]),
        76,
        "does not speak HTTP",
    ),
    "endless error": (
        scripted([http_head(400, {"Content-Type": "text/plain"}), *[b"x" * MEBIBYTE] * 20, hang()]),
        69,
        "request not accepted (400)",
    ),
}


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["ask", "json"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_cap_holds(
    server: FakeServer,
    run: AsProcess,
    name: str,
    options: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    reply, code, says = HOSTILE[name]
    settings(run.around.home, "attempts: 1\n")
    server.say("ok")
    ordinary = measured(run, "ask", "hi", *options)
    assert ordinary.code == 0
    server.answer(lambda _request: reply)
    cost = measured(run, "ask", "hi", "--accept", *options)  # else a model that repeats itself ends first
    memory, time = cost.mebibytes - ordinary.mebibytes, cost.seconds - ordinary.seconds
    with capsys.disabled():
        print(f"\n{name} {' '.join(options)}: exit {cost.code}, {memory:.0f} MiB and {time:.1f} s more")
    assert cost.code == code, cost.errors
    assert says in cost.errors
    assert "Traceback" not in cost.errors
    assert len(cost.errors.splitlines()) <= 2
    assert memory < MEMORY
    assert time < (TIME if "bomb" in name else LONG_TIME)
