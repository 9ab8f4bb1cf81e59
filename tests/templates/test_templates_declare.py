"""Options and arguments: every type, every default, every clash."""

from __future__ import annotations

import pytest
from prompt_files import broken, template

from gptkit.templates.template import Parameter, Value

Problems = list[tuple[int, str, str, str]]


def option(text: str) -> Parameter:
    """The option `one` of a file that says this of it."""
    return template(f"description: x\nsystem: '{{{{ one }}}}'\noptions:\n  one: {text}").options[0]


DEFAULTS: list[tuple[str, Value | None]] = [
    # a text is what was written
    ("{default: no}", "no"),
    ("{default: 1.0}", "1.0"),
    ("{default: 2024-01-01}", "2024-01-01"),
    ("{default: 'null'}", "null"),
    ("{default: ''}", ""),
    ("{default: 中文}", "中文"),
    ("{default: 007}", "007"),
    ("{default: null}", None),
    ("{default: ~}", None),
    ("{default: }", None),
    ("{}", None),
    ("", None),
    ("{type: file, default: a.csv}", "a.csv"),
    ("{type: integer, default: 5}", 5),
    ("{type: integer, default: '5'}", 5),
    ("{type: integer, default: 010}", 10),
    ("{type: integer, default: -1}", -1),
    ("{type: number, default: 1}", 1.0),
    ("{type: number, default: 1e-3}", 0.001),
    ("{type: number, default: .5}", 0.5),
    ("{type: boolean, default: true}", True),
    ("{type: boolean, default: No}", False),
    ("{type: boolean, default: 'on'}", True),
    ("{choices: [yes, no], default: no}", "no"),
    ("{type: choice, choices: [1, 2], default: 2}", "2"),
    ("{choices: [null, low], default: low}", "low"),
    ("{type: list, default: [a, 1, no, null]}", ("a", "1", "no", "null")),
    ("{type: list, default: a}", ("a",)),
    ("{type: list, default: []}", ()),
]


@pytest.mark.parametrize(("text", "default"), DEFAULTS)
def test_a_default_is_read_as_its_type_wants(text: str, default: Value | None) -> None:
    found = option(text).default
    assert found == default
    assert type(found) is type(default)


def test_choices_alone_make_a_choice() -> None:
    assert option("{choices: [a, b]}").kind == "choice"
    assert option("{}").kind == "text"


@pytest.mark.parametrize(
    ("kind", "absent"),
    [
        ("text", ""),
        ("integer", ""),
        ("number", ""),
        ("boolean", False),
        ("choice", ""),
        ("file", ""),
        ("list", ()),
    ],
)
def test_what_is_not_given_is_falsy(kind: str, absent: Value) -> None:
    choices = ", choices: [a]" if kind == "choice" else ""
    assert option(f"{{type: {kind}{choices}}}").empty_value == absent


ONE = [
    ("[a]", "options.one", "must be a mapping of keys, this is a list", ""),
    ("text", "options.one", "must be a mapping of keys, this is text", ""),
    ("{sort: text}", "options.one.sort", "unknown key", "did you mean 'short'?"),
    (
        "{required: true}",
        "options.one.required",
        "unknown key",
        "allowed: type, default, short, help, choices",
    ),
    (
        "{type: strng}",
        "options.one.type",
        "unknown type 'strng'",
        "allowed: text, integer, number, boolean, choice, file, list, system",
    ),
    ("{type: int}", "options.one.type", "unknown type 'int'", "did you mean 'integer'?"),
    ("{type: boolen}", "options.one.type", "unknown type 'boolen'", "did you mean 'boolean'?"),
    ("{type: [text]}", "options.one.type", "must be text, this is a list", ""),
    ("{type: intger, choices: [a]}", "options.one.type", "unknown type 'intger'", "did you mean 'integer'?"),
    ("{type: choice}", "options.one.choices", "missing; a choice needs them", ""),
    ("{type: choice, choices: [], default: a}", "options.one.choices", "missing; a choice needs them", ""),
    ("{choices: }", "options.one.choices", "missing; a choice needs them", ""),
    ("{choices: a}", "options.one.choices", "must be a list, this is text", ""),
    ("{choices: {a: b}}", "options.one.choices", "must be a list, this is a mapping", ""),
    ("{choices: [[a]]}", "options.one.choices", "must be text, this is a list", ""),
    ("{type: text, choices: [a]}", "options.one.choices", "goes with the type choice, not text", ""),
    ("{type: list, choices: [a]}", "options.one.choices", "goes with the type choice, not list", ""),
    (
        "{choices: [low, high], default: hihg}",
        "options.one.default",
        "'hihg' is not one of the choices",
        "did you mean 'high'?",
    ),
    (
        "{choices: [yes, no], default: true}",
        "options.one.default",
        "'true' is not one of the choices",
        "allowed: yes, no",
    ),
    ("{choices: [a], default: [a]}", "options.one.default", "must be text, this is a list", ""),
    ("{default: [a]}", "options.one.default", "must be text, this is a list", ""),
    ("{default: {a: b}}", "options.one.default", "must be text, this is a mapping", ""),
    ("{type: integer, default: 1.5}", "options.one.default", "must be a whole number, this is '1.5'", ""),
    ("{type: integer, default: true}", "options.one.default", "must be a whole number, this is 'true'", ""),
    ("{type: integer, default: [1]}", "options.one.default", "must be a whole number, this is a list", ""),
    ("{type: number, default: many}", "options.one.default", "must be a number, this is 'many'", ""),
    ("{type: number, default: .nan}", "options.one.default", "must be a number, this is '.nan'", ""),
    ("{type: number, default: 1e999}", "options.one.default", "must be a number, this is '1e999'", ""),
    (
        f"{{type: number, default: {'9' * 400}}}",
        "options.one.default",
        f"must be a number, this is '{'9' * 400}'",
        "",
    ),
    ("{type: boolean, default: 1}", "options.one.default", "must be true or false, this is '1'", ""),
    ("{type: boolean, default: {}}", "options.one.default", "must be true or false, this is a mapping", ""),
    ("{type: list, default: {a: b}}", "options.one.default", "must be a list, this is a mapping", ""),
    ("{type: list, default: [a, [b]]}", "options.one.default", "must be text, this is a list", ""),
    ("{short: to}", "options.one.short", "must be one letter", ""),
    ("{short: 1}", "options.one.short", "must be one letter", ""),
    ("{short: é}", "options.one.short", "must be one letter", ""),
    ("{short: [t]}", "options.one.short", "must be text, this is a list", ""),
    ("{help: [x]}", "options.one.help", "must be text, this is a list", ""),
    ("{short: m}", "options.one.short", "-m belongs to an option that every command has", ""),
]


@pytest.mark.parametrize(("text", "key", "message", "hint"), ONE, ids=[one[0][:40] for one in ONE])
def test_a_wrong_option_is_refused(text: str, key: str, message: str, hint: str) -> None:
    whole = f"description: x\nsystem: '{{{{ one }}}}'\noptions:\n  one: {text}\n"
    assert broken(whole) == [(4, key, message, hint)]


@pytest.mark.parametrize("short", ["t", "-t", "T", "y", "n"])
def test_a_short_name_is_one_letter_with_or_without_its_hyphen(short: str) -> None:
    assert option(f"{{short: {short}}}").short == short[-1]


RULE = "a name is made of a-z, 0-9 and '-', starts with a letter, 64 at most"
LANGUAGE = "is a word of the template language"
GIVEN = "is a variable that every template has"
EVERY = "clashes with an option that every command has"
NAMES = [
    ("options", "Tone", RULE),
    ("options", "one_line", RULE),
    ("options", "2nd", RULE),
    ("options", "语气", RULE),
    ("options", "a" * 65, RULE),
    ("options", "a b", RULE),
    ("options", "-a", RULE),
    ("options", "../a", RULE),
    ("options", "true", f"'true' {LANGUAGE}"),
    ("options", "not", f"'not' {LANGUAGE}"),
    ("options", "self", f"'self' {LANGUAGE}"),
    ("arguments", "none", f"'none' {LANGUAGE}"),
    ("options", "text", f"'text' {GIVEN}"),
    ("options", "request", f"'request' {GIVEN}"),
    ("options", "files", f"'files' {GIVEN}"),
    ("arguments", "files", f"'files' {GIVEN}"),
    ("options", "model", EVERY),
    ("options", "no-model", EVERY),
    ("options", "stream", EVERY),
    ("options", "help", EVERY),
]


@pytest.mark.parametrize(("part", "name", "message"), NAMES)
def test_names_that_cannot_be_had(part: str, name: str, message: str) -> None:
    assert broken(f"description: x\n{part}:\n  {name}: {{}}\n")[0] == (3, f"{part}.{name}", message, "")


@pytest.mark.parametrize(
    "name", ["to", "from", "if", "in", "range", "dict", "name", "source", "loop", "a-b", "type"]
)
def test_names_that_only_look_taken(name: str) -> None:
    variable = name.replace("-", "_")
    found = template(f"description: x\nsystem: '{{{{ {variable} }}}}'\noptions: {{{name}: {{}}}}")
    assert found.options[0].variable == variable


CLASHES: list[tuple[str, str, Problems]] = [
    ("a: {short: x}", "b: {short: x}", [(5, "options.b.short", "-x belongs to 'a'", "")]),
    ("a: {type: boolean}", "no-a: {}", [(5, "options.no-a", "--no-a belongs to 'a'", "")]),
    ("no-a: {}", "a: {type: boolean}", [(5, "options.a", "--no-a belongs to 'no-a'", "")]),
]


@pytest.mark.parametrize(("one", "other", "problems"), CLASHES)
def test_options_of_one_file_do_not_clash(one: str, other: str, problems: Problems) -> None:
    assert broken(two_options(one, other)) == problems


@pytest.mark.parametrize(("one", "other"), [("a: {short: x}", "b: {short: X}"), ("a: {}", "no-a: {}")])
def test_options_that_only_look_alike_go_together(one: str, other: str) -> None:
    assert len(template(two_options(one, other)).options) == 2


def two_options(one: str, other: str) -> str:
    variables = [text.partition(":")[0].replace("-", "_") for text in (one, other)]
    used = "".join(f"{{{{ {variable} }}}}" for variable in variables)
    return f"description: x\nsystem: '{used}'\noptions:\n  {one}\n  {other}\n"


def test_an_argument_cannot_have_the_name_of_an_option() -> None:
    text = "description: x\nsystem: '{{ to }}'\noptions: {to: {}}\narguments:\n  text:\n  to: {}\n"
    assert broken(text) == [(6, "arguments.to", "an option has the same name", "")]


ARGUMENTS: list[tuple[str, Problems]] = [
    ("  a: {short: x}", [(4, "arguments.a.short", "unknown key", "allowed: type, default, help, choices")]),
    ("  a: {type: list}\n  b: {}", [(4, "arguments.a", "only the last argument can be a list", "")]),
    ("  a: {type: lst}", [(4, "arguments.a.type", "unknown type 'lst'", "did you mean 'list'?")]),
    ("  text: {type: integer}", [(4, "arguments.text.type", "'text' is always a text", "")]),
    ("  text: {type: list}", [(4, "arguments.text.type", "'text' is always a text", "")]),
    ("  text: {default: hello}", [(4, "arguments.text.default", "unknown key", "allowed: type, help")]),
    ("  request: {choices: [a]}", [(4, "arguments.request.choices", "unknown key", "allowed: type, help")]),
    ("  text: a", [(4, "arguments.text", "must be a mapping of keys, this is text", "")]),
]


@pytest.mark.parametrize(("arguments", "problems"), ARGUMENTS)
def test_a_wrong_argument_is_refused(arguments: str, problems: Problems) -> None:
    text = f"description: x\nsystem: '{{{{ a }}}}{{{{ b }}}}{{{{ text }}}}'\narguments:\n{arguments}\n"
    assert broken(text)[: len(problems)] == problems


def test_arguments_keep_their_order() -> None:
    found = template(
        "description: x\nsystem: '{{ b }}{{ a }}'\n"
        "arguments: {b: {}, text: {type: text, help: Words.}, a: {type: list}}\n"
    ).arguments
    assert [(one.name, one.kind) for one in found] == [("b", "text"), ("text", "text"), ("a", "list")]
    assert found[1].help == "Words."
