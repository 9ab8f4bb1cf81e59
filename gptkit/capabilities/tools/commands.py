"""Turn the template of a command and a call into the arguments of a process, never into those of a shell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gptkit.capabilities.tools.model import PLACES, Argument, Command, RefusedCallError
from gptkit.core.sanitize import visible_line

PLACEHOLDER = r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_-]*)\}"
"""A name between braces; a double brace stands for one."""
SHELLS = frozenset("sh bash zsh dash ksh fish csh tcsh ash busybox cmd cmd.exe powershell pwsh".split())  # noqa: SIM905
INTERPRETERS = r"python[0-9.]*|perl[0-9.]*|ruby[0-9.]*|node|nodejs|php[0-9.]*|lua[0-9.]*|osascript|awk|gawk"
WRAPPERS = frozenset("eval xargs env sudo doas su ssh nohup nice timeout exec watch parallel".split())  # noqa: SIM905
"""Programs whose arguments are a command: an argument of the model there is a program of the model."""


def place_names(text: str) -> Iterator[str]:
    """The names between braces of an element of a template."""
    return (match[1] for match in re.finditer(PLACEHOLDER, text) if match[1])


def flat_elements(command: Command) -> Iterator[str]:
    """All elements of a template, those of inner lists too."""
    for element in command.run:
        yield from (element,) if isinstance(element, str) else element


def shell_problem(command: Command) -> str:
    """Why the template of a command is a shell string in disguise; empty if it is none."""
    elements = [*flat_elements(command)]
    names = [[name for name in place_names(element) if name not in PLACES] for element in elements]
    if not elements:
        return "empty; it is the program and its arguments"
    if names[0]:
        return "the program itself cannot be an argument of the model"
    if problem := relative_problem(elements[0]):
        return problem
    program = os.path.basename(elements[0])  # noqa: PTH119
    positions = [index for index, inserted in enumerate(names) if inserted]
    if not positions:
        return ""
    if program in SHELLS and any(re.fullmatch(r"-\w*c|/c|-[Cc]ommand", element) for element in elements):
        return f"an argument of the model in a string for '{program}' is a command of the model"
    if program in WRAPPERS:
        return f"an argument of the model after '{program}' is a command of the model"
    if program in SHELLS or re.fullmatch(INTERPRETERS, program):
        script = next((i for i, e in enumerate(elements[1:], 1) if not e.startswith("-")), 0)
        code = next((i for i, e in enumerate(elements) if re.fullmatch(r"-\w*[ceEr]|--eval|--command", e)), 0)
        if script in positions or code:
            return f"an argument of the model in code for '{program}' is a program of the model"
    return ""


def relative_problem(program: str) -> str:
    """Why a program would be another one in another folder; empty if it would not."""
    if "/" in program and not program.startswith(("/", "{project}/", "{home}/")):
        return f"'{program}' depends on the current folder; begin it with {{project}}/"
    return ""


def places(file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The folders that the templates of a tool file may name, by PLACES."""
    home = environ.get("HOME", "/")
    return {"project": str(file.parent.absolute()), "home": home, "here": str(Path.cwd())}


def build_argv(command: Command, values: Mapping[str, object], places: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments of the process for a call. Raises RefusedCallError.

    A value at the beginning of an element may not look like an option unless `--` stands before it.
    """
    argv: list[str] = []
    known = {argument.name: argument for argument in command.arguments}
    for element in command.run:
        if isinstance(element, str):
            argv += _expand(element, values, places, known, "--" in argv)
        elif all(name in places or name in values for part in element for name in place_names(part)):
            for part in element:
                argv += _expand(part, values, places, known, "--" in argv)
    return tuple(argv)


def _expand(
    element: str,
    values: Mapping[str, object],
    places: Mapping[str, str],
    known: Mapping[str, Argument],
    is_after_dashes: bool,
) -> list[str]:
    """One element with its values in place; an element that is a list alone becomes one for each item."""
    alone = re.fullmatch(PLACEHOLDER, element)
    first = re.match(PLACEHOLDER, element)
    texts = [""]
    if alone and alone[1] and isinstance(items := values.get(alone[1]), list):
        texts = [argument_text(item) for item in items]
    else:
        texts = [fill(element, values, places)]
    if first and first[1] in known and known[first[1]].kind != "choice" and not is_after_dashes:
        for text in texts:
            if text.startswith("-"):
                raise RefusedCallError(f"'{first[1]}' may not begin with '-'")
    return texts


def fill(template: str, values: Mapping[str, object], places: Mapping[str, str]) -> str:
    """Put values in place of the names between braces; what a value holds is never read as a template."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if not name:
            return match[0][0]
        if name in values:
            return argument_text(values[name])
        return places.get(name, "")

    return re.sub(PLACEHOLDER, replace, template)


def argument_text(value: object) -> str:
    """The text of a value as a process gets it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(argument_text, value))
    return str(value)


def check_values(command: Command, values: Mapping[str, object]) -> dict[str, object]:
    """Check what JSON Schema cannot say: whole-value patterns, line breaks, files; adds defaults.

    Returns the values to put into the template. Raises RefusedCallError.
    """
    checked: dict[str, object] = {}
    for argument in command.arguments:
        if argument.name not in values:
            if argument.default is not None:
                checked[argument.name] = argument.default
            continue
        value = values[argument.name]
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                _check_text(argument, item, argument.name == _stdin_name(command))
        checked[argument.name] = _inside(argument, str(value)) if argument.kind == "file" else value
    return checked


def _check_text(argument: Argument, text: str, is_input: bool) -> None:
    if "\0" in text:
        raise RefusedCallError(f"'{argument.name}' holds a NUL character")
    if argument.pattern:
        if not re.fullmatch(argument.pattern, text):
            raise RefusedCallError(f"'{argument.name}' must match '{argument.pattern}' as a whole")
    elif ("\n" in text or "\r" in text) and not is_input:
        raise RefusedCallError(f"'{argument.name}' may not hold a line break")


def _stdin_name(command: Command) -> str:
    alone = re.fullmatch(PLACEHOLDER, command.stdin)
    return alone[1] if alone and alone[1] else ""


def _inside(argument: Argument, path: str) -> str:
    """The path of an existing file below the current folder, links resolved."""
    here = Path.cwd().resolve()
    try:
        file = (here / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise RefusedCallError(f"'{argument.name}': there is no such file") from None
    if not file.is_relative_to(here) or not file.is_file():
        raise RefusedCallError(f"'{argument.name}' must be a file below the current folder")
    return str(file)


def shown_command(argv: Sequence[str], stdin: bytes) -> str:
    """A command as a person reads it: quoted as for a shell, on one line, nothing hidden."""
    import shlex

    return f"$ {visible_line(shlex.join(argv))}" + (f" < {len(stdin):,} bytes" if stdin else "")
