"""Store accepted answers, so that every later job and process finds what was paid for."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from gptkit.core import sqlite
from gptkit.core.errors import CannotReadError, CannotWriteError, GptkitError, TryAgainError
from gptkit.core.files import (
    PRIVATE_FLAGS,
    close_quietly,
    create_locked,
    has_name,
    make_private_folder,
    try_lock,
    unlink_and_close,
)
from gptkit.core.sqlite import Database
from gptkit.jobs.memory import entries
from gptkit.jobs.memory.entries import APPLICATION_ID, HINT, MIGRATIONS
from gptkit.text.pieces import PieceAnswer

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from gptkit.services import Services


_CLAIM_PAUSE = 0.02
"""Seconds between two looks whether a claim has ended; a request takes at least ten times as long."""
_LOCK_ENDING = ".lock"


class PieceClaims:
    """Claims to pieces that are being asked for: a folder of locked files, one for each piece.

    A lock ends with its process, however that ends. The file that such a process leaves is empty; the next
    claim to the piece locks it again, and the next process that uses the folder removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._claimed: set[bytes] = set()
        self._lock = Lock()
        self._is_ready = False

    @contextmanager
    def claim(self, key: bytes, pause: Callable[[float], object]) -> Iterator[None]:
        """Wait for the claim to a piece and hold it; `pause` waits some seconds.

        If the folder cannot be written to, only threads of this process respect the claim.
        """
        while not self._claim_in_process(key):
            pause(_CLAIM_PAUSE)
        try:
            with self._locked_file(key, pause):
                yield
        finally:
            with self._lock:
                self._claimed.discard(key)

    def _claim_in_process(self, key: bytes) -> bool:
        with self._lock:
            if key in self._claimed:
                return False
            self._claimed.add(key)
            return True

    @contextmanager
    def _locked_file(self, key: bytes, pause: Callable[[float], object]) -> Iterator[None]:
        path = self._folder / f"{key.hex()}{_LOCK_ENDING}"
        try:
            self._prepare_folder()
            descriptor = create_locked(path, lambda: pause(_CLAIM_PAUSE))
        except OSError:
            yield
            return
        try:
            yield
        finally:
            unlink_and_close(descriptor, path)

    def _prepare_folder(self) -> None:
        if self._is_ready:
            return
        with self._lock:
            if not self._is_ready:
                make_private_folder(self._folder)
                self._remove_abandoned()
                self._is_ready = True

    def _remove_abandoned(self) -> None:
        with suppress(OSError):
            for path in self._folder.glob(f"*{_LOCK_ENDING}"):
                with suppress(OSError):
                    descriptor = os.open(path, PRIVATE_FLAGS)
                    try:
                        if try_lock(descriptor) and has_name(descriptor, path):
                            path.unlink()
                    finally:
                        close_quietly(descriptor)


_RETRY_SECONDS = 5.0
"""Seconds after which a database that could not be written is tried again."""
_RETRY_TIMEOUT = 1.0
"""Seconds to wait for a database that was locked all the time before."""
_UNWRITTEN_LIMIT = 2000
"""Answers that are kept while the database cannot be written; older ones are given up."""
_USES_LIMIT = 5000
"""Entries whose uses are counted before the counts are written."""


class MemoryStore:
    """The database file of accepted answers, opened when it is first used.

    A job goes on without the memory if that fails: `get`, `put` and `claim` then call `notice`, once, and
    raise nothing but the ConfigurationError for a file of a newer gptkit. All other methods raise.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], float] = time.time,
        notice: Callable[[str], object] = lambda _text: None,
    ) -> None:
        self.path = path
        self._now = now
        self._notice = notice
        self._reader, self._writer = (Database(path, MIGRATIONS, APPLICATION_ID, HINT) for _ in range(2))
        self._claims = PieceClaims(path.with_name("claims"))
        self._lock = Lock()
        self._uses: dict[int, int] = {}
        self._arrived: deque[entries.MemoryEntry] = deque()
        self._unwritten: dict[bytes, entries.MemoryEntry] = {}
        self._retry_at = 0.0
        self._is_damaged = self._has_noticed = False

    def get(self, key: bytes, text: str = "", about: Mapping[str, str] | None = None) -> PieceAnswer | None:
        """Return the answer under a key; else, given `text` and `about`, another tool's translation; else
        None."""
        if self._is_damaged:
            return None
        if self._unwritten and (entry := self._unwritten.get(key)):
            return entries.parse_answer(entry.answer, entry.findings, entry.in_halves, entry.is_foreign)
        try:
            with self._reader.reading() as connection:
                if entry_answer := entries.find_answer(connection, key):
                    ids, answer = [entry_answer[0]], entry_answer[1]
                elif text and about and (several := entries.find_foreign_answer(connection, text, about)):
                    ids, answer = several
                else:
                    return None
        except (CannotReadError, CannotWriteError, TryAgainError) as error:
            self._report_failure(error)
            return None
        self._count_uses(ids)
        return answer

    def put(self, key: bytes, text: str, answer: PieceAnswer, about: Mapping[str, str]) -> None:
        """Store an answer; one that cannot be written now is written with a later one, or by `close`.

        The thread that has the lock writes the answers of all threads that wait for it.
        """
        self._arrived.append(entries.make_entry(key, text, answer, about, self._now()))
        with self._writer.lock:
            if self._is_damaged:
                self._arrived.clear()
            if not self._arrived:
                return
            while self._arrived:
                entry = self._arrived.popleft()
                self._unwritten[entry.key] = entry
            while len(self._unwritten) > _UNWRITTEN_LIMIT:
                del self._unwritten[next(iter(self._unwritten))]
            if self._now() >= self._retry_at:
                self._write_answers()

    def claim(
        self, key: bytes, pause: Callable[[float], object] = time.sleep
    ) -> AbstractContextManager[None]:
        """Keep other threads and processes from asking for a piece; waits for one that already does.

        `pause` waits for some seconds; what it raises, if it is no OSError, ends the waiting.
        """
        if not self._is_damaged:
            try:
                self._writer.open()  # a store of a newer gptkit is met before anything is paid for
            except (CannotReadError, CannotWriteError, TryAgainError) as error:
                self._report_failure(error)
        return self._claims.claim(key, pause)

    def close(self) -> None:
        """Write what is not written yet, as far as that is possible."""
        with self._writer.lock:
            if self._unwritten and not self._is_damaged:
                self._write_answers()
        self._write_uses()
        self._reader.close()
        self._writer.close()

    def exists(self) -> bool:
        """Whether there is a file; none is made."""
        return self.path.exists()

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open a read transaction, which does not see what others write meanwhile."""
        return self._reader.snapshot()

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open a write transaction."""
        return self._writer.writing()

    def shrink(self) -> None:
        """Shrink the file after a removal, so that neither it nor its log holds any removed text.

        Raises TryAgainError while another process keeps the log open.
        """
        with self._writer.reading() as connection:
            try:
                with sqlite.convert_errors(self.path):
                    connection.execute("VACUUM")
            except CannotWriteError:
                pass  # without space it does not shrink; what was removed is overwritten all the same
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise TryAgainError(f"'{self.path}': removed, but another process keeps its log open")

    def _write_answers(self) -> None:
        """Write the unwritten answers; the caller holds the writer's lock."""
        failed = self._retry_at > 0
        try:
            self._writer.open()
            if failed:
                self._writer.set_busy_timeout(_RETRY_TIMEOUT)
            with self._writer.writing() as connection:
                for entry in self._unwritten.values():
                    entries.insert_entry(connection, entry)
        except (CannotReadError, CannotWriteError, TryAgainError) as error:
            self._retry_at = self._now() + _RETRY_SECONDS
            self._report_failure(error)
            return
        self._unwritten.clear()
        if failed:
            self._retry_at = 0.0
            self._writer.set_busy_timeout(sqlite.BUSY_SECONDS)

    def _count_uses(self, ids: list[int]) -> None:
        with self._lock:
            for identity in ids:
                self._uses[identity] = self._uses.get(identity, 0) + 1
            is_full = len(self._uses) >= _USES_LIMIT
        if is_full:
            self._write_uses()

    def _write_uses(self) -> None:
        with self._lock:
            uses, self._uses = self._uses, {}
        if not uses or self._is_damaged or self._retry_at:
            return
        now = self._now()
        try:
            with self._writer.writing() as connection:
                connection.executemany(
                    "UPDATE entries SET used = max(used, ?), hits = hits + ? WHERE id = ?",
                    [(now, count, number) for number, count in uses.items()],
                )
        except (CannotReadError, CannotWriteError, TryAgainError) as error:
            self._report_failure(error)

    def _report_failure(self, error: GptkitError) -> None:
        if isinstance(error, CannotReadError):
            self._is_damaged = True
            self._unwritten.clear()
            self._reader.close_without_cleanup()
            self._writer.close_without_cleanup()
        with self._lock:
            is_first, self._has_noticed = not self._has_noticed, True
        if is_first:
            self._notice(f"{error.message}: the job goes on without the memory")


def memory_of(services: Services) -> MemoryStore:
    """Return the memory of a run, opened once."""
    return services.shared(_open_memory)


def _open_memory(services: Services) -> MemoryStore:
    path = services.paths.require(services.paths.data) / "memory.db"
    return MemoryStore(
        path, services.terminal.unix_time, lambda text: services.terminal.print_error_line(f"gptkit: {text}")
    )
