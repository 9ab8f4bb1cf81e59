"""`gptkit memory`: the accepted answers to the pieces of long input."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.confirm import confirm_removal
from gptkit.core.errors import NoInputError, UsageError
from gptkit.jobs.memory.store import memory_of

if TYPE_CHECKING:
    from gptkit.jobs.memory.maintenance import EntryGroup
    from gptkit.services import Services

app = typer.Typer(
    help="Show, export and prune stored answers to pieces of long texts.",
    no_args_is_help=True,
    add_completion=False,
)


class MemoryFormat(StrEnum):
    jsonl = "jsonl"
    tmx = "tmx"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@app.command()
def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show how many answers are stored, for which prompts, and how often they were used."""
    from gptkit.jobs.memory import maintenance

    services = _services(ctx)
    memory = memory_of(services)
    groups = maintenance.group_entries(memory) if memory.exists() else []
    size = maintenance.file_size(memory)
    if as_json:
        entries, hits = sum(group.entries for group in groups), sum(group.hits for group in groups)
        rows = [group._asdict() for group in groups]
        _print(services, {"entries": entries, "hits": hits, "file_size": size, "groups": rows})
    elif groups:
        _show_groups(services, groups, size)
    else:
        services.terminal.print_error_line("gptkit: the memory is empty")


@app.command()
def export(
    ctx: typer.Context,
    form: Annotated[
        MemoryFormat,
        typer.Option("--format", help="JSON Lines hold everything; TMX is for translation tools."),
    ] = MemoryFormat.jsonl,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export the stored answers."""
    from gptkit.cli.transfer import write_export
    from gptkit.jobs.memory.jsonl import export_jsonl
    from gptkit.jobs.memory.tmx import export_tmx

    services = _services(ctx)
    if as_json and form is MemoryFormat.tmx:
        raise UsageError("--json and --format tmx do not go together")
    memory = memory_of(services)
    if not memory.exists():
        raise NoInputError("there is no memory yet")
    pieces = export_tmx(memory) if form is MemoryFormat.tmx else export_jsonl(memory)
    write_export(services.terminal, memory.path, output, pieces)


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines or TMX; - is standard input.", metavar="FILE")],
    prompt: Annotated[
        str | None,
        typer.Option(help="Prompt that uses the texts of a TMX file that names none.", metavar="NAME"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import answers from an export or from a TMX file, all of them or none."""
    from gptkit.cli.transfer import open_import, source_name
    from gptkit.jobs.memory.jsonl import import_jsonl
    from gptkit.jobs.memory.tmx import import_tmx, is_tmx

    services = _services(ctx)
    with open_import(services.terminal, file) as stream:
        if is_tmx(stream.peek(1024)[:1024]):
            result = import_tmx(memory_of(services), stream, prompt, services.terminal.unix_time())
        elif prompt is not None:
            raise UsageError(f"--prompt is for TMX, which {source_name(file)} is not")
        else:
            result = import_jsonl(memory_of(services), stream)
    memory_of(services).close()
    if as_json:
        _print(services, result._asdict())
        return
    known = f", {result.known} already there" if result.known else ""
    left_out = f", {result.left_out} left out" if result.left_out else ""
    services.terminal.print_sanitized(f"imported {_count(result.added)}{known}{left_out}")


@app.command()
def prune(
    ctx: typer.Context,
    before: Annotated[
        str | None,
        typer.Option(
            help="Remove answers last used before this day, or more than 90 days ago: 90d.",
            metavar="DATE|DAYS",
        ),
    ] = None,
    size: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Remove the least recently used answers until the file has MB megabytes.",
            metavar="MB",
        ),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove stored answers that were not used for long."""
    from gptkit.cli import usage
    from gptkit.jobs.memory import maintenance

    services = _services(ctx)
    if before is None and size is None:
        raise UsageError("either --before or --size must be given")
    limit = None if before is None else usage.day_start("--before", before, services.terminal.unix_time())
    conditions = [] if limit is None else [f"what was last used before {usage.format_day(limit)}"]
    conditions += [] if size is None else [f"the least recently used beyond {size:g} MB"]
    if not yes:
        confirm_removal(services.terminal, f"Remove {', and '.join(conditions)}?")
    memory = memory_of(services)
    bytes_left = None if size is None else int(size * 1_000_000)
    _report_removed(services, maintenance.prune(memory, limit, bytes_left) if memory.exists() else 0, as_json)


@app.command()
def clear(ctx: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove all stored answers for good."""
    from gptkit.jobs.memory import maintenance

    services = _services(ctx)
    if not yes:
        confirm_removal(services.terminal, "Remove the whole memory?")
    memory = memory_of(services)
    _report_removed(services, maintenance.remove_all(memory) if memory.exists() else 0, as_json)


def _show_groups(services: Services, groups: list[EntryGroup], size: int) -> None:
    from gptkit.cli.usage import format_day
    from gptkit.core.table import format_table

    terminal = services.terminal
    aligned = terminal.stdout_is_terminal
    head = [("COMMAND", "MODEL", "LANGUAGE", "ENTRIES", "BYTES", "HITS", "LAST USED")] if aligned else []
    rows = [
        (
            group.prompt,
            group.model or "(imported)",
            group.language or "-",
            *map(str, (group.entries, group.size, group.hits)),
            format_day(group.used),
        )
        for group in groups
    ]
    terminal.print_sanitized(format_table([*head, *rows], aligned))
    entries, hits = sum(group.entries for group in groups), sum(group.hits for group in groups)
    terminal.print_error_line(f"gptkit: {_count(entries)}, used {hits} times, {size / 1_000_000:.1f} MB")


def _report_removed(services: Services, count: int, as_json: bool) -> None:
    memory_of(services).close()
    if as_json:
        _print(services, {"entries": count})
    else:
        services.terminal.print_sanitized(f"removed {_count(count)}")


def _count(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _print(services: Services, record: object) -> None:
    services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))


def _services(ctx: typer.Context) -> Services:
    return cast("Services", ctx.obj)
