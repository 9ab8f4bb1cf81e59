"""Build the endpoint of the settings: base URL, key, proxy, certificates, headers and deadlines."""

from __future__ import annotations

from os import pathsep
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.core.chat import Deadlines, Endpoint
from gptkit.core.errors import NoPermissionError
from gptkit.core.local_servers import SERVERS, LocalServer
from gptkit.settings.address import bypasses_proxy, parse_base_url, parse_proxy_url, proxy_variables
from gptkit.settings.keys import COMMAND_ORIGIN, KEY_VARIABLE, KEYRING_ORIGIN, Key, find_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gptkit.settings.address import ApiAddress
    from gptkit.settings.load import Settings


_KEY_HEADERS = ("authorization", "api-key", "x-api-key")


def endpoint(settings: Settings, servers: Sequence[LocalServer] | None = None) -> Endpoint:
    """The endpoint of the settings, with only what may be sent to its host.

    Raises NoPermissionError if there is no usable key, ConfigurationError or UsageError for a setting that
    cannot be used. `servers` are looked for on this machine, for a hint, if there is no key.
    """
    target = settings.base_url()
    keyless = endpoint_without_key(settings)
    key = _key(settings, target, keyless.headers, servers)
    if key is None:
        return keyless._replace(key_hint=unused_key_hint(settings, target) or keyless.key_hint)
    name, hint = _key_words(key)
    return keyless._replace(key=key.text, key_name=name, key_hint=hint or keyless.key_hint)


def endpoint_without_key(settings: Settings) -> Endpoint:
    """The endpoint of the settings without its key."""
    target = settings.base_url()
    if target.scheme == "http" and not target.is_loopback and not settings.boolean("allow_http"):
        raise settings.error(
            "base_url",
            f"http to '{target.host}' would send text and key readable by anyone on the way",
            "use https, or 'gptkit config set allow_http true'",
        )
    return Endpoint(
        base_url=target.url,
        proxy=proxy_for(settings, target),
        ca_file=_certificates(settings, "ca_file"),
        ca_folder=_certificates(settings, "ca_folder"),
        headers={name: str(value) for name, value in settings.entries_for_host("headers", target).items()},
        organization=_text_for_host(settings, "organization", target),
        project=_text_for_host(settings, "project_id", target),
        deadlines=Deadlines(
            connect=settings.number("connect_timeout"),
            idle=settings.number("idle_timeout"),
            first_content=settings.number("first_token_timeout"),
            content=settings.number("token_timeout"),
            end=settings.number("end_timeout"),
        ),
        lenient_finish=settings.text("finish") == "lenient",
    )


def proxy_for(settings: Settings, target: ApiAddress) -> str | None:
    """The URL of the proxy to a host, None for a direct connection.

    A proxy that was given as an option is used for all hosts, whatever `no_proxy` says.
    """
    text = settings.value("proxy")
    if settings.origin("proxy").startswith(("environment", "default")):
        variables = proxy_variables(target.scheme, settings.environ)
        text = next((text for name in variables if (text := settings.environ.get(name, "").strip())), None)
    if text is None:
        return None
    try:
        url = parse_proxy_url(str(text))
    except ValueError as error:
        raise settings.error("proxy", str(error)) from None
    direct = settings.value("no_proxy")
    if url is None or settings.origin("proxy").startswith("option "):
        return url
    return None if isinstance(direct, tuple) and bypasses_proxy(target, direct, url) else url


def page_endpoint(settings: Settings, page: ApiAddress, deadlines: Deadlines) -> Endpoint:
    """The endpoint of a page that is fetched: proxy and certificates of the settings, nothing else."""
    return Endpoint(
        base_url=page.url,
        proxy=proxy_for(settings, page),
        ca_file=_certificates(settings, "ca_file"),
        ca_folder=_certificates(settings, "ca_folder"),
        deadlines=deadlines,
    )


def _key(
    settings: Settings, target: ApiAddress, headers: Mapping[str, str], servers: Sequence[LocalServer] | None
) -> Key | None:
    if any(name.lower() in _KEY_HEADERS for name in headers):
        return None
    key = find_key(settings, target)
    if key is not None or target.is_loopback:
        return key
    raise NoPermissionError(f"no key for {target.authority}", hint=_hint(settings, target, servers))


def _key_words(key: Key) -> tuple[str, str]:
    """Return where a key is, and what to do if a server does not accept the key ("": store another one)."""
    place, _, variable = key.origin.partition(" ")
    if place == "environment":
        return f"the key in {variable}", f"correct {variable}: it comes before what 'gptkit keys set' stores"
    if place == COMMAND_ORIGIN:
        return "the key from api_key_command", "'gptkit config get api_key_command' shows the command"
    return ("the key in the keyring" if place == KEYRING_ORIGIN else f"the key in '{key.origin}'"), ""


def unused_key_hint(settings: Settings, target: ApiAddress) -> str:
    """Say why a configured source of a key is not used for a host; empty if there is none."""
    for layer in settings.layers:
        for name in ("api_key_command", "api_key_env"):
            if name in layer.values and layer.base_url is not None and not layer.applies_to(target):
                own = parse_base_url(layer.base_url).authority
                setting = f"{name} ({layer.values[name].origin})"
                return (
                    f"{setting} is for {own}; 'gptkit keys set --host {target.authority}' stores another key"
                )
    return ""


def _hint(settings: Settings, target: ApiAddress, servers: Sequence[LocalServer] | None) -> str:
    variable = settings.value_for_host("api_key_env", target)
    if variable is not None:
        return f"set the environment variable {variable.value}, which api_key_env names ({variable.origin})"
    if hint := unused_key_hint(settings, target):
        return hint
    if settings.environ.get(KEY_VARIABLE):
        advice = "'gptkit keys set' stores one"
        return f"{KEY_VARIABLE} is not sent there: it is for the host of OPENAI_BASE_URL; {advice}"
    hint = local_server_hint(SERVERS if servers is None else servers)
    return hint or f"set {KEY_VARIABLE} or run 'gptkit keys set'; '--model echo' needs no key"


def _text_for_host(settings: Settings, name: str, target: ApiAddress) -> str | None:
    setting = settings.value_for_host(name, target)
    return str(setting.value) if setting else None


def _certificates(settings: Settings, name: str) -> str | None:
    """The path of trusted certificates; one that does not exist is refused, since OpenSSL would ignore it."""
    text = settings.value(name)
    if text is None:
        return None
    path = str(text)
    if path.startswith("~/") and (home := settings.environ.get("HOME")):
        path = home + path[1:]
    if not any(Path(part).exists() for part in path.split(pathsep)):  # OpenSSL takes a list of folders
        raise settings.error(name, f"there is no '{path}'")
    return path


CONNECT_SECONDS = 0.2
"""Seconds to wait for a server on this machine."""


def local_server_hint(servers: Sequence[LocalServer]) -> str:
    """A hint how to use the first of these servers that listens; empty if none does."""
    server = find_listening(servers)
    if server is None:
        return ""
    what = f"{server.name} listens on localhost:{server.port}"
    if server.shared:
        what = f"something listens on localhost:{server.port}, where {server.name} would"
    return f"{what}: run with OPENAI_BASE_URL={server.base_url}"


def find_listening(servers: Sequence[LocalServer]) -> LocalServer | None:
    """The first of these servers whose port accepts a connection, None if none does; tries all at once."""
    import select
    import socket
    import time

    sockets = {socket.socket(socket.AF_INET, socket.SOCK_STREAM): server for server in servers}
    try:
        waiting = set(sockets)
        for connection, server in sockets.items():
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", server.port))
        until, open_servers = time.monotonic() + CONNECT_SECONDS, set[LocalServer]()
        while waiting and (left := until - time.monotonic()) > 0:
            _, ready, failed = select.select([], waiting, waiting, left)
            for connection in {*ready, *failed}:
                waiting.discard(connection)
                if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    open_servers.add(sockets[connection])
        return next((server for server in servers if server in open_servers), None)
    finally:
        for connection in sockets:
            connection.close()
