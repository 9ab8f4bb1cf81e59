"""One writer at a time: two that read, change and write the same file must not lose a change."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from gptkit.errors import CannotWrite
from gptkit.files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Some network file systems have no locks; there the last writer wins."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
