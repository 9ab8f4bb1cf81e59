"""A YAML file of the user's is a command at once; a broken one beside it is reported and harms nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import prompt
from delimiters import delimited
from fake.program import InMemory
from fake.server import FakeServer

HAIKU = """\
description: Write a haiku.
system: |
  Write a haiku. Its mood is {{ mood }}.
  {% if season %}
  Its season is {{ season }}.
  {% endif %}
options:
  mood: {choices: [calm, sad, merry], default: calm, short: M, help: Mood of the haiku.}
  season: {help: Season of the haiku.}
output: text
"""
BROKEN = "description: Never seen.\nsystem: Say it.\noptions:\n  tone: {type: chioce, choices: [a, b]}\n"
WRONG = "options.tone.type: unknown type 'chioce'"


@pytest.fixture
def mine(home: Path) -> Path:
    """The user's folder, with a haiku and a broken file in it."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "haiku.yaml").write_text(HAIKU)
    (folder / "broken.yaml").write_text(BROKEN)
    return folder


def test_it_works(gptkit: InMemory, server: FakeServer, mine: Path) -> None:
    server.say("Snow falls.\nAll is white.")
    assert gptkit("haiku", "the first snow", "-M", "sad", "--season", "冬") == (
        0,
        "Snow falls.\nAll is white.\n",
        "",
    )
    assert (server.request.system, server.request.user) == (
        "Write a haiku. Its mood is sad.\nIts season is 冬.",
        "the first snow",
    )


def test_its_default_counts(gptkit: InMemory, server: FakeServer, mine: Path) -> None:
    server.say("Snow.")
    assert gptkit("haiku", stdin="the first snow\n") == (0, "Snow.\n", "")
    assert (server.request.system, server.request.user) == (
        "Write a haiku. Its mood is calm.",
        "the first snow\n",
    )


def test_it_is_in_the_help(gptkit: InMemory, mine: Path) -> None:
    code, output, errors = gptkit("--help")
    assert (code, errors) == (0, "")
    assert "\n  haiku      Write a haiku.\n" in output
    assert "\n  broken     (broken: 'gptkit prompts check broken' says why)\n" in output
    assert "\n  translate  Translate a text of any length and keep its structure.\n" in output


def test_it_has_a_help_of_its_own(gptkit: InMemory, mine: Path) -> None:
    code, output, errors = gptkit("haiku", "--help")
    assert (code, errors) == (0, "")
    assert output.startswith(
        "Usage: gptkit haiku [OPTIONS] [TEXT...]\n"
        "\n"
        "  Write a haiku.\n"
        "\n"
        "Arguments:\n"
        "  TEXT...  Words to work on; by default standard input.\n"
        "\n"
        "Options:\n"
        "  -M, --mood CHOICE  Mood of the haiku.  [calm, sad, merry; default: calm]\n"
        "  --season TEXT      Season of the haiku.\n"
        "  --help-all         Show every option and exit.\n"
        "  -h, --help         Show this message and exit.\n"
        "\n"
        "Options of every prompt:\n"
    )


def test_a_missing_value_names_the_choices(gptkit: InMemory, home: Path) -> None:
    text = "description: x\ninput: none\nuser: '{{ a }}'\narguments: {a: {type: choice, choices: [是, 否]}}\n"
    prompt(home, text, "pick")
    told = "gptkit: missing argument 'A': one of '是', '否'\nhint: 'gptkit pick --help' shows what it takes\n"
    assert gptkit("pick") == (2, "", told)


def test_a_bad_value_names_the_choices(gptkit: InMemory, mine: Path) -> None:
    code, output, errors = gptkit("haiku", "snow", "--mood", "grim")
    assert (code, output) == (2, "")
    message, hint = errors.splitlines()
    assert message.startswith("gptkit: invalid value for '--mood'")
    assert message.endswith("it must be one of 'calm', 'sad', 'merry'")
    assert hint == "hint: 'gptkit haiku --help' shows what it takes"


@pytest.mark.parametrize(
    "words", [("broken", "hi"), ("broken", "--help"), ("broken", "--nope"), ("prompts", "render", "broken")]
)
def test_a_broken_one_says_where(gptkit: InMemory, mine: Path, words: tuple[str, ...]) -> None:
    told = f"gptkit: {mine / 'broken.yaml'}:4: {WRONG}\nhint: did you mean 'choice'?\n"
    assert gptkit(*words) == (65, "", told)


def test_a_broken_one_as_json(gptkit: InMemory, mine: Path) -> None:
    code, output, errors = gptkit("broken", "hi", "--json")
    assert (code, output) == (65, "")
    record = json.loads(errors.splitlines()[-1])
    assert (record["code"], record["kind"]) == (65, "data")
    assert record["message"] == f"{mine / 'broken.yaml'}:4: {WRONG}"


def test_a_broken_one_is_reported(gptkit: InMemory, mine: Path) -> None:
    code, output, errors = gptkit("prompts", "list")
    assert (code, errors) == (0, "")
    assert f"\nbroken\tuser\tbroken: {mine / 'broken.yaml'}:4: {WRONG}\n" in output
    told = f"{mine / 'broken.yaml'}:4: {WRONG} (did you mean 'choice'?)\n"
    assert gptkit("prompts", "check", "broken") == (65, told, "gptkit: 1 broken prompt file\n")


def test_it_takes_the_place_of_a_built_in_one(gptkit: InMemory, server: FakeServer, mine: Path) -> None:
    (mine / "translate.yaml").write_text("description: Mine.\nsystem: Translate.\noutput: text\n")
    server.say("Salut")
    assert gptkit("translate", "Hi") == (0, "Salut\n", "")
    assert (server.request.system, server.request.user) == ("Translate.", "Hi")
    assert gptkit("translate", "--to", "French", "Hi").code == 2


def test_it_extends_the_one_it_takes_the_place_of(gptkit: InMemory, server: FakeServer, mine: Path) -> None:
    (mine / "translate.yaml").write_text(
        "extends: translate\n"
        "description: Translate for us.\n"
        "options:\n"
        "  to: {default: 简体中文, short: t, help: Target language.}\n"
    )
    server.say("你好")
    assert gptkit("translate", "Hi", "--tone", "warm") == (0, "你好\n", "")
    system, user = server.request.system, server.request.user
    assert "into 简体中文." in system
    assert "Use a warm tone" in system
    assert user == f"{delimited('text', 'Hi')}\n"
    assert "\n  translate  Translate for us.\n" in gptkit("--help").stdout


def test_it_extends_another_that_is_the_users(gptkit: InMemory, mine: Path) -> None:
    (mine / "tanka.yaml").write_text(
        "extends: haiku\ndescription: Write a tanka.\nuser: 'Tanka: {{ text }}'\n"
    )
    code, output, errors = gptkit("prompts", "render", "tanka", "-M", "merry", "frogs")
    assert (code, errors) == (0, "")
    assert output == "--- system\nWrite a haiku. Its mood is merry.\n--- user\nTanka: frogs\n"


def test_what_extends_a_broken_one_says_which(gptkit: InMemory, mine: Path) -> None:
    (mine / "child.yaml").write_text("extends: broken\ndescription: x\n")
    code, output, errors = gptkit("child", "hi")
    assert (code, output) == (65, "")
    assert errors.startswith(f"gptkit: {mine / 'broken.yaml'}:4: {WRONG}")


def test_a_value_is_never_a_template(gptkit: InMemory, server: FakeServer, mine: Path) -> None:
    server.say("x")
    assert gptkit("haiku", "{{ mood }}", "--season", "{% raw %}{{ text }}").code == 0
    system, user = server.request.system, server.request.user
    assert user == "{{ mood }}"
    assert "{% raw %}{{ text }}" in system


def test_options_of_every_type(gptkit: InMemory, mine: Path) -> None:
    (mine / "typed.yaml").write_text(
        "description: All types.\n"
        "system: |\n"
        "  {{ t }}|{{ i }}|{{ n }}|{{ 'B' if b else '' }}|{{ c }}|{{ l | join('+') }}\n"
        "options:\n"
        "  t: {default: 'no'}\n"
        "  i: {type: integer, default: 3}\n"
        "  n: {type: number, default: 0.5}\n"
        "  b: {type: boolean, default: true}\n"
        "  c: {type: choice, choices: [on, off, 1], default: off}\n"
        "  l: {type: list, default: [x, y]}\n"
    )

    def system(*words: str) -> str:
        code, output, errors = gptkit("prompts", "render", "typed", *words, "text")
        assert (code, errors) == (0, "")
        return output.splitlines()[1]

    assert system() == "no|3|0.5|B|off|x+y"
    given = ("--t", "", "--i", "-7", "--n", "1e3", "--no-b", "--c", "1", "--l", "a b", "--l", "c")
    assert system(*given) == "|-7|1000.0||1|a b+c"
    for wrong in (["--i", "1.5"], ["--n", "x"], ["--c", "No"], ["--b=1"]):
        assert gptkit("typed", "text", *wrong).code == 2


def test_a_prompt_without_input_takes_no_words(gptkit: InMemory, server: FakeServer, mine: Path) -> None:
    (mine / "quote.yaml").write_text(
        "description: A quote.\nuser: A quote, please.\ninput: none\noutput: text\n"
    )
    server.say("Be brief.")
    assert gptkit("quote", stdin="not read") == (0, "Be brief.\n", "")
    assert "[TEXT...]" not in gptkit("quote", "--help").stdout
    code, output, errors = gptkit("quote", "hi")
    assert (code, output) == (2, "")
    assert errors.startswith("gptkit: unexpected argument ")
