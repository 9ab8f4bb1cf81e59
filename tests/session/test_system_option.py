"""`-S/--system` of `ask` and `chat`, and options of the type `system` in any prompt file."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import failure, prompt
from fake.program import InMemory, OnTerminal
from fake.server import FakeServer

PIRATE = "你是海盗。{{ text }}"


def system_messages(server: FakeServer) -> list[str]:
    """The system message of each request; empty for a request without one."""
    sent = [request.json["messages"] for request in server.requests]
    return [messages[0]["content"] if messages[0]["role"] == "system" else "" for messages in sent]


@pytest.mark.parametrize("name", ["ask", "chat"])
def test_a_text_or_a_file_takes_the_place_of_the_message(
    gptkit: InMemory, server: FakeServer, folder: Path, name: str
) -> None:
    (folder / "pirate.txt").write_text(f"{PIRATE}\n", "utf-8")
    server.say("Arr", times=5)
    for given in (["-S", PIRATE], [f"--system={PIRATE}"], ["-S", "@pirate.txt"], ["-S", ""], []):
        assert gptkit(name, "ahoy", *given) == (0, "Arr\n", "")
    *given_ones, built_in = system_messages(server)
    assert given_ones == [PIRATE, PIRATE, PIRATE, ""]
    assert len(built_in) > 200


def test_a_conversation_keeps_it_until_another_is_given(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Arr", times=6)
    for words in (["-S", PIRATE], [], ["-S", "You are a cook."], []):
        assert gptkit("ask", "ahoy", "-s", "sea", *words).code == 0
    assert gptkit("chat", "ahoy", "-c").code == 0  # which has such an option as well
    assert gptkit("ask", "ahoy").code == 0
    *kept, other = system_messages(server)
    assert kept == [PIRATE, PIRATE, "You are a cook.", "You are a cook.", "You are a cook."]
    assert other.startswith("Answer the user's question directly.")


def test_a_prompt_without_the_option_keeps_its_own(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Arr")
    server.say("法语。")
    assert gptkit("ask", "ahoy", "-s", "sea", "-S", PIRATE).code == 0
    assert gptkit("explain", "ahoy", "-s", "sea").code == 0
    assert PIRATE not in system_messages(server)[1]


def test_the_prompt_loop_has_it_and_keeps_what_is_set_there(
    screen: OnTerminal, gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    (folder / "pirate.txt").write_text(PIRATE, "utf-8")
    server.say("Arr", times=3)
    running = screen("chat", "-s", "sea", "-S", "@pirate.txt")
    running.wait_for("/help")
    running.send("ahoy\r")
    running.wait_for("Arr")
    running.send("/system You are a cook.\r")
    running.wait_for("You are a cook.")
    running.send("again\r")
    running.wait_for("again")
    running.send("/exit\r")
    assert running.wait_exit() == 0
    assert gptkit("chat", "later", "-s", "sea").code == 0
    assert system_messages(server) == [PIRATE, "You are a cook.", "You are a cook."]


def test_as_sent_and_render_show_it(gptkit: InMemory, folder: Path) -> None:
    (folder / "pirate.txt").write_text(PIRATE, "utf-8")
    for words in (["render", "ask"], ["show", "--as-sent", "ask"]):
        assert f"\n{PIRATE}\n" in gptkit("prompts", *words, "ahoy", "-S", "@pirate.txt").stdout


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("@none.txt", 66, "'none.txt': no such file"),
        ("@-", 2, "--system takes @FILE; standard input is the text to work on"),
    ],
)
def test_a_file_that_cannot_be_read(
    gptkit: InMemory, server: FakeServer, given: str, code: int, message: str
) -> None:
    assert gptkit("ask", "ahoy", "-S", given) == (code, "", failure(message))


def test_any_prompt_file_may_have_such_an_option(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    prompt(home, "description: x\nsystem: Own.\noptions: {rules: {type: system, short: S}}\n", "mine")
    server.say("ok", times=2)
    assert gptkit("prompts", "check", "mine") == (0, "mine: ok\n", "")
    assert gptkit("mine", "hi", "-S", "Given.").code == gptkit("mine", "hi").code == 0
    assert system_messages(server) == ["Given.", "Own."]


def test_its_default_is_the_message_of_the_file(gptkit: InMemory, home: Path) -> None:
    prompt(home, "description: x\noptions:\n  rules: {type: system, default: x}\n", "mine")
    file = home / "config" / "prompts" / "mine.yaml"
    told = f"{file}:3: options.rules.default: its default is the key 'system'\n"
    assert gptkit("prompts", "check", "mine").stdout == told
