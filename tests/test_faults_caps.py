"""A small answer that unpacks to a gigabyte costs the program neither memory nor time."""

from __future__ import annotations

import sys

import pytest
from fake.program import AsProcess
from fake.server import FakeServer
from fake.wire import response
from fault_costs import measured
from faults import bomb

MEMORY, TIME = 256, 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
@pytest.mark.parametrize("head", [b"", b'{"a":"'], ids=["events", "object"])
def test_a_bomb_is_let_go(server: FakeServer, run: AsProcess, head: bytes) -> None:
    server.say("ok")
    ordinary = measured(run, "ask", "hi")
    assert (ordinary.code, ordinary.output) == (0, b"ok\n")
    packed = bomb(1024, head=head)
    assert len(packed) < 2 * 2**20
    headers = {"Content-Encoding": "gzip", "Connection": "close"}
    server.raw([response(200, packed, headers, content_type="text/event-stream")])
    cost = measured(run, "ask", "hi")
    assert (cost.code, cost.output) == (76, b"")
    assert cost.errors == "gptkit: the answer is larger than 64 MiB\n"
    assert cost.mebibytes - ordinary.mebibytes < MEMORY
    assert cost.seconds - ordinary.seconds < TIME
