"""A tree of nodes becomes a Template, or the list of all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from gptkit.core.chat import OWN_PARAMETERS
from gptkit.core.yaml_tree import (
    Problem,
    ReportProblem,
    YamlFileError,
    YamlNode,
    list_items,
    mapping_entries,
    single_line,
    spelling_hint,
    text_value,
)
from gptkit.templates.parameters import NAME, NAME_RULE, read_cases, read_parameters, refuse_clashes
from gptkit.templates.template import DEFAULT_USER, INPUTS, Extension, Input, Parameter, Template, Vocabulary

KEYS = (
    "description",
    "system",
    "user",
    "examples",
    "options",
    "arguments",
    "input",
    "model",
    "parameters",
    "output",
    "tests",
    "extends",
)
ROLES = ("user", "assistant")
TEXT_ARGUMENT = Parameter("text", help="Words to work on; by default standard input.")
"""The positional of a file that declares none."""
MERGED_KEYS = ("options", "parameters")
"""Keys whose entries a child adds to its parent's or changes; it replaces all others whole."""
NOT_INHERITED = ("tests", "extends")
DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")
"""File names that Windows takes for devices, whatever their ending."""
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_template(name: str, root: YamlNode, source: str, words: Vocabulary) -> Template:
    """The checked template of a file; raises YamlFileError with every problem that was found."""
    problems: list[Problem] = []
    report = problems.append
    found = _template(name, root, source, words, report)
    if not found.description and not problems:  # beside others it is most often a misspelt key
        report(Problem(root.line, "description", "missing; it is the first line of --help"))
    if problems:
        raise YamlFileError(source, tuple(problems))
    return found


def parent_name(root: YamlNode) -> str:
    """The file that this one extends; empty for none."""
    node = root.value.get("extends") if isinstance(root.value, dict) else None
    return node.value.strip() if node and isinstance(node.value, str) and node.kind == "text" else ""


def declared_names(root: YamlNode) -> frozenset[str]:
    """The names of the parameters that this very file declares, before anything is inherited."""
    found: set[str] = set()
    for key in ("options", "arguments"):
        node = root.value.get(key) if isinstance(root.value, dict) else None
        if node and isinstance(node.value, dict):
            found |= set(node.value)
    return frozenset(found)


def merge(child: YamlNode, parent: YamlNode) -> YamlNode:
    """The child's keys over the parent's; tests are not inherited.

    What is inherited stands where the child says `extends`: that is the line of its own file that
    a problem with it can name.
    """
    if not isinstance(child.value, dict) or not isinstance(parent.value, dict):
        return child
    line = child.value["extends"].line
    entries = {key: node.at_line(line) for key, node in parent.value.items() if key not in NOT_INHERITED}
    for key, node in child.value.items():
        below = entries.get(key)
        entries[key] = _over(node, below, key == "options") if below and key in MERGED_KEYS else node
    return YamlNode(entries, child.line)


def _over(child: YamlNode, parent: YamlNode, deep: bool) -> YamlNode:
    """The entries of both. With `deep` those of one name are merged as well, unless their types differ."""
    if not isinstance(child.value, dict) or not isinstance(parent.value, dict):
        return child
    entries = dict(parent.value)
    for name, node in child.value.items():
        below = entries.get(name)
        own_type = isinstance(node.value, dict) and "type" in node.value
        entries[name] = _over(node, below, False) if deep and below and not own_type else node
    return YamlNode(entries, child.line)


def name_problem(name: str, words: Vocabulary) -> str | None:
    """Why a file name cannot be a command's; None when it can."""
    if not NAME.fullmatch(name):
        return f"a command's name {NAME_RULE}"
    if DEVICES.fullmatch(name):
        return "Windows has a device of this name"
    if name in words.reserved_names:
        return "this name belongs to a command of gptkit itself"
    return None


def _template(name: str, root: YamlNode, source: str, words: Vocabulary, report: ReportProblem) -> Template:
    if problem := name_problem(name, words):
        report(Problem(1, "", problem))
    if isinstance(root.value, str | list) and root.kind != "nothing":
        report(Problem(root.line, "", f"a prompt file is a mapping of keys, this is {root.kind}"))
        return Template(name, source, "")
    entries = mapping_entries(root, "", report, KEYS + tuple(extension.key for extension in words.extensions))
    single_line(entries.get("extends"), "extends", report)
    output, schema = _output(entries.get("output"), words, report)
    options = read_parameters(entries.get("options"), "options", report)
    arguments = read_parameters(entries.get("arguments"), "arguments", report)
    capabilities = _capabilities(entries, words.extensions, report)
    _refuse_clashes(options, arguments, words, tuple(capabilities), report)
    wanted = _input(entries.get("input"), report)
    return Template(
        name=name,
        source=source,
        description=_description(entries.get("description"), report),
        system=text_value(entries.get("system"), "system", report),
        user=text_value(entries.get("user"), "user", report) if "user" in entries else DEFAULT_USER,
        examples=_examples(entries.get("examples"), report),
        options=options,
        arguments=arguments or (() if wanted == "none" else (TEXT_ARGUMENT,)),
        input=wanted,
        model=single_line(entries.get("model"), "model", report),
        parameters=_api_parameters(entries.get("parameters"), report),
        output=output,
        schema=schema,
        capabilities=capabilities,
        variables=tuple(v for one in words.extensions if one.key in capabilities for v in one.variables),
        cases=read_cases(entries.get("tests"), options, arguments, report),
        lines={key: node.line for key, node in entries.items()},
        blocks={key: node.block for key, node in entries.items() if node.block},
    )


def _description(node: YamlNode | None, report: ReportProblem) -> str:
    found = " ".join(text_value(node, "description", report).split())
    if node and not found and isinstance(node.value, str):
        report(Problem(node.line, "description", "empty; it is the first line of --help"))
    return found


def _input(node: YamlNode | None, report: ReportProblem) -> Input:
    found = single_line(node, "input", report) or "required"
    for allowed in INPUTS:
        if found == allowed:
            return allowed
    report(
        Problem(node.line if node else 1, "input", f"unknown word '{found}'", spelling_hint(found, INPUTS))
    )
    return "required"


def _examples(node: YamlNode | None, report: ReportProblem) -> tuple[tuple[str, str], ...]:
    pairs = []
    for index, item in enumerate(list_items(node, "examples", report)):
        key = f"examples.{index + 1}"
        turns = mapping_entries(item, key, report, ROLES)
        missing = [role for role in ROLES if role not in turns]
        if not missing:
            user, assistant = (text_value(turns[role], f"{key}.{role}", report) for role in ROLES)
            pairs.append((user, assistant))
        elif isinstance(item.value, dict):
            for role in missing:
                report(Problem(item.line, f"{key}.{role}", "missing"))
    return tuple(pairs)


def _api_parameters(node: YamlNode | None, report: ReportProblem) -> Mapping[str, object]:
    entries = mapping_entries(node, "parameters", report)
    for key, held in entries.items():
        if key in OWN_PARAMETERS:
            hint = "a prompt file has the key 'model'" if key == "model" else ""
            report(Problem(held.line, f"parameters.{key}", "gptkit sets it itself", hint))
        elif not PARAMETER.fullmatch(key):
            report(Problem(held.line, f"parameters.{key}", "not the name of an API parameter"))
    return {key: held.data() for key, held in entries.items()}


def _output(
    node: YamlNode | None, words: Vocabulary, report: ReportProblem
) -> tuple[str, Mapping[str, object] | None]:
    schema: Mapping[str, object] | None = None
    key, named, held = "output", node, None
    if node and isinstance(node.value, dict):
        entries = mapping_entries(node, "output", report, ("format", "schema"))
        key, named, held = "output.format", entries.get("format"), entries.get("schema")
        if named is None or named.kind == "nothing":
            report(Problem((named or node).line, key, "missing", f"allowed: {', '.join(words.formats)}"))
        if held:
            schema = _schema(held, words.check_schema, report)
    found = single_line(named, key, report) or "markdown"
    if named and found not in words.formats:
        report(Problem(named.line, key, f"unknown format '{found}'", spelling_hint(found, words.formats)))
    elif schema is not None and found != "json" and held:
        report(Problem(held.line, "output.schema", "a schema goes with the format json"))
    return found, schema


def _schema(
    node: YamlNode, check: Callable[[Mapping[str, object]], str | None], report: ReportProblem
) -> Mapping[str, object] | None:
    data = node.data()
    if not isinstance(data, dict):
        report(Problem(node.line, "output.schema", f"must be a mapping, this is {node.kind}"))
        return None
    if problem := check(data):
        report(Problem(node.line, "output.schema", problem))
    return data


def _capabilities(
    entries: Mapping[str, YamlNode], extensions: Sequence[Extension], report: ReportProblem
) -> Mapping[str, object]:
    present = [extension for extension in extensions if extension.key in entries]
    exclusive = [extension.key for extension in present if extension.is_exclusive]
    for key in exclusive[1:]:
        report(Problem(entries[key].line, key, f"does not go together with '{exclusive[0]}'"))
    return {one.key: one.check(entries[one.key], report) for one in present}


def _refuse_clashes(
    options: tuple[Parameter, ...],
    arguments: tuple[Parameter, ...],
    words: Vocabulary,
    capabilities: tuple[str, ...],
    report: ReportProblem,
) -> None:
    added = [(extension, option) for extension in words.extensions for option in extension.options]
    added = [(extension, option) for extension, option in added if extension.key in capabilities]
    every = "that every command has"
    names = {option.name: f"that '{extension.key}' adds" for extension, option in added}
    shorts = {option.short: f"that '{extension.key}' adds" for extension, option in added if option.short}
    names |= dict.fromkeys(words.reserved_options, every)
    shorts |= dict.fromkeys(words.reserved_shorts, every)
    refuse_clashes(options, names, shorts, report)
    taken = {option.name for option in options}
    for argument in arguments:
        if argument.name in taken:
            report(Problem(argument.line, f"arguments.{argument.name}", "an option has the same name"))
