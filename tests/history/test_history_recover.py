"""Recovery: every turn that SQLite can still read is saved, and the damaged file is kept as it is."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from history_parts import conversation, ending, integrity, opening, store

from gptkit.core.errors import CannotReadError, CannotWriteError, GptkitError, NoInputError
from gptkit.history.export import export_jsonl
from gptkit.history.recover import recover
from gptkit.history.remove import remove
from gptkit.history.store import Store

PAGE = 4096
MANY = 120
USERS = [f"turn {n} " + "世界" * (n % 7) ** 4 for n in range(MANY)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    """Some turns have texts over several pages; five were removed."""
    found = store(tmp_path)
    session = found.create("doomed", "chat")
    conversation(found, session, *("x" * number for number in range(5)))
    found.remove(session)
    session = found.create("计划", "chat")
    conversation(found, session, *USERS)
    found.add_summary(found.require_session("计划").head or 0, "in short", "m")
    yield found
    found.close()


def file(kept: Store) -> Path:
    assert kept.path is not None
    return kept.path


def saved(kept: Store) -> set[str]:
    with kept.reading() as connection:
        return {row[0] for row in connection.execute("SELECT user FROM turns JOIN texts ON turn = turns.id")}


def test_all_of_a_sound_file_is_saved(kept: Store) -> None:
    before = b"".join(export_jsonl(kept))
    done = recover(kept)
    assert (done.saved, done.lost) == (MANY, 0)
    assert b"".join(export_jsonl(kept)) == before
    assert integrity(kept) == "ok"
    assert len(kept.search("turn", 999)) == MANY


def test_what_is_still_in_the_log_is_saved(kept: Store, tmp_path: Path) -> None:
    names = ("history.db", "history.db-wal")
    copy = store(tmp_path / "copy")
    file(copy).parent.mkdir(parents=True)
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    kept.finish(opening("turn last"), ending())
    for name in names:
        (file(copy).parent / name).write_bytes((file(kept).parent / name).read_bytes())
    assert recover(copy).saved == MANY + 1
    assert "turn last" in saved(copy)
    copy.close()


def damaged(data: bytearray, damage: str) -> None:
    count = len(data) // PAGE
    noise = random.Random(1)
    match damage:
        case "header":
            data[:68] = noise.randbytes(68)
        case "schema":
            data[100 : 2 * PAGE] = noise.randbytes(2 * PAGE - 100)
        case "first page":
            data[:PAGE] = bytes(PAGE)
        case "bits":
            for _ in range(10):
                data[noise.randrange(PAGE, len(data))] ^= 1 << noise.randrange(8)
        case "truncated":
            del data[count * PAGE * 2 // 3 + 100 :]
        case _:
            for page in noise.sample(range(2, count), count // 10):
                size = 64 if damage == "middle" else PAGE
                data[page * PAGE : page * PAGE + size] = (
                    noise.randbytes(size) if damage != "zeros" else bytes(size)
                )


@pytest.mark.parametrize("is_vacuumed", [False, True])
@pytest.mark.parametrize(
    "damage", ["header", "schema", "first page", "bits", "middle", "zeros", "truncated", "rubbish"]
)
def test_intact_turns_survive(kept: Store, damage: str, is_vacuumed: bool) -> None:
    if is_vacuumed:
        with kept.reading() as connection:
            connection.execute("VACUUM")
    kept.close()
    path = file(kept)
    data = bytearray(path.read_bytes())
    damaged(data, damage)
    path.write_bytes(data)
    intact = set(USERS) if damage in ("header", "schema", "first page") else readable(path)
    done = recover(kept)
    assert done.kept.read_bytes() == data
    assert done.kept.name.startswith("history.db.damaged-")
    assert integrity(kept) == "ok"
    assert intact - saved(kept) == set()
    assert done.saved == len(saved(kept))
    assert done.lost == MANY - done.saved
    assert done.saved >= MANY // 3
    if damage != "bits":  # one in a text goes unnoticed
        assert saved(kept) <= set(USERS)
    kept.finish(opening("turn new"), ending())
    assert list(path.parent.glob(".gptkit-*")) == []


def readable(path: Path) -> set[str]:
    """The texts that SQLite itself finds, each by the number of its turn."""
    found = set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        for number in range(1, MANY + 9):
            with suppress(sqlite3.Error):
                found |= set(
                    connection.execute(
                        "SELECT uid, state, started, cost, system, user, answer, request, notes"
                        " FROM turns JOIN texts ON turn = turns.id WHERE turns.id = ?",
                        (number,),
                    )
                )
    return {row[5] for row in found}


@pytest.mark.parametrize("where", [0.0, 0.3, 0.9])
def test_a_damaged_log_costs_what_is_damaged(kept: Store, tmp_path: Path, where: float) -> None:
    """SQLite alone would drop all that came after."""
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    session = kept.require_session("计划")
    conversation(kept, session, *(f"turn later{number}" for number in range(20)))
    copy = store(tmp_path / "copy")
    file(copy).parent.mkdir(parents=True)
    file(copy).write_bytes(file(kept).read_bytes())
    log = bytearray((file(kept).parent / "history.db-wal").read_bytes())
    place = 32 + int(where * len(log) / (PAGE + 24)) * (PAGE + 24) + 24
    log[place : place + PAGE] = os.urandom(PAGE)
    (file(copy).parent / "history.db-wal").write_bytes(log)
    done = recover(copy)
    assert done.saved >= MANY + 19
    assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == log
    assert integrity(copy) == "ok"
    copy.close()


@pytest.mark.parametrize("log", [b"", b"7", bytes(9000), random.Random(1).randbytes(50_000)])
def test_a_log_that_is_none_costs_nothing(kept: Store, log: bytes) -> None:
    kept.close()
    (file(kept).parent / "history.db-wal").write_bytes(log)
    assert recover(kept)[:2] == (MANY, 0)


def test_what_is_left_over_in_a_log_is_not_taken(kept: Store, tmp_path: Path) -> None:
    """SQLite begins a log anew over the old one, which may hold what was removed since."""
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    session = kept.create("secret", "chat")
    conversation(kept, session, *(f"turn secret {number}" for number in range(20)))
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
    with kept.writing() as connection:
        remove(connection, session.id)  # the store itself empties the log then
    copy = store(tmp_path / "copy")
    file(copy).parent.mkdir(parents=True)
    for name in ("history.db", "history.db-wal"):
        (file(copy).parent / name).write_bytes((file(kept).parent / name).read_bytes())
    assert b"turn secret 1" in (file(copy).parent / "history.db-wal").read_bytes()
    recover(copy)
    assert saved(copy) == set(USERS)
    copy.close()


def test_what_is_saved_is_consistent(kept: Store) -> None:
    plan = kept.require_session("计划")
    ids = [turn.id for turn in kept.chain(plan.head)][::-1]
    other = kept.create("other", "chat")
    conversation(kept, other, "turn other")
    kept.close()
    with closing(sqlite3.connect(file(kept))) as connection, connection:
        connection.execute("DELETE FROM texts WHERE turn IN (?, ?)", (ids[10], ids[-1]))
        connection.execute("UPDATE turns SET parent = id + 1 WHERE id = ?", (ids[20],))
        connection.execute("UPDATE turns SET state = 'odd' WHERE id = ?", (ids[30],))
        connection.execute("UPDATE texts SET user = x'ff' WHERE turn = ?", (ids[50],))
        connection.execute("UPDATE texts SET request = '[', notes = 'null' WHERE turn = ?", (ids[40],))
        connection.execute("UPDATE sessions SET name = 'a/b' WHERE name = '计划'")
        connection.execute("DELETE FROM sessions WHERE name = 'other'")
    done = recover(kept)
    assert (done.saved, done.lost) == (MANY + 1 - 4, 4)
    assert integrity(kept) == "ok"
    sessions = {session.id: session for session in kept.sessions(9)}
    assert sessions.keys() == {plan.id, other.id}
    assert [sessions[one.id].name for one in (plan, other)] == ["", ""]
    turns = [*kept.chain(sessions[plan.id].head)]
    assert [turn.id for turn in turns] == ids[51:-1][
        ::-1
    ]  # what came before is lost or a beginning of its own
    assert turns[0].depth == len(turns)
    assert [turn.user for turn in kept.chain(sessions[other.id].head)] == ["turn other"]
    for first, last in ((0, 9), (11, 19), (20, 29), (31, 49)):
        chain = list(kept.chain(ids[last]))
        assert [turn.id for turn in chain] == ids[first : last + 1][::-1]
        assert chain[0].depth == last + 1 - first
    mended = kept.turn(ids[40])
    assert mended is not None
    assert (mended.request, mended.notes) == ({}, {})
    assert kept.summary(ids[-2]) is None
    with kept.reading() as connection:
        assert connection.execute("SELECT count(*), count(turn) FROM charges").fetchone() == (
            MANY + 6,
            MANY - 3,
        )
    again = recover(kept)
    assert (again.saved, again.lost) == (done.saved, 0)


def test_a_name_that_two_sessions_have_stays_with_one(kept: Store) -> None:
    kept.create("other", "chat")
    kept.close()
    with closing(sqlite3.connect(file(kept))) as connection, connection:
        connection.execute("DROP INDEX sessions_by_name")
        connection.execute("UPDATE sessions SET name = '计划'")
    recover(kept)
    assert sorted(session.name for session in kept.sessions(9)) == ["", "计划"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits here")
def test_a_full_disk_leaves_the_damaged_file(kept: Store) -> None:
    import resource

    kept.close()
    before = file(kept).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - 1, limits[1]))
    try:
        with pytest.raises(CannotWriteError):
            recover(kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file(kept).read_bytes() == before
    assert [path.name for path in file(kept).parent.iterdir()] == ["history.db"]
    assert recover(kept).saved == MANY


def test_a_folder_in_its_place_cannot_be_read(tmp_path: Path) -> None:
    kept = store(tmp_path)
    file(kept).mkdir(parents=True)
    with pytest.raises(CannotReadError, match="is a directory"):
        recover(kept)


def test_nothing_to_recover_is_no_reason_to_touch_anything(tmp_path: Path) -> None:
    kept = store(tmp_path)
    with pytest.raises(NoInputError):
        recover(kept)
    file(kept).parent.mkdir()
    file(kept).write_bytes(b"a letter to my aunt" * 1000)
    with pytest.raises(CannotReadError, match="nothing in it is gptkit's") as fault:
        recover(kept)
    assert fault.value.hint == "move it away; the next command makes a new one"
    with pytest.raises(GptkitError):
        kept.sessions(1)
    assert [path.name for path in file(kept).parent.iterdir()] == ["history.db"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    kept = store(tmp_path)
    file(kept).parent.mkdir()
    os.mkfifo(file(kept))
    with pytest.raises(CannotReadError, match="not a regular file"):
        recover(kept)
