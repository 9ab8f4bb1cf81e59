"""One database file, opened when it is first used, for all threads of a process one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

from gptkit import database
from gptkit.errors import CannotRead

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from gptkit.database import Migration


class Access:
    """The arguments are those of `database.connect`. Every failure is a GptkitError.

    A damaged file is not written to again, not even to tidy up.
    """

    def __init__(
        self, path: Path | None, migrations: Sequence[Migration], application_id: int, hint: str
    ) -> None:
        self.path = path
        self.lock = RLock()
        self._how = (migrations, application_id, hint)
        self._hint = hint
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self.lock, self._kept_when_damaged():
            connection = self._opened()
            with database.faults(self.path, self._hint):
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self.lock, self._kept_when_damaged():
            connection = self._opened()
            with database.transaction(connection, self.path, self._hint):
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One moment of the file: what others write meanwhile is not seen."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

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

    def begin(self) -> None:
        """What is due once the file is open."""

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = database.connect(self.path, *self._how)
            self.begin()
        if self._connection is None:  # what was begun has met damage
            raise CannotRead(f"'{self.path}': it is damaged", hint=self._hint)
        return self._connection

    @contextmanager
    def _kept_when_damaged(self) -> Iterator[None]:
        try:
            yield
        except CannotRead:
            self.close_untouched()
            raise
