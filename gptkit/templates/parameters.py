"""Read the `options:`, `arguments:` and `tests:` of a prompt file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from gptkit.core.excerpt import describe_unexpected
from gptkit.core.yaml_tree import (
    Problem,
    ReportProblem,
    list_items,
    literal_text,
    literal_texts,
    mapping_entries,
    parse_scalar,
    single_line,
    spelling_hint,
    text_value,
)
from gptkit.templates.template import INPUT_VARIABLES, KINDS, Case, CaseWords, Kind, Parameter, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode


NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
NAME_RULE = "is made of a-z, 0-9 and '-', starts with a letter, 64 at most"
OPTION_KEYS = ("type", "default", "short", "help", "choices")
ARGUMENT_KEYS = ("type", "default", "help", "choices")
INPUT_ARGUMENTS = ("text", "request")
"""Arguments that are the input itself: the text, and the request about the text."""
INPUT_KEYS = ("type", "help")
TEMPLATE_WORDS = ("true", "false", "none", "not", "self")
"""Words of the template language, which no variable can have as its name."""
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_parameters(node: YamlNode | None, key: str, report: ReportProblem) -> tuple[Parameter, ...]:
    """Read declared parameters in the order of the file; wrong ones are reported and left out."""
    parameters = []
    for name, entry in mapping_entries(node, key, report).items():
        path = f"{key}.{name}"
        if not NAME.fullmatch(name):
            report(Problem(entry.line, path, f"a name {NAME_RULE}"))
        elif name in TEMPLATE_WORDS:
            report(Problem(entry.line, path, f"'{name}' is a word of the template language"))
        elif name not in INPUT_VARIABLES:
            allowed = OPTION_KEYS if key == "options" else ARGUMENT_KEYS
            parameters.append(_parameter(name, entry, path, allowed, report))
        elif key == "arguments" and name in INPUT_ARGUMENTS:
            parameters.append(_input_argument(name, entry, path, report))
        else:
            report(Problem(entry.line, path, f"'{name}' is a variable that every template has"))
    if key == "arguments":
        for earlier in parameters[:-1]:
            if earlier.kind == "list":
                report(Problem(earlier.line, f"{key}.{earlier.name}", "only the last argument can be a list"))
    return tuple(parameters)


def refuse_clashes(
    options: Sequence[Parameter], names: Mapping[str, str], shorts: Mapping[str, str], report: ReportProblem
) -> None:
    """Report options whose name or letter is taken by another option.

    Args:
        names: names of other options, each with the end of the sentence `clashes with an option ...`.
        shorts: letters of other options, with the same.
    """
    spellings: dict[str, str] = {}
    letters: dict[str, str] = {}
    for option in options:
        key, name = f"options.{option.name}", option.name
        for variant in (name, name.removeprefix("no-"), f"no-{name}"):
            if variant in names:
                report(Problem(option.line, key, f"clashes with an option {names[variant]}"))
                break
        for spelling in (name, f"no-{name}") if option.kind == "boolean" else (name,):
            if other := spellings.get(spelling):
                report(Problem(option.line, key, f"--{spelling} belongs to '{other}'"))
            spellings[spelling] = name
        if option.short in shorts:
            message = f"-{option.short} belongs to an option {shorts[option.short]}"
            report(Problem(option.line, f"{key}.short", message))
        elif other := letters.get(option.short):
            report(Problem(option.line, f"{key}.short", f"-{option.short} belongs to '{other}'"))
        elif option.short:
            letters[option.short] = name


def read_value(node: YamlNode, parameter: Parameter, key: str, report: ReportProblem) -> Value | None:
    """Read a node as a value of the parameter's kind; a wrong one is reported, and None returned."""
    kind = parameter.kind
    if kind == "list":
        is_single = isinstance(node.value, str) and node.kind != "nothing"
        return (literal_text(node, key, report),) if is_single else literal_texts(node, key, report)
    if not isinstance(node.value, str):
        report(Problem(node.line, key, f"must be {_kind_name(kind)}, this is {node.kind}"))
        return None
    if kind == "choice" and node.value not in parameter.choices:
        if parameter.choices:  # missing choices are reported elsewhere
            hint = spelling_hint(node.value, parameter.choices)
            report(Problem(node.line, key, f"'{node.value}' is not one of the choices", hint))
        return None
    if kind in ("text", "choice", "file", "system"):
        return node.value
    return _read_scalar(node.value, kind, node.line, key, report)


def _read_scalar(written: str, kind: Kind, line: int, key: str, report: ReportProblem) -> Value | None:
    """Read a boolean or a number as the command line does, so that `010` is ten."""
    if kind == "boolean" and written.lower() in BOOLEANS:
        return BOOLEANS[written.lower()]
    parsed = parse_scalar(written)
    if kind == "integer" and isinstance(parsed, int) and not isinstance(parsed, bool):
        return parsed
    if kind == "number" and isinstance(parsed, int | float) and not isinstance(parsed, bool):
        with suppress(OverflowError):
            return float(parsed)
    report(Problem(line, key, f"must be {_kind_name(kind)}, this is '{written}'"))
    return None


def _parameter(
    name: str, node: YamlNode, path: str, allowed: Sequence[str], report: ReportProblem
) -> Parameter:
    entries = mapping_entries(node, path, report, allowed)
    kind = _kind(entries.get("type"), path, "choices" in entries, report)
    choices = _choices(entries.get("choices"), kind, node.line, f"{path}.choices", report)
    short = single_line(entries.get("short"), f"{path}.short", report).removeprefix("-")
    if short and not re.fullmatch(r"[a-zA-Z]", short):
        report(Problem(entries["short"].line, f"{path}.short", "must be one letter"))
        short = ""
    parameter = Parameter(name, kind, None, short, _help(entries, path, report), choices, node.line)
    if "default" not in entries or entries["default"].kind == "nothing":
        return parameter
    if kind == "system":
        report(Problem(entries["default"].line, f"{path}.default", "its default is the key 'system'"))
    default = read_value(entries["default"], parameter, f"{path}.default", report)
    return parameter._replace(default=default)


def _choices(
    node: YamlNode | None, kind: Kind, line: int, key: str, report: ReportProblem
) -> tuple[str, ...]:
    if node is None or node.value in ("", []):
        if kind == "choice":
            report(Problem(line, key, "missing; a choice needs them"))
        return ()
    if kind != "choice":
        report(Problem(node.line, key, f"goes with the type choice, not {kind}"))
        return ()
    return literal_texts(node, key, report)


def _input_argument(name: str, node: YamlNode, path: str, report: ReportProblem) -> Parameter:
    """Read the argument `text` or `request`, which is always a text."""
    entries = mapping_entries(node, path, report, INPUT_KEYS)
    kind = _kind(entries.get("type"), path, False, report)
    if kind != "text":
        report(Problem(entries["type"].line, f"{path}.type", f"'{name}' is always a text"))
    return Parameter(name, help=_help(entries, path, report), line=node.line)


def _help(entries: Mapping[str, YamlNode], path: str, report: ReportProblem) -> str:
    return " ".join(text_value(entries.get("help"), f"{path}.help", report).split())


def _kind(node: YamlNode | None, path: str, has_choices: bool, report: ReportProblem) -> Kind:
    default: Kind = "choice" if has_choices else "text"
    if node is None or node.kind == "nothing":
        return default
    word = single_line(node, f"{path}.type", report)
    for kind in KINDS:
        if word == kind:
            return kind
    if word:
        report(Problem(node.line, f"{path}.type", f"unknown type '{word}'", spelling_hint(word, KINDS)))
    return default


def _kind_name(kind: Kind) -> str:
    names = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    return names.get(kind, "text")


CASE_KEYS = ("text", "request", "attachments", "arguments", "options", "reply", "expect")
EXPECTATIONS = (
    "contains",
    "not_contains",
    "equals",
    "matches",
    "system_contains",
    "system_not_contains",
    "user_contains",
    "user_not_contains",
)


NO_WORDS = CaseWords()


def read_cases(
    node: YamlNode | None,
    options: Sequence[Parameter],
    arguments: Sequence[Parameter],
    report: ReportProblem,
    words: CaseWords = NO_WORDS,
) -> tuple[Case, ...]:
    """Read the test cases under `tests:`; `words` are those of the capabilities of the file."""
    declared = {"options": options, "arguments": arguments}
    return tuple(
        _case(item, f"tests.{index + 1}", declared, words, report)
        for index, item in enumerate(list_items(node, "tests", report))
    )


def _case(
    node: YamlNode,
    key: str,
    declared: Mapping[str, Sequence[Parameter]],
    words: CaseWords,
    report: ReportProblem,
) -> Case:
    entries = mapping_entries(node, key, report, CASE_KEYS + words.keys)
    expect = mapping_entries(
        entries.get("expect"), f"{key}.expect", report, EXPECTATIONS + words.expectations
    )
    if isinstance(node.value, dict) and ("expect" not in entries or entries["expect"].value in ("", {})):
        report(Problem(node.line, f"{key}.expect", "missing; a test without it cannot fail"))
    values: dict[str, Value] = {}
    for part, parameters in declared.items():
        values |= _values(entries.get(part), f"{key}.{part}", parameters, report)
    texts = {
        name: literal_text(entries[name], f"{key}.{name}", report) if name in entries else ""
        for name in ("text", "request", "reply")
    }
    return Case(
        line=node.line,
        text=texts["text"],
        request=texts["request"],
        values=values,
        reply=texts["reply"],
        expect={
            name: _expected_texts(name, entry, f"{key}.expect.{name}", report)
            for name, entry in expect.items()
            if name in EXPECTATIONS
        },
        attachments=literal_texts(entries.get("attachments"), f"{key}.attachments", report),
        extras={
            **{name: entries[name].data() for name in words.keys if name in entries},
            **{name: expect[name].data() for name in words.expectations if name in expect},
        },
    )


def _values(
    node: YamlNode | None, key: str, declared: Sequence[Parameter], report: ReportProblem
) -> Mapping[str, Value]:
    known = {parameter.name: parameter for parameter in declared}
    values: dict[str, Value] = {}
    for name, entry in mapping_entries(node, key, report).items():
        path = f"{key}.{name}"
        if name in INPUT_ARGUMENTS:
            report(Problem(entry.line, path, f"this is the test's own key '{name}'"))
        elif name not in known:
            hint = spelling_hint(name, [other for other in known if other not in INPUT_ARGUMENTS])
            report(Problem(entry.line, path, "not declared", hint))
        elif (value := read_value(entry, known[name], path, report)) is not None:
            values[known[name].variable] = value
    return values


def _expected_texts(name: str, node: YamlNode, key: str, report: ReportProblem) -> tuple[str, ...]:
    items = list_items(node, key, report) if isinstance(node.value, list) else (node,)
    texts = tuple(literal_text(item, key, report) for item in items)
    if not items or (name != "equals" and any(item.value == "" for item in items)):
        report(Problem(node.line, key, "empty; such a test proves nothing"))
    if name == "matches":
        for pattern in texts:
            try:
                re.compile(pattern)
            except re.error as error:
                cause = "" if error.pos is None else f": {describe_unexpected(pattern, error.pos)}"
                report(Problem(node.line, key, f"not a regular expression{cause}"))
    return texts
