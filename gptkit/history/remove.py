"""Removes turns and sessions, so that none of their text stays in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.history.tokenize import index_terms

if TYPE_CHECKING:
    import sqlite3


_SHARED_TURNS_SQL = """
    WITH RECURSIVE kept (id) AS (
        SELECT turns.id FROM turns JOIN sessions ON sessions.head = turns.id
            WHERE turns.session = ?1 AND sessions.id <> ?1
        UNION
        SELECT older.id FROM turns AS older JOIN turns AS newer ON newer.parent = older.id
            WHERE older.session = ?1 AND newer.session <> ?1
        UNION
        SELECT turns.parent FROM kept JOIN turns ON turns.id = kept.id WHERE turns.parent IS NOT NULL)
"""
_OWN_TURNS_SQL = "SELECT id FROM turns WHERE session = ?1 AND id NOT IN (SELECT id FROM kept)"
_HEIR_SQL = """
    SELECT sessions.id FROM turns JOIN sessions ON sessions.head = turns.id
        WHERE turns.session = ?1 AND sessions.id <> ?1
    UNION ALL
    SELECT newer.session FROM turns AS older JOIN turns AS newer ON newer.parent = older.id
        WHERE older.session = ?1 AND newer.session <> ?1
    LIMIT 1
"""


def remove(connection: sqlite3.Connection, session_id: str) -> int:
    """Remove a session and its turns, except turns that lead to another session; returns how many turns."""
    heir = connection.execute(_HEIR_SQL, (session_id,)).fetchone()
    _mark_turns(connection, _SHARED_TURNS_SQL + _OWN_TURNS_SQL, (session_id,))
    connection.execute("UPDATE sessions SET head = NULL WHERE id = ?", (session_id,))
    count = _delete_marked(connection)
    if heir:
        connection.execute("UPDATE turns SET session = ? WHERE session = ?", (heir[0], session_id))
    connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
    _optimize_index(connection)
    return count


def purge(connection: sqlite3.Connection, before: float | None) -> int:
    """Remove the turns that began before a time (Unix seconds), or all, and the sessions left empty."""
    if before is None:
        count = int(connection.execute("SELECT count(*) FROM turns").fetchone()[0])
        connection.execute("UPDATE sessions SET head = NULL")
        connection.execute("DELETE FROM turns")
        connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
        connection.execute("UPDATE tallies SET count = count + ? WHERE name = 'removed'", (count,))
        connection.execute("DELETE FROM sessions")
        return count
    _mark_turns(connection, "SELECT id FROM turns WHERE started < ?", (before,))
    count = _delete_marked(connection)
    connection.execute(
        "DELETE FROM sessions WHERE head IS NULL AND created < ?"
        " AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session = sessions.id)",
        (before,),
    )
    _optimize_index(connection)
    return count


def _mark_turns(connection: sqlite3.Connection, select: str, values: tuple[object, ...]) -> None:
    """Write the ids of turns to remove to a temporary table; ids only, so that no text gets into a file."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS doomed (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM doomed")
    connection.execute(f"INSERT INTO doomed {select}", values)


def _delete_marked(connection: sqlite3.Connection) -> int:
    rows = connection.execute(
        "SELECT place, user, answer FROM doomed JOIN turns USING (id) JOIN texts ON texts.turn = turns.id"
    )
    for place, user, answer in rows:
        words = index_terms(user, answer)
        connection.execute(
            "INSERT INTO words (words, rowid, body, signs) VALUES ('delete', ?, ?, ?)", (place, *words)
        )
    connection.execute(
        "UPDATE turns SET parent = NULL WHERE parent IN (SELECT id FROM doomed)"
        " AND id NOT IN (SELECT id FROM doomed)"
    )
    connection.execute(
        "UPDATE sessions SET head = (SELECT max(turns.id) FROM turns WHERE turns.session = sessions.id"
        " AND turns.id NOT IN (SELECT id FROM doomed)) WHERE head IN (SELECT id FROM doomed)"
    )
    count = connection.execute("DELETE FROM turns WHERE id IN (SELECT id FROM doomed)").rowcount
    connection.execute("UPDATE tallies SET count = count + ? WHERE name = 'removed'", (count,))
    update_depths(connection)
    return int(count)


def update_depths(connection: sqlite3.Connection) -> None:
    """Compute the depth of turns whose first ancestors were removed."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS depths (id INTEGER PRIMARY KEY, depth INTEGER)")
    connection.execute("DELETE FROM depths")
    connection.execute(
        """INSERT INTO depths WITH RECURSIVE counted (id, depth) AS (
            SELECT id, 1 FROM turns WHERE parent IS NULL AND depth <> 1
            UNION ALL
            SELECT turns.id, counted.depth + 1 FROM counted JOIN turns ON turns.parent = counted.id)
        SELECT id, depth FROM counted"""
    )
    connection.execute(
        "UPDATE turns SET depth = (SELECT depth FROM depths WHERE depths.id = turns.id)"
        " WHERE id IN (SELECT id FROM depths)"
    )


def _optimize_index(connection: sqlite3.Connection) -> None:
    """Merge the parts of the search index, which still hold the removed words."""
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")
