"""Looks for a model server on this machine, to offer it by name to a user without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 0.2


class Server(NamedTuple):
    """A kind of server and its usual port. A `shared` port is one that many other programs use too."""

    name: str
    port: int
    shared: bool = False

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}/v1"


SERVERS = (
    Server("Ollama", 11434),
    Server("LM Studio", 1234),
    Server("llama.cpp", 8080, shared=True),
    Server("vLLM", 8000, shared=True),
)


def hint(servers: Sequence[Server]) -> str:
    """What to do with a server that listens; empty if none does."""
    server = listening(servers)
    if server is None:
        return ""
    what = f"{server.name} listens on localhost:{server.port}"
    if server.shared:
        what = f"something listens on localhost:{server.port}, where {server.name} would"
    return f"{what}: run with OPENAI_BASE_URL={server.base_url}"


def listening(servers: Sequence[Server]) -> Server | None:
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
        until, open_ports = time.monotonic() + PATIENCE, set[Server]()
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
