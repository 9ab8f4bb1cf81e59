"""Who asks for a piece: one thread of one process at a time, and whoever dies lets go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from gptkit.core.files import PRIVATE, held_file, hold, is_current, let_go, make_private_folder, release

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE = 0.02
"""Seconds between two looks whether another one is done; a request takes ten times as long at least."""
_ENDING = ".lock"


class Claims:
    """A folder of locked files, one for each piece that is being asked for.

    A lock ends with its process however that ends; the file that is then left behind is empty, serves
    the next one who wants the piece, and is removed by the next process that comes here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: set[bytes] = set()
        self._lock = Lock()
        self._is_ready = False

    @contextmanager
    def claim(self, key: bytes, pause: Callable[[float], object]) -> Iterator[None]:
        """Where the folder cannot be written to, only the threads of this process know of each other."""
        while not self._taken(key):
            pause(_PAUSE)
        try:
            with self._file(key, pause):
                yield
        finally:
            with self._lock:
                self._mine.discard(key)

    def _taken(self, key: bytes) -> bool:
        with self._lock:
            if key in self._mine:
                return False
            self._mine.add(key)
            return True

    @contextmanager
    def _file(self, key: bytes, pause: Callable[[float], object]) -> Iterator[None]:
        path = self._folder / f"{key.hex()}{_ENDING}"
        try:
            self._make_ready()
            descriptor = held_file(path, lambda: pause(_PAUSE))
        except OSError:
            yield
            return
        try:
            yield
        finally:
            let_go(descriptor, path)

    def _make_ready(self) -> None:
        if self._is_ready:
            return
        with self._lock:
            if not self._is_ready:
                make_private_folder(self._folder)
                self._remove_abandoned()
                self._is_ready = True

    def _remove_abandoned(self) -> None:
        with suppress(OSError):
            for path in self._folder.glob(f"*{_ENDING}"):
                with suppress(OSError):
                    descriptor = os.open(path, PRIVATE)
                    try:
                        if hold(descriptor) and is_current(descriptor, path):
                            path.unlink()
                    finally:
                        release(descriptor)
