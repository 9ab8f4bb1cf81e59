"""`gptkit prompts`: list, show, make, check, render, test and trust prompt files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.errors import DataFault, GptkitError, NoInput
from gptkit.core.table import columns
from gptkit.core.yaml_tree import BrokenPrompt
from gptkit.templates import library as shelves
from gptkit.templates import parse
from gptkit.templates.library import Entry

if TYPE_CHECKING:
    from gptkit.exchange.capability import FileReport
    from gptkit.services import Services
    from gptkit.templates.testing import Trial

app = typer.Typer(help="List, show, make, check and test prompt files.", add_completion=False)


def _complete(ctx: typer.Context, incomplete: str) -> list[str]:
    services = _services(ctx)
    names = [name for name in services.library.entries() if name.startswith(incomplete)]
    return [name for name in names if parse.name_problem(name, services.words) is None]


Name = Annotated[str, typer.Argument(help="A prompt's name.", metavar="NAME", autocompletion=_complete)]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Prompts or files; all prompts if left out.", metavar="NAME...", autocompletion=_complete
    ),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the prompts, where each comes from, and what it shadows."""
    services = _services(ctx)
    rows = [_row(services, entry) for entry in services.library.entries().values()]
    waiting = shelves.untrusted(services.paths)
    if as_json:
        record = {"prompts": rows, "untrusted": list(waiting)}
        services.terminal.show(json.dumps(record, ensure_ascii=False, indent=2))
        return
    cells = [[str(row["name"]), str(row["origin"]), _told(row)] for row in rows]
    services.terminal.show(columns(cells, services.terminal.stdout_is_terminal))
    if waiting:
        services.terminal.note(
            f"gptkit: not trusted in this project: {', '.join(waiting)} ('gptkit prompts trust')"
        )


@app.command()
def show(ctx: typer.Context, name: Name) -> None:
    """Print a prompt file as it is."""
    from gptkit.cli.prompt_files import content

    services = _services(ctx)
    data = content(_entry(services, name).path)
    if services.terminal.stdout_is_terminal:
        services.terminal.show(data.decode("utf-8-sig", "replace").removesuffix("\n"))
    else:
        services.terminal.write_bytes(data)


@app.command()
def path(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="A prompt's name; without one, the folder of your own prompts.",
            metavar="NAME",
            show_default=False,
            autocompletion=_complete,
        ),
    ] = "",
) -> None:
    """Print where a prompt file is."""
    services = _services(ctx)
    found = _entry(services, name).path if name else services.paths.require(shelves.user(services.paths))
    services.terminal.show(str(found))


@app.command()
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of the new command.", metavar="NAME")],
    like: Annotated[
        str,
        typer.Option(
            "--from", help="Start from a copy of this prompt.", metavar="PROMPT", autocompletion=_complete
        ),
    ] = "",
) -> None:
    """Make a prompt of your own from a commented starting file, and print where it is."""
    from gptkit.cli.prompt_files import content, create

    services = _services(ctx)
    source = content(_entry(services, like).path) if like else None
    services.terminal.show(str(create(services, name, source)))


@app.command()
def edit(ctx: typer.Context, name: Name) -> None:
    """Open a prompt, or your copy of a built-in one, in $VISUAL or $EDITOR and check it afterwards."""
    from gptkit.cli.prompt_files import content, create
    from gptkit.core.confirm import edit as open_editor
    from gptkit.settings.keys import child_environment

    services = _services(ctx)
    entry = _entry(services, name, hint=f"'gptkit prompts new {name}' makes one")
    environment = child_environment(services.settings)
    if entry.origin == "built-in":
        copy = create(services, name, content(entry.path))
        entry = Entry(name, copy, "user", (*entry.shadows, entry.path))
    open_editor(entry.path, environment)
    if entry.origin == "project" and entry.path.name in shelves.untrusted(services.paths):
        services.terminal.note("gptkit: it has changed; 'gptkit prompts trust' trusts it as it is now")
    services.library.checked(entry)


@app.command()
def check(ctx: typer.Context, names: Names = None) -> None:
    """Say what is wrong with prompt files and character cards: file, line or field, the nearest word."""
    services = _services(ctx)
    broken = 0
    reports = {name: report for name in names or [] if (report := _file_report(services, name))}
    for report in reports.values():
        broken += report.is_broken
        services.terminal.show("\n".join(report.lines))
    prompts = [name for name in names or [] if name not in reports]
    for entry in _named(services, prompts) if prompts or not names else ():
        faults = _faults(services, entry)
        broken += bool(faults)
        for line in faults or [f"{entry.name}: ok"]:
            services.terminal.show(line)
    if broken:
        nouns = {report.noun for report in reports.values()} | (
            {"prompt file"} if prompts or not names else set()
        )
        kind = nouns.pop() if len(nouns) == 1 else "file"
        raise DataFault(f"{broken} broken {kind}{'' if broken == 1 else 's'}")


@app.command(context_settings={"allow_interspersed_args": False, "allow_extra_args": True})
def render(
    ctx: typer.Context,
    name: Name,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="What you would give the prompt: words and options.", metavar="ARGUMENT..."),
    ] = None,
) -> int:
    """Show the messages that a prompt would send, and send nothing."""
    from gptkit.cli.prompt_files import render_prompt as rendered

    services = _services(ctx)
    return rendered(services, _entry(services, name).name, arguments or [])


@app.command()
def test(ctx: typer.Context, names: Names = None) -> None:
    """Run the tests that prompt files hold, offline, against the replies they give."""
    services = _services(ctx)
    failed = 0
    for entry in _named(services, names or []):
        try:
            trials = _trials(services, entry)
        except GptkitError as error:
            failed += 1
            services.terminal.show(error.message)
            continue
        for one in trials:
            for text in one.failures:
                services.terminal.show(f"{entry.path}:{one.line}: {text}")
        bad = sum(bool(one.failures) for one in trials)
        services.terminal.show(f"{entry.name}: {len(trials) - bad} passed, {bad} failed")
        failed += bad
    if failed:
        raise DataFault(f"{failed} failed {'test' if failed == 1 else 'tests'} of prompt files")


@app.command()
def trust(
    ctx: typer.Context,
    remove: Annotated[bool, typer.Option("--remove", help="Take the trust back.")] = False,
) -> None:
    """Trust the files in .gptkit/prompts of this project as they are now."""
    services = _services(ctx)
    folder = shelves.project(services.paths)
    if remove:
        if not shelves.distrust(services.paths, folder):
            raise NoInput(f"'{folder}': nothing there is trusted")
        return
    if not shelves.fingerprints(folder):
        raise NoInput(f"'{folder}': no prompt files")
    trusted = shelves.trust(services.paths, folder)
    cells = [[name, digest[:12], "trusted until it changes"] for name, digest in trusted.items()]
    services.terminal.show(columns(cells, services.terminal.stdout_is_terminal))


def _services(ctx: typer.Context) -> Services:
    return cast("Services", ctx.obj)


def _row(services: Services, entry: Entry) -> Mapping[str, object]:
    description, problem = "", None
    try:
        description = services.library.checked(entry).description
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


def _faults(services: Services, entry: Entry) -> list[str]:
    try:
        services.format(services.library.checked(entry))
    except BrokenPrompt as error:
        lines = []
        for problem in sorted(error.problems, key=lambda problem: problem.line):
            key = f"{problem.key}: " if problem.key else ""
            hint = f" ({problem.hint})" if problem.hint else ""
            lines.append(f"{error.source}:{problem.line}: {key}{problem.message}{hint}")
        return lines
    except GptkitError as error:
        return [error.message]
    return []


def _trials(services: Services, entry: Entry) -> list[Trial]:
    from gptkit.templates.testing import trial

    template = services.library.checked(entry)
    form = services.format(template)
    return [trial(template, case, form) for case in template.cases]


def _entry(services: Services, name: str, hint: str = "'gptkit prompts list' shows all") -> Entry:
    """A prompt file by its name, also one that cannot be a command's."""
    from gptkit.cli.prompt_files import missing

    entry = services.library.entry(name) or services.library.entries().get(name)
    if entry is None:
        raise missing(services, name) or NoInput(f"no prompt named '{name}'", hint=hint)
    return entry


def _named(services: Services, names: list[str]) -> Iterator[Entry]:
    """Entries of the names; a name with an ending is a file, wherever it is."""
    if not names:
        yield from services.library.entries().values()
    for name in names:
        file = Path(name)
        if file.suffix not in (".yaml", ".yml"):
            yield _entry(services, name)
        elif _is_file(file):
            yield _file_entry(services, file)
        else:
            raise NoInput(f"'{name}': no such file")


def _is_file(file: Path) -> bool:
    """A name that is too long for any file is no reason to give up; nor is a folder that is closed."""
    try:
        return file.is_file()
    except OSError:
        return False


def _file_entry(services: Services, file: Path) -> Entry:
    """A file stands above all that has its name, as it would in the user's folder."""
    known = services.library.entry(file.stem)
    if known is None or known.path.resolve() == file.resolve():
        return known or Entry(file.stem, file, "user")
    return Entry(file.stem, file, "user", (*known.shadows, known.path))
