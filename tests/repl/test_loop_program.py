"""`gptkit chat` on a terminal: the prompt loop over the program's own conversations."""

from __future__ import annotations

import os
import re
import resource
import sys
import threading
from pathlib import Path

import pytest
from fake.connection import hang, until
from fake.program import OnTerminal
from fake.screen import Screen
from fake.server import FakeServer
from fake.wire import chunk, chunked, done, sse, stream_head

from gptkit.capabilities.conversation.loop import format_age
from gptkit.core.table import format_time

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals of POSIX")


def ready(running: Screen) -> None:
    running.wait_until(lambda s: s.lines[s.cursor[1]] == ">", "no prompt")


def said(server: FakeServer) -> list[list[tuple[str, str]]]:
    """What each request held after the system message."""
    return [[(m["role"], m["content"].rstrip()) for m in r.json["messages"][1:]] for r in server.requests]


def test_a_conversation_that_is_left_and_gone_on_with(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Hello **you**.")
    server.say("Still here.")
    first = screen("chat")
    ready(first)
    first.send("good day\r")
    first.wait_for("Hello you.")
    ready(first)
    first.send("\x04")
    assert first.wait_exit() == 0
    second = screen("chat", "-c")
    ready(second)
    second.send("and now?\r")
    second.wait_for("Still here.")
    ready(second)
    second.send("/exit\r")
    assert second.wait_exit() == 0
    assert said(server) == [
        [("user", "good day")],
        [("user", "good day"), ("assistant", "Hello **you**."), ("user", "and now?")],
    ]


def test_the_loop_says_where_one_is(screen: OnTerminal, server: FakeServer, home: Path) -> None:
    first = screen("chat", "-m", "gpt-test", columns=50)
    first.wait_for("gpt-test · recorded · /help · Ctrl-D leaves")
    assert b"\x1b[2mgpt-test" in first.raw
    ready(first)
    server.say("\n".join(f"line {number}" for number in range(1, 15)))
    first.send("count\r")
    first.wait_for("line 14")
    ready(first)
    first.send("help\r")
    first.wait_for("/exit")
    ready(first)
    first.send("quit\r")
    assert first.wait_exit() == 0
    second = screen("chat", "-c", columns=50)
    ready(second)
    shown = second.text
    assert re.search(r"\nchat '[0-9a-z]{8}' · 1 turn · last used a moment ago\n", shown)
    assert "you: count\nline 1\n" in shown
    assert "line 12\n2 more lines · 'gptkit history show' has all\n" in shown
    second.send("exit\r")
    assert second.wait_exit() == 0
    third = screen("chat", "-s", "旅行", "--no-log")
    assert third.wait_exit() == 2
    named = screen("chat", "-s", "旅行")
    named.wait_for("· recorded as '旅行' · /help")
    unrecorded = screen("chat", "--no-log")
    unrecorded.wait_for("· not recorded · /help")
    for running in (named, unrecorded):
        ready(running)
        running.send("exit\r")
        assert running.wait_exit() == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "a moment ago"),
        (59, "a moment ago"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (86_400, "1 day ago"),
        (29 * 86_400, "29 days ago"),
        (30 * 86_400, format_time(0)),
    ],
)
def test_how_long_ago(seconds: int, told: str) -> None:
    assert format_age(0, seconds) == told


def test_the_status_weighs_the_conversation_as_it_is_now(screen: OnTerminal, server: FakeServer) -> None:
    server.say("".join(f"word {number} " for number in range(300)), usage=(400, 200))
    first = screen("chat", "--json", "hello", "-s", "long")
    assert first.wait_exit() == 0
    second = screen("chat", "-s", "long")
    second.wait_for("600 tokens")
    server.say("Yes, " * 300)
    second.send("and?\r")
    second.wait_until(lambda s: weight(s) > 600, "no more than before")
    second.send("/undo\r")
    second.wait_until(lambda s: weight(s) == 600, "not what it was before the turn")
    second.send("/undo\r")
    second.wait_until(lambda s: weight(s) == 0, "not empty")


def test_no_cost_is_shown_that_nobody_knows(screen: OnTerminal, server: FakeServer) -> None:
    server.say("first")
    running = screen("chat")
    ready(running)
    assert weight(running) == 0
    assert "$" not in running.text
    running.send("one\r")
    running.wait_for("first")
    ready(running)
    assert "$" not in running.text


def weight(running: Screen) -> int:
    """The tokens of the status line; -1 where there is none."""
    found = re.findall(r"([\d,]+) tokens", running.text)
    return int(found[-1].replace(",", "")) if found else -1


def test_stopped_taken_back_changed_and_asked_again(screen: OnTerminal, server: FakeServer) -> None:
    server.raw([stream_head(), chunked(sse(chunk({"content": "begins "}))), hang()])
    for answer in ("second", "third", "fourth"):
        server.say(answer)
    running = screen("chat", "--raw")
    ready(running)
    running.send("one\r")
    running.wait_for("begins")
    running.send("\x03")
    ready(running)
    for typed, shown in (("/retry", "second"), ("/edit", "edit> one"), ("\x15two", "third")):
        running.send(typed + "\r")
        running.wait_for(shown)
        if not shown.startswith("edit"):
            ready(running)
    running.send("/undo\r")
    running.wait_for("taken back: two")
    ready(running)
    running.send("three\r")
    running.wait_for("fourth")
    ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0
    assert said(server) == [[("user", "one")], [("user", "one")], [("user", "two")], [("user", "three")]]


def test_a_file_and_a_failure(screen: OnTerminal, server: FakeServer, folder: Path) -> None:
    (folder / "notes.md").write_text("the notes\n")
    server.say("Read.")
    running = screen("chat", columns=60)
    ready(running)
    for typed, shown in (
        ("/file nowhere.md", "nowhere.md"),
        ("/file notes.md", "'notes.md' goes with the next message"),
        ("sum up", "Read."),
        ("/model nonesuch", "model: nonesuch"),
        ("/cost", "tokens: "),
        ("/save talk.md", "saved 1 turn in 'talk.md'"),
        ("/history", "you: sum up"),
    ):
        running.send(typed + "\r")
        running.wait_for(shown)
        ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0
    (((_, sent),),) = said(server)
    assert "sum up" in sent
    assert "the notes" in sent
    assert "## You\n\nsum up\n" in (folder / "talk.md").read_text()


def test_an_answer_obeys_nothing_and_is_copied_as_it_was(screen: OnTerminal, server: FakeServer) -> None:
    server.say("a\x1b]0;evil\x07b\x1b[2J")
    running = screen("chat", "--raw", env={"DISPLAY": None, "WAYLAND_DISPLAY": None})
    ready(running)
    for typed, shown in (("x", "a␛]0;evil␇b␛[2J"), ("/history", "  a␛]0;evil␇b␛[2J"), ("/copy", "OSC 52")):
        running.send(typed + "\r")
        running.wait_for(shown)
        ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0
    assert b"evil\x07" not in running.raw
    assert b"\x1b]52;c;YRtdMDtldmlsB2IbWzJK\x07" in running.raw


def test_keys_typed_while_an_answer_comes_are_the_next_message(
    screen: OnTerminal, server: FakeServer
) -> None:
    go = threading.Event()
    whole = [
        chunked(sse(chunk({"content": "end."}))),
        chunked(sse(chunk({}, finish="stop")) + done(), last=True),
    ]
    server.raw([stream_head(), chunked(sse(chunk({"content": "The begin and "}))), until(go), *whole])
    server.say("As you wish.")
    running = screen("chat")
    ready(running)
    running.send("hello\r")
    running.wait_for("The begin and")
    running.send("typed ahead")
    go.set()
    running.wait_until(lambda s: s.lines[s.cursor[1]] == "> typed ahead", "what was typed is lost")
    assert "The begin and end." in running.lines
    running.send("\r")
    running.wait_for("As you wish.")
    ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0
    assert said(server)[-1][-1] == ("user", "typed ahead")


@pytest.mark.parametrize("when", ["at once", "later", "in between"])
def test_a_history_that_cannot_be_written_costs_no_memory(
    screen: OnTerminal, server: FakeServer, home: Path, when: str
) -> None:
    for answer in ("first", "second", "third"):
        server.say(answer)
    data = home / "data"
    if when == "at once":
        data.mkdir(parents=True)
        (data / "journal").touch()
    running = screen("chat", env={"PYTHONDONTWRITEBYTECODE": "1"})  # half a module's would stay behind
    for number, (typed, answer) in enumerate((("one", "first"), ("two", "second"), ("three", "third"))):
        ready(running)
        if number == 1 and when == "later":
            (data / "journal").rmdir()
            (data / "journal").touch()
        if number == 1 and when == "in between" and sys.platform == "linux":
            limit = (8192, 8192)  # the journal may be written, the history may not
            resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, limit)
        running.send(f"{typed}\r")
        running.wait_for(answer)
    ready(running)
    running.send("/history\r")
    running.wait_for("you: three")
    assert " ".join(running.text.split()).count("this conversation is not recorded: ") == 1
    assert said(server)[-1] == [
        *(("user", "one"), ("assistant", "first"), ("user", "two"), ("assistant", "second")),
        ("user", "three"),
    ]
    ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0


def test_a_named_talk_on_a_full_disk_is_in_memory(screen: OnTerminal, server: FakeServer, home: Path) -> None:
    (home / "data").touch()
    for answer in ("first", "second"):
        server.say(answer)
    running = screen("chat", "-s", "friends")
    for typed, answer in (("one", "first"), ("two", "second")):
        ready(running)
        running.send(f"{typed}\r")
        running.wait_for(answer)
    assert said(server)[-1] == [("user", "one"), ("assistant", "first"), ("user", "two")]
    assert (
        " ".join(running.text.split()).count("'friends' cannot be opened, so this conversation is not") == 1
    )
    assert running.text.count("gptkit:") == 1
    ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0


def test_nothing_of_a_talk_without_record_is_written(
    screen: OnTerminal, server: FakeServer, home: Path
) -> None:
    server.say("first")
    server.say("second")
    running = screen("chat", "--no-log")
    for typed, answer in (("secret one", "first"), ("two", "second")):
        ready(running)
        running.send(f"{typed}\r")
        running.wait_for(answer)
    ready(running)
    running.send("\x04")
    assert running.wait_exit() == 0
    assert ("assistant", "first") in said(server)[-1]
    left = [path for path in home.rglob("*") if path.is_file() and "prompts" not in path.parts]
    assert not [path for path in left if b"secret" in path.read_bytes() or "history" in path.name], left
