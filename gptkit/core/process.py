"""Run a program as a process with limits: its own session, caps on output, a time-out."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, NamedTuple

from gptkit.core.errors import UnavailableError

if TYPE_CHECKING:
    import subprocess

OUTPUT_CAP = 8 << 20
"""Bytes of standard output; a program that prints more is ended."""
ERRORS_CAP = 64 << 10
"""Bytes of standard error that are kept; what comes after them is read and forgotten."""
GRACE = 1.0
"""Seconds between TERM and KILL."""
_DRAIN = 0.2
"""Seconds that output may still take after the process has ended, if a child of it holds the pipe."""
NOT_HERE = "commands of tool and prompt files do not run on Windows yet"
_BLOCK = 1 << 16


class ProcessResult(NamedTuple):
    """How a process ended. `code` is None if it was stopped; `reason` says why."""

    code: int | None
    output: bytes
    errors: bytes
    seconds: float
    reason: str = ""


def search_path(environ: Mapping[str, str]) -> str:
    """The folders that are searched for programs: a relative one would find a program of a project."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder.startswith("/"))


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """The path of a program. Raises UnavailableError if there is none."""
    if os.name != "posix":
        raise UnavailableError(NOT_HERE)
    folders = [""] if "/" in name else [one for one in search_path(environ).split(os.pathsep) if one]
    for folder in folders:
        path = os.path.join(folder, name)  # noqa: PTH118 - `which` of shutil loads three packers
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    raise UnavailableError(f"no program '{name}'", hint="install it, or name its path")


class Processes:
    """The processes that run at the moment, so that all of them can be stopped."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[int] = set()
        self._is_stopped = False

    def begin(self) -> None:
        """Allow processes again, for the next run of a conversation."""
        with self._lock:
            self._is_stopped = False

    def stop(self) -> None:
        """Stop all of them, and start none until `begin`."""
        with self._lock:
            self._is_stopped = True
            running = tuple(self._running)
        for group in running:
            _signal_group(group, signal.SIGKILL)

    def run(
        self, argv: Sequence[str], folder: str, environ: Mapping[str, str], data: bytes, timeout: float
    ) -> ProcessResult:
        """Run a program until it ends, prints too much, or the time is over.

        Raises UnavailableError if it cannot be started, before anything has happened.
        """
        began = time.monotonic()
        process = self.start(argv, folder, environ)
        try:
            reader = _OutputReader(process, data, began + timeout)
            reason = reader.read()
            code = None if reason else process.wait()
        except BaseException:  # a signal ends the program within a second: no time for TERM
            _signal_group(process.pid, signal.SIGKILL)
            raise
        finally:
            self.end(process)
        seconds = time.monotonic() - began
        return ProcessResult(code, bytes(reader.output), bytes(reader.errors), seconds, reason)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process with all that it left running, and close its streams."""
        _end_group(process)
        with self._lock:
            self._running.discard(process.pid)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def start(self, argv: Sequence[str], folder: str, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own. Raises UnavailableError."""
        import subprocess

        if os.name != "posix":
            raise UnavailableError(NOT_HERE)
        with self._lock:
            if self._is_stopped:
                raise UnavailableError("the run is being stopped")
            try:
                process = subprocess.Popen(
                    [*argv],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=folder,
                    env=dict(environ),
                    start_new_session=True,
                    bufsize=0,
                )
            except (OSError, ValueError) as error:
                cause = getattr(error, "strerror", None) or "an argument that no program can take"
                raise UnavailableError(f"'{argv[0]}': {cause.lower()}") from None
            self._running.add(process.pid)
        return process


class _OutputReader:
    """Reads both streams of a process and feeds it its input, all at once, until a limit."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes, due: float) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self._process = process
        self._data = memoryview(data)
        self._due = due
        self._open = 0
        self._selector = selectors.DefaultSelector()

    def read(self) -> str:
        """Read until the end of the output; returns why it was broken off, else nothing."""
        with self._selector:
            self._begin(self._process.stdout, self._keep_output)
            self._begin(self._process.stderr, self._keep_errors)
            self._begin_input()
            while self._open:
                wait = min(self._due - time.monotonic(), _DRAIN)
                if wait <= 0:
                    return "it took too long"
                ready = self._selector.select(wait)
                if not ready and self._process.poll() is not None:
                    return ""  # its child holds the pipe; what the process itself said is read
                for key, _ in ready:
                    key.data(key.fd)
                if len(self.output) > OUTPUT_CAP:
                    del self.output[OUTPUT_CAP:]
                    return f"it printed more than {OUTPUT_CAP >> 20} MiB"
        return self._wait_end()

    def _wait_end(self) -> str:
        import subprocess

        try:
            self._process.wait(max(self._due - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return "it took too long"
        return ""

    def _begin(self, stream: IO[bytes] | None, keep: Callable[[bytes], None]) -> None:
        def take(descriptor: int) -> None:
            if data := os.read(descriptor, _BLOCK):
                keep(data)
            else:
                self._selector.unregister(descriptor)
                self._open -= 1

        if stream is not None:
            self._selector.register(stream.fileno(), selectors.EVENT_READ, take)
            self._open += 1

    def _begin_input(self) -> None:
        stream = self._process.stdin
        if stream is None:
            return

        def write(descriptor: int) -> None:
            try:
                self._data = self._data[os.write(descriptor, self._data[:_BLOCK]) :]
            except BlockingIOError:
                return
            except OSError:  # it does not want the rest
                self._data = self._data[:0]
            if not self._data:
                self._selector.unregister(descriptor)
                stream.close()

        if self._data:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream.fileno(), selectors.EVENT_WRITE, write)
        else:
            stream.close()

    def _keep_output(self, data: bytes) -> None:
        self.output += data

    def _keep_errors(self, data: bytes) -> None:
        self.errors += data[: max(ERRORS_CAP - len(self.errors), 0)]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it left running: TERM, then KILL."""
    _signal_group(process.pid, signal.SIGTERM)
    due = time.monotonic() + GRACE
    while time.monotonic() < due and _has_group(process.pid):
        process.poll()
        time.sleep(0.01)
    _signal_group(process.pid, signal.SIGKILL)
    with suppress(Exception):
        process.wait(GRACE)


def _has_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS: a zombie is not ours to signal
        return False
    return True


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
