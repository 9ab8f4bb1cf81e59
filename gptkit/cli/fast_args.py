"""Parses plain command lines of prompts without Typer, whose import takes a third of the start.

The result is exactly that of Typer, which a test compares. Everything that is not plain (help, completion,
`--`, bundled letters, a value that begins with '-', any error) is left to Typer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptkit.session.options import (
    FLAGS,
    SharedOptions,
    flags_beside,
    is_required,
    is_word,
    positionals,
    shared_options,
)
from gptkit.templates.template import Parameter, Template, Value

if TYPE_CHECKING:
    from gptkit.services import Services


ParsedArguments = tuple[dict[str, Value], SharedOptions]


def run(argv: Sequence[str], services: Services) -> int | None:
    """Run a prompt with a plain command line; returns the exit code, or None to leave the line to Typer."""
    if not argv or argv[0][:1] == "-" or argv[0] in services.housekeeping:
        return None
    if "_GPTKIT_COMPLETE" in services.terminal.environ or services.library.find(argv[0]) is None:
        return None
    template = services.template(argv[0])
    extra = [option for capability in services.capabilities_of(template) for option in capability.options]
    parsed = parse_arguments(argv[1:], template, extra)
    if parsed is None:
        return None
    from gptkit.cli.prompt import run_prompt

    return run_prompt(services, template, *parsed)


def parse_arguments(
    argv: Sequence[str], template: Template, extra: Sequence[Parameter]
) -> ParsedArguments | None:
    """Parse the arguments of a prompt, as its Typer command does; None for a line that is not plain."""
    option_types = _option_types((*template.options, *extra))
    words: list[str] = []
    option_values: dict[str, list[object]] = {}
    pending = list(reversed(argv))
    while pending:
        word = pending.pop()
        if is_word(word):
            words.append(word)
            continue
        name, equals, text = word.partition("=")
        kind = option_types.get(name)
        if kind is None or (equals and name[:2] != "--"):
            return None
        value = _parse_value(kind, text if equals else None, pending)
        if value is None or (kind.variable in option_values and not kind.is_repeatable):
            return None
        option_values.setdefault(kind.variable, []).append(value)
    return _make_arguments(template, extra, option_types, option_values, words)


class _OptionType:
    """How the value of an option is parsed; `variable` begins with `flag` (shared options) or `option`."""

    __slots__ = ("choices", "is_repeatable", "kind", "variable")

    def __init__(self, variable: str, kind: str, choices: Sequence[str] = ()) -> None:
        self.variable = variable
        self.kind = kind
        self.choices = choices
        self.is_repeatable = kind == "list"


def _option_types(options: Sequence[Parameter]) -> Mapping[str, _OptionType]:
    types: dict[str, _OptionType] = {}
    for flag in flags_beside(options):
        kind = _OptionType(f"flag {flag.variable}", flag.kind)
        types |= {f"--{flag.name}": kind} | ({f"-{flag.short}": kind} if flag.short else {})
    for option in options:
        variable = f"option {option.variable}"
        kind = _OptionType(variable, option.kind, option.choices)
        types |= {f"--{option.name}": kind} | ({f"-{option.short}": kind} if option.short else {})
        if option.kind == "boolean" and not option.plain:
            types[f"--no-{option.name}"] = _OptionType(variable, "no")
    return types


def _parse_value(kind: _OptionType, text: str | None, pending: list[str]) -> object:
    """Parse the value of an option; None if it is missing, wrong, or not plain."""
    if kind.kind in ("flag", "boolean", "no"):
        return (kind.kind != "no") if text is None else None
    if text is None:
        text = pending.pop() if pending else "-"
        if text[:1] == "-":
            return None
    if kind.kind == "choice":
        return text if text in kind.choices else None
    if kind.kind == "integer":
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,9}", text) else None
    if kind.kind == "number":
        return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None
    if kind.kind in ("path", "file"):
        return (Path(text) if kind.kind != "file" else str(Path(text))) if text else None
    return text


def _make_arguments(
    template: Template,
    extra: Sequence[Parameter],
    option_types: Mapping[str, _OptionType],
    option_values: Mapping[str, list[object]],
    words: list[str],
) -> ParsedArguments | None:
    repeatable = {kind.variable for kind in option_types.values() if kind.is_repeatable}
    values: dict[str, Value] = {}
    for option in (*template.options, *extra):
        if given := option_values.get(f"option {option.variable}"):
            values[option.variable] = cast(Value, tuple(given) if option.kind == "list" else given[0])
    flags: dict[str, object] = {}
    for flag in FLAGS:
        name = f"flag {flag.variable}"
        if given := option_values.get(name):
            flags[flag.variable] = given if name in repeatable else given[0]
    shared = shared_options(flags)
    arguments = positionals(template)
    if not words and not any(is_required(argument) for argument in arguments):
        return values, shared
    if not words or not arguments or len(arguments) > 2 or arguments[0].kind != "text":
        return None
    if len(arguments) == 1:
        values[arguments[0].variable] = " ".join(words)
    elif arguments[1].kind == "list":
        values[arguments[0].variable] = words[0]
        values |= {arguments[1].variable: tuple(words[1:])} if words[1:] else {}
    else:
        return None
    return values, shared
