"""gptkit as a process over descriptors that the test chooses."""

from __future__ import annotations

import fcntl
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from fake.program import COMMAND, AsProcess, Surroundings
from fake.signals import unblocked
from fake.waiting import SOON, wait_true


def started(
    around: Surroundings,
    *args: str,
    stdin: int = DEVNULL,
    stdout: int = PIPE,
    stderr: int = PIPE,
    command: tuple[str, ...] = COMMAND,
    env: Mapping[str, str | None] | None = None,
    key: str | None = "sk-test",
) -> Popen[bytes]:
    with unblocked():
        return Popen(
            [*command, *args],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=around.process_environ(env, key),
            cwd=around.folder,
        )


def ended(process: Popen[bytes], seconds: float = SOON) -> tuple[int, str, str]:
    """Exit code and what came on those streams that are pipes to the test."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process.returncode, (output or b"").decode(), (errors or b"").decode()


def redirected(run: AsProcess, redirection: str, *args: str) -> tuple[int, str, str]:
    """Run with a shell's redirection of its streams."""
    return run(*args, command=("/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND))


def wait_taken(writing: int) -> None:
    """Until the program has read what was written to its standard input, and so reads on."""
    waiting = bytearray(4)
    wait_true(lambda: fcntl.ioctl(writing, termios.FIONREAD, waiting) or not any(waiting), "nobody reads")


def first_bytes(process: Popen[bytes], count: int) -> bytes:
    """The first bytes of standard output, as soon as they are there."""
    assert process.stdout is not None
    return process.stdout.read(count)


def open_below(folder: Path) -> list[str]:
    """What this process has open there, by name; it needs /proc."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(descriptor.readlink()))
    return sorted(name for name in found if name.startswith(f"{folder}/"))
