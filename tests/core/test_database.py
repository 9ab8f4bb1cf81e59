"""The database: versions, damage, other people's files, no space, many at once."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from database_parts import files, first, opened, programs

from gptkit.core.errors import (
    CannotReadError,
    CannotWriteError,
    ConfigurationError,
    GptkitError,
    TryAgainError,
)
from gptkit.core.files import folder_lock
from gptkit.core.sqlite import close_without_cleanup, transaction


def test_it_is_made_whole_and_migrated(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a%20?#世.db"
    with closing(opened(path)) as connection:
        assert connection.execute("SELECT * FROM words").fetchall() == [("kept", 1)]
        for pragma, expected in (("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 1)):
            assert connection.execute(f"PRAGMA {pragma}").fetchone() == (expected,)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (60_000,)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_an_older_version_is_brought_up_and_a_newer_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened(path, [first]).close()
    opened(path).close()
    before = files(path)
    with pytest.raises(ConfigurationError, match=r"newer gptkit \(version 2, this one knows 1\)"):
        opened(path, [first])
    assert files(path) == before


def test_a_newer_version_that_is_only_in_the_log_is_kept_byte_for_byte(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy" / "a.db"
    opened(path, [first]).close()
    copy.parent.mkdir()
    with closing(opened(path)):
        for name, data in files(path).items():
            (copy.parent / name).write_bytes(data)
    before = files(copy)
    assert len(before["a.db-wal"]) > 0
    with pytest.raises(ConfigurationError):
        opened(copy, [first])
    assert files(copy) == before
    opened(copy).close()


def test_a_migration_that_fails_or_is_killed_has_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened(path, [first]).close()

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE words")
        connection.execute("nonsense")

    with pytest.raises(GptkitError):
        opened(path, [first, broken])
    assert programs(path, 1, DIE="yes") == [-signal.SIGKILL]
    with closing(opened(path, [first])) as connection:
        assert connection.execute("SELECT * FROM words").fetchall() == [("kept",)]
    with closing(opened(path)) as connection:
        assert connection.execute("SELECT * FROM words").fetchall() == [("kept", 1)]


@pytest.mark.parametrize("old", [False, True])
def test_many_first_runs_migrate_once(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "a.db"
    if old:
        opened(path, [first]).close()
    assert programs(path, 12, STEPS="300") == [0] * 12
    with closing(opened(path)) as connection:
        assert connection.execute("SELECT length FROM words WHERE text = 'kept'").fetchall() == [(300,)]
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (13,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_one_at_a_time_makes_the_file(tmp_path: Path) -> None:
    """Who comes second finds it made; to make it again would lose what the first one has stored."""
    opened(tmp_path / "other" / "a.db").close()
    made = (tmp_path / "other" / "a.db").read_bytes()
    path = tmp_path / "home" / "a.db"
    second = Thread(target=lambda: opened(path).close())
    with folder_lock(path.parent):
        second.start()
        second.join(0.2)
        assert list(path.parent.iterdir()) == []
        path.write_bytes(made)
    second.join()
    assert path.read_bytes() == made


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE theirs (x)")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign, "it is not gptkit's, or damaged"),
        (lambda path: path.write_bytes(b"hello" * 100), "it is not gptkit's, or damaged"),
        (lambda path: path.write_bytes(b""), "it is damaged: it ends after 0 bytes"),
        (lambda path: path.write_bytes(b"SQLite format 3"), "it is damaged: it ends after 15 bytes"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "a.db"
    make(path)
    before = files(path)
    with pytest.raises(CannotReadError) as caught:
        opened(path)
    assert (caught.value.message, caught.value.hint) == (f"'{path}': {message}", "do this")
    assert files(path) == before


def read(path: Path) -> None:
    with closing(opened(path)) as connection, transaction(connection, path, "do this"):
        connection.execute("SELECT * FROM words").fetchall()


@pytest.mark.parametrize("where", [0, 100, 4096])
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, where: int) -> None:
    path = tmp_path / "a.db"
    opened(path).close()
    data = bytearray(path.read_bytes())
    data[where : where + 16] = b"\xff" * 16
    path.write_bytes(data)
    with pytest.raises(CannotReadError, match="damaged") as caught:
        read(path)
    assert caught.value.hint == "do this"
    assert path.read_bytes() == data


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotReadError, match=r"a\.db': is a directory"):
        (tmp_path / "a.db").mkdir()
        opened(tmp_path / "a.db")


def test_a_file_that_ends_too_early_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(opened(path)) as connection:
        connection.execute("INSERT INTO words (text) VALUES (?)", ("large" * 10_000,))
    path.write_bytes(path.read_bytes()[:4096])
    before = files(path)
    with pytest.raises(CannotReadError, match="it is damaged"):
        read(path)
    assert files(path)["a.db"] == before["a.db"]


def test_a_log_that_is_half_moved_into_the_file_is_whole(tmp_path: Path) -> None:
    """A checkpoint begins with the first page, which says how many there will be; then it was killed."""
    path, copy = tmp_path / "a.db", tmp_path / "copy" / "a.db"
    copy.parent.mkdir()
    with closing(opened(path)) as connection:
        connection.execute("INSERT INTO words (text) VALUES (?)", ("large" * 10_000,))
        for name, data in files(path).items():
            (copy.parent / name).write_bytes(data)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        first_page = path.read_bytes()[:4096]
    before = copy.read_bytes()
    assert before[:4096] != first_page
    copy.write_bytes(first_page + before[4096:])
    with closing(opened(copy)) as connection:
        assert connection.execute("SELECT length(text) FROM words").fetchall() == [(4,), (50_000,)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_log_without_its_file_is_not_taken_for_a_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    (tmp_path / "a.db-wal").write_bytes(b"something")
    with pytest.raises(CannotReadError, match=r"it is gone, but 'a\.db-wal' beside it is not"):
        opened(path)
    assert files(path) == {"a.db-wal": b"something"}


def test_an_empty_log_and_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """The one is of a first run that was killed; the other of a disk, perhaps, that is not mounted."""
    path, link = tmp_path / "a.db", tmp_path / "link.db"
    (tmp_path / "a.db-wal").touch()
    opened(path).close()
    link.symlink_to(tmp_path / "missing" / "b.db")
    with pytest.raises(CannotReadError, match="it is a link that leads nowhere"):
        opened(link)
    assert link.is_symlink()


def test_without_space_nothing_is_half_written(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(opened(path)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(CannotWriteError, match="no space left"), transaction(connection, path):
            connection.execute("INSERT INTO words (text) VALUES ('small')")
            connection.execute("INSERT INTO words (text) VALUES (?)", ("large" * 10_000,))
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (1,)


@pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt, sqlite3.Error("nonsense")])
def test_what_fails_is_undone_and_the_next_one_works(
    tmp_path: Path, fault: BaseException | type[BaseException]
) -> None:
    path = tmp_path / "a.db"
    with closing(opened(path)) as connection:
        with (
            pytest.raises((ZeroDivisionError, KeyboardInterrupt, CannotReadError)),
            transaction(connection, path),
        ):
            connection.execute("INSERT INTO words (text) VALUES ('half')")
            raise fault
        with transaction(connection, path):
            connection.execute("INSERT INTO words (text) VALUES ('whole')")
        assert [row[0] for row in connection.execute("SELECT text FROM words")] == ["kept", "whole"]


def test_a_file_that_is_gone_is_closed_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = opened(path)
    for each in tmp_path.iterdir():
        each.unlink()
    close_without_cleanup(connection, path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    assert list(tmp_path.iterdir()) == []


def test_who_waits_in_vain_is_told_to_try_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(opened(path)) as one, closing(opened(path)) as two:
        two.execute("PRAGMA busy_timeout = 50")
        with transaction(one, path), pytest.raises(TryAgainError), transaction(two, path):
            pass


def test_a_folder_that_cannot_be_made_is_a_failure_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWriteError):
        opened(tmp_path / "file" / "a.db")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    os.mkfifo(path)
    with pytest.raises(CannotReadError, match="not a regular file"):
        opened(path)
