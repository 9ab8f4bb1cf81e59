"""The exit code of a failure, and its one line, whether a person or a program reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import body, failure, prompt, settings
from fake.program import InMemory, OnTerminal, Result, Surroundings
from fake.replies import Reply, failed, said, scripted
from fake.server import FakeServer
from fake.wire import chunk, chunked, done, last_chunk, sse, stream_head

from gptkit.__main__ import main
from gptkit.core.terminal import memory_terminal
from gptkit.settings.schema import DEFAULT_MODEL

KEY_HINT = "correct OPENAI_API_KEY: it comes before what 'gptkit keys set' stores"
CUT_HINT = "raise --max-tokens, or choose a model with a larger limit"
QUOTA = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
Patient = Callable[..., tuple[Result, list[float]]]
WIDE = 200
"""Columns for which no message is broken."""
both = pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


@pytest.fixture
def patient(around: Surroundings) -> Patient:
    """The program, and how long it would have slept between its tries."""

    def run(*args: str, tty: bool = False) -> tuple[Result, list[float]]:
        terminal = memory_terminal(environ=around.environ(None, "sk-test"), terminal=tty, width=WIDE)
        pauses: list[float] = []
        terminal.sleep = pauses.append
        code = main(list(args), terminal)
        return Result(code, terminal.output, terminal.errors), pauses

    return run


def streamed(*events: bytes) -> Reply:
    """A stream that ends in good order after these events."""
    return scripted([stream_head(), *(chunked(event) for event in events), last_chunk()])


FOR_GOOD: list[tuple[Reply, int, str, str]] = [
    (failed(400, message="bad"), 69, "request not accepted (400): bad", ""),
    (
        failed(401, message="bad key"),
        77,
        "the key in OPENAI_API_KEY was not accepted (401): bad key",
        KEY_HINT,
    ),
    (failed(402, message="pay"), 69, "no credit (402): pay", ""),
    (failed(403, message="not here"), 77, "not allowed (403): not here", ""),
    (
        failed(404, message="gone"),
        69,
        f"no model '{DEFAULT_MODEL}' at 'URL' (404): gone",
        "'gptkit models' lists what is there",
    ),
    (failed(422, message="odd"), 69, "request not accepted (422): odd", ""),
    (failed(429, QUOTA), 69, "no credit (429): You exceeded your current quota.", ""),
    (said("", refusal="I must not."), 81, "the model refused: 'I must not.'", ""),
    (said("", finish="content_filter"), 81, "the provider's content filter stopped the answer", ""),
    (said("", finish="length"), 80, "the token limit was reached before any answer", CUT_HINT),
    (failed(307, b"", headers={"Location": "http://elsewhere.invalid/"}), 76, "REDIRECT", "NOTHING"),
]


@both
@pytest.mark.parametrize(("reply", "code", "message", "hint"), FOR_GOOD)
def test_no_for_good(
    gptkit: InMemory, server: FakeServer, reply: Reply, code: int, message: str, hint: str, tty: bool
) -> None:
    if message == "REDIRECT":
        message = "'http://127.0.0.1' redirects to 'http://elsewhere.invalid' (307)"
        hint = "nothing was sent there; set the base URL to the final address if you trust it"
    server.queue(reply)
    result = gptkit("say", "x", tty=tty, width=WIDE)
    assert result == (code, "", failure(message.replace("URL", server.url), hint))
    assert [request.json for request in server.requests] == [body("x")]


# A limit that was reached ends the text as its last line; a connection that broke leaves it as it is.
PARTLY = [
    (said("half", finish="length"), "half", 80, failure("answer cut at the token limit", CUT_HINT)),
    (
        said("half", finish="content_filter"),
        "half",
        81,
        failure("the provider's content filter stopped the answer"),
    ),
    (said("half", finish="odd"), "half", 80, failure("answer may not be whole: finish reason 'odd'")),
    (
        streamed(sse(chunk({"content": "half"})), done()),
        "half",
        80,
        failure("answer cut short: the server never said that it is whole"),
    ),
    (
        streamed(sse(chunk({"content": "half"}))),
        "half",
        80,
        failure("answer cut short: the server never said that it is whole"),
    ),
    (
        streamed(sse(chunk({"content": "half"})), sse({"error": {"message": "overloaded"}})),
        "half",
        80,
        failure("answer cut short: the server stopped with an error: overloaded"),
    ),
    (
        scripted([stream_head(), chunked(sse(chunk({"content": "half"})))]),
        "half",
        80,
        failure("answer cut short: connection closed"),
    ),
]


@pytest.mark.parametrize(("reply", "output", "code", "errors"), PARTLY)
def test_part_of_an_answer_is_shown_and_is_no_success(
    gptkit: InMemory, server: FakeServer, reply: Reply, output: str, code: int, errors: str
) -> None:
    server.queue(reply)
    assert gptkit("say", "x") == (code, output, errors)
    server.queue(reply)
    shown = gptkit("say", "x", tty=True)
    assert (shown.code, "half" in shown.stdout, shown.stderr) == (code, True, errors)


TROUBLE: list[tuple[Reply, int, str]] = [
    (failed(429, message="slow down"), 4, "too many requests (429): slow down"),
    (failed(500, message="oops"), 4, "server trouble (500): oops"),
    (failed(503, "<html><title>Busy</title></html>"), 4, "server trouble (503): Busy"),
    (failed(529, b""), 4, "server trouble (529)"),
    (failed(408, message="late"), 2, "the server gave up waiting (408): late; it may have been billed"),
    (failed(409, message="lock"), 2, "conflict at the server (409): lock; it may have been billed"),
]


@both
@pytest.mark.parametrize(("reply", "tries", "message"), TROUBLE)
def test_trouble_is_tried_again(
    patient: Patient, server: FakeServer, reply: Reply, tries: int, message: str, tty: bool
) -> None:
    server.queue(reply, times=tries)
    result, pauses = patient("say", "x", tty=tty)
    assert result == (75, "", failure(f"{message} (tried {tries} times)"))
    assert [request.json for request in server.requests] == [body("x")] * tries
    assert len(pauses) == tries - 1
    assert all(0 <= pause <= 0.5 * 2**number for number, pause in enumerate(pauses))


def test_an_answer_after_trouble_is_a_success(patient: Patient, server: FakeServer) -> None:
    server.fail(500, message="oops")
    server.fail(429, headers={"Retry-After": "7"})
    server.say("Hi")
    result, pauses = patient("say", "x")
    assert result == (0, "Hi\n", "")
    assert (len(pauses), pauses[1]) == (2, 7.0)


def test_trouble_is_told_to_who_asks(patient: Patient, server: FakeServer) -> None:
    server.fail(429, message="slow down", headers={"Retry-After": "7"})
    server.say("Hi")
    result, _ = patient("say", "x", "-v")
    assert result.stdout == "Hi\n"
    transport, trouble, summary = result.stderr.splitlines()
    assert transport == "gptkit: transport: direct"
    assert trouble == "gptkit: too many requests (429): slow down; next try in 7.0 s"
    assert "tokens in" in summary


def test_who_has_no_time_to_wait_is_told_how_long(patient: Patient, server: FakeServer, home: Path) -> None:
    settings(home, "wait_budget: 5\n")
    server.fail(429, message="slow down", headers={"Retry-After": "7"})
    message = "too many requests (429): slow down; the server asks to wait 7 s"
    assert patient("say", "x") == ((75, "", failure(message)), [])


@both
def test_a_server_that_is_not_there(gptkit: InMemory, home: Path, tty: bool) -> None:
    settings(home, "attempts: 1\n")
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    assert gptkit("say", "x", env=env, tty=tty) == (75, "", failure("nothing listens on 127.0.0.1:9"))


def test_how_often_it_was_tried_and_lines_that_break_at_words(screen: OnTerminal, home: Path) -> None:
    settings(home, "attempts: 2\n")
    shown = screen("say", "x", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, columns=50)
    assert shown.wait_exit() == 75
    assert shown.text.endswith("gptkit: nothing listens on 127.0.0.1:9 (tried 2\ntimes)")


def test_without_a_key(gptkit: InMemory) -> None:
    result = gptkit("say", "x", key=None)
    first, hint = result.stderr.splitlines()
    assert (result.code, result.stdout, first) == (77, "", "gptkit: no key for api.openai.com")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    ("env", "args", "code", "errors"),
    [
        (
            {"OPENAI_BASE_URL": "ftp://x"},
            [],
            78,
            "gptkit: base_url (environment OPENAI_BASE_URL): ",
        ),
        ({}, ["--base-url", "nowhere"], 2, "gptkit: base_url (option --base-url): "),
        (
            {"OPENAI_BASE_URL": "http://example.com/v1"},
            [],
            78,
            "gptkit: base_url (environment OPENAI_BASE_URL): ",
        ),
    ],
)
def test_an_address_that_is_none(
    gptkit: InMemory, env: dict[str, str], args: list[str], code: int, errors: str
) -> None:
    result = gptkit("say", "x", *args, env=env)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith(errors)
    assert 1 <= result.stderr.count("\n") <= 2


@pytest.mark.parametrize(
    ("args", "errors"),
    [
        ([], "gptkit: missing command\nhint: 'gptkit --help' shows all\n"),
        (["sya", "x"], "gptkit: no command or prompt named 'sya'\nhint: did you mean 'say'?\n"),
        (["../say"], "gptkit: no command or prompt named '../say'\n"),
        (["say", "x", "--mdoel", "m"], None),
        (["say", "x", "--length", "long"], None),
        (["ask", "x", "--length", "lon"], None),
    ],
)
def test_a_wrong_command_line(gptkit: InMemory, args: list[str], errors: str | None) -> None:
    result = gptkit(*args)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(errors or "gptkit: ")
    assert result.stderr.count("\n") == 2


class UnheardError(Exception):
    """What no line of the program expects."""


CANARY = "sk-canary"


class BrokenEnvironment(dict[str, str]):
    def __init__(self, broken: str, **variables: str) -> None:
        super().__init__(variables)
        self.broken = broken

    def get(self, name: str, default: Any = None) -> Any:
        if name == self.broken:
            raise UnheardError(CANARY)
        return super().get(name, default)


def test_a_bug_is_told_in_two_lines_and_kept_in_a_private_file(home: Path) -> None:
    terminal = memory_terminal()
    terminal.environ = BrokenEnvironment("GPTKIT_MODEL", GPTKIT_HOME=str(home))
    details = home / "data" / "crash.txt"
    hint = "read that file, then report the bug with it"
    assert main(["say", "x"], terminal) == 70
    assert terminal.output == b""
    assert terminal.errors == failure(f"a bug in gptkit: UnheardError; details in '{details}'", hint)
    assert details.stat().st_mode & 0o777 == 0o600
    assert details.read_text().startswith("UnheardError\n")
    assert CANARY not in details.read_text()


def test_a_bug_that_cannot_be_kept_is_told_all_the_same() -> None:
    terminal = memory_terminal()
    terminal.environ = BrokenEnvironment("GPTKIT_HOME")
    assert main(["say", "x", "--json"], terminal) == 70
    first, last = terminal.errors.splitlines()
    assert (terminal.output, first, json.loads(last)["code"]) == (
        b"",
        "gptkit: a bug in gptkit: UnheardError",
        70,
    )
