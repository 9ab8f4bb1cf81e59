"""Input of prompts that declare what they take: arguments, files as options, no input at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import HELP_HINT, SAY, body, failure, prompt
from fake.program import InMemory
from fake.server import FakeServer

OK = (0, "Hi\n", "")
NO_QUESTION = failure("no question", "the first word after the command is the question")
TWICE = failure("standard input can be read only once")
LETTER = SAY + "options: {reply: {type: file}}\nuser: '{{ request }}|{{ text }}|{{ reply }}'\n"
TOPIC = SAY + "arguments: {topic: {}, text: {}}\nuser: '{{ topic }}|{{ request }}|{{ text }}'\n"
NUMBER = SAY + "arguments: {n: {type: integer}, text: {}}\nuser: '{{ n }} {{ text }}'\n"
ASKED = SAY + "arguments: {request: {}}\n"


def test_roleplay_takes_a_character_and_words(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Hi", times=4)
    assert gptkit("roleplay", "客栈掌柜", "还有", "空房吗？") == OK
    assert gptkit("roleplay", "Marta", stdin="Who goes there?") == OK
    assert gptkit("roleplay", "Marta", "Even the stable?", stdin="We are full.") == OK
    assert gptkit("roleplay", "Marta") == OK
    assert [request.user for request in server.requests] == [
        "还有 空房吗？\n",
        "Who goes there?\n",
        "We are full.\n\nEven the stable?\n",
        "*The player has come in and said nothing yet. Open the scene.*\n",
    ]
    assert ["客栈掌柜" in request.system for request in server.requests] == [True, False, False, False]


@pytest.mark.parametrize(
    ("args", "code", "errors"),
    [
        (["qa"], 66, NO_QUESTION),
        (["qa", "-"], 66, NO_QUESTION),
        (
            ["qa", "why?"],
            66,
            failure("no documents", "name files and folders after the question, or pipe a document in"),
        ),
        (
            ["roleplay"],
            2,
            "gptkit: missing argument 'CHARACTER'\nhint: 'gptkit roleplay --help' shows what it takes\n",
        ),
    ],
)
def test_what_is_missing_is_named(
    gptkit: InMemory, server: FakeServer, args: list[str], code: int, errors: str
) -> None:
    assert gptkit(*args) == (code, "", errors)
    assert server.requests == []


@pytest.mark.parametrize(
    ("text", "args", "stdin", "user"),
    [
        (ASKED, ["make it", "warm"], "text", "make it warm\n\ntext"),
        (ASKED, ["make it warm", "-"], "text", "make it warm\n\ntext"),
        (TOPIC, ["bees", "a", "b"], None, "bees||a b"),
        (TOPIC, ["bees"], "text", "bees||text"),
        (TOPIC, ["bees", "be", "brief"], "text", "bees|be brief|text"),
        (TOPIC, ["-", "words"], None, "-||words"),
        (
            SAY + "arguments: {n: {type: integer}, text: {}}\nuser: '{{ n }} {{ text }}'\n",
            ["3", "x"],
            None,
            "3 x",
        ),
        (
            SAY
            + "arguments: {all: {type: list}}\nuser: '{% for a in all %}<{{ a }}>{% endfor %}{{ text }}'\n",
            ["a", "-", "b c"],
            "text",
            "<a><-><b c>text",
        ),
    ],
)
def test_declared_arguments(
    gptkit: InMemory,
    server: FakeServer,
    home: Path,
    text: str,
    args: list[str],
    stdin: str | None,
    user: str,
) -> None:
    prompt(home, text)
    server.say("Hi")
    assert gptkit("say", *args, stdin=stdin) == OK
    assert server.request.user == user


@pytest.mark.parametrize(
    ("text", "args", "errors"),
    [
        (
            SAY + "user: '{{ text }}'\n",
            ["words"],
            failure("'say' takes words or a text from a file or pipe, not both"),
        ),
        (
            SAY + "arguments: {request: {}, text: {}}\n",
            ["make it warm", "words"],
            failure("'say' takes its text as words or from a file or pipe, not both"),
        ),
        (
            SAY + "input: none\nuser: hello\n",
            ["words"],
            "gptkit: unexpected argument 'words'\n" + HELP_HINT,
        ),
        (
            SAY + "input: none\nuser: hello\n",
            ["-f", "file"],
            failure("'say' takes no input from files or standard input"),
        ),
        (
            SAY + "input: none\nuser: hello\n",
            ["--stdin"],
            failure("'say' takes no input from files or standard input"),
        ),
        (LETTER, ["-f", "-", "--reply", "-"], TWICE),
        (LETTER, ["-", "--reply", "-"], TWICE),
        (LETTER, ["-f", "-", "-f", "-"], TWICE),
    ],
)
def test_what_does_not_go_together_is_refused(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path, text: str, args: list[str], errors: str
) -> None:
    prompt(home, text)
    (folder / "file").write_text("text")
    assert gptkit("say", *args, stdin="text") == (2, "", errors)
    assert server.requests == []


def test_a_prompt_without_input_leaves_standard_input_alone(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    prompt(home, SAY + "input: none\nuser: hello\n")
    server.say("Hi")
    assert gptkit("say", stdin=b"\xff\0 not text") == OK
    assert server.request.json == body("hello")


def test_optional_input_may_be_missing(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, SAY + "input: optional\nuser: '[{{ text }}]'\n")
    (folder / "empty").write_bytes(b"")
    server.say("Hi", times=4)
    assert gptkit("say") == OK
    assert gptkit("say", stdin=" \n") == OK
    assert gptkit("say", "-f", "empty") == OK
    assert gptkit("say", "words") == OK
    assert [request.user for request in server.requests] == ["[]", "[]", "[]", "[words]"]


@pytest.mark.parametrize(
    ("args", "stdin", "user"),
    [
        (["accept"], None, "|accept|"),
        (["accept", "--reply", "letter"], None, "|accept|您好\r\n"),
        (["accept", "--reply", "letter"], "notes", "accept|notes|您好\r\n"),
        (["accept", "--reply", "-"], "您好", "|accept|您好"),
        (["accept", "-f", "letter", "--reply", "-"], "您好", "accept|您好\r\n|您好"),
        (["accept", "--reply", "empty"], None, "|accept|"),
    ],
)
def test_an_option_that_is_a_file(
    gptkit: InMemory,
    server: FakeServer,
    home: Path,
    folder: Path,
    args: list[str],
    stdin: str | None,
    user: str,
) -> None:
    prompt(home, LETTER)
    (folder / "letter").write_bytes(b"\xef\xbb\xbf" + "您好\r\n".encode())
    (folder / "empty").write_bytes(b"")
    server.say("Hi")
    assert gptkit("say", *args, stdin=stdin) == OK
    assert server.request.user == user


def test_a_file_that_is_a_default_is_read(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, SAY + "options: {terms: {type: file, default: terms.csv}}\nuser: '{{ text }}|{{ terms }}'\n")
    assert gptkit("say", "x") == (66, "", failure("'terms.csv': no such file"))
    (folder / "terms.csv").write_text("a,b")
    server.say("Hi")
    assert gptkit("say", "x") == OK
    assert server.request.user == "x|a,b"


def test_a_file_that_is_an_option_must_be_text(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, LETTER)
    (folder / "letter").write_bytes(b"\xc4\xe3")
    result = gptkit("say", "x", "--reply", "letter")
    assert (result.code, result.stdout) == (65, "")
    assert result.stderr.startswith("gptkit: 'letter': not UTF-8")
    assert gptkit("say", "x", "--reply", ".") == (66, "", failure("'.': it is a folder"))
    assert gptkit("say", "x", "--reply", "gone") == (66, "", failure("'gone': no such file"))
    assert server.requests == []
