"""An HTTP proxy and a SOCKS5 proxy on loopback that record what went through them."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fake.listener import READ_SIZE, Listener, abort
from fake.received import parsed
from fake.wire import response

VERSION, NO_LOGIN, LOGIN, REFUSED = 5, 0, 2, 255
ADDRESS_KINDS = {1: "ipv4", 3: "name", 4: "ipv6"}
GRANTED, FAILED = 0, 4


@dataclass(slots=True)
class Passage:
    """One use of a proxy: `kind` is CONNECT, the method of a forwarded request, or the SOCKS address kind.

    `target` is host:port, or the absolute URL of a forwarded request. `login` is what the client
    showed, user:password. `up` and `down` are the bytes that went through.
    """

    kind: str
    target: str
    login: str | None = None
    granted: bool = False
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class Proxy(Listener):
    """What both kinds share.

    `routes` leads "host:port" to another address, so that tests can use names that exist nowhere;
    all else is looked up, on loopback only. `passages` are the uses, in order.
    """

    scheme = "http"

    def __init__(
        self,
        user: str | None = None,
        password: str = "",
        *,
        routes: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self.passages: list[Passage] = []
        self._login = None if user is None else f"{user}:{password}"
        self._routes = routes or {}
        super().__init__(self._pass)

    @property
    def url(self) -> str:
        """Without a user."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def login_url(self) -> str:
        """With user and password."""
        return f"{self.scheme}://{self._login}@{self.host}:{self.port}"

    def _pass(self, client: socket.socket, number: int) -> None:
        raise NotImplementedError

    def _onwards(self, target: str) -> socket.socket | None:
        """A connection to host:port; None if there is none."""
        host, _, port = target.rpartition(":")
        address = self._routes.get(target, (host.strip("[]"), int(port)))
        try:
            return self.connect(address)
        except OSError:
            return None

    def _relay(self, client: socket.socket, onwards: socket.socket, passage: Passage) -> None:
        """Copy both ways until both sides have ended; a reset is passed on as one."""
        ways = {client: (onwards, passage.up), onwards: (client, passage.down)}
        try:
            while ways:
                for source in self.readable(*ways):
                    other, record = ways[source]
                    data = source.recv(READ_SIZE)
                    record += data
                    if data:
                        other.sendall(data)
                    else:
                        del ways[source]
                        with contextlib.suppress(OSError):
                            other.shutdown(socket.SHUT_WR)
        except ConnectionError:
            abort(client)
            abort(onwards)
        finally:
            self.release(onwards)


class HttpProxy(Proxy):
    """CONNECT tunnels and absolute-form requests; with a user, Basic authentication or 407."""

    def _pass(self, client: socket.socket, number: int) -> None:
        data = self._until_blank_line(client)
        if not data:
            return
        head, rest = data.split(b"\r\n\r\n", 1)
        request = parsed(head + b"\r\n\r\n", number)
        passage = Passage(
            request.method, request.target, _basic(request.headers.get("proxy-authorization", ""))
        )
        self.passages.append(passage)
        if self._login is not None and passage.login != self._login:
            challenge = {"Proxy-Authenticate": 'Basic realm="fake"', "Connection": "close"}
            client.sendall(response(407, "<title>Who are you?</title>", challenge))
            return
        tunnel = request.method == "CONNECT"
        onwards = self._onwards(request.target if tunnel else _host_port(request.target))
        if onwards is None:
            client.sendall(response(502, "<title>No such host</title>", {"Connection": "close"}))
            return
        passage.granted = True
        if tunnel:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            rest = _origin_form(request.raw_head) + rest
        passage.up += rest
        if rest:
            onwards.sendall(rest)
        self._relay(client, onwards, passage)

    def _until_blank_line(self, client: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            self.readable(client)
            piece = client.recv(READ_SIZE)
            if not piece:
                return b""
            data += piece
        return data


class SocksProxy(Proxy):
    """SOCKS5 (RFC 1928) with CONNECT only; with a user, RFC 1929."""

    scheme = "socks5"

    def _pass(self, client: socket.socket, number: int) -> None:
        version, count = self._exactly(client, 2)
        methods = self._exactly(client, count)
        wanted = NO_LOGIN if self._login is None else LOGIN
        if version != VERSION or wanted not in methods:
            client.sendall(bytes([VERSION, REFUSED]))
            return
        client.sendall(bytes([VERSION, wanted]))
        login = self._logged_in(client) if wanted == LOGIN else None
        if login != self._login:
            return
        kind, target = self._target(client)
        passage = Passage(kind, target, login)
        self.passages.append(passage)
        onwards = self._onwards(target)
        passage.granted = onwards is not None
        answer = GRANTED if onwards else FAILED
        client.sendall(struct.pack("!BBBB4sH", VERSION, answer, 0, 1, bytes(4), 0))
        if onwards:
            self._relay(client, onwards, passage)

    def _logged_in(self, client: socket.socket) -> str:
        """The login that the client sent, after telling it whether it is right."""
        user = self._exactly(client, self._exactly(client, 2)[1])
        password = self._exactly(client, self._exactly(client, 1)[0])
        login = f"{user.decode()}:{password.decode()}"
        client.sendall(bytes([1, 0 if login == self._login else 1]))
        return login

    def _target(self, client: socket.socket) -> tuple[str, str]:
        """Address kind and host:port of the request."""
        _version, _command, _reserved, code = self._exactly(client, 4)
        kind = ADDRESS_KINDS[code]
        if kind == "name":
            host = self._exactly(client, self._exactly(client, 1)[0]).decode()
        elif kind == "ipv4":
            host = str(ipaddress.IPv4Address(self._exactly(client, 4)))
        else:
            host = f"[{ipaddress.IPv6Address(self._exactly(client, 16))}]"
        (port,) = struct.unpack("!H", self._exactly(client, 2))
        return kind, f"{host}:{port}"

    def _exactly(self, client: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self.readable(client)
            piece = client.recv(count - len(data))
            if not piece:
                raise ConnectionAbortedError
            data += piece
        return data


def _basic(header: str) -> str | None:
    scheme, _, value = header.partition(" ")
    return base64.b64decode(value).decode() if scheme.lower() == "basic" else None


def _host_port(url: str) -> str:
    netloc = urlsplit(url).netloc
    return netloc if urlsplit(url).port else f"{netloc}:80"


def _origin_form(raw_head: bytes) -> bytes:
    """The head for the server: the path alone, nothing for the proxy, one request a connection."""
    line, *headers = raw_head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, version = line.split(" ")
    parts = urlsplit(target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    dropped = ("proxy-", "connection:")
    kept = [header for header in headers if not header.lower().startswith(dropped)]
    return "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""]).encode("latin-1")
