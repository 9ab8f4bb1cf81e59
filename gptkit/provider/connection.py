"""A connected socket to an API address: name look-up, TCP, TLS, all within one deadline."""

import os
import select
import selectors
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import Endpoint
from gptkit.core.errors import ConfigurationError
from gptkit.provider.request import Target

if TYPE_CHECKING:
    import ssl

_HEAD_START = 0.25
"""Seconds before the next address is tried beside the one under way (RFC 8305, section 5)."""


_IDLE = 2.0
"""Seconds that a connection waits for its next request: no server is known to close one so early."""


class Address(NamedTuple):
    """One row of getaddrinfo."""

    family: int
    kind: int
    protocol: int
    name: str
    location: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class Trust(NamedTuple):
    """Whose certificates are believed; a folder is indexed by OpenSSL's hashes."""

    file: str | None
    folder: str | None


class Idle:
    """Connections to one endpoint that an answer has left whole, for all threads."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._wires: list[tuple[float, socket.socket]] = []
        self._doubted = False

    def take(self) -> socket.socket | None:
        """The one that waited least, if nothing has come over it since: that would be its end."""
        with suppress(IndexError):
            while True:
                since, wire = self._wires.pop()
                if self._now() - since <= _IDLE and _is_quiet(wire):
                    return wire
                wire.close()
        return None

    def give(self, wire: socket.socket) -> None:
        if self._doubted:
            wire.close()
        else:
            self._wires.append((self._now(), wire))

    def doubt(self) -> None:
        """The server did not keep what it had promised to keep: from here on each request has its own."""
        self._doubted = True
        self.close()

    def close(self) -> None:
        with suppress(IndexError):  # another thread has taken the last one
            while self._wires:
                self._wires.pop()[1].close()

    __del__ = close


def connection(place: Target, endpoint: Endpoint) -> socket.socket:
    """Raises OSError (gaierror, TimeoutError, ssl.SSLError ...) as the standard library does."""
    due = monotonic() + endpoint.deadlines.connect
    found = addresses(place, endpoint.deadlines.connect)
    if place.scheme == "http":
        return connected(found, due)
    return secured(lambda: connected(found, due), place, trust(endpoint), due)


def addresses(place: Target, seconds: float) -> list[Address]:
    """In the order in which they should be tried; a look-up that takes longer is a TimeoutError.

    The name goes as bytes: for a text Python would load its tables of international names.
    """
    try:
        found = socket.getaddrinfo(
            place.host.encode(), place.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except OSError:
        return _looked_up(place, seconds)
    return [Address(*row) for row in found]


def connected(found: list[Address], due: float) -> socket.socket:
    """The first of the addresses that answers; each gets a head start before the next one."""
    error: OSError = TimeoutError("timed out")
    waiting = list(found)
    under_way: dict[int, socket.socket] = {}
    try:
        with selectors.DefaultSelector() as selector:
            while waiting or under_way:
                if waiting:
                    started = _started(waiting.pop(0))
                    if isinstance(started, OSError):
                        error = started
                        continue
                    under_way[started.fileno()] = started
                    selector.register(started, selectors.EVENT_WRITE)
                left = due - monotonic()
                if left <= 0:
                    raise TimeoutError("timed out")
                for ready, _ in selector.select(min(left, _HEAD_START) if waiting else left):
                    selector.unregister(ready.fd)
                    candidate = under_way.pop(ready.fd)
                    number = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not number:
                        return _settled(candidate, due)
                    error = OSError(number, os.strerror(number))
                    candidate.close()
    finally:
        for candidate in under_way.values():
            candidate.close()
    raise error


def secured(
    connect: Callable[[], socket.socket], place: Target, believed: Trust, due: float
) -> "ssl.SSLSocket":
    """TLS with a verified certificate.

    A certificate that the quick store does not know is shown once more to the complete one, over a
    new connection: nothing has been sent by then.
    """
    import ssl

    stores = list(contexts(believed))
    for position, context in enumerate(stores, 1):
        plain = connect()
        plain.settimeout(max(due - monotonic(), 0.001))
        try:
            return context.wrap_socket(plain, server_hostname=place.host)
        except ssl.SSLCertVerificationError:
            plain.close()
            if position == len(stores):
                raise
        except BaseException:
            plain.close()
            raise
    raise ssl.SSLError("no certificate store")


def contexts(believed: Trust) -> "Iterator[ssl.SSLContext]":
    """The store that costs nothing first: a hashed folder is read certificate by certificate on
    demand (0.02 ms), a bundle file whole (50 ms).
    """
    if believed.folder and _hashed(believed.folder):
        yield _context(Trust(None, believed.folder))
        if believed.file:
            yield _context(believed)
    else:
        yield _context(believed)


def context(endpoint: Endpoint) -> "ssl.SSLContext":
    """The complete store in one, for connections that are opened elsewhere."""
    return _context(trust(endpoint))


def trust(endpoint: Endpoint) -> Trust:
    """The certificates named for the endpoint, else those of the system."""
    if endpoint.ca_file or endpoint.ca_folder:
        return Trust(endpoint.ca_file, endpoint.ca_folder)
    if sys.platform in ("win32", "darwin"):
        return Trust(None, None)
    import ssl

    paths = ssl.get_default_verify_paths()  # the compiled ones: the environment comes as settings
    file = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    folder = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if not file and not (folder and _hashed(folder)):
        file = next((known for known in _BUNDLES if Path(known).is_file()), None)
    return Trust(file, folder)


_BUNDLES = (  # as in truststore, for a Python that was built elsewhere
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)


@lru_cache(maxsize=8)
def _context(believed: Trust) -> "ssl.SSLContext":
    import ssl

    if believed.file or believed.folder or sys.platform not in ("win32", "darwin"):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if believed.file or believed.folder:
                made.load_verify_locations(believed.file, believed.folder)
        except OSError:
            raise ConfigurationError(
                f"certificates: cannot read '{believed.file or believed.folder}'",
                hint="SSL_CERT_FILE names a file in PEM format, SSL_CERT_DIR a folder that c_rehash made",
            ) from None
    else:
        import truststore

        made = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.set_alpn_protocols(["http/1.1"])
    return made


def _hashed(folder: str) -> bool:
    """OpenSSL finds a certificate in a folder only under the hash of its subject."""
    try:
        return any(len(name) == 10 and name[8:] == ".0" for name in _names(folder))
    except OSError:
        return False


def _names(folder: str) -> Iterator[str]:
    return (entry.name for entry in Path(folder).iterdir())


def _is_quiet(wire: socket.socket) -> bool:
    try:
        return not select.select([wire], [], [], 0)[0]
    except (OSError, ValueError):  # a descriptor beyond what select can watch
        return False


def _looked_up(place: Target, seconds: float) -> list[Address]:
    """In a thread: a look-up can neither be interrupted nor given a deadline."""
    from threading import Thread

    found: list[Address] = []
    failed: list[Exception] = []

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(place.host.encode(), place.port, type=socket.SOCK_STREAM)
            found.extend(Address(*row) for row in rows)
        except OSError as error:
            failed.append(error)

    thread = Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise socket.gaierror(socket.EAI_AGAIN, "timed out")
    return found


def _started(address: Address) -> socket.socket | OSError:
    """A socket on its way to the address, or why there is none."""
    try:
        candidate = socket.socket(address.family, address.kind, address.protocol)
    except OSError as error:
        return error
    try:
        candidate.setblocking(False)
        candidate.connect(address.location)
    except BlockingIOError:
        pass
    except OSError as error:
        candidate.close()
        return error
    return candidate


def _settled(candidate: socket.socket, due: float) -> socket.socket:
    candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    candidate.settimeout(max(due - monotonic(), 0.001))
    return candidate
