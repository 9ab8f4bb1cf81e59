"""One file for all threads of a process: in turn, once more after damage, and untouched then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import pytest
from database_parts import APPLICATION, files, first

from gptkit.core.errors import CannotReadError, GptkitError
from gptkit.core.sqlite import Database

ROWS = 2000


def access(path: Path) -> Database:
    return Database(path, [first], APPLICATION, "do this")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Database]:
    found = access(tmp_path / "a.db")
    yield found
    found.close()


def count(kept: Database) -> int:
    with kept.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM words").fetchone()[0])


@pytest.mark.parametrize("how", ["reading", "writing"])
def test_threads_take_turns(kept: Database, how: str) -> None:
    """A second one that did not wait would be in the first one's transaction."""
    order: list[str] = []

    def work() -> None:
        with getattr(kept, how)():
            order.append("second")

    second = Thread(target=work)
    with kept.writing():
        second.start()
        second.join(0.2)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


def test_a_thread_reads_within_what_it_writes(kept: Database) -> None:
    with kept.writing() as connection:
        connection.execute("INSERT INTO words VALUES ('more')")
        assert count(kept) == 2


def test_a_snapshot_is_one_moment(kept: Database, tmp_path: Path) -> None:
    assert count(kept) == 1
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        with kept.snapshot() as connection:
            select = "SELECT count(*) FROM words"
            assert connection.execute(select).fetchone() == (1,)
            other.execute("INSERT INTO words VALUES ('meanwhile')")
            assert connection.execute(select).fetchone() == (1,)
        assert count(kept) == 2
    with pytest.raises(ZeroDivisionError), kept.snapshot():
        raise ZeroDivisionError
    assert count(kept) == 2


def test_patience_is_in_seconds(kept: Database) -> None:
    kept.open()
    kept.set_busy_timeout(0.25)
    with kept.reading() as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (250,)


def test_after_it_was_closed_it_is_opened_again(kept: Database) -> None:
    assert count(kept) == 1
    kept.close()
    kept.close()
    assert count(kept) == 1


def test_a_damaged_file_and_its_log_are_left_as_they_are(kept: Database, tmp_path: Path) -> None:
    with kept.writing() as connection:
        connection.executemany(
            "INSERT INTO words VALUES (?)", [(f"word {number}",) for number in range(ROWS)]
        )
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with kept.writing() as connection:
        connection.execute("INSERT INTO words VALUES ('late')")
    copy = tmp_path / "copy" / "a.db"
    copy.parent.mkdir()
    for name, data in files(tmp_path / "a.db").items():
        (copy.parent / name).write_bytes(data)
    content = bytearray(copy.read_bytes())
    page = content.index(b"word 1000") // 4096 * 4096
    content[page : page + 4096] = b"\xaa" * 4096
    copy.write_bytes(content)
    before = files(copy)
    damaged = access(copy)
    for _ in range(2):
        with pytest.raises(CannotReadError, match="it is damaged") as caught, damaged.reading() as connection:
            connection.execute("SELECT max(text) FROM words").fetchone()
        assert caught.value.hint == "do this"
    damaged.close()
    assert len(before["a.db-wal"]) > 0
    assert files(copy) == before


def test_damage_that_is_met_while_it_is_opened_is_told(tmp_path: Path) -> None:
    class Beginning(Database):
        def after_open(self) -> None:
            with suppress(GptkitError), self.writing():
                raise CannotReadError("it is damaged")

    with pytest.raises(CannotReadError, match=r"a\.db': it is damaged") as caught:
        count(Beginning(tmp_path / "a.db", [first], APPLICATION, "do this"))
    assert caught.value.hint == "do this"
