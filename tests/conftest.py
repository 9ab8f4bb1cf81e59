"""Fixtures: the program, the server it talks to, and a fence around the test process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake import databases
from fake.certificates import Authority
from fake.guard import Guard
from fake.program import AsProcess, InMemory, OnTerminal, Surroundings
from fake.server import FakeServer
from hypothesis import HealthCheck, settings
from tool_parts import TRAVELS, Tools

settings.register_profile("gptkit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gptkit")  # neither says anything but how fast the machine is

databases.watch()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of what a test does is to wait for a server, a process or a deadline."""
    return 2 * (os.cpu_count() or 1)


FOREIGN = ("_PROXY", "OPENAI_", "SSL_CERT_", "GPTKIT_", "AZURE_OPENAI_")


@pytest.fixture(autouse=True)
def fence(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guard]:
    """No socket of this process leaves loopback, no setting of this machine reaches a library, and the
    program opens no database beside SQLite."""
    guard = Guard()
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guard.connecting(getattr(socket.socket, name)))
    for name in ("getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, guard.looking_up(getattr(socket, name)))
    for name in list(os.environ):
        if any(part in name.upper() for part in FOREIGN):
            monkeypatch.delenv(name)
    yield guard
    guard.verify()
    databases.verify()


@pytest.fixture
def server(fence: Guard) -> Iterator[FakeServer]:
    """The API. Where a test has it, the program's OPENAI_BASE_URL points to it."""
    with FakeServer() as running:
        yield running


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Issues certificates for FakeServer(tls=...)."""
    return Authority()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """GPTKIT_HOME."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test and of the program."""
    current = tmp_path / "folder"
    current.mkdir()
    monkeypatch.chdir(current)
    return current


@pytest.fixture
def around(request: pytest.FixtureRequest, tmp_path: Path, home: Path, folder: Path) -> Surroundings:
    """The environment that the program gets."""
    server_url = request.getfixturevalue("server").url if "server" in request.fixturenames else None
    user_home = tmp_path / "user"
    user_home.mkdir()
    return Surroundings(home, user_home, folder, server_url)


@pytest.fixture
def gptkit(around: Surroundings) -> InMemory:
    """`gptkit("ask", "hi", stdin=...)` runs the whole program in memory."""
    return InMemory(around)


@pytest.fixture
def run(around: Surroundings) -> Iterator[AsProcess]:
    """`run("ask", "hi", stdin=...)` runs the program as a process."""
    program = AsProcess(around)
    yield program
    program.close()


@pytest.fixture
def screen(around: Surroundings) -> Iterator[OnTerminal]:
    """`screen("ask", "hi")` runs the program on a pseudo-terminal and returns a Screen."""
    program = OnTerminal(around)
    yield program
    program.close()


@pytest.fixture
def digest(home: Path) -> str:
    """A prompt that makes one result of parts; its user message is the text and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "digest.yaml").write_text(
        "description: Tells the numbers.\nsystem: Shorten.\nlong: {mode: reduce, piece: 200}\n"
    )
    return "digest"


@pytest.fixture(params=TRAVELS)
def tools(request: pytest.FixtureRequest, around: Surroundings, server: FakeServer) -> Tools:
    """gptkit with tools, once for each way in which calls travel."""
    return Tools(around, server, request.param)


@pytest.fixture
def one(around: Surroundings, server: FakeServer) -> Tools:
    """gptkit with tools, for rules that do not depend on how calls travel."""
    return Tools(around, server, "structured")
