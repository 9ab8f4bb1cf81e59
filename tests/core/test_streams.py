"""Standard output and error of the process: pieces at once, readers that leave, streams that fail."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import NO_INPUT, body, failure, prompt
from fake.connection import Step, hang, until
from fake.program import COMMAND, AsProcess, Surroundings
from fake.replies import Reply
from fake.server import FakeServer
from fake.wire import chunk, chunked, done, last_chunk, sse, stream_head
from processes import ended, first_bytes, redirected, started

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
CLOSED = (73, "", failure("standard output: it is closed"))
FULL = (73, "", failure("standard output: no space left"))


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


@pytest.fixture
def nobody() -> Iterator[int]:
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def piece(text: str) -> bytes:
    return chunked(sse(chunk({"content": text})))


def whole_end() -> list[Step]:
    return [chunked(sse(chunk({}, finish="stop"))), chunked(done()), last_chunk()]


def test_each_piece_is_written_before_the_next_is_sent(around: Surroundings, server: FakeServer) -> None:
    shown = [threading.Event(), threading.Event()]
    server.raw(
        [
            stream_head(),
            piece("一 "),
            until(shown[0]),
            piece("二 "),
            until(shown[1]),
            piece("三"),
            *whole_end(),
        ]
    )
    process = started(around, "say", "x")
    for text, event in zip(("一 ", "二 "), shown, strict=True):
        assert first_bytes(process, len(text.encode())) == text.encode()
        event.set()
    assert ended(process) == (0, "三\n", "")


@pytest.mark.parametrize("args", [["--no-stream"], ["--json"], ["-o", "out"]])
def test_what_is_wanted_whole_is_not_written_in_pieces(
    around: Surroundings, server: FakeServer, args: list[str]
) -> None:
    server.say("a b c", gap=0.01)
    code, output, errors = ended(started(around, "say", "x", *args))
    answer = (around.folder / "out").read_text() if "-o" in args else output
    answer = json.loads(answer)["answer"] + "\n" if "--json" in args else answer
    assert (code, answer, errors) == (0, "a b c\n", "")


@pytest.mark.parametrize(
    "args",
    [
        ["say", "x"],
        ["say", "x", "--raw"],
        ["say", "x", "--no-stream"],
        ["say", "x", "--json"],
        ["say", "x", "--response"],
        ["code", "x"],
    ],
)
def test_a_reader_that_has_left_ends_an_answer_silently(
    around: Surroundings, server: FakeServer, nobody: int, args: list[str]
) -> None:
    server.say("```\ncode\n```\n")
    assert ended(started(around, *args, stdout=nobody)) == (141, "", "")


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["say", "--help"],
        ["--version"],
        ["say", "x", "--dry-run"],
        ["prompts", "list"],
        ["config", "list"],
    ],
)
def test_a_reader_that_has_left_ends_all_else_silently(
    around: Surroundings, nobody: int, args: list[str]
) -> None:
    assert ended(started(around, *args, stdout=nobody)) == (141, "", "")


def test_a_reader_that_leaves_ends_the_request(run: AsProcess, server: FakeServer) -> None:
    def endless() -> Iterator[Step]:
        yield stream_head()
        for start in itertools.count(0, 1000):
            yield piece("".join(f"line {number}\n" for number in range(start, start + 1000)))

    server.queue(Reply("endless", lambda _: endless()))
    shell = ("bash", "-c", '"$@" | head -n 1; exit "${PIPESTATUS[0]}"', "bash", *COMMAND)
    assert run("say", "x", command=shell) == (141, "line 0\n", "")
    assert server.connections[0].wait_closed()


def test_a_slow_reader_gets_everything(around: Surroundings, server: FakeServer) -> None:
    text = "".join(f"{number:010} 世界 " for number in range(400_000))
    server.say(text, pieces=5)
    process = started(around, "say", "x")
    server.wait_requests()
    assert ended(process) == (0, text + "\n", "")


def test_a_reader_s_pipe_that_does_not_block_gets_everything(
    around: Surroundings, server: FakeServer
) -> None:
    text = "".join(f"{number:010} " for number in range(100_000))
    server.say(text, pieces=2)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = started(around, "say", "x", stdout=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        output = pipe.read()
    assert ended(process) == (0, "", "")
    assert output.decode() == text + "\n"


@pytest.mark.parametrize(
    ("redirection", "args", "result"),
    [
        (">&-", ["say", "x"], CLOSED),
        (">&-", ["say", "x", "--json"], None),
        (">&-", ["code", "x"], CLOSED),
        (">&-", ["say", "x", "--dry-run"], CLOSED),
        (">&-", ["--help"], CLOSED),
        (">&-", ["--version"], CLOSED),
        ("> /dev/full", ["say", "x", "--dry-run"], FULL),
        ("> /dev/full", ["--help"], FULL),
        ("> /dev/full", ["--version"], FULL),
        ("> /dev/full", ["prompts", "list"], FULL),
    ],
)
def test_a_stream_that_cannot_be_written_costs_nothing(
    run: AsProcess, server: FakeServer, redirection: str, args: list[str], result: tuple[int, str, str] | None
) -> None:
    found = redirected(run, redirection, *args)
    assert found == (result or found)
    assert found[0] == 73
    assert server.requests == []


@pytest.mark.parametrize(
    "args", [["say", "x"], ["say", "x", "--no-stream"], ["say", "x", "--json"], ["code", "x"]]
)
def test_a_full_disk_is_a_failure(run: AsProcess, server: FakeServer, args: list[str]) -> None:
    server.say("```\ncode\n```\n")
    code, output, errors = redirected(run, "> /dev/full", *args)
    assert (code, output, errors.splitlines()[0] + "\n") == FULL


def test_a_file_does_not_need_standard_output(run: AsProcess, server: FakeServer, folder: Path) -> None:
    server.say("Hi", times=2)
    assert redirected(run, ">&-", "say", "x", "-o", "out") == (0, "", "")
    assert redirected(run, "<&- >&- 2>&-", "say", "x", "-o", "all") == (0, "", "")
    assert [(folder / name).read_text() for name in ("out", "all")] == ["Hi\n", "Hi\n"]


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full", "2> /dev/null"])
def test_notes_may_be_lost_and_nothing_else(run: AsProcess, server: FakeServer, redirection: str) -> None:
    server.say("Hi", times=2)
    server.fail(401)
    assert redirected(run, redirection, "say", "x") == (0, "Hi\n", "")
    assert redirected(run, redirection, "say", "x", "-v") == (0, "Hi\n", "")
    assert redirected(run, redirection, "say", "x") == (77, "", "")
    assert redirected(run, redirection, "say") == (66, "", "")
    assert [request.user for request in server.requests] == ["x"] * 3


def test_a_reader_of_notes_that_has_left_costs_nothing(
    around: Surroundings, server: FakeServer, nobody: int
) -> None:
    server.say("Hi")
    assert ended(started(around, "say", "x", "-v", stderr=nobody)) == (0, "Hi\n", "")
    assert ended(started(around, "say", stderr=nobody)) == (66, "", "")


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "zh_CN.GBK", "LANG": "zh_CN.GBK"},
    ],
)
def test_output_is_utf_8_whatever_the_locale(run: AsProcess, server: FakeServer, env: dict[str, str]) -> None:
    server.say("世界 é\n")
    assert run("say", "-v", stdin="你好", env=env)[:2] == (0, "世界 é\n")
    assert server.request.json == body("你好", stream_options={"include_usage": True})
    assert run("say", "-f", "没有", env=env) == (66, "", failure("'没有': no such file"))


def test_the_program_leaves_no_one_waiting(around: Surroundings, server: FakeServer) -> None:
    """The answer is whole once its end was announced: a connection that stays open holds up nobody."""
    server.raw([stream_head(), piece("Hi"), *whole_end(), hang()])
    assert ended(started(around, "say", "x")) == (0, "Hi\n", "")
    assert server.connections[0].wait_closed()


def test_failures_go_to_standard_error_alone(run: AsProcess) -> None:
    assert run("say", stdin="") == (66, "", failure("no input: nothing in standard input"))
    assert redirected(run, "<&- 2>&1", "say") == (66, NO_INPUT, "")
