"""`gptkit keys`: store, list and remove API keys, each for one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gptkit.cli.config import mask_secret
from gptkit.core.errors import NoInputError, UsageError
from gptkit.core.table import format_table
from gptkit.settings import keys
from gptkit.settings.address import parse_authority, parse_base_url
from gptkit.settings.keys import parse_key

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.terminal import Terminal
    from gptkit.services import Services

app = typer.Typer(help="Store API keys, each for one host.", no_args_is_help=True, add_completion=False)

KEY_SIZE_CAP = 1 << 16


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    ctx: typer.Context,
    unexpected: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Host or base URL that the key is for; by default the one in use.", metavar="HOST"
        ),
    ] = "",
    keyring: Annotated[bool, typer.Option("--keyring", help="Store it in the system's keyring.")] = False,
) -> None:
    """Store a key; type it when asked, or pipe it in."""
    if unexpected:
        raise UsageError(
            "a key is never an argument: other users and the shell's history would see it",
            hint="type it when you are asked, or pipe it in: pass show openai | gptkit keys set",
        )
    services = _services(ctx)
    file, key_host = _key_file(services), _key_host(services, host)
    key = parse_key(_read_key(services.terminal, key_host), "input")
    if key is None:
        raise NoInputError("no key was given")
    if keyring:
        keys.store_key_in_keyring(file, key_host, key)
    else:
        keys.store_key(file, key_host, key)
    place = "the keyring" if keyring else f"'{file}'"
    services.terminal.print_error_line(f"gptkit: stored the key for {key_host} in {place}")
    if source := keys.first_source(services.settings, parse_base_url(f"https://{key_host}")):
        services.terminal.print_error_line(f"gptkit: it is not used as long as {source} gives another one")


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List the hosts that have a stored key, and the last four characters of each key."""
    services = _services(ctx)
    entries = keys.read_key_file(services.paths.keys_file)
    rows = [
        (host, mask_secret(entry.key.text) if entry.key else "in the keyring")
        for host, entry in entries.items()
    ]
    if rows:
        services.terminal.print_sanitized(format_table(rows, services.terminal.stdout_is_terminal))


@app.command()
def remove(
    ctx: typer.Context, host: Annotated[str, typer.Argument(help="Host or base URL.", metavar="HOST")]
) -> None:
    """Remove the key of a host."""
    services = _services(ctx)
    key_host = _key_host(services, host)
    if not keys.remove_key(_key_file(services), key_host):
        raise NoInputError(f"no key is stored for '{key_host}'", hint="'gptkit keys list' shows the hosts")


@app.command()
def path(ctx: typer.Context) -> None:
    """Print where keys are stored."""
    services = _services(ctx)
    services.terminal.print_sanitized(str(_key_file(services)))


def _read_key(terminal: Terminal, host: str) -> str:
    if terminal.stdin_is_terminal:
        from getpass import getpass

        try:
            return getpass(f"Key for {host} (it is not shown): ")
        except EOFError:
            return ""
    data = terminal.read()
    if len(data) > KEY_SIZE_CAP:
        raise UsageError(f"standard input: more than {KEY_SIZE_CAP >> 10} KiB is not a key")
    return data.decode("utf-8", "replace")


def _key_host(services: Services, host: str) -> str:
    """Return the host whose key is meant: that of the argument, else of the base URL in use."""
    if not host:
        return services.settings.base_url().authority
    try:
        return parse_authority(host)
    except ValueError as error:
        raise UsageError(f"'{host}': {error}") from None


def _key_file(services: Services) -> Path:
    return services.paths.require(services.paths.keys_file)


def _services(ctx: typer.Context) -> Services:
    services: Services = ctx.obj
    return services
