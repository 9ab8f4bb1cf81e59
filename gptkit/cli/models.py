"""`gptkit models`: the models that the endpoint offers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.table import format_table

if TYPE_CHECKING:
    from gptkit.services import Services

app = typer.Typer()


@app.command()
def models(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    profile: Annotated[
        str | None, typer.Option(help="Use the settings of this profile.", metavar="NAME")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of the API.", metavar="URL")] = None,
    proxy: Annotated[str | None, typer.Option(help="Use this proxy, or 'none'.", metavar="URL")] = None,
) -> None:
    """List the models that the server offers; a mark shows the default one."""
    from gptkit.provider.client import model_names

    services = cast("Services", ctx.obj)
    services.override({"profile": profile, "base_url": base_url, "proxy": proxy})
    default = services.settings.text("model")
    names = sorted(model_names(services.endpoint("")))
    if as_json:
        record = {"base_url": services.settings.base_url().url, "default": default, "models": names}
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        return
    rows = [(name, "default" if name == default else "") for name in names]
    if rows:
        services.terminal.print_sanitized(format_table(rows, services.terminal.stdout_is_terminal))
    if default not in names:
        services.terminal.print_error_line(f"gptkit: the default model '{default}' is not among them")
