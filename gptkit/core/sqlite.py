"""Open SQLite files that only the user may read, migrate them, and never write to a damaged one."""

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
"""Seconds that SQLite waits for another process to finish writing."""
_HEADER = 100
"""Bytes of the header of a database: https://www.sqlite.org/fileformat.html#the_database_header."""
_OPENING_ATTEMPTS = 20


def connect(
    path: Path | None, migrations: Sequence[Migration], application_id: int, hint: str = ""
) -> sqlite3.Connection:
    """Open a database, create it if it does not exist, and bring it to the newest version.

    Raises CannotReadError, CannotWriteError, TryAgainError, ConfigurationError.

    Args:
        path: None for a database in memory, which is lost when it is closed.
        migrations: the n-th leads from version n to n + 1; all that are due run in one transaction.
        application_id: the number in the header by which gptkit knows its own files.
        hint: what the user can do about a damaged file.
    """
    with convert_errors(path, hint):
        if path is not None:
            _create(path, application_id)
            _check_header(path, len(migrations), application_id, hint)
        connection = _open(path, hint)
        try:
            _migrate(connection, path, migrations)
        except BaseException:
            close_without_cleanup(connection, path)
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path | None, hint: str = "") -> Iterator[None]:
    """Run the block in a transaction that keeps other writers out, and roll it back on any exception."""
    with convert_errors(path, hint):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite has rolled back by itself on a full disk
                with suppress(Exception):
                    connection.execute("ROLLBACK")
            raise


@contextmanager
def convert_errors(path: Path | None, hint: str = "") -> Iterator[None]:
    """Raise the errors of SQLite and of the file system within the block as errors of gptkit."""
    try:
        yield
    except OSError as error:
        raise CannotWriteError(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    except Exception as error:
        if type(error).__module__ != "sqlite3":
            raise
        raise _converted_error(error, path, hint) from error


def close_without_cleanup(connection: sqlite3.Connection, path: Path | None) -> None:
    """Close a connection without the clean-up of the last connection, which would write to the file.

    A second, read-only connection is open meanwhile, so that this one is not the last.
    """
    import sqlite3

    if path is None:
        connection.close()
        return
    try:
        with closing(sqlite3.connect(_uri(path, "ro"), uri=True, timeout=0)) as last:
            with suppress(sqlite3.Error):
                last.execute("PRAGMA user_version").fetchone()
            connection.close()
    except sqlite3.Error:
        connection.close()


def refuse_special_file(path: Path) -> None:
    """Raise CannotReadError for a pipe or a device, which opening would wait for."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise CannotReadError(f"'{path}': not a regular file")


def _create(path: Path, application_id: int) -> None:
    """Create a database unless it exists; no other process ever sees it without its whole header."""
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
    """Refuse a file of another program or a newer gptkit before a connection can write to it.

    Even a connection that only reads may write when it closes. SQLite reads the header here: POSIX locks
    belong to the process, so if this process opened and closed the file itself, all its connections would
    lose their locks (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    _refuse_unreadable(path)
    if (size := path.stat().st_size) < _HEADER:
        raise CannotReadError(f"'{path}': it is damaged: it ends after {size} bytes", hint=hint)
    import sqlite3

    try:
        # Immutable: SQLite takes no locks, and neither reads nor makes a log.
        with closing(sqlite3.connect(f"{_uri(path, 'ro')}&immutable=1", uri=True)) as connection:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            file_version = _version(connection)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise CannotReadError(f"'{path}': it is not gptkit's, or damaged", hint=hint) from error
        return  # another process writes its log into the file, or the file is damaged: opening it will tell
    if owner != application_id:
        raise CannotReadError(f"'{path}': it is not gptkit's, or damaged", hint=hint)
    _check_version(path, file_version, version)


def _refuse_unreadable(path: Path) -> None:
    refuse_special_file(path)
    if path.is_dir():
        raise CannotReadError(f"'{path}': is a directory")
    if not os.access(path, os.R_OK):
        raise CannotReadError(f"'{path}': permission denied")


def _check_version(path: Path | None, version: int, known: int) -> None:
    if version > known:
        raise ConfigurationError(
            f"'{path}': it was written by a newer gptkit (version {version}, this one knows {known})",
            hint="upgrade gptkit, or set GPTKIT_HOME to another folder",
        )


def _open(path: Path | None, hint: str) -> sqlite3.Connection:
    import sqlite3

    for attempts_left in reversed(range(_OPENING_ATTEMPTS)):
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
            # SQLite does not always wait while the last connection of another process cleans up.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
        except sqlite3.Error:
            close_without_cleanup(connection, path)
            raise
    raise TryAgainError(f"'{path}': it is locked", hint=hint)


def _migrate(connection: sqlite3.Connection, path: Path | None, migrations: Sequence[Migration]) -> None:
    version = _version(connection)
    _check_version(path, version, len(migrations))
    if version == len(migrations):
        return
    with transaction(connection, path):
        version = _version(connection)  # another process may have migrated meanwhile
        _check_version(path, version, len(migrations))
        for migration in migrations[version:]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {len(migrations):d}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _uri(path: Path | None, mode: str) -> str:
    """The URI of a file with the characters escaped that https://www.sqlite.org/uri.html names."""
    if path is None:
        return ":memory:"
    name = path.absolute().as_posix()
    for character, code in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        name = name.replace(character, code)
    return f"file:{'' if name.startswith('/') else '/'}{name}?mode={mode}"


def _converted_error(error: Exception, path: Path | None, hint: str) -> GptkitError:
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
    """A database that is opened on first use and may be used by several threads.

    The arguments are those of `connect`. Every failure is a GptkitError. Once a file turns out to be
    damaged it is not written to again, not even to clean up.
    """

    def __init__(
        self, path: Path | None, migrations: Sequence[Migration], application_id: int, hint: str
    ) -> None:
        self.path = path
        self.lock = RLock()
        self._connect_arguments = (migrations, application_id, hint)
        self._hint = hint
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; other threads wait for the end of the block."""
        with self.lock, self._close_if_damaged():
            connection = self._open_connection()
            with convert_errors(self.path, self._hint):
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection to write to, in one transaction; other threads wait for the end of the block."""
        with self.lock, self._close_if_damaged():
            connection = self._open_connection()
            with transaction(connection, self.path, self._hint):
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from that sees nothing that other processes write during the block."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def open(self) -> None:
        """Open the file now, unless it is open."""
        if self._connection is None:
            with self.lock, self._close_if_damaged():
                self._open_connection()

    def set_busy_timeout(self, seconds: float) -> None:
        """Set how long an open connection waits for another writer."""
        with self.lock:
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000):d}")

    def close(self) -> None:
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    def close_without_cleanup(self) -> None:
        """Close without writing to the file."""
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                close_without_cleanup(connection, self.path)

    def after_open(self) -> None:
        """Hook for subclasses, called once the file is open."""

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self.path, *self._connect_arguments)
            self.after_open()
        if self._connection is None:  # `after_open` found damage and closed it
            raise CannotReadError(f"'{self.path}': it is damaged", hint=self._hint)
        return self._connection

    @contextmanager
    def _close_if_damaged(self) -> Iterator[None]:
        try:
            yield
        except CannotReadError:
            self.close_without_cleanup()
            raise
