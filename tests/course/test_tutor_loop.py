"""A course at the prompt: where it stands, its commands, and lessons that go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fake.program import AsProcess, InMemory
from fake.screen import WIDE
from fake.server import FakeServer
from tutoring import check, course, lesson, path, system, told, update


def at_prompt(screen: Any, keys: str) -> None:
    """Type once the prompt waits: what is typed before belongs to the terminal."""
    screen.wait_until(lambda shown: shown.lines[shown.cursor[1]] == ">", "no prompt")
    screen.send(keys)


def test_a_new_course_says_what_to_do(screen: Any, server: FakeServer, home: Path) -> None:
    shown = screen("tutor", "线性代数", columns=100)
    shown.wait_for("线性代数 (explain)")
    shown.wait_for("a new course: say what you want to learn, and what you know")
    lesson(server, "好，我们从向量开始。", topics=[{"name": "向量", "mastery": 0.1}])
    at_prompt(shown, "我想学特征值\r")
    shown.wait_for("好，我们从向量开始。")
    at_prompt(shown, "/show\r")
    shown.wait_for("#.........  10%")
    at_prompt(shown, "\x04")
    assert shown.wait_exit() == 0
    assert "name: 向量" in path(home, "线性代数").read_text()


def test_a_course_goes_on_where_it_stands(
    screen: Any, gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    course(home)
    lesson(server, "One.")
    gptkit("tutor", "linear algebra", "first")
    shown = screen("tutor", "linear algebra", columns=100)
    shown.wait_for("linear algebra, second year (explain)")
    shown.wait_for("reviews: 2 cards, 1 due now; to work on: eigenvectors 60%")
    lesson(server, "Two.")
    at_prompt(shown, "second\r")
    shown.wait_for("Two.")
    server.wait_requests(4)
    assert [m["content"] for m in server.requests[2].json["messages"][1:]] == ["first\n", "One.", "second\n"]
    at_prompt(shown, "\x04")
    assert shown.wait_exit() == 0


def test_the_method_and_the_tries_change_at_the_prompt(screen: Any, server: FakeServer) -> None:
    shown = screen("tutor", "algebra", columns=100)
    at_prompt(shown, "/method socrates\r")
    shown.wait_for("no method 'socrates'")
    at_prompt(shown, "/method socratic\r")
    shown.wait_for("method: socratic")
    at_prompt(shown, "/tries 1\r")
    shown.wait_for("attempts before a solution is shown: 1")
    server.say("It is three.")
    server.say(check(gives_away=True))
    server.say("What is half of six?")
    server.say(check())
    server.say(update())
    at_prompt(shown, "solve 2x = 6\r")
    shown.wait_for("What is half of six?")
    server.wait_requests(5)
    server.say("It is three.")
    server.say(check(attempt=True, gives_away=True))
    server.say(update())
    assert b"It is three." not in shown.raw
    at_prompt(shown, "4?\r")
    shown.wait_for("It is three.")
    at_prompt(shown, "\x04")
    assert shown.wait_exit() == 0
    assert "Lead with questions" in system(server.requests[0])


def test_undo_takes_an_attempt_back(screen: Any, server: FakeServer) -> None:
    shown = screen("tutor", "algebra", "--method", "socratic", "--tries", "1", columns=100)
    server.say("And then?")
    server.say(check(attempt=True))
    server.say(update())
    at_prompt(shown, "4?\r")
    shown.wait_for("And then?")
    at_prompt(shown, "/undo\r")
    shown.wait_for("taken back")
    server.say("It is three.")
    server.say(check(gives_away=True))
    server.say("What is half of six?")
    server.say(check())
    server.say(update())
    at_prompt(shown, "tell me\r")
    shown.wait_for("What is half of six?")
    assert told(server.requests[4])["question"] == ""
    assert b"It is three." not in shown.raw
    at_prompt(shown, "\x04")
    assert shown.wait_exit() == 0


def test_reviews_at_the_prompt(screen: Any, server: FakeServer, home: Path) -> None:
    file = course(home)
    shown = screen("tutor", "linear algebra", columns=100)
    at_prompt(shown, "/due\r")
    shown.wait_for("What does A stretch?")
    at_prompt(shown, "/review\r")
    shown.wait_for("1 of 1")
    at_prompt(shown, "\r")
    shown.wait_for("4 easy")
    at_prompt(shown, "good\r")
    shown.wait_for("reviewed 1 of 1")
    at_prompt(shown, "/due\r")
    shown.wait_for("no review is due")
    at_prompt(shown, "\x04")
    assert shown.wait_exit() == 0
    assert "stage: learning" in file.read_text()


def test_a_broken_course_opens_no_prompt(screen: Any, home: Path) -> None:
    course(home, "subject: linear algebra\ngoal: x\n")
    shown = screen("tutor", "linear algebra", columns=WIDE)
    assert shown.wait_exit() == 65
    assert ":2: goal: unknown key" in shown.text


def test_a_history_that_cannot_be_written_costs_no_lesson(
    gptkit: InMemory, run: AsProcess, server: FakeServer, home: Path
) -> None:
    run("ask", "hi", "--model", "echo")  # another process: no connection of this one stays open
    index = home / "data" / "history.db-shm"
    index.unlink(missing_ok=True)
    index.mkdir()  # where SQLite writes before anything else
    lesson(server, "One.", goals=["proofs"])
    code, output, errors = gptkit("tutor", "algebra", "first")
    assert (code, output) == (0, "One.\n")
    assert errors.startswith("gptkit: this exchange is not recorded: ")
    assert errors.count("\n") == 1
    assert "proofs" in path(home, "algebra").read_text()
