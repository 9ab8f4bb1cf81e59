"""Write files whole or not at all, tell whether two names mean one file, and lock files and folders."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gptkit.core.clock import unix_time
from gptkit.core.errors import CannotReadError, CannotWriteError, NoInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


_TEMPORARY = ".gptkit-"
_ABANDONED = 24 * 3600
"""Seconds after which a temporary file must have been left behind by a killed run."""
_NO_FOLDER_SYNC = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}
"""Errors of file systems that cannot sync a folder."""


def write_atomic(path: Path, data: bytes | Iterable[bytes], mode: int | None = None) -> None:
    """Replace the content of a file; after any failure the old file is unchanged. Raises CannotWriteError.

    An iterable is written while it yields; an exception that it raises leaves the old file unchanged too.
    If `path` is a symbolic link, the file that the link points at is replaced, unless another user put
    the link into a folder that everyone may write to. An existing file keeps its owner, and its mode
    unless `mode` is given; a read-only one is refused. A device or a FIFO is written to directly.
    """
    try:
        if is_untrusted_link(path):
            raise CannotWriteError(f"cannot write '{path}': it is another user's symbolic link")
        existing = file_status(path)
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
    """Replace a file with one that only its owner may read. Raises CannotWriteError.

    The file gets mode 0600 and missing folders 0700, whatever the umask. A symbolic link is refused:
    someone else may have put the link there.
    """
    try:
        make_private_folder(path.parent)
        if path.is_symlink():
            raise CannotWriteError(
                f"cannot write '{path}': it is a symbolic link",
                hint="remove it; private files are never links",
            )
        existing = file_status(path)
        if existing is not None and not stat.S_ISREG(existing.st_mode):
            raise CannotWriteError(f"cannot write '{path}': it is not a regular file")
        _replace(path, data, 0o600, None)
    except (OSError, ValueError) as error:
        raise CannotWriteError(f"cannot write '{path}': {cause(error)}") from error


def replace_path(path: Path, data: bytes, like: Path) -> None:
    """Replace whatever `path` names, without following a link. Raises CannotWriteError.

    The new file has the mode of the file that it replaces, else the mode of `like`.
    """
    try:
        example = None if path.is_symlink() else file_status(path)
        if example is None or not stat.S_ISREG(example.st_mode):
            example = file_status(like)
        _replace(path, data, stat.S_IMODE(example.st_mode) if example else None, None)
    except (OSError, ValueError) as error:
        raise CannotWriteError(f"cannot write '{path}': {cause(error)}") from error


def is_same_file(first: Path | int, second: Path | int) -> bool:
    """Whether two paths or open descriptors mean one regular file; a path need not exist yet."""
    first_status, second_status = file_status(first), file_status(second)
    if first_status is not None and second_status is not None:
        return stat.S_ISREG(first_status.st_mode) and os.path.samestat(first_status, second_status)
    if first_status is not None or second_status is not None:
        return False
    if isinstance(first, int) or isinstance(second, int):
        return False
    first, second = first.resolve(), second.resolve()
    if first == second:
        return True
    first_folder, second_folder = file_status(first.parent), file_status(second.parent)
    if first.name != second.name or first_folder is None or second_folder is None:
        return False
    return os.path.samestat(first_folder, second_folder)


def is_untrusted_link(path: Path) -> bool:
    """Whether a path is a symbolic link that another user may have put there as a trap.

    This is the rule of Linux's protected_symlinks, which not every system has: in a folder that everyone
    may write to, a link counts only if this user or the folder's owner made it.
    """
    try:
        link = path.lstat()
        if not stat.S_ISLNK(link.st_mode) or link.st_uid == _user_id():
            return False
        folder = path.parent.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return bool(folder.st_mode & stat.S_IWOTH) and link.st_uid != folder.st_uid


def _user_id() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0  # Windows calls every owner 0


def file_status(path: Path | int) -> os.stat_result | None:
    """Return the status of a file or an open descriptor; None if there is no such file."""
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
    if mode is None and existing is not None:
        mode = stat.S_IMODE(existing.st_mode)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666 if mode is None else 0o600)
        try:
            for piece in [data] if isinstance(data, bytes) else data:
                write_all(descriptor, piece)
            sync_replacement(descriptor, existing, mode)
        finally:
            os.close(descriptor)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    _remove_abandoned(target.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes to a descriptor, which may take fewer at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_replacement(descriptor: int, existing: os.stat_result | None, mode: int | None) -> None:
    """Sync a new file to disk, with `mode` and with the owner of the existing file that it will replace.

    Only root can change the owner; for others nothing happens.
    """
    owner = (existing.st_uid, existing.st_gid) if existing is not None else None
    if owner is not None and hasattr(os, "fchown") and owner != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.fchown(descriptor, *owner)
    if mode is not None and hasattr(os, "fchmod"):  # Windows has it from Python 3.13 on
        os.fchmod(descriptor, mode)
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Sync a folder to disk, so that a new name in it survives a power cut, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:  # Windows opens no folders: EACCES
            raise


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files that killed runs of this user left in a folder."""
    oldest = unix_time() - _ABANDONED
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_TEMPORARY) and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                if status.st_mtime < oldest and status.st_uid == _user_id():
                    os.unlink(entry.path)  # noqa: PTH108


def make_private_folder(folder: Path) -> None:
    """Make a folder and its missing parents with mode 0700, whatever the umask; raises OSError."""
    missing = []
    while file_status(folder) is None and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for new_folder in reversed(missing):
        try:
            new_folder.mkdir(0o700)
        except FileExistsError:  # another first run was faster
            continue
        new_folder.chmod(0o700)


def cause(error: OSError | ValueError) -> str:
    """The system's words for an error with a file; Python raises a ValueError for an impossible name."""
    if isinstance(error, ValueError):
        return "its name holds a character that no name can hold"
    reason = error.strerror or str(error) or type(error).__name__
    return reason[:1].lower() + reason[1:]


@contextlib.contextmanager
def naming_errors(name: str) -> Iterator[None]:
    """Convert the errors of reading a file into NoInputError or CannotReadError with the quoted name."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NoInputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise NoInputError(f"{name}: it is a folder") from None
    except (OSError, ValueError) as error:
        raise CannotReadError(f"{name}: {cause(error)}") from None


PRIVATE_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Flags to open a file that gptkit made for itself: no link is followed."""


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, after waiting for its holder; a missing folder is made first.

    Raises CannotWriteError.
    """
    try:
        make_private_folder(folder)
        descriptor = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CannotWriteError(
            f"cannot write in '{folder}': {(error.strerror or str(error)).lower()}"
        ) from error
    try:
        if descriptor is not None:
            _wait_for_lock(descriptor)
        yield
    finally:
        if descriptor is not None:
            close_quietly(descriptor)


@contextlib.contextmanager
def exclusive_lock(path: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Hold the lock of a file that exists only while it is locked. Raises CannotWriteError.

    `wait` is called again and again while another process holds the lock, and may raise to give up.
    """
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
    """Create a file, or open it, and lock it; return its descriptor. Raises OSError.

    `wait` is called again and again while another process holds the lock, and may raise to give up.
    `unlink_and_close` ends the lock.
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
    """Remove a locked file and release its lock; a process that waits for the lock creates a new file."""
    with contextlib.suppress(OSError):
        path.unlink()
    close_quietly(descriptor)


def close_quietly(descriptor: int) -> None:
    """Close a file, and with it release its lock, where a failure to close loses nothing."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file; False if another process holds the lock. True on a file system without locks."""
    try:
        _lock_or_raise(descriptor)
    except BlockingIOError:
        return False
    except PermissionError:
        return sys.platform != "win32"
    except OSError:
        return True
    return True


def has_name(descriptor: int, path: Path) -> bool:
    """Whether an open file still has the name `path`, or another process removed the file meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _wait_for_lock(descriptor: int) -> None:
    """Lock an open file, waiting for its holder; on a file system without locks the last writer wins."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _lock_or_raise(descriptor: int) -> None:
    """Lock an open file; raises BlockingIOError, or PermissionError on Windows, if it is locked."""
    if sys.platform == "win32":
        import msvcrt

        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        # Beyond all content: on Windows no other process can read a byte that is locked.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
