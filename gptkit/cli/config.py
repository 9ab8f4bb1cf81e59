"""`gptkit config`: list, get, set, unset, path and edit settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from gptkit.core.errors import GptkitError, NoInputError
from gptkit.core.table import format_table
from gptkit.settings.address import mask_password
from gptkit.settings.schema import SETTINGS, Setting

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.services import Services
    from gptkit.settings.load import Settings

app = typer.Typer(help="Show and change settings.", no_args_is_help=True, add_completion=False)


def _completed(incomplete: str) -> list[str]:
    return [name for name in SETTINGS if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        help="A setting, or an entry of a setting, such as headers.X-Title.",
        metavar="NAME",
        autocompletion=_completed,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Use the settings of this profile.", metavar="NAME")
]


class Row(NamedTuple):
    """A setting as it is shown: secrets masked, None where there is no value."""

    name: str
    value: object
    origin: str


@app.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False, profile: Profile = None) -> None:
    """Show every setting, its value, and where the value comes from."""
    services = _services(ctx)
    settings = services.settings.with_options({"profile": profile})
    found = rows(settings)
    if as_json:
        services.terminal.print_sanitized(
            json.dumps([row._asdict() for row in found], ensure_ascii=False, indent=2)
        )
    else:
        cells = [(row.name, _text(row.value), row.origin) for row in found]
        services.terminal.print_sanitized(format_table(cells, services.terminal.stdout_is_terminal))
    for line in settings.ignored:
        services.terminal.print_error_line(f"gptkit: ignored: {line}")


@app.command()
def get(ctx: typer.Context, name: Name, profile: Profile = None) -> None:
    """Print the value of a setting unmasked, even if it is secret."""
    from gptkit.settings.edit import find_setting

    services = _services(ctx)
    setting = find_setting(name)
    settings = services.settings.with_options({"profile": profile})
    value = settings.value(setting.name)
    if name != setting.name:
        value = value.get(name.partition(".")[2]) if isinstance(value, Mapping) else None
    if value is None or value == {}:
        raise NoInputError(f"'{name}' is not set")
    services.terminal.print_sanitized(_text(value))


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    ctx: typer.Context,
    name: Name,
    value: Annotated[str, typer.Argument(help="The new value.", metavar="VALUE")],
    profile: Profile = None,
) -> None:
    """Change a setting in config.yaml; all other lines stay."""
    from gptkit.settings.edit import set_value

    set_value(_file(ctx), name, value, profile)


@app.command()
def unset(ctx: typer.Context, name: Name, profile: Profile = None) -> None:
    """Remove a setting from config.yaml."""
    from gptkit.settings.edit import remove_value

    remove_value(_file(ctx), name, profile)


@app.command()
def path(ctx: typer.Context) -> None:
    """Print where config.yaml is."""
    _services(ctx).terminal.print_sanitized(str(_file(ctx)))


@app.command()
def edit(ctx: typer.Context) -> None:
    """Open config.yaml in your editor and check it afterwards."""
    from gptkit.core.confirm import open_editor
    from gptkit.core.files import write_private
    from gptkit.settings.load import read_user_file

    services, file = _services(ctx), _file(ctx)
    if not file.exists():
        write_private(file, starting_file().encode())
    open_editor(file, _environment(services))
    read_user_file(file)


def rows(settings: Settings) -> list[Row]:
    """Every setting in the order of the table, and every entry of a map."""
    found = []
    for name, setting in SETTINGS.items():
        value = settings.value(name)
        if setting.kind == "map" and isinstance(value, Mapping):
            for key, each in value.items():
                entry = f"{name}.{key}"
                found.append(Row(entry, shown(setting, each), settings.origin(entry)))
        else:
            found.append(Row(name, shown(setting, value), settings.origin(name)))
    return found


def shown(setting: Setting, value: object) -> object:
    """A value without what must not be read over a shoulder."""
    if setting.secret:
        return masked(str(value))
    if setting.name in ("proxy", "no_proxy", "base_url") and isinstance(value, str):
        return mask_password(value)
    return list(value) if isinstance(value, tuple) else value


def masked(secret: str) -> str:
    """Stars, and the last four characters of what is long enough to stay secret without them."""
    return f"****{secret[-4:]}" if len(secret) >= 16 else "****"


def starting_file() -> str:
    """A config.yaml in which every setting stands as a comment."""
    lines = [
        "# Settings of gptkit. 'gptkit config list' shows each value and where it comes from.",
        "",
    ]
    for name, setting in SETTINGS.items():
        default = "" if setting.default in (None, ()) else f" {_text(setting.default)}"
        lines.append(f"# {name}:{default}  # {setting.description}")
    lines += ["", "# profiles:  # named sets of the same settings: gptkit --profile local", "#   local:"]
    lines += ["#     base_url: http://localhost:11434/v1", "#     model: llama3.2", ""]
    return "\n".join(lines)


def _text(value: object) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _environment(services: Services) -> Mapping[str, str]:
    """What the editor gets: no key. A file that is broken now must still open."""
    from gptkit.settings.keys import environment_without_keys, environment_without_keys_named_in

    try:
        return environment_without_keys(services.settings)
    except GptkitError:
        try:
            text = services.paths.config_file.read_text("utf-8", "replace")
        except OSError:
            text = ""
        return environment_without_keys_named_in(text, services.terminal.environ)


def _file(ctx: typer.Context) -> Path:
    found = _services(ctx).paths
    return found.require(found.config_file)


def _services(ctx: typer.Context) -> Services:
    services: Services = ctx.obj
    return services
