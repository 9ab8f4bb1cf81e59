"""`gptkit batch`: what was submitted with `--batch`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.errors import NoInputError, UnavailableError
from gptkit.core.table import format_table
from gptkit.jobs.batch.submit import SHARD_METADATA

if TYPE_CHECKING:
    from gptkit.provider.batches import Batch
    from gptkit.services import Services

app = typer.Typer(
    help="List and cancel what --batch has submitted.", no_args_is_help=True, add_completion=False
)
Profile = Annotated[str | None, typer.Option(help="Use the settings of this profile.", metavar="NAME")]
BaseUrl = Annotated[str | None, typer.Option(help="Address of the API.", metavar="URL")]
Proxy = Annotated[str | None, typer.Option(help="Use this proxy, or 'none'.", metavar="URL")]


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Show at most NUMBER entries.", metavar="NUMBER")
    ] = 50,
    profile: Profile = None,
    base_url: BaseUrl = None,
    proxy: Proxy = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the batches at the provider, latest first, and those that wait here to be submitted."""
    from gptkit.jobs.batch import service

    services = _services(ctx, profile, base_url, proxy)
    shards = service.batch_queue(services).shards(services.settings.base_url().url)
    waiting_ids = {shard.batch for shard in shards if shard.batch}
    unsubmitted = [shard for shard in shards if not shard.batch]
    batches = [
        batch
        for batch in service.batch_client(services).list_latest(limit)
        if batch.metadata.get(SHARD_METADATA)
    ]
    if as_json:
        rows = [_batch_record(batch) | {"to_fetch": batch.id in waiting_ids} for batch in batches]
        not_submitted = [
            {"id": shard.id, "pieces": shard.pieces, "state": shard.state} for shard in unsubmitted
        ]
        value = {"batches": rows, "not_submitted": not_submitted}
        services.terminal.print_sanitized(json.dumps(value, ensure_ascii=False, indent=2))
        return
    lines = [_batch_row(batch, batch.id in waiting_ids) for batch in batches]
    lines += [
        (shard.id, "not submitted", str(shard.pieces), _format_time(shard.created), "")
        for shard in unsubmitted
    ]
    if lines:
        services.terminal.print_sanitized(format_table(lines, services.terminal.stdout_is_terminal))
    else:
        services.terminal.print_error_line("gptkit: there are no batches")


@app.command()
def cancel(
    ctx: typer.Context,
    batch_id: Annotated[str, typer.Argument(help="Id of a batch.", metavar="ID")],
    forget: Annotated[
        bool, typer.Option("--forget", help="Do not ask the provider; only forget the batch here.")
    ] = False,
    profile: Profile = None,
    base_url: BaseUrl = None,
    proxy: Proxy = None,
) -> None:
    """Stop a batch and keep the answers that it has brought."""
    from gptkit.jobs.batch import service

    services = _services(ctx, profile, base_url, proxy)
    if not batch_id.strip():
        raise NoInputError("no batch ''", hint="'gptkit batch list' shows their ids")
    if forget:
        _forget(services, batch_id)
        return
    try:
        batch = service.batch_client(services).cancel(batch_id)
    except UnavailableError as error:
        error.hint = "'gptkit batch cancel --forget ID' forgets a batch that the provider no longer has"
        raise
    services.terminal.print_error_line(f"gptkit: batch '{batch.id}': {batch.status}")


def _forget(services: Services, batch_id: str) -> None:
    from gptkit.jobs.batch import service

    queue, url = service.batch_queue(services), services.settings.base_url().url
    shard = next((shard for shard in queue.shards(url) if batch_id in (shard.batch, shard.id)), None)
    if shard is None:
        raise NoInputError(
            f"no batch '{batch_id}' of '{url}' is known here",
            hint="'gptkit batch list' shows the batches",
        )
    with queue.lock():
        queue.remove_shard(shard.id)
    services.terminal.print_error_line(f"gptkit: '{batch_id}' is forgotten")


def _batch_record(batch: Batch) -> dict[str, object]:
    from gptkit.cli.history import format_iso_time

    return {
        "id": batch.id,
        "status": batch.status,
        "created": format_iso_time(batch.created) if batch.created else None,
        "expires": format_iso_time(batch.expires) if batch.expires else None,
        "total": batch.total,
        "completed": batch.completed,
        "failed": batch.failed,
        "problem": batch.problem,
    }


def _batch_row(batch: Batch, is_waiting: bool) -> tuple[str, ...]:
    done = f"{batch.completed + batch.failed}/{batch.total}"
    return (batch.id, batch.status, done, _format_time(batch.created), "to fetch" if is_waiting else "")


def _format_time(moment: float) -> str:
    from gptkit.core.table import format_time

    return format_time(moment) if moment else "-"


def _services(ctx: typer.Context, profile: str | None, base_url: str | None, proxy: str | None) -> Services:
    services = cast("Services", ctx.obj)
    services.override({"profile": profile, "base_url": base_url, "proxy": proxy})
    return services
