"""`gptkit prompts`: list, show, make, edit, remove, check, render, test and trust prompt files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.cli import prompt_files, prompt_sharing
from gptkit.cli.command import build_command
from gptkit.cli.help import help_style
from gptkit.core.errors import (
    DataError,
    GptkitError,
    NoInputError,
    NoPermissionError,
    UsageError,
)
from gptkit.core.table import format_table
from gptkit.exchange.invocation import Invocation, build_request
from gptkit.session.input import machine_variables, read_input, with_system_text
from gptkit.templates import library, parse
from gptkit.templates.library import PromptFile

if TYPE_CHECKING:
    from gptkit.core.chat import Message
    from gptkit.exchange.capability import FileReport
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Value
    from gptkit.templates.testing import CaseResult


app = typer.Typer(help="List, show, make, remove, check and test prompt files.", add_completion=False)


def _complete_names(ctx: typer.Context, incomplete: str) -> list[str]:
    services = _services(ctx)
    names = [name for name in services.library.files() if name.startswith(incomplete)]
    return [name for name in names if parse.name_problem(name, services.vocabulary) is None]


Name = Annotated[
    str, typer.Argument(help="Name of a prompt.", metavar="NAME", autocompletion=_complete_names)
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Prompts or files; by default all prompts.", metavar="NAME...", autocompletion=_complete_names
    ),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the prompts, where each comes from, and which file it replaces."""
    services = _services(ctx)
    added = prompt_sharing.added_prompts(services.paths)
    files = services.library.files().values()
    rows = [_prompt_record(services, entry) | prompt_sharing.source_record(added, entry) for entry in files]
    untrusted = library.untrusted_files(services.paths)
    if as_json:
        record = {"prompts": rows, "untrusted": list(untrusted)}
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        return
    cells = [[str(row["name"]), str(row["origin"]), _description(row)] for row in rows]
    services.terminal.print_sanitized(format_table(cells, services.terminal.stdout_is_terminal))
    if untrusted:
        services.terminal.print_error_line(
            f"gptkit: not trusted in this project: {', '.join(untrusted)} ('gptkit prompts trust')"
        )


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def show(
    ctx: typer.Context,
    name: Name,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="With --as-sent: words and options of the command itself.", metavar="ARGUMENT..."
        ),
    ] = None,
    as_sent: Annotated[
        bool, typer.Option("--as-sent", help="Print the messages that it would send, with their tokens.")
    ] = False,
) -> int:
    """Print a prompt file as it is; what is known beside the file goes to standard error."""

    services = _services(ctx)
    if as_sent:
        return render_prompt(services, _find_entry(services, name).name, arguments or [], as_sent=True)
    if arguments:
        raise UsageError("words and options of a prompt go with --as-sent")
    entry = _find_entry(services, name)
    data = prompt_files.read_prompt_file(entry.path)
    if services.terminal.stdout_is_terminal:
        services.terminal.print_sanitized(data.decode("utf-8-sig", "replace").removesuffix("\n"))
    else:
        services.terminal.write_bytes(data)
    with suppress(GptkitError):  # a broken file is shown as well
        template = services.library.outline(entry)
        for capability in services.capabilities_of(template):
            for line in capability.describe(services, template) if capability.describe else ():
                services.terminal.print_error_line(f"gptkit: {line}")
    return 0


@app.command()
def path(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a prompt; without it, the folder of your own prompts.",
            metavar="NAME",
            show_default=False,
            autocompletion=_complete_names,
        ),
    ] = "",
) -> None:
    """Print where a prompt file is."""
    services = _services(ctx)
    file = (
        _find_entry(services, name).path
        if name
        else services.paths.require(library.user_folder(services.paths))
    )
    services.terminal.print_sanitized(str(file))


def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new command.", metavar="NAME")],
    like: Annotated[
        str,
        typer.Option(
            "--from",
            help="Start from a copy of this prompt.",
            metavar="PROMPT",
            autocompletion=_complete_names,
        ),
    ] = "",
    **examples: bool,
) -> None:
    """Make a prompt file of your own, with comments, and print where it is."""

    services = _services(ctx)
    copied = prompt_files.read_prompt_file(_find_entry(services, like).path) if like else None
    source = prompt_files.example_source(name, examples, copied)
    services.terminal.print_sanitized(str(prompt_files.new_prompt_file(services, name, source)))


app.command()(prompt_files.add_example_options(new))
app.command()(prompt_sharing.add)
app.command("import")(prompt_sharing.import_)


@app.command()
def edit(ctx: typer.Context, name: Name) -> None:
    """Open a prompt of yours, or a copy of a built-in one, in your editor and check it afterwards.

    The copy replaces the built-in prompt; without a change there is none.
    """
    services = _services(ctx)
    entry = _find_entry(services, name, hint=f"'gptkit prompts new {name}' makes one")
    if entry.origin == "built-in":
        copy = prompt_files.edit_built_in(services, entry, prompt_files.read_prompt_file(entry.path))
        if copy is not None:
            services.library.check(copy)
        return
    prompt_files.open_in_editor(services, entry.path)
    if entry.origin == "project" and entry.path.name in library.untrusted_files(services.paths):
        services.terminal.print_error_line(
            "gptkit: it has changed; 'gptkit prompts trust' trusts it as it is now"
        )
    services.library.check(entry)


@app.command("rm")
def remove(ctx: typer.Context, name: Name) -> None:
    """Remove a prompt file of yours; a built-in prompt that it replaced counts again."""
    services = _services(ctx)
    told = prompt_files.remove_prompt_file(services, _find_entry(services, name))
    prompt_sharing.forget(services, name)
    services.terminal.print_sanitized(told)


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
    for entry in _entries(services, prompts) if prompts or not names else ():
        problems = prompt_files.find_problems(services, services.library, entry)
        broken += bool(problems)
        for line in problems or [f"{entry.name}: ok", *prompt_files.replaced_flags(services, entry)]:
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
    return render_prompt(services, _find_entry(services, name).name, arguments or [])


@app.command()
def test(
    ctx: typer.Context,
    names: Names = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the model what tools it calls; run none.")
    ] = False,
) -> None:
    """Run the tests in prompt files, without a network."""
    services = _services(ctx)
    failed = 0
    for entry in _entries(services, names or []):
        try:
            results = _run_tests(services, entry, live)
        except GptkitError as error:
            failed += 1
            services.terminal.print_sanitized(error.message)
            continue
        for result in results:
            for text in result.failures:
                services.terminal.print_sanitized(f"{entry.path}:{result.line}: {text}")
        failed_count = sum(bool(result.failures) for result in results)
        services.terminal.print_sanitized(
            f"{entry.name}: {len(results) - failed_count} passed, {failed_count} failed"
        )
        failed += failed_count
    if failed:
        raise DataError(f"{failed} failed {'test' if failed == 1 else 'tests'} of prompt files")


@app.command()
def trust(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="A prompt or file whose tools are shown and trusted; without it, the project's files.",
            metavar="NAME|FILE",
            show_default=False,
        ),
    ] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the trust back.")] = False,
) -> None:
    """Trust the files in .gptkit/prompts of this project, or one tool file, as they are now."""
    services = _services(ctx)
    if name:
        _trust_file(services, name, remove)
        return
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
    for line in prompt_files.trusted_commands(services, trusted):
        services.terminal.print_sanitized(line)


def _trust_file(services: Services, name: str, remove: bool) -> None:
    """Trust what a file declares for its capabilities. Raises UsageError if there is nothing to trust."""
    entry = next(_entries(services, [name]))
    template = services.library.outline(entry)
    hooks = [one.trust for one in services.capabilities_of(template) if one.trust is not None]
    if not hooks:
        raise UsageError(f"'{entry.path}': nothing in it has to be trusted")
    for hook in hooks:
        for line in hook(services, template, remove):
            services.terminal.print_sanitized(line)


def _services(ctx: typer.Context) -> Services:
    return cast("Services", ctx.obj)


def _prompt_record(services: Services, entry: PromptFile) -> dict[str, object]:
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


def _description(row: Mapping[str, object]) -> str:
    shadows = cast("list[str]", row["shadows"])
    text = f"broken: {row['problem']}" if row["problem"] else str(row["description"])
    source = f" (from {row['source']})" if "source" in row else ""
    return text + source + "".join(f" (shadows {path})" for path in shadows[-1:])


def _file_report(services: Services, name: str) -> FileReport | None:
    """Check a file that a capability reads, such as a character card; None for the name of a prompt."""
    for capability in services.capabilities:
        if capability.check_file is not None and (report := capability.check_file(services, name)):
            return cast("FileReport", report)
    return None


def _run_tests(services: Services, entry: PromptFile, live: bool) -> list[CaseResult]:
    """Run the test cases of a file; with `live` those alone of capabilities that ask the model."""
    from gptkit.templates.testing import CaseResult, run_case

    template = services.library.check(entry)
    form = services.format(template)
    results = []
    for case in template.cases:
        failures = () if live else run_case(template, case, form).failures
        for capability in services.capabilities_of(template):
            run = capability.run_live_case if live else capability.run_case
            if run is not None:
                failures += tuple(run(services, template, case))
        results.append(CaseResult(case.line, failures))
    return results


def _find_entry(services: Services, name: str, hint: str = "'gptkit prompts list' shows all") -> PromptFile:
    """Find a prompt file by its name, even a name that no command can have. Raises NoInputError."""
    entry = services.library.find(name) or services.library.files().get(name)
    if entry is None:
        raise prompt_name_error(services, name) or NoInputError(f"no prompt named '{name}'", hint=hint)
    return entry


def _entries(services: Services, names: list[str]) -> Iterator[PromptFile]:
    """Yield the prompt files of the names, all without names; a name that ends in .yaml or .yml is a path."""
    if not names:
        yield from services.library.files().values()
    for name in names:
        file = Path(name)
        if file.suffix not in (".yaml", ".yml"):
            yield _find_entry(services, name)
        elif _is_file(file):
            yield _file_entry(services, file)
        else:
            raise NoInputError(f"'{name}': no such file")


def _is_file(file: Path) -> bool:
    """Whether a path is a file; one that is too long or in a closed folder is none."""
    try:
        return file.is_file()
    except OSError:
        return False


def _file_entry(services: Services, file: Path) -> PromptFile:
    """Make the entry of a file, which shadows prompts of its name as in the user's folder."""
    known = services.library.find(file.stem)
    if known is None or known.path.resolve() == file.resolve():
        return known or PromptFile(file.stem, file, "user")
    return PromptFile(file.stem, file, "user", (*known.shadows, known.path))


def prompt_name_error(services: Services, name: str) -> GptkitError | None:
    """Return why the name of a prompt file is no command; None if no file has the name."""
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


def render_prompt(services: Services, name: str, arguments: list[str], as_sent: bool = False) -> int:
    """Print the messages of a prompt for a command line, without sending anything.

    `as_sent` adds what capabilities and earlier turns add, and the estimated tokens of each message.
    """
    template = services.library.template(name)

    def show_messages(values: Mapping[str, Value], shared: SharedOptions) -> int:
        if as_sent:
            from gptkit.cli.prompt import sent_messages

            _print_messages(services, sent_messages(services, template, values, shared), shared.json, True)
            return 0
        values = with_system_text(template, values, shared.encoding)
        given = read_input(services.terminal, template, values, shared, services.settings)
        extras = machine_variables(services.terminal.environ)
        invocation = Invocation(
            template, "", given.text, given.request, given.files, given.values, extras=extras
        )
        sent = build_request(invocation, services.format(template)).messages
        _print_messages(services, sent, shared.json, False)
        return 0

    extra = [option for capability in services.capabilities_of(template) for option in capability.options]
    built = build_command(template, show_messages, extra, help_style(services.terminal))
    code: object = built.main(
        arguments,
        prog_name=f"gptkit prompts {'show --as-sent' if as_sent else 'render'} {name}",
        standalone_mode=False,
        terminal_width=services.terminal.width,
        obj=services,
    )
    return code if isinstance(code, int) else 0


def _print_messages(services: Services, sent: Sequence[Message], as_json: bool, with_tokens: bool) -> None:
    from gptkit.core.tokens import estimate_tokens

    tokens = [
        estimate_tokens(message.content) + sum(one.tokens for one in message.attachments) for message in sent
    ]
    sent = [
        message._replace(
            content="\n".join([*(one.description for one in message.attachments), message.content])
        )
        for message in sent
    ]
    if as_json:
        record = [
            {"role": message.role, "content": message.content, **({"tokens": count} if with_tokens else {})}
            for message, count in zip(sent, tokens, strict=True)
        ]
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        return
    for message, count in zip(sent, tokens, strict=True):
        said = f" ({count} tokens)" if with_tokens else ""
        services.terminal.print_sanitized(f"--- {message.role}{said}")
        services.terminal.print_sanitized(message.content.removesuffix("\n"))
    if with_tokens:
        services.terminal.print_sanitized(f"--- {sum(tokens)} tokens in all, estimated")
