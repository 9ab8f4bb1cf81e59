"""Make, edit and remove the prompt files of the user."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gptkit.capabilities import CAPABILITIES
from gptkit.core.errors import CannotReadError, CannotWriteError, DataError, GptkitError, UsageError
from gptkit.core.files import cause, write_private
from gptkit.core.yaml_tree import SIZE_CAP, YamlFileError
from gptkit.session.options import FLAGS
from gptkit.templates import library, parse
from gptkit.templates.library import PromptFile

if TYPE_CHECKING:
    from gptkit.services import Services


FILE_TEMPLATE = """\
# This file is the command 'gptkit {name}'. Try: echo hello | gptkit {name} --model echo
# 'gptkit prompts check {name}' says what is wrong with it, 'gptkit prompts test {name}' runs its tests.

# The first line of 'gptkit {name} --help'.
description: Rewrite a text.

# Examples for 'gptkit {name} --help'.
usage:
  - gptkit {name} --style formal < note.txt

# What the model is told to be and to do. Values stand between double braces; what they hold is
# inserted as it is and never read as a template.
system: |
  You rewrite the text you are given so that it is {{{{ style }}}}.
  {{% if audience %}}
  Write for {{{{ audience }}}}.
  {{% endif %}}
  Answer with the rewritten text and nothing else.

# The user's message; this is the default. `text` is the input (words, standard input or -f files);
# `request` is what you typed beside an input from a pipe or a file.
# user: "{{{{ text }}}}"

# Each one is a real option, with help and completion.
# Types: text, integer, number, boolean, choice, file, list, system.
options:
  style:
    type: choice
    choices: [plain, formal, friendly]
    default: plain
    short: S
    help: How it should read.
  audience:
    help: Who will read it.

# Few-shot turns, sent before the text:
# examples:
#   - {{user: "gimme that report", assistant: "Please send me the report."}}

# required (the default), optional or none; or a command whose output is the input where there is no other:
# input: {{when: no text, command: [git, diff, --staged], empty: nothing is staged}}
input: required

# text, markdown, code, command, block, email, commit or json; with a JSON Schema:
# {{format: json, schema: {{type: object}}}}
output: text

# Sent only when set here, and dropped for models that do not know them:
# parameters:
#   temperature: 0.3

tests:
  - text: gimme that report
    options: {{style: formal}}
    reply: Please send me the report.
    expect:
      contains: report
      system_contains: so that it is formal
"""


def new_prompt_file(services: Services, name: str, source: bytes | None) -> Path:
    """Create a prompt file as `create_prompt_file` does, and say which prompt it replaces."""
    path = create_prompt_file(services, name, source)
    _tell_replacement(services, name)
    return path


def edit_built_in(services: Services, file: PromptFile, source: bytes) -> PromptFile | None:
    """Open a copy of a built-in prompt in the editor; return the copy, or None and no copy without a change.

    Raises ConfigurationError if the editor fails; the copy is kept then only if it was changed.
    """
    copy = create_prompt_file(services, file.name, source)
    try:
        open_in_editor(services, copy)
    finally:
        if is_unchanged := copy.is_file() and copy.read_bytes() == source:
            copy.unlink()
        else:
            _tell_replacement(services, file.name)
    if is_unchanged:
        services.terminal.print_error_line(
            f"gptkit: nothing was changed; '{file.name}' is still the built-in prompt"
        )
        return None
    return PromptFile(file.name, copy, "user", (*file.shadows, file.path))


def open_in_editor(services: Services, path: Path) -> None:
    """Open a file in the user's editor, which gets no key. Raises ConfigurationError."""
    from gptkit.core.confirm import open_editor
    from gptkit.settings.keys import environment_without_keys

    open_editor(path, environment_without_keys(services.settings))


def remove_prompt_file(services: Services, file: PromptFile) -> str:
    """Remove a prompt file of the user; return what the name means afterwards.

    Raises UsageError for a file of gptkit or of the project, CannotWriteError.
    """
    if file.origin == "built-in":
        raise UsageError(f"'{file.name}' is built in", hint=f"'gptkit prompts new {file.name}' replaces it")
    if file.origin == "project":
        raise UsageError(
            f"'{file.path}' belongs to the project",
            hint="'gptkit prompts trust --remove' takes the trust back",
        )
    try:
        file.path.unlink()
    except OSError as error:
        raise CannotWriteError(f"'{file.path}': {cause(error)}") from None
    rest = services.library.find(file.name)
    if rest is None:
        return f"removed '{file.path}'"
    return f"removed '{file.path}'; '{file.name}' is '{rest.path}' again"


def trusted_commands(services: Services, names: Iterable[str]) -> Iterator[str]:
    """Yield a line for each command that trusted prompt files of the project run where they get no text."""
    trusted = library.Library(library.prompt_folders(services.paths), services.vocabulary)
    for name in names:
        path = library.project_folder(services.paths) / name
        with suppress(GptkitError):  # a broken file runs nothing
            command = trusted.outline(PromptFile(path.stem, path, "project")).input_command
            for argv in command.commands if command else ():
                yield f"{name} runs where it gets no text: {shlex.join(argv)}"


def _tell_replacement(services: Services, name: str) -> None:
    file = services.library.find(name)
    if file is not None and file.shadows:
        services.terminal.print_error_line(
            f"gptkit: '{file.path}' replaces '{file.shadows[-1]}'; 'gptkit prompts rm {name}' takes that back"
        )


def create_prompt_file(services: Services, name: str, source: bytes | None) -> Path:
    """Create a prompt file in the user's folder from `source`, or from the template. Raises UsageError."""
    if problem := parse.name_problem(name, services.vocabulary):
        raise UsageError(f"'{name}': {problem}")
    folder = library.user_folder(services.paths)
    path = services.paths.require(folder / f"{name}.yaml")
    for existing in (path, path.with_suffix(".yml")):
        if existing.is_symlink() or existing.exists():
            raise UsageError(
                f"'{existing}': it exists already", hint=f"'gptkit prompts edit {name}' opens it"
            )
    write_private(path, FILE_TEMPLATE.format(name=name).encode() if source is None else source)
    return path


def read_prompt_file(path: Path) -> bytes:
    """Read a prompt file, even a broken one. Raises CannotReadError, DataError for a large file."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise CannotReadError(f"'{path}': {cause(error)}") from None
    if len(data) > SIZE_CAP:
        raise DataError(f"'{path}': larger than {SIZE_CAP >> 10} KiB")
    return data


def find_problems(services: Services, known: library.Library, entry: PromptFile) -> list[str]:
    """Return what is wrong with a prompt file of a library, as lines by file, line and key."""
    try:
        template = known.check(entry)
        services.format(template)
        hooks = [one.find_problems for one in services.capabilities_of(template) if one.find_problems]
        return [line for find in hooks for line in find(services, template)]
    except YamlFileError as error:
        lines = []
        for problem in sorted(error.problems, key=lambda problem: problem.line):
            key = f"{problem.key}: " if problem.key else ""
            hint = f" ({problem.hint})" if problem.hint else ""
            lines.append(f"{error.source}:{problem.line}: {key}{problem.message}{hint}")
        return lines
    except GptkitError as error:
        return [error.message]


def replaced_flags(services: Services, file: PromptFile) -> list[str]:
    """Say which options of a prompt file take the place of options that other commands have, as lines."""
    lines = []
    for option in services.library.outline(file).options:
        for flag in FLAGS:
            spelling = f"--{flag.name}" if option.name == flag.name else f"-{option.short}"
            if option.name == flag.name or (option.short and option.short == flag.short):
                place = f"{file.path}:{option.line}: options.{option.name}"
                lines.append(f"{place}: here it replaces the option '{spelling}' of other commands")
    return lines


EXAMPLES = {capability.key: capability.example for capability in CAPABILITIES if capability.example}
"""Examples of prompt files by the keys of capabilities; each key is an option."""


def add_example_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a boolean option for each example, in place of its `**examples`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    for key in EXAMPLES:
        option = typer.Option(f"--{key}", help=f"Start from an example with '{key}'.")
        parameters.append(
            inspect.Parameter(
                key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, option]
            )
        )
    cast(Any, command).__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def example_source(name: str, chosen: dict[str, bool], like: bytes | None) -> bytes | None:
    """The content of a new prompt file; None for the template. Raises UsageError for two sources."""
    keys = [key for key, is_chosen in chosen.items() if is_chosen]
    if len(keys) + (like is not None) > 1:
        raise UsageError("a new prompt file has one source")
    return EXAMPLES[keys[0]].replace("{name}", name).encode() if keys else like
