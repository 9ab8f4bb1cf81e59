"""What a model thinks: shown where it is asked for, apart from the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake.program import InMemory, OnTerminal
from fake.server import FakeServer
from fake.wire import chunk, chunked, done, sse, stream_head

from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta
from gptkit.output.sinks import PlainSink, ReasoningSink

DONE = sse(chunk({}, finish="stop")) + done()


def thinking(server: FakeServer, *pieces: dict[str, str]) -> None:
    server.raw([stream_head(), *(chunked(sse(chunk(piece))) for piece in pieces), chunked(DONE, last=True)])


@pytest.mark.parametrize(
    ("events", "written"),
    [
        ([ReasoningDelta("a "), ReasoningDelta("b"), AnswerDelta("c")], "<a ><b>\nc\n"),
        ([ReasoningDelta("a\x1b[2J"), AnswerDelta("c")], "<a␛[2J>\nc\n"),
        ([AnswerDelta("c"), ReasoningDelta("a"), AnswerDelta("d")], "c\n<a>\nd\n"),
        ([ReasoningDelta("a")], "<a>\n"),
        ([ReasoningDelta(""), AnswerDelta("c"), Finished("stop")], "c\n"),
    ],
)
def test_thoughts_stand_on_lines_of_their_own(events: list[Event], written: str) -> None:
    out: list[str] = []
    sink = ReasoningSink(PlainSink(out.append), out.append, True, True)
    for event in events:
        sink(event)
    sink.close()
    assert "".join(out).replace("\x1b[2m", "<").replace("\x1b[22m", ">") == written


@pytest.mark.parametrize("options", [(), ("--no-stream",), ("--json",)])
def test_they_go_to_standard_error_and_nowhere_else(
    gptkit: InMemory, server: FakeServer, home: Path, options: tuple[str, ...]
) -> None:
    for wanted in (("--reasoning",), ()):
        thinking(
            server, {"reasoning_content": "Let me "}, {"reasoning_content": "see."}, {"content": "Four."}
        )
        code, output, errors = gptkit("ask", "2+2?", *options, *wanted)
        answer = json.loads(output)["answer"] if "--json" in options else output.rstrip("\n")
        assert (code, answer, errors) == (0, "Four.", "Let me see.\n" if wanted else "")
        assert "Let me" not in output
    _, output, _ = gptkit("history", "export")
    assert "Let me" not in output
    assert output.count('"answer":"Four."') == 2


def test_the_loop_shows_them_dim_on_request_and_never_sends_them_back(
    screen: OnTerminal, server: FakeServer
) -> None:
    for answer in ("Four.", "Five.", "Six."):
        thinking(server, {"content": f"<think>thought of {answer}</think>"}, {"content": answer})
    running = screen("chat")
    for typed, shown in (
        ("2+2?", "Four."),
        ("/reasoning", "are shown"),
        ("2+3?", "Five."),
        ("/reasoning", "are not shown"),
    ):
        running.wait_until(lambda s: s.lines[s.cursor[1]] == ">", "no prompt")
        running.send(f"{typed}\r")
        running.wait_for(shown)
    running.wait_until(lambda s: s.lines[s.cursor[1]] == ">", "no prompt")
    running.send("3+3?\r")
    running.wait_for("Six.")
    assert [line for line in running.lines if "thought of" in line] == ["thought of Five."]
    running.wait_until(lambda s: s.lines[s.cursor[1]] == ">", "no prompt")
    running.send("\x04")
    assert running.wait_exit() == 0
    sent: list[Any] = [request.json["messages"] for request in server.requests]
    assert "thought" not in json.dumps(sent)
