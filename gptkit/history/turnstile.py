"""One process at a time: locks on open files, which end with the process however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gptkit.errors import CannotWrite
from gptkit.files import make_private_folder

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def session_lock(folder: Path, session_id: str, wait: Callable[[], object]) -> Iterator[None]:
    """Work alone on a session. `wait` is called again and again while another process has it.

    `wait` sleeps a moment, and raises when that has been long enough. Raises CannotWrite.
    """
    path = folder / f"{session_id}.lock"
    try:
        make_private_folder(folder)
        descriptor = _held(path, wait)
    except OSError as error:
        raise CannotWrite(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: who waits for it sees that and makes a new one
        os.close(descriptor)


def hold(descriptor: int) -> bool:
    """Lock an open file unless somebody has it; a file system without locks lets everybody in."""
    try:
        _lock(descriptor)
    except BlockingIOError:
        return False
    except PermissionError:
        return sys.platform != "win32"
    except OSError:
        return True
    return True


def is_current(descriptor: int, path: Path) -> bool:
    """The open file still has this name; else another process was done with it, and removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _held(path: Path, wait: Callable[[], object]) -> int:
    while True:
        descriptor = os.open(path, PRIVATE | os.O_CREAT, 0o600)
        try:
            while not hold(descriptor):
                wait()
            if is_current(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(
            descriptor, 1 << 30, os.SEEK_SET
        )  # beyond all content: Windows forbids to read what is locked
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
