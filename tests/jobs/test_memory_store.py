"""The memory: what is put in is found again, and no fault of the store ends a job."""

from __future__ import annotations

import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from memory_parts import ABOUT, STARTED, integrity, key, memory, put
from processes import open_below

from gptkit.core.errors import ConfigurationError, TryAgainError
from gptkit.jobs.memory import maintenance
from gptkit.jobs.memory.entries import APPLICATION_ID
from gptkit.jobs.memory.maintenance import group_entries
from gptkit.jobs.memory.store import MemoryStore
from gptkit.text.pieces import Finding, PieceAnswer

SECRET = "geheimnisvoll"


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def kept(tmp_path: Path, notices: list[str]) -> Iterator[MemoryStore]:
    found = memory(tmp_path, notices)
    yield found
    found.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "data").iterdir() if path.is_file()}


def test_an_answer_comes_out_as_it_went_in(kept: MemoryStore, tmp_path: Path) -> None:
    text = "a\0b \udc80 世界\r\n"
    held = PieceAnswer(text, (Finding(3, "number", "'7' 欠\ud800"), Finding(4, "term", "x")))
    kept.put(key("a"), text, held, ABOUT)
    kept.put(key("b"), "b", PieceAnswer("", in_halves=True), {})
    kept.close()
    again = memory(tmp_path)
    whole = "a\0b \ufffd 世界\r\n"
    assert again.get(key("a")) == PieceAnswer(
        whole, (Finding(3, "number", "'7' 欠\ufffd"), Finding(4, "term", "x"))
    )
    assert again.get(key("b")) == PieceAnswer("", in_halves=True)
    assert again.get(key("c")) is None
    again.close()


def test_a_second_answer_replaces_the_first(kept: MemoryStore) -> None:
    put(kept, "a", "one")
    put(kept, "a", "two")
    assert kept.get(key("a")) == PieceAnswer("two")
    assert [(group.entries, group.size) for group in group_entries(kept)] == [(1, 4)]
    put(kept, "世", "界")
    assert [(group.entries, group.size) for group in group_entries(kept)] == [(2, 10)]


def test_files_are_private(kept: MemoryStore, tmp_path: Path) -> None:
    with kept.claim(key("a")):
        put(kept, "a")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    database = dict.fromkeys(["memory.db", "memory.db-wal", "memory.db-shm"], 0o600)
    assert modes == database | {"claims": 0o700, f"{key('a').hex()}.lock": 0o600}


def test_uses_are_counted_for_all_that_was_found(kept: MemoryStore, tmp_path: Path) -> None:
    put(kept, "a")
    put(kept, "b", to="German", model="n")
    kept.close()
    later = memory(tmp_path, now=STARTED + 100)
    assert [later.get(key(text)) is not None for text in "aab"] == [True] * 3
    later.close()
    found = [group._replace(size=0) for group in group_entries(later)]
    assert found == [
        ("translate", "m", "fr", 1, 0, 2, STARTED + 100),
        ("translate", "n", "de", 1, 0, 1, STARTED + 100),
    ]


def test_a_use_is_never_older_than_one_before(kept: MemoryStore, tmp_path: Path) -> None:
    put(kept, "a")
    kept.close()
    for now in (STARTED + 100, STARTED + 50):
        again = memory(tmp_path, now=now)
        assert again.get(key("a"))
        again.close()
    assert [(group.hits, group.used) for group in group_entries(again)] == [(2, STARTED + 100)]


def test_once_it_is_closed_there_is_one_file(kept: MemoryStore, tmp_path: Path) -> None:
    put(kept, "a")
    assert kept.get(key("a"))
    kept.close()
    assert list(files(tmp_path)) == ["memory.db"]


def test_what_another_process_still_reads_is_told(kept: MemoryStore) -> None:
    put(kept, f"a {SECRET}")
    kept._writer.set_busy_timeout(0)
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM entries").fetchone()
        with pytest.raises(TryAgainError, match="removed, but another process keeps its log open"):
            maintenance.remove_all(kept)
    assert group_entries(kept) == []


def test_jobs_are_told_apart_by_prompt_model_and_language(kept: MemoryStore) -> None:
    put(kept, "a", prompt="ab", model="c", to="Klingon")
    put(kept, "b", prompt="a", model="bc", to="Klingon")
    put(kept, "c", prompt="a", model="bc", to="German")
    found = {(group.prompt, group.model, group.language) for group in group_entries(kept)}
    assert found == {("ab", "c", "Klingon"), ("a", "bc", "Klingon"), ("a", "bc", "de")}


def test_findings_that_cannot_be_read_are_damage(kept: MemoryStore, notices: list[str]) -> None:
    put(kept, "a")
    with kept.writing() as connection:
        connection.execute("UPDATE texts SET findings = 'nonsense'")
    assert (kept.get(key("a")), len(notices)) == (None, 1)


def test_clear_leaves_no_text_in_any_file(kept: MemoryStore, tmp_path: Path) -> None:
    for number in range(50):
        put(kept, f"{number} {SECRET}", f"{SECRET} " * 500, tone=SECRET)
    assert SECRET.encode() in b"".join(files(tmp_path).values())
    assert maintenance.remove_all(kept) == 50
    assert SECRET.encode() not in b"".join(files(tmp_path).values())
    assert (group_entries(kept), integrity(kept)) == ([], "ok")
    assert kept.path.stat().st_size < 100_000


def test_what_was_not_used_lately_is_pruned_with_its_text(kept: MemoryStore, tmp_path: Path) -> None:
    put(kept, f"old {SECRET}", tone=SECRET)
    put(kept, "old but used")
    kept.close()
    later = memory(tmp_path, now=STARTED + 100)
    put(later, "new")
    later.get(key("old but used"))
    later.close()
    assert maintenance.prune(later, STARTED + 50, None) == 1
    assert [later.get(key(text)) is None for text in (f"old {SECRET}", "old but used", "new")] == [
        True,
        False,
        False,
    ]
    assert SECRET.encode() not in b"".join(files(tmp_path).values())
    later.close()


def test_the_least_recently_used_go_until_the_size_is_right(tmp_path: Path) -> None:
    for number in range(60):
        kept = memory(tmp_path, now=STARTED + number)
        put(kept, str(number), "word " * 2000)
        kept.close()
    whole = kept.path.stat().st_size
    removed = maintenance.prune(kept, None, whole // 2)
    assert whole // 3 < kept.path.stat().st_size <= whole // 2
    assert [number for number in range(60) if kept.get(key(str(number)))] == list(range(removed, 60))
    assert maintenance.prune(kept, None, whole) == 0
    assert maintenance.prune(kept, None, 0) == 60 - removed
    kept.close()


def test_a_damaged_store_is_kept_and_the_job_goes_on(tmp_path: Path) -> None:
    """One page of it is destroyed; a part of it is in its log. All else could still be read and written."""
    kept = memory(tmp_path / "whole")
    for number in range(40):
        put(kept, str(number), f"answer {number:03} " * 200)
    kept.shrink()
    put(kept, "late")
    before = files(tmp_path / "whole")
    kept.close()
    content = bytearray(before["memory.db"])
    page = content.index(b"answer 020 answer") // 4096 * 4096
    content[page : page + 4096] = b"\xaa" * 4096
    before["memory.db"] = bytes(content)
    del before["memory.db-shm"]
    (tmp_path / "data").mkdir()
    for name, data in before.items():
        (tmp_path / "data" / name).write_bytes(data)
    notices: list[str] = []
    damaged = memory(tmp_path, notices)
    with damaged.claim(key("1")):  # so that it is open to be written to
        assert [damaged.get(key(text)) for text in ("late", "20")] == [PieceAnswer("answer to late"), None]
    put(damaged, "new")
    with damaged.claim(key("2")):
        assert damaged.get(key("new")) is None
    damaged.close()
    assert len(notices) == 1
    assert notices[0].startswith(f"'{damaged.path}': it is damaged (SQLITE_")
    assert notices[0].endswith(": the job goes on without the memory")
    assert {name: data for name, data in files(tmp_path).items() if name != "memory.db-shm"} == before


def test_what_is_no_store_is_kept(kept: MemoryStore, tmp_path: Path, notices: list[str]) -> None:
    (tmp_path / "data").mkdir()
    kept.path.write_bytes(b"my own notes")
    with kept.claim(key("a")):
        put(kept, "a")
    kept.close()
    assert (len(notices), kept.path.read_bytes()) == (1, b"my own notes")


def test_a_store_of_a_newer_gptkit_stops_the_job_before_it_pays(kept: MemoryStore, tmp_path: Path) -> None:
    put(kept, "a")
    kept.close()
    with closing(sqlite3.connect(kept.path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError):
        memory(tmp_path).get(key("a"))
    with pytest.raises(ConfigurationError):
        memory(tmp_path).claim(key("a"))


def test_answers_wait_for_a_store_that_is_locked(tmp_path: Path) -> None:
    """The holder writes from another connection, as another process would."""
    notices: list[str] = []
    clock = [STARTED]
    kept = MemoryStore(tmp_path / "data" / "memory.db", lambda: clock[0], notices.append)
    put(kept, "before")
    kept._writer.set_busy_timeout(0)
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        put(kept, "one")
        put(kept, "two")
        assert kept.get(key("one")) == PieceAnswer("answer to one")
        other.execute("ROLLBACK")
    assert notices == [f"'{kept.path}': it is locked by another process: the job goes on without the memory"]
    put(kept, "too early")
    assert [group.entries for group in group_entries(kept)] == [1]
    clock[0] += 60
    put(kept, "three")
    assert [group.entries for group in group_entries(kept)] == [5]
    put(kept, "four")
    assert ([group.entries for group in group_entries(kept)], len(notices)) == ([6], 1)
    kept.close()


def test_a_store_that_was_locked_is_waited_for_a_second_until_it_is_free(tmp_path: Path) -> None:
    clock = [STARTED]
    kept = MemoryStore(tmp_path / "data" / "memory.db", lambda: clock[0])

    def patience() -> int:
        with kept._writer.reading() as connection:
            return int(connection.execute("PRAGMA busy_timeout").fetchone()[0])

    put(kept, "before")
    assert (kept.get(key("before")), patience()) == (PieceAnswer("answer to before"), 60_000)
    kept._writer.set_busy_timeout(0)
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        put(kept, "one")
        clock[0] += 60
        put(kept, "two")
        assert patience() == 1000
        other.execute("ROLLBACK")
    clock[0] += 60
    put(kept, "three")
    assert patience() == 60_000
    kept.close()
    assert [(group.entries, group.hits) for group in group_entries(kept)] == [(4, 1)]


def test_of_what_waits_the_oldest_are_given_up(tmp_path: Path) -> None:
    kept = memory(tmp_path)
    put(kept, "before")
    kept._writer.set_busy_timeout(0)
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(2001):
            put(kept, str(number))
        assert [kept.get(key(str(number))) is not None for number in (0, 1, 2000)] == [False, True, True]
        other.execute("ROLLBACK")
    kept.close()
    assert [group.entries for group in group_entries(kept)] == [2001]


def test_nobody_adds_to_what_waits_while_it_is_written(kept: MemoryStore) -> None:
    second = Thread(target=put, args=(kept, "a"))
    with kept._writer.lock:
        second.start()
        second.join(0.2)
        assert kept._unwritten == {}
    second.join()
    assert kept.get(key("a")) == PieceAnswer("answer to a")


def test_what_several_threads_wait_with_is_written_at_once(kept: MemoryStore) -> None:
    put(kept, "before")
    statements: list[str] = []
    threads = [Thread(target=put, args=(kept, str(number))) for number in range(8)]
    with kept._writer.lock:
        with kept._writer.reading() as connection:
            connection.set_trace_callback(statements.append)
        for thread in threads:
            thread.start()
            while thread.is_alive() and len(kept._arrived) <= threads.index(thread):
                thread.join(0.001)
    for thread in threads:
        thread.join()
    assert statements.count("COMMIT") == 1
    assert all(kept.get(key(str(number))) == PieceAnswer(f"answer to {number}") for number in range(8))


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    kept = memory(tmp_path)
    put(kept, "before")
    kept._writer.set_busy_timeout(0)
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        put(kept, "one")
        other.execute("ROLLBACK")
    kept.close()
    assert memory(tmp_path).get(key("one")) == PieceAnswer("answer to one")


def test_a_full_store_keeps_what_it_has(tmp_path: Path) -> None:
    notices: list[str] = []
    kept = memory(tmp_path, notices)
    put(kept, "before")
    with kept._writer.reading() as connection:
        connection.execute("PRAGMA max_page_count = 20")
    put(kept, "large", "word " * 100_000)
    assert kept.get(key("large")) == PieceAnswer("word " * 100_000)
    assert notices == [f"'{kept.path}': no space left on device: the job goes on without the memory"]
    kept.close()
    again = memory(tmp_path)
    assert (again.get(key("before")), again.get(key("large"))) == (PieceAnswer("answer to before"), None)
    assert integrity(again) == "ok"
    again.close()


def test_a_folder_that_cannot_be_made_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    notices: list[str] = []
    kept = memory(tmp_path, notices)
    with kept.claim(key("a")):
        assert kept.get(key("a")) is None
        put(kept, "a")
        with pytest.raises(ZeroDivisionError), kept.claim(key("a"), lambda seconds: seconds / 0):
            pass
    kept.close()
    assert len(notices) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_claim_is_let_go_whole(kept: MemoryStore) -> None:
    """A long job makes thousands of them."""
    claims = kept.path.with_name("claims")
    for number in range(5):
        with kept.claim(key(str(number))):
            put(kept, str(number))
            assert len(open_below(claims)) == 1
        assert open_below(claims) == []


def test_many_threads(kept: MemoryStore) -> None:
    asked: list[str] = []

    def work() -> None:
        for number in range(40):
            text = str(number)
            with kept.claim(key(text)):
                if kept.get(key(text)) is None:
                    asked.append(text)
                    put(kept, text)

    threads = [Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == sorted(str(number) for number in range(40))
    assert sum(group.entries for group in group_entries(kept)) == 40
    assert list((kept.path.parent / "claims").iterdir()) == []
