"""`gptkit prompts`: list, show, make, check, render, test and trust prompt files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.cli.command import command
from gptkit.cli.help import page
from gptkit.core.errors import (
    CannotReadError,
    DataError,
    GptkitError,
    NoInputError,
    NoPermissionError,
    UsageError,
)
from gptkit.core.files import write_private
from gptkit.core.table import format_table
from gptkit.core.yaml_tree import SIZE_CAP, YamlFileError
from gptkit.exchange.invocation import Invocation, build_request
from gptkit.session.input import gather
from gptkit.templates import library, parse
from gptkit.templates.library import PromptFile

if TYPE_CHECKING:
    from gptkit.exchange.capability import FileReport
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Value
    from gptkit.templates.testing import CaseResult


app = typer.Typer(help="List, show, make, check and test prompt files.", add_completion=False)


def _complete(ctx: typer.Context, incomplete: str) -> list[str]:
    services = _services(ctx)
    names = [name for name in services.library.files() if name.startswith(incomplete)]
    return [name for name in names if parse.name_problem(name, services.vocabulary) is None]


Name = Annotated[str, typer.Argument(help="Name of a prompt.", metavar="NAME", autocompletion=_complete)]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Prompts or files; by default all prompts.", metavar="NAME...", autocompletion=_complete
    ),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the prompts, where each comes from, and which file it replaces."""
    services = _services(ctx)
    rows = [_row(services, entry) for entry in services.library.files().values()]
    waiting = library.untrusted_files(services.paths)
    if as_json:
        record = {"prompts": rows, "untrusted": list(waiting)}
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        return
    cells = [[str(row["name"]), str(row["origin"]), _told(row)] for row in rows]
    services.terminal.print_sanitized(format_table(cells, services.terminal.stdout_is_terminal))
    if waiting:
        services.terminal.print_error_line(
            f"gptkit: not trusted in this project: {', '.join(waiting)} ('gptkit prompts trust')"
        )


@app.command()
def show(ctx: typer.Context, name: Name) -> None:
    """Print a prompt file as it is."""

    services = _services(ctx)
    data = content(_entry(services, name).path)
    if services.terminal.stdout_is_terminal:
        services.terminal.print_sanitized(data.decode("utf-8-sig", "replace").removesuffix("\n"))
    else:
        services.terminal.write_bytes(data)


@app.command()
def path(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a prompt; without it, the folder of your own prompts.",
            metavar="NAME",
            show_default=False,
            autocompletion=_complete,
        ),
    ] = "",
) -> None:
    """Print where a prompt file is."""
    services = _services(ctx)
    found = (
        _entry(services, name).path if name else services.paths.require(library.user_folder(services.paths))
    )
    services.terminal.print_sanitized(str(found))


@app.command()
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new command.", metavar="NAME")],
    like: Annotated[
        str,
        typer.Option(
            "--from", help="Start from a copy of this prompt.", metavar="PROMPT", autocompletion=_complete
        ),
    ] = "",
) -> None:
    """Make a prompt file of your own, with comments, and print where it is."""

    services = _services(ctx)
    source = content(_entry(services, like).path) if like else None
    services.terminal.print_sanitized(str(create(services, name, source)))


@app.command()
def edit(ctx: typer.Context, name: Name) -> None:
    """Open a prompt of yours, or a copy of a built-in one, in your editor and check it afterwards."""

    from gptkit.core.confirm import open_editor
    from gptkit.settings.keys import environment_without_keys

    services = _services(ctx)
    entry = _entry(services, name, hint=f"'gptkit prompts new {name}' makes one")
    environment = environment_without_keys(services.settings)
    if entry.origin == "built-in":
        copy = create(services, name, content(entry.path))
        entry = PromptFile(name, copy, "user", (*entry.shadows, entry.path))
    open_editor(entry.path, environment)
    if entry.origin == "project" and entry.path.name in library.untrusted_files(services.paths):
        services.terminal.print_error_line(
            "gptkit: it has changed; 'gptkit prompts trust' trusts it as it is now"
        )
    services.library.check(entry)


@app.command()
def check(ctx: typer.Context, names: Names = None) -> None:
    """Say what is wrong with prompt files and character cards, by file and line or field."""
    services = _services(ctx)
    broken = 0
    reports = {name: report for name in names or [] if (report := _file_report(services, name))}
    for report in reports.values():
        broken += report.is_broken
        services.terminal.print_sanitized("\n".join(report.lines))
    prompts = [name for name in names or [] if name not in reports]
    for entry in _named(services, prompts) if prompts or not names else ():
        faults = _faults(services, entry)
        broken += bool(faults)
        for line in faults or [f"{entry.name}: ok"]:
            services.terminal.print_sanitized(line)
    if broken:
        nouns = {report.noun for report in reports.values()} | (
            {"prompt file"} if prompts or not names else set()
        )
        kind = nouns.pop() if len(nouns) == 1 else "file"
        raise DataError(f"{broken} broken {kind}{'' if broken == 1 else 's'}")


@app.command(context_settings={"allow_interspersed_args": False, "allow_extra_args": True})
def render(
    ctx: typer.Context,
    name: Name,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="Words and options, as the command itself takes them.", metavar="ARGUMENT..."),
    ] = None,
) -> int:
    """Show the messages that a prompt would send, and send nothing."""

    services = _services(ctx)
    return render_prompt(services, _entry(services, name).name, arguments or [])


@app.command()
def test(ctx: typer.Context, names: Names = None) -> None:
    """Run the tests in prompt files, without a network."""
    services = _services(ctx)
    failed = 0
    for entry in _named(services, names or []):
        try:
            trials = _trials(services, entry)
        except GptkitError as error:
            failed += 1
            services.terminal.print_sanitized(error.message)
            continue
        for one in trials:
            for text in one.failures:
                services.terminal.print_sanitized(f"{entry.path}:{one.line}: {text}")
        bad = sum(bool(one.failures) for one in trials)
        services.terminal.print_sanitized(f"{entry.name}: {len(trials) - bad} passed, {bad} failed")
        failed += bad
    if failed:
        raise DataError(f"{failed} failed {'test' if failed == 1 else 'tests'} of prompt files")


@app.command()
def trust(
    ctx: typer.Context,
    remove: Annotated[bool, typer.Option("--remove", help="Take the trust back.")] = False,
) -> None:
    """Trust the files in .gptkit/prompts of this project as they are now."""
    services = _services(ctx)
    folder = library.project_folder(services.paths)
    if remove:
        if not library.distrust(services.paths, folder):
            raise NoInputError(f"'{folder}': nothing there is trusted")
        return
    if not library.file_hashes(folder):
        raise NoInputError(f"'{folder}': no prompt files")
    trusted = library.trust(services.paths, folder)
    cells = [[name, digest[:12], "trusted until it changes"] for name, digest in trusted.items()]
    services.terminal.print_sanitized(format_table(cells, services.terminal.stdout_is_terminal))


def _services(ctx: typer.Context) -> Services:
    return cast("Services", ctx.obj)


def _row(services: Services, entry: PromptFile) -> Mapping[str, object]:
    description, problem = "", None
    try:
        description = services.library.check(entry).description
    except GptkitError as error:
        problem = error.message
    return {
        "name": entry.name,
        "origin": entry.origin,
        "description": description,
        "problem": problem,
        "path": str(entry.path),
        "shadows": [str(path) for path in entry.shadows],
    }


def _told(row: Mapping[str, object]) -> str:
    shadows = cast("list[str]", row["shadows"])
    text = f"broken: {row['problem']}" if row["problem"] else str(row["description"])
    return text + "".join(f" (shadows {path})" for path in shadows[-1:])


def _file_report(services: Services, name: str) -> FileReport | None:
    """Of a file that a capability reads, such as a character card; None where a prompt is meant."""
    for capability in services.capabilities:
        if capability.check_file is not None and (found := capability.check_file(services, name)):
            return cast("FileReport", found)
    return None


def _faults(services: Services, entry: PromptFile) -> list[str]:
    try:
        services.format(services.library.check(entry))
    except YamlFileError as error:
        lines = []
        for problem in sorted(error.problems, key=lambda problem: problem.line):
            key = f"{problem.key}: " if problem.key else ""
            hint = f" ({problem.hint})" if problem.hint else ""
            lines.append(f"{error.source}:{problem.line}: {key}{problem.message}{hint}")
        return lines
    except GptkitError as error:
        return [error.message]
    return []


def _trials(services: Services, entry: PromptFile) -> list[CaseResult]:
    from gptkit.templates.testing import run_case

    template = services.library.check(entry)
    form = services.format(template)
    return [run_case(template, case, form) for case in template.cases]


def _entry(services: Services, name: str, hint: str = "'gptkit prompts list' shows all") -> PromptFile:
    """A prompt file by its name, also one that cannot be a command's."""

    entry = services.library.find(name) or services.library.files().get(name)
    if entry is None:
        raise missing(services, name) or NoInputError(f"no prompt named '{name}'", hint=hint)
    return entry


def _named(services: Services, names: list[str]) -> Iterator[PromptFile]:
    """Entries of the names; a name with an ending is a file, wherever it is."""
    if not names:
        yield from services.library.files().values()
    for name in names:
        file = Path(name)
        if file.suffix not in (".yaml", ".yml"):
            yield _entry(services, name)
        elif _is_file(file):
            yield _file_entry(services, file)
        else:
            raise NoInputError(f"'{name}': no such file")


def _is_file(file: Path) -> bool:
    """A name that is too long for any file is no reason to give up; nor is a folder that is closed."""
    try:
        return file.is_file()
    except OSError:
        return False


def _file_entry(services: Services, file: Path) -> PromptFile:
    """A file stands above all that has its name, as it would in the user's folder."""
    known = services.library.find(file.stem)
    if known is None or known.path.resolve() == file.resolve():
        return known or PromptFile(file.stem, file, "user")
    return PromptFile(file.stem, file, "user", (*known.shadows, known.path))


STARTING_FILE = """\
# This file is the command 'gptkit {name}'. Try: echo hello | gptkit {name} --model echo
# 'gptkit prompts check {name}' says what is wrong with it, 'gptkit prompts test {name}' runs its tests.

# The first line of 'gptkit {name} --help'.
description: Rewrite a text.

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
# Types: text, integer, number, boolean, choice, file, list.
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

# required (the default), optional or none
input: required

# text, markdown, code, email, commit or json; with a JSON Schema: {{format: json, schema: {{type: object}}}}
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


def create(services: Services, name: str, source: bytes | None) -> Path:
    """A new file in the user's folder; a copy of `source`, or the commented start."""
    if problem := parse.name_problem(name, services.vocabulary):
        raise UsageError(f"'{name}': {problem}")
    folder = library.user_folder(services.paths)
    path = services.paths.require(folder / f"{name}.yaml")
    for taken in (path, path.with_suffix(".yml")):
        if taken.is_symlink() or taken.exists():
            raise UsageError(f"'{taken}': it exists already", hint=f"'gptkit prompts edit {name}' opens it")
    write_private(path, STARTING_FILE.format(name=name).encode() if source is None else source)
    return path


def content(path: Path) -> bytes:
    """A prompt file as it is, broken or not."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise CannotReadError(f"'{path}': {(error.strerror or str(error)).lower()}") from None
    if len(data) > SIZE_CAP:
        raise DataError(f"'{path}': larger than {SIZE_CAP >> 10} KiB")
    return data


def missing(services: Services, name: str) -> GptkitError | None:
    """Why a name is no command although a file has it; None when no file has."""
    entry = services.library.files().get(name)
    problem = parse.name_problem(name, services.vocabulary)
    if entry and problem:
        return DataError(f"'{entry.path}': {problem}", hint="rename the file")
    if {f"{name}.yaml", f"{name}.yml"} & set(library.untrusted_files(services.paths)):
        return NoPermissionError(
            f"the prompt '{name}' of this project is not trusted",
            hint=f"read what is in '{services.paths.project / 'prompts'}', then run 'gptkit prompts trust'",
        )
    return None


def render_prompt(services: Services, name: str, arguments: list[str]) -> int:
    """Print the messages of a prompt for a command line, without sending anything."""
    template = services.library.template(name)

    def call(values: Mapping[str, Value], shared: SharedOptions) -> int:
        given = gather(services.terminal, template, values, shared, services.settings.number("stdin_wait"))
        invocation = Invocation(template, "", given.text, given.wanted, given.files, given.values)
        sent = build_request(invocation, services.format(template)).messages
        if shared.json:
            record = [{"role": message.role, "content": message.content} for message in sent]
            services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        else:
            for message in sent:
                services.terminal.print_sanitized(f"--- {message.role}")
                services.terminal.print_sanitized(message.content.removesuffix("\n"))
        return 0

    extra = [option for one in services.capabilities_of(template) for option in one.options]
    built = command(template, call, extra, page(services.terminal))
    code: object = built.main(
        arguments,
        prog_name=f"gptkit prompts render {name}",
        standalone_mode=False,
        terminal_width=services.terminal.width,
        obj=services,
    )
    return code if isinstance(code, int) else 0
