"""`gptkit models`: the models that the endpoint offers, and what is known of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

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
    """List the models that the server offers, with window (tokens) and price (USD per million tokens)."""
    from gptkit.provider.client import model_names

    services = cast("Services", ctx.obj)
    services.override({"profile": profile, "base_url": base_url, "proxy": proxy})
    default = services.model_name()
    names = sorted(model_names(services.endpoint("")))
    known = {name: _known_numbers(services, name) for name in names}
    if as_json:
        record = {
            "base_url": services.settings.base_url().url,
            "default": default,
            "models": names,
            "known": {name: numbers._asdict() for name, numbers in known.items()},
        }
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
        return
    rows = [
        (name, "default" if name == default else "", *map(_format_number, numbers))
        for name, numbers in known.items()
    ]
    if rows:
        if services.terminal.stdout_is_terminal:
            rows.insert(0, ("model", "", "window", "input", "output"))
        services.terminal.print_sanitized(format_table(rows, services.terminal.stdout_is_terminal))
    if default not in names:
        services.terminal.print_error_line(f"gptkit: the default model '{default}' is not among them")


class _KnownNumbers(NamedTuple):
    """The window of a model in tokens, and its price in US dollars per million tokens; None if not known."""

    window: int | None
    input: float | None
    output: float | None


def _known_numbers(services: Services, model: str) -> _KnownNumbers:
    per_input, per_output = services.prices.rates(model) or (None, None)
    return _KnownNumbers(services.prices.context_window(model), per_input, per_output)


def _format_number(number: float | None) -> str:
    return "" if number is None else str(number) if isinstance(number, int) else f"{number:g}"
