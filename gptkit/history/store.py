"""The store of all exchanges: sessions, their turns, what they cost, and where their words are found."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.core.chat import Charge
from gptkit.core.errors import CannotWriteError, GptkitError, NoInputError, TryAgainError, UsageError
from gptkit.core.files import exclusive_lock
from gptkit.core.sanitize import one_line
from gptkit.core.sqlite import Database
from gptkit.history import query, schema
from gptkit.history.journal import Journal, orphaned_journals
from gptkit.history.model import (
    SESSION_ID,
    Ending,
    Opening,
    Session,
    Summary,
    Turn,
    new_opening_id,
    replace_surrogates,
)
from gptkit.history.names import session_name
from gptkit.history.schema import APPLICATION_ID, HINT, MIGRATIONS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gptkit.history.search import SearchHit


_BLOCKS = (8, 64, 256)
"""Turns of a chain that are read at once: few where perhaps only the last is wanted."""
KILLED = 137
"""What a shell says of a process that was killed."""
_SHORTEST = 4
"""Characters of a session's id that name it, if no other's begins so."""


class Store(Database):
    """Without a path it is in memory. Every failure is a GptkitError."""

    def __init__(self, path: Path | None, journal_folder: Path, now: Callable[[], float] = time.time) -> None:
        super().__init__(path, MIGRATIONS, APPLICATION_ID, HINT)
        self.journal_folder = journal_folder
        self._now = now

    def after_open(self) -> None:
        """A journal that cannot be stored now waits for the next time."""
        with suppress(GptkitError):
            self.adopt_orphans()

    def finish(self, exchange: Journal | Opening, ending: Ending) -> int:
        """Store a turn and move its session's head there; returns the turn's id."""
        if isinstance(exchange, Opening):
            with self.writing() as connection:
                return schema.store_turn(connection, exchange, ending, moves_on=True)
        exchange.record_ending(ending)
        try:
            with self.writing() as connection:
                turn = schema.store_turn(connection, exchange.opening, ending, moves_on=True)
        except BaseException:
            exchange.release()  # whoever opens the store when that is possible finds it
            raise
        exchange.discard()
        return turn

    def adopt_orphans(self) -> int:
        """Store the turns of processes that were killed; returns how many. In memory they would be lost."""
        count = 0
        if self.path is None:
            return count
        for path, kept in orphaned_journals(self.journal_folder):
            ending = kept.ending or Ending("cancelled", kept.text, cause="killed", code=KILLED)
            with self.writing() as connection:
                schema.store_turn(connection, kept.opening, ending, moves_on=False)
            with suppress(OSError):
                path.unlink()
            count += 1
        return count

    def create(self, name: str, prompt: str) -> Session:
        """A new session; the name may be empty. Raises UsageError."""
        with self.writing() as connection:
            return self._create(connection, name, prompt)

    def find_session(self, name: str) -> Session | None:
        """By its name, its id, or a beginning of its id that no other has."""
        name = unicodedata.normalize("NFC", replace_surrogates(name).strip())
        with self.reading() as connection:
            if found := query.session_named(connection, name):
                return found
            start = name.lower()
            if len(start) < _SHORTEST or not SESSION_ID.fullmatch(start.ljust(8, "0")):
                return None
            several = query.sessions_by_id(connection, start)
        if len(several) > 1:
            raise NoInputError(f"'{name}' is ambiguous: {' or '.join(one.id for one in several)}")
        return several[0] if several else None

    def require_session(self, name: str) -> Session:
        """The session of that name; raises NoInputError."""
        if found := self.find_session(name):
            return found
        from gptkit.core.yaml_tree import spelling_hint

        names = [one.name for one in self.sessions(1000) if one.name]
        hint = spelling_hint(name, names)
        if not hint.startswith("did"):
            hint = "'gptkit history list' shows all"
        raise NoInputError(f"no session named '{one_line(name, 100)}'", hint=hint)

    def latest_session(self, prompt: str | None = None) -> Session | None:
        return next(iter(self.sessions(1, prompt)), None)

    def sessions(self, limit: int, prompt: str | None = None) -> list[Session]:
        """Latest first."""
        with self.reading() as connection:
            return query.sessions(connection, limit, prompt)

    def turn(self, turn_id: int) -> Turn | None:
        with self.reading() as connection:
            return next(iter(query.turns(connection, [turn_id])), None)

    def session_of_turn(self, turn_id: int) -> Session | None:
        """The session that a turn belongs to, without a look at the texts."""
        with self.reading() as connection:
            return query.session_of(connection, turn_id)

    def chain(self, turn_id: int | None) -> Iterator[Turn]:
        """A turn, the one before it, and so on, read in blocks as they are asked for."""
        number = 0
        while turn_id is not None:
            limit = _BLOCKS[min(number, len(_BLOCKS) - 1)]
            with self.reading() as connection:
                block = query.chain(connection, turn_id, limit)
            yield from block
            number += 1
            turn_id = block[-1].parent if len(block) == limit else None

    def set_head(self, session: Session | str, turn_id: int | None) -> None:
        """What the session continues from; None is its beginning. Raises NoInputError."""
        session_id = self._id(session)
        with self.writing() as connection:
            known = connection.execute("SELECT 1 FROM turns WHERE id = ?", (turn_id,)).fetchone()
            if turn_id is not None and not known:
                raise NoInputError(f"no turn {turn_id}")
            connection.execute(
                "UPDATE sessions SET head = ?, updated = max(updated, ?) WHERE id = ?",
                (turn_id, self._now(), session_id),
            )

    def rename(self, session: Session | str, new: str) -> Session:
        session_id = self._id(session)
        with self.writing() as connection:
            name = self._free(connection, new, session_id)
            connection.execute("UPDATE sessions SET name = ? WHERE id = ?", (name, session_id))
        return self.require_session(session_id)

    def fork(self, session: Session | str, new_name: str) -> Session:
        """A second session that begins with the same turns; they are shared, not copied."""
        source = self.require_session(self._id(session))
        with self.writing() as connection:
            made = self._create(connection, new_name, source.prompt)
            connection.execute("UPDATE sessions SET head = ? WHERE id = ?", (source.head, made.id))
        return made._replace(head=source.head, turns=source.turns)

    def add_summary(self, upto: int, text: str, model: str, charges: Iterable[Charge] = ()) -> Summary:
        """What stands for a turn and those before it. Raises NoInputError where there is no such turn."""
        created, uid = self._now(), new_opening_id()
        with self.writing() as connection:
            row = connection.execute("SELECT session, prompt FROM turns WHERE id = ?", (upto,)).fetchone()
            if row is None:
                raise NoInputError(f"no turn {upto}")
            cursor = connection.execute(
                "INSERT INTO summaries (uid, upto, text, model, created) VALUES (?, ?, ?, ?, ?)",
                (uid, upto, replace_surrogates(text), replace_surrogates(model), created),
            )
            schema.insert_charges(connection, uid, upto, (row[0], row[1]), charges)
        return Summary(
            cursor.lastrowid or 0, upto, replace_surrogates(text), replace_surrogates(model), created
        )

    def summary(self, head: int | None) -> Summary | None:
        """The newest one that stands for turns before or with this one."""
        if head is None:
            return None
        with self.reading() as connection:
            return query.summary(connection, head)

    def search(self, words: str, limit: int) -> list[SearchHit]:
        """The turns in which all the words are, latest first, each with an excerpt."""
        from gptkit.history.search import search

        with self.reading() as connection:
            return search(connection, replace_surrogates(words), limit)

    def spending(self, since: float) -> tuple[float, int]:
        """US dollars as far as prices are known, and the number of requests where they are not."""

        with self.reading() as connection:
            return spending(connection, since)

    def remove(self, session: Session | str) -> int:
        """Remove a session and its turns, but for those that another one shares; returns how many."""
        from gptkit.history.remove import remove

        session_id = self._id(session)
        with self.writing() as connection:
            count = remove(connection, session_id)
        self._wipe()
        return count

    def purge(self, before: float | None) -> int:
        """Remove all turns that began before a time, or all; returns how many. What was spent stays."""
        from gptkit.history.remove import purge

        with self.writing() as connection:
            count = purge(connection, before)
        with suppress(CannotWriteError), self.reading() as connection:  # without space it does not shrink
            connection.execute("VACUUM")
        self._wipe()
        return count

    def _wipe(self) -> None:
        """The log must not keep what was removed. Raises TryAgainError while another process reads it."""
        with self.reading() as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise TryAgainError(f"'{self.path}': removed, but another process keeps its log open")

    def _create(self, connection: sqlite3.Connection, name: str, prompt: str) -> Session:
        made = Session(
            id=schema.unused_session_id(connection),
            name=self._free(connection, name, "") if name else "",
            prompt=replace_surrogates(prompt),
            created=self._now(),
            updated=self._now(),
            head=None,
            turns=0,
        )
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", made[:-1])
        return made

    def _free(self, connection: sqlite3.Connection, name: str, owner: str) -> str:
        name = session_name(name)
        other = query.session_named(connection, name)
        if other and other.id != owner:
            raise UsageError(f"there is a session '{name}' already")
        return name

    def _id(self, session: Session | str) -> str:
        return session.id if isinstance(session, Session) else self.require_session(session).id


def session_lock(folder: Path, session_id: str, wait: Callable[[], object]) -> AbstractContextManager[None]:
    """Work alone on a session. `wait` is called again and again while another process has it.

    `wait` sleeps a moment, and raises when that has been long enough. Raises CannotWriteError.
    """
    return exclusive_lock(folder / f"{session_id}.lock", wait)


def spending(connection: sqlite3.Connection, since: float) -> tuple[float, int]:
    """US dollars as far as prices are known, and the number of requests where they are not."""
    row = connection.execute(
        "SELECT total(cost), count(*) - count(cost) FROM charges WHERE started >= ?", (since,)
    ).fetchone()
    return float(row[0]), int(row[1])
