"""What a terminal shows while an answer arrives depends on the prompt's promised output."""

from __future__ import annotations

import pytest
from fake.connection import hang
from fake.program import OnTerminal
from fake.server import FakeServer
from fake.wire import chunk, chunked, sse, stream_head


def shown(screen: OnTerminal, *args: str) -> str:
    running = screen(*args)
    assert running.wait_exit() == 0
    return running.text.rstrip()


def test_markdown_is_rendered(screen: OnTerminal, server: FakeServer) -> None:
    server.say("# Title\n\nSome **bold** words.")
    text = shown(screen, "ask", "hi")
    assert "Title" in text
    assert "Some bold words." in text
    assert "**" not in text


def test_text_keeps_its_lines_and_signs(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Roses are *red*,\nviolets_are_ blue\n# 5 %")
    assert shown(screen, "translate", "x") == "Roses are *red*,\nviolets_are_ blue\n# 5 %"


def test_mail_is_shown_as_it_is_written(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Subject: Hi\n\nDear Ana,\n\nBest\nBo")
    assert shown(screen, "email", "greet Ana") == "Subject: Hi\n\nDear Ana,\n\nBest\nBo"


def test_code_is_shown_with_its_explanation(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Here:\n\n```go\npackage main\n```\n\nRun it.")
    text = shown(screen, "code", "a program")
    assert "Here:" in text
    assert "package main" in text
    assert "Run it." in text


def test_markdown_can_be_turned_off(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Some **bold** words.")
    assert shown(screen, "ask", "hi", "--raw") == "Some **bold** words."


def test_nothing_of_an_answer_is_obeyed(screen: OnTerminal, server: FakeServer) -> None:
    server.say("a\x1b]52;c;aGk=\x07b\x1b[2Jc", times=2)
    assert shown(screen, "translate", "-q", "x") == "a␛]52;c;aGk=␇b␛[2Jc"
    assert "a␛]52;c;aGk=␇b␛[2Jc" in shown(screen, "ask", "x")


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_all_that_came_can_be_read_while_the_server_is_silent(
    screen: OnTerminal, server: FakeServer, term: str
) -> None:
    pieces = [chunked(sse(chunk({"content": word}))) for word in ("One ", "two ", "three ", "four")]
    server.raw([stream_head(), *pieces, hang()])
    running = screen("ask", "hi", env={"TERM": term})
    running.wait_for("One two three four")
    running.send("\x03")
    assert running.wait_exit() == 130


def test_a_dumb_terminal_gets_plain_text(screen: OnTerminal, server: FakeServer) -> None:
    """As in a shell window of Emacs: an escape sequence would be seen as rubbish."""
    server.say("Some **bold** words.\n\n- 一")
    running = screen("ask", "hi", env={"TERM": "dumb"})
    assert running.wait_exit() == 0
    assert running.raw == b"Some **bold** words.\r\n\r\n- \xe4\xb8\x80\r\n"
