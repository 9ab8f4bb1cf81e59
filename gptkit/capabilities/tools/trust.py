"""Show what a tool file brings, trust it, and find what the parser of prompt files cannot see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.tools import commands, pins
from gptkit.capabilities.tools.model import Command, Operation, Tool, ToolsConfig
from gptkit.capabilities.tools.schema import command_schema, strict_schema
from gptkit.core.errors import DataError, NoInputError
from gptkit.core.hashing import sha256
from gptkit.core.process import Processes, find_program
from gptkit.core.sanitize import visible
from gptkit.core.tokens import estimate_tokens

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.services import Services
    from gptkit.templates.template import Template

LARGE = 2000
"""Tokens of a tool above which `prompts check` says so."""


def config_of(template: Template) -> ToolsConfig:
    """What a template says under `tools`; an empty config if it says nothing."""
    config = template.capabilities.get("tools")
    return config if isinstance(config, ToolsConfig) else ToolsConfig()


def describe(services: Services, template: Template) -> Sequence[str]:
    """Lines for `prompts show`: each tool with its risk, and whether the file is trusted."""
    config, path = config_of(template), Path(template.source)
    pin = pins.read_pin(services.paths, path)
    tools = [*command_tools(config, path), *(pin.tools if pin else ())]
    state = "not trusted on its own"
    if pin is not None:
        is_same = pin.digest == pins.file_digest(path, config)
        state = "trusted as it is" if is_same else "changed since it was trusted"
    return [f"{len(tools)} tools, {state}", *describe_tools(tools)]


def trust(services: Services, template: Template, remove: bool) -> Sequence[str]:
    """Trust a tool file as it is now, or no longer; returns lines on what is trusted."""
    path, config = Path(template.source), config_of(template)
    if remove:
        if not pins.remove_pin(services.paths, path):
            raise NoInputError(f"'{path}': it is not trusted")
        return []
    tools = write_trust(services, path, config)
    return [f"trusted until it changes: {path}", *describe_tools(tools)]


def write_trust(services: Services, path: Path, config: ToolsConfig) -> list[Tool]:
    """Write down what the user trusts of a tool file now; returns its tools."""
    pin = make_pin(services, path, config)
    pins.write_pin(services.paths, path, pin)
    return [*command_tools(config, path), *pin.tools]


def make_pin(services: Services, path: Path, config: ToolsConfig) -> pins.Pin:
    """Read all definitions that a tool file refers to. Raises DataError, UnavailableError."""
    from gptkit.capabilities.tools import openapi
    from gptkit.capabilities.tools.servers import Servers

    programs = find_programs(config, path, services.terminal.environ)
    tools: list[Tool] = []
    descriptions = {}
    for source in config.apis:
        file = path.parent / source.file
        stamp = pins.stamp(file)
        description, content = openapi.read_description(file)
        tools += openapi.compile_tools(description, source, str(path.absolute()))
        descriptions[str(file)] = (stamp, sha256(content).hexdigest())
    servers = Servers(services, Processes())
    try:
        for server in config.servers:
            servers.begin(server, path)
        for server in config.servers:
            tools += servers.tools(server, path)
    finally:
        servers.close()
    return pins.Pin(pins.file_digest(path, config), programs, tuple(tools), descriptions)


def find_programs(config: ToolsConfig, path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The paths of the programs of commands and servers, as they are now. Raises UnavailableError."""
    places = commands.places(path, environ)
    programs = {command.name: str(command.run[0]) for command in config.commands}
    programs |= {f"mcp {server.name}": server.run[0] for server in config.servers if server.run}
    return {
        name: find_program(commands.fill(program, {}, places), environ) for name, program in programs.items()
    }


def check_descriptions(pin: pins.Pin, whole: bool = False) -> None:
    """Compare the descriptions with what was trusted: by their stamps, or `whole`. Raises DataError."""
    for name, (stamp, digest) in pin.descriptions.items():
        file = Path(name)
        if not whole and pins.stamp(file) == stamp:
            continue
        from gptkit.capabilities.tools import openapi

        if sha256(openapi.read_bytes(file)).hexdigest() != digest:
            raise DataError(
                f"'{name}': it has changed since it was trusted",
                hint="look at it, then run 'gptkit prompts trust NAME' again",
            )


def ask_trust(terminal: Terminal, path: Path, problem: str, tools: Sequence[Tool]) -> bool:
    """Show what an untrusted tool file brings, and ask whether it may be used."""
    described = (f"  {line}" for line in describe_tools(tools))
    lines = [f"{path.name}: {problem}. It brings these tools:", *described]
    answer = terminal.ask("\n".join(map(visible, lines)) + "\nUse them, until the file changes? [y/N] ")
    return answer is not None and answer.strip().lower() in ("y", "yes", "是", "确认")


def find_problems(services: Services, template: Template) -> Sequence[str]:
    """Lines for `prompts check`: tools that take many tokens, and schemas that are none."""
    config, path = config_of(template), Path(template.source)
    problems = []
    pin = pins.read_pin(services.paths, path)
    for tool in (*command_tools(config, path), *(pin.tools if pin else ())):
        schema = json.dumps(tool.schema, ensure_ascii=False)
        if (tokens := estimate_tokens(tool.name + tool.description + schema)) > LARGE:
            problems.append(f"{path}: '{tool.name}' takes {tokens:,} tokens of each request; shorten it")
    return problems


def command_tools(config: ToolsConfig, path: Path) -> Iterator[Tool]:
    """The tools that are commands."""
    for command in config.commands:
        schema = command_schema(command.arguments)
        yield Tool(
            name=command.name,
            description=command.description,
            schema=schema,
            strict=strict_schema(schema),
            risk=command.risk,
            action=command,
            file=str(path.absolute()),
            most=command.most,
            timeout=command.timeout,
        )


def describe_tools(tools: Sequence[Tool]) -> Iterator[str]:
    """A line for each tool: its name, its risk, and what it does."""
    width = max((len(tool.name) for tool in tools), default=0)
    for tool in tools:
        does = tool.description
        if isinstance(tool.action, Command):
            does = "$ " + " ".join(commands.flat_elements(tool.action))
        elif isinstance(tool.action, Operation):
            does = f"{tool.action.method} {tool.action.server}{tool.action.path}"
        elif tool.hint:
            does = f"{does} (the server says: {tool.hint})"
        yield f"{tool.name.ljust(width)}  {tool.risk.ljust(11)}  {does}"
