"""What is read without Typer is what Typer reads, and everything else is left to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest
from fake.program import AsProcess, InMemory, Surroundings
from fake.server import FakeServer
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.app import build_services
from gptkit.capabilities.character.npc_server import ONE_EXCHANGE
from gptkit.capabilities.conversation.config import SINGLE_EXCHANGE
from gptkit.capabilities.long.job import SINGLE_ANSWER_OPTIONS
from gptkit.cli import fast_args
from gptkit.cli.command import build_command
from gptkit.cli.help import help_style
from gptkit.core.terminal import memory_terminal
from gptkit.session.options import FLAGS, SharedOptions
from gptkit.templates.template import Parameter, Template, Value

OPTIONS = (
    Parameter("to", default="English", short="t"),
    Parameter("tone", "choice", short="T", choices=("plain", "warm")),
    Parameter("words", "integer", default=3),
    Parameter("share", "number"),
    Parameter("deep-look", "boolean"),
    Parameter("fast", "boolean", default=True, short="F"),
    Parameter("focus", "list", short="u"),
    Parameter("reply", "file"),
)
TEXT = Parameter("text")
TEMPLATES = [
    Template("one", "one.yaml", "x", options=OPTIONS, arguments=(TEXT,)),
    Template("asks", "asks.yaml", "x", options=OPTIONS, arguments=(Parameter("question"),)),
    Template("two", "two.yaml", "x", arguments=(Parameter("who"), TEXT)),
    Template("nothing", "nothing.yaml", "x", options=OPTIONS, arguments=(TEXT,), input="none"),
    Template("listed", "listed.yaml", "x", arguments=(Parameter("items", "list"),)),
]
EXTRA = (Parameter("added", short="a"), Parameter("bare", "boolean", plain=True))
NAMES = ("--to", "-t", "--tone", "-T", "--words", "--share", "--focus", "-u", "--reply", "--added", "-a")
SHARED = ("-f", "--file", "-o", "-m", "--model", "--max-tokens", "--temperature", "--param", "--proxy")
SWITCHES = (
    "--deep-look",
    "--no-deep-look",
    "--bare",
    "--no-bare",
    "--fast",
    "--no-fast",
    "-F",
    "-v",
    "-q",
    "--raw",
    "--json",
    "--stdin",
)
ODD = (
    "--",
    "-",
    "--help",
    "-h",
    "-vq",
    "-tFrench",
    "--nope",
    "-Z",
    "--tone=",
    "--to=",
    "--fast=1",
    "-t=x",
    "--tom",
)
WORDS = (
    "warm",
    "7",
    "07",
    "0",
    "-3",
    "0.5",
    "1e3",
    ".5",
    "",
    " ",
    "文字",
    "a b",
    "a//b/./c",
    "k=v",
    "--",
    "- one",
    "--amend it",
    "--to it",
    "--to it=1",
    "-- x",
    "-t x",
    "--to=a b",
    "٣",
)
TOKENS = st.one_of(
    st.sampled_from((*NAMES, *SHARED)),
    st.sampled_from(SWITCHES),
    st.sampled_from(WORDS),
    st.sampled_from(ODD),
    st.builds("{}={}".format, st.sampled_from((*NAMES, *SHARED)), st.sampled_from(WORDS)),
)


def typer_reads(argv: list[str], template: Template) -> tuple[Mapping[str, Value], SharedOptions] | None:
    """What the Typer command hands on; None when it refuses."""
    got: list[tuple[Mapping[str, Value], SharedOptions]] = []

    def call(values: Mapping[str, Value], shared: SharedOptions) -> int:
        got.append((values, shared))
        return 0

    built: Any = build_command(template, call, EXTRA, help_style(memory_terminal()))
    try:
        built.main(argv, prog_name="x", standalone_mode=False)
    except Exception:
        return None
    return got[0] if got else None


@settings(max_examples=400)
@given(st.lists(TOKENS, max_size=6), st.sampled_from(TEMPLATES))
def test_what_is_read_is_what_typer_reads(argv: list[str], template: Template) -> None:
    found = fast_args.parse_arguments(argv, template, EXTRA)
    if found is not None:
        values, shared = found
        assert (values, shared) == typer_reads(argv, template)
        assert {name: type(value) for name, value in values.items()} == {
            name: type(value) for name, value in (typer_reads(argv, template) or ({}, {}))[0].items()
        }


def test_there_is_a_field_for_each_shared_option() -> None:
    kinds = {"text": "str | None", "integer": "int | None", "number": "float | None", "flag": "bool"}
    kinds |= {"list": "tuple[str, ...]", "path": "Path | None"}
    fields = get_type_hints(SharedOptions)
    assert list(fields) == [flag.variable for flag in FLAGS]
    for flag in FLAGS:
        shown = str(fields[flag.variable]).replace("pathlib.", "")
        assert shown in (kinds[flag.kind], f"<class '{kinds[flag.kind]}'>"), flag.name


@pytest.mark.parametrize("names", [ONE_EXCHANGE, SINGLE_ANSWER_OPTIONS, SINGLE_EXCHANGE])
def test_options_are_asked_for_by_names_that_there_are(names: tuple[str, ...]) -> None:
    assert SharedOptions().first_given(names) == ""


PLAIN = [
    ["hello", "there", "--to", "French"],
    ["--to=French", "-f", "a.txt", "--file", "b.txt", "-o", "out", "-v"],
    ["--tone", "warm", "--words", "12", "--share", "0.25", "--no-deep-look", "-F"],
    ["-u", "a", "--focus", "b", "--reply", "./x//y", "--param", "a=b=c", "--max-tokens", "9"],
    [],
]


@pytest.mark.parametrize("argv", PLAIN)
def test_plain_command_lines_are_read_here(argv: list[str]) -> None:
    found = fast_args.parse_arguments(argv, TEMPLATES[0], EXTRA)
    assert found is not None
    assert found == typer_reads(argv, TEMPLATES[0])


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--", "x"],
        ["-"],
        ["-vq"],
        ["--tone", "cold"],
        ["--words", "-3"],
        ["--words", "many"],
        ["--max-tokens", "0"],
        ["--to"],
        ["--to", "-x"],
        ["--nope"],
        ["--to", "a", "--to", "b"],
        ["-o", ""],
        ["--fast=1"],
    ],
)
def test_everything_else_is_left_to_typer(argv: list[str]) -> None:
    assert fast_args.parse_arguments(argv, TEMPLATES[0], EXTRA) is None


@pytest.mark.parametrize("argv", [[], ["--help"], ["--version"], ["prompts", "list"], ["nobody", "x"]])
def test_only_prompts_are_run_here(argv: list[str], around: Surroundings) -> None:
    assert fast_args.run(argv, build_services(memory_terminal(environ=around.environ(None, None)))) is None


def test_a_plain_call_loads_no_typer(run: AsProcess) -> None:
    """Typer is asked for by --help, and not by a plain call."""
    shows = {"PYTHONVERBOSE": "1"}
    assert "import 'typer'" not in run("ask", "hi", "--model", "echo", env=shows).stderr
    assert "import 'typer'" in run("ask", "--help", env=shows).stderr


def test_the_two_ways_say_the_same(gptkit: InMemory) -> None:
    plainly = gptkit("translate", "Hello", "--to", "French", "--dry-run")
    assert plainly.code == 0
    assert plainly == gptkit("translate", "--dry-run", "--to", "French", "--", "Hello")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["- summarize this"], "- summarize this"),
        (["-\u3000总结"], "-\u3000总结"),
        (["--amend wording"], "--amend wording"),
        (["--amend the=sign"], "--amend the=sign"),
        (["-v", "--amend wording", "--max-tokens", "9", "too"], "--amend wording too"),
        (["-m", "m", "- a", "-vm", "m", "- b"], "- a - b"),
        (["- a", "--param", "x=- b", "--", "--raw", "c"], "- a --raw c"),
        (["--amend"], None),
        (["--amend=it please"], None),
        (["-5 degrees"], None),
    ],
)
def test_words_that_begin_with_a_dash(
    gptkit: InMemory, server: FakeServer, args: list[str], words: str | None
) -> None:
    """A dash before a space, and a name with a space before any '=', are no option."""
    if words is not None:
        server.say("Hi")
    done = gptkit("ask", *args)
    assert (done.code, done.stdout) == ((2, "") if words is None else (0, "Hi\n"))
    assert [request.user.strip() for request in server.requests] == [words] * (words is not None)
