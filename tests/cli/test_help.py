"""Every `--help`: word for word in a pipe, whole and harmless on terminals of all widths.

The pages stand in `tests/cli/golden/help`; `python tests/cli/test_help.py` writes them anew. Read the
difference before it is committed: it is what users will see.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from itertools import takewhile
from pathlib import Path

import pytest
from fake.program import InMemory, OnTerminal

from gptkit.__main__ import main
from gptkit.app import build_services
from gptkit.cli.command import build_command
from gptkit.cli.help import HelpStyle
from gptkit.core.terminal import memory_terminal
from gptkit.session.options import FLAGS

GOLDEN = Path(__file__).parent / "golden" / "help"
PROMPTS = sorted(path.stem for path in (Path(__file__).parents[2] / "prompts").glob("*.yaml"))
TAKES = "'gptkit {} --help' shows what it takes"
DASHES = "; a word that begins with '-' stands after '--'"
SHARED = "Options of every prompt:"
COMMON = ["file", "output", "json", "model", "session", "continue"]
HOSTILE = r"""
description: "[red]haiku[/red] :smile: \e]52;c;aGk=\a \u202eeye [/] \\[b] \\"
system: "{{ mood }}{{ tongue }}{{ syllables }}{{ b }}{{ words }}"
options:
  mood:
    choices: [calm, "[b]x[/b]", ":cat:", "\e[31mred"]
    default: "\e[31mred"
    help: "[bold]mood[/] :dog: \e[2J"
  tongue: {default: "\e]0;pwned\a[blink] :bug:", help: "\e[31mtongue"}
  syllables: {type: integer, default: 17, help: Count}
  b: {type: boolean, default: true, help: Loudly}
  words: {type: list, default: [frog, pond], help: Words}
"""
LITERAL = (
    "[red]haiku[/red] :smile: ␛]52;c;aGk=␇ <U+202E>eye [/] \\[b] \\",
    "[bold]mood[/] :dog: ␛[2J  [calm, [b]x[/b], :cat:, ␛[31mred; default: ␛[31mred]",
    "␛[31mtongue  [default: ␛]0;pwned␇[blink] :bug:]",
    "Count  [default: 17]",
    "Loudly  [default: --b]",
    "Words  [can be repeated; default: frog, pond]",
)


def pages() -> list[tuple[str, ...]]:
    """The words before every `--help` that there is; with those of prompts also `--help-all`."""
    found: list[tuple[str, ...]] = [(), *((name,) for name in PROMPTS)]
    found += [(name, "--help-all") for name in PROMPTS]
    for name in build_services(memory_terminal()).housekeeping:
        _, _, commands = page((name,)).partition("\nCommands:\n")
        found += [(name,), *((name, word) for word in re.findall(r"^  (\S+)", commands, re.MULTILINE))]
    return found


def page(words: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory() as home:
        terminal = memory_terminal(environ={"GPTKIT_HOME": home})
        code = main([*words, *(() if "--help-all" in words else ("--help",))], terminal)
    assert (code, terminal.errors) == (0, "")
    return terminal.output.decode()


def golden(words: tuple[str, ...]) -> Path:
    return GOLDEN / f"{'-'.join(words).replace('---', '-') or 'gptkit'}.txt"


@pytest.fixture(scope="module")
def every_page() -> dict[Path, str]:
    return {golden(words): page(words) for words in pages()}


def test_every_page_is_as_it_was(every_page: dict[Path, str]) -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {path.name for path in every_page}
    for path, text in every_page.items():
        assert text == path.read_text("utf-8"), path.name


def test_every_page_fits_and_says_what_it_is_about(every_page: dict[Path, str]) -> None:
    assert len(every_page) > len(PROMPTS) + 15
    for path, text in every_page.items():
        lines = text.splitlines()
        command = path.stem.removesuffix("-help-all").replace("-", " ")
        assert lines[0].startswith(f"Usage: gptkit {command}".removesuffix(" gptkit"))
        assert re.match(r"  [A-Z].*", text.split("\n\n")[1]), path.name
        assert max(map(len, lines)) <= 80, path.name
        assert "..." not in re.sub(r"[A-Z]\.\.\.", "", text), f"{path.name}: something is cut"
        assert "{" not in lines[0], path.name
        assert "-h, --help" in text


def test_a_prompts_own_options_come_first(every_page: dict[Path, str]) -> None:
    for name in PROMPTS:
        own, _, shared = every_page[golden((name, "--help-all"))].partition(SHARED)
        for flag in FLAGS:
            assert f"--{flag.name} " not in own
            assert re.search(rf"^  (-\w, )?--{flag.name}\b", shared, re.MULTILINE), (
                f"{name} lacks {flag.name}"
            )
        assert "--help" in own
        own, _, shared = every_page[golden((name,))].partition(SHARED)
        takes_attachments = build_services(memory_terminal()).template(name).attachments
        common = [*COMMON[:1], "attach", *COMMON[1:]] if takes_attachments else COMMON
        assert re.findall(r"^  (?:-\w, )?--(\w+)", shared, re.MULTILINE) == common
        assert own.count("--help-all") == 1


def test_every_prompt_shows_examples_that_it_can_run(every_page: dict[Path, str]) -> None:
    services = build_services(memory_terminal())
    for name in PROMPTS:
        template = services.template(name)
        assert len(template.usage) in (2, 3)
        extra = [option for one in services.capabilities_of(template) for option in one.options]
        for example in template.usage:
            assert f"\n  {example}\n" in every_page[golden((name,))]
            words = shlex.split(example, comments=True)
            command = words[words.index("gptkit") + 1 :]
            arguments = [*takewhile(lambda word: word not in ("|", "<", ">"), command)]
            assert arguments[0] == name
            built = build_command(template, lambda *_: 7, extra, HelpStyle(False, False))
            assert built.main(arguments[1:], standalone_mode=False, obj=services) == 7, example


def test_on_24_rows_a_prompts_own_options_are_seen(screen: OnTerminal) -> None:
    shown = screen("translate", "--help", columns=80, rows=24)
    assert shown.wait_exit() == 0
    for option in ("--to TEXT", "--audience TEXT", "--help-all", "--continue"):
        assert option in "\n".join(shown.text.splitlines()[-23:])  # the prompt takes the last row


def test_the_first_page_says_what_one_can_do(
    every_page: dict[Path, str], gptkit: InMemory, home: Path
) -> None:
    first_page = every_page[golden(())]
    assert "YAML" not in first_page
    assert re.findall(r"^  gptkit (\w+)", first_page, re.MULTILINE) == ["ask", "chat", "code"]
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "haiku.yaml").write_text("description: Write a haiku.\nusage: [gptkit haiku moon]\n")
    (folder / "ode.yaml").write_text('description: Write an ode.\ngroup: "[red]Verse\\e[2J"\n')
    page = gptkit("--help").stdout
    assert "\nPrompts:\n  haiku      Write a haiku.\n\n" in page
    assert "\n[red]Verse␛[2J:\n  ode        Write an ode.\n\n" in page
    assert "[red]Verse" in gptkit("--help", tty=True).stdout


@pytest.mark.parametrize("width", [1, 12, 30, 40, 200])
def test_no_width_breaks_a_page(gptkit: InMemory, width: int) -> None:
    for option in ("-h", "--help-all"):
        code, output, errors = gptkit("translate", option, width=width)
        assert (code, errors) == (0, "")
        assert max(map(len, output.splitlines())) <= max(width, 30)
        whole = page(("translate",) if option == "-h" else ("translate", option))
        assert re.sub(r"\s+", " ", whole) == re.sub(r"\s+", " ", output)


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_on_a_terminal_no_name_is_cut(screen: OnTerminal, width: int) -> None:
    shown = screen("email", "--help", columns=width, rows=50)
    assert shown.wait_exit() == 0
    assert max(map(len, shown.text.splitlines())) <= width
    for name in re.findall(r"--[a-z-]+", page(("email",))):
        assert re.search(rf"{name}\b", shown.text), name
    assert "…" not in shown.text
    assert ("╭─ Options of every prompt ─" in shown.text) == (width >= 40)
    assert (SHARED in " ".join(shown.text.split())) == (width < 40)


def test_a_framed_page(gptkit: InMemory, home: Path) -> None:
    haiku = home / "config" / "prompts" / "haiku.yaml"
    haiku.parent.mkdir(parents=True)
    haiku.write_text(
        "description: Write a haiku.\n"
        "arguments: {topic: {help: Its topic.}}\n"
        "user: '{{ topic }}'\n"
        "input: none\n"
    )
    plain = gptkit("haiku", "-h", tty=True, width=44, env={"NO_COLOR": "1"})
    assert (plain.code, plain.stderr) == (0, "")
    assert plain.stdout.startswith(
        "\n"
        " Usage: gptkit haiku [OPTIONS] TOPIC...\n"
        "\n"
        " Write a haiku.\n"
        "\n"
        "╭─ Arguments ──────────────────────────────╮\n"
        "│ TOPIC...  Its topic.  [required]         │\n"
        "╰──────────────────────────────────────────╯\n"
        "╭─ Options ────────────────────────────────╮\n"
        "│ --help-all  Show every option and exit.  │\n"
        "│ -h, --help  Show this message and exit.  │\n"
        "╰──────────────────────────────────────────╯\n"
        "╭─ Options of every prompt ────────────────╮\n"
        "│ -f, --file FILE    Read the input from   │\n"
    )
    coloured = gptkit("haiku", "-h", tty=True, width=44)
    assert "\x1b[1;36m--help\x1b[0m" in coloured.stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured.stdout) == plain.stdout


@pytest.mark.parametrize("width", [24, 40, 80, 120])
def test_a_users_words_are_shown_and_not_obeyed(screen: OnTerminal, home: Path, width: int) -> None:
    haiku = home / "config" / "prompts" / "haiku.yaml"
    haiku.parent.mkdir(parents=True)
    haiku.write_text(HOSTILE, "utf-8")
    for words in (("haiku",), ()):
        shown = screen(*words, "--help", columns=width, rows=60)
        assert shown.wait_exit() == 0
        text = flat(shown.text)
        for literal in LITERAL if words else LITERAL[:1]:
            assert flat(literal) in text
        for control in (b"\x1b]", b"\x1b[2J", b"\x07", "\u202e".encode(), b"\x1b[31m"):
            assert control not in shown.raw


def flat(text: str) -> str:
    """Without what a table puts between the words of a cell."""
    return re.sub(r"[\s│]", "", text)


def test_the_literal_words_would_be_found_if_they_were_cut() -> None:
    assert flat("│ a [b] │\n│  c   │") == "a[b]c"


def test_in_a_pipe_the_page_is_plain(gptkit: InMemory, home: Path) -> None:
    haiku = home / "config" / "prompts" / "haiku.yaml"
    haiku.parent.mkdir(parents=True)
    haiku.write_text(HOSTILE, "utf-8")
    code, output, errors = gptkit("haiku", "-h")
    assert (code, errors) == (0, "")
    assert output.startswith(f"Usage: gptkit haiku [OPTIONS] [TEXT...]\n\n  {LITERAL[0]}\n\nArguments:\n")
    for literal in LITERAL:
        assert flat(literal) in flat(output)
    assert "\x1b" not in output


def test_without_a_command_a_person_sees_the_help(screen: OnTerminal, gptkit: InMemory) -> None:
    for words in ((), ("prompts",)):
        shown = screen(*words, rows=50)
        assert shown.wait_exit() == 2
        asked = screen(*words, "--help", rows=50)
        assert asked.wait_exit() == 0
        assert shown.text == asked.text
        command = " ".join(("gptkit", *words))
        hint = f"gptkit: missing command\nhint: '{command} --help' shows all\n"
        assert gptkit(*words) == (2, "", hint)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("translat", "hi"), "no command or prompt named 'translat'", "did you mean 'translate'?"),
        (("kyes",), "no command or prompt named 'kyes'", "did you mean 'keys'?"),
        (("help",), "no command or prompt named 'help'", "did you mean '--help'?"),
        (("version",), "no command or prompt named 'version'", "did you mean '--version'?"),
        (("xyzzy",), "no command or prompt named 'xyzzy'", "'gptkit --help' shows all"),
        (("../ask",), "no command or prompt named '../ask'", "did you mean 'ask'?"),
        (("",), "no command or prompt named ''", "'gptkit --help' shows all"),
        (("a\x1b[2Jb\nc",), "no command or prompt named 'a␛[2Jb c'", "'gptkit --help' shows all"),
        (("prompts", "lst"), "no such command 'lst'", "did you mean 'list'?"),
        (("prompts", "xyzzy"), "no such command 'xyzzy'", TAKES.format("prompts")),
        (("ask", "--modle", "x"), "no such option '--modle'", "did you mean '--model'?"),
        (("ask", "-Z"), "no such option '-Z'", TAKES.format("ask") + DASHES),
        (("commit", "--amend"), "no such option '--amend'", TAKES.format("commit") + DASHES),
        (("models", "-Z"), "no such option '-Z'", TAKES.format("models")),
        (("--verson",), "no such option '--verson'", "did you mean '--version'?"),
        *(
            (
                (option, "x", "ask", "hi"),
                f"no such option '{option}'",
                f"options follow the command: 'gptkit NAME {option} ...'",
            )
            for option in ("-m", "--model", "--to")
        ),
        (
            ("ask", "--model"),
            "option '--model' requires an argument",
            TAKES.format("ask"),
        ),
        (("ask", "--json=yes", "x"), "option '--json' takes no value", TAKES.format("ask")),
        (("models", "a\x1bb"), "unexpected argument 'a␛b'", TAKES.format("models")),
        (("prompts", "show"), "missing argument 'NAME'", TAKES.format("prompts show")),
    ],
)
def test_a_usage_error_is_one_line_and_a_hint(
    gptkit: InMemory, words: tuple[str, ...], message: str, hint: str
) -> None:
    assert gptkit(*words) == (2, "", f"gptkit: {message}\nhint: {hint}\n")


def test_the_version(gptkit: InMemory) -> None:
    from gptkit import __version__

    assert gptkit("--version") == gptkit("-V") == (0, f"gptkit {__version__}\n", "")


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN.iterdir():
        old.unlink()
    for each in pages():
        golden(each).write_text(page(each), "utf-8")
