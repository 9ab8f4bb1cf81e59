"""`gptkit history`: what people see on a terminal, and what programs get in a pipe."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fake.program import InMemory, OnTerminal
from fake.server import FakeServer
from history_parts import conversation, ending, opening, store

from gptkit.core.chat import delimit
from gptkit.core.table import text_width
from gptkit.history.store import Store

LIST = r"([0-9a-hjkmnp-tv-z]{8})\t(.*)\t(.*)\t(\d+)\t(\d{4}-\d\d-\d\d \d\d:\d\d)\t(.*)\t(.*)\n"


@pytest.fixture
def kept(home: Path) -> Store:
    """Two sessions: `plan` with two turns, and one without a name, which is older."""
    found = store(home)
    found.finish(opening("say 世界", started=1.7e9), ending("世界"))
    conversation(found, found.create("plan", "chat"), "first question", "second **question**")
    return found


def test_list(gptkit: InMemory, kept: Store) -> None:
    code, output, errors = gptkit("history", "list")
    rows = re.findall(LIST, output)
    assert (code, errors, [row[1:4] for row in rows]) == (0, "", [("plan", "chat", "2"), ("-", "ask", "1")])
    assert [row[5:] for row in rows] == [("", "first question"), ("", "say 世界")]
    record = json.loads(gptkit("history", "list", "--json", "-n", "1").stdout)
    assert [(one["name"], one["turns"]) for one in record["sessions"]] == [("plan", 2)]
    assert re.findall(LIST, gptkit("history", "list", "--prompt", "ask").stdout) == rows[1:]


def test_the_list_on_a_terminal_names_its_columns_and_marks_what_failed(
    gptkit: InMemory, kept: Store
) -> None:
    kept.finish(opening("which\nwords " + "are long " * 9), ending("", state="failed"))
    kept.finish(opening("stopped"), ending("", state="cancelled"))
    heading, *lines = gptkit("history", "list", tty=True, width=120).stdout.splitlines()
    assert heading.split() == ["id", "name", "command", "turns", "last", "used", "state", "question"]
    assert lines[0].split()[-2:] == ["cancelled", "stopped"]
    assert "failed     which words are long are long are long…" in lines[1]
    assert lines[2].split()[-2:] == ["first", "question"]


def test_the_list_leaves_out_the_lines_around_a_text(gptkit: InMemory, kept: Store) -> None:
    sent = f"Make it warmer.\n{delimit('早上好', 'text', name='信.txt')}"
    kept.finish(opening(sent), ending("ok"))
    assert gptkit("history", "list").stdout.splitlines()[0].endswith("Make it warmer. 早上好")


def test_the_list_fits_a_terminal(gptkit: InMemory, kept: Store) -> None:
    kept.finish(opening("请把" + "早上好" * 12), ending("ok"))
    lines = gptkit("history", "list", tty=True, width=70).stdout.splitlines()
    assert max(map(text_width, lines)) <= 70
    assert re.search(r"请把(早上好)+早?上?…$", lines[1])


def test_asking_makes_no_store(gptkit: InMemory, home: Path) -> None:
    assert gptkit("history", "list") == (0, "", "")
    assert gptkit("history", "list", tty=True) == (0, "", "gptkit: no conversation is recorded\n")
    assert gptkit("history", "show") == (66, "", "gptkit: there is no session yet\n")
    assert gptkit("history", "search", "x") == (66, "", "gptkit: nothing found for 'x'\n")
    assert gptkit("history", "purge", "--all", "--yes") == (0, "removed 0 turns\n", "")
    assert not (home / "data").exists()


def test_show_in_a_pipe_is_markdown(gptkit: InMemory, kept: Store) -> None:
    code, output, errors = gptkit("history", "show", "plan")
    assert (code, errors) == (0, "")
    assert re.sub(r"User, .*", "User", output) == (
        "## User\n\nfirst question\n\n## Assistant, m\n\nanswer to first question\n\n"
        "## User\n\nsecond **question**\n\n## Assistant, m\n\nanswer to second **question**\n"
    )
    assert gptkit("history", "show").stdout == output
    assert "first" not in gptkit("history", "show", "plan", "--last", "1").stdout
    record = json.loads(gptkit("history", "show", "plan", "--json").stdout)
    assert [turn["user"] for turn in record["turns"]] == ["first question", "second **question**"]
    assert (record["session"]["name"], record["summary"]) == ("plan", None)


def test_show_on_a_terminal_is_rendered_and_obeys_nothing(gptkit: InMemory, kept: Store) -> None:
    kept.finish(opening("\x1b]0;pwned\x07"), ending("**bold** \x1b[2J", state="partial", cause="\x1b[31m"))
    output = gptkit("history", "show", kept.sessions(3)[0].id, tty=True).stdout
    assert "␛]0;pwned␇" in output
    assert "\x1b[1mbold\x1b[0m ␛[2J" in output
    assert "*partial: ␛[31m*" in output


def test_show_on_a_dumb_terminal_is_markdown(gptkit: InMemory, kept: Store) -> None:
    kept.finish(opening("x"), ending("**bold**\n\n- 世界\n"))
    output = gptkit("history", "show", kept.sessions(3)[0].id, tty=True, env={"TERM": "dumb"}).stdout
    assert output.endswith("Assistant, m\n**bold**\n\n- 世界\n")


def test_a_missing_session(gptkit: InMemory, kept: Store) -> None:
    expected = (66, "", "gptkit: no session named 'plann'\nhint: did you mean 'plan'?\n")
    for command in (("show", "plann"), ("rm", "plann"), ("fork", "plann", "x"), ("export", "plann")):
        assert gptkit("history", *command) == expected


def test_search(gptkit: InMemory, kept: Store) -> None:
    code, output, errors = gptkit("history", "search", "界")
    assert (code, errors) == (0, "")
    assert re.fullmatch(r"\w{8}\t1\t2023-11-1\d \d\d:\d\d\tsay 世界\n", output)
    shown = gptkit("history", "search", "QUESTION", "second", tty=True).stdout
    assert "\x1b[1msecond\x1b[0m **\x1b[1mquestion\x1b[0m**" in shown
    assert "first" not in shown
    (found,) = json.loads(gptkit("history", "search", "--json", "first").stdout)
    assert (found["user"], found["excerpt"]) == ("first question", "first question")


def test_rename_fork_and_rm(gptkit: InMemory, kept: Store) -> None:
    assert gptkit("history", "rename", "plan", "计划") == (0, "", "")
    forked = json.loads(gptkit("history", "fork", "计划", "copy", "--json").stdout)
    assert (forked["name"], forked["turns"]) == ("copy", 2)
    assert gptkit("history", "rm", "计划") == (0, "", "")
    assert json.loads(gptkit("history", "rm", "copy", "--json").stdout)["turns"] == 2
    assert len(kept.sessions(9)) == 1
    refused = "gptkit: 'a/b' cannot be the name of a session: it holds a path separator\n"
    assert gptkit("history", "rename", kept.sessions(1)[0].id, "a/b") == (2, "", refused)


def test_export_and_import(gptkit: InMemory, kept: Store, folder: Path, tmp_path: Path) -> None:
    whole = gptkit("history", "export").raw
    assert gptkit("history", "export", "--json").raw == whole
    assert gptkit("history", "export", "-o", "all.jsonl") == (0, "", "")
    assert ((folder / "all.jsonl").read_bytes(), (folder / "all.jsonl").stat().st_mode & 0o777) == (
        whole,
        0o600,
    )
    (folder / "all.jsonl").chmod(0o640)
    assert gptkit("history", "export", "-o", "all.jsonl") == (0, "", "")
    assert (folder / "all.jsonl").stat().st_mode & 0o777 == 0o640
    other = {"GPTKIT_HOME": str(tmp_path / "other")}
    imported = gptkit("history", "import", "all.jsonl", env=other)
    assert imported == (0, "imported 2 sessions, 3 turns\n", "")
    again = gptkit("history", "import", "-", stdin=whole, env=other)
    assert again == (0, "imported 0 sessions, 0 turns, 3 already there\n", "")
    assert gptkit("history", "export", env=other).raw == whole
    text = gptkit("history", "export", "plan", "--format", "markdown").stdout
    assert text.startswith("# plan\n\n## User, ")
    for file in (kept.path, folder):
        assert gptkit("history", "export", "-o", str(file)).code == 2


def test_a_wrong_import_names_file_and_line(gptkit: InMemory, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"gptkit":"history","version":1}\n{"turn":{}}\n')
    code, output, errors = gptkit("history", "import", "a.jsonl")
    assert (code, output, errors) == (65, "", "gptkit: 'a.jsonl': line 2: turn: 'uid' is missing\n")
    missing = (66, "", "gptkit: 'b.jsonl': no such file\n")
    assert gptkit("history", "import", "b.jsonl") == missing
    assert gptkit("history", "import", ".").code == 74


def test_purge_asks(gptkit: InMemory, kept: Store, screen: OnTerminal) -> None:
    unasked = (
        "gptkit: nothing was removed: there is no terminal to ask at\nhint: --yes removes without asking\n"
    )
    assert gptkit("history", "purge", "--all") == (83, "", unasked)
    neither = "gptkit: either --before or --all must be given\n"
    assert gptkit("history", "purge", "--yes") == (2, "", neither)
    no_day = "gptkit: --before: 'soon' is not a day\nhint: such as 2026-11-20, or 7d\n"
    assert gptkit("history", "purge", "--before", "soon", "--yes") == (2, "", no_day)
    kept.close()
    for answer, code in (("n", 83), ("y", 0)):
        shown = screen("history", "purge", "--before", "2025-01-01")
        shown.wait_for("Remove what was asked before 2025-01-01? [y/N]")
        shown.send(answer + "\r")
        assert shown.wait_exit() == code
    assert [one.name for one in kept.sessions(9)] == ["plan"]
    assert json.loads(gptkit("history", "purge", "--all", "--yes", "--json").stdout) == {"turns": 2}


def test_recover(gptkit: InMemory, kept: Store, home: Path) -> None:
    kept.close()
    path = home / "data" / "history.db"
    path.write_bytes(b"\xff" * 50 + path.read_bytes()[50:])
    code, output, errors = gptkit("history", "list")
    damaged = f"gptkit: '{path}': it is not gptkit's, or damaged\n"
    assert (code, output, errors) == (
        74,
        "",
        damaged + "hint: 'gptkit history recover' saves what is intact\n",
    )
    code, output, errors = gptkit("history", "recover")
    assert (code, output) == (0, "saved 3 turns, lost 0\n")
    assert re.fullmatch(rf"gptkit: the old file is '{re.escape(str(path))}\.damaged-[0-9-]+'\n", errors)
    assert len(re.findall(LIST, gptkit("history", "list").stdout)) == 2


def test_exchanges_are_there(gptkit: InMemory, server: FakeServer) -> None:
    server.answer(lambda request: f"to {request.user}")
    assert gptkit("ask", "one").code == 0
    assert gptkit("history", "show").stdout.endswith("\n\nto one\n")
