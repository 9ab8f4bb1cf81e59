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


REJECTED = "rejected"
"""In place of a setting: what is remembered of parameters that servers rejected."""


def _complete_names(incomplete: str) -> list[str]:
    return [name for name in SETTINGS if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        help="A setting, or an entry of a setting, such as headers.X-Title.",
        metavar="NAME",
        autocompletion=_complete_names,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Use the settings of this profile.", metavar="NAME")
]


class SettingRow(NamedTuple):
    """A setting for display: secrets are masked, None is no value; `origin` says where the value is set."""

    name: str
    value: object
    origin: str


@app.command("list")
def list_(ctx: typer.Context, as_json: AsJson = False, profile: Profile = None) -> None:
    """Show every setting, its value, and where the value comes from."""
    services = _services(ctx)
    settings = services.settings.with_options({"profile": profile})
    rows = setting_rows(settings)
    if as_json:
        services.terminal.print_sanitized(
            json.dumps([row._asdict() for row in rows], ensure_ascii=False, indent=2)
        )
    else:
        cells = [(row.name, _value_text(row.value), row.origin) for row in rows]
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
    services.terminal.print_sanitized(_value_text(value))


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    ctx: typer.Context,
    name: Name,
    value: Annotated[str, typer.Argument(help="The new value.", metavar="VALUE")],
    profile: Profile = None,
) -> None:
    """Change a setting in config.yaml; all other lines stay."""
    from gptkit.settings.edit import set_value

    set_value(_config_file(ctx), name, value, profile)


@app.command()
def unset(ctx: typer.Context, name: Name, profile: Profile = None) -> None:
    """Remove a setting from config.yaml; 'rejected' forgets what servers did not take."""
    from gptkit.settings.edit import remove_value

    if name == REJECTED:
        from gptkit.settings.rejected_parameters import forget_rejections

        if not forget_rejections(_services(ctx).paths):
            raise NoInputError("nothing is remembered that a server did not take")
        return
    remove_value(_config_file(ctx), name, profile)


@app.command()
def path(ctx: typer.Context) -> None:
    """Print where config.yaml is."""
    _services(ctx).terminal.print_sanitized(str(_config_file(ctx)))


@app.command()
def edit(ctx: typer.Context) -> None:
    """Open config.yaml in your editor and check it afterwards."""
    from gptkit.core.confirm import open_editor
    from gptkit.core.files import write_private
    from gptkit.settings.load import read_user_file

    services, file = _services(ctx), _config_file(ctx)
    if not file.exists():
        write_private(file, config_template().encode())
    open_editor(file, _editor_environment(services))
    read_user_file(file)


def setting_rows(settings: Settings) -> list[SettingRow]:
    """Return a row for every setting in the order of SETTINGS, and for every entry of a map."""
    rows = []
    for name, setting in SETTINGS.items():
        value = settings.value(name)
        if setting.kind == "map" and isinstance(value, Mapping):
            for key, entry_value in value.items():
                entry = f"{name}.{key}"
                rows.append(SettingRow(entry, displayed_value(setting, entry_value), settings.origin(entry)))
        else:
            rows.append(SettingRow(name, displayed_value(setting, value), settings.origin(name)))
    return rows


def displayed_value(setting: Setting, value: object) -> object:
    """Return a value for display, with secrets and passwords masked."""
    if setting.secret:
        return mask_secret(str(value))
    if setting.name in ("proxy", "no_proxy", "base_url") and isinstance(value, str):
        return mask_password(value)
    return list(value) if isinstance(value, tuple) else value


def mask_secret(secret: str) -> str:
    """Replace a secret by stars and, for at least 16 characters, its last four."""
    return f"****{secret[-4:]}" if len(secret) >= 16 else "****"


def config_template() -> str:
    """Make the text of a config.yaml with every setting as a comment."""
    lines = [
        "# Settings of gptkit. 'gptkit config list' shows each value and where it comes from.",
        "",
    ]
    for name, setting in SETTINGS.items():
        default = "" if setting.default in (None, ()) else f" {_value_text(setting.default)}"
        lines.append(f"# {name}:{default}  # {setting.description}")
    lines += ["", "# profiles:  # named sets of the same settings: gptkit --profile local", "#   local:"]
    lines += ["#     base_url: http://localhost:11434/v1", "#     model: llama3.2", ""]
    return "\n".join(lines)


def _value_text(value: object) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _editor_environment(services: Services) -> Mapping[str, str]:
    """Return the environment for the editor, without keys, even for a config.yaml that is broken."""
    from gptkit.settings.keys import environment_without_keys, environment_without_keys_named_in

    try:
        return environment_without_keys(services.settings)
    except GptkitError:
        try:
            text = services.paths.config_file.read_text("utf-8", "replace")
        except OSError:
            text = ""
        return environment_without_keys_named_in(text, services.terminal.environ)


def _config_file(ctx: typer.Context) -> Path:
    paths = _services(ctx).paths
    return paths.require(paths.config_file)


def _services(ctx: typer.Context) -> Services:
    services: Services = ctx.obj
    return services
