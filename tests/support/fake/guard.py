"""Keeps the test process on loopback."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

UNKNOWN = ".invalid"
"""Names under it do not exist, as RFC 2606 has it; under `again.invalid` the look-up itself fails."""
UNANSWERED = "again.invalid"


class BeyondLoopbackError(AssertionError):
    """Something tried to leave this machine."""


class Guard:
    """Stands in for socket's functions; what it refused is in `refused` and fails the test."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def connecting(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        """`socket.connect` and `connect_ex`, for loopback and local sockets only."""

        def guarded(sock: socket.socket, address: Any) -> Any:
            if sock.family in {socket.AF_INET, socket.AF_INET6}:
                self._check(address[0])
            return connect(sock, address)

        return guarded

    def looking_up(self, look_up: Callable[..., Any]) -> Callable[..., Any]:
        """`getaddrinfo` and `gethostbyname`, for names of this machine only."""

        def guarded(host: Any, *args: Any, **options: Any) -> Any:
            name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
            if name is not None:
                self._check_name(name.rstrip(".").lower())
            return look_up(host, *args, **options)

        return guarded

    def verify(self) -> None:
        assert not self.refused, f"the test tried to leave loopback: {', '.join(self.refused)}"

    def _check_name(self, name: str) -> None:
        if name.endswith(UNANSWERED):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if name.endswith(UNKNOWN):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self._check(name)

    def _check(self, host: str) -> None:
        if host in {"", "localhost"} or host.endswith(".localhost") or _is_loopback(host):
            return
        self.refused.append(host)
        raise BeyondLoopbackError(f"'{host}' is beyond loopback")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
