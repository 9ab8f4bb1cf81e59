"""Standard input of every kind, with real descriptors: what is read, what is waited for, what is not."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import NO_INPUT, SAY, body, failure, prompt, settings
from fake.program import COMMAND, AsProcess, OnTerminal, Surroundings
from fake.server import FakeServer
from fake.waiting import SILENCE
from processes import ended, redirected, started, wait_taken

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
OK = (0, "Hi\n", "")
SILENT = "gptkit: standard input was silent for 0.05 s and is not read (--stdin waits for it)\n"


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    """What is written comes in time, however long the program and the test take to get there."""
    prompt(home)
    settings(home, f"stdin_wait: {SILENCE}\n")


@pytest.fixture
def impatient(home: Path) -> None:
    settings(home, "stdin_wait: 0.05\n")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test did


@pytest.mark.parametrize(
    ("redirection", "args", "result", "user"),
    [
        ("< text", [], OK, "text\r\n"),
        ("< text", ["words"], OK, "words\n\ntext\r\n"),
        ("< text", ["-f", "other"], OK, "other"),
        ("< /dev/null", ["words"], OK, "words"),
        ("<&-", ["words"], OK, "words"),
        ("0> out", ["words", "-f", "other"], OK, "words\n\nother"),
        ("< /dev/null", [], (66, "", failure("no input: nothing in standard input")), None),
        ("< /dev/null", ["words", "-"], (66, "", failure("no input: nothing in standard input")), None),
        ("<&-", [], (66, "", NO_INPUT), None),
        ("<&-", ["-"], (66, "", failure("no input: nothing in standard input")), None),
        ("0> out", [], (74, "", failure("standard input: bad file descriptor")), None),
    ],
)
def test_what_a_shell_redirects(
    run: AsProcess,
    server: FakeServer,
    folder: Path,
    redirection: str,
    args: list[str],
    result: tuple[int, str, str],
    user: str | None,
) -> None:
    (folder / "text").write_bytes(b"text\r\n")
    (folder / "other").write_text("other")
    if user is not None:
        server.say("Hi")
    assert redirected(run, redirection, "say", *args) == result
    assert [request.json for request in server.requests] == ([] if user is None else [body(user)])


def test_a_pipe_is_read_to_its_end(run: AsProcess, server: FakeServer) -> None:
    text = "第一行\r\n" + "x" * 3_000_000
    server.say("Hi", times=2)
    assert run("say", stdin=text) == OK
    assert run("say", "shorten it", stdin="text") == OK
    assert [request.json for request in server.requests] == [body(text), body("shorten it\n\ntext")]


def test_a_slow_writer_is_waited_for(around: Surroundings, server: FakeServer, pipe: tuple[int, int]) -> None:
    server.say("Hi")
    reading, writing = pipe
    process = started(around, "say", stdin=reading)
    for piece in ("早".encode()[:1], "早".encode()[1:], b"\n"):
        os.write(writing, piece)
        wait_taken(writing)
    assert process.poll() is None
    os.close(writing)
    assert ended(process) == OK
    assert server.request.json == body("早\n")


@pytest.mark.usefixtures("impatient")
def test_an_idle_pipe_does_not_hold_up_who_has_words(
    around: Surroundings, server: FakeServer, pipe: tuple[int, int]
) -> None:
    server.say("Hi", times=2)
    assert ended(started(around, "say", "words", stdin=pipe[0])) == (0, "Hi\n", SILENT)
    assert ended(started(around, "say", "words", "--quiet", stdin=pipe[0])) == OK
    assert [request.json for request in server.requests] == [body("words")] * 2


@pytest.mark.usefixtures("impatient")
def test_an_idle_pipe_does_not_hold_up_who_has_a_file(
    around: Surroundings, server: FakeServer, pipe: tuple[int, int]
) -> None:
    (around.folder / "file").write_text("text")
    server.say("Hi", times=2)
    assert ended(started(around, "say", "-f", "file", stdin=pipe[0])) == OK
    assert ended(started(around, "say", "words", "-f", "file", stdin=pipe[0])) == OK
    assert [request.json for request in server.requests] == [body("text"), body("words\n\ntext")]


@pytest.mark.usefixtures("impatient")
def test_an_idle_pipe_does_not_hold_up_who_needs_no_input(
    around: Surroundings, server: FakeServer, home: Path, pipe: tuple[int, int]
) -> None:
    prompt(home, SAY + "input: optional\narguments: {who: {}, text: {}}\nuser: '{{ who }}|{{ text }}'\n")
    server.say("Hi")
    assert ended(started(around, "say", "Marta", stdin=pipe[0])) == (0, "Hi\n", SILENT)
    prompt(home, SAY + "input: none\nuser: hello\n")
    server.say("Hi")
    assert ended(started(around, "say", stdin=pipe[0])) == OK
    assert [request.user for request in server.requests] == ["Marta|", "hello"]


@pytest.mark.parametrize("args", [["words", "-"], ["words", "--stdin"], ["-f", "-", "words"]])
def test_a_pipe_that_was_asked_for_is_waited_for(
    around: Surroundings, server: FakeServer, pipe: tuple[int, int], args: list[str]
) -> None:
    server.say("Hi")
    reading, writing = pipe
    process = started(around, "say", *args, stdin=reading)
    os.write(writing, b"te")
    wait_taken(writing)
    os.write(writing, b"xt")
    os.close(writing)
    assert ended(process) == OK
    assert server.request.json == body("words\n\ntext")


def test_a_pipe_that_does_not_block_is_read_whole(
    around: Surroundings, server: FakeServer, pipe: tuple[int, int]
) -> None:
    server.say("Hi")
    reading, writing = pipe
    os.set_blocking(reading, False)
    process = started(around, "say", stdin=reading)
    for _ in range(3):
        os.write(writing, b"0123456789" * 1000)
        wait_taken(writing)
    os.close(writing)
    assert ended(process) == OK
    assert server.request.json == body("0123456789" * 3000)


def test_a_socket_and_a_named_pipe_are_pipes(around: Surroundings, server: FakeServer) -> None:
    server.say("Hi", times=2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = started(around, "say", "words", stdin=theirs.fileno())
        ours.sendall(b"text")
        ours.shutdown(socket.SHUT_WR)
        assert ended(process) == OK
    named = around.folder / "named"
    os.mkfifo(named)
    with named.open("r+b", buffering=0) as both_ends:
        process = started(around, "say", "words", "-f", "named")
        both_ends.write(b"text")
        wait_taken(both_ends.fileno())
    assert ended(process) == OK
    assert [request.json for request in server.requests] == [body("words\n\ntext")] * 2


def test_a_descriptor_that_a_shell_makes_is_a_file(run: AsProcess, server: FakeServer) -> None:
    server.say("Hi")
    command = ("bash", "-c", '"$@" -f <(echo one) -f <(echo two)', "bash", *COMMAND)
    assert run("say", "join", command=command) == OK
    assert server.request.json == body("join\n\none\ntwo\n")


def test_arguments_come_in_the_bytes_of_the_shell(run: AsProcess, server: FakeServer) -> None:
    server.say("Hi", times=3)
    assert run("say", "你好", env={"LC_ALL": "C"}) == OK
    assert run("say", "你好", env={"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}) == OK
    argument = os.fsdecode("你好".encode("gb18030"))
    assert run("say", argument, "--encoding", "gbk") == OK
    result = run("say", os.fsdecode(b"\xc4\xe3"))
    assert (result.code, result.stdout) == (65, "")
    assert result.stderr.startswith("gptkit: an argument: not UTF-8")
    assert [request.json for request in server.requests] == [body("你好")] * 3


def test_a_terminal_is_not_read_unasked(screen: OnTerminal, server: FakeServer) -> None:
    shown = screen("say")
    assert shown.wait_exit() == 66
    assert shown.text == NO_INPUT.strip()
    assert server.requests == []


def test_a_terminal_is_read_to_its_end_where_it_was_asked_for(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Hi")
    shown = screen("say", "shorten it", "-")
    shown.send("世界\r")
    shown.wait_for("世界")
    shown.send("\x04")
    assert shown.wait_exit() == 0
    assert server.request.json == body("shorten it\n\n世界\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_reading_can_be_stopped(
    around: Surroundings, server: FakeServer, pipe: tuple[int, int], number: signal.Signals
) -> None:
    reading, writing = pipe
    process = started(around, "say", stdin=reading)
    os.write(writing, b"text")
    wait_taken(writing)
    process.send_signal(number)
    assert ended(process) == (128 + number, "", "")
    assert server.requests == []


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="not known yet")
def test_what_the_interpreter_itself_refuses_is_not_a_success(run: AsProcess, server: FakeServer) -> None:
    """Python ends before any line of ours where standard input is a folder."""
    code, output, _ = redirected(run, "< /", "say", "words")
    assert (code != 0, output) == (True, "")
    assert server.requests == []
