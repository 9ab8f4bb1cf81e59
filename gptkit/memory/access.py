"""One connection to the memory, for all threads of a process one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

from gptkit import database
from gptkit.errors import CannotRead
from gptkit.memory.schema import APPLICATION_ID, HINT, MIGRATIONS

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


class Access:
    """Opened when it is first used. Every failure is a GptkitError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = RLock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self.lock, self._kept_when_damaged():
            connection = self._opened()
            with database.faults(self.path, HINT):
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self.lock, self._kept_when_damaged():
            connection = self._opened()
            with database.transaction(connection, self.path, HINT):
                yield connection

    def open(self) -> None:
        if self._connection is None:
            with self.lock, self._kept_when_damaged():
                self._opened()

    def be_patient(self, seconds: float) -> None:
        """How long another writer is waited for."""
        with self.lock:
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000):d}")

    def close(self) -> None:
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    def close_untouched(self) -> None:
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                database.close_untouched(connection, self.path)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.connect(self.path, MIGRATIONS, APPLICATION_ID, HINT)
        return self._connection

    @contextmanager
    def _kept_when_damaged(self) -> Iterator[None]:
        """A damaged file is not written to again, not even to tidy up."""
        try:
            yield
        except CannotRead:
            self.close_untouched()
            raise
