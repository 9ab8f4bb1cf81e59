"""The store of all exchanges: sessions, turns, summaries, charges and the search index."""

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


_BLOCK_SIZES = (8, 64, 256)
"""Turns of a chain that are read at once; few at first, since often only the last turn is needed."""
KILLED_CODE = 137
"""The exit code that a shell reports for a killed process."""
_SHORTEST_ID = 4
"""Characters of the shortest beginning of an id that names a session."""


class Store(Database):
    """The database of the history; without a path it is in memory. Methods raise GptkitError only."""

    def __init__(self, path: Path | None, journal_folder: Path, now: Callable[[], float] = time.time) -> None:
        super().__init__(path, MIGRATIONS, APPLICATION_ID, HINT)
        self.journal_folder = journal_folder
        self._now = now

    def after_open(self) -> None:
        """Store the journals of dead processes; a journal that cannot be stored stays for the next time."""
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
            exchange.release()  # the next process that opens the store finds the journal
            raise
        exchange.discard()
        return turn

    def adopt_orphans(self) -> int:
        """Store the turns of killed processes and remove their journals; returns how many.

        A store in memory does nothing, since it would lose the turns.
        """
        count = 0
        if self.path is None:
            return count
        for path, entry in orphaned_journals(self.journal_folder):
            ending = entry.ending or Ending("cancelled", entry.text, cause="killed", code=KILLED_CODE)
            ending = ending._replace(charges=entry.charges)
            with self.writing() as connection:
                schema.store_turn(connection, entry.opening, ending, moves_on=False)
            with suppress(OSError):
                path.unlink()
            count += 1
        return count

    def create(self, name: str, prompt: str) -> Session:
        """Create a session; the name may be empty. Raises UsageError for a bad or used name."""
        with self.writing() as connection:
            return self._create(connection, name, prompt)

    def find_session(self, name: str) -> Session | None:
        """Find a session by its name, its id, or the beginning of its id; None if there is none.

        Raises NoInputError for the beginning of several ids.
        """
        name = unicodedata.normalize("NFC", replace_surrogates(name).strip())
        with self.reading() as connection:
            if session := query.session_by_name(connection, name):
                return session
            start = name.lower()
            if len(start) < _SHORTEST_ID or not SESSION_ID.fullmatch(start.ljust(8, "0")):
                return None
            candidates = query.sessions_by_id(connection, start)
        if len(candidates) > 1:
            raise NoInputError(f"'{name}' is ambiguous: {' or '.join(session.id for session in candidates)}")
        return candidates[0] if candidates else None

    def require_session(self, name: str) -> Session:
        """Find a session as `find_session` does. Raises NoInputError if there is none."""
        if session := self.find_session(name):
            return session
        from gptkit.core.yaml_tree import spelling_hint

        names = [session.name for session in self.sessions(1000) if session.name]
        hint = spelling_hint(name, names)
        if not hint.startswith("did"):
            hint = "'gptkit history list' shows all"
        raise NoInputError(f"no session named '{one_line(name, 100)}'", hint=hint)

    def latest_session(self, prompt: str | None = None) -> Session | None:
        return next(iter(self.sessions(1, prompt)), None)

    def sessions(self, limit: int, prompt: str | None = None) -> list[Session]:
        """Return the sessions, latest first; with `prompt` only those of one command."""
        with self.reading() as connection:
            return query.sessions(connection, limit, prompt)

    @property
    def exists(self) -> bool:
        """Whether there is a store, or a journal folder; reading must not create a store."""
        return (self.path is not None and self.path.exists()) or self.journal_folder.is_dir()

    def models(self, limit: int) -> list[str]:
        """Return the models of the newest `limit` turns."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT model FROM (SELECT model FROM turns ORDER BY id DESC LIMIT ?)",
                (limit,),
            )
            return [str(row[0]) for row in rows]

    def question_and_state(self, session: Session) -> tuple[str, str]:
        """Return the beginning of a session's first question, and the state of its newest turn."""
        with self.reading() as connection:
            return query.question_and_state(connection, session)

    def turn(self, turn_id: int) -> Turn | None:
        with self.reading() as connection:
            return next(iter(query.turns(connection, [turn_id])), None)

    def session_of_turn(self, turn_id: int) -> Session | None:
        """Return the session of a turn, without reading its texts."""
        with self.reading() as connection:
            return query.session_of(connection, turn_id)

    def chain(self, turn_id: int | None) -> Iterator[Turn]:
        """Yield a turn and the turns before it, newest first; they are read in blocks."""
        number = 0
        while turn_id is not None:
            limit = _BLOCK_SIZES[min(number, len(_BLOCK_SIZES) - 1)]
            with self.reading() as connection:
                block = query.chain(connection, turn_id, limit)
            yield from block
            number += 1
            turn_id = block[-1].parent if len(block) == limit else None

    def set_head(self, session: Session | str, turn_id: int | None) -> None:
        """Set the turn that the session continues from; None for its beginning. Raises NoInputError."""
        session_id = self._session_id(session)
        with self.writing() as connection:
            known = connection.execute("SELECT 1 FROM turns WHERE id = ?", (turn_id,)).fetchone()
            if turn_id is not None and not known:
                raise NoInputError(f"no turn {turn_id}")
            connection.execute(
                "UPDATE sessions SET head = ?, updated = ? WHERE id = ?",
                (turn_id, self._now(), session_id),
            )

    def rename(self, session: Session | str, new: str) -> Session:
        """Rename a session. Raises UsageError for a bad or used name."""
        session_id = self._session_id(session)
        with self.writing() as connection:
            name = self._require_free_name(connection, new, session_id)
            connection.execute("UPDATE sessions SET name = ? WHERE id = ?", (name, session_id))
        return self.require_session(session_id)

    def fork(self, session: Session | str, new_name: str) -> Session:
        """Create a session that begins with the turns of another one; the turns are shared, not copied."""
        source = self.require_session(self._session_id(session))
        with self.writing() as connection:
            fork = self._create(connection, new_name, source.prompt)
            connection.execute("UPDATE sessions SET head = ? WHERE id = ?", (source.head, fork.id))
        return fork._replace(head=source.head, turns=source.turns)

    def add_summary(self, last_turn: int, text: str, model: str, charges: Iterable[Charge] = ()) -> Summary:
        """Store a summary of a turn and all turns before it. Raises NoInputError for an unknown turn."""
        created, uid = self._now(), new_opening_id()
        with self.writing() as connection:
            row = connection.execute(
                "SELECT session, prompt FROM turns WHERE id = ?", (last_turn,)
            ).fetchone()
            if row is None:
                raise NoInputError(f"no turn {last_turn}")
            cursor = connection.execute(
                "INSERT INTO summaries (uid, upto, text, model, created) VALUES (?, ?, ?, ?, ?)",
                (uid, last_turn, replace_surrogates(text), replace_surrogates(model), created),
            )
            schema.insert_charges(connection, uid, last_turn, (row[0], row[1]), charges)
        return Summary(
            cursor.lastrowid or 0, last_turn, replace_surrogates(text), replace_surrogates(model), created
        )

    def summary(self, head: int | None) -> Summary | None:
        """Return the summary that covers the most turns up to `head`; None without one."""
        if head is None:
            return None
        with self.reading() as connection:
            return query.summary(connection, head)

    def search(self, words: str, limit: int) -> list[SearchHit]:
        """Find the turns that hold all words, latest first, each with an excerpt."""
        from gptkit.history.search import search

        with self.reading() as connection:
            return search(connection, replace_surrogates(words), limit)

    def spending(self, since: float, until: float | None = None) -> tuple[float, int]:
        """Return the US dollars of requests with known prices, and the number of other requests."""
        with self.reading() as connection:
            return spending(connection, since, until)

    def remove(self, session: Session | str) -> int:
        """Remove a session and its turns, except turns that other sessions share; returns how many turns."""
        from gptkit.history.remove import remove

        session_id = self._session_id(session)
        with self.writing() as connection:
            count = remove(connection, session_id)
        self._truncate_log()
        return count

    def purge(self, before: float | None) -> int:
        """Remove the turns that began before a time, or all turns; returns how many. Charges stay."""
        from gptkit.history.remove import purge

        with self.writing() as connection:
            count = purge(connection, before)
        with suppress(CannotWriteError), self.reading() as connection:  # VACUUM needs free space
            connection.execute("VACUUM")
        self._truncate_log()
        return count

    def _truncate_log(self) -> None:
        """Empty the write-ahead log, so that no removed text stays.

        Raises TryAgainError while the log is read.
        """
        with self.reading() as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise TryAgainError(f"'{self.path}': removed, but another process keeps its log open")

    def _create(self, connection: sqlite3.Connection, name: str, prompt: str) -> Session:
        session = Session(
            id=schema.unused_session_id(connection),
            name=self._require_free_name(connection, name, "") if name else "",
            prompt=replace_surrogates(prompt),
            created=self._now(),
            updated=self._now(),
            head=None,
            turns=0,
        )
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", session[:-1])
        return session

    def _require_free_name(self, connection: sqlite3.Connection, name: str, owner: str) -> str:
        name = session_name(name)
        other = query.session_by_name(connection, name)
        if other and other.id != owner:
            raise UsageError(f"there is a session '{name}' already")
        return name

    def _session_id(self, session: Session | str) -> str:
        return session.id if isinstance(session, Session) else self.require_session(session).id


def session_lock(folder: Path, session_id: str, wait: Callable[[], object]) -> AbstractContextManager[None]:
    """Lock a session, so that no other process adds turns. Raises CannotWriteError.

    `wait` is called repeatedly while another process has the lock: it sleeps a moment, and raises to give up.
    """
    return exclusive_lock(folder / f"{session_id}.lock", wait)


def spending(connection: sqlite3.Connection, since: float, until: float | None) -> tuple[float, int]:
    """Return the US dollars of requests with known prices, and the number of other requests."""
    row = connection.execute(
        "SELECT total(cost), count(*) - count(cost) FROM charges"
        " WHERE started >= ? AND started < coalesce(?, started + 1)",
        (since, until),
    ).fetchone()
    return float(row[0]), int(row[1])
