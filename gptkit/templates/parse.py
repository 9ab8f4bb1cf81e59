"""Parse the tree of a prompt file into a Template, or report all mistakes in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import PurePath

from gptkit.core.chat import OWN_PARAMETERS
from gptkit.core.yaml_tree import (
    Problem,
    ReportProblem,
    YamlFileError,
    YamlNode,
    list_items,
    literal_texts,
    mapping_entries,
    single_line,
    spelling_hint,
    text_value,
)
from gptkit.templates.parameters import NAME, NAME_RULE, read_cases, read_parameters, refuse_clashes
from gptkit.templates.template import (
    ATTACHMENT_KINDS,
    DEFAULT_USER,
    GIT_SUBCOMMANDS,
    INPUTS,
    CaseWords,
    Extension,
    Input,
    InputCommand,
    Parameter,
    Template,
    Vocabulary,
)

KEYS = (
    "description",
    "usage",
    "group",
    "system",
    "user",
    "examples",
    "options",
    "arguments",
    "input",
    "model",
    "parameters",
    "output",
    "nothing",
    "attachments",
    "tests",
    "extends",
)
ROLES = ("user", "assistant")
WHEN = "no text"
"""When the command of `input` runs."""
TEXT_ARGUMENT = Parameter("text", help="Words to work on; by default standard input.")
"""The argument of a prompt file that declares none."""
MERGED_KEYS = ("options", "parameters")
"""Keys whose entries are merged with those of the parent; any other key replaces that of the parent."""
NOT_INHERITED = ("usage", "tests", "extends")
DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")
"""Names of devices on Windows, which no file may have, whatever its suffix."""
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_template(name: str, root: YamlNode, source: str, vocabulary: Vocabulary) -> Template:
    """Parse the tree of a prompt file; raises YamlFileError with all of its problems.

    Args:
        name: the name of the prompt.
        source: what messages call the file, most often its path.
    """
    problems: list[Problem] = []
    report = problems.append
    if problem := name_problem(name, vocabulary):
        report(Problem(1, "", problem))
    template = _template(name, root, source, vocabulary, report)
    if not template.description and not problems:  # else a missing description may be a misspelt key
        report(Problem(root.line, "description", "missing; it is the first line of --help"))
    if problems:
        raise YamlFileError(source, tuple(problems))
    return template


def parent_name(root: YamlNode) -> str:
    """The name of the prompt that a prompt file extends; empty for none."""
    node = root.value.get("extends") if isinstance(root.value, dict) else None
    return node.value.strip() if node and isinstance(node.value, str) and node.kind == "text" else ""


def declared_names(root: YamlNode) -> frozenset[str]:
    """The names of the options and arguments that a file declares itself, without inherited ones."""
    names: set[str] = set()
    for key in ("options", "arguments"):
        node = root.value.get(key) if isinstance(root.value, dict) else None
        if node and isinstance(node.value, dict):
            names |= set(node.value)
    return frozenset(names)


def merge(child: YamlNode, parent: YamlNode) -> YamlNode:
    """Merge the tree of a prompt file with that of its parent; NOT_INHERITED keys stay with the parent.

    Inherited nodes get the line of the child's `extends`, so that a message about one names a line of the
    child's file.
    """
    if not isinstance(child.value, dict) or not isinstance(parent.value, dict):
        return child
    line = child.value["extends"].line
    entries = {key: node.at_line(line) for key, node in parent.value.items() if key not in NOT_INHERITED}
    for key, node in child.value.items():
        inherited = entries.get(key)
        if inherited and key in MERGED_KEYS:
            entries[key] = _merge_entries(node, inherited, key == "options")
        else:
            entries[key] = node
    return YamlNode(entries, child.line)


def _merge_entries(child: YamlNode, parent: YamlNode, deep: bool) -> YamlNode:
    """Merge two mappings; with `deep` also entries of one name, unless the child's entry has a type."""
    if not isinstance(child.value, dict) or not isinstance(parent.value, dict):
        return child
    entries = dict(parent.value)
    for name, node in child.value.items():
        inherited = entries.get(name)
        has_type = isinstance(node.value, dict) and "type" in node.value
        if deep and inherited and not has_type:
            entries[name] = _merge_entries(node, inherited, False)
        else:
            entries[name] = node
    return YamlNode(entries, child.line)


def name_problem(name: str, vocabulary: Vocabulary) -> str | None:
    """Why a name cannot be the name of a prompt; None if it can."""
    if not NAME.fullmatch(name):
        return f"a command's name {NAME_RULE}"
    if DEVICES.fullmatch(name):
        return "Windows has a device of this name"
    if name in vocabulary.reserved_names:
        return "this name belongs to a command of gptkit itself"
    return None


def _template(
    name: str, root: YamlNode, source: str, vocabulary: Vocabulary, report: ReportProblem
) -> Template:
    if isinstance(root.value, str | list) and root.kind != "nothing":
        report(Problem(root.line, "", f"a prompt file is a mapping of keys, this is {root.kind}"))
        return Template(name, source, "")
    entries = mapping_entries(root, "", report, (*KEYS, *(one.key for one in vocabulary.extensions)))
    single_line(entries.get("extends"), "extends", report)
    output, schema = _output(entries.get("output"), vocabulary, report)
    options = read_parameters(entries.get("options"), "options", report)
    arguments = read_parameters(entries.get("arguments"), "arguments", report)
    declared = [extension for extension in vocabulary.extensions if extension.key in entries]
    capabilities = _capabilities(entries, declared, output if output in vocabulary.formats else "", report)
    _refuse_clashes(options, arguments, vocabulary, tuple(capabilities), report)
    input_kind, input_command = _input(entries.get("input"), declared, report)
    return Template(
        name=name,
        source=source,
        description=_description(entries.get("description"), report),
        usage=_usage(entries.get("usage"), report),
        group=single_line(entries.get("group"), "group", report),
        system=text_value(entries.get("system"), "system", report),
        user=text_value(entries.get("user"), "user", report) if "user" in entries else DEFAULT_USER,
        examples=_examples(entries.get("examples"), report),
        options=options,
        arguments=arguments or _text_argument(input_kind, input_command),
        input=input_kind,
        input_command=input_command,
        model=single_line(entries.get("model"), "model", report),
        parameters=_api_parameters(entries.get("parameters"), report),
        output=output,
        schema=schema,
        nothing=single_line(entries.get("nothing"), "nothing", report),
        attachments=_attachments(entries, declared, input_kind, report),
        capabilities=capabilities,
        variables=tuple(chain.from_iterable(extension.variables for extension in declared)),
        cases=read_cases(entries.get("tests"), options, arguments, report, _case_words(declared)),
        lines={key: node.line for key, node in entries.items()},
        blocks={key: node.block for key, node in entries.items() if node.block},
    )


def _attachments(
    entries: Mapping[str, YamlNode], declared: Sequence[Extension], input_kind: Input, report: ReportProblem
) -> tuple[str, ...]:
    node = entries.get("attachments")
    kinds = literal_texts(node, "attachments", report)
    if input_kind == "attachment" and not kinds:
        report(Problem(entries["input"].line, "input", "there is no key 'attachments'"))
    for kind in kinds:
        if node and kind not in ATTACHMENT_KINDS:
            hint = spelling_hint(kind, ATTACHMENT_KINDS)
            report(Problem(node.line, "attachments", f"unknown kind '{kind}'", hint))
    if node and kinds and (other := next((one.key for one in declared if one.claims), None)):
        report(Problem(node.line, "attachments", f"does not go together with '{other}'"))
    return kinds


def _case_words(declared: Sequence[Extension]) -> CaseWords:
    keys = chain.from_iterable(extension.case_words.keys for extension in declared)
    expectations = chain.from_iterable(extension.case_words.expectations for extension in declared)
    return CaseWords(tuple(keys), tuple(expectations))


def _description(node: YamlNode | None, report: ReportProblem) -> str:
    description = " ".join(text_value(node, "description", report).split())
    if node and not description and isinstance(node.value, str):
        report(Problem(node.line, "description", "empty; it is the first line of --help"))
    return description


def _usage(node: YamlNode | None, report: ReportProblem) -> tuple[str, ...]:
    return tuple(
        single_line(item, f"usage.{index + 1}", report)
        for index, item in enumerate(list_items(node, "usage", report))
    )


def _input(
    node: YamlNode | None, declared: Sequence[Extension], report: ReportProblem
) -> tuple[Input, InputCommand | None]:
    if node and isinstance(node.value, dict):
        if other := next((one.key for one in declared if "exchange" in one.claims), None):
            report(Problem(node.line, "input", f"a command does not go together with '{other}'"))
        return "required", _input_command(node, report)
    word = single_line(node, "input", report) or "required"
    for allowed in INPUTS:
        if word == allowed:
            return allowed, None
    report(Problem(node.line if node else 1, "input", f"unknown word '{word}'", spelling_hint(word, INPUTS)))
    return "required", None


def _input_command(node: YamlNode, report: ReportProblem) -> InputCommand:
    entries = mapping_entries(node, "input", report, ("command", "when", "empty"))
    when = single_line(entries.get("when"), "input.when", report)
    if when != WHEN:
        problem = f"unknown words '{when}'" if when else "missing"
        report(Problem((entries.get("when") or node).line, "input.when", problem, f"allowed: {WHEN}"))
    command = entries.get("command")
    items = list_items(command, "input.command", report)
    if not items and (command is None or command.kind in ("nothing", "a list")):
        report(Problem((command or node).line, "input.command", "missing: a program and its arguments"))
    is_list_of_commands = any(isinstance(item.value, list) for item in items)
    commands = tuple(
        literal_texts(one, "input.command", report)
        for one in (items if is_list_of_commands else (command,) if items else ())
    )
    for argv in commands:
        if problem := _command_problem(argv):
            report(Problem((command or node).line, "input.command", problem))
    return InputCommand(commands, single_line(entries.get("empty"), "input.empty", report))


def _command_problem(argv: Sequence[str]) -> str:
    """Why a command cannot be run for the input; empty if it can."""
    program = argv[0] if argv else ""
    if not program:
        return "missing: a program and its arguments"
    if "/" in program and not program.startswith("/"):
        return f"'{program}' depends on the current folder; write a name or an absolute path"
    if PurePath(program).name == "git" and argv[1:2] not in [(name,) for name in GIT_SUBCOMMANDS]:
        return f"after 'git' comes one of: {', '.join(GIT_SUBCOMMANDS)}"
    return ""


def _text_argument(input_kind: Input, command: InputCommand | None) -> tuple[Parameter, ...]:
    """The argument of a prompt file that declares none."""
    if input_kind == "none":
        return ()
    if command is None or not command.commands:
        return (TEXT_ARGUMENT,)
    import shlex

    shown = shlex.join(command.commands[0])
    return (TEXT_ARGUMENT._replace(help=f"{TEXT_ARGUMENT.help[:-1]}, else what '{shown}' prints."),)


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
    for key, entry in entries.items():
        if key in OWN_PARAMETERS:
            hint = "a prompt file has the key 'model'" if key == "model" else ""
            report(Problem(entry.line, f"parameters.{key}", "gptkit sets it itself", hint))
        elif not PARAMETER.fullmatch(key):
            report(Problem(entry.line, f"parameters.{key}", "not the name of an API parameter"))
    return {key: entry.data() for key, entry in entries.items()}


def _output(
    node: YamlNode | None, vocabulary: Vocabulary, report: ReportProblem
) -> tuple[str, Mapping[str, object] | None]:
    schema: Mapping[str, object] | None = None
    key, format_node, schema_node = "output", node, None
    if node and isinstance(node.value, dict):
        entries = mapping_entries(node, "output", report, ("format", "schema"))
        key, format_node, schema_node = "output.format", entries.get("format"), entries.get("schema")
        if format_node is None or format_node.kind == "nothing":
            hint = f"allowed: {', '.join(vocabulary.formats)}"
            report(Problem((format_node or node).line, key, "missing", hint))
        if schema_node:
            schema = _schema(schema_node, vocabulary.check_schema, report)
    name = single_line(format_node, key, report) or "markdown"
    if format_node and name not in vocabulary.formats:
        hint = spelling_hint(name, vocabulary.formats)
        report(Problem(format_node.line, key, f"unknown format '{name}'", hint))
    elif schema is not None and name != "json" and schema_node:
        report(Problem(schema_node.line, "output.schema", "a schema goes with the format json"))
    return name, schema


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
    entries: Mapping[str, YamlNode], declared: Sequence[Extension], output: str, report: ReportProblem
) -> Mapping[str, object]:
    """Check the capabilities of a file, whose `output` is empty if it is of an unknown format."""
    for index, extension in enumerate(declared):
        other = next((one.key for one in declared[:index] if one.claims & extension.claims), None)
        if other is not None:
            report(
                Problem(entries[extension.key].line, extension.key, f"does not go together with '{other}'")
            )
        if output and extension.outputs and output not in extension.outputs:
            problem = f"does not go together with the output '{output}'"
            hint = f"allowed: {', '.join(extension.outputs)}"
            report(Problem(entries[extension.key].line, extension.key, problem, hint))
    return {extension.key: extension.check(entries[extension.key], report) for extension in declared}


def _refuse_clashes(
    options: tuple[Parameter, ...],
    arguments: tuple[Parameter, ...],
    vocabulary: Vocabulary,
    capabilities: tuple[str, ...],
    report: ReportProblem,
) -> None:
    added = [
        (extension, option)
        for extension in vocabulary.extensions
        if extension.key in capabilities
        for option in extension.options
    ]
    shared = "that every command has"
    names = {option.name: f"that '{extension.key}' adds" for extension, option in added}
    shorts = {option.short: f"that '{extension.key}' adds" for extension, option in added if option.short}
    names |= dict.fromkeys(vocabulary.reserved_options, shared)
    shorts |= dict.fromkeys(vocabulary.reserved_shorts, shared)
    refuse_clashes(options, names, shorts, report)
    option_names = {option.name for option in options}
    for argument in arguments:
        if argument.name in option_names:
            report(Problem(argument.line, f"arguments.{argument.name}", "an option has the same name"))
