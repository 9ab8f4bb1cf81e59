"""Opens a socket to an API address: name look-up, TCP and TLS within one deadline."""

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
from gptkit.provider.request import BaseUrl

if TYPE_CHECKING:
    import ssl

_NEXT_ADDRESS_DELAY = 0.25
"""Seconds before the next address is tried as well (RFC 8305, section 5)."""

_IDLE_LIMIT = 2.0
"""Seconds that a connection is kept for its next request; no server is known to close one earlier."""


class SocketAddress(NamedTuple):
    """One row of `socket.getaddrinfo`."""

    family: int
    kind: int
    protocol: int
    name: str
    location: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class CertificateStore(NamedTuple):
    """The trusted certificates: a PEM file and a folder that OpenSSL's hashes index; None for neither."""

    file: str | None
    folder: str | None


class IdleConnections:
    """Open connections to one endpoint that wait for their next request. Safe for several threads."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._connections: list[tuple[float, socket.socket]] = []
        self._is_stopped = False

    def take(self) -> socket.socket | None:
        """Take the connection that was put last; None if there is none that the server has kept open."""
        with suppress(IndexError):
            while True:
                since, connection = self._connections.pop()
                if self._now() - since <= _IDLE_LIMIT and _is_unused(connection):
                    return connection
                connection.close()
        return None

    def put(self, connection: socket.socket) -> None:
        """Keep a connection for the next request."""
        if self._is_stopped:
            connection.close()
        else:
            self._connections.append((self._now(), connection))

    def stop_keeping(self) -> None:
        """Close all connections and keep none from now on, since the server broke its promise to keep one."""
        self._is_stopped = True
        self.close()

    def close(self) -> None:
        with suppress(IndexError):  # another thread has taken the last one
            while self._connections:
                self._connections.pop()[1].close()

    __del__ = close


def open_connection(
    base_url: BaseUrl, endpoint: Endpoint, check_address: Callable[[str], object] = str
) -> socket.socket:
    """Connect to the server of an endpoint. Raises OSError: gaierror, TimeoutError, ssl.SSLError ...

    `check_address` is called with each address before any is connected to, and may raise.
    """
    due = monotonic() + endpoint.deadlines.connect
    addresses = resolve_addresses(base_url, endpoint.deadlines.connect)
    for address in addresses:
        check_address(str(address.location[0]))
    if base_url.scheme == "http":
        return connect_to_any(addresses, due)
    return open_tls(lambda: connect_to_any(addresses, due), base_url, certificate_store(endpoint), due)


def resolve_addresses(base_url: BaseUrl, seconds: float) -> list[SocketAddress]:
    """Look up the addresses of a host, the best first. Raises gaierror, also after `seconds`.

    The name is passed as bytes: for a text Python loads its tables of international names.
    """
    try:
        rows = socket.getaddrinfo(
            base_url.host.encode(), base_url.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except OSError:
        return _look_up(base_url, seconds)
    return [SocketAddress(*row) for row in rows]


def connect_to_any(addresses: list[SocketAddress], due: float) -> socket.socket:
    """Connect to the first address that answers before `due` (of `monotonic`); try them with short delays.

    Raises OSError.
    """
    error: OSError = TimeoutError("timed out")
    waiting = list(addresses)
    under_way: dict[int, socket.socket] = {}
    try:
        with selectors.DefaultSelector() as selector:
            while waiting or under_way:
                if waiting:
                    started = _start_connecting(waiting.pop(0))
                    if isinstance(started, OSError):
                        error = started
                        continue
                    under_way[started.fileno()] = started
                    selector.register(started, selectors.EVENT_WRITE)
                left = due - monotonic()
                if left <= 0:
                    raise TimeoutError("timed out")
                for ready, _ in selector.select(min(left, _NEXT_ADDRESS_DELAY) if waiting else left):
                    selector.unregister(ready.fd)
                    candidate = under_way.pop(ready.fd)
                    number = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not number:
                        return _configure(candidate, due)
                    error = OSError(number, os.strerror(number))
                    candidate.close()
    finally:
        for candidate in under_way.values():
            candidate.close()
    raise error


def open_tls(
    connect: Callable[[], socket.socket], base_url: BaseUrl, certificates: CertificateStore, due: float
) -> "ssl.SSLSocket":
    """Connect and start TLS with a verified certificate. Raises OSError.

    A certificate that the first store does not know is checked against the complete store over a new
    connection; nothing has been sent by then.
    """
    import ssl

    stores = list(tls_contexts(certificates))
    for position, context in enumerate(stores, 1):
        plain = connect()
        plain.settimeout(max(due - monotonic(), 0.001))
        try:
            return context.wrap_socket(plain, server_hostname=base_url.host)
        except ssl.SSLCertVerificationError:
            plain.close()
            if position == len(stores):
                raise
        except BaseException:
            plain.close()
            raise
    raise ssl.SSLError("no certificate store")


def tls_contexts(certificates: CertificateStore) -> "Iterator[ssl.SSLContext]":
    """Yield contexts, the cheapest store first: OpenSSL reads single certificates of a hashed folder on
    demand (0.02 ms), but a bundle file whole (50 ms).
    """
    if certificates.folder and _has_hash_names(certificates.folder):
        yield _context(CertificateStore(None, certificates.folder))
        if certificates.file:
            yield _context(certificates)
    else:
        yield _context(certificates)


def tls_context(endpoint: Endpoint) -> "ssl.SSLContext":
    """Return a context with all trusted certificates, for connections that are opened elsewhere."""
    return _context(certificate_store(endpoint))


def certificate_store(endpoint: Endpoint) -> CertificateStore:
    """Return the certificates that the endpoint names, else those of the system."""
    if endpoint.ca_file or endpoint.ca_folder:
        return CertificateStore(endpoint.ca_file, endpoint.ca_folder)
    if sys.platform in ("win32", "darwin"):
        return CertificateStore(None, None)
    import ssl

    paths = ssl.get_default_verify_paths()  # compiled-in paths; the environment is read by the settings
    file = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    folder = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if not file and not (folder and _has_hash_names(folder)):
        file = next((known for known in _BUNDLES if Path(known).is_file()), None)
    return CertificateStore(file, folder)


_BUNDLES = (  # as in truststore, for a Python that was built elsewhere
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)


@lru_cache(maxsize=8)
def _context(certificates: CertificateStore) -> "ssl.SSLContext":
    import ssl

    if certificates.file or certificates.folder or sys.platform not in ("win32", "darwin"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if certificates.file or certificates.folder:
                context.load_verify_locations(certificates.file, certificates.folder)
        except OSError:
            raise ConfigurationError(
                f"certificates: cannot read '{certificates.file or certificates.folder}'",
                hint="SSL_CERT_FILE names a file in PEM format, SSL_CERT_DIR a folder that c_rehash made",
            ) from None
    else:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_hash_names(folder: str) -> bool:
    """Whether files are named by the hash of their subject, as OpenSSL needs them in a folder."""
    try:
        return any(len(file.name) == 10 and file.suffix == ".0" for file in Path(folder).iterdir())
    except OSError:
        return False


def _is_unused(connection: socket.socket) -> bool:
    """Whether nothing has arrived since the last response: whatever arrives now is the end."""
    try:
        return not select.select([connection], [], [], 0)[0]
    except (OSError, ValueError):  # a descriptor beyond what select can watch
        return False


def _look_up(base_url: BaseUrl, seconds: float) -> list[SocketAddress]:
    """Look up addresses in a thread, since a look-up has no deadline and cannot be interrupted."""
    from threading import Thread

    addresses: list[SocketAddress] = []
    errors: list[Exception] = []

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(base_url.host.encode(), base_url.port, type=socket.SOCK_STREAM)
            addresses.extend(SocketAddress(*row) for row in rows)
        except OSError as error:
            errors.append(error)

    thread = Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not addresses:
        raise socket.gaierror(socket.EAI_AGAIN, "timed out")
    return addresses


def _start_connecting(address: SocketAddress) -> socket.socket | OSError:
    """Start to connect to an address; return the socket, or the error."""
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


def _configure(candidate: socket.socket, due: float) -> socket.socket:
    candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    candidate.settimeout(max(due - monotonic(), 0.001))
    return candidate
