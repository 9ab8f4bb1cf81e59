"""Files that are written whole or not at all, and the question whether two names mean one file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from gptkit.core.errors import CannotWriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


_TEMPORARY = ".gptkit-"
_ABANDONED = 24 * 3600
"""Seconds after which nobody can still be writing a temporary file: a killed run left it behind."""
_NO_PROMISE = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}
"""How file systems say that they do not sync folders."""


def write_atomic(path: Path, data: bytes | Iterable[bytes], mode: int | None = None) -> None:
    """Replace a file's content; on any failure the old file is as it was. Raises CannotWriteError.

    Pieces are written as they come; what goes wrong while they are made is a failure like any other.
    A symbolic link stays and the file it points at is replaced, unless another user put the link
    into a folder that everyone may write to. An existing file keeps its owner and its mode unless
    one is given; a read-only one is refused. What is no file (a device, a FIFO) is written to directly.
    """
    try:
        if is_untrusted_link(path):
            raise CannotWriteError(f"cannot write '{path}': it is another user's symbolic link")
        existing = _status(path)
        if existing is None:
            target = path.resolve()
        elif stat.S_ISREG(existing.st_mode):
            target = path.resolve(strict=True)
            if not os.access(target, os.W_OK):
                raise PermissionError(0, "permission denied")
        else:
            _write_directly(path, data)
            return
        _replace(target, data, mode, existing)
    except (OSError, ValueError) as error:
        raise CannotWriteError(f"cannot write '{path}': {cause(error)}") from error


def write_private(path: Path, data: bytes) -> None:
    """Replace a file that only its owner may read: 0600 whatever the umask. Raises CannotWriteError.

    Missing folders are made 0700. A symbolic link in the file's place is refused: someone else may
    have put it there.
    """
    try:
        make_private_folder(path.parent)
        if path.is_symlink():
            raise CannotWriteError(
                f"cannot write '{path}': it is a symbolic link",
                hint="remove it; private files are never links",
            )
        existing = _status(path)
        if existing is not None and not stat.S_ISREG(existing.st_mode):
            raise CannotWriteError(f"cannot write '{path}': it is not a regular file")
        _replace(path, data, 0o600, None)
    except (OSError, ValueError) as error:
        raise CannotWriteError(f"cannot write '{path}': {cause(error)}") from error


def replace_path(path: Path, data: bytes, like: Path) -> None:
    """Put a file in the place of whatever has this name; no link is followed. Raises CannotWriteError.

    The mode stays that of the file there was, or else becomes that of another one.
    """
    try:
        example = None if path.is_symlink() else _status(path)
        if example is None or not stat.S_ISREG(example.st_mode):
            example = _status(like)
        _replace(path, data, stat.S_IMODE(example.st_mode) if example else None, None)
    except (OSError, ValueError) as error:
        raise CannotWriteError(f"cannot write '{path}': {cause(error)}") from error


def is_same_file(first: Path | int, second: Path | int) -> bool:
    """Two spellings, links or open descriptors of one regular file; neither needs to exist yet."""
    one, other = _status(first), _status(second)
    if one is not None and other is not None:
        return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)
    if one is not None or other is not None or isinstance(first, int) or isinstance(second, int):
        return False
    first, second = first.resolve(), second.resolve()
    if first == second:
        return True
    folder, other_folder = _status(first.parent), _status(second.parent)
    if first.name != second.name or folder is None or other_folder is None:
        return False
    return os.path.samestat(folder, other_folder)


def is_untrusted_link(path: Path) -> bool:
    """Whether a symbolic link stands there that another user may have put there as a trap.

    The rule of Linux's protected_symlinks, which not every system has: in a folder that everyone
    may write to, only one's own links are followed, and those of the folder's owner.
    """
    try:
        link = path.lstat()
        if not stat.S_ISLNK(link.st_mode) or link.st_uid == _user():
            return False
        folder = path.parent.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return bool(folder.st_mode & stat.S_IWOTH) and link.st_uid != folder.st_uid


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0  # Windows calls every owner 0


def _status(path: Path | int) -> os.stat_result | None:
    try:
        return os.fstat(path) if isinstance(path, int) else path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write_directly(path: Path, data: bytes | Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)


def _replace(
    target: Path, data: bytes | Iterable[bytes], mode: int | None, existing: os.stat_result | None
) -> None:
    temporary = target.with_name(_TEMPORARY + os.urandom(8).hex())
    kept = mode if mode is not None else stat.S_IMODE(existing.st_mode) if existing else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666 if kept is None else 0o600)
        try:
            for piece in [data] if isinstance(data, bytes) else data:
                _write_all(descriptor, piece)
            if existing is not None:
                keep_owner(descriptor, existing)
            if kept is not None and hasattr(os, "fchmod"):  # Windows has it from Python 3.13 on
                os.fchmod(descriptor, kept)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    _remove_abandoned(target.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def keep_owner(descriptor: int, existing: os.stat_result) -> None:
    """Only root can give a file away; for everyone else the file becomes theirs, as with an editor."""
    if hasattr(os, "fchown") and (existing.st_uid, existing.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.fchown(descriptor, existing.st_uid, existing.st_gid)


def sync_folder(folder: Path) -> None:
    """The new name survives a power cut; a file system that cannot promise that is not a failure."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_PROMISE:  # Windows opens no folders: EACCES
            raise


def _remove_abandoned(folder: Path) -> None:
    """Temporary files that killed runs of this user left in the folder."""
    oldest = time.time() - _ABANDONED
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_TEMPORARY) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                if status.st_mtime < oldest and status.st_uid == _user():
                    os.unlink(entry.path)  # noqa: PTH108


def make_private_folder(folder: Path) -> None:
    missing = []
    while _status(folder) is None and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        try:
            each.mkdir(0o700)
        except FileExistsError:  # another first run was faster
            continue
        each.chmod(0o700)


def cause(error: OSError | ValueError) -> str:
    """The system's words for what is wrong with a file; a ValueError is how Python refuses its name."""
    if isinstance(error, ValueError):
        return "its name holds a character that no name can hold"
    reason = error.strerror or type(error).__name__
    return reason[:1].lower() + reason[1:]


PRIVATE_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be; another holder is waited for."""
    try:
        make_private_folder(folder)
        descriptor = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CannotWriteError(
            f"cannot write in '{folder}': {(error.strerror or str(error)).lower()}"
        ) from error
    try:
        if descriptor is not None:
            _lock(descriptor)
        yield
    finally:
        if descriptor is not None:
            close_quietly(descriptor)


@contextlib.contextmanager
def exclusive_lock(path: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Hold the lock of a name, as `create_locked` does; nothing stays behind. Raises CannotWriteError."""
    try:
        make_private_folder(path.parent)
        descriptor = create_locked(path, wait)
    except OSError as error:
        raise CannotWriteError(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        unlink_and_close(descriptor, path)


def create_locked(path: Path, wait: Callable[[], object]) -> int:
    """Make the file and lock it. `wait` is called again and again while another one has it.

    Who is done lets go of it. Raises OSError.
    """
    while True:
        descriptor = os.open(path, PRIVATE_FLAGS | os.O_CREAT, 0o600)
        try:
            while not try_lock(descriptor):
                wait()
            if has_name(descriptor, path):
                return descriptor
        except BaseException:
            close_quietly(descriptor)
            raise
        close_quietly(descriptor)


def unlink_and_close(descriptor: int, path: Path) -> None:
    """Remove the file while it is held: who waits for it sees that and makes a new one."""
    with contextlib.suppress(OSError):
        path.unlink()
    close_quietly(descriptor)


def close_quietly(descriptor: int) -> None:
    """Let go of a file of which nothing more is wanted: that its close can fail is of no concern."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
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


def has_name(descriptor: int, path: Path) -> bool:
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
