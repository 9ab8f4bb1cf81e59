"""Read what a prompt file says under `tools`, and report what is wrong by line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gptkit.capabilities.tools import commands
from gptkit.capabilities.tools.model import (
    ANSWER,
    ARGUMENT_KINDS,
    ASK_USER,
    PLACES,
    RISKS,
    START,
    TIMEOUT,
    TRAVELS,
    ApiSource,
    Argument,
    Command,
    McpSource,
    Risk,
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

Value = TypeVar("Value")
KEY = "tools"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,47}")
ARGUMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
NAME_RULE = "is made of letters, digits, '_' and '-', starts with a letter, 48 at most"
COMMAND_KEYS = (
    "description", "run", "arguments", "risk", "timeout", "folder", "env", "ok", "most", "stdin",
)  # fmt: skip
ARGUMENT_KEYS = ("type", "help", "choices", "pattern", "minimum", "maximum", "optional", "default")
API_KEYS = (
    "file", "server", "select", "headers", "risk", "fix", "narrow", "most", "omit", "timeout",
)  # fmt: skip
MCP_KEYS = (
    "run", "url", "select", "headers", "env", "folder", "risk", "fix", "narrow", "most", "timeout", "start",
)  # fmt: skip


def parse_tools(node: YamlNode, report: Callable[[Problem], None]) -> ToolsConfig:
    """Read `tools: true`, or a mapping with the sources of tools."""
    entries = true_or_mapping(node, KEY, report, ("commands", "openapi", "mcp", "calls"))
    config = ToolsConfig(
        commands=tuple(
            _command(name, entry, f"{KEY}.commands.{name}", report)
            for name, entry in _named(entries.get("commands"), f"{KEY}.commands", report)
        ),
        apis=tuple(
            _api(name, entry, f"{KEY}.openapi.{name}", report)
            for name, entry in _named(entries.get("openapi"), f"{KEY}.openapi", report)
        ),
        servers=tuple(
            _server(name, entry, f"{KEY}.mcp.{name}", report)
            for name, entry in _named(entries.get("mcp"), f"{KEY}.mcp", report)
        ),
        calls=_word(entries.get("calls"), f"{KEY}.calls", TRAVELS, report) or "auto",
    )
    if isinstance(node.value, dict) and config.is_empty:
        report(Problem(node.line, KEY, "no tools; it needs commands, openapi or mcp"))
    return config


def _named(node: YamlNode | None, key: str, report: ReportProblem) -> list[tuple[str, YamlNode]]:
    named = []
    for name, entry in mapping_entries(node, key, report).items():
        if not NAME.fullmatch(name):
            report(Problem(entry.line, f"{key}.{name}", f"a name {NAME_RULE}"))
        elif name in (ANSWER, ASK_USER):
            report(Problem(entry.line, f"{key}.{name}", "this name is gptkit's own"))
        else:
            named.append((name, entry))
    return named


def _command(name: str, node: YamlNode, key: str, report: ReportProblem) -> Command:
    entries = mapping_entries(node, key, report, COMMAND_KEYS)
    stdin = text_value(entries.get("stdin"), f"{key}.stdin", report)
    command = Command(
        name=name,
        description=_description(entries, node, key, report),
        run=_template(entries.get("run"), node, f"{key}.run", report),
        arguments=tuple(
            _argument(one, entry, f"{key}.arguments.{one}", report)
            for one, entry in mapping_entries(entries.get("arguments"), f"{key}.arguments", report).items()
        ),
        risk=_risk(entries.get("risk"), node, f"{key}.risk", report),
        timeout=_seconds(entries.get("timeout"), f"{key}.timeout", TIMEOUT, report),
        folder=single_line(entries.get("folder"), f"{key}.folder", report) or "{here}",
        env=_texts(entries.get("env"), f"{key}.env", report),
        ok=_codes(entries.get("ok"), f"{key}.ok", report),
        most=_count(entries.get("most"), f"{key}.most", report),
        stdin=stdin,
    )
    _check_names(command, node, key, report)
    if problem := commands.shell_problem(command):
        report(Problem(entries["run"].line if "run" in entries else node.line, f"{key}.run", problem))
    return command


def _check_names(command: Command, node: YamlNode, key: str, report: ReportProblem) -> None:
    """Report names that nobody declares or uses, and optional ones whose element would not fall away."""
    arguments = {argument.name: argument for argument in command.arguments}
    used: set[str] = set()
    for element in command.run:
        parts = (element,) if isinstance(element, str) else element
        used |= {name for part in parts for name in commands.place_names(part)}
        for name in commands.place_names(element) if isinstance(element, str) else ():
            if name in arguments and arguments[name].optional and arguments[name].default is None:
                message = f"'{name}' is optional: put its element into a list of its own"
                report(Problem(node.line, f"{key}.run", message))
    used |= {*commands.place_names(command.stdin)}
    for name in sorted(used - set(arguments) - set(PLACES)):
        hint = spelling_hint(name, [*arguments, *PLACES])
        report(Problem(node.line, f"{key}.run", f"'{name}' is not declared", hint))
    for name in arguments:
        if name not in used:
            report(Problem(node.line, f"{key}.arguments.{name}", "not used in 'run' or 'stdin'"))
    for name in commands.place_names(command.folder):
        if name not in PLACES:
            message = f"'{name}' is no folder of a template"
            report(Problem(node.line, f"{key}.folder", message, spelling_hint(name, PLACES)))


def _template(
    node: YamlNode | None, parent: YamlNode, key: str, report: ReportProblem
) -> tuple[str | tuple[str, ...], ...]:
    if node is None:
        report(Problem(parent.line, key, "missing; it is the program and its arguments, as a list"))
        return ("?",)
    if isinstance(node.value, str):
        hint = 'write [git, log, "{count}"], one element for each argument'
        report(Problem(node.line, key, "must be a list: no shell takes it apart", hint))
        return ("?",)
    found: list[str | tuple[str, ...]] = []
    for item in list_items(node, key, report):
        inner = isinstance(item.value, list)
        found.append(literal_texts(item, key, report) if inner else text_value(item, key, report))
    return tuple(found)


def _argument(name: str, node: YamlNode, key: str, report: ReportProblem) -> Argument:
    entries = mapping_entries(node, key, report, ARGUMENT_KEYS)
    if not ARGUMENT_NAME.fullmatch(name):
        report(Problem(node.line, key, "a name is made of letters, digits, '_' and '-'"))
    if name in PLACES:
        report(Problem(node.line, key, "this name is that of a folder"))
    choices = literal_texts(entries.get("choices"), f"{key}.choices", report)
    kind = _word(entries.get("type"), f"{key}.type", ARGUMENT_KINDS, report)
    kind = kind or ("choice" if choices else "text")
    if (kind == "choice") != bool(choices):
        report(Problem(node.line, f"{key}.choices", "a choice needs choices, and only a choice has them"))
    pattern = text_value(entries.get("pattern"), f"{key}.pattern", report)
    _check_pattern(entries.get("pattern"), pattern, f"{key}.pattern", report)
    if pattern and kind not in ("text", "list"):
        report(Problem(node.line, f"{key}.pattern", f"goes with a text or a list, not with {kind}"))
    optional = entries["optional"].data() if "optional" in entries else False
    if not isinstance(optional, bool):
        report(Problem(node.line, f"{key}.optional", "must be true or false"))
    return Argument(
        name=name,
        kind=kind,
        help=" ".join(text_value(entries.get("help"), f"{key}.help", report).split()),
        choices=choices,
        pattern=pattern,
        minimum=_number(entries.get("minimum"), f"{key}.minimum", report),
        maximum=_number(entries.get("maximum"), f"{key}.maximum", report),
        optional=optional is True,
        default=entries["default"].data() if "default" in entries else None,
    )


def _api(name: str, node: YamlNode, key: str, report: ReportProblem) -> ApiSource:
    entries = mapping_entries(node, key, report, API_KEYS)
    source = ApiSource(
        name=name,
        file=single_line(entries.get("file"), f"{key}.file", report),
        server=single_line(entries.get("server"), f"{key}.server", report).rstrip("/"),
        select=literal_texts(entries.get("select"), f"{key}.select", report),
        headers=_texts(entries.get("headers"), f"{key}.headers", report),
        omit=literal_texts(entries.get("omit"), f"{key}.omit", report),
        timeout=_seconds(entries.get("timeout"), f"{key}.timeout", TIMEOUT, report),
        **_by_tool(entries, key, report),
    )
    if not source.file:
        report(Problem(node.line, f"{key}.file", "missing; it is the OpenAPI description"))
    if not re.match(r"https?://[^/?#@]+", source.server):
        message = "missing; a description may not choose where requests go"
        report(Problem(node.line, f"{key}.server", message if not source.server else "not an address"))
    elif source.server.startswith("http:") and not _is_loopback(source.server):
        report(Problem(node.line, f"{key}.server", "http goes to this machine only; use https"))
    return source


def _server(name: str, node: YamlNode, key: str, report: ReportProblem) -> McpSource:
    entries = mapping_entries(node, key, report, MCP_KEYS)
    source = McpSource(
        name=name,
        run=literal_texts(entries.get("run"), f"{key}.run", report),
        url=single_line(entries.get("url"), f"{key}.url", report),
        select=literal_texts(entries.get("select"), f"{key}.select", report),
        headers=_texts(entries.get("headers"), f"{key}.headers", report),
        env=_texts(entries.get("env"), f"{key}.env", report),
        folder=single_line(entries.get("folder"), f"{key}.folder", report) or "{here}",
        timeout=_seconds(entries.get("timeout"), f"{key}.timeout", TIMEOUT, report),
        start=_seconds(entries.get("start"), f"{key}.start", START, report),
        **_by_tool(entries, key, report),
    )
    if bool(source.run) == bool(source.url):
        report(Problem(node.line, key, "needs either run or url"))
    if source.url and not (source.url.startswith("https://") or _is_loopback(source.url)):
        report(Problem(node.line, f"{key}.url", "must be https, or http to this machine"))
    if not source.select:
        report(Problem(node.line, f"{key}.select", "missing; it names the tools that may be called"))
    for table in ("risk", "narrow", "most"):
        for tool in getattr(source, table):
            if tool not in source.select:
                hint = spelling_hint(tool, source.select)
                report(Problem(node.line, f"{key}.{table}.{tool}", "not selected", hint))
    return source


def _by_tool(entries: Mapping[str, YamlNode], key: str, report: ReportProblem) -> dict[str, Any]:
    """The keys that openapi and mcp have in common, most of them by the name of a tool."""
    narrow: dict[str, Mapping[str, object]] = {}
    for tool, node in mapping_entries(entries.get("narrow"), f"{key}.narrow", report).items():
        schemas = mapping_entries(node, f"{key}.narrow.{tool}", report)
        for name, schema in schemas.items():
            _check_narrow(schema, f"{key}.narrow.{tool}.{name}", report)
        narrow[tool] = {name: schema.data() for name, schema in schemas.items()}
    risks = mapping_entries(entries.get("risk"), f"{key}.risk", report)
    counts = mapping_entries(entries.get("most"), f"{key}.most", report)
    fixed = mapping_entries(entries.get("fix"), f"{key}.fix", report)
    return {
        "narrow": narrow,
        "risk": {tool: _risk(node, node, f"{key}.risk.{tool}", report) for tool, node in risks.items()},
        "most": {tool: _count(node, f"{key}.most.{tool}", report) or 0 for tool, node in counts.items()},
        "fix": {name: node.data() for name, node in fixed.items()},
    }


def _check_narrow(node: YamlNode, key: str, report: ReportProblem) -> None:
    schema = node.data()
    if not isinstance(schema, dict):
        report(Problem(node.line, key, "must be a JSON schema of the argument"))
        return
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        _check_pattern(node, pattern, f"{key}.pattern", report)


def _check_pattern(node: YamlNode | None, pattern: str, key: str, report: ReportProblem) -> None:
    try:
        re.compile(pattern)
    except re.error:
        report(Problem(node.line if node else 1, key, "not a regular expression"))


def _description(entries: Mapping[str, YamlNode], node: YamlNode, key: str, report: ReportProblem) -> str:
    text = " ".join(text_value(entries.get("description"), f"{key}.description", report).split())
    if not text:
        report(Problem(node.line, f"{key}.description", "missing; the model chooses by it"))
    return text


def _risk(node: YamlNode | None, parent: YamlNode, key: str, report: ReportProblem) -> Risk:
    if node is None:
        report(Problem(parent.line, key, "missing", f"allowed: {', '.join(RISKS)}"))
    return _word(node, key, RISKS, report) or "destructive"


def _word(node: YamlNode | None, key: str, allowed: Sequence[Value], report: ReportProblem) -> Value | None:
    if node is None:
        return None
    word = single_line(node, key, report)
    for one in allowed:
        if one == word:
            return one
    report(Problem(node.line, key, f"unknown word '{word}'", spelling_hint(word, [str(a) for a in allowed])))
    return None


def _texts(node: YamlNode | None, key: str, report: ReportProblem) -> Mapping[str, str]:
    entries = mapping_entries(node, key, report)
    return {name: text_value(entry, f"{key}.{name}", report) for name, entry in entries.items()}


def _codes(node: YamlNode | None, key: str, report: ReportProblem) -> tuple[int, ...]:
    if node is None:
        return (0,)
    codes = [item.data() for item in list_items(node, key, report)]
    if not codes or not all(type(code) is int and 0 <= code <= 255 for code in codes):
        report(Problem(node.line, key, "must be a list of exit codes"))
        return (0,)
    return tuple(int(str(code)) for code in codes)


def _number(node: YamlNode | None, key: str, report: ReportProblem) -> float | None:
    value = node.data() if node else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if node is not None:
        report(Problem(node.line, key, "must be a number"))
    return None


def _count(node: YamlNode | None, key: str, report: ReportProblem) -> int | None:
    value = node.data() if node else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if node is not None:
        report(Problem(node.line, key, "must be a whole number, at least 1"))
    return None


def _seconds(node: YamlNode | None, key: str, default: float, report: ReportProblem) -> float:
    value = node.data() if node else default
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 3600:
        return float(value)
    if node is not None:
        report(Problem(node.line, key, "must be a number of seconds, at most 3600"))
    return default


def _is_loopback(address: str) -> bool:
    return re.match(r"https?://(127\.0\.0\.1|localhost|\[::1\])(?=[:/]|$)", address) is not None
