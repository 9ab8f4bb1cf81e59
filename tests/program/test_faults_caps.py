"""A small answer that unpacks to a gigabyte costs the program neither memory nor time."""

from __future__ import annotations

import sys

import pytest
from fake.program import AsProcess
from fake.server import FakeServer
from fake.wire import response
from fault_costs import measured
from faults import bomb

MEMORY = 256
SMALL, LARGE = 80, 1024
"""Mebibytes that a bomb unpacks to: both are more than the program takes."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
@pytest.mark.parametrize("head", [b"", b'{"a":"'], ids=["events", "object"])
def test_a_bomb_is_let_go(server: FakeServer, run: AsProcess, head: bytes) -> None:
    server.say("ok")
    ordinary = measured(run, "ask", "hi")
    assert (ordinary.code, ordinary.output) == (0, b"ok\n")
    assert len(bomb(LARGE, head=head)) < 2 * 2**20

    def seconds(size: int) -> float:
        headers = {"Content-Encoding": "gzip", "Connection": "close"}
        server.raw([response(200, bomb(size, head=head), headers, content_type="text/event-stream")])
        cost = measured(run, "ask", "hi")
        assert (cost.code, cost.output) == (76, b"")
        assert cost.errors == "gptkit: the answer is larger than 64 MiB\n"
        assert cost.mebibytes - ordinary.mebibytes < MEMORY
        return cost.seconds

    small, large = [seconds(SMALL)], [seconds(LARGE)]
    while min(large) > 2.5 * min(small) and len(small) < 4:  # another program may have made a try dearer
        small.append(seconds(SMALL))
        large.append(seconds(LARGE))
    assert min(large) <= 2.5 * min(small), "what is not taken is unpacked all the same"
