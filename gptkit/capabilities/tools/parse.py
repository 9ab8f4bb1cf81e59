"""Read what a prompt file says under `tools`, and report what is wrong by line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from gptkit.capabilities.tools import commands
from gptkit.capabilities.tools.model import (
    ANSWER,
    ARGUMENT_KINDS,
    ASK_USER,
    PLACES,
    RISKS,
    TRAVELS,
    ApiSource,
    Argument,
    Command,
    McpSource,
    ToolsConfig,
)
from gptkit.core.yaml_tree import (
    Problem,
    ReportProblem,
    YamlNode,
    list_items,
    literal_texts,
    mapping_entries,
    single_line,
    spelling_hint,
    text_value,
    true_or_mapping,
)

Read = Callable[[YamlNode, str, ReportProblem], Any]
"""Turns the node of a key into a value; for a wrong one it reports a problem and returns any value."""
KEY = "tools"
NAME = r"[A-Za-z][A-Za-z0-9_-]{0,47}"  # compiled on first use
ARGUMENT_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
_PORT_AND_PATH = r"(:[0-9]{1,5})?([/?][^#\s]*)?"
ADDRESS = rf"https?://([^/?#@:\s\[\]\\]+|\[[0-9A-Fa-f:.]+\]){_PORT_AND_PATH}"
LOOPBACK = rf"https?://(127\.0\.0\.1|localhost|\[::1\]){_PORT_AND_PATH}"
NAME_RULE = "is made of letters, digits, '_' and '-', starts with a letter, 48 at most"
LONGEST_TIMEOUT = 3600
"""Seconds."""


def parse_tools(node: YamlNode, report: ReportProblem) -> ToolsConfig:
    """Read `tools: true`, or a mapping with the sources of tools."""
    entries = true_or_mapping(node, KEY, report, ("commands", "openapi", "mcp", "calls"))
    config = ToolsConfig(
        commands=tuple(_named(entries.get("commands"), f"{KEY}.commands", report, _command)),
        apis=tuple(_named(entries.get("openapi"), f"{KEY}.openapi", report, _api)),
        servers=tuple(_named(entries.get("mcp"), f"{KEY}.mcp", report, _server)),
        calls=_one_of(TRAVELS)(entries["calls"], f"{KEY}.calls", report) if "calls" in entries else "auto",
    )
    if isinstance(node.value, dict) and config.is_empty:
        report(Problem(node.line, KEY, "no tools; it needs commands, openapi or mcp"))
    return config


def _named(
    node: YamlNode | None,
    key: str,
    report: ReportProblem,
    read: Callable[[str, YamlNode, str, ReportProblem], Any],
) -> Iterator[Any]:
    for name, entry in mapping_entries(node, key, report).items():
        if not re.fullmatch(NAME, name):
            report(Problem(entry.line, f"{key}.{name}", f"a name {NAME_RULE}"))
        elif name in (ANSWER, ASK_USER):
            report(Problem(entry.line, f"{key}.{name}", "this name is gptkit's own"))
        else:
            yield read(name, entry, f"{key}.{name}", report)


def _values(
    node: YamlNode, key: str, report: ReportProblem, readers: Mapping[str, Read], **required: str
) -> dict[str, Any]:
    """The values of the keys that an entry has; `required` says what a key is that may not be missing."""
    entries = mapping_entries(node, key, report, tuple(readers))
    for name, use in required.items():
        if name not in entries:
            report(Problem(node.line, f"{key}.{name}", f"missing; {use}"))
    return {name: readers[name](entry, f"{key}.{name}", report) for name, entry in entries.items()}


def _command(name: str, node: YamlNode, key: str, report: ReportProblem) -> Command:
    use = {"description": "the model chooses by it", "run": "it is the program and its arguments, as a list"}
    values = _values(node, key, report, _COMMAND, **use)
    if "risk" not in values:
        report(Problem(node.line, f"{key}.risk", "missing", f"allowed: {', '.join(RISKS)}"))
    command = Command(
        name, **({"description": "", "run": ("?",), "arguments": (), "risk": "destructive"} | values)
    )
    _check_names(command, node, key, report)
    if problem := commands.shell_problem(command):
        entry = mapping_entries(node, key, report).get("run", node)
        report(Problem(entry.line, f"{key}.run", problem))
    return command


def _check_names(command: Command, node: YamlNode, key: str, report: ReportProblem) -> None:
    """Report names that nobody declares or uses, and optional ones whose element would not fall away."""
    arguments = {argument.name: argument for argument in command.arguments}
    elements = [*commands.flat_elements(command), command.stdin]
    used = {name for element in elements for name in commands.place_names(element)}
    for element in command.run:
        for name in commands.place_names(element) if isinstance(element, str) else ():
            if name in arguments and arguments[name].optional and arguments[name].default is None:
                message = f"'{name}' is optional: put its element into a list of its own"
                report(Problem(node.line, f"{key}.run", message))
    for name in sorted(used - set(arguments) - set(PLACES)):
        hint = spelling_hint(name, [*arguments, *PLACES])
        report(Problem(node.line, f"{key}.run", f"'{name}' is not declared", hint))
    for name in arguments:
        if name not in used:
            report(Problem(node.line, f"{key}.arguments.{name}", "not used in 'run' or 'stdin'"))
    for name in set(commands.place_names(command.folder)) - set(PLACES):
        message = f"'{name}' is no folder of a template"
        report(Problem(node.line, f"{key}.folder", message, spelling_hint(name, PLACES)))


def _template(node: YamlNode, key: str, report: ReportProblem) -> tuple[str | tuple[str, ...], ...]:
    if isinstance(node.value, str):
        hint = 'write [git, log, "{count}"], one element for each argument'
        report(Problem(node.line, key, "must be a list: no shell takes it apart", hint))
        return ("?",)
    return tuple(
        literal_texts(item, key, report) if isinstance(item.value, list) else text_value(item, key, report)
        for item in list_items(node, key, report)
    )


def _arguments(node: YamlNode, key: str, report: ReportProblem) -> tuple[Argument, ...]:
    entries = mapping_entries(node, key, report).items()
    return tuple(_argument(name, entry, f"{key}.{name}", report) for name, entry in entries)


def _argument(name: str, node: YamlNode, key: str, report: ReportProblem) -> Argument:
    if not re.fullmatch(ARGUMENT_NAME, name):
        report(Problem(node.line, key, "a name is made of letters, digits, '_' and '-'"))
    if name in PLACES:
        report(Problem(node.line, key, "this name is that of a folder"))
    values = _values(node, key, report, _ARGUMENT)
    kind = values.pop("type", "choice" if values.get("choices") else "text")
    argument = Argument(name, kind, **values)
    if (kind == "choice") != bool(argument.choices):
        report(Problem(node.line, f"{key}.choices", "a choice needs choices, and only a choice has them"))
    if argument.pattern and kind not in ("text", "list"):
        report(Problem(node.line, f"{key}.pattern", f"goes with a text or a list, not with {kind}"))
    return argument


def _api(name: str, node: YamlNode, key: str, report: ReportProblem) -> ApiSource:
    use = {
        "file": "it is the OpenAPI description",
        "server": "a description may not choose where requests go",
    }
    values = _values(node, key, report, _API, **use)
    source = ApiSource(name, **{"file": "", "server": "", **values})
    source = source._replace(server=source.server.rstrip("/"))
    if source.server and ("?" in source.server or not re.fullmatch(ADDRESS, source.server)):
        report(Problem(node.line, f"{key}.server", "not an address"))
    elif source.server.startswith("http:") and not re.fullmatch(LOOPBACK, source.server):
        report(Problem(node.line, f"{key}.server", "http goes to this machine only; use https"))
    return source


def _server(name: str, node: YamlNode, key: str, report: ReportProblem) -> McpSource:
    values = _values(node, key, report, _MCP, select="it names the tools that may be called")
    source = McpSource(name, **{"run": (), "url": "", "select": (), **values})
    if bool(source.run) == bool(source.url):
        report(Problem(node.line, key, "needs either run or url"))
    if source.run and (problem := commands.relative_problem(source.run[0])):
        report(Problem(node.line, f"{key}.run", problem))
    is_safe = source.url.startswith("https:") or re.fullmatch(LOOPBACK, source.url)
    if source.url and not (is_safe and re.fullmatch(ADDRESS, source.url)):
        report(Problem(node.line, f"{key}.url", "must be https, or http to this machine"))
    for table in ("risk", "narrow", "most"):
        for tool in getattr(source, table):
            if tool not in source.select:
                hint = spelling_hint(tool, source.select)
                report(Problem(node.line, f"{key}.{table}.{tool}", "not selected", hint))
    return source


def _data(node: YamlNode, _key: str, _report: ReportProblem) -> object:
    return node.data()


def _words(node: YamlNode, key: str, report: ReportProblem) -> str:
    return " ".join(text_value(node, key, report).split())


def _one_of(allowed: Sequence[Any]) -> Read:
    """A reader of one of these words."""

    def read(node: YamlNode, key: str, report: ReportProblem) -> object:
        word = single_line(node, key, report)
        if word not in allowed:
            report(Problem(node.line, key, f"unknown word '{word}'", spelling_hint(word, allowed)))
        return word if word in allowed else allowed[-1]

    return read


def _checked(is_right: Callable[[object], bool], default: object, message: str) -> Read:
    """A reader of any value that passes a check."""

    def read(node: YamlNode, key: str, report: ReportProblem) -> object:
        value = node.data()
        if is_right(value):
            return value
        report(Problem(node.line, key, message))
        return default

    return read


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _each(read: Read) -> Read:
    """A reader of a mapping from names to what `read` reads."""

    def read_all(node: YamlNode, key: str, report: ReportProblem) -> Mapping[str, Any]:
        entries = mapping_entries(node, key, report).items()
        return {name: read(entry, f"{key}.{name}", report) for name, entry in entries}

    return read_all


def _narrow_schema(node: YamlNode, key: str, report: ReportProblem) -> object:
    schema = node.data()
    if not isinstance(schema, dict):
        report(Problem(node.line, key, "must be a JSON schema of the argument"))
        return {}
    if isinstance(pattern := schema.get("pattern"), str):
        _check_pattern(pattern, node.line, f"{key}.pattern", report)
    return schema


def _pattern(node: YamlNode, key: str, report: ReportProblem) -> str:
    pattern = text_value(node, key, report)
    _check_pattern(pattern, node.line, key, report)
    return pattern


def _check_pattern(pattern: str, line: int, key: str, report: ReportProblem) -> None:
    try:
        re.compile(pattern)
    except re.error:
        report(Problem(line, key, "not a regular expression"))


def _codes(node: YamlNode, key: str, report: ReportProblem) -> tuple[int, ...]:
    codes = tuple(item.data() for item in list_items(node, key, report))
    if codes and all(type(code) is int and 0 <= code <= 255 for code in codes):
        return tuple(int(str(code)) for code in codes)
    report(Problem(node.line, key, "must be a list of exit codes"))
    return (0,)


_risk = _one_of(RISKS)
_number = _checked(_is_number, None, "must be a number")
_count = _checked(lambda value: type(value) is int and value >= 1, None, "must be a whole number, at least 1")
_seconds = _checked(
    lambda value: _is_number(value) and 0 < float(str(value)) <= LONGEST_TIMEOUT,
    1.0,
    f"must be a number of seconds, at most {LONGEST_TIMEOUT}",
)
_COMMAND: Mapping[str, Read] = {
    "description": _words,
    "run": _template,
    "arguments": _arguments,
    "risk": _risk,
    "timeout": _seconds,
    "folder": single_line,
    "env": _each(text_value),
    "ok": _codes,
    "most": _count,
    "stdin": text_value,
}
_ARGUMENT: Mapping[str, Read] = {
    "type": _one_of(ARGUMENT_KINDS),
    "help": _words,
    "choices": literal_texts,
    "pattern": _pattern,
    "minimum": _number,
    "maximum": _number,
    "optional": _checked(lambda value: isinstance(value, bool), False, "must be true or false"),
    "default": _data,
}
_BY_TOOL: Mapping[str, Read] = {
    "select": literal_texts,
    "headers": _each(text_value),
    "risk": _each(_risk),
    "fix": _each(_data),
    "narrow": _each(_each(_narrow_schema)),
    "most": _each(_count),
    "timeout": _seconds,
}
"""What openapi and mcp have in common, most of it by the name of a tool."""
_API = {"file": single_line, "server": single_line, "omit": literal_texts, **_BY_TOOL}
_MCP = {
    "run": literal_texts,
    "url": single_line,
    "env": _each(text_value),
    "folder": single_line,
    "start": _seconds,
    **_BY_TOOL,
}
