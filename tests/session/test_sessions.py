"""Conversations from the command line: --session, --continue, and what is recorded of any exchange."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fake.connection import hang
from fake.program import AsProcess
from fake.received import Received
from fake.server import FakeServer
from fake.waiting import SOON
from fake.wire import chunk, chunked, sse, stream_head
from tutoring import update

from gptkit.core.clock import LATEST_TIME

Gptkit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chat(home: Path) -> str:
    """A prompt with no words of its own, so that messages are what was said."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "say.yaml").write_text("description: Says it.\nsystem: Be kind.\n")
    return "say"


def messages(server: FakeServer, number: int = -1) -> list[tuple[str, str]]:
    return [(one["role"], one["content"]) for one in server.requests[number].json["messages"]]


def rows(home: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(home / "data" / "history.db")) as connection:
        return connection.execute(query).fetchall()


def test_a_session_goes_on_where_it_was(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    server.say("Hello Ming")
    server.say("Ming")
    assert gptkit(chat, "I am 小明", "-s", "one") == (0, "Hello Ming\n", "")
    assert gptkit(chat, "Who am I?", "--session", "one") == (0, "Ming\n", "")
    assert messages(server) == [
        ("system", "Be kind."),
        ("user", "I am 小明"),
        ("assistant", "Hello Ming"),
        ("user", "Who am I?"),
    ]


def test_continue_takes_the_latest_of_any_command(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    server.say("first", times=1)
    server.say("second")
    server.say("third")
    gptkit(chat, "a", "-s", "named")
    gptkit(chat, "b")
    assert gptkit(chat, "c", "-c") == (0, "third\n", "")
    assert messages(server)[1:] == [("user", "b"), ("assistant", "second"), ("user", "c")]


def test_continue_goes_by_the_order_of_use_whatever_the_clock_says(
    gptkit: Gptkit, server: FakeServer, chat: str
) -> None:
    """The clock was years ahead for the first conversation, and had lost its time for the third."""
    for text, clock in (("a", 4e9), ("b", 1.8e9), ("c", 0.0)):
        server.say(f"to {text}")
        assert gptkit(chat, text, clock=clock) == (0, f"to {text}\n", "")
    server.say("on")
    assert gptkit(chat, "d", "-c", clock=1.8e9) == (0, "on\n", "")
    assert messages(server)[1:] == [("user", "c"), ("assistant", "to c"), ("user", "d")]


def test_what_was_spent_while_the_clock_was_ahead_is_not_of_this_month(
    gptkit: Gptkit, server: FakeServer, chat: str
) -> None:
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    gptkit("config", "set", "monthly_limit", "1")
    server.say("yes", usage=(900, 0), times=2)
    assert gptkit(chat, "one", "--model", "gpt-0", clock=4e9)[0] == 0
    assert gptkit(chat, "two", "--model", "gpt-0", clock=1.8e9)[0] == 0
    assert "0.9 of 1 USD used" in gptkit("usage", clock=1.8e9)[2]
    assert gptkit(chat, "three " * 100, "--model", "gpt-0", clock=1.8e9)[0] == 82


def test_no_clock_is_a_bug(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    for clock in (0.0, LATEST_TIME):
        server.say("yes", times=2)
        server.say(update(cards=[{"front": "1 + 1?", "back": "2", "topic": "sums"}]))
        assert gptkit(chat, "hi", "-s", str(clock), clock=clock) == (0, "yes\n", "")
        assert gptkit("tutor", "algebra", "go on", clock=clock)[:2] == (0, "yes\n")
        for command in (
            ("usage",),
            ("history", "list"),
            ("history", "show", str(clock)),
            ("tutor", "algebra", "--due"),
        ):
            assert gptkit(*command, clock=clock)[0] == 0, command


def test_another_command_can_go_on_with_it(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    server.say("Il fait beau.")
    server.say("It is sunny.")
    gptkit("translate", "The weather is fine", "--to", "French", "-s", "t")
    assert gptkit(chat, "And back?", "-s", "t") == (0, "It is sunny.\n", "")
    assert messages(server)[0] == ("system", "Be kind.")
    assert messages(server)[2] == ("assistant", "Il fait beau.")


def test_a_pipe_goes_on_as_a_terminal_does(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    server.say("one")
    server.say("two")
    gptkit(chat, stdin="from a pipe", *("-s", "p"))  # noqa: B026
    assert gptkit(chat, "-c", stdin="once more")[:2] == (0, "two\n")
    assert messages(server)[1:] == [("user", "from a pipe"), ("assistant", "one"), ("user", "once more")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-c"], 66, "gptkit: there is no conversation to continue\n"),
        (["-c", "-s", "x"], 2, "gptkit: --session and --continue do not go together\n"),
        (["-c", "--no-log"], 2, "gptkit: --no-log and --continue do not go together\n"),
        (["-s", "x", "--no-log"], 2, "gptkit: --no-log and --session do not go together\n"),
        (["-s", "../x"], 2, "gptkit: '../x' cannot be the name of a session: it holds a path separator\n"),
        (["-s", ""], 2, "gptkit: '' cannot be the name of a session: it is empty\n"),
        (["-s", "／x"], 2, "gptkit: '／x' cannot be the name of a session: it holds a path separator\n"),
        (["-s", "NUL"], 2, "gptkit: 'NUL' cannot be the name of a session: it is the name of a device\n"),
    ],
)
def test_what_cannot_be_gone_on_with(
    gptkit: Gptkit, server: FakeServer, chat: str, arguments: list[str], code: int, message: str
) -> None:
    assert gptkit(chat, "hello", *arguments) == (code, "", message)
    assert server.requests == []


def test_an_answer_that_was_cut_is_marked_when_it_is_sent_back(
    gptkit: Gptkit, server: FakeServer, chat: str
) -> None:
    server.say("one, two", finish="length")
    server.say("three")
    assert gptkit(chat, "count", "-s", "n")[0] == 80
    gptkit(chat, "go on", "-s", "n")
    assert messages(server)[2] == ("assistant", "one, two\n\n[cut off here; this answer is not whole]")


def test_what_failed_or_was_refused_is_not_sent_back(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    server.fail(400)
    server.say("", refusal="I will not")
    server.say("fine")
    assert gptkit(chat, "one", "-s", "n")[0] == 69
    assert gptkit(chat, "two", "-s", "n")[0] == 81
    assert gptkit(chat, "three", "-s", "n")[0] == 0
    assert messages(server) == [("system", "Be kind."), ("user", "three")]


def test_a_dry_run_shows_the_turns_and_stores_nothing(
    gptkit: Gptkit, server: FakeServer, home: Path, chat: str
) -> None:
    server.say("one")
    gptkit(chat, "a", "-s", "n")
    code, output, _ = gptkit(chat, "b", "-s", "n", "--dry-run")
    sent = json.loads(output)["body"]["messages"]
    assert (code, [one["content"] for one in sent]) == (0, ["Be kind.", "a", "one", "b"])
    gptkit(chat, "b", "-s", "new", "--dry-run")
    assert rows(home, "SELECT count(*) FROM turns") == [(1,)]
    assert rows(home, "SELECT name FROM sessions") == [("n",)]


def test_every_exchange_is_recorded(gptkit: Gptkit, server: FakeServer, home: Path, chat: str) -> None:
    server.say("yes", usage=(7, 2), model="gpt-0-2026")
    server.say("half", finish="length")
    server.fail(401)
    gptkit(chat, "one", "--model", "gpt-0", "-v")
    gptkit(chat, "two")
    gptkit(chat, "three")
    query = "SELECT state, prompt, code, prompt_tokens, completion_tokens FROM turns ORDER BY id"
    assert rows(home, query)[0] == ("ok", "say", 0, 7, 2)
    assert [row[:3] for row in rows(home, query)[1:]] == [("partial", "say", 80), ("failed", "say", 77)]
    assert rows(home, "SELECT cause FROM turns ORDER BY id")[1] == ("answer cut at the token limit",)
    assert rows(home, "SELECT model FROM charges ORDER BY id")[0] == ("gpt-0-2026",)


@pytest.mark.parametrize("how", ["option", "setting"])
def test_nothing_is_kept_where_that_is_wanted(
    gptkit: Gptkit, server: FakeServer, home: Path, chat: str, how: str
) -> None:
    if how == "setting":
        gptkit("config", "set", "log", "false")
    server.say("yes")
    assert gptkit(chat, "secret", *(["--no-log"] if how == "option" else []))[:2] == (0, "yes\n")
    assert not (home / "data").exists()


def test_json_names_the_conversation(gptkit: Gptkit, server: FakeServer, home: Path, chat: str) -> None:
    server.say("yes")
    code, output, _ = gptkit(chat, "hi", "--json")
    record = json.loads(output)
    assert code == 0
    assert rows(home, "SELECT id FROM sessions") == [(record["session"],)]
    assert record["cost"] is None  # a server of this machine has no price


def test_the_oldest_turns_are_summarised_when_the_window_nears_its_end(
    gptkit: Gptkit, server: FakeServer, home: Path, chat: str
) -> None:
    gptkit("config", "set", "context_window", "4000")
    long = "".join(f"Fox {number} jumps over the lazy dog. " for number in range(100))
    record = "They spoke of a fox."

    def answer(request: Received) -> str:
        system = request.json["messages"][0]["content"]
        return record if system.startswith("You keep the record") else long

    server.answer(answer)
    for number in range(4):
        assert gptkit(chat, f"question {number}", "-s", "n")[0] == 0
    assert len(server.requests) == 4
    told = json.loads(gptkit(chat, "And now?", "-s", "n", "--json")[1])["usage"]
    assert len(server.requests) == 7
    assert rows(home, "SELECT purpose, count(*) FROM charges GROUP BY 1") == [("answer", 5), ("summary", 2)]
    assert told["requests"] == 3
    assert rows(home, "SELECT prompt_tokens FROM turns ORDER BY id")[-1] == (told["prompt_tokens"],)
    summarising, asked = messages(server, -3), messages(server, -1)
    assert "question 0" in summarising[1][1]
    assert "They spoke of a fox." in asked[0][1]
    assert not any("question 0" in content for _, content in asked)
    assert ("user", "question 3") in asked
    assert rows(home, "SELECT text FROM summaries") == [("They spoke of a fox.",)]
    assert rows(home, "SELECT count(*) FROM turns") == [(5,)]
    assert gptkit(chat, "more", "-s", "n")[0] == 0
    assert len(server.requests) == 8  # the summary is made once
    assert "They spoke of a fox." in messages(server)[0][1]


def test_a_conversation_that_the_server_calls_too_long_is_shortened(
    gptkit: Gptkit, server: FakeServer, chat: str
) -> None:
    long = "".join(f"Fox {number} jumps over the lazy dog. " for number in range(140))
    full = {
        "code": "context_length_exceeded",
        "message": "This model's maximum context length is 2048 tokens, however you requested 3000 tokens",
    }
    server.say(long, times=2)
    server.fail(400, {"error": full})
    server.say("A fox, twice.", times=2)
    server.say("at last")
    gptkit(chat, "one", "-s", "n")
    gptkit(chat, "two", "-s", "n")
    assert gptkit(chat, "three", "-s", "n") == (0, "at last\n", "")
    assert "A fox, twice." in messages(server)[0][1]
    assert sum(len(content) for _, content in messages(server)) < 3000


def test_a_first_message_that_is_too_long_is_a_failure(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    server.fail(400, {"error": {"code": "context_length_exceeded", "message": "too long"}})
    assert gptkit(chat, "one", "-s", "n")[0] == 65
    assert len(server.requests) == 1


def test_money_is_counted_before_each_request(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    server.say("yes", usage=(10, 5))
    assert gptkit(chat, "one", "--model", "gpt-0", "--max-cost", "1", "-s", "n")[0] == 0
    code, output, errors = gptkit(chat, "two", "--model", "gpt-0", "--max-cost", "0.001", "-s", "n")
    assert (code, output) == (82, "")
    assert errors.startswith("gptkit: --max-cost of 0.001 USD is used up: 0 is spent, and the next request")
    assert len(server.requests) == 1


@pytest.mark.parametrize("cap", ["nan", "inf", "-1"])
def test_a_cap_that_caps_nothing_is_refused(gptkit: Gptkit, server: FakeServer, chat: str, cap: str) -> None:
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    assert gptkit(chat, "one", "--model", "gpt-0", "--max-cost", cap) == (
        2,
        "",
        "gptkit: --max-cost: must be a number, and at least 0\n",
    )
    assert server.requests == []


def test_a_month_has_its_limit(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    server.say("yes", usage=(100, 50))
    assert gptkit(chat, "one", "--model", "gpt-0", "-v")[0] == 0
    gptkit("config", "set", "monthly_limit", "0.16")
    code, _, errors = gptkit(chat, "two", "--model", "gpt-0")
    assert code == 82
    assert "monthly_limit" in errors
    gptkit("config", "set", "monthly_limit", "0.5")
    server.say("yes")
    assert gptkit(chat, "three", "--model", "gpt-0")[0] == 0


def test_a_killed_process_is_in_the_books(run: AsProcess, server: FakeServer, chat: str) -> None:
    """What was sent and shown is estimated when the next process opens the history."""
    assert run("config", "set", "prices.gpt-0", "[1000, 1000]").code == 0
    server.raw([stream_head(), chunked(sse(chunk({"content": "一二三四五六七八九十"}))), hang()])
    process = run.start(chat, "数到十。", "--model", "gpt-0")
    assert process.stdout
    assert process.stdout.read(30).decode() == "一二三四五六七八九十"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=SOON)
    row = json.loads(run("usage", "--json").stdout)["total"]
    assert (row["requests"], row["completion_tokens"], row["estimated"]) == (1, 8, True)
    assert 10 < row["prompt_tokens"] < 30
    assert row["cost"] == pytest.approx((row["prompt_tokens"] + 8) / 1000)
    run("config", "set", "monthly_limit", "0.01")
    assert run(chat, "And on?", "--model", "gpt-0").code == 82
    assert len(server.requests) == 1


def test_a_cap_without_a_price_is_refused(gptkit: Gptkit, server: FakeServer, chat: str) -> None:
    code, output, errors = gptkit(chat, "one", "--model", "gpt-0", "--max-cost", "1")
    assert (code, output) == (78, "")
    assert errors == (
        "gptkit: no price is known for 'gpt-0', so --max-cost cannot be checked\n"
        "hint: gptkit config set prices.gpt-0 '[INPUT, OUTPUT]' (USD a million tokens)\n"
    )
    assert server.requests == []


def test_a_store_that_cannot_be_written_costs_the_record_and_not_the_answer(
    gptkit: Gptkit, server: FakeServer, home: Path, chat: str
) -> None:
    (home / "data").write_text("a file where the folder should be")
    server.say("yes")
    code, output, errors = gptkit(chat, "one")
    assert (code, output) == (0, "yes\n")
    assert errors.startswith("gptkit: this exchange is not recorded: ")
    assert errors.count("\n") == 1


def test_a_named_session_on_such_a_disk_is_in_memory(
    gptkit: Gptkit, server: FakeServer, home: Path, chat: str
) -> None:
    (home / "data").write_text("a file where the folder should be")
    server.say("yes")
    code, output, errors = gptkit(chat, "one", "-s", "n")
    assert (code, output) == (0, "yes\n")
    assert errors.startswith("gptkit: 'n' cannot be opened, so this conversation is not recorded: ")
    assert errors.count("\n") == 1
    server.say("yes")
    assert gptkit(chat, "one", "-s", "n", "-q") == (0, "yes\n", "")


def test_a_known_session_goes_on_although_it_cannot_be_locked(
    gptkit: Gptkit, server: FakeServer, home: Path, chat: str
) -> None:
    server.say("yes", times=2)
    gptkit(chat, "one", "-s", "n")
    for name in ("sessions", "journal"):
        (home / "data" / name).rmdir()
        (home / "data" / name).write_text("a file where the folder should be")
    code, output, errors = gptkit(chat, "two", "-s", "n")
    assert (code, output) == (0, "yes\n")
    assert errors.startswith("gptkit: this exchange is not recorded: ")
    assert messages(server)[1:] == [("user", "one"), ("assistant", "yes"), ("user", "two")]


def test_sixteen_at_once_take_turns(run: AsProcess, server: FakeServer, home: Path, chat: str) -> None:
    server.answer(lambda request: f"to {request.json['messages'][-1]['content']}")
    processes = [run.start(chat, f"m{number}", "-s", "all") for number in range(16)]
    found = [process.communicate() for process in processes]
    assert found == [(f"to m{number}\n".encode(), found[number][1]) for number in range(16)]
    assert [process.returncode for process in processes] == [0] * 16
    chain = rows(home, "SELECT id, parent FROM turns ORDER BY id")
    assert [parent for _, parent in chain] == [None, *(number for number, _ in chain[:-1])]
    sizes = sorted(len(request.json["messages"]) for request in server.requests)
    assert sizes == [2 + 2 * number for number in range(16)]
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]
