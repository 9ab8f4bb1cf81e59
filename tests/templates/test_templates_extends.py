"""`extends`: what a prompt file takes from another, and how a chain of them can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_files import WORDS, Extension
from prompt_folders import Folders

from gptkit.core.errors import DataError
from gptkit.templates.library import Library, PromptFile, PromptFolder
from gptkit.templates.template import Parameter, Template, Vocabulary

PARENT = """\
description: A letter.
system: |
  Write {{ tone }}{% if to %} to {{ to }}{% endif %}.
user: "{{ request }} {{ text }}"
examples: [{user: a, assistant: b}]
options:
  tone: {choices: [plain, warm], default: plain, short: t, help: How it reads.}
  to: {help: Who gets it.}
arguments: {text: {help: What it says.}}
input: optional
model: gpt-0
parameters: {temperature: 0.5, seed: 1}
output: text
tests: [{expect: {equals: x}}]
"""


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    found = Folders(tmp_path)
    found.write("built-in/letter.yaml", PARENT)
    return found


def child(folders: Folders, text: str) -> Template:
    folders.write("user/child.yaml", f"extends: letter\n{text}")
    return folders.library.template("child")


def test_everything_but_the_tests_is_inherited(folders: Folders) -> None:
    parent = folders.library.template("letter")
    found = child(folders, "")
    assert (found.name, found.source) == ("child", str(folders.root / "user/child.yaml"))
    assert found.cases == ()
    assert len(parent.cases) == 1
    for key in ("description", "system", "user", "examples", "input", "model", "parameters", "output"):
        assert getattr(found, key) == getattr(parent, key)
    assert [(one.name, one.default, one.short) for one in found.options] == [
        ("tone", "plain", "t"),
        ("to", None, ""),
    ]
    assert found.arguments[0].help == "What it says."


def test_a_key_of_the_child_replaces_that_of_the_parent(folders: Folders) -> None:
    found = child(
        folders,
        "description: A note.\nsystem: Short.\nexamples: []\nmodel:\noutput: {format: json}\n"
        "input: required\ntests: [{expect: {equals: y}}, {expect: {equals: z}}]\n",
    )
    assert (found.description, found.system, found.examples, found.model) == ("A note.", "Short.", (), "")
    assert (found.output, found.input, len(found.cases)) == ("json", "required", 2)


def test_options_and_parameters_are_added_to_those_of_the_parent(folders: Folders) -> None:
    found = child(
        folders,
        "system: '{{ tone }} {{ to }} {{ words }}'\noptions: {words: {type: integer}}\n"
        "parameters: {seed: 2, top_p: 0.1}\n",
    )
    assert [one.name for one in found.options] == ["tone", "to", "words"]
    assert found.parameters == {"temperature": 0.5, "seed": 2, "top_p": 0.1}


def test_one_key_of_an_option_can_be_changed(folders: Folders) -> None:
    found = child(folders, "options: {tone: {default: warm}, to: {short: o}}")
    assert found.options == (
        Parameter("tone", "choice", "warm", "t", "How it reads.", ("plain", "warm"), 2),
        Parameter("to", "text", None, "o", "Who gets it.", (), 2),
    )


def test_an_option_of_another_type_starts_anew(folders: Folders) -> None:
    found = child(folders, "options: {tone: {type: text, default: dry}}")
    assert found.options[0] == Parameter("tone", "text", "dry", line=2)


def test_arguments_are_replaced_as_a_whole(folders: Folders) -> None:
    found = child(folders, "arguments: {topic: }\nuser: '{{ topic }} {{ text }}'")
    assert [one.name for one in found.arguments] == ["topic"]


def test_an_inherited_option_may_be_left_unused_but_not_one_of_its_own(folders: Folders) -> None:
    assert child(folders, "system: Short.").options[0].name == "tone"
    folders.write(
        "user/child.yaml", "extends: letter\nsystem: '{{ to }}'\noptions: {tone: {default: warm}, x: {}}\n"
    )
    assert folders.problems("child") == [
        ("user/child.yaml", 3, "options.tone", "no template uses the variable 'tone'", ""),
        ("user/child.yaml", 3, "options.x", "no template uses the variable 'x'", ""),
    ]


def test_what_is_inherited_and_does_not_fit_is_named_where_it_is_inherited(folders: Folders) -> None:
    folders.write(
        "built-in/asking.yaml", "description: x\n\n\nuser: '{{ topic }}{{ text }}'\narguments: {topic: }\n"
    )
    folders.write("user/child.yaml", "description: x\nextends: asking\narguments: {text: }\n")
    assert folders.problems("child") == [
        (
            "user/child.yaml",
            2,
            "user",
            "the variable 'topic' is not declared",
            "allowed: text, request, files, script, format, earlier, user_system, user_shell, attachments",
        )
    ]


def test_a_clash_with_what_is_inherited_is_found(folders: Folders) -> None:
    folders.write(
        "user/child.yaml",
        "extends: letter\noptions:\n  x: {short: t}\nsystem: '{{ x }}{{ to }}'\narguments:\n  to:\n",
    )
    assert folders.problems("child") == [
        ("user/child.yaml", 3, "options.x.short", "-t belongs to 'tone'", ""),
        ("user/child.yaml", 6, "arguments.to", "an option has the same name", ""),
    ]


def test_a_capability_of_the_child_may_clash_with_an_inherited_option(folders: Folders) -> None:
    words = Vocabulary(WORDS.formats, (Extension("long", (Parameter("tone"),)),))
    path = folders.write("user/child.yaml", "extends: letter\nlong: map\n")
    library = Library(
        [PromptFolder("built-in", folders.root / "built-in"), PromptFolder("user", folders.root / "user")],
        words,
    )
    with pytest.raises(DataError) as caught:
        library.template("child")
    assert caught.value.message == f"{path}:1: options.tone: clashes with an option that 'long' adds"


WRONG = [
    ("options: [a]", 2, "options", "must be a mapping of keys, this is a list"),
    ("options: {tone: warm}", 2, "options.tone", "must be a mapping of keys, this is text"),
    (
        "options: {tone: {choices: [dry], default: plain}}",
        2,
        "options.tone.default",
        "'plain' is not one of the choices",
    ),
    ("options: {tone: {default: dry}}", 2, "options.tone.default", "'dry' is not one of the choices"),
    ("parameters: 1", 2, "parameters", "must be a mapping of keys, this is text"),
    ("options:", 1, "system", "the variable 'to' is not declared"),
    ("examples: [1]", 2, "examples.1", "must be a mapping of keys, this is text"),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), WRONG)
def test_what_the_child_adds_is_checked_as_its_own(
    folders: Folders, text: str, line: int, key: str, message: str
) -> None:
    folders.write("user/child.yaml", f"extends: letter\n{text}\n")
    assert folders.problems("child")[0][:4] == ("user/child.yaml", line, key, message)


def test_chains_are_followed_to_their_end(folders: Folders) -> None:
    folders.write("user/child.yaml", "extends: letter\nsystem: '{{ tone }}{{ one }}'\noptions: {one: {}}\n")
    folders.write("user/grandchild.yaml", "extends: child\nmodel: gpt-1\nsystem: '{{ one }}{{ to }}'\n")
    found = folders.library.template("grandchild")
    assert [one.name for one in found.options] == ["tone", "to", "one"]
    assert (found.model, found.description, found.cases) == ("gpt-1", "A letter.", ())


def test_a_file_can_extend_the_one_it_shadows(folders: Folders) -> None:
    folders.write("user/letter.yaml", "extends: letter\nmodel: mine\n")
    folders.write("project/letter.yaml", "extends: letter\ndescription: Ours.\n")
    found = folders.library.template("letter")
    assert (found.description, found.model, found.output) == ("Ours.", "mine", "text")


def test_a_file_from_elsewhere_can_extend_the_one_of_its_name(folders: Folders) -> None:
    path = folders.write("elsewhere/letter.yaml", "extends: letter\nmodel: mine\n")
    found = folders.library.check(PromptFile("letter", path, "user"))
    assert (found.description, found.model) == ("A letter.", "mine")


def test_extending_oneself_needs_another_of_the_name(folders: Folders) -> None:
    folders.write("user/alone.yaml", "description: x\nextends: alone\n")
    assert folders.problems("alone") == [
        ("user/alone.yaml", 2, "extends", "there is no other prompt named 'alone'", "")
    ]


CIRCLE = "extends itself in a circle"


def test_a_circle_is_refused(folders: Folders) -> None:
    folders.write("user/a.yaml", "description: x\nextends: b\n")
    folders.write("user/b.yaml", "\nextends: a\n")
    assert folders.problems("a") == [("user/b.yaml", 2, "extends", CIRCLE, "")]
    assert folders.problems("b") == [("user/a.yaml", 2, "extends", CIRCLE, "")]


def test_a_circle_behind_a_chain_is_refused(folders: Folders) -> None:
    for name, parent in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")):
        folders.write(f"user/{name}.yaml", f"extends: {parent}\n")
    assert folders.problems("a") == [("user/d.yaml", 1, "extends", CIRCLE, "")]


def test_a_circle_over_shadowed_files_is_refused(folders: Folders) -> None:
    folders.write("built-in/a.yaml", "extends: b\n")
    folders.write("built-in/b.yaml", "extends: a\n")
    folders.write("user/a.yaml", "extends: a\n")
    assert folders.problems("a") == [("built-in/b.yaml", 1, "extends", CIRCLE, "")]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("leter", "did you mean 'letter'?"),
        ("poem", "allowed: letter"),
        ("../built-in/letter", "allowed: letter"),
        ("letter.yaml", "did you mean 'letter'?"),
        ("/etc/passwd", "allowed: letter"),
    ],
)
def test_an_unknown_parent_is_refused_with_the_nearest(folders: Folders, name: str, hint: str) -> None:
    folders.write("user/child.yaml", f"description: x\nextends: {name}\n")
    assert folders.problems("child") == [("user/child.yaml", 2, "extends", f"no prompt named '{name}'", hint)]


BROKEN = [
    ("description: x\nsystem: [a]\n", 2, "system", "must be text, this is a list"),
    ("description: x\n\nsystem: '{{ nothing }}'\n", 3, "system", "the variable 'nothing' is not declared"),
    ("description: x\noptions:\n  tone: {}\n", 3, "options.tone", "no template uses the variable 'tone'"),
    ("description: x\na: [\n", 3, "", "not YAML: unexpected end"),
    ("- a\n", 1, "", "a prompt file is a mapping of keys, this is a list"),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), BROKEN)
def test_a_broken_parent_is_named_by_its_own_file(
    folders: Folders, text: str, line: int, key: str, message: str
) -> None:
    folders.write("built-in/parent.yaml", text)
    folders.write("user/child.yml", "extends: parent\ndescription: y\nsystem: Fine.\n")
    assert [problem[:4] for problem in folders.problems("child")] == [
        ("built-in/parent.yaml", line, key, message)
    ]


@pytest.mark.parametrize("nothing", ["", "~", "null", "''"])
def test_extending_nothing_is_extending_nothing(folders: Folders, nothing: str) -> None:
    folders.write("user/child.yaml", f"description: x\nextends: {nothing}\n")
    assert folders.library.template("child").description == "x"
