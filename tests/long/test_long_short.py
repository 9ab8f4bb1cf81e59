"""A text that one exchange could hold: compared with its answer wherever a program reads that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from delimiters import between
from fake.program import AsProcess, InMemory, OnTerminal
from fake.received import Received
from fake.server import FakeServer

NOTES = "# 发布\n\nIt moves to Monday.\n"
GOOD = "# Freigabe\n\nSie ist am Montag.\n"
LOST = "Freigabe\n\nSie ist am Montag.\n"
TO_FILE = "import subprocess as s, sys; sys.exit(s.call([*sys.argv[2:]], stdout=open(sys.argv[1], 'wb')))"


@pytest.fixture
def notes(folder: Path) -> Path:
    path = folder / "notes.md"
    path.write_text(NOTES, "utf-8")
    return path


def text_of(request: Received) -> str:
    return between(request.json["messages"][1]["content"])


def translate(*more: str) -> list[str]:
    return ["translate", "--to", "German", *more]


def test_into_a_file_it_is_proved_and_free_the_second_time(
    gptkit: InMemory, server: FakeServer, notes: Path
) -> None:
    server.say(LOST)
    server.say(GOOD)
    assert gptkit(*translate("-f", "notes.md", "-o", "out.md")) == (0, "", "")
    assert (notes.parent / "out.md").read_text() == GOOD
    assert "heading of level 1 became paragraph" in server.requests[1].json["messages"][-1]["content"]
    assert gptkit(*translate("-o", "again.md"), stdin=NOTES) == (0, "", "")
    assert (notes.parent / "again.md").read_text() == GOOD
    assert len(server.requests) == 2


def test_what_cannot_be_proved_is_not_written_but_beside_a_file(
    gptkit: InMemory, server: FakeServer, notes: Path
) -> None:
    server.answer(lambda _: LOST)
    code, output, errors = gptkit(*translate("-f", "notes.md", "-o", "out.md"))
    assert (code, output) == (80, "")
    assert "heading of level 1 became paragraph" in errors
    assert not (notes.parent / "out.md").exists()
    assert (notes.parent / "out.md.partial").read_text("utf-8") == LOST
    assert gptkit(*translate("-f", "notes.md"))[:2] == (80, "")


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script there")
def test_a_redirection_and_a_pipe_are_one_road(run: AsProcess, server: FakeServer, notes: Path) -> None:
    into = (sys.executable, "-c", TO_FILE, "out.md", sys.executable, "-m", "gptkit")
    server.say(LOST)
    server.say(GOOD)
    assert run(*translate("-f", "notes.md"), command=into) == (0, "", "")
    assert (notes.parent / "out.md").read_text() == GOOD
    assert run(*translate("-f", "notes.md")) == (0, GOOD, "")
    assert len(server.requests) == 2


def test_at_a_terminal_it_streams(screen: OnTerminal, server: FakeServer, notes: Path) -> None:
    server.say(LOST)
    shown = screen(*translate("-f", "notes.md"))
    assert shown.wait_exit() == 80
    assert "Sie ist am Montag." in shown.text
    assert server.requests[0].json["stream"] is True


def test_the_history_has_the_text_and_the_answer(gptkit: InMemory, server: FakeServer, notes: Path) -> None:
    long = "".join(f"Zeile {number} von vielen.\n\n" for number in range(300))
    for text in (NOTES, long):
        notes.write_text(text, "utf-8")
        server.answer(text_of)
        assert gptkit(*translate("-f", "notes.md", "-o", "out.md")).code == 0
        shown = json.loads(gptkit("history", "show", "--json").stdout)
        (turn,) = shown["turns"]
        assert (text in turn["user"], turn["answer"].strip()) == (True, text.strip())


@pytest.mark.parametrize(
    "more",
    [
        ["--session", "talk", "-f", "notes.md", "-o", "out.md"],
        ["--response", "-f", "notes.md", "-o", "out.md"],
    ],
    ids=["session", "response"],
)
def test_one_exchange_where_more_are_not_wanted(
    gptkit: InMemory, server: FakeServer, notes: Path, more: list[str]
) -> None:
    server.say(LOST, stream=False)
    assert gptkit(*translate(*more)).code == 0
    assert len(server.requests) == 1
    assert not (notes.parent / "out.md.partial").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script there")
def test_a_plan_that_goes_to_a_file_is_that_of_the_exchange(run: AsProcess, notes: Path) -> None:
    into = (sys.executable, "-c", TO_FILE, "plan.json", sys.executable, "-m", "gptkit")
    assert run(*translate("--dry-run", "-f", "notes.md"), command=into) == (0, "", "")
    assert "messages" in json.loads((notes.parent / "plan.json").read_text("utf-8"))["body"]


def test_a_result_for_the_whole_is_one_exchange(gptkit: InMemory, server: FakeServer, notes: Path) -> None:
    server.say("It moves.")
    assert gptkit("summarize", "-f", "notes.md", "-o", "out.md").code == 0
    assert (notes.parent / "out.md").read_text() == "It moves.\n"


def test_the_response_of_a_text_that_takes_several_is_refused(gptkit: InMemory, folder: Path) -> None:
    (folder / "notes.md").write_text(NOTES * 2000, "utf-8")
    code, output, errors = gptkit(*translate("--response", "-f", "notes.md"))
    assert (code, output) == (2, "")
    assert errors == "gptkit: --response works for a single request, and this text needs several\n"


def test_only_prose_goes_on_in_the_next_file(gptkit: InMemory, server: FakeServer, notes: Path) -> None:
    for name, text in {"a.json": '{"a": "b"}', "b.yaml": "a: b\n", "more.txt": "More.\n"}.items():
        (notes.parent / name).write_text(text)
    hint = "hint: --output-dir FOLDER works on each file by itself\n"
    refused = (2, "", f"gptkit: 'a.json' and 'b.yaml' cannot be joined into one json input\n{hint}")
    assert gptkit(*translate("-f", "a.json", "-f", "b.yaml")) == refused
    server.answer(text_of)
    assert gptkit(*translate("-f", "notes.md", "-f", "more.txt", "-o", "out.md")).code == 0
    assert (notes.parent / "out.md").read_text("utf-8") == NOTES + "More.\n"
    assert gptkit("summarize", "-f", "a.json", "-f", "b.yaml").code == 0


def test_the_rule_for_a_format_goes_out_with_that_format(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    (folder / "de.json").write_text('{"hello": "Good morning"}')
    (folder / "de.txt").write_text("Good morning")
    server.say("Guten Morgen", times=2)
    for name in ("de.json", "de.txt"):
        assert gptkit(*translate("-f", name, "--no-memory")).code == 0
    rules = ["never keys" in request.system for request in server.requests]
    assert rules == [True, False]
