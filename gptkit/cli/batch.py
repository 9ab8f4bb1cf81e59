"""`gptkit batch`: what was submitted with `--batch`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.cli.columns import columns
from gptkit.engine.long.batch import MARK
from gptkit.engine.long.batch_answers import GONE
from gptkit.errors import Incomplete, NoInput, TryAgain, Unavailable

if TYPE_CHECKING:
    from gptkit.engine.long.batch_answers import Taken
    from gptkit.memory.pending import Shard
    from gptkit.provider.batches import Batch
    from gptkit.services import Services

app = typer.Typer(
    help="List, fetch and cancel what was submitted with --batch.", no_args_is_help=True, add_completion=False
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="A batch's id.", metavar="ID")]
Profile = Annotated[str | None, typer.Option(help="Of this profile.", metavar="NAME")]
BaseUrl = Annotated[str | None, typer.Option(help="The API's address.", metavar="URL")]
Proxy = Annotated[str | None, typer.Option(help="Go through this proxy.", metavar="URL")]


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Not more than so many.", metavar="NUMBER")
    ] = 50,
    profile: Profile = None,
    base_url: BaseUrl = None,
    proxy: Proxy = None,
    as_json: AsJson = False,
) -> None:
    """List the batches of gptkit at the provider, latest first, and what waits here to be submitted."""
    from gptkit.cli import batching

    services = _services(ctx, profile, base_url, proxy)
    known = batching.record(services).shards(services.settings.address().url)
    waiting = {shard.batch for shard in known if shard.batch}
    unsubmitted = [shard for shard in known if not shard.batch]
    found = [batch for batch in batching.batches(services).listed(limit) if batch.metadata.get(MARK)]
    if as_json:
        rows = [_record(batch) | {"to_fetch": batch.id in waiting} for batch in found]
        own = [{"id": shard.id, "pieces": shard.pieces, "state": shard.state} for shard in unsubmitted]
        _print(services, {"batches": rows, "not_submitted": own})
        return
    lines = [_row(batch, batch.id in waiting) for batch in found]
    lines += [
        (shard.id, "not submitted", str(shard.pieces), _when(shard.created), "") for shard in unsubmitted
    ]
    if lines:
        services.terminal.show(columns(lines, services.terminal.stdout_is_terminal))
    else:
        services.terminal.note("gptkit: there are no batches")


@app.command()
def status(
    ctx: typer.Context,
    batch_id: Id,
    profile: Profile = None,
    base_url: BaseUrl = None,
    proxy: Proxy = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a batch is."""
    from gptkit.cli import batching

    services = _services(ctx, profile, base_url, proxy)
    found = batching.batches(services).status(_id(batch_id))
    known = batching.record(services).shards(services.settings.address().url)
    waiting = any(shard.batch == found.id for shard in known)
    if as_json:
        _print(services, _record(found) | {"to_fetch": waiting})
        return
    rows = [(name, str(value)) for name, value in _record(found).items() if value not in ("", None)]
    rows.append(("to_fetch", "yes" if waiting else "no"))
    services.terminal.show(columns(rows, services.terminal.stdout_is_terminal))


@app.command()
def fetch(
    ctx: typer.Context,
    batch_id: Annotated[str, typer.Argument(help="A batch's id; all if left out.", metavar="ID")] = "",
    profile: Profile = None,
    base_url: BaseUrl = None,
    proxy: Proxy = None,
    as_json: AsJson = False,
) -> None:
    """Take the answers of batches that are over into the memory; 75 while others are under way."""
    from gptkit.cli import batching

    services = _services(ctx, profile, base_url, proxy)
    desk = batching.desk(services)
    if batch_id:
        _known(services, batch_id)
    taken: list[Taken] = []
    with desk.record.alone():
        try:
            for one in batching.fetched(services, desk, batch_id):
                taken.append(one)
                if one.over and not as_json:
                    services.terminal.show(batching.told(one))
        finally:
            services.memory.close()
    if as_json:
        rows = [{name: v for name, v in one._asdict().items() if name != "charges"} for one in taken]
        _print(services, {"batches": rows})
    _conclude(services, taken)


@app.command()
def cancel(
    ctx: typer.Context,
    batch_id: Id,
    forget: Annotated[
        bool, typer.Option("--forget", help="Only remove what is noted here: its pieces are missing again.")
    ] = False,
    profile: Profile = None,
    base_url: BaseUrl = None,
    proxy: Proxy = None,
) -> None:
    """Stop a batch; what it has answered until then can be fetched."""
    from gptkit.cli import batching

    services = _services(ctx, profile, base_url, proxy)
    if forget:
        shard = _known(services, _id(batch_id))
        record = batching.record(services)
        with record.alone():
            record.drop(shard.id)
        services.terminal.note(f"gptkit: '{batch_id}' is no longer waited for")
        return
    try:
        found = batching.batches(services).cancel(_id(batch_id))
    except Unavailable as error:
        error.hint = "'gptkit batch cancel --forget' removes what is noted here of one that is gone"
        raise
    services.terminal.note(f"gptkit: batch '{found.id}': {found.status}")


def _conclude(services: Services, taken: list[Taken]) -> None:
    gone = next((one for one in taken if one.status == GONE), None)
    if gone is not None:
        how = f"'gptkit batch cancel --forget {gone.batch}' has its pieces submitted again"
        raise Unavailable(gone.failure, hint=how)
    running = sum(not one.over for one in taken)
    if running:
        raise TryAgain(f"{running} {'batch is' if running == 1 else 'batches are'} under way")
    if not taken:
        services.terminal.note("gptkit: there is nothing to fetch")
    elif left := sum(one.defective + one.missing for one in taken):
        total = left + sum(one.accepted for one in taken)
        raise Incomplete(
            f"{left} of {total} pieces are without an answer", hint="the command that submitted them goes on"
        )


def _known(services: Services, batch_id: str) -> Shard:
    """What is noted of a batch, or of what waits to become one."""
    from gptkit.cli import batching

    for shard in batching.record(services).shards(services.settings.address().url):
        if batch_id in (shard.batch, shard.id):
            return shard
    raise NoInput(
        f"nothing is noted of a batch '{batch_id}' at '{services.settings.address().url}'",
        hint="'gptkit batch list' shows which are to be fetched",
    )


def _id(text: str) -> str:
    if not text.strip():
        raise NoInput("no batch ''", hint="'gptkit batch list' shows their ids")
    return text


def _record(batch: Batch) -> dict[str, object]:
    from gptkit.cli.history_pages import iso

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
    from gptkit.cli.history_pages import when

    return when(moment) if moment else "-"


def _services(ctx: typer.Context, profile: str | None, base_url: str | None, proxy: str | None) -> Services:
    services = cast("Services", ctx.obj)
    services.override({"profile": profile, "base_url": base_url, "proxy": proxy})
    return services


def _print(services: Services, value: object) -> None:
    services.terminal.show(json.dumps(value, ensure_ascii=False, indent=2))
