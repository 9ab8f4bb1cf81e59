"""TAB: what bash, zsh and fish are offered, by their own protocol and in the shells themselves."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory, OnTerminal

from gptkit.app import build_services
from gptkit.cli.completion import known_models
from gptkit.core.terminal import memory_terminal
from gptkit.settings.schema import DEFAULT_MODEL

COMMANDS = list(build_services(memory_terminal()).housekeeping)
PROMPTS = sorted(path.stem for path in (Path(__file__).parents[2] / "prompts").glob("*.yaml"))
HAIKU = """\
description: Write a haiku.
system: "{{ mood }}{{ book }}"
options:
  mood: {choices: [calm, merry, very sad, "$(touch ran)", "*", "a;b", 忧伤], short: M, help: "Its mood: 心情"}
  book: {type: file, short: b, help: A book.}
"""
# A description that would leave the quotes which Typer puts around it for zsh.
EVIL = r"""
description: "Evil \\$(touch ran) \\\" ) ; touch ran ; ( \" `touch ran` ' \\`touch ran\\` '; touch ran"
system: "{{ to }}"
options:
  to: {help: "Evil \\$(touch ran) \\\" ) ; touch ran ; ( \" `touch ran`"}
"""


class Tab:
    """Asks as the completion scripts of the shells do."""

    def __init__(self, gptkit: InMemory, run: AsProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self._gptkit = gptkit
        self._run = run
        self._monkeypatch = monkeypatch

    def bash(self, line: str) -> list[str]:
        """In this process, which is fast: Typer looks for what it is asked in its environment."""
        cursor = line.count(" ")
        env = {"_GPTKIT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(cursor)}
        with self._monkeypatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            _, output, errors = self._gptkit(env=env)
        assert errors == ""
        return output.split()

    def zsh(self, line: str) -> str:
        return self._asked({"_GPTKIT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line})

    def fish(self, line: str) -> dict[str, str]:
        env = {"_GPTKIT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": line}
        rows = self._asked({**env, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}).splitlines()
        return {value: text for value, _, text in (row.partition("\t") for row in rows if row)}

    def fish_has_any(self, line: str) -> bool:
        env = {"_GPTKIT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": line}
        return self._run(env={**env, "_TYPER_COMPLETE_FISH_ACTION": "is-args"}).code == 0

    def _asked(self, env: dict[str, str]) -> str:
        _, output, errors = self._run(env=env)
        assert errors == ""
        return output.removesuffix("\n")


@pytest.fixture
def tab(gptkit: InMemory, run: AsProcess, monkeypatch: pytest.MonkeyPatch) -> Tab:
    return Tab(gptkit, run, monkeypatch)


@pytest.fixture
def mine(home: Path) -> Path:
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "haiku.yaml").write_text(HAIKU, "utf-8")
    return folder


def test_commands(tab: Tab, mine: Path) -> None:
    assert tab.bash("gptkit ") == [*sorted([*PROMPTS, "haiku"]), *COMMANDS]
    assert tab.bash("gptkit tr") == ["translate"]
    assert tab.bash("gptkit xyzzy") == []
    assert tab.fish("gptkit ha") == {"haiku": "Write a haiku."}
    assert tab.zsh("gptkit ha") == """_arguments '*: :(("haiku":"Write a haiku."))'"""
    assert tab.bash("gptkit prompts t") == ["test", "trust"]


def test_options(tab: Tab, mine: Path) -> None:
    assert tab.bash("gptkit translate --t") == ["--to", "--tone", "--temperature"]
    assert set(tab.bash("gptkit haiku -")) >= {"--mood", "-M", "--book", "-b", "--model", "-m", "-h"}
    assert tab.fish("gptkit haiku --moo") == {"--mood": "Its mood: 心情"}
    assert tab.zsh("gptkit haiku --boo") == """_arguments '*: :(("--book":"A book."))'"""
    assert "--version" in tab.bash("gptkit --v")
    assert tab.bash("gptkit prompts list --j") == ["--json"]


def test_values_are_those_that_are_one_word_in_every_shell(tab: Tab, mine: Path) -> None:
    assert tab.bash("gptkit haiku --mood ") == ["calm", "merry", "忧伤"]
    assert tab.bash("gptkit haiku -M m") == ["merry"]
    assert tab.bash("gptkit haiku --mood=") == ["calm", "merry", "忧伤"]
    assert tab.fish("gptkit haiku --mood c") == {"calm": ""}
    assert tab.fish_has_any("gptkit haiku --mood c")
    assert not tab.fish_has_any("gptkit haiku --book c")
    assert tab.zsh("gptkit haiku --mood c") == """_arguments '*: :(("calm"))'"""
    assert tab.bash("gptkit translate hello --tone w") == ["warm"]


@pytest.mark.parametrize(
    "words", ["translate --param ", "translate --to ", "translate -f no", "haiku -b ", "ask he"]
)
def test_where_nothing_is_known_the_shell_offers_files(tab: Tab, mine: Path, words: str) -> None:
    assert tab.bash(f"gptkit {words}") == []
    assert tab.zsh(f"gptkit {words}") == "_files"


def test_models_that_are_known_without_a_request(tab: Tab, gptkit: InMemory, mine: Path, home: Path) -> None:
    assert tab.bash("gptkit ask -m ") == sorted([DEFAULT_MODEL, "echo"])
    (home / "config" / "config.yaml").write_text(
        "model: gpt-test\nprices: {qwen3: [1, 2]}\nprofiles: {work: {model: gpt-work}}\n"
    )
    assert gptkit("ask", "hello", "-m", "echo").code == 0
    assert tab.bash("gptkit ask --model ") == ["echo", "gpt-test", "gpt-work", "qwen3"]
    assert tab.zsh("gptkit ask -m q") == """_arguments '*: :(("qwen3"))'"""
    assert tab.bash("gptkit ask -m xyzzy") == ["xyzzy"]  # no file


def test_levels_of_effort(tab: Tab) -> None:
    assert tab.bash("gptkit ask --effort ") == ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    assert tab.bash("gptkit ask --effort m") == ["minimal", "medium", "max"]
    assert tab.bash("gptkit ask --effort own") == ["own"]  # no file


def test_models_of_the_price_list(tab: Tab) -> None:
    env = {"OPENAI_BASE_URL": "https://api.openai.com/v1"}
    names = known_models(build_services(memory_terminal(environ=env)), "gpt-4o")
    assert {"gpt-4o", "gpt-4o-mini"} <= set(names)


def test_conversations(tab: Tab, gptkit: InMemory, folder: Path) -> None:
    (folder / "trip.md").touch()
    assert tab.bash("gptkit chat -s tri") == ["tri"]
    assert tab.zsh("gptkit chat -s tri") == """_arguments '*: :(("tri"))'"""
    for name in ("trip", "旅行", "two words"):
        assert gptkit("ask", "hello", "-m", "echo", "-s", name).code == 0
    assert tab.bash("gptkit chat -s ") == ["旅行", "trip"]
    assert tab.bash("gptkit ask hello --session t") == ["trip"]


def test_names_of_prompts(tab: Tab, mine: Path) -> None:
    for words in ("show", "path", "edit", "render", "check ask", "test ask", "new x --from"):
        assert tab.bash(f"gptkit prompts {words} ha") == ["haiku"]
    assert tab.bash("gptkit prompts new ha") == []


def test_broken_and_hostile_files_are_silent(tab: Tab, mine: Path) -> None:
    (mine / "broken.yaml").write_text("description: [\n")
    for name in ("a b", "$(touch ran)", "x\ny", "prompts", "-x"):
        (mine / f"{name}.yaml").write_text("description: x\n")
    assert tab.bash("gptkit ") == [
        *sorted([*PROMPTS, "haiku", "broken"]),
        *COMMANDS,
    ]
    assert tab.bash("gptkit prompts show ") == sorted([*PROMPTS, "haiku", "broken"])
    for line in ("gptkit broken --", "gptkit broken ", "gptkit nosuch ", "gptkit nosuch --x "):
        assert tab.bash(line) == []
    assert tab.zsh("gptkit broken --") == ""
    assert not tab.fish_has_any("gptkit broken --")
    assert tab.bash("gptkit haiku --mo") == ["--mood", "--model"]


def test_a_broken_setting_or_no_home_is_silent(tab: Tab, run: AsProcess, home: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.yaml").write_text("modle: x\n")
    assert tab.bash("gptkit ask --js") == ["--json"]
    env = {"_GPTKIT_COMPLETE": "complete_bash", "COMP_WORDS": "gptkit tr", "COMP_CWORD": "1"}
    assert run(env={**env, "GPTKIT_HOME": None, "HOME": None}) == (0, "translate\n", "")


def test_what_zsh_evaluates_cannot_leave_its_quotes(tab: Tab, mine: Path) -> None:
    (mine / "evil.yaml").write_text(EVIL, "utf-8")
    for line in ("gptkit evi", "gptkit evil --t"):
        output = tab.zsh(line)
        assert "Evil" in output
        assert re.sub(r"\\\\:|\\[$`]", "", output).count("\\") == 0
        inner = output.removeprefix("_arguments '*: :((").removesuffix("))'")
        assert "'" not in inner.replace("''", "")
        assert not re.search(r"(?<!\\)[$`]", inner)


class TestInTheShell:
    """The scripts of --show-completion, loaded by the shells they are for."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        program = tmp_path / "bin" / "gptkit"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m gptkit "$@"\n')
        program.chmod(0o700)
        return f"{program.parent}:/usr/local/bin:/usr/bin:/bin"

    @pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
    def test_bash(self, screen: OnTerminal, path: str, mine: Path, folder: Path) -> None:
        (folder / "notes.md").touch()
        shell = screen(
            env={"PATH": path, "PS1": "% "}, command=(str(shutil.which("bash")), "--norc"), rows=50
        )
        shell.send('eval "$(gptkit --show-completion)"; echo rea""dy\r')
        shell.wait_for("\nready")
        shell.send("gptkit ha\t")
        shell.wait_for("% gptkit haiku ")
        shell.send("--moo\tmer\t")
        shell.wait_for("% gptkit haiku --mood merry ")
        shell.send("-f no\t")
        shell.wait_for("% gptkit haiku --mood merry -f notes.md")

    @pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
    def test_zsh(self, screen: OnTerminal, path: str, mine: Path, folder: Path) -> None:
        (mine / "evil.yaml").write_text(EVIL, "utf-8")
        shell = screen(env={"PATH": path}, command=(str(shutil.which("zsh")), "-f"), columns=100, rows=50)
        shell.send("PS1='%% '; autoload -Uz compinit; compinit -u -D; ")
        shell.send('source <(gptkit --show-completion); echo rea""dy\r')
        shell.wait_for("\nready")
        shell.send("gptkit ha\t")
        shell.wait_for("% gptkit haiku ")
        shell.send("--moo\tmer\t")
        shell.wait_for("% gptkit haiku --mood merry ")
        shell.send("\x15gptkit ev\t --t\t\t")
        shell.wait_for("--to ")
        shell.send("\x15gptkit \t")
        shell.wait_for("translate ")
        assert not (folder / "ran").exists()

    @pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
    def test_fish(self, screen: OnTerminal, path: str, mine: Path, folder: Path) -> None:
        shell = screen(
            env={"PATH": path}, command=(str(shutil.which("fish")), "--no-config"), columns=100, rows=50
        )
        shell.send('gptkit --show-completion | source; echo rea""dy\r')
        shell.wait_for("\nready")
        shell.send("gptkit hai\t")
        shell.wait_for("gptkit haiku ")
        shell.send("--moo\tmer\t")
        shell.wait_for("gptkit haiku --mood merry ")


LINES = {
    "bash": (".bashrc", "source '{}/.bash_completions/gptkit.sh'", ".bash_completions/gptkit.sh"),
    "zsh": (".zshrc", "fpath+=~/.zfunc; autoload -Uz compinit; compinit", ".zfunc/_gptkit"),
    "fish": (None, "", ".config/fish/completions/gptkit.fish"),
}


@pytest.mark.parametrize("shell", LINES)
def test_installing_adds_one_line_and_harms_none(run: AsProcess, around_home: Path, shell: str) -> None:
    """Only the user's own home is written to; what cannot be decoded stays as it is."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    path = shutil.copy(bash, around_home.with_name(shell))  # a shell is known by the name of its process
    startup, line, script = LINES[shell]
    mine = b"alias x='\xff'\n\n  # mine"
    if startup:
        around_home.mkdir(exist_ok=True)
        (around_home / startup).write_bytes(mine)
    command = (str(path), "-c", f"{shlex.quote(sys.executable)} -m gptkit --install-completion && true")
    for _ in range(2):
        code, output, errors = run(command=command)
        assert (code, errors) == (0, "")
        assert output.startswith(f"{shell} completion installed in {around_home}/{script}\n")
    assert "gptkit" in (around_home / script).read_text()
    if startup:
        added = line.format(around_home).encode()
        assert (around_home / startup).read_bytes() == mine + b"\n" + added + b"\n"


def test_installing_says_why_not(run: AsProcess, around_home: Path) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("there is no bash")
    around_home.mkdir(exist_ok=True)
    (around_home / ".bashrc").write_text("mine\n")
    blocks = f'ulimit -f 0; {shlex.quote(sys.executable)} -m gptkit --install-completion; exit "$?"'
    code, output, errors = run(command=(shell, "-c", blocks))  # as a full disk: nothing can be written
    assert (code, output, errors.count("\n")) == (73, "", 1)
    assert (around_home / ".bashrc").read_text() == "mine\n"
    command = (shell, "-c", f'{shlex.quote(sys.executable)} -m gptkit --install-completion; exit "$?"')
    code, output, errors = run(command=command, env={"HOME": "/dev/null/home"})
    assert (code, output) == (73, "")
    assert errors == "gptkit: '/dev/null/home/.bash_completions': not a directory\n"


@pytest.fixture
def around_home(tmp_path: Path) -> Path:
    return tmp_path / "user"


def test_on_a_terminal_it_is_as_plain_as_in_a_pipe(screen: OnTerminal, mine: Path) -> None:
    """fish asks whether there is anything to offer without a pipe; Rich is not loaded then."""
    env = {"_GPTKIT_COMPLETE": "complete_bash", "COMP_WORDS": "gptkit haiku --mo", "COMP_CWORD": "2"}
    shown = screen(env=env)
    assert (shown.wait_exit(), shown.text) == (0, "--mood\n--model")
