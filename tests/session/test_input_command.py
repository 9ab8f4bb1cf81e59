"""A prompt whose input is the output of a command where the user gives no text."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from asking import SAY, failure, prompt, settings
from fake.program import AsProcess, InMemory, OnTerminal
from fake.server import FakeServer
from long_reductions import book, numbers
from processes import ended, started

from gptkit.session import input_command

pytestmark = pytest.mark.skipif(os.name != "posix", reason="programs do not run on Windows yet")
HINT = "pipe text in, or name a file with -f"
OK = (0, "Hi\n", "")


def command(home: Path, *commands: str, more: str = "") -> None:
    """The prompt `say` with an input of Python programs; each leaves a file `ran` behind."""
    rows = "\n".join(f"    - ['{sys.executable}', -c, \"open('ran', 'a'); {code}\"]" for code in commands)
    prompt(home, f"{SAY}input:\n  when: no text\n  command:\n{rows}\n{more}")


def test_the_output_is_the_text(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    command(home, "print('你好')")
    server.say("Hi", times=2)
    assert gptkit("say") == OK
    assert gptkit("say", "warmer") == OK
    assert [request.user for request in server.requests] == ["你好\n", "warmer\n\n你好\n"]


@pytest.mark.parametrize(
    ("args", "stdin", "user"),
    [
        ([], "text", "text"),
        (["-f", "file"], None, "in it"),
        (["-"], "text", "text"),
        (["a", "-"], "b", "a\n\nb"),
    ],
)
def test_a_text_takes_its_place(
    gptkit: InMemory,
    server: FakeServer,
    home: Path,
    folder: Path,
    args: list[str],
    stdin: str | None,
    user: str,
) -> None:
    command(home, "print(1)")
    (folder / "file").write_text("in it")
    server.say("Hi")
    assert gptkit("say", *args, stdin=stdin) == OK
    assert server.request.user == user
    assert not (folder / "ran").exists()


def test_words_are_the_text_of_a_prompt_that_takes_no_request(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    command(home, "print(1)", more="user: '{{ text }}'\n")
    server.say("Hi")
    assert gptkit("say", "words") == OK
    assert (server.request.user, (folder / "ran").exists()) == ("words", False)


def test_nothing_to_read_from(run: AsProcess, server: FakeServer, home: Path) -> None:
    """Cron, an editor and a hook of git give /dev/null; a pipe that stays silent is told."""
    command(home, "print(1)")
    settings(home, "stdin_wait: 0.05\n")
    server.say("Hi", times=2)
    assert run("say") == OK
    reading, writing = os.pipe()
    silent = "gptkit: standard input was silent for 0.05 s and is not read (--stdin waits for it)\n"
    assert ended(started(run.around, "say", stdin=reading)) == (0, "Hi\n", silent)
    os.close(writing)
    os.close(reading)


@pytest.mark.parametrize("args", [[], ["words"]])
def test_an_empty_pipe_was_meant(run: AsProcess, home: Path, folder: Path, args: list[str]) -> None:
    command(home, "print(1)")
    assert run("say", *args, stdin="") == (66, "", failure("no input: nothing in standard input"))
    assert not (folder / "ran").exists()


def test_the_first_that_prints_something_counts(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    command(home, "", "print('x'); raise SystemExit(3)", "print(2)", "print(3)")
    server.say("Hi", times=2)
    code, output, errors = gptkit("say")
    assert (code, output) == (0, "Hi\n")
    assert errors.startswith("gptkit: the input is the output of '")
    assert gptkit("say", "-q") == OK
    assert [request.user for request in server.requests] == ["2\n", "2\n"]


def test_no_output_is_told_before_anything_is_sent(gptkit: InMemory, home: Path) -> None:
    command(home, "", "print('x'); raise SystemExit(3)", more="  empty: no news\n")
    assert gptkit("say", "words") == (66, "", failure("no news", HINT))
    command(home, "")
    assert gptkit("say").stderr.endswith(f"' printed nothing\nhint: {HINT}\n")
    command(home, "import sys; sys.exit('fatal: not today')", more="  empty: no news\n")
    code, _, errors = gptkit("say")
    assert (code, errors.endswith(f"': not today\nhint: {HINT}\n")) == (66, True)
    prompt(home, f"{SAY}input: {{when: no text, command: [no-such-program]}}\n")
    told = failure("no program 'no-such-program'", "install it, or name its path")
    assert gptkit("say") == (69, "", told)


def test_too_much_output(gptkit: InMemory, home: Path) -> None:
    command(home, "[print('y' * 65536) for _ in range(1000)]")
    code, _, errors = gptkit("say")
    assert (code, errors.endswith(f"': it printed more than 8 MiB\nhint: {HINT}\n")) == (65, True)


def test_what_is_no_text_is_refused_as_in_a_file(gptkit: InMemory, home: Path) -> None:
    command(home, "import sys; sys.stdout.buffer.write(bytes(range(256)))")
    assert gptkit("say").code == 65


def test_a_long_output_is_long_input(gptkit: InMemory, server: FakeServer, home: Path, folder: Path) -> None:
    command(home, "print(open('book').read())", more="system: Shorten.\nlong: {mode: reduce, piece: 200}\n")
    (folder / "book").write_text(book(90))
    server.answer(lambda request: numbers(request.json["messages"][1]["content"]))
    assert gptkit("say") == (0, numbers(book(90)) + "\n", "")
    assert len(server.requests) > 20


HANGS = """import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(child.pid, file=open('child', 'w'), flush=True)
child.wait()""".replace("\n", "; ")
"""A program that waits for a child, whose process id it writes into a file."""


def test_time_is_limited(gptkit: InMemory, home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_command, "SECONDS", 4.0)
    command(home, HANGS)
    code, _, errors = gptkit("say")
    assert (code, errors.endswith(f"': it took too long\nhint: {HINT}\n")) == (75, True)
    assert _ends(int((folder / "child").read_text()))


def test_ctrl_c_ends_the_command(screen: OnTerminal, home: Path, folder: Path) -> None:
    command(home, HANGS)
    shown = screen("say", columns=200)
    shown.wait_for(sys.executable)  # what takes longer than half a second is shown
    while not (folder / "child").exists() or not (folder / "child").read_text():
        time.sleep(0.01)
    shown.send("\x03")
    assert shown.wait_exit() == 128 + signal.SIGINT
    assert _ends(int((folder / "child").read_text()))


def _ends(number: int) -> bool:
    for _ in range(100):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_its_environment_holds_no_key(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    command(home, "import os; print(os.environ.get('OPENAI_API_KEY'), os.environ['HERE'])")
    server.say("Hi")
    assert gptkit("say", key="sk-secret", env={"HERE": "there"}) == OK
    assert server.request.user == "None there\n"


def test_a_project_runs_nothing_before_it_is_trusted(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    command(home, "print(1)")
    project = folder / ".gptkit" / "prompts"
    project.mkdir(parents=True)
    (home / "config" / "prompts" / "say.yaml").rename(project / "deploy.yaml")
    (project / "child.yaml").write_text("extends: deploy\n")
    for name in ("deploy", "child"):
        assert gptkit(name).code == 77
        assert gptkit("prompts", "check", name).code == 77
    assert gptkit("prompts", "check", str(project / "deploy.yaml")).code == 0
    assert not (folder / "ran").exists()
    lines = gptkit("prompts", "trust").stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines[2:]] == [
        f"{name}.yaml runs where it gets no text" for name in ("child", "deploy")
    ]
    assert all("print(1)" in line for line in lines[2:])
    server.say("Hi")
    assert gptkit("child") == OK


WRONG = [
    ("{when: no text}", "missing: a program and its arguments"),
    ("{when: no text, command: []}", "missing: a program and its arguments"),
    ("{when: no text, command: [[ls], []]}", "missing: a program and its arguments"),
    ("{when: no text, command: git diff}", "must be a list, this is text"),
    ("{when: no text, command: [[ls], ls]}", "must be a list, this is text"),
    ("{when: no text, command: [./mine]}", "'./mine' depends on the current folder"),
    ("{when: no text, command: [git, status]}", "after 'git' comes one of: diff, log, show"),
    ("{when: no text, command: [/usr/bin/git, -C, x, diff]}", "after 'git' comes one of: diff, log, show"),
    ("{when: no text, command: [ls]}\ndocuments: true", "a command does not go together with 'documents'"),
    ("{command: [ls]}", "input.when: missing (allowed: no text)"),
    ("{when: always, command: [ls]}", "input.when: unknown words 'always' (allowed: no text)"),
    ("{when: no text, command: [ls], emty: x}", "input.emty: unknown key (did you mean 'empty'?)"),
]


@pytest.mark.parametrize(("value", "problem"), WRONG)
def test_what_is_wrong_is_told_by_line(gptkit: InMemory, home: Path, value: str, problem: str) -> None:
    prompt(home, f"{SAY}input: {value}\n")
    code, output, errors = gptkit("prompts", "check", "say")
    assert (code, errors) == (65, "gptkit: 1 broken prompt file\n")
    assert "say.yaml:2: input" in output
    assert problem in output


def test_help_says_what_is_run(gptkit: InMemory, home: Path) -> None:
    prompt(home, f"{SAY}input: {{when: no text, command: [git, log, -5]}}\n")
    text = " ".join(gptkit("say", "--help").stdout.split())
    assert "Words to work on; by default standard input, else what 'git log -5' prints." in text
