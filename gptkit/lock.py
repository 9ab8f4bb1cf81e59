"""One at a time: locks on folders and on files of their own, which end with the process however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from gptkit.errors import CannotWrite
from gptkit.files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PRIVATE = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be; another holder is waited for."""
    try:
        make_private_folder(folder)
        descriptor = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CannotWrite(f"cannot write in '{folder}': {(error.strerror or str(error)).lower()}") from error
    try:
        if descriptor is not None:
            _lock(descriptor)
        yield
    finally:
        if descriptor is not None:
            release(descriptor)


@contextlib.contextmanager
def alone(path: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Hold the lock of a name, as `held_file` does; nothing stays behind. Raises CannotWrite."""
    try:
        make_private_folder(path.parent)
        descriptor = held_file(path, wait)
    except OSError as error:
        raise CannotWrite(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        let_go(descriptor, path)


def held_file(path: Path, wait: Callable[[], object]) -> int:
    """Make the file and lock it. `wait` is called again and again while another one has it.

    Who is done lets go of it. Raises OSError.
    """
    while True:
        descriptor = os.open(path, PRIVATE | os.O_CREAT, 0o600)
        try:
            while not hold(descriptor):
                wait()
            if is_current(descriptor, path):
                return descriptor
        except BaseException:
            release(descriptor)
            raise
        release(descriptor)


def let_go(descriptor: int, path: Path) -> None:
    """Remove the file while it is held: who waits for it sees that and makes a new one."""
    with contextlib.suppress(OSError):
        path.unlink()
    release(descriptor)


def release(descriptor: int) -> None:
    """Let go of a file of which nothing more is wanted: that its close can fail is of no concern."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def hold(descriptor: int) -> bool:
    """Lock an open file unless somebody has it; a file system without locks lets everybody in."""
    try:
        _lock_now(descriptor)
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


def _lock(descriptor: int) -> None:
    """Some network file systems have no locks; there the last writer wins."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _lock_now(descriptor: int) -> None:
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
