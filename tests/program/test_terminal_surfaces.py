"""Whatever foreign text comes in by, a terminal shows it and obeys none of it; a pipe gets it to the byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake.program import InMemory, OnTerminal, Surroundings
from fake.received import Received
from fake.replies import Reply, failed, listed, said
from fake.server import FakeServer

SEQUENCES = (
    *(f"\x1b]{number};x;ZXZpbA==\x07" for number in (0, 2, 4, 8, 9, 52, 777, 1337)),
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bPdcs\x1b\\",
    "\x1b_apc\x1b\\",
    "\x1b^pm\x1b\\",
    "\x1bXsos\x1b\\",
    "\x1b[2J\x1b[3;3H\x1b[6n\x1b[?1049h\x1b[?2004h\x1b[5i\x1b[20t\x1b[>c\x1bc\x1b#8\x1b(0\x1b[!p",
    "\x1b[38;5;199m",
    "safe\rEVIL",
    "abc\b\b\bEVIL",
    "\u202eevil\u202c\u2066x\u2069\u200e\u200f\u061c",
    "a\u200bb\u2060c\ufeffd\u00ade",
    "\U000e0001\U000e0041\U000e007f",
    "\u2028\u2029\x85",
    "".join(chr(number) for number in (*range(1, 9), *range(11, 32), *range(127, 160))),
    "[red]markup[/red][link=http://evil.example]x[/link]",
)
HOSTILE = "<" + "|".join(SEQUENCES) + ">"
NAMED = HOSTILE.replace("/", "").replace("\n", "")
"""What a file system takes."""
KEYED = HOSTILE[:40] + "\u202eevil\r\x9b2J\u200b\U000e0041"
"""What YAML takes for a key."""
WIDE = 2000
"""Columns for which no message is broken."""
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|[0-9]*A|K|J|\?7[lh]|\?25[lh])|\r")
HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u00ad\U000e0000-\U000e007f]"
)


def obeyed(*texts: str) -> list[str]:
    """What a terminal would act on in a text, but for the colours and moves of gptkit itself."""
    return [
        found
        for text in texts
        for found in (*HARMFUL.findall(OWN.sub("", text)), *re.findall("\x1b.{1,6}199m", text))
    ]


@pytest.fixture
def prompts(home: Path) -> Path:
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    return folder


def yaml(text: str) -> str:
    """A quoted scalar in ASCII: YAML itself takes no controls, and no halves of a character."""
    return '"' + "".join(f"\\U{ord(each):08x}" for each in text) + '"'


def hostile_prompt(folder: Path) -> None:
    folder.joinpath("hostile.yaml").write_text(
        f"description: {yaml(HOSTILE)}\n"
        f"system: {yaml(HOSTILE)}\n"
        "options:\n"
        f"  tone: {{choices: [{yaml(HOSTILE)}, b], default: {yaml(HOSTILE)}, help: {yaml(HOSTILE)}}}\n"
        f"  words: {{type: list, default: [{yaml(HOSTILE)}], help: {yaml(HOSTILE)}}}\n"
        f"arguments: {{text: {{help: {yaml(HOSTILE)}}}}}\n"
        "user: '{{ text }} {{ tone }} {{ words }}'\n"
        f"tests: [{{text: a, reply: {yaml(HOSTILE)}, expect: {{equals: {yaml(HOSTILE[1:])}}}}}]\n"
    )


@pytest.mark.parametrize(
    "args", [("ask",), ("translate",), ("ask", "--raw"), ("code", "--raw")], ids=" ".join
)
def test_answers_on_a_terminal(gptkit: InMemory, server: FakeServer, args: tuple[str, ...]) -> None:
    server.say(HOSTILE, reasoning=HOSTILE, pieces=50)
    shown = gptkit(*args, "hi", tty=True, width=200)
    assert obeyed(shown.stdout, shown.stderr) == []
    assert shown.code == (80 if args == ("translate",) else 0)  # no translation of the text


@pytest.mark.parametrize("args", [("ask",), ("ask", "--raw"), ("code", "--raw")], ids=" ".join)
def test_answers_in_a_pipe(gptkit: InMemory, server: FakeServer, args: tuple[str, ...]) -> None:
    server.say(HOSTILE, reasoning=HOSTILE, pieces=50)
    assert gptkit(*args, "hi").raw == HOSTILE.encode() + b"\n"


MARKDOWN = (
    "# {0}\n\n**{0}** `{0}` [{0}](http://x.example/{1}) ![{0}](http://y.example)\n\n- {0}\n\n"
    "| {0} |\n|---|\n| {0} |\n\n"
    "```{1}\n{0}\n```\n\n<div>{0}</div>\n\n> {0}\n\n&#27;[2J &#x9b;2J &#x202e; &ZeroWidthSpace; \\\x1b[2J\n"
)


@pytest.mark.parametrize("width", [20, 80, 300])
def test_markdown(gptkit: InMemory, server: FakeServer, width: int) -> None:
    """Also what Markdown itself can spell: entities, titles, languages of code."""
    text = MARKDOWN.format(HOSTILE.replace("|", ""), "\x1b]52;c;x\x07\u202e")
    server.say(text, pieces=400)
    code, output, errors = gptkit("ask", "hi", tty=True, width=width)
    assert code == 0
    assert obeyed(output, errors) == []


@pytest.mark.parametrize("args", [("ask", "hi"), ("translate", "hi")])
def test_on_a_real_terminal(screen: OnTerminal, server: FakeServer, args: tuple[str, ...]) -> None:
    server.say(HOSTILE, pieces=40)
    running = screen(*args, columns=200)
    assert running.wait_exit() == (80 if args[0] == "translate" else 0)
    raw = running.raw.decode().replace("\r\n", "\n")
    assert obeyed(raw) == []
    assert "EVIL" in running.text


def failures() -> dict[str, Reply]:
    return {
        "refusal": said("", refusal=HOSTILE),
        "finish": said("x", finish=HOSTILE),
        "model": said("", model=HOSTILE),
        "message": failed(400, message=HOSTILE),
        "parameter": failed(400, {"error": {"message": HOSTILE, "param": HOSTILE, "code": HOSTILE}}),
        "key": failed(401, message=HOSTILE),
        "html": failed(502, f"<html><title>{HOSTILE}</title></html>", headers={"x-should-retry": "false"}),
        "text": failed(404, HOSTILE),
    }


@pytest.mark.parametrize("failure", failures())
@pytest.mark.parametrize("tty", [True, False])
def test_failures(gptkit: InMemory, server: FakeServer, home: Path, failure: str, tty: bool) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.yaml").write_text("attempts: 1\n")
    server.queue(failures()[failure], times=2)
    for args in (("ask", "hi", "-v"), ("translate", "hi", "--json")):
        code, output, errors = gptkit(*args, tty=tty, width=WIDE)
        assert code not in (0, 1, 70)
        assert obeyed(errors) == []
        assert not tty or obeyed(output) == []
        assert errors.count("\n") <= 3


def test_models_and_doctor(gptkit: InMemory, server: FakeServer) -> None:
    def answer(request: Received) -> Reply:
        return listed(HOSTILE, "b\nok    forged row") if request.path.endswith("models") else said(HOSTILE)

    server.answer(answer)
    for args in (("models",), ("models", "--json"), ("doctor",)):
        code, output, errors = gptkit(*args, tty=True)
        assert code == 0, (args, output, errors)
        assert obeyed(output, errors) == []
        assert not re.search("^ok    forged", output, re.MULTILINE)


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("hostile", "--help"),
        ("hostile", "--tone", HOSTILE[1:], "x"),
        ("hostile", HOSTILE.replace("\x00", ""), "--dry-run"),
        ("hostile", "x", "--model", "echo"),
        ("prompts", "list"),
        ("prompts", "list", "--json"),
        ("prompts", "show", "hostile"),
        ("prompts", "check", "hostile"),
        ("prompts", "render", "hostile", "x"),
        ("prompts", "render", "hostile", "x", "--json"),
        ("prompts", "render", "hostile", "--help"),
        ("prompts", "test", "hostile"),
    ],
    ids=lambda args: " ".join(args)[:40].encode("unicode_escape").decode(),
)
def test_prompts(gptkit: InMemory, prompts: Path, args: tuple[str, ...]) -> None:
    hostile_prompt(prompts)
    assert gptkit("prompts", "check", "hostile") == (0, "hostile: ok\n", "")
    code, output, errors = gptkit(*args, tty=True, width=120)
    assert code in (0, 2, 65), errors
    assert output or errors
    assert obeyed(output, errors) == []


def test_names_of_prompt_files(gptkit: InMemory, prompts: Path) -> None:
    for part in (NAMED[:80], NAMED[80:150]):
        (prompts / f"{part}.yaml").write_text("system: '{{ nothing }}'\n")
    for args in (("--help",), ("prompts", "list"), ("prompts", "check"), ("prompts", "test"), (NAMED[:80],)):
        code, output, errors = gptkit(*args, tty=True)
        assert code in (0, 2, 65), errors
        assert obeyed(output, errors) == []


def test_names_of_files(gptkit: InMemory, around: Surroundings) -> None:
    folder = around.folder / NAMED[:60]
    folder.mkdir()
    (folder / "gbk").write_bytes(b"\xff\xfe\xfd" * 9)
    commands: list[tuple[str, ...]] = [
        ("ask", "-f", NAMED[:60], "hi"),
        ("ask", "-f", f"{NAMED[:60]}/none", "hi"),
        ("ask", "-f", f"{NAMED[:60]}/gbk", "hi"),
        ("ask", "-o", f"{NAMED[:60]}/none/none", "hi"),
        ("prompts", "check", f"{NAMED[:60]}.yaml"),
        ("prompts", "show", NAMED),
        (NAMED,),
        ("ask", f"--{NAMED}"),
        ("ask", "hi", "--param", NAMED),
        ("ask", "hi", "--profile", NAMED),
        ("ask", "hi", "--base-url", NAMED),
        ("ask", "hi", "--encoding", NAMED, "-f", f"{NAMED[:60]}/gbk"),
        ("config", "get", NAMED),
        ("config", "set", NAMED, "x"),
        ("profiles", "use", NAMED),
        ("keys", "remove", NAMED),
    ]
    for args in commands:
        for tty in (True, False):
            code, output, errors = gptkit(*args, tty=tty, width=WIDE)
            assert code not in (0, 1, 70), (args, errors)
            assert obeyed(output, errors) == [], args
            assert errors.count("\n") <= 2, args


def test_settings(gptkit: InMemory, home: Path, around: Surroundings) -> None:
    """A file may hold more than `config set` takes; so may the environment and a project's file."""
    project = around.folder / ".gptkit"
    project.mkdir()
    (project / "config.yaml").write_text(f"{yaml(KEYED)}: {yaml(HOSTILE)}\nmarkdown: {yaml(HOSTILE)}\n")
    (home / "config").mkdir()
    file = home / "config" / "config.yaml"
    file.write_text(
        f"parameters: {{{yaml(KEYED)}: {yaml(HOSTILE)}}}\n"
        f"profiles: {{p: {{parameters: {{a: {yaml(HOSTILE)}}}}}}}\n"
    )
    commands = (
        ("config", "list"),
        ("config", "list", "--json"),
        ("profiles", "list"),
        ("profiles", "show", "p"),
    )
    for args in (*commands, ("config", "get", "parameters")):
        code, output, errors = gptkit(*args, tty=True)
        assert code == 0, errors
        assert obeyed(output, errors) == [], args
    for text in (
        f"{yaml(KEYED)}: 1\n",
        f"model: {yaml(HOSTILE)}\n",
        f"profiles: {{{yaml(KEYED)}: {{}}}}\n",
        HOSTILE,
    ):
        file.write_text(text)
        for args in (*commands, ("ask", "hi")):
            code, output, errors = gptkit(*args, tty=True)
            assert (code, output, obeyed(errors)) == (78, "", []), args
    file.unlink()
    code, output, errors = gptkit(
        "config", "list", tty=True, env={"GPTKIT_MODEL": HOSTILE, "HTTPS_PROXY": HOSTILE}
    )
    assert obeyed(output, errors) == []
    (home / "config" / "keys.yaml").write_text(
        f"{yaml(KEYED)}: sk-0123456789abcdef\n{yaml('b' + KEYED)}: []\n"
    )
    (home / "config" / "keys.yaml").chmod(0o600)
    code, output, errors = gptkit("keys", "list", tty=True)
    assert (code, obeyed(output, errors)) == (78, [])
    (home / "config" / "keys.yaml").write_text(f"{yaml(KEYED)}: sk-0123456789abcdef\n")
    code, output, errors = gptkit("keys", "list", tty=True)
    assert (code, obeyed(output, errors), "evil" in output) == (0, [], True)
