"""gptkit under test: in memory, as a process, and on a terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fake.signals import unblocked
from fake.waiting import SOON

if TYPE_CHECKING:
    from fake.screen import Screen

COMMAND = (sys.executable, "-m", "gptkit")
NOWHERE = "http://127.0.0.1:9/v1"
"""Where a process is sent that was given no server: a port that nobody listens on."""
AT_ONCE = 16_384
"""Bytes that any pipe holds: they are in it before the program starts, which may not wait long for them."""


class Result(tuple[int, str, str]):
    """Exit code, standard output, standard error: unpacks to, and compares with, the three.

    `raw` is standard output in bytes.
    """

    raw: bytes

    def __new__(cls, code: int, output: bytes, errors: str) -> Result:
        """Output of the program is always UTF-8: anything else is a failure here."""
        result = super().__new__(cls, (code, output.decode("utf-8"), errors))
        result.raw = output
        return result

    @property
    def code(self) -> int:
        return self[0]

    @property
    def stdout(self) -> str:
        return self[1]

    @property
    def stderr(self) -> str:
        return self[2]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What gptkit can see: nothing of the machine's own environment."""

    home: Path
    user_home: Path
    folder: Path
    server_url: str | None

    def environ(self, changes: Mapping[str, str | None] | None, key: str | None) -> dict[str, str]:
        """The environment; a change to None removes the variable."""
        environ: dict[str, str | None] = {
            "GPTKIT_HOME": str(self.home),
            "HOME": str(self.user_home),
            "OPENAI_API_KEY": key,
            "OPENAI_BASE_URL": self.server_url,
            **(changes or {}),
        }
        return {name: value for name, value in environ.items() if value is not None}

    def process_environ(self, changes: Mapping[str, str | None] | None, key: str | None) -> dict[str, str]:
        """What a process needs in addition."""
        needed = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        basis = {**needed, "LANG": "C.UTF-8", "OPENAI_BASE_URL": self.server_url or NOWHERE}
        return self.environ({**basis, **(changes or {})}, key)


@dataclass(frozen=True, slots=True)
class InMemory:
    """Runs the whole program in this process."""

    around: Surroundings

    def __call__(
        self,
        *args: str,
        stdin: str | bytes | None = None,
        env: Mapping[str, str | None] | None = None,
        tty: bool = False,
        width: int = 80,
        key: str | None = "sk-test",
        clock: float | None = None,
    ) -> Result:
        """`clock` is the time in Unix seconds; None for the true one."""
        from gptkit.__main__ import main
        from gptkit.core.terminal import memory_terminal

        environ = self.around.environ(env, key)
        terminal = memory_terminal(stdin=_bytes(stdin), environ=environ, terminal=tty, width=width)
        if clock is not None:
            terminal.unix_time = lambda: clock
        code = main(list(args), terminal)
        return Result(code, terminal.output, terminal.errors)


@dataclass(frozen=True, slots=True)
class AsProcess:
    """Runs the program as users do. Without `stdin` it is /dev/null."""

    around: Surroundings
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __call__(
        self,
        *args: str,
        stdin: str | bytes | None = None,
        env: Mapping[str, str | None] | None = None,
        key: str | None = "sk-test",
        timeout: float = SOON,
        command: tuple[str, ...] = COMMAND,
    ) -> Result:
        data = _bytes(stdin)
        if data is None or len(data) > AT_ONCE:
            process = self.start(*args, piped=data is not None, env=env, key=key, command=command)
        else:
            with _filled(data) as pipe:
                process = self.start(*args, stdin=pipe, env=env, key=key, command=command)
            data = None
        output, errors = process.communicate(data, timeout=timeout)
        return Result(process.returncode, output, errors.decode("utf-8"))

    def start(
        self,
        *args: str,
        piped: bool = False,
        stdin: int = subprocess.DEVNULL,
        env: Mapping[str, str | None] | None = None,
        key: str | None = "sk-test",
        command: tuple[str, ...] = COMMAND,
    ) -> subprocess.Popen[bytes]:
        """Start and return at once; it is killed at the end of the test if it still runs then."""
        with unblocked():
            process = subprocess.Popen(
                [*command, *args],
                stdin=subprocess.PIPE if piped else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.around.process_environ(env, key),
                cwd=self.around.folder,
            )
        self.started.append(process)
        return process

    def close(self) -> None:
        for process in self.started:
            process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream and not stream.closed:
                    stream.close()
            process.wait()


@dataclass(frozen=True, slots=True)
class OnTerminal:
    """Runs the program on a pseudo-terminal."""

    around: Surroundings
    started: list[Screen] = field(default_factory=list)

    def __call__(
        self,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        key: str | None = "sk-test",
        columns: int = 80,
        rows: int = 24,
        command: tuple[str, ...] = COMMAND,
    ) -> Screen:
        from fake.screen import Screen  # pseudo-terminals are not everywhere

        environ = {"TERM": "xterm-256color", **self.around.process_environ(env, key)}
        screen = Screen([*command, *args], environ, self.around.folder, columns=columns, rows=rows)
        self.started.append(screen)
        return screen

    def close(self) -> None:
        for screen in self.started:
            screen.close()


@contextlib.contextmanager
def _filled(data: bytes) -> Iterator[int]:
    """The end to read from of a pipe that holds all of it."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)
        yield reading
    finally:
        os.close(reading)


def _bytes(stdin: str | bytes | None) -> bytes | None:
    return stdin.encode() if isinstance(stdin, str) else stdin
