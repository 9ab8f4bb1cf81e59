"""Certificates that a test makes for itself: good ones, and each kind of bad one."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority; `server(...)` is what FakeServer takes as `tls`."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def server(self, *names: str) -> ssl.SSLContext:
        """Valid for these host names; for loopback without any."""
        context = _context()
        self._authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        return context

    def expired(self) -> ssl.SSLContext:
        now = datetime.datetime.now(datetime.UTC)
        certificate = self._authority.issue_cert(
            "127.0.0.1",
            "localhost",
            not_before=now - datetime.timedelta(days=30),
            not_after=now - datetime.timedelta(days=1),
        )
        context = _context()
        certificate.configure_cert(context)
        return context

    def self_signed(self) -> ssl.SSLContext:
        """The authority's own certificate, as a server that made one for itself shows it."""
        context = _context()
        pem = self._authority.private_key_pem.bytes() + self._authority.cert_pem.bytes()
        with trustme.Blob(pem).tempfile() as path:
            context.load_cert_chain(path)
        return context

    def client(self) -> ssl.SSLContext:
        """A client that trusts this authority and no other."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def write(self, path: Path) -> Path:
        """Write the authority's certificate where SSL_CERT_FILE can point."""
        path.write_bytes(self._authority.cert_pem.bytes())
        return path


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
