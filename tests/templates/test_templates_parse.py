"""The keys of a prompt file: what each becomes, and how every wrong kind of value is refused."""

from __future__ import annotations

import pytest
from prompt_files import ALL_KEYS, FILE, WORDS, Extension, broken, template

from gptkit.core.yaml_tree import Problem, YamlNode
from gptkit.templates.parse import name_problem
from gptkit.templates.template import DEFAULT_USER, KINDS, Parameter, Vocabulary

WHOLE = """\
description: Write a   haiku
  about it.
system: You write in {{ lang }}{% if seasons %} of {{ seasons | join(", ") }}{% endif %}.
user: "{{ topic }}: {{ text }}"
examples:
  - {user: rain, assistant: a haiku of rain}
  - user: null
    assistant: |
      two
      lines
options:
  lang: {default: no, short: l, help: "The\\n language."}
  seasons: {type: list}
arguments:
  topic: {type: choice, choices: [yes, 1.0, null]}
  text:
input: optional
model: gpt-0
parameters: {temperature: 0.5, seed: 007, stop: [no, "1"], logit_bias: {"50256": -100}, user: null}
output: {format: json, schema: {type: object, enum: [yes, 1]}}
tests: []
"""


def test_every_key_becomes_its_value() -> None:
    found = template(WHOLE)
    assert found.name == "haiku"
    assert found.source == FILE
    assert found.description == "Write a haiku about it."
    assert found.user == "{{ topic }}: {{ text }}"
    assert found.examples == (("rain", "a haiku of rain"), ("", "two\nlines\n"))
    assert found.options == (
        Parameter("lang", "text", "no", "l", "The language.", (), 12),
        Parameter("seasons", "list", line=13),
    )
    assert found.arguments == (
        Parameter("topic", "choice", choices=("yes", "1.0", "null"), line=15),
        Parameter("text", line=16),
    )
    assert (found.input, found.model, found.output) == ("optional", "gpt-0", "json")
    assert found.parameters == {
        "temperature": 0.5,
        "seed": 7,
        "stop": ["no", "1"],
        "logit_bias": {"50256": -100},
        "user": None,
    }
    assert found.schema == {"type": "object", "enum": ["yes", 1]}
    assert found.cases == ()
    assert found.lines["system"] == 3
    assert found.declared_parameters == found.options + found.arguments


def test_what_is_left_out_has_its_default() -> None:
    found = template("description: x")
    assert found.system == ""
    assert found.user == DEFAULT_USER
    assert [argument.name for argument in found.arguments] == ["text"]
    assert (found.input, found.model, found.output, found.schema) == ("required", "", "markdown", None)
    assert (found.options, found.examples, found.cases) == ((), (), ())
    assert (found.parameters, found.capabilities) == ({}, {})


def test_a_command_without_input_takes_no_words() -> None:
    assert template("description: x\ninput: none\nuser: Go on.").arguments == ()


NOTHING = """\
description: x
system:
user: ~
examples:
options:
arguments: ~
input: null
model:
parameters:
output:
tests:
extends:
"""


def test_a_key_without_a_value_is_as_one_left_out() -> None:
    found = template(NOTHING.replace("user: ~\n", ""))
    assert found == template("description: x")._replace(lines=found.lines)


def text_wanted(key: str, line: int = 2) -> list[tuple[int, str, str, str]]:
    return [(line, key, "must be text, this is a list", "")]


WRONG = [
    ("description: [x]", [(1, "description", "must be text, this is a list", "")]),
    ("description: {x: y}", [(1, "description", "must be text, this is a mapping", "")]),
    ("description: ''", [(1, "description", "empty; it is the first line of --help", "")]),
    ("description: null", [(1, "description", "empty; it is the first line of --help", "")]),
    ("system: x", [(1, "description", "missing; it is the first line of --help", "")]),
    ("description: x\nsystem: [x]", text_wanted("system")),
    ("description: x\nsystem: {x: y}", [(2, "system", "must be text, this is a mapping", "")]),
    ("description: x\nuser: [x]", text_wanted("user")),
    ("description: x\nmodel: [x]", text_wanted("model")),
    ("description: x\nmodel: |\n  a\n  b", [(2, "model", "must be a single line", "")]),
    ("description: x\ninput: [x]", text_wanted("input")),
    ("description: x\nextends: [x]", text_wanted("extends")),
    ("description: x\ninput: requird", [(2, "input", "unknown word 'requird'", "did you mean 'required'?")]),
    (
        "description: x\ninput: maybe",
        [(2, "input", "unknown word 'maybe'", "allowed: required, optional, attachment, none")],
    ),
    ("description: x\nexamples: x", [(2, "examples", "must be a list, this is text", "")]),
    ("description: x\nexamples: {user: x}", [(2, "examples", "must be a list, this is a mapping", "")]),
    (
        "description: x\nexamples: [x]",
        [
            (2, "examples.1", "must be a mapping of keys, this is text", ""),
        ],
    ),
    ("description: x\nexamples:\n - user: x", [(3, "examples.1.assistant", "missing", "")]),
    ("description: x\nexamples:\n - assistant: x", [(3, "examples.1.user", "missing", "")]),
    ("description: x\nexamples:\n - {user: x, assistant: [y]}", text_wanted("examples.1.assistant", 3)),
    (
        "description: x\nexamples:\n - {user: x, assistant: y}\n - {user: x, asistant: y, assistant: z}",
        [(4, "examples.2.asistant", "unknown key", "did you mean 'assistant'?")],
    ),
    ("description: x\nparameters: 1", [(2, "parameters", "must be a mapping of keys, this is text", "")]),
    ("description: x\nparameters: [a]", [(2, "parameters", "must be a mapping of keys, this is a list", "")]),
    (
        "description: x\nparameters:\n  messages: []",
        [(3, "parameters.messages", "gptkit sets it itself", "")],
    ),
    (
        "description: x\nparameters:\n  stream: true",
        [(3, "parameters.stream", "gptkit sets it itself", "")],
    ),
    (
        "description: x\nparameters:\n  model: x",
        [(3, "parameters.model", "gptkit sets it itself", "a prompt file has the key 'model'")],
    ),
    (
        "description: x\nparameters: {top p: 1}",
        [(2, "parameters.top p", "not the name of an API parameter", "")],
    ),
    ("description: x\noutput: [text]", text_wanted("output")),
    (
        "description: x\noutput: yaml",
        [(2, "output", "unknown format 'yaml'", "allowed: text, markdown, code, json")],
    ),
    (
        "description: x\noutput: markdwn",
        [(2, "output", "unknown format 'markdwn'", "did you mean 'markdown'?")],
    ),
    (
        "description: x\noutput: {schema: {type: a}}",
        [
            (2, "output.format", "missing", "allowed: text, markdown, code, json"),
            (2, "output.schema", "a schema goes with the format json", ""),
        ],
    ),
    (
        "description: x\noutput:\n  format:",
        [(3, "output.format", "missing", "allowed: text, markdown, code, json")],
    ),
    (
        "description: x\noutput:\n  format: jsn",
        [(3, "output.format", "unknown format 'jsn'", "did you mean 'json'?")],
    ),
    ("description: x\noutput:\n  format: [json]", text_wanted("output.format", 3)),
    (
        "description: x\noutput: {format: json, shema: {}}",
        [(2, "output.shema", "unknown key", "did you mean 'schema'?")],
    ),
    (
        "description: x\noutput:\n  format: text\n  schema: {type: object}",
        [(4, "output.schema", "a schema goes with the format json", "")],
    ),
    ("description: x\noutput:\n  format: json\n  schema: {}", [(4, "output.schema", "no type", "")]),
    (
        "description: x\noutput:\n  format: json\n  schema: text",
        [(4, "output.schema", "must be a mapping, this is text", "")],
    ),
    (
        "description: x\noutput:\n  format: json\n  schema:",
        [(4, "output.schema", "must be a mapping, this is nothing", "")],
    ),
    ("description: x\noptions: [a]", [(2, "options", "must be a mapping of keys, this is a list", "")]),
    ("description: x\noptions: a", [(2, "options", "must be a mapping of keys, this is text", "")]),
    ("description: x\narguments: a", [(2, "arguments", "must be a mapping of keys, this is text", "")]),
    ("description: x\ntests: a", [(2, "tests", "must be a list, this is text", "")]),
    ("description: x\ntests: {text: a}", [(2, "tests", "must be a list, this is a mapping", "")]),
]


@pytest.mark.parametrize(("text", "problems"), WRONG)
def test_every_wrong_kind_is_refused(text: str, problems: list[tuple[int, str, str, str]]) -> None:
    assert broken(text) == problems


UNKNOWN = [
    ("sistem", "did you mean 'system'?"),
    ("System", "did you mean 'system'?"),
    ("option", "did you mean 'options'?"),
    ("desc", "did you mean 'description'?"),
    ("examples:", "did you mean 'examples'?"),
    ("temperature", ALL_KEYS),
    ("prompt", ALL_KEYS),
    ("系统", ALL_KEYS),
    ("x" * 1000, ALL_KEYS),
]


@pytest.mark.parametrize(("key", "hint"), UNKNOWN, ids=[key[:12] for key, _ in UNKNOWN])
def test_an_unknown_key_is_refused_with_the_nearest(key: str, hint: str) -> None:
    assert broken(f"description: x\nmodel: y\n'{key}': z") == [(3, key, "unknown key", hint)]


def test_a_misspelt_description_is_told_once() -> None:
    assert broken("descripton: x") == [(1, "descripton", "unknown key", "did you mean 'description'?")]


def test_all_problems_are_told_by_line() -> None:
    text = "options:\n  a: {short: xx}\n  b: {type: boolen}\ninput: x\ndescription: x\n"
    assert [problem[:2] for problem in broken(text)] == [
        (2, "options.a.short"),
        (3, "options.b.type"),
        (4, "input"),
    ]


RULE = "a command's name is made of a-z, 0-9 and '-', starts with a letter, 64 at most"
DEVICE = "Windows has a device of this name"
NAMES = [
    ("a", None),
    ("x" * 64, None),
    ("a-b-2", None),
    ("console", None),
    ("com", None),
    ("com10", None),
    ("", RULE),
    ("x" * 65, RULE),
    ("x" * 300, RULE),
    ("Haiku", RULE),
    ("HAIKU", RULE),
    ("2a", RULE),
    ("-a", RULE),
    ("a_b", RULE),
    ("a b", RULE),
    ("a.b", RULE),
    ("a\n", RULE),
    ("a\0", RULE),
    ("../x", RULE),
    ("a/b", RULE),
    ("/etc/passwd", RULE),
    ("a\\b", RULE),
    ("a／b", RULE),
    ("俳句", RULE),
    ("ａ", RULE),
    ("é", RULE),
    ("CON", RULE),
    ("..", RULE),
    (".", RULE),
    ("~", RULE),
    ("a:b", RULE),
    ("con", DEVICE),
    ("nul", DEVICE),
    ("prn", DEVICE),
    ("aux", DEVICE),
    ("com1", DEVICE),
    ("lpt9", DEVICE),
    ("prompts", "this name belongs to a command of gptkit itself"),
]


@pytest.mark.parametrize(("name", "problem"), NAMES, ids=[repr(name)[:20] for name, _ in NAMES])
def test_a_name_is_never_a_path(name: str, problem: str | None) -> None:
    assert name_problem(name, WORDS) == problem


def test_a_file_whose_name_no_command_can_have_is_broken() -> None:
    assert broken("description: x", name="My prompt") == [(1, "", RULE, "")]


def with_capabilities(*extensions: Extension) -> Vocabulary:
    return WORDS._replace(extensions=extensions)


def test_a_capability_reads_its_own_key() -> None:
    def check(node: YamlNode, report: object) -> object:
        return (node.line, node.data())

    words = with_capabilities(Extension("long", check=check))
    assert template("description: x\nlong: {by: 2}", words).capabilities == {"long": (2, {"by": 2})}
    assert template("description: x", words).capabilities == {}


def test_a_capability_refuses_what_it_does_not_understand() -> None:
    def check(node: YamlNode, report: object) -> object:
        assert callable(report)
        report(Problem(node.line, "long", "unknown word", "allowed: map"))
        return None

    words = with_capabilities(Extension("long", check=check))
    assert broken("description: x\nlong: mop", words) == [(2, "long", "unknown word", "allowed: map")]


def test_the_key_of_a_capability_is_known_and_suggested() -> None:
    words = with_capabilities(Extension("documents"))
    assert broken("description: x\ndocument: y", words) == [
        (2, "document", "unknown key", "did you mean 'documents'?")
    ]
    assert broken("description: x\ndocuments: y")[0][2] == "unknown key"


def test_no_two_capabilities_claim_the_same() -> None:
    words = with_capabilities(
        Extension("course", claims=frozenset({"exchange"})),
        Extension("tools", claims=frozenset({"exchange", "input"})),
        Extension("long", claims=frozenset({"input"})),
        Extension("conversation"),
    )
    assert broken("description: x\ntools: a\n\ncourse: b", words) == [
        (2, "tools", "does not go together with 'course'", "")
    ]
    assert broken("description: x\nlong: a\n\ntools: b", words) == [
        (2, "long", "does not go together with 'tools'", "")
    ]
    assert template("description: x\nlong: a\ncourse: b\nconversation: c", words).capabilities == {
        "course": "b",
        "long": "a",
        "conversation": "c",
    }


def test_a_capability_may_want_formats_of_output() -> None:
    words = with_capabilities(Extension("documents", outputs=("markdown", "text")))
    assert broken("description: x\noutput: json\ndocuments: a", words) == [
        (3, "documents", "does not go together with the output 'json'", "allowed: markdown, text")
    ]
    assert template("description: x\ndocuments: a", words).output == "markdown"


def test_an_option_cannot_have_the_name_of_one_that_a_capability_adds() -> None:
    jobs = Parameter("jobs", "integer", short="j")
    words = with_capabilities(Extension("long", options=(jobs, Parameter("resume", "boolean"))))
    text = (
        "description: x\nsystem: '{{ jobs }}{{ no_resume }}'\noptions:\n  jobs: {}\n  no-resume: {short: j}\n"
    )
    assert broken(text + "long: map", words) == [
        (4, "options.jobs", "clashes with an option that 'long' adds", ""),
        (5, "options.no-resume", "clashes with an option that 'long' adds", ""),
        (5, "options.no-resume.short", "-j belongs to an option that 'long' adds", ""),
    ]
    assert [option.name for option in template(text, words).options] == ["jobs", "no-resume"]


def test_there_are_eight_types() -> None:
    assert KINDS == ("text", "integer", "number", "boolean", "choice", "file", "list", "system")
