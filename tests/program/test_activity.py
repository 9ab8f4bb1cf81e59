"""What a person sees on standard error while the program works, and that nothing of it stays."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping

import pytest
from fake.program import COMMAND, AsProcess, OnTerminal
from fake.replies import held, said
from fake.screen import Screen
from fake.server import FakeServer

from gptkit.core.activity import ActivityLine
from gptkit.core.table import text_width
from gptkit.core.terminal import memory_terminal

ONTO_TERMINAL = ("bash", "-c", '"$@" > out.txt; exit $?', "bash", *COMMAND)
"""The program with standard output in a file; standard error stays the terminal."""


def test_the_model_and_the_seconds_until_the_first_word(screen: OnTerminal, server: FakeServer) -> None:
    may_answer = threading.Event()
    server.queue(held(said("Bonjour."), may_answer))
    shown = screen("ask", "--model", "m", "hello")
    shown.wait_for("m · 1 s")
    shown.wait_for("m · 2 s")
    may_answer.set()
    assert shown.wait_exit() == 0
    assert shown.text == "Bonjour."


def test_a_fast_answer_is_all_that_is_shown(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Bonjour.")
    shown = screen("ask", "--raw", "hello")
    assert shown.wait_exit() == 0
    assert shown.raw == b"Bonjour.\r\n"


def test_why_the_next_try_waits(screen: OnTerminal, server: FakeServer) -> None:
    server.fail(429, headers={"Retry-After": "2"}, message="slow down")
    server.say("Bonjour.")
    shown = screen("ask", "hello")
    shown.wait_until(lambda s: re.search(r"slow down; again in [12] s \(2 of 4\)", s.text) is not None)
    assert shown.wait_exit() == 0
    assert shown.text == "Bonjour."


@pytest.mark.parametrize(
    ("words", "env"),
    [(["-q"], {}), ([], {"TERM": "dumb"}), ([], {"TERM": ""})],
    ids=["quiet", "dumb terminal", "empty TERM"],
)
def test_where_nobody_wants_it(
    screen: OnTerminal, server: FakeServer, words: list[str], env: Mapping[str, str]
) -> None:
    server.say("Bonjour.", delay=1.2)
    shown = screen("ask", "hello", "--raw", *words, env=env)
    assert shown.wait_exit() == 0
    assert shown.raw == b"Bonjour.\r\n"


def test_never_where_standard_error_is_no_terminal(run: AsProcess, server: FakeServer) -> None:
    server.say("Bonjour.", delay=1.2)
    assert run("ask", "hello") == (0, "Bonjour.\n", "")


def test_a_held_answer_shows_it_to_the_end(screen: OnTerminal, server: FakeServer) -> None:
    server.say(["Bon", "jour."], gap=1.5)
    shown = screen("ask", "hello", "--model", "m", "-o", "out.txt")
    shown.wait_for("m · 1 s")
    assert shown.wait_exit() == 0
    assert shown.text == ""


def _is_line_of(pattern: str) -> Callable[[Screen], bool]:
    return lambda screen: re.search(pattern, screen.text) is not None


def test_which_piece_is_worked_on_from_the_start(screen: OnTerminal, server: FakeServer) -> None:
    server.answer(lambda _: said("Ein anderer Satz.", delay=1.5))
    (screen.around.folder / "long.txt").write_text("A sentence of some words here.\n\n" * 2000, "utf-8")
    shown = screen(
        "translate", "--to", "German", "-f", "long.txt", "--max-requests", "4", command=ONTO_TERMINAL
    )
    shown.wait_until(_is_line_of(r"0% · piece 1 of about \d+ · 0 tokens · 0:0\d"))
    assert shown.wait_exit() != 0
    assert "piece 1 of" not in shown.text


def test_notes_have_a_line_of_their_own(screen: OnTerminal, server: FakeServer) -> None:
    server.fail(500, times=1)
    server.say("Bonjour.", delay=1.2)
    shown = screen("ask", "hello", "-v", "--model", "m", columns=200)
    assert shown.wait_exit() == 0
    assert "s)gptkit" not in shown.text
    begins = [line[:8] for line in shown.text.splitlines()]
    assert begins == ["gptkit: ", "gptkit: ", "Bonjour.", "gptkit: "], shown.text


def test_the_line_fits_the_terminal_that_it_is_on(screen: OnTerminal, server: FakeServer) -> None:
    server.answer(lambda _: said("Ein anderer Satz.", delay=1.5))
    (screen.around.folder / "long.txt").write_text("A sentence of some words here.\n\n" * 2000, "utf-8")
    words = ("translate", "--to", "German", "-f", "long.txt", "--max-requests", "4")
    shown = screen(*words, command=ONTO_TERMINAL, columns=24)
    shown.wait_for("0%")
    shown.wait_exit()
    assert "%" not in shown.text


def test_a_question_has_a_line_of_its_own() -> None:
    terminal = memory_terminal(environ={"TERM": "xterm"}, terminal=True)

    def answer(question: str) -> str:
        terminal.draw_error(question)
        return "yes"

    terminal.asker = answer
    line = ActivityLine(terminal, is_quiet=False)
    line.start(lambda _: "m · 2 s")
    time.sleep(1.0)
    assert terminal.ask("really? ") == "yes"
    assert terminal.errors.endswith("m · 2 s\r\x1b[Kreally? ")
    line.stop()


def test_a_line_that_cannot_be_described_is_none() -> None:
    terminal = memory_terminal(environ={"TERM": "xterm"}, terminal=True)
    line = ActivityLine(terminal, is_quiet=False)
    line.start(lambda _: str(1 // 0))
    time.sleep(1.0)
    line.stop()
    assert terminal.errors == ""


def test_a_line_is_cut_where_the_terminal_ends() -> None:
    terminal = memory_terminal(environ={"TERM": "xterm"}, terminal=True, width=40)
    line = ActivityLine(terminal, is_quiet=False)
    line.start(lambda _: "多了" * 40)
    time.sleep(0.8)
    line.announce_pause("nothing listens on 127.0.0.1:11434", 9, "2 of 4")
    time.sleep(0.4)
    line.stop()
    first, second = [shown for shown in re.split(r"\r\x1b\[K", terminal.errors) if shown][:2]
    assert first == "多了" * 9 + "多…"
    assert re.fullmatch(r"nothing list\w*…; again in 9 s \(2 of 4\)", second)
    assert text_width(second) <= 39
