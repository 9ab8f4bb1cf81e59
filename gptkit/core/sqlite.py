"""SQLite files of gptkit: private, migrated by number, and left byte for byte as they are when damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING

from gptkit.core.errors import (
    CannotReadError,
    CannotWriteError,
    ConfigurationError,
    GptkitError,
    TryAgainError,
)
from gptkit.core.files import folder_lock, make_private_folder

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    Migration = Callable[[sqlite3.Connection], None]


BUSY_SECONDS = 60.0
_HEADER = 100
"""Bytes of a database's header, https://www.sqlite.org/fileformat.html#the_database_header."""
_TIMES_TO_OPEN = 20


def connect(
    path: Path | None, migrations: Sequence[Migration], application_id: int, hint: str = ""
) -> sqlite3.Connection:
    """Open a database, make it where there is none, and bring it to the newest version.

    Without a path it is in memory, and gone when it is closed.
    `migrations[n]` leads from version n to n + 1; all that are due run in one transaction. `hint` says
    what to do about a damaged file.

    Raises CannotReadError, CannotWriteError, TryAgainError, ConfigurationError.
    """
    with convert_errors(path, hint):
        if path is not None:
            _create(path, application_id)
            _check_header(path, len(migrations), application_id, hint)
        connection = _opened(path, hint)
        try:
            _migrate(connection, path, migrations)
        except BaseException:
            close_without_cleanup(connection, path)
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path | None, hint: str = "") -> Iterator[None]:
    """All of it or nothing, and nobody else writes meanwhile."""
    with convert_errors(path, hint):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has rolled back by itself
                with suppress(Exception):
                    connection.execute("ROLLBACK")
            raise


@contextmanager
def convert_errors(path: Path | None, hint: str = "") -> Iterator[None]:
    """What goes wrong with the database, as errors of gptkit."""
    try:
        yield
    except OSError as error:
        raise CannotWriteError(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    except Exception as error:
        if type(error).__module__ != "sqlite3":
            raise
        raise _fault(error, path, hint) from error


def close_without_cleanup(connection: sqlite3.Connection, path: Path | None) -> None:
    """Close without the clean-up that the last connection does, which would write to the file.

    A second connection that cannot write is then the last one.
    """
    import sqlite3

    if path is None:
        connection.close()
        return
    try:
        with closing(sqlite3.connect(_uri(path, "ro"), uri=True, timeout=0)) as witness:
            with suppress(sqlite3.Error):
                witness.execute("PRAGMA user_version").fetchone()
            connection.close()
    except sqlite3.Error:
        connection.close()


def refuse_special_file(path: Path) -> None:
    """A pipe or a device would be waited for; raises CannotReadError. A folder says so itself."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise CannotReadError(f"'{path}': not a regular file")


def _create(path: Path, application_id: int) -> None:
    """A new file appears with its whole header: no file in this place is ever half made."""
    if path.exists():
        return
    make_private_folder(path.parent)
    with folder_lock(path.parent):
        if path.exists():
            return
        log = path.with_name(path.name + "-wal")
        if path.is_symlink():
            raise CannotReadError(f"'{path}': it is a link that leads nowhere", hint="restore the file")
        if log.exists() and log.stat().st_size:
            raise CannotReadError(
                f"'{path}': it is gone, but '{log.name}' beside it is not", hint="restore the file"
            )
        temporary = path.with_name(f".gptkit-{os.urandom(8).hex()}")
        try:
            _write_empty(temporary, application_id)
            temporary.replace(path)
        finally:
            for ending in ("", "-wal", "-shm", "-journal"):
                temporary.with_name(temporary.name + ending).unlink(missing_ok=True)


def _write_empty(path: Path, application_id: int) -> None:
    import sqlite3

    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o600))
    path.chmod(0o600)
    with closing(sqlite3.connect(_uri(path, "rw"), uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {application_id:d}")


def _check_header(path: Path, version: int, application_id: int, hint: str) -> None:
    """Refuse what is not ours before a connection may write: one writes when it closes, if only to tidy up.

    SQLite reads the header: POSIX locks belong to the process, so if this process opened and closed the file
    itself, all its connections would lose theirs (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    _refuse_unreadable(path)
    if (size := path.stat().st_size) < _HEADER:
        raise CannotReadError(f"'{path}': it is damaged: it ends after {size} bytes", hint=hint)
    import sqlite3

    try:
        # Immutable: without locks, and without the log, which is neither read nor made.
        with closing(sqlite3.connect(f"{_uri(path, 'ro')}&immutable=1", uri=True)) as connection:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            found = _version(connection)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise CannotReadError(f"'{path}': it is not gptkit's, or damaged", hint=hint) from error
        return  # another process moves its log into the file, or it is damaged: to open it tells which
    if owner != application_id:
        raise CannotReadError(f"'{path}': it is not gptkit's, or damaged", hint=hint)
    _check_version(path, found, version)


def _refuse_unreadable(path: Path) -> None:
    refuse_special_file(path)
    if path.is_dir():
        raise CannotReadError(f"'{path}': is a directory")
    if not os.access(path, os.R_OK):
        raise CannotReadError(f"'{path}': permission denied")


def _check_version(path: Path | None, found: int, known: int) -> None:
    if found > known:
        raise ConfigurationError(
            f"'{path}': it was written by a newer gptkit (version {found}, this one knows {known})",
            hint="upgrade gptkit, or set GPTKIT_HOME to another folder",
        )


def _opened(path: Path | None, hint: str) -> sqlite3.Connection:
    import sqlite3

    for left in reversed(range(_TIMES_TO_OPEN)):
        connection = sqlite3.connect(
            _uri(path, "rw"), uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return connection
        except sqlite3.OperationalError as error:
            close_without_cleanup(connection, path)
            # While the last connection of another process tidies up, SQLite does not always wait.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not left:
                raise
        except sqlite3.Error:
            close_without_cleanup(connection, path)
            raise
    raise TryAgainError(f"'{path}': it is locked", hint=hint)


def _migrate(connection: sqlite3.Connection, path: Path | None, migrations: Sequence[Migration]) -> None:
    found = _version(connection)
    _check_version(path, found, len(migrations))
    if found == len(migrations):
        return
    with transaction(connection, path):
        found = _version(connection)  # another first run may have been faster
        _check_version(path, found, len(migrations))
        for migration in migrations[found:]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {len(migrations):d}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _uri(path: Path | None, mode: str) -> str:
    """https://www.sqlite.org/uri.html says which characters need what."""
    if path is None:
        return ":memory:"
    name = path.absolute().as_posix()
    for character, code in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        name = name.replace(character, code)
    return f"file:{'' if name.startswith('/') else '/'}{name}?mode={mode}"


def _fault(error: Exception, path: Path | None, hint: str) -> GptkitError:
    import sqlite3

    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TryAgainError(f"'{path}': it is locked by another process")
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return CannotWriteError(f"'{path}': no space left on device")
    if code in (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS):
        return CannotReadError(f"'{path}': it cannot be read ({name})", hint=hint)
    if code & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return CannotWriteError(f"'{path}': it cannot be written ({name})")
    if code & 0xFF == sqlite3.SQLITE_TOOBIG:
        return CannotWriteError(f"'{path}': a text is too long for it")
    return CannotReadError(f"'{path}': it is damaged ({name})", hint=hint)


class Database:
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
            with convert_errors(self.path, self._hint):
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self.lock, self._kept_when_damaged():
            connection = self._opened()
            with transaction(connection, self.path, self._hint):
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

    def set_busy_timeout(self, seconds: float) -> None:
        """How long another writer is waited for."""
        with self.lock:
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000):d}")

    def close(self) -> None:
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    def close_without_cleanup(self) -> None:
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                close_without_cleanup(connection, self.path)

    def after_open(self) -> None:
        """What is due once the file is open."""

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self.path, *self._how)
            self.after_open()
        if self._connection is None:  # what was begun has met damage
            raise CannotReadError(f"'{self.path}': it is damaged", hint=self._hint)
        return self._connection

    @contextmanager
    def _kept_when_damaged(self) -> Iterator[None]:
        try:
            yield
        except CannotReadError:
            self.close_without_cleanup()
            raise
