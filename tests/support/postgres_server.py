"""A PostgreSQL server of Debian on loopback, for the tests of the shared index."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def program(name: str) -> str | None:
    """The path of a program of the server, which Debian keeps out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def is_missing() -> str:
    """Why there can be no server; empty if there can."""
    if not (program("initdb") and program("postgres")):
        return "there is no PostgreSQL server"
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL does not run as root"
    return ""


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve an empty database; yields its URL."""
    # For another user, to whom the folder of temporary files may be closed.
    with tempfile.TemporaryDirectory(dir="/tmp" if os.geteuid() == 0 else None) as temporary:
        data = Path(temporary) / "data"
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if user:
            Path(temporary).chmod(0o755)
            shutil.chown(temporary, "postgres")
        initdb = [
            str(program("initdb")),
            "-D",
            str(data),
            "-A",
            "trust",
            "-U",
            "tester",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run([*user, *initdb], check=True, capture_output=True, cwd="/")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={temporary}",
            "-c",
            "fsync=off",
        ]
        server = subprocess.Popen(
            [*user, str(program("postgres")), "-D", str(data), "-p", str(port), *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
        )
        assert server.stderr is not None
        try:
            for line in server.stderr:
                if b"ready to accept connections" in line:
                    break
            yield f"postgresql://tester@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait()
            server.stderr.close()
