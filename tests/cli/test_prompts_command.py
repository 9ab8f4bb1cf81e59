"""`gptkit prompts`: every subcommand, in a pipe and on a terminal, with whole, broken and hostile files."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from fake.program import InMemory, OnTerminal
from fake.server import FakeServer

BUILT_IN = Path(__file__).parents[2] / "prompts"
GOOD = """\
description: Say it.
system: Say {{ word }}.
options: {word: {default: hello, short: w}}
output: text
"""
BROKEN = "description: Say it.\nsytem: Say.\noptions:\n  to: {typ: text}\n"
TESTED = (
    GOOD + "tests:\n- {text: a, reply: b, expect: {equals: b}}\n- {text: a, reply: b, expect: {equals: c}}\n"
)
UNTRUSTED = "hint: read what is in '{}', then run 'gptkit prompts trust'\n"
NUL, PICTURE = "\0", "␀"
TAKES_BACK = "'gptkit prompts rm ask' takes that back"
BAD_NAME = "a command's name is made of a-z, 0-9 and '-', starts with a letter, 64 at most"


@pytest.fixture
def mine(home: Path) -> Path:
    """The user's folder of prompts."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def project(folder: Path) -> Path:
    """The folder of the project's prompts, with one prompt that nobody trusts yet."""
    prompts = folder / ".gptkit" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "deploy.yaml").write_text(GOOD)
    return prompts


class TestList:
    def test_has_all_with_their_origin(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "haiku.yaml").write_text(GOOD)
        (mine / "ask.yaml").write_text("extends: ask\ndescription: Ask me.\n")
        code, output, errors = gptkit("prompts", "list")
        assert (code, errors) == (0, "")
        rows = dict(line.split("\t", 1) for line in output.splitlines())
        assert list(rows) == sorted([*(path.stem for path in BUILT_IN.glob("*.yaml")), "haiku"])
        assert rows["haiku"] == "user\tSay it."
        assert rows["ask"] == f"user\tAsk me. (shadows {BUILT_IN / 'ask.yaml'})"
        assert rows["tutor"].startswith("built-in\tLearn")

    def test_as_json(self, gptkit: InMemory, mine: Path, project: Path) -> None:
        (mine / "ask.yaml").write_text(BROKEN)
        code, output, errors = gptkit("prompts", "list", "--json")
        assert (code, errors) == (0, "")
        found = json.loads(output)
        assert found["untrusted"] == ["deploy.yaml"]
        prompts = {one["name"]: one for one in found["prompts"]}
        assert prompts["ask"] == {
            "name": "ask",
            "origin": "user",
            "description": "",
            "problem": f"{mine / 'ask.yaml'}:2: sytem: unknown key (and 1 more)",
            "path": str(mine / "ask.yaml"),
            "shadows": [str(BUILT_IN / "ask.yaml")],
        }
        assert prompts["chat"]["problem"] is None
        assert "deploy" not in prompts

    def test_says_what_is_not_trusted(self, gptkit: InMemory, project: Path) -> None:
        (project / "release.yml").write_text(GOOD)
        code, _, errors = gptkit("prompts", "list")
        told = "not trusted in this project: deploy.yaml, release.yml ('gptkit prompts trust')"
        assert (code, errors) == (0, f"gptkit: {told}\n")

    def test_hostile_names_and_texts_stay_on_their_line(
        self, gptkit: InMemory, screen: OnTerminal, mine: Path
    ) -> None:
        for name in ("a\x1b[2Jb", "c\nd\te", "..", "My Haiku", "ｆull", "prompts", "x" * 65):
            (mine / f"{name}.yaml").write_text(GOOD)
        (mine / "red.yaml").write_text('description: "[red]\\e]52;c;eA==\\a :smile:"\n')
        code, output, errors = gptkit("prompts", "list")
        assert (code, errors) == (0, "")
        rows = dict(line.split("\t", 1) for line in output.splitlines())
        assert len(rows) == len(list(BUILT_IN.glob("*.yaml"))) + 7
        assert all(row.startswith(("user\t", "built-in\t")) for row in rows.values())
        for name in ("a␛[2Jb", "c d e", "My Haiku", "ｆull", "x" * 65):
            assert f": {BAD_NAME}" in rows[name]
        assert rows["prompts"].endswith("this name belongs to a command of gptkit itself")
        assert rows["red"] == "user\t[red]␛]52;c;eA==␇ :smile:"
        shown = screen("prompts", "list", columns=200, rows=40)
        assert shown.wait_exit() == 0
        assert "[red]␛]52;c;eA==␇ :smile:" in shown.text
        assert b"\x1b" not in shown.raw


class TestShowAndPath:
    def test_show_prints_the_file_to_the_byte(self, gptkit: InMemory, mine: Path) -> None:
        data = "\ufeff# 注释\r\ndescription: x \x1b[2J\r\n\n".encode()
        (mine / "odd.yaml").write_bytes(data)
        result = gptkit("prompts", "show", "odd")
        assert (result.code, result.raw, result.stderr) == (0, data, "")

    def test_a_terminal_does_not_obey_it(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "odd.yaml").write_bytes("\ufeffdescription: 注\n".encode() + b"# \xff\x1b[2J\n")
        assert gptkit("prompts", "show", "odd", tty=True) == (0, "description: 注\n# \ufffd␛[2J\n", "")

    def test_path(self, gptkit: InMemory, home: Path) -> None:
        mine = home / "config" / "prompts"
        assert gptkit("prompts", "path") == (0, f"{mine}\n", "")
        assert gptkit("prompts", "path", "ask") == (0, f"{BUILT_IN / 'ask.yaml'}\n", "")
        assert not mine.exists()

    @pytest.mark.parametrize("command", ["show", "path", "edit", "check", "test", "render"])
    def test_an_unknown_name(self, gptkit: InMemory, command: str) -> None:
        hint = (
            "'gptkit prompts new haiku' makes one" if command == "edit" else "'gptkit prompts list' shows all"
        )
        expected = (66, "", f"gptkit: no prompt named 'haiku'\nhint: {hint}\n")
        assert gptkit("prompts", command, "haiku") == expected

    @pytest.mark.parametrize(
        "name", ["../secret", "/etc/passwd", ".", "..", "ask\0", "a" * 300, "ａsk", "a/b"]
    )
    def test_a_name_is_never_a_path(self, gptkit: InMemory, mine: Path, name: str) -> None:
        (mine.parent / "secret.yaml").write_text(GOOD)
        for command in ("show", "path", "render", "edit", "check"):
            code, output, errors = gptkit("prompts", command, name)
            assert (code, output) == (66, "")
            assert errors.startswith(f"gptkit: no prompt named '{name.replace(NUL, PICTURE)}'\nhint: ")

    def test_a_file_whose_name_cannot_be_a_commands_is_told(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "My Haiku.yaml").write_text(GOOD)
        (mine / "version.yaml").write_text(GOOD)
        assert gptkit("prompts", "show", "My Haiku") == (0, GOOD, "")
        problem = f"'{mine / 'My Haiku.yaml'}': {BAD_NAME}"
        assert gptkit("My Haiku") == (65, "", f"gptkit: {problem}\nhint: rename the file\n")
        reserved = f"'{mine / 'version.yaml'}': this name belongs to a command of gptkit itself"
        assert gptkit("version") == (65, "", f"gptkit: {reserved}\nhint: rename the file\n")
        code, output, _ = gptkit("--help")
        assert code == 0
        assert "(broken: 'gptkit prompts check 'My Haiku'' says why)" in " ".join(output.split())
        code, output, _ = gptkit("prompts", "check", "My Haiku")
        assert (code, output) == (65, f"{mine / 'My Haiku.yaml'}:1: {BAD_NAME}\n")


class TestNew:
    def test_what_it_writes_is_a_command_that_passes(self, gptkit: InMemory, home: Path) -> None:
        file = home / "config" / "prompts" / "polish.yaml"
        assert gptkit("prompts", "new", "polish") == (0, f"{file}\n", "")
        assert file.stat().st_mode & 0o777 == 0o600
        assert gptkit("prompts", "check", "polish") == (0, "polish: ok\n", "")
        assert gptkit("prompts", "test", "polish") == (0, "polish: 1 passed, 0 failed\n", "")
        assert gptkit("polish", "--model", "echo", stdin="gimme\n", key=None) == (0, "gimme\n", "")
        code, output, errors = gptkit(
            "prompts", "render", "polish", "-S", "formal", "--audience", "us", "gimme"
        )
        assert (code, errors) == (0, "")
        assert "so that it is formal." in output
        assert "Write for us." in output
        assert output.endswith("--- user\ngimme\n")
        code, output, _ = gptkit("polish", "--help")
        assert code == 0
        assert "-S, --style CHOICE" in output
        text = file.read_text("utf-8")
        assert text.count("gptkit polish") >= 2
        assert "{name}" not in text

    def test_its_comments_are_keys_that_exist(self, gptkit: InMemory, home: Path) -> None:
        assert gptkit("prompts", "new", "polish").code == 0
        file = home / "config" / "prompts" / "polish.yaml"
        text = file.read_text("utf-8")
        commented = ('# user: "', "# examples:", "#   - {user:", "# parameters:", "#   temperature:")
        for line in commented:
            assert f"\n{line}" in text
            text = text.replace(f"\n{line}", f"\n{line.removeprefix('# ').removeprefix('#')}")
        file.write_text(text, "utf-8")
        assert gptkit("prompts", "check", "polish") == (0, "polish: ok\n", "")

    def test_from_another(self, gptkit: InMemory, home: Path) -> None:
        file = home / "config" / "prompts" / "mine.yaml"
        assert gptkit("prompts", "new", "mine", "--from", "translate") == (0, f"{file}\n", "")
        assert file.read_bytes() == (BUILT_IN / "translate.yaml").read_bytes()
        assert gptkit("prompts", "test", "mine") == (0, "mine: 3 passed, 0 failed\n", "")
        hint = "hint: 'gptkit prompts list' shows all\n"
        assert gptkit("prompts", "new", "x", "--from", "y") == (
            66,
            "",
            f"gptkit: no prompt named 'y'\n{hint}",
        )

    @pytest.mark.parametrize("ending", ["yaml", "yml"])
    def test_nothing_is_overwritten(self, gptkit: InMemory, mine: Path, ending: str) -> None:
        file = mine / f"haiku.{ending}"
        file.write_text(GOOD)
        told = f"gptkit: '{file}': it exists already\nhint: 'gptkit prompts edit haiku' opens it\n"
        assert gptkit("prompts", "new", "haiku") == (2, "", told)
        assert [path.name for path in mine.iterdir()] == [file.name]
        assert file.read_text() == GOOD

    def test_it_says_what_it_replaces(self, gptkit: InMemory, home: Path) -> None:
        file = home / "config" / "prompts" / "ask.yaml"
        told = f"gptkit: '{file}' replaces '{BUILT_IN / 'ask.yaml'}'; {TAKES_BACK}\n"
        assert gptkit("prompts", "new", "ask") == (0, f"{file}\n", told)

    @pytest.mark.parametrize(
        "name", ["My", "../x", "", "a b", "1st", "-x", "a" * 65, "诗", "a\nb", "con.yaml"]
    )
    def test_a_bad_name(self, gptkit: InMemory, home: Path, name: str) -> None:
        code, output, errors = gptkit("prompts", "new", "--", name)
        shown = name.replace("\n", " ")
        assert (code, output, errors) == (2, "", f"gptkit: '{shown}': {BAD_NAME}\n")
        assert not list(home.rglob("*.yaml"))

    @pytest.mark.parametrize("name", ["prompts", "config", "history", "gptkit"])
    def test_a_reserved_name(self, gptkit: InMemory, name: str) -> None:
        told = f"gptkit: '{name}': this name belongs to a command of gptkit itself\n"
        assert gptkit("prompts", "new", name) == (2, "", told)

    def test_a_link_that_leads_nowhere_is_not_followed(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "haiku.yaml").symlink_to(mine.parent / "elsewhere")
        assert gptkit("prompts", "new", "haiku").code == 2
        assert not (mine.parent / "elsewhere").exists()


class TestRemove:
    def test_the_built_in_one_counts_again(self, gptkit: InMemory, mine: Path) -> None:
        file = mine / "ask.yaml"
        file.write_text(GOOD)
        told = f"removed '{file}'; 'ask' is '{BUILT_IN / 'ask.yaml'}' again\n"
        assert gptkit("prompts", "rm", "ask") == (0, told, "")
        assert not file.exists()
        hint = "hint: 'gptkit prompts new ask' replaces it\n"
        assert gptkit("prompts", "rm", "ask") == (2, "", f"gptkit: 'ask' is built in\n{hint}")

    def test_even_one_that_no_command_can_be(self, gptkit: InMemory, mine: Path) -> None:
        file = mine / "My Poem.yaml"
        file.write_text(BROKEN)
        assert gptkit("prompts", "rm", "My Poem") == (0, f"removed '{file}'\n", "")
        assert not file.exists()

    def test_what_is_not_the_users_stays(self, gptkit: InMemory, project: Path) -> None:
        assert gptkit("prompts", "trust").code == 0
        code, output, errors = gptkit("prompts", "rm", "deploy")
        assert (code, output) == (2, "")
        assert "belongs to the project\nhint: 'gptkit prompts trust --remove'" in errors
        assert gptkit("prompts", "rm", "nobody").code == 66


class TestCheck:
    def test_all_that_is_wrong_by_line_and_key(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "good.yaml").write_text(GOOD)
        (mine / "broken.yaml").write_text(BROKEN)
        code, output, errors = gptkit("prompts", "check")
        file = mine / "broken.yaml"
        assert (code, errors) == (65, "gptkit: 1 broken prompt file\n")
        lines = output.splitlines()
        assert [line for line in lines if not line.endswith(": ok")] == [
            f"{file}:2: sytem: unknown key (did you mean 'system'?)",
            f"{file}:4: options.to.typ: unknown key (did you mean 'type'?)",
        ]
        assert {"good: ok", "ask: ok", "write: ok"} <= set(lines)

    def test_only_the_named_ones(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "good.yaml").write_text(GOOD)
        (mine / "broken.yaml").write_text(BROKEN)
        assert gptkit("prompts", "check", "good", "ask") == (0, "good: ok\nask: ok\n", "")

    def test_an_option_in_place_of_a_shared_one(self, gptkit: InMemory, mine: Path) -> None:
        """The file keeps its option, in every way in which a command line is read."""
        (mine / "mine.yaml").write_text(
            "description: x\nsystem: '{{ effort }}'\noptions:\n  effort: {help: My own.}\n"
        )
        place = f"{mine / 'mine.yaml'}:4: options.effort"
        told = f"{place}: here it replaces the option '--effort' of other commands"
        assert gptkit("prompts", "check", "mine") == (0, f"mine: ok\n{told}\n", "")
        for words in (["--effort", "a lot"], ["--effort=a lot", "--"]):
            sent = json.loads(gptkit("mine", "--dry-run", *words, "x").stdout)["body"]
            assert sent["messages"][0] == {"role": "system", "content": "a lot"}
            assert "reasoning_effort" not in sent
        page = gptkit("mine", "--help-all").stdout
        assert page.count("--effort ") == 1
        assert "My own." in page

    def test_a_letter_in_place_of_a_shared_one(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "mine.yaml").write_text(
            "description: x\nsystem: '{{ exact }}'\noptions:\n  exact: {short: x}\n"
        )
        told = f"{mine / 'mine.yaml'}:4: options.exact: here it replaces the option '-x' of other commands"
        assert gptkit("prompts", "check", "mine") == (0, f"mine: ok\n{told}\n", "")
        sent = json.loads(gptkit("mine", "hi", "-x", "very", "--dry-run").stdout)["body"]
        assert sent["messages"][0] == {"role": "system", "content": "very"}
        assert "\n  --extract " in gptkit("mine", "--help-all").stdout

    def test_a_file_anywhere(self, gptkit: InMemory, folder: Path) -> None:
        (folder / "translate.yaml").write_text("extends: translate\ndescription: Mine.\n")
        (folder / "bad.yml").write_text("description: x\nsystem: '{{ nope }}'\n")
        assert gptkit("prompts", "check", "translate.yaml") == (0, "translate: ok\n", "")
        told = (
            "bad.yml:2: system: the variable 'nope' is not declared (allowed: text, request, files, script, "
            "format, earlier, user_system, user_shell, attachments)\n"
        )
        assert gptkit("prompts", "check", "./bad.yml", "translate.yaml") == (
            65,
            f"{told}translate: ok\n",
            "gptkit: 1 broken prompt file\n",
        )
        assert gptkit("prompts", "check", "no.yaml") == (66, "", "gptkit: 'no.yaml': no such file\n")

    @pytest.mark.parametrize(
        "data", [b"\xff\xfe", b"a: [", b"a: !!python/object:os.system x", b"- a", b"", b"a\x00"]
    )
    def test_whatever_is_in_a_file(self, gptkit: InMemory, mine: Path, data: bytes) -> None:
        (mine / "odd.yaml").write_bytes(data)
        code, output, errors = gptkit("prompts", "check", "odd")
        assert (code, errors) == (65, "gptkit: 1 broken prompt file\n")
        assert re.match(re.escape(str(mine / "odd.yaml")) + r":[12]: \S", output)
        assert output.count("\n") == 1

    def test_a_terminal_does_not_obey_what_is_wrong(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "odd.yaml").write_text('description: x\n"\\e[2J": y\n')
        code, output, _ = gptkit("prompts", "check", "odd", tty=True)
        assert code == 65
        assert ":2: ␛[2J: unknown key" in output
        assert "\x1b" not in output


class TestShowAsSent:
    def test_the_messages_with_their_tokens(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "say.yaml").write_text(GOOD)
        told = (
            "--- system (3 tokens)\nSay bye.\n--- user (2 tokens)\nto you\n--- 5 tokens in all, estimated\n"
        )
        assert gptkit("prompts", "show", "say", "--as-sent", "-w", "bye", "to", "you") == (0, told, "")
        code, output, _ = gptkit("prompts", "show", "--as-sent", "say", "--json", stdin="一")
        assert code == 0
        assert json.loads(output) == [
            {"role": "system", "content": "Say hello.", "tokens": 3},
            {"role": "user", "content": "一", "tokens": 1},
        ]

    def test_earlier_turns_are_in(self, gptkit: InMemory, server: FakeServer) -> None:
        server.say("Hello.")
        assert gptkit("chat", "hi", "-s", "talk").code == 0
        code, output, _ = gptkit("prompts", "show", "chat", "--as-sent", "--json", "-s", "talk", "go on")
        assert code == 0
        roles = [message["role"] for message in json.loads(output)]
        assert roles == ["system", "user", "assistant", "user"]

    def test_words_without_it_are_refused(self, gptkit: InMemory) -> None:
        told = "gptkit: words and options of a prompt go with --as-sent\n"
        assert gptkit("prompts", "show", "ask", "--length", "line") == (2, "", told)


class TestRender:
    def test_the_messages(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "say.yaml").write_text(GOOD)
        assert gptkit("prompts", "render", "say", "-w", "bye", "to", "you") == (
            0,
            "--- system\nSay bye.\n--- user\nto you\n",
            "",
        )
        assert gptkit("prompts", "render", "say", "-f", str(mine / "say.yaml"), "again").code == 0
        code, output, _ = gptkit("prompts", "render", "say", "--json", "--", "--word", stdin=None)
        assert code == 0
        system, user = json.loads(output)
        assert system == {"role": "system", "content": "Say hello."}
        assert user == {"role": "user", "content": "--word"}

    def test_standard_input(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "say.yaml").write_text(GOOD)
        assert gptkit("prompts", "render", "say", stdin="一\n") == (
            0,
            "--- system\nSay hello.\n--- user\n一\n",
            "",
        )

    def test_help_is_that_of_the_prompt(self, gptkit: InMemory) -> None:
        code, output, _ = gptkit("prompts", "render", "translate", "--help")
        assert code == 0
        assert output.startswith("Usage: gptkit prompts render translate [OPTIONS] [TEXT...]\n")
        code, output, _ = gptkit("prompts", "render", "--help")
        assert output.startswith("Usage: gptkit prompts render [OPTIONS] NAME [ARGUMENT...]\n")

    @pytest.mark.parametrize(
        ("words", "message", "hint"),
        [
            (["--tome", "x"], "no such option '--tome'", "did you mean '--tone'?"),
            (["--to"], "option '--to' requires an argument", "'gptkit prompts render translate --help'"),
            (["--tone", "odd"], "invalid value for '--tone': ", "'gptkit prompts render translate --help'"),
        ],
    )
    def test_a_bad_option(self, gptkit: InMemory, words: list[str], message: str, hint: str) -> None:
        code, output, errors = gptkit("prompts", "render", "translate", *words)
        assert (code, output) == (2, "")
        assert errors.startswith(f"gptkit: {message}")
        assert f"\nhint: {hint}" in errors

    def test_a_broken_one(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "say.yaml").write_text(BROKEN)
        told = (
            f"gptkit: {mine / 'say.yaml'}:2: sytem: unknown key (and 1 more)\nhint: did you mean 'system'?\n"
        )
        assert gptkit("prompts", "render", "say", "x") == (65, "", told)

    def test_a_terminal_does_not_obey_it(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "say.yaml").write_text(GOOD)
        code, output, _ = gptkit("prompts", "render", "say", "\x1b[2J", tty=True)
        assert (code, output) == (0, "--- system\nSay hello.\n--- user\n␛[2J\n")


class TestTests:
    def test_counts_and_says_what_failed_where(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "say.yaml").write_text(TESTED)
        file = mine / "say.yaml"
        told = f"{file}:7: answer should be 'c'; it is 'b'\nsay: 1 passed, 1 failed\n"
        assert gptkit("prompts", "test", "say") == (65, told, "gptkit: 1 failed test of prompt files\n")

    def test_a_broken_file_does_not_stop_the_others(self, gptkit: InMemory, mine: Path) -> None:
        (mine / "aaa.yaml").write_text(BROKEN)
        (mine / "say.yaml").write_text(TESTED)
        code, output, errors = gptkit("prompts", "test")
        assert (code, errors) == (65, "gptkit: 2 failed tests of prompt files\n")
        lines = output.splitlines()
        assert lines[0] == f"{mine / 'aaa.yaml'}:2: sytem: unknown key (and 1 more)"
        assert "say: 1 passed, 1 failed" in lines
        assert sum(line.endswith(" passed, 0 failed") for line in lines) == len(list(BUILT_IN.glob("*.yaml")))

    def test_a_file_anywhere(self, gptkit: InMemory, folder: Path) -> None:
        (folder / "say.yaml").write_text(GOOD)
        assert gptkit("prompts", "test", "./say.yaml") == (0, "say: 0 passed, 0 failed\n", "")


class TestTrust:
    def test_a_project_is_a_stranger_until_it_is_trusted(self, gptkit: InMemory, project: Path) -> None:
        told = "gptkit: the prompt 'deploy' of this project is not trusted\n" + UNTRUSTED.format(project)
        assert gptkit("deploy", "x", "--model", "echo") == (77, "", told)
        assert gptkit("prompts", "show", "deploy") == (77, "", told)
        assert "deploy" not in gptkit("--help").stdout
        code, output, errors = gptkit("prompts", "trust")
        assert (code, errors) == (0, "")
        assert output.startswith("deploy.yaml\t")
        assert output.endswith("\ttrusted until it changes\n")
        assert gptkit("deploy", "x", "--model", "echo") == (0, "x\n", "")
        assert "deploy" in gptkit("--help").stdout

    def test_a_change_ends_it(self, gptkit: InMemory, project: Path) -> None:
        assert gptkit("prompts", "trust").code == 0
        (project / "deploy.yaml").write_text(GOOD + "# changed\n")
        assert gptkit("deploy", "x", "--model", "echo").code == 77
        assert gptkit("prompts", "trust").code == 0
        assert gptkit("deploy", "x", "--model", "echo").code == 0

    def test_it_can_be_taken_back(self, gptkit: InMemory, project: Path) -> None:
        nothing = (66, "", f"gptkit: '{project}': nothing there is trusted\n")
        assert gptkit("prompts", "trust", "--remove") == nothing
        assert gptkit("prompts", "trust").code == 0
        assert gptkit("prompts", "trust", "--remove") == (0, "", "")
        assert gptkit("deploy", "x", "--model", "echo").code == 77

    def test_nothing_to_trust(self, gptkit: InMemory, folder: Path) -> None:
        nothing = (66, "", f"gptkit: '{folder / '.gptkit' / 'prompts'}': no prompt files\n")
        assert gptkit("prompts", "trust") == nothing

    def test_a_stranger_shadows_nothing(self, gptkit: InMemory, project: Path) -> None:
        (project / "ask.yaml").write_text("description: Evil.\nsystem: Evil.\n")
        code, output, _ = gptkit("prompts", "render", "ask", "x")
        assert code == 0
        assert "Evil" not in output

    def test_hostile_names_stay_on_their_line(self, gptkit: InMemory, project: Path) -> None:
        (project / "a\x1b[2J\nb.yaml").write_text(GOOD)
        for tty in (False, True):
            code, output, _ = gptkit("prompts", "trust", tty=tty)
            assert code == 0
            assert output.startswith("a␛[2J b.yaml")
            assert output.count("\n") == 2
            code, _, errors = gptkit("prompts", "list", tty=tty)
            assert (code, errors) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="the editors are shell scripts")
class TestEdit:
    def editor(self, folder: Path, script: str) -> dict[str, str | None]:
        file, program = folder / "my editor", folder / "editor.py"
        program.write_text(f"import os, sys\nfile = sys.argv[-1]\n{script}\n")
        file.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(program)])} "$@"\n')
        file.chmod(0o700)
        return {"VISUAL": None, "EDITOR": shlex.join([str(file), "--wait"])}

    def test_a_built_in_one_is_copied_first(self, gptkit: InMemory, home: Path, folder: Path) -> None:
        env = self.editor(folder, "assert sys.argv[1] == '--wait'; open(file, 'a').write('# mine\\n')")
        before = (BUILT_IN / "ask.yaml").read_bytes()
        copy = home / "config" / "prompts" / "ask.yaml"
        told = f"gptkit: '{copy}' replaces '{BUILT_IN / 'ask.yaml'}'; {TAKES_BACK}\n"
        assert gptkit("prompts", "edit", "ask", env=env) == (0, "", told)
        assert copy.read_bytes() == before + b"# mine\n"
        assert (BUILT_IN / "ask.yaml").read_bytes() == before
        assert gptkit("prompts", "edit", "ask", env=env) == (0, "", "")
        assert copy.read_bytes() == before + b"# mine\n# mine\n"

    def test_without_a_change_there_is_no_copy(self, gptkit: InMemory, home: Path, folder: Path) -> None:
        told = "gptkit: nothing was changed; 'ask' is still the built-in prompt\n"
        assert gptkit("prompts", "edit", "ask", env=self.editor(folder, "")) == (0, "", told)
        for env in (self.editor(folder, "sys.exit(7)"), {"VISUAL": None, "EDITOR": "/no/such"}):
            code, output, errors = gptkit("prompts", "edit", "ask", env=env)
            assert (code, output, errors.count("gptkit:")) == (78, "", 1)
        assert not list(home.rglob("*.yaml"))

    def test_what_was_written_outlives_an_editor_that_fails(
        self, gptkit: InMemory, home: Path, folder: Path
    ) -> None:
        env = self.editor(folder, "open(file, 'a').write('# mine\\n'); sys.exit(7)")
        code, output, errors = gptkit("prompts", "edit", "ask", env=env)
        assert (code, output) == (78, "")
        copy = home / "config" / "prompts" / "ask.yaml"
        assert copy.read_text("utf-8").endswith("# mine\n")
        assert errors.startswith(f"gptkit: '{copy}' replaces '")

    def test_what_is_broken_afterwards_is_told_and_kept(
        self, gptkit: InMemory, mine: Path, folder: Path
    ) -> None:
        (mine / "say.yaml").write_text(GOOD)
        env = self.editor(folder, f"open(file, 'w').write({BROKEN!r})")
        told = (
            f"gptkit: {mine / 'say.yaml'}:2: sytem: unknown key (and 1 more)\nhint: did you mean 'system'?\n"
        )
        assert gptkit("prompts", "edit", "say", env=env) == (65, "", told)
        assert (mine / "say.yaml").read_text() == BROKEN
        env = self.editor(folder, f"open(file, 'w').write({GOOD!r})")
        assert gptkit("prompts", "edit", "say", env=env) == (0, "", "")

    def test_a_trusted_one_must_be_trusted_again(self, gptkit: InMemory, project: Path, folder: Path) -> None:
        assert gptkit("prompts", "trust").code == 0
        env = self.editor(folder, "open(file, 'a').write('# changed\\n')")
        told = "gptkit: it has changed; 'gptkit prompts trust' trusts it as it is now\n"
        assert gptkit("prompts", "edit", "deploy", env=env) == (0, "", told)
        assert gptkit("deploy", "x").code == 77

    def test_the_editor_gets_no_key(self, gptkit: InMemory, mine: Path, folder: Path) -> None:
        (mine / "say.yaml").write_text(GOOD)
        env = self.editor(
            folder, "sys.exit(3 if any('sk-canary' in value for value in os.environ.values()) else 0)"
        )
        assert gptkit("prompts", "edit", "say", env=env, key="sk-canary") == (0, "", "")

    @pytest.mark.parametrize("named", ["/no/such editor", "'", "exit-7"])
    def test_an_editor_that_fails(self, gptkit: InMemory, mine: Path, folder: Path, named: str) -> None:
        (mine / "say.yaml").write_text(GOOD)
        env = self.editor(folder, "sys.exit(7)") if named == "exit-7" else {"VISUAL": None, "EDITOR": named}
        code, output, errors = gptkit("prompts", "edit", "say", env=env)
        assert (code, output) == (78, "")
        assert errors.startswith("gptkit: the editor '" if named == "exit-7" else "gptkit: no editor '")

    def test_the_file_itself_is_never_run(self, gptkit: InMemory, mine: Path, folder: Path) -> None:
        file = mine / "say.yaml"
        file.write_text(f"#!/bin/sh\ntouch '{folder / 'ran'}'\n")
        file.chmod(0o700)
        gptkit("prompts", "edit", "say", env={"VISUAL": " ", "EDITOR": "true", "PATH": ""})
        assert not (folder / "ran").exists()
