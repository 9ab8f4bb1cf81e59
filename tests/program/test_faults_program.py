"""Every fault of a server, through the whole program: exit code, requests, message, and what is left."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from asking import settings
from fake.program import Result, Surroundings
from fake.replies import Reply, failed
from fake.server import FakeServer
from faults import ANSWER, FAULTS, Fault, dated

from gptkit.__main__ import main
from gptkit.core.terminal import memory_terminal

CANARY = "sk-canary-0123456789"
every_fault = pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])


def ran(around: Surroundings, *args: str) -> tuple[Result, list[float]]:
    """What the program did, and how long it would have waited between its requests."""
    pauses: list[float] = []
    terminal = memory_terminal(environ=around.environ(None, CANARY))
    terminal.sleep = pauses.append
    code = main(list(args), terminal)
    return Result(code, terminal.output, terminal.errors), pauses


def served(
    server: FakeServer, around: Surroundings, fault: Fault, *args: str, buffered: bool = False
) -> Result:
    """Run against the fault; the fake server fails the test for a request more or less than expected."""
    if fault.settings:
        settings(around.home, fault.settings)
    count = fault.buffered if buffered and fault.buffered is not None else fault.requests
    server.queue(fault.reply, times=count)
    result, _ = ran(around, *args)
    assert result.code == fault.code, result.stderr
    assert len(server.requests) == count
    assert CANARY not in result.stdout + result.stderr
    return result


def told(result: Result, fault: Fault) -> None:
    """At most two lines, the first with the cause; nothing at all for a success."""
    if fault.code == 0:
        assert result.stderr == ""
        return
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= 2, result.stderr
    assert lines[0].startswith("gptkit: ")
    assert fault.says in lines[0]
    assert len(lines[0]) < 500
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


@every_fault
@pytest.mark.parametrize("options", [(), ("--no-stream",)], ids=["stream", "no-stream"])
def test_ask(server: FakeServer, around: Surroundings, fault: Fault, options: tuple[str, ...]) -> None:
    result = served(server, around, fault, "ask", "hi", *options)
    told(result, fault)
    assert result.stdout == fault.shown


@every_fault
def test_translate(server: FakeServer, around: Surroundings, fault: Fault) -> None:
    """Nothing of an answer that is not whole reaches the program that reads it."""
    result = served(server, around, fault, "translate", "--as", "text", ANSWER.strip(), buffered=True)
    told(result, fault)
    assert result.stdout == ("" if fault.code else fault.shown)


@every_fault
def test_code(server: FakeServer, around: Surroundings, fault: Fault) -> None:
    """What is no whole program never reaches the file that the shell has opened for it."""
    result = served(server, around, fault, "code", "hi", buffered=True)
    told(result, fault)
    program = fault.shown.removeprefix("```python\n").removesuffix("```\n")
    assert result.stdout == ("" if fault.code else program)


@every_fault
def test_json(server: FakeServer, around: Surroundings, fault: Fault) -> None:
    result = served(server, around, fault, "ask", "hi", "--json", buffered=True)
    told(result, fault)
    if fault.code:
        record: dict[str, Any] = json.loads(result.stderr.splitlines()[-1])
        names = ("code", "kind", "message", "retryable", "attempts", "partial", "request_id")
        assert tuple(record) == names
        assert record["code"] == fault.code
        assert record["retryable"] is (fault.code == 75)
        assert record["attempts"] == len(server.requests)
        assert record["partial"] is bool(fault.shown)
        assert fault.says in record["message"]
    answer = json.loads(result.stdout)["answer"] if result.stdout else ""
    assert answer == fault.shown


@pytest.mark.parametrize(
    ("reply", "least", "most"),
    [
        (failed(429, headers={"Retry-After": "7"}), 7, 7),
        (failed(503, headers={"Retry-After": "0.9"}), 0.9, 0.9),
        (failed(429, headers={"retry-after-ms": "1250", "Retry-After": "9"}), 1.25, 1.25),
        (dated(12), 10, 12),
    ],
    ids=["seconds", "fraction", "milliseconds", "date"],
)
@pytest.mark.parametrize("options", [(), ("--no-stream",), ("--json",)])
def test_the_server_is_given_the_time_that_it_asks_for(
    server: FakeServer,
    around: Surroundings,
    reply: Reply,
    least: float,
    most: float,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)  # none of it passes on the way
    server.queue(reply)
    server.say(ANSWER)
    result, (pause,) = ran(around, "ask", "hi", *options)
    assert (result.code, result.stderr) == (0, "")
    assert least <= pause <= most


def test_the_names_of_the_faults_are_unique() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
