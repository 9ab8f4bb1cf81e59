"""The store of accepted answers: what was paid for once is found again by every job and process."""

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
            descriptor = create_locked(path, lambda: pause(_PAUSE))
        except OSError:
            yield
            return
        try:
            yield
        finally:
            unlink_and_close(descriptor, path)

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
                    descriptor = os.open(path, PRIVATE_FLAGS)
                    try:
                        if try_lock(descriptor) and has_name(descriptor, path):
                            path.unlink()
                    finally:
                        close_quietly(descriptor)


_RETRY = 5.0
"""Seconds after which a store that could not be written is tried again."""
_PATIENCE = 1.0
"""Seconds for which a store that was locked all the time before is waited for."""
_WAITING = 2000
"""Answers that wait for a store that cannot be written; older ones are given up."""
_USES = 5000
"""Entries whose use is written at once, at the latest."""


class MemoryStore:
    """One database file, opened when it is first used.

    `get`, `put` and `claim` are for jobs, which go on without the memory if need be: `notice` is told
    once. Only a store of a newer gptkit stops them, with ConfigurationError. Everything else raises.
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
        self._claims = Claims(path.with_name("claims"))
        self._lock = Lock()
        self._uses: dict[int, int] = {}
        self._coming: deque[entries.Entry] = deque()
        self._unwritten: dict[bytes, entries.Entry] = {}
        self._retry_at = 0.0
        self._is_damaged = self._has_noticed = False

    def get(self, key: bytes, text: str = "", about: Mapping[str, str] | None = None) -> PieceAnswer | None:
        """What is known under a key; or else, with `text` and `about`, what another tool made of the text."""
        if self._is_damaged:
            return None
        if self._unwritten and (waiting := self._unwritten.get(key)):
            return entries.said(waiting.answer, waiting.findings, waiting.in_halves, waiting.is_foreign)
        try:
            with self._reader.reading() as connection:
                if one := entries.held(connection, key):
                    ids, known = [one[0]], one[1]
                elif text and about and (several := entries.found(connection, text, about)):
                    ids, known = several
                else:
                    return None
        except (CannotReadError, CannotWriteError, TryAgainError) as error:
            self._do_without(error)
            return None
        self._note_uses(ids)
        return known

    def put(self, key: bytes, text: str, held: PieceAnswer, about: Mapping[str, str]) -> None:
        """An answer that cannot be written now is written with a later one, or when the memory is closed.

        Whoever writes, writes what all threads have come with by then.
        """
        self._coming.append(entries.entry(key, text, held, about, self._now()))
        with self._writer.lock:
            if self._is_damaged:
                self._coming.clear()
            if not self._coming:
                return
            while self._coming:
                each = self._coming.popleft()
                self._unwritten[each.key] = each
            while len(self._unwritten) > _WAITING:
                del self._unwritten[next(iter(self._unwritten))]
            if self._now() >= self._retry_at:
                self._write_waiting()

    def claim(
        self, key: bytes, pause: Callable[[float], object] = time.sleep
    ) -> AbstractContextManager[None]:
        """Nobody else asks for this piece meanwhile; one who already does is waited for.

        `pause` waits for that many seconds; what it raises, if it is no OSError, ends the waiting.
        """
        if not self._is_damaged:
            try:
                self._writer.open()  # a store of a newer gptkit is met before anything is paid for
            except (CannotReadError, CannotWriteError, TryAgainError) as error:
                self._do_without(error)
        return self._claims.claim(key, pause)

    def close(self) -> None:
        """Write what waits, as far as that is possible."""
        with self._writer.lock:
            if self._unwritten and not self._is_damaged:
                self._write_waiting()
        self._write_uses()
        self._reader.close()
        self._writer.close()

    def exists(self) -> bool:
        """Asking does not make one."""
        return self.path.exists()

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """One moment of the store: what others write meanwhile is not seen."""
        return self._reader.snapshot()

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction."""
        return self._writer.writing()

    def shrink(self) -> None:
        """Give the room of what was removed back, and leave none of its text in the file or its log.

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

    def _write_waiting(self) -> None:
        """Holds the writer's lock."""
        failed = self._retry_at > 0
        try:
            self._writer.open()
            if failed:
                self._writer.set_busy_timeout(_PATIENCE)
            with self._writer.writing() as connection:
                for each in self._unwritten.values():
                    entries.insert(connection, each)
        except (CannotReadError, CannotWriteError, TryAgainError) as error:
            self._retry_at = self._now() + _RETRY
            self._do_without(error)
            return
        self._unwritten.clear()
        if failed:
            self._retry_at = 0.0
            self._writer.set_busy_timeout(sqlite.BUSY_SECONDS)

    def _note_uses(self, ids: list[int]) -> None:
        with self._lock:
            for number in ids:
                self._uses[number] = self._uses.get(number, 0) + 1
            many = len(self._uses) >= _USES
        if many:
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
            self._do_without(error)

    def _do_without(self, error: GptkitError) -> None:
        if isinstance(error, CannotReadError):
            self._is_damaged = True
            self._unwritten.clear()
            self._reader.close_without_cleanup()
            self._writer.close_without_cleanup()
        with self._lock:
            first, self._has_noticed = not self._has_noticed, True
        if first:
            self._notice(f"{error.message}: the job goes on without the memory")


def memory(services: Services) -> MemoryStore:
    """The memory of a run, made once."""
    return services.shared(_memory)


def _memory(services: Services) -> MemoryStore:
    path = services.paths.require(services.paths.data) / "memory.db"
    return MemoryStore(
        path, services.terminal.unix_time, lambda text: services.terminal.print_error_line(f"gptkit: {text}")
    )
