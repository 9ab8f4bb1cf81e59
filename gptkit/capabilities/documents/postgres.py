"""A shared index of documents in PostgreSQL: the words are gptkit's own, and so is the ranking.

Lexemes are made here and stored as they are, so that no dictionary of the server changes what is found.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from gptkit.capabilities.documents.passages import Passage
from gptkit.capabilities.documents.rank import HEADING, Totals
from gptkit.capabilities.documents.retrieve import IndexedPassage
from gptkit.capabilities.documents.store import RULES
from gptkit.capabilities.documents.words import words_of
from gptkit.core.errors import CannotReadError, ConfigurationError, TryAgainError, UsageError
from gptkit.settings.address import check_index_url

if TYPE_CHECKING:
    import psycopg

RAREST = 10
"""Words of a question that choose candidates."""
LONGEST_WORD = 200
"""Characters of a lexeme; PostgreSQL takes 2,046 bytes."""
LOCK = 0x67707469
"""Number of the lock that one writer holds at a time."""
SECONDS = 10
"""Seconds to connect."""
TABLES = f"""
CREATE TABLE IF NOT EXISTS gptkit_files (
    id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, sha256 text NOT NULL, tokens bigint NOT NULL,
    rules integer NOT NULL DEFAULT {RULES});
CREATE TABLE IF NOT EXISTS gptkit_passages (
    id bigserial PRIMARY KEY, file bigint NOT NULL REFERENCES gptkit_files (id), position integer NOT NULL,
    heading text NOT NULL, text text NOT NULL, places text NOT NULL, length integer NOT NULL,
    words tsvector NOT NULL, UNIQUE (file, position));
CREATE INDEX IF NOT EXISTS gptkit_passages_words ON gptkit_passages USING gin (words);
CREATE TABLE IF NOT EXISTS gptkit_words (word text PRIMARY KEY, passages bigint NOT NULL);
"""
COLUMNS = "file, position, heading, text, places"


@contextmanager
def shared_index(url: str) -> Iterator[SharedIndex]:
    """Open a shared index for a search."""
    with _connection(url) as connection:
        if connection.execute("SELECT to_regclass('gptkit_files')").fetchone() == (None,):
            raise CannotReadError(
                "--index: the database holds no documents", hint="'gptkit index push URL PATH...' writes some"
            )
        yield SharedIndex(connection)


class SharedIndex:
    """All documents of a shared index."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        rows = connection.execute("SELECT id, name, sha256, tokens FROM gptkit_files").fetchall()
        self.files: Mapping[int, str] = {row[0]: row[1] for row in rows}
        self.tokens = sum(row[3] for row in rows)
        self._hashes: dict[int, str] = {row[0]: row[2] for row in rows}
        totals = connection.execute("SELECT count(*), coalesce(sum(length), 0) FROM gptkit_passages")
        self.totals = Totals(*map(int, totals.fetchone() or (0, 0)))
        self._known: dict[str, int] = {}

    def frequency(self, words: Iterable[str]) -> Mapping[str, int]:
        query = "SELECT word, passages FROM gptkit_words WHERE word = ANY(%s)"
        found = dict(self._connection.execute(query, ([word[:LONGEST_WORD] for word in words],)).fetchall())
        self._known |= found
        return found

    def candidates(self, words: Sequence[str], most: int) -> list[IndexedPassage]:
        known = self.frequency(words)
        rarest = sorted((word for word in words if known.get(word)), key=lambda word: known[word])[:RAREST]
        if not rarest:
            return []
        weights = [math.log(1 + (self.totals.passages + 0.5) / (known[word] + 0.5)) for word in rarest]
        gain = " + ".join(["%s::float8 * (words @@ %s::tsquery)::int"] * len(rarest))
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM gptkit_passages WHERE words @@ %s::tsquery "  # noqa: S608 - no words of users
            f"ORDER BY ({gain}) / (0.25 + 0.75 * ln(1 + length)) DESC, id LIMIT %s",
            (
                " | ".join(map(_quoted, rarest)),
                *(each for pair in zip(weights, map(_quoted, rarest), strict=True) for each in pair),
                most,
            ),
        )
        return [_indexed(row) for row in rows]

    def all_passages(self) -> Iterator[IndexedPassage]:
        query = f"SELECT {COLUMNS} FROM gptkit_passages ORDER BY file, position"  # noqa: S608 - constants
        for row in self._connection.execute(query):
            yield _indexed(row)

    def neighbours(self, one: IndexedPassage) -> list[IndexedPassage]:
        query = f"SELECT {COLUMNS} FROM gptkit_passages WHERE file = %s AND position IN (%s, %s)"  # noqa: S608
        rows = self._connection.execute(query, (one.file, one.position - 1, one.position + 1))
        return [_indexed(row) for row in rows]

    def sha256(self, file: int) -> str:
        return self._hashes[file]


def push(url: str, files: Iterable[tuple[str, str, int, Sequence[Passage]]], folders: Sequence[str]) -> int:
    """Put files in place of what the shared index holds of them; returns how many were written.

    One transaction for each file: a writer that dies leaves whole files only.

    Args:
        files: name, SHA-256, tokens and passages of each.
        folders: names of folders of which the index shall hold no other files.
    """
    written = 0
    present: set[str] = set()
    with _connection(url) as connection:
        with _writing(connection):
            connection.execute(TABLES)
        for name, sha256, tokens, passages in files:
            present.add(name)
            with _writing(connection):
                query = "SELECT id FROM gptkit_files WHERE name = %s AND sha256 = %s AND rules = %s"
                if connection.execute(query, (name, sha256, RULES)).fetchone() is None:
                    _delete(connection, name)
                    _insert(connection, (name, sha256, tokens), passages)
                    written += 1
        below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        with _writing(connection):
            for (name,) in connection.execute("SELECT name FROM gptkit_files").fetchall():
                if name not in present and name.startswith(below):
                    _delete(connection, name)
    return written


def _insert(
    connection: psycopg.Connection[Any], file: tuple[str, str, int], passages: Sequence[Passage]
) -> None:
    row = connection.execute(
        "INSERT INTO gptkit_files (name, sha256, tokens) VALUES (%s, %s, %s) RETURNING id", file
    ).fetchone()
    number = cast("tuple[int]", row)[0]
    counts: Counter[str] = Counter()
    for position, one in enumerate(passages):
        heading, text = words_of(one.heading), words_of(one.text)
        words = sorted({word[:LONGEST_WORD] for word in (*heading, *text)})
        counts.update(words)
        length = len(text) + HEADING * len(heading)
        values = (one.heading.replace("\0", ""), one.text.replace("\0", " "), json.dumps(one.places))
        connection.execute(
            "INSERT INTO gptkit_passages (file, position, heading, text, places, length, words) "
            "VALUES (%s, %s, %s, %s, %s, %s, array_to_tsvector(%s::text[]))",
            (number, position, *values, length, words),
        )
    _count(connection, counts)


def _delete(connection: psycopg.Connection[Any], name: str) -> None:
    query = (
        "SELECT word, count(*) FROM gptkit_passages, unnest(tsvector_to_array(words)) AS word "
        "WHERE file = (SELECT id FROM gptkit_files WHERE name = %s) GROUP BY word"
    )
    _count(connection, {word: -count for word, count in connection.execute(query, (name,)).fetchall()})
    connection.execute(
        "DELETE FROM gptkit_passages WHERE file = (SELECT id FROM gptkit_files WHERE name = %s)", (name,)
    )
    connection.execute("DELETE FROM gptkit_files WHERE name = %s", (name,))


def _count(connection: psycopg.Connection[Any], counts: Mapping[str, int]) -> None:
    """Add to the numbers of passages in which words stand."""
    if counts:
        connection.execute(
            "INSERT INTO gptkit_words SELECT * FROM unnest(%s::text[], %s::bigint[]) "
            "ON CONFLICT (word) DO UPDATE SET passages = gptkit_words.passages + excluded.passages",
            (list(counts), list(counts.values())),
        )


@contextmanager
def _writing(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction of the only writer."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        yield


@contextmanager
def _connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        check_index_url(url)
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        raise UsageError(message, hint=hint) from None
    try:
        import psycopg
    except ImportError:
        raise ConfigurationError(
            "the shared index needs psycopg", hint="pip install 'gptkit[postgres]'"
        ) from None
    try:
        with psycopg.connect(url, connect_timeout=SECONDS, autocommit=True) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise TryAgainError(f"the shared index: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise CannotReadError(f"the shared index: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _quoted(word: str) -> str:
    """A lexeme as a query."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def _indexed(row: tuple[int, int, str, str, str]) -> IndexedPassage:
    file, position, heading, text, places = row
    return IndexedPassage(file, position, Passage(heading, text, tuple(map(tuple, json.loads(places)))))
