"""Puts together where requests go: address, key, proxy, certificates, headers, deadlines."""

from __future__ import annotations

from os import pathsep
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import Deadlines, Endpoint
from gptkit.core.errors import NoPermissionError
from gptkit.settings.address import bypasses_proxy, parse_proxy_url
from gptkit.settings.keys import KEY_VARIABLE, find_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gptkit.settings.address import BaseUrl
    from gptkit.settings.load import Settings


_KEY_HEADERS = ("authorization", "api-key", "x-api-key")


def endpoint(settings: Settings, servers: Sequence[LocalServer] | None = None) -> Endpoint:
    """The endpoint of the settings; everything in it may go to its host."""
    target = settings.base_url()
    found = endpoint_without_key(settings)
    return found._replace(key=_key(settings, target, found.headers, servers))


def endpoint_without_key(settings: Settings) -> Endpoint:
    """The endpoint as far as it is known without a key."""
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
        ca_file=_existing(settings, "ca_file"),
        ca_folder=_existing(settings, "ca_folder"),
        headers={name: str(value) for name, value in settings.entries_for_host("headers", target).items()},
        organization=_bound_text(settings, "organization", target),
        project=_bound_text(settings, "project_id", target),
        deadlines=Deadlines(
            connect=settings.number("connect_timeout"),
            idle=settings.number("idle_timeout"),
            first_content=settings.number("first_token_timeout"),
            content=settings.number("token_timeout"),
        ),
        lenient_finish=settings.text("finish") == "lenient",
    )


def proxy_for(settings: Settings, target: BaseUrl) -> str | None:
    """The proxy that leads to a host, None for a direct connection. One that was typed as an option is
    used whatever `no_proxy` says."""
    text = settings.value("proxy")
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


def _key(
    settings: Settings, target: BaseUrl, headers: Mapping[str, str], servers: Sequence[LocalServer] | None
) -> str | None:
    if any(name.lower() in _KEY_HEADERS for name in headers):
        return None
    key = find_key(settings, target)
    if key is not None:
        return key.text
    if target.is_loopback:
        return None
    raise NoPermissionError(f"no key for {target.authority}", hint=_hint(settings, target, servers))


def _hint(settings: Settings, target: BaseUrl, servers: Sequence[LocalServer] | None) -> str:

    renamed = settings.value_for_host("api_key_env", target)
    if renamed is not None:
        return f"set the environment variable {renamed.value}, which api_key_env names ({renamed.origin})"
    if settings.environ.get(KEY_VARIABLE):
        where = "'gptkit keys set' stores one"
        return f"{KEY_VARIABLE} is not sent there: it is for the host of OPENAI_BASE_URL; {where}"
    offer = local_server_hint(SERVERS if servers is None else servers)
    return offer or f"set {KEY_VARIABLE} or run 'gptkit keys set'; '--model echo' needs no key"


def _bound_text(settings: Settings, name: str, target: BaseUrl) -> str | None:
    found = settings.value_for_host(name, target)
    return str(found.value) if found else None


def _existing(settings: Settings, name: str) -> str | None:
    """A path of certificates, which must be there: OpenSSL would silently trust nothing instead."""
    text = settings.value(name)
    if text is None:
        return None
    path = str(text)
    if path.startswith("~/") and (home := settings.environ.get("HOME")):
        path = home + path[1:]
    if not any(Path(part).exists() for part in path.split(pathsep)):  # OpenSSL takes a list of folders
        raise settings.error(name, f"there is no '{path}'")
    return path


PATIENCE = 0.2


class LocalServer(NamedTuple):
    """A kind of server and its usual port. A `shared` port is one that many other programs use too."""

    name: str
    port: int
    shared: bool = False

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}/v1"


SERVERS = (
    LocalServer("Ollama", 11434),
    LocalServer("LM Studio", 1234),
    LocalServer("llama.cpp", 8080, shared=True),
    LocalServer("vLLM", 8000, shared=True),
)


def local_server_hint(servers: Sequence[LocalServer]) -> str:
    """What to do with a server that listens; empty if none does."""
    server = find_listening(servers)
    if server is None:
        return ""
    what = f"{server.name} listens on localhost:{server.port}"
    if server.shared:
        what = f"something listens on localhost:{server.port}, where {server.name} would"
    return f"{what}: run with OPENAI_BASE_URL={server.base_url}"


def find_listening(servers: Sequence[LocalServer]) -> LocalServer | None:
    """The first of these servers whose port accepts a connection; all are tried at once."""
    import select
    import socket
    import time

    sockets = {socket.socket(socket.AF_INET, socket.SOCK_STREAM): server for server in servers}
    try:
        waiting = set(sockets)
        for each, server in sockets.items():
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", server.port))
        until, open_ports = time.monotonic() + PATIENCE, set[LocalServer]()
        while waiting and (left := until - time.monotonic()) > 0:
            _, ready, failed = select.select([], waiting, waiting, left)
            for each in {*ready, *failed}:
                waiting.discard(each)
                if each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    open_ports.add(sockets[each])
        return next((server for server in servers if server in open_ports), None)
    finally:
        for each in sockets:
            each.close()
