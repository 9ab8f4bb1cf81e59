"""What was typed at the prompt, kept for the next time in a file that only its owner reads."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gptkit.core.errors import CannotWrite
from gptkit.core.files import make_private_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.redact import Redaction

NAME = "prompt_history"
LINES = 1000
"""Lines that are offered again."""
LARGEST = 64 << 10
"""Bytes of a line that is kept; what is longer was pasted."""
FILE_CAP = 1 << 20
"""Bytes after which the older half of the file is dropped."""


class HistoryFile:
    """One JSON string a line, the newest last; several processes may append at once."""

    def __init__(self, path: Path, secrets: Redaction) -> None:
        self._path = path
        self._secrets = secrets

    def lines(self) -> list[str]:
        """The newest lines, the oldest of them first; none where the file cannot be read."""
        try:
            with self._path.open("rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return []
                start = max(0, file.seek(0, os.SEEK_END) - FILE_CAP)
                file.seek(start)
                kept = file.read().split(b"\n")[1 if start else 0 :]
        except OSError:
            return []
        found = [text for line in kept if (text := _text(line))]
        return found[-LINES:]

    def add(self, line: str) -> None:
        """Append a line; known keys in it are left out. Raises CannotWrite."""
        data = json.dumps(self._secrets.redacted(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(data) > LARGEST:
            return
        try:
            make_private_folder(self._path.parent)
            with self._held() as descriptor:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    data = b"\n" + data  # a process was killed while it wrote
                os.write(descriptor, data)
                if size > FILE_CAP:
                    self._drop_older_half(descriptor, size)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotWrite(f"cannot write '{self._path}': {reason}") from error

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """The file, locked, and still the one of that name: another process may have replaced it."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        while True:
            descriptor = os.open(self._path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(0, "it is not a regular file")
                if hasattr(os, "fchmod") and stat.S_IMODE(status.st_mode) != 0o600:
                    os.fchmod(descriptor, 0o600)
                _lock(descriptor)
                if self._is(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _is(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _drop_older_half(self, descriptor: int, size: int) -> None:
        rest = os.pread(descriptor, size, size // 2)
        write_private(self._path, rest.partition(b"\n")[2])


def _text(line: bytes) -> str:
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""


def _lock(descriptor: int) -> None:
    """Some network file systems have no locks; appended lines are whole there as well."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
