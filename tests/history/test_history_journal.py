"""Journals: what a killed process leaves is stored once, with all that was shown."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake.signals import unblocked
from fake.waiting import SOON
from history_parts import conversation, ending, integrity, opening, store
from processes import open_below

from gptkit.core.errors import CannotWriteError, GptkitError
from gptkit.history.journal import active_exchanges, begin_journal
from gptkit.history.store import Store

HERE = Path(__file__).parents[1] / "support"
DYING = """
import os, signal, sys
from pathlib import Path
from history_parts import ending, opening
from gptkit.history.journal import begin_journal
folder, text, ends, session, parent = Path(sys.argv[1]), *sys.argv[2:]
exchange = opening("words 世界", session=session or None, parent=int(parent) if parent else None)
journal = begin_journal(folder / "data" / "journal", exchange)
for piece in text:
    journal.add(piece)
if ends:
    journal.record_ending(ending(text))
os.kill(os.getpid(), signal.SIGKILL)
"""
ADOPTING = """
import sys
from pathlib import Path
from history_parts import store
kept = store(Path(sys.argv[1]))
sys.stdin.readline()
kept.sessions(1)
"""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    found = store(tmp_path)
    yield found
    found.close()


def program(source: str, *args: str) -> subprocess.Popen[bytes]:
    with unblocked():
        return subprocess.Popen(
            [sys.executable, "-c", source, *args],
            stdin=subprocess.PIPE,
            cwd=HERE,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )


def killed(folder: Path, text: str = "", ends: str = "", session: str = "", parent: str = "") -> None:
    with program(DYING, str(folder), text, ends, session, parent) as process:
        assert process.wait(SOON) == -signal.SIGKILL


def test_a_killed_exchange_is_stored_as_far_as_it_was_shown(kept: Store, tmp_path: Path) -> None:
    killed(tmp_path, 'an "answer"\n世界')
    (session,) = kept.sessions(9)
    (turn,) = kept.chain(session.head)
    assert (turn.state, turn.cause, turn.code, turn.user, turn.answer) == (
        "cancelled",
        "killed",
        137,
        "words 世界",
        'an "answer"\n世界',
    )
    assert list((tmp_path / "data" / "journal").iterdir()) == []


def test_each_request_of_a_killed_exchange_is_in_the_books(kept: Store, tmp_path: Path) -> None:
    """Two are over, one of them free; of the one under way the tokens are estimated from what was shown."""
    journal = begin_journal(tmp_path / "data" / "journal", opening("words"))
    (known,) = ending().charges
    estimate = known._replace(completion_tokens=0, estimated=True, cost=None)
    for number, charge in ((1, known), (2, None)):
        journal.add_charge(number, estimate, False)
        journal.add(f"answer {number}")
        journal.add_charge(number, charge, True)
    journal.add_charge(3, estimate, False)
    journal.add("一二三四五六七八九十")
    journal.release()
    (turn,) = kept.chain(kept.sessions(9)[0].head)
    assert (turn.prompt_tokens, turn.completion_tokens, turn.estimated) == (20, 5 + 8, True)
    assert kept.spending(0) == (0.25, 1)


def test_a_request_after_the_ending_is_in_the_books(kept: Store, tmp_path: Path) -> None:
    journal = begin_journal(tmp_path / "data" / "journal", opening("words"))
    (known,) = ending().charges
    journal.add_charge(1, known._replace(estimated=True), False)
    journal.add_charge(1, known, True)
    journal.record_ending(ending())
    journal.add_charge(2, known._replace(completion_tokens=0, estimated=True), False)
    journal.release()
    (turn,) = kept.chain(kept.sessions(9)[0].head)
    assert (turn.state, turn.answer, turn.prompt_tokens, turn.completion_tokens) == ("ok", "hello", 20, 5)


def test_one_that_was_whole_is_whole(kept: Store, tmp_path: Path) -> None:
    """It was killed between its last word and the store."""
    killed(tmp_path, "all of it", ends="yes")
    (turn,) = kept.chain(kept.sessions(9)[0].head)
    assert (turn.state, turn.cause, turn.answer, turn.cost) == ("ok", "", "all of it", 0.25)


def test_many_that_open_together_store_each_journal_once(kept: Store, tmp_path: Path) -> None:
    for _ in range(5):
        killed(tmp_path, "text")
    adopting = [program(ADOPTING, str(tmp_path)) for _ in range(16)]
    for process in adopting:
        process.communicate(b"\n", timeout=SOON)
    assert [process.returncode for process in adopting] == [0] * 16
    assert [session.turns for session in kept.sessions(99)] == [1] * 5
    assert integrity(kept) == "ok"


def test_a_journal_that_is_stored_already_is_not_stored_again(kept: Store, tmp_path: Path) -> None:
    """Killed after the store had it, and before the file was removed."""
    exchange = opening("one")
    journal = begin_journal(tmp_path / "data" / "journal", exchange)
    journal.add("hello")
    file = tmp_path / "data" / "journal" / f"{exchange.id}.jsonl"
    copy = file.read_bytes()
    kept.finish(journal, ending())
    assert not file.exists()
    file.write_bytes(copy)
    assert kept.adopt_orphans() == 1
    assert [(one.turns, turn.state) for one in kept.sessions(9) for turn in kept.chain(one.head)] == [
        (1, "ok")
    ]


def test_the_journal_of_a_living_process_is_left_alone(kept: Store, tmp_path: Path) -> None:
    exchange = opening("still thinking")
    journal = begin_journal(tmp_path / "data" / "journal", exchange)
    assert (kept.adopt_orphans(), kept.sessions(9)) == (0, [])
    assert active_exchanges(tmp_path / "data" / "journal") == [exchange]
    journal.discard()
    assert active_exchanges(tmp_path / "data" / "journal") == []


def test_a_killed_turn_moves_its_session_on_unless_that_went_elsewhere(kept: Store, tmp_path: Path) -> None:
    session = kept.create("s", "chat")
    first, second = conversation(kept, session, "one", "two")
    killed(tmp_path, "late", session=session.id, parent=str(first))
    assert kept.adopt_orphans() == 1
    assert kept.require_session("s").head == second
    killed(tmp_path, "next", session=session.id, parent=str(second))
    assert kept.adopt_orphans() == 1
    assert [turn.answer for turn in kept.chain(kept.require_session("s").head)][:2] == [
        "next",
        "answer to two",
    ]


@pytest.mark.parametrize(
    ("content", "left"),
    [
        (b"", []),
        (b'{"id": "x", "session"', []),  # killed while it began: nothing was sent
        (b"rubbish\n", ["x.damaged"]),
        (b"[]\n", ["x.damaged"]),
        (b'{"id": "../x"}\n', ["x.damaged"]),
        (json.dumps(opening(id="../x")._asdict()).encode() + b"\n", ["x.damaged"]),
    ],
)
def test_what_is_no_journal_is_never_believed(
    kept: Store, tmp_path: Path, content: bytes, left: list[str]
) -> None:
    folder = tmp_path / "data" / "journal"
    folder.mkdir(parents=True)
    (folder / "x.jsonl").write_bytes(content)
    assert (kept.sessions(9), kept.adopt_orphans()) == ([], 0)
    assert [path.name for path in folder.iterdir()] == left


def test_what_cannot_be_opened_is_passed_over(kept: Store, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "journal"
    begin_journal(folder, opening("words")).release()
    (folder / "0.jsonl").symlink_to(tmp_path / "elsewhere")
    (folder / "1.jsonl").mkdir()
    assert active_exchanges(folder) == []
    assert [session.turns for session in kept.sessions(9)] == [1]
    assert sorted(path.name for path in folder.iterdir()) == ["0.jsonl", "1.jsonl"]
    assert not (tmp_path / "elsewhere").exists()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A write that goes beyond stops there, and the next one fails, as on a full disk."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_ends_the_record_and_nothing_else(kept: Store, tmp_path: Path, room: int) -> None:
    """What comes later would stand behind half a line, and answer another question."""
    journal = begin_journal(tmp_path / "data" / "journal", opening("words"))
    journal.add("whole")
    (file,) = (tmp_path / "data" / "journal").iterdir()
    size = file.stat().st_size
    with files_of_at_most(size + room):
        journal.add("a piece that is too long")
    journal.add("later")
    journal.record_ending(ending("never"))
    assert (file.stat().st_size, journal.read_text()) == (size + room, "whole")
    assert [turn.answer for one in kept.sessions(9) for turn in kept.chain(one.head)] == ["whole"]


@pytest.mark.parametrize("room", [0, 10])
def test_an_exchange_that_cannot_be_noted_leaves_nothing(tmp_path: Path, room: int) -> None:
    with files_of_at_most(room), pytest.raises(CannotWriteError):
        begin_journal(tmp_path, opening("words"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_no_descriptor_stays_open(kept: Store, tmp_path: Path) -> None:
    """An open one would be a lock that nobody else can have."""
    folder = tmp_path / "data" / "journal"
    assert kept.sessions(1) == []
    begin_journal(folder, opening("dead")).release()
    living = begin_journal(folder, opening("alive"))
    assert ([one.user for one in active_exchanges(folder)], kept.adopt_orphans()) == (["alive"], 1)
    living.discard()
    assert open_below(folder) == []


@pytest.mark.parametrize("cut", [1, 3, 8])
def test_a_torn_last_line_costs_that_line(kept: Store, tmp_path: Path, cut: int) -> None:
    killed(tmp_path, "abcdef")
    (file,) = (tmp_path / "data" / "journal").iterdir()
    data = file.read_bytes()
    file.write_bytes(data[:-cut])
    (turn,) = kept.chain(kept.sessions(9)[0].head)
    assert turn.answer == "abcdef"[: -((cut + 3) // 4)]


def test_one_that_somebody_removed_is_let_go(kept: Store, tmp_path: Path) -> None:
    """As when a home is wiped while a model answers: the answer is shown and stored all the same."""
    journal = begin_journal(tmp_path / "data" / "journal", opening("one"))
    (file,) = (tmp_path / "data" / "journal").iterdir()
    file.unlink()
    journal.add("hello")
    assert journal.read_text() == ""
    kept.finish(journal, ending())
    assert [turn.answer for turn in kept.chain(kept.sessions(1)[0].head)] == ["hello"]


@pytest.mark.parametrize("umask", [0, 0o777])
def test_it_is_private_and_no_link_is_followed(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "deep" / "journal"
    old = os.umask(umask)
    try:
        begin_journal(folder, opening(id="a")).release()
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "a.jsonl").stat().st_mode) == 0o600
    (folder / "b.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotWriteError):
        begin_journal(folder, opening(id="b"))
    assert not (tmp_path / "elsewhere").exists()


def test_an_id_is_no_path_and_is_used_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "journal"
    with pytest.raises(ValueError, match="not an id"):
        begin_journal(folder, opening(id="../x"))
    begin_journal(folder, opening("first", id="x")).release()
    before = (folder / "x.jsonl").read_bytes()
    with pytest.raises(CannotWriteError, match="file exists"):
        begin_journal(folder, opening("second", id="x"))
    assert (folder / "x.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["x.jsonl"]


def test_a_store_that_cannot_be_written_leaves_the_answer_in_the_journal(tmp_path: Path) -> None:
    kept = store(tmp_path)
    journal = begin_journal(tmp_path / "data" / "journal", opening("one"))
    (tmp_path / "data" / "history.db").mkdir()
    with pytest.raises(GptkitError):
        kept.finish(journal, ending("paid for"))
    (tmp_path / "data" / "history.db").rmdir()
    (turn,) = kept.chain(kept.sessions(9)[0].head)
    assert (turn.state, turn.answer, turn.cost) == ("ok", "paid for", 0.25)
    kept.close()


LONG = "".join(f"line {number} 世界\n" for number in range(40_000))


@pytest.mark.parametrize(
    "shown",
    [LONG, LONG[:-9], LONG[:-1] + "X", "X" + LONG[1:], ""],
    ids=["same", "less", "other end", "other begin", "none"],
)
def test_a_long_answer_is_kept_whole_and_not_twice(tmp_path: Path, shown: str) -> None:
    """What is shown may differ from the answer: a format may take only a part of the text."""
    kept = store(tmp_path)
    journal = begin_journal(tmp_path / "data" / "journal", opening("one"))
    for start in range(0, len(shown), 5000):
        journal.add(shown[start : start + 5000])
    assert journal.read_text() == shown
    (file,) = (tmp_path / "data" / "journal").iterdir()
    before = file.stat().st_size
    journal.record_ending(ending(LONG))
    assert (file.stat().st_size - before < 1000) == (shown == LONG)
    journal.release()  # as if the process had died here
    (turn,) = kept.chain(kept.sessions(9)[0].head)
    assert (turn.state, turn.answer) == ("ok", LONG)
    kept.close()


def test_killed_while_a_long_answer_is_noted_it_is_stored_as_it_was_shown(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for shown in ("shown", ""):
        journal = begin_journal(tmp_path / "data" / "journal", opening(shown, id=f"one{shown}"))
        journal.add(shown)
        journal.record_ending(ending(LONG))
        journal.release()
        file = tmp_path / "data" / "journal" / f"one{shown}.jsonl"
        file.write_bytes(file.read_bytes().rpartition(b'{"state"')[0])
    turns = {turn.user: turn for one in kept.sessions(9) for turn in kept.chain(one.head)}
    assert {turn.state for turn in turns.values()} == {"cancelled"}
    assert (turns["shown"].answer, turns[""].answer) == ("shown", LONG)
    kept.close()


def test_a_store_in_memory_takes_nothing_over(tmp_path: Path) -> None:
    """It would take a killed turn along when it is closed."""
    killed(tmp_path, "partly")
    scratch = Store(None, tmp_path / "data" / "journal")
    assert scratch.sessions(9) == []
    scratch.close()
    kept = store(tmp_path)
    assert [turn.answer for one in kept.sessions(9) for turn in kept.chain(one.head)] == ["partly"]
    kept.close()


@pytest.mark.parametrize(("lost", "cause"), [(0, "second"), (1, "first"), (9, "first")])
def test_of_several_endings_the_last_whole_one_counts(
    kept: Store, tmp_path: Path, lost: int, cause: str
) -> None:
    long = "long " * 100_000
    journal = begin_journal(tmp_path / "data" / "journal", opening("words"))
    journal.record_ending(ending(long)._replace(cause="first"))
    journal.record_ending(ending(long)._replace(cause="second"))
    journal.release()
    (path,) = (tmp_path / "data" / "journal").iterdir()
    os.truncate(path, path.stat().st_size - lost)
    (session,) = kept.sessions(9)
    (turn,) = kept.chain(session.head)
    assert (turn.state, turn.cause, turn.answer == long) == ("ok", cause, True)
