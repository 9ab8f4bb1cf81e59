"""`gptkit profiles`: named sets of settings, and which of them is in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptkit.cli.config import AsJson, displayed_value
from gptkit.core.errors import UsageError
from gptkit.core.table import format_table
from gptkit.settings import edit
from gptkit.settings.schema import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.services import Services
    from gptkit.settings.load import Settings

app = typer.Typer(help="Show and switch named sets of settings.", no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="Name of a profile.", metavar="NAME")]


@app.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the profiles; a star marks the profile in use."""
    services = _services(ctx)
    profiles = [_summary(services.settings, name) for name in services.settings.profiles]
    if as_json:
        services.terminal.print_sanitized(json.dumps(profiles, ensure_ascii=False, indent=2))
    elif profiles:
        rows = [
            ("*" if profile["in_use"] else "-", profile["name"], profile["model"], profile["base_url"])
            for profile in profiles
        ]
        services.terminal.print_sanitized(format_table(rows, services.terminal.stdout_is_terminal))


@app.command()
def show(ctx: typer.Context, name: Name) -> None:
    """Show the settings of a profile, and on which line each stands."""
    services = _services(ctx)
    profile = services.settings.with_options({"profile": name}).profiles[name]
    rows = []
    for key, setting_value in profile.items():
        text = displayed_value(SETTINGS[key.partition(".")[0]], setting_value.value)
        rows.append(
            (
                key,
                text if isinstance(text, str) else json.dumps(text, ensure_ascii=False),
                setting_value.origin,
            )
        )
    if rows:
        services.terminal.print_sanitized(format_table(rows, services.terminal.stdout_is_terminal))


@app.command()
def use(ctx: typer.Context, name: Name) -> None:
    """Use a profile from now on; 'gptkit config unset profile' ends that."""
    edit.set_value(_config_file(ctx), "profile", name)


@app.command()
def new(
    ctx: typer.Context,
    name: Name,
    values: Annotated[
        list[str] | None,
        typer.Argument(help="Settings of the profile, such as model=gpt-x.", metavar="[SETTING=VALUE...]"),
    ] = None,
) -> None:
    """Add a profile, such as: new local base_url=http://localhost:11434/v1 model=llama3.2."""
    values_by_setting = {}
    for text in values or []:
        setting, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"'{text}': must be SETTING=VALUE")
        values_by_setting[setting] = value
    edit.add_profile(_config_file(ctx), name, values_by_setting)


@app.command()
def remove(ctx: typer.Context, name: Name) -> None:
    """Remove a profile and its settings."""
    if edit.remove_profile(_config_file(ctx), name):
        _services(ctx).terminal.print_error_line(f"gptkit: '{name}' was in use; no profile is in use now")


def _summary(settings: Settings, name: str) -> dict[str, Any]:
    profile_settings = settings.with_options({"profile": name})
    return {
        "name": name,
        "model": profile_settings.text("model"),
        "base_url": profile_settings.text("base_url"),
        "in_use": settings.value("profile") == name,
    }


def _config_file(ctx: typer.Context) -> Path:
    paths = _services(ctx).paths
    return paths.require(paths.config_file)


def _services(ctx: typer.Context) -> Services:
    services: Services = ctx.obj
    return services
