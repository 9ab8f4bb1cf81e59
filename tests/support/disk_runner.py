"""Runs gptkit again and again with a disk that fails, or a kill, at one call that changes files.

It reads jobs as lines of JSON and answers each with a line. gptkit is loaded once; every job is a fork
of that process, in which the functions of `os` that change files are counted, and the one that the job
names fails. What would change a file past them ends the run with a message: the count would be a lie.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import json
import os
import pkgutil
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlite_calls import count_calls

GROWING = {"open", "write", "mkdir", "fsync", "rename", "symlink", "link"}
"""What needs room on the disk; a full one still lets files be removed."""
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SEEN_BY_AUDIT = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.truncate"}
HALF = ("full", "torn", "short")
UNSEEN = 99


class Disk:
    """Counts the calls and fails the one at `at`, as `fault` says.

    full     no room from there on; a write may begin and stop half-way
    broken   this one call fails with EIO
    dead     this and every later call fails with EIO
    frozen   this and every later call fails with EROFS
    kill     SIGKILL before it
    torn     SIGKILL half-way through it, if it is a write
    short    half of it is written and it says so, if it is a write
    none     nothing fails
    """

    def __init__(self, fault: str, at: int, log: str) -> None:
        self.fault, self.at, self.count = fault, at, 0
        self._thread = threading.local()
        self.files: set[int] = set()
        self.folders: set[int] = set()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._write = os.write

    def call(self, name: str, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        number, self.count = self.count, self.count + 1
        target = f" {Path(os.fsdecode(args[1])).name}" if name == "rename" else ""
        self._write(self._log, f"{name}{target}\n".encode())
        if number == self.at and self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        torn = number == self.at and name == "write" and self.fault in HALF and len(args[1]) > 1
        if torn:
            written = self._real(real, args[0], args[1][: len(args[1]) // 2], **options)
            if self.fault == "torn":
                os.kill(os.getpid(), signal.SIGKILL)
            return written
        if code := self._code(name, number):
            if name == "close":
                self._real(real, *args)  # a descriptor is gone, whatever its close said
            raise OSError(code, os.strerror(code))
        return self._real(real, *args, **options)

    def _code(self, name: str, number: int) -> int:
        if self.fault == "full" and number >= self.at and name in GROWING:
            return errno.ENOSPC
        if (self.fault == "broken" and number == self.at) or (self.fault == "dead" and number >= self.at):
            return errno.EIO
        return errno.EROFS if self.fault == "frozen" and number >= self.at and name in GROWING else 0

    def _real(self, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._thread.inside = True
        try:
            return real(*args, **options)
        finally:
            self._thread.inside = False

    @property
    def inside(self) -> bool:
        """Whether this thread is in one of the calls that are counted."""
        return getattr(self._thread, "inside", False)


def install(disk: Disk) -> None:
    """Put the disk between gptkit and `os`."""
    names = ("open", "write", "fsync", "fchmod", "fchown", "ftruncate", "close")
    real = {name: getattr(os, name) for name in names}

    def opened(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & CHANGING and path != os.devnull:
            number: int = disk.call("open", real["open"], path, flags, *args, **options)
            disk.files.add(number)
            return number
        number = disk._real(real["open"], path, flags, *args, **options)
        if stat.S_ISDIR(os.fstat(number).st_mode):
            disk.folders.add(number)
        return number

    def on_descriptor(name: str, kinds: Callable[[], set[int]]) -> Callable[..., Any]:
        def function(number: int, *args: Any, **options: Any) -> Any:
            if number not in kinds():
                return disk._real(real[name], number, *args, **options)
            return disk.call(name, real[name], number, *args, **options)

        return function

    def closed(number: int) -> None:
        counted = number in disk.files
        disk.files.discard(number)
        disk.folders.discard(number)
        if counted:
            disk.call("close", real["close"], number)
        else:
            real["close"](number)

    os.open, os.close = opened, closed  # type: ignore[assignment]
    os.write = on_descriptor("write", lambda: disk.files)
    os.fsync = on_descriptor("fsync", lambda: disk.files | disk.folders)
    os.fchmod = on_descriptor("fchmod", lambda: disk.files)
    os.fchown = on_descriptor("fchown", lambda: disk.files)
    os.ftruncate = on_descriptor("ftruncate", lambda: disk.files)
    for name in ("mkdir", "chmod", "rename", "replace", "unlink", "remove", "rmdir", "symlink", "link"):
        _wrap(disk, name)
    sys.addaudithook(_watching(disk))


def _wrap(disk: Disk, name: str) -> None:
    real = getattr(os, name)
    shown = {"replace": "rename", "remove": "unlink"}.get(name, name)
    setattr(os, name, lambda *args, **options: disk.call(shown, real, *args, **options))


def _watching(disk: Disk) -> Callable[[str, tuple[Any, ...]], None]:
    def watch(event: str, args: tuple[Any, ...]) -> None:
        if disk.inside:
            return
        changing = event == "open" and isinstance(args[2], int) and args[2] & CHANGING
        if event in SEEN_BY_AUDIT or (changing and args[0] != os.devnull):
            with contextlib.suppress(OSError):
                disk._write(2, f"\nuncounted: {event} {args[0]}\n".encode())
            os._exit(UNSEEN)

    return watch


def child(job: Mapping[str, Any]) -> None:
    """Become gptkit, as `python -m gptkit` would be it, and leave with its exit code."""
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environ"])
    os.umask(job["umask"])
    for number, name, flags in (
        (0, job["stdin"], os.O_RDONLY),
        (1, job["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, job["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["gptkit", *job["args"]]
    disk = Disk(job["fault"], job["at"], job["log"])
    install(disk)
    if "COUNT_SQLITE" in os.environ:
        count_calls(lambda name: disk.call(f"sqlite {name}", lambda: None))
    importlib.import_module("gptkit.__main__").entry_point()


def serve() -> None:
    import gptkit

    for module in pkgutil.walk_packages(gptkit.__path__, "gptkit."):
        importlib.import_module(module.name)
    for name in ("openai", "yaml", "typer.main", "rich", "minijinja"):
        importlib.import_module(name)
    gc.disable()
    gc.freeze()  # a fork then shares what is loaded
    for line in sys.stdin:
        number = os.fork()
        if not number:
            code = 70
            try:
                child(json.loads(line))
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 70
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
