"""The parts of the prompt loop that need no terminal: what a line means, what fits, what is kept."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from gptkit.core.errors import CannotWriteError, UsageError
from gptkit.core.redact import Redactor
from gptkit.core.table import fit_line, text_width
from gptkit.repl.actions import COMMANDS
from gptkit.repl.commands import TypedCommand, TypedMessage, is_open_block, parse_line
from gptkit.repl.completion import Completions, expand_path
from gptkit.repl.editor import FILE_CAP, LOADED_LINES, HistoryFile, status_line
from gptkit.repl.talk import Status

BY_NAME = {command.name: command for command in COMMANDS}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hello", "hello"),
        ("  indented\n", "  indented"),
        ("", None),
        (" \n ", None),
        ("//x", "/x"),
        ("///x", "//x"),
        ("/* a comment */\nint x;", "/* a comment */\nint x;"),
        ("/undo\nmore", "/undo\nmore"),
        ('"""\n/undo\n\nx\n"""', "/undo\n\nx"),
        ('"""\n"""', None),
        ('"""quoted""" words', '"""quoted""" words'),
        ("/undo", ("undo", "")),
        ("exit", ("exit", "")),
        ("quit ", ("exit", "")),
        ("help", ("help", "")),
        ("help me", "help me"),
        (" exit", " exit"),
        ('"""\nexit\n"""', "exit"),
        ("/system be\nbrief", ("system", "be\nbrief")),
        ("/save  a b.md ", ("save", "a b.md")),
        ("/model 通义", ("model", "通义")),
    ],
)
def test_what_a_line_means(line: str, expected: str | tuple[str, str] | None) -> None:
    found = parse_line(line, BY_NAME)
    if isinstance(found, TypedCommand):
        assert (found.command.name, found.argument) == expected
    else:
        assert found == (None if expected is None else TypedMessage(str(expected)))


@pytest.mark.parametrize("line", ["/sav x", "/", "/etc/passwd is what?", "/undo 2", "/fork", "/HELP"])
def test_what_is_no_command_is_not_sent(line: str) -> None:
    with pytest.raises(UsageError):
        parse_line(line, BY_NAME)


@pytest.mark.parametrize(
    ("text", "is_open"),
    [('"""', True), ('"""\nx', True), ('"""\nx\n"""', False), ('"""\n"""', False), ('x\n"""', False)],
)
def test_open_blocks(text: str, is_open: bool) -> None:
    assert is_open_block(text) is is_open


@pytest.mark.parametrize("width", range(1, 90))
@pytest.mark.parametrize("model", ["gpt-test", "通义千问" * 9, "x\x1b[2J\ny"])
def test_the_status_line_never_wraps(width: int, model: str) -> None:
    line = status_line(Status(model, 1_234_567, 2_000_000, 12.5, 20.0, True), width)
    assert text_width(line) < max(width, 1)
    assert line.isprintable()


@pytest.mark.parametrize(
    ("status", "width", "line"),
    [
        (Status("m", 999, None, None, None, False), 80, "m · 999 tokens"),
        (Status("m", 1500, 8000, None, 1.0, False), 80, "m · 1,500 of 8,000 tokens · price unknown of $1.00"),
        (Status("m", 1500, 8000, 0.25, 1.0, True), 30, "m · 1.5k/8.0k · ≈$0.25/$1.00"),
        (Status("m", 1500, 8000, 0.25, None, False), 14, "1.5k/8.0k"),
        (Status("m", 1500, 8000, 0.25, None, False), 5, ""),
    ],
)
def test_the_status_line(status: Status, width: int, line: str) -> None:
    assert status_line(status, width) == line


@pytest.mark.parametrize(("text", "line"), [("abc", "abc"), ("a\nb", "a b"), ("你好世界", "你好…"), ("", "")])
def test_what_fits(text: str, line: str) -> None:
    assert fit_line(text, 5) == line


def test_lines_come_back_as_they_were(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "data" / "h", Redactor())
    lines = ["one", "two\nlines", '"\\n"', "你好", "\u2028\x1b[2J"]
    old = os.umask(0)
    try:
        for line in lines:
            file.add(line)
    finally:
        os.umask(old)
    assert file.lines() == lines
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "h").stat().st_mode & 0o777 == 0o600


def test_damage_costs_no_more_than_the_damaged_line(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(b'"one"\n[1]\n\xff\xfe\n"cut off')
    file = HistoryFile(path, Redactor())
    file.add("two")
    assert file.lines() == ["one", "two"]


def test_keys_and_huge_pastes_are_not_kept(tmp_path: Path) -> None:
    secrets = Redactor()
    secrets.add(["sk-0123456789abcdef"])
    file = HistoryFile(tmp_path / "h", secrets)
    file.add("my key is sk-0123456789abcdef")
    file.add("x" * 100_000)
    (line,) = file.lines()
    assert "0123456789abcdef" not in line


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(b"".join(json.dumps(f"{number:>990}").encode() + b"\n" for number in range(1100)))
    file = HistoryFile(path, Redactor())
    file.add("new")
    assert path.stat().st_size < FILE_CAP
    lines = file.lines()
    assert lines[-1] == "new"
    assert lines[0].strip().isdecimal()
    assert len(lines) <= LOADED_LINES


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "h").symlink_to(tmp_path / "other")
    with pytest.raises(CannotWriteError):
        HistoryFile(tmp_path / "h", Redactor()).add("x")
    assert not (tmp_path / "other").exists()


def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(b"".join(b'"' + b"x" * 1000 + b'"\n' for _ in range(1100)))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add, args=(path, name)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = HistoryFile(path, Redactor()).lines()
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [
            f"{name}{number}" for number in range(50)
        ]


def _add(path: Path, name: str) -> None:
    for number in range(50):
        HistoryFile(path, Redactor()).add(f"{name}{number}")


def test_offers(tmp_path: Path) -> None:
    (tmp_path / "one.md").touch()
    (tmp_path / "only").mkdir()
    (tmp_path / ".hidden").touch()
    (tmp_path / "evil\x1b[2J").touch()
    (tmp_path / "evil\u202e").touch()
    offers = Completions(COMMANDS, {"HOME": str(tmp_path)}, list)
    assert [offer.text for offer in offers("/e")] == ["/edit ", "/editor ", "/exit"]
    assert [(offer.text, offer.replaced_length) for offer in offers("/file ~/on")] == [
        ("one.md", 2),
        ("only/", 2),
    ]
    assert {offer.text for offer in offers(f"/save {tmp_path}/")} == {"one.md", "only/"}
    assert [offer.text for offer in offers(f"/file {tmp_path}/.h")] == [".hidden"]
    assert offers("/file /nowhere/x") == offers("text") == offers("/undo x") == offers("/e\nx") == []


def test_paths_as_people_paste_them(folder: Path) -> None:
    (folder / "a b").touch()
    (folder / "c\\d").touch()
    assert expand_path("'./a b'", {}) == Path("a b")
    assert expand_path("./a\\ b", {}) == Path("a b")
    assert expand_path("./c\\d", {}) == Path("c\\d")
    assert expand_path("~/x", {"HOME": "/home/me"}) == Path("/home/me/x")
    assert expand_path("it's", {}) == Path("it's")
