"""`gptkit batch`: what was submitted with `--batch`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.errors import NoInputError, UnavailableError
from gptkit.core.table import format_table
from gptkit.jobs.batch.submit import MARK

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
    known = service.record(services).shards(services.settings.base_url().url)
    waiting = {shard.batch for shard in known if shard.batch}
    unsubmitted = [shard for shard in known if not shard.batch]
    found = [batch for batch in service.batches(services).list_latest(limit) if batch.metadata.get(MARK)]
    if as_json:
        rows = [_record(batch) | {"to_fetch": batch.id in waiting} for batch in found]
        own = [{"id": shard.id, "pieces": shard.pieces, "state": shard.state} for shard in unsubmitted]
        value = {"batches": rows, "not_submitted": own}
        services.terminal.print_sanitized(json.dumps(value, ensure_ascii=False, indent=2))
        return
    lines = [_row(batch, batch.id in waiting) for batch in found]
    lines += [
        (shard.id, "not submitted", str(shard.pieces), _when(shard.created), "") for shard in unsubmitted
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
        found = service.batches(services).cancel(batch_id)
    except UnavailableError as error:
        error.hint = "'gptkit batch cancel --forget ID' forgets a batch that the provider no longer has"
        raise
    services.terminal.print_error_line(f"gptkit: batch '{found.id}': {found.status}")


def _forget(services: Services, batch_id: str) -> None:
    from gptkit.jobs.batch import service

    record, url = service.record(services), services.settings.base_url().url
    shard = next((one for one in record.shards(url) if batch_id in (one.batch, one.id)), None)
    if shard is None:
        raise NoInputError(
            f"no batch '{batch_id}' of '{url}' is known here",
            hint="'gptkit batch list' shows the batches",
        )
    with record.alone():
        record.drop(shard.id)
    services.terminal.print_error_line(f"gptkit: '{batch_id}' is forgotten")


def _record(batch: Batch) -> dict[str, object]:
    from gptkit.cli.history import iso

    return {
        "id": batch.id,
        "status": batch.status,
        "created": iso(batch.created) if batch.created else None,
        "expires": iso(batch.expires) if batch.expires else None,
        "total": batch.total,
        "completed": batch.completed,
        "failed": batch.failed,
        "problem": batch.problem,
    }


def _row(batch: Batch, waiting: bool) -> tuple[str, ...]:
    done = f"{batch.completed + batch.failed}/{batch.total}"
    return (batch.id, batch.status, done, _when(batch.created), "to fetch" if waiting else "")


def _when(moment: float) -> str:
    from gptkit.core.table import format_time

    return format_time(moment) if moment else "-"


def _services(ctx: typer.Context, profile: str | None, base_url: str | None, proxy: str | None) -> Services:
    services = cast("Services", ctx.obj)
    services.override({"profile": profile, "base_url": base_url, "proxy": proxy})
    return services
