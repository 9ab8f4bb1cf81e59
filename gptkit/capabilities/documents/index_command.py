"""`gptkit index`: the index of documents that questions were asked of."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.capabilities.documents.search import document_search, expand
from gptkit.core.confirm import confirm_removal
from gptkit.core.errors import NoInputError

if TYPE_CHECKING:
    from gptkit.capabilities.documents.search import DocumentSearch
    from gptkit.capabilities.documents.store import FileRow
    from gptkit.services import Services

app = typer.Typer(
    help="Show, refresh and clear the index of documents, which each question refreshes by itself.",
    no_args_is_help=True,
    add_completion=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@app.command()
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show how many files are indexed in which folders, and how large the index is."""
    services, search = _parts(ctx)
    store = search.store()
    rows = list(store.files().values())
    size = os.path.getsize(store.path) if store.path is not None else 0  # noqa: PTH202
    folders: dict[str, list[FileRow]] = {}
    for row in rows:
        folders.setdefault(os.path.dirname(row.path), []).append(row)  # noqa: PTH120
    if as_json:
        record = {
            "files": len(rows),
            "file_size": size,
            "folders": {folder: len(found) for folder, found in sorted(folders.items())},
            "skipped": [{"file": row.path, "why": row.why} for row in rows if row.why],
        }
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        return
    from gptkit.core.table import format_table

    aligned = services.terminal.stdout_is_terminal
    head = [("FILES", "SKIPPED", "FOLDER")] if aligned else []
    table = [
        (str(len(found)), str(sum(bool(row.why) for row in found)), folder)
        for folder, found in sorted(folders.items())
    ]
    if table:
        services.terminal.print_sanitized(format_table([*head, *table], aligned))
    services.terminal.print_error_line(f"gptkit: {_count(len(rows))}, {size / 1_000_000:.1f} MB")


@app.command()
def refresh(
    ctx: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Files and folders.", metavar="PATH...")],
) -> None:
    """Read what changed, so that the next question need not."""
    services, search = _parts(ctx)
    found = search.with_sound_index(
        lambda: search.refresh(search.store(), [each for path in paths for each in expand(path)], {})
    )
    skipped = f", {len(found.skipped)} skipped" if found.skipped else ""
    services.terminal.print_sanitized(f"{_count(len(found.files))} up to date{skipped}")


@app.command()
def forget(
    ctx: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Files and folders.", metavar="PATH...")],
) -> None:
    """Remove files and folders from the index for good; the files themselves stay."""
    services, search = _parts(ctx)
    store = search.store()
    roots = [os.path.realpath(path) for path in paths]
    below = tuple(root.rstrip(os.sep) + os.sep for root in roots)
    rows = [row for path, row in store.files().items() if path in roots or path.startswith(below)]
    if not rows:
        raise NoInputError(f"the index holds nothing of {', '.join(map(repr, paths))}")
    store.clear([row.id for row in rows])
    services.terminal.print_sanitized(f"removed {_count(len(rows))}")


@app.command()
def clear(ctx: typer.Context, yes: Yes = False) -> None:
    """Remove the whole index for good; the files themselves stay."""
    services, search = _parts(ctx)
    if not yes:
        confirm_removal(services.terminal, "Remove the whole index of documents?")
    services.terminal.print_sanitized(f"removed {_count(search.with_sound_index(search.store().clear))}")


@app.command()
def push(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="postgresql://HOST/DATABASE", metavar="URL")],
    paths: Annotated[list[str], typer.Argument(help="Files and folders.", metavar="PATH...")],
) -> None:
    """Write files and folders to a shared index; what is gone from a folder is removed there."""
    from gptkit.capabilities.documents.postgres import push as push_files
    from gptkit.capabilities.documents.store import Scope

    services, search = _parts(ctx)
    store = search.store()
    found = search.refresh(store, [each for path in paths for each in expand(path)], {})
    with store.reading() as connection:
        files = Scope(connection, found.files).contents()
        folders = [path for path in paths if os.path.isdir(path)]  # noqa: PTH112
        written = push_files(url, files, folders)
    services.terminal.print_sanitized(f"{_count(written)} written, {_count(len(found.files))} up to date")


def _count(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def _parts(ctx: typer.Context) -> tuple[Services, DocumentSearch]:
    services = cast("Services", ctx.obj)
    return services, document_search(services, True)
