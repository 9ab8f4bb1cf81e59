"""The `options:` and `arguments:` of a prompt file, each a typed parameter."""

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
from gptkit.templates.template import INPUT_VARIABLES, KINDS, Case, Kind, Parameter, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode


NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
NAME_RULE = "is made of a-z, 0-9 and '-', starts with a letter, 64 at most"
OPTION_KEYS = ("type", "default", "short", "help", "choices")
ARGUMENT_KEYS = ("type", "default", "help", "choices")
INPUT_ARGUMENTS = ("text", "request")
"""Positionals that stand for the input itself, or always for what is wanted with it."""
INPUT_KEYS = ("type", "help")
LANGUAGE = ("true", "false", "none", "not", "self")
"""Words that mean something else inside a template."""
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_parameters(node: YamlNode | None, key: str, report: ReportProblem) -> tuple[Parameter, ...]:
    """The declared parameters in the order of the file; broken ones are reported and left out."""
    found = []
    for name, entry in mapping_entries(node, key, report).items():
        path = f"{key}.{name}"
        if not NAME.fullmatch(name):
            report(Problem(entry.line, path, f"a name {NAME_RULE}"))
        elif name in LANGUAGE:
            report(Problem(entry.line, path, f"'{name}' is a word of the template language"))
        elif name not in INPUT_VARIABLES:
            allowed = OPTION_KEYS if key == "options" else ARGUMENT_KEYS
            found.append(_parameter(name, entry, path, allowed, report))
        elif key == "arguments" and name in INPUT_ARGUMENTS:
            found.append(_input(name, entry, path, report))
        else:
            report(Problem(entry.line, path, f"'{name}' is a variable that every template has"))
    if key == "arguments":
        for earlier in found[:-1]:
            if earlier.kind == "list":
                report(Problem(earlier.line, f"{key}.{earlier.name}", "only the last argument can be a list"))
    return tuple(found)


def refuse_clashes(
    options: Sequence[Parameter], taken: Mapping[str, str], shorts: Mapping[str, str], report: ReportProblem
) -> None:
    """`taken` and `shorts` say of each word that an option cannot have whose it is."""
    spellings: dict[str, str] = {}
    letters: dict[str, str] = {}
    for option in options:
        key, name = f"options.{option.name}", option.name
        for word_ in (name, name.removeprefix("no-"), f"no-{name}"):
            if word_ in taken:
                report(Problem(option.line, key, f"clashes with an option {taken[word_]}"))
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
    """A node as a value of the parameter's kind; None, and a report, when it is none."""
    kind = parameter.kind
    if kind == "list":
        one = isinstance(node.value, str) and node.kind != "nothing"
        return (literal_text(node, key, report),) if one else literal_texts(node, key, report)
    if not isinstance(node.value, str):
        report(Problem(node.line, key, f"must be {_wanted(kind)}, this is {node.kind}"))
        return None
    if kind == "choice" and node.value not in parameter.choices:
        if parameter.choices:  # else it was reported that there are none
            hint = spelling_hint(node.value, parameter.choices)
            report(Problem(node.line, key, f"'{node.value}' is not one of the choices", hint))
        return None
    if kind in ("text", "choice", "file"):
        return node.value
    return _typed(node.value, kind, node.line, key, report)


def _typed(written: str, kind: Kind, line: int, key: str, report: ReportProblem) -> Value | None:
    """What the command line would make of it, so that `010` is ten there and here."""
    if kind == "boolean" and written.lower() in BOOLEANS:
        return BOOLEANS[written.lower()]
    found = parse_scalar(written)
    if kind == "integer" and isinstance(found, int) and not isinstance(found, bool):
        return found
    if kind == "number" and isinstance(found, int | float) and not isinstance(found, bool):
        with suppress(OverflowError):
            return float(found)
    report(Problem(line, key, f"must be {_wanted(kind)}, this is '{written}'"))
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
    bare = Parameter(name, kind, None, short, _help(entries, path, report), choices, node.line)
    if "default" not in entries or entries["default"].kind == "nothing":
        return bare
    default = read_value(entries["default"], bare, f"{path}.default", report)
    return Parameter(name, kind, default, short, bare.help, choices, node.line)


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


def _input(name: str, node: YamlNode, path: str, report: ReportProblem) -> Parameter:
    """The input in words: always a text, and standard input or files are what stands in for it."""
    entries = mapping_entries(node, path, report, INPUT_KEYS)
    kind = _kind(entries.get("type"), path, False, report)
    if kind != "text":
        report(Problem(entries["type"].line, f"{path}.type", f"'{name}' is always a text"))
    return Parameter(name, help=_help(entries, path, report), line=node.line)


def _help(entries: Mapping[str, YamlNode], path: str, report: ReportProblem) -> str:
    return " ".join(text_value(entries.get("help"), f"{path}.help", report).split())


def _kind(node: YamlNode | None, path: str, has_choices: bool, report: ReportProblem) -> Kind:
    usual: Kind = "choice" if has_choices else "text"
    if node is None or node.kind == "nothing":
        return usual
    found = single_line(node, f"{path}.type", report)
    for kind in KINDS:
        if found == kind:
            return kind
    if found:
        report(Problem(node.line, f"{path}.type", f"unknown type '{found}'", spelling_hint(found, KINDS)))
    return usual


def _wanted(kind: Kind) -> str:
    wanted = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    return wanted.get(kind, "text")


CASE_KEYS = ("text", "request", "arguments", "options", "reply", "expect")
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


def read_cases(
    node: YamlNode | None, options: Sequence[Parameter], arguments: Sequence[Parameter], report: ReportProblem
) -> tuple[Case, ...]:
    known = {"options": options, "arguments": arguments}
    return tuple(
        _case(item, f"tests.{index + 1}", known, report)
        for index, item in enumerate(list_items(node, "tests", report))
    )


def _case(node: YamlNode, key: str, known: Mapping[str, Sequence[Parameter]], report: ReportProblem) -> Case:
    entries = mapping_entries(node, key, report, CASE_KEYS)
    expect = mapping_entries(entries.get("expect"), f"{key}.expect", report, EXPECTATIONS)
    if isinstance(node.value, dict) and ("expect" not in entries or entries["expect"].value in ("", {})):
        report(Problem(node.line, f"{key}.expect", "missing; a test without it cannot fail"))
    values: dict[str, Value] = {}
    for part, declared in known.items():
        values |= _values(entries.get(part), f"{key}.{part}", declared, report)
    said = {
        name: literal_text(entries[name], f"{key}.{name}", report) if name in entries else ""
        for name in ("text", "request", "reply")
    }
    return Case(
        line=node.line,
        text=said["text"],
        request=said["request"],
        values=values,
        reply=said["reply"],
        expect={
            name: _expected(name, entry, f"{key}.expect.{name}", report) for name, entry in expect.items()
        },
    )


def _values(
    node: YamlNode | None, key: str, declared: Sequence[Parameter], report: ReportProblem
) -> Mapping[str, Value]:
    known = {parameter.name: parameter for parameter in declared}
    found: dict[str, Value] = {}
    for name, entry in mapping_entries(node, key, report).items():
        path = f"{key}.{name}"
        if name in INPUT_ARGUMENTS:
            report(Problem(entry.line, path, f"this is the test's own key '{name}'"))
        elif name not in known:
            hint = spelling_hint(name, [one for one in known if one not in INPUT_ARGUMENTS])
            report(Problem(entry.line, path, "not declared", hint))
        elif (read := read_value(entry, known[name], path, report)) is not None:
            found[known[name].variable] = read
    return found


def _expected(name: str, node: YamlNode, key: str, report: ReportProblem) -> tuple[str, ...]:
    items = list_items(node, key, report) if isinstance(node.value, list) else (node,)
    found = tuple(literal_text(item, key, report) for item in items)
    if not items or (name != "equals" and any(item.value == "" for item in items)):
        report(Problem(node.line, key, "empty; such a test proves nothing"))
    if name == "matches":
        for pattern in found:
            try:
                re.compile(pattern)
            except re.error as error:
                what = "" if error.pos is None else f": {describe_unexpected(pattern, error.pos)}"
                report(Problem(node.line, key, f"not a regular expression{what}"))
    return found
