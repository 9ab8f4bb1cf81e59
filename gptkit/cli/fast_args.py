"""Plain command lines of prompts, understood without loading Typer: that takes a third of the start.

What is read here means exactly what Typer would make of it (a test compares the two). Whatever is
not plain (help, completion, `--`, bundled letters, a value that begins with '-', anything wrong) is
left to Typer, which also has the words for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptkit.session.options import FLAGS, SharedOptions, is_required, positionals, shared_options
from gptkit.templates.template import Parameter, Template, Value

if TYPE_CHECKING:
    from gptkit.services import Services


SEVERAL = ("list", "paths")
Given = tuple[dict[str, Value], SharedOptions]


def run(argv: Sequence[str], services: Services) -> int | None:
    """The exit code of a prompt that was called plainly; None when Typer has to look at the words."""
    if not argv or argv[0][:1] == "-" or argv[0] in services.housekeeping:
        return None
    if "_GPTKIT_COMPLETE" in services.terminal.environ or services.library.find(argv[0]) is None:
        return None
    template = services.template(argv[0])
    extra = [option for one in services.capabilities_of(template) for option in one.options]
    found = given(argv[1:], template, extra)
    if found is None:
        return None
    from gptkit.cli.prompt import prompt

    return prompt(services, template, *found)


def given(argv: Sequence[str], template: Template, extra: Sequence[Parameter]) -> Given | None:
    """Values of the template's parameters and of the shared options, as a Typer command hands them on."""
    kinds = _kinds((*template.options, *extra))
    words: list[str] = []
    read: dict[str, list[object]] = {}
    rest = list(reversed(argv))
    while rest:
        word = rest.pop()
        if word[:1] != "-":
            words.append(word)
            continue
        name, equals, text = word.partition("=")
        kind = kinds.get(name)
        if kind is None or (equals and name[:2] != "--"):
            return None
        value = _value(kind, text if equals else None, rest)
        if value is None or (kind.variable in read and not kind.several):
            return None
        read.setdefault(kind.variable, []).append(value)
    return _handed_on(template, extra, kinds, read, words)


class _Kind:
    """How the value of an option is read. `variable` begins with what tells the two groups apart."""

    __slots__ = ("choices", "kind", "several", "variable")

    def __init__(self, variable: str, kind: str, choices: Sequence[str] = ()) -> None:
        self.variable = variable
        self.kind = kind
        self.choices = choices
        self.several = kind in SEVERAL


def _kinds(options: Sequence[Parameter]) -> Mapping[str, _Kind]:
    found: dict[str, _Kind] = {}
    for flag in FLAGS:
        kind = _Kind(f"flag {flag.variable}", flag.kind)
        found |= {f"--{flag.name}": kind} | ({f"-{flag.short}": kind} if flag.short else {})
    for option in options:
        variable = f"option {option.variable}"
        kind = _Kind(variable, option.kind, option.choices)
        found |= {f"--{option.name}": kind} | ({f"-{option.short}": kind} if option.short else {})
        if option.kind == "boolean" and not option.plain:
            found[f"--no-{option.name}"] = _Kind(variable, "no")
    return found


def _value(kind: _Kind, text: str | None, rest: list[str]) -> object:
    """The typed value; None when it is missing, wrong, or not plain."""
    if kind.kind in ("flag", "boolean", "no"):
        return (kind.kind != "no") if text is None else None
    if text is None:
        text = rest.pop() if rest else "-"
        if text[:1] == "-":
            return None
    if kind.kind == "choice":
        return text if text in kind.choices else None
    if kind.kind == "integer":
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,9}", text) else None
    if kind.kind == "number":
        return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None
    if kind.kind in ("path", "paths", "file"):
        return (Path(text) if kind.kind != "file" else str(Path(text))) if text else None
    return text


def _handed_on(
    template: Template,
    extra: Sequence[Parameter],
    kinds: Mapping[str, _Kind],
    read: Mapping[str, list[object]],
    words: list[str],
) -> Given | None:
    several = {kind.variable for kind in kinds.values() if kind.several}
    values: dict[str, Value] = {}
    for option in (*template.options, *extra):
        if found := read.get(f"option {option.variable}"):
            values[option.variable] = cast(Value, tuple(found) if option.kind == "list" else found[0])
    flags: dict[str, object] = {}
    for flag in FLAGS:
        name = f"flag {flag.variable}"
        if found := read.get(name):
            flags[flag.variable] = found if name in several else found[0]
    shared = shared_options(flags)
    arguments = positionals(template)
    if not words and not any(is_required(argument) for argument in arguments):
        return values, shared
    if len(arguments) != 1 or arguments[0].kind != "text" or not words:
        return None
    values[arguments[0].variable] = " ".join(words)
    return values, shared
