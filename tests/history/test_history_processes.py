"""Many processes at once on one history, some of which are killed or have no space left."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from fake.program import COMMAND, InMemory, Surroundings
from fake.signals import unblocked
from fake.waiting import SOON
from history_deaths import survive
from history_parts import ending, integrity, opening, store
from together import together

from gptkit.core.errors import TryAgainError
from gptkit.history.journal import begin_journal
from gptkit.history.store import session_lock

MANY = 12
"""`tests/torture` has 64."""
HERE = Path(__file__).parents[1] / "support"
APPENDING = """
import sys, time
from pathlib import Path
from history_parts import ending, opening, store
from gptkit.history.store import session_lock
folder, number = Path(sys.argv[1]), sys.argv[2]
kept = store(folder)
with session_lock(folder / "data" / "sessions", kept.require_session("s").id, lambda: time.sleep(0.01)):
    session = kept.require_session("s")
    kept.finish(opening(number, session=session.id, parent=session.head), ending("to " + number))
"""


def test_each_of_many_first_exchanges_is_recorded(around: Surroundings, home: Path) -> None:
    home.rmdir()
    runs = [("ask", f"word {number}", "--model", "echo") for number in range(MANY)]
    assert together(around, runs) == [(0, b"", f"word {number}\n".encode()) for number in range(MANY)]
    kept = store(home)
    turns = sorted(turn.user.strip() for session in kept.sessions(99) for turn in kept.chain(session.head))
    assert turns == sorted(f"word {number}" for number in range(MANY))
    assert integrity(kept) == "ok"
    kept.close()


def test_who_appends_to_one_session_waits_for_the_others(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.create("s", "chat")
    with unblocked():
        running = [
            subprocess.Popen(
                [sys.executable, "-c", APPENDING, str(tmp_path), str(number)],
                env={**os.environ, "PYTHONPATH": str(HERE)},
            )
            for number in range(MANY)
        ]
    assert [process.wait(SOON) for process in running] == [0] * MANY
    turns = list(kept.chain(kept.require_session("s").head))
    assert sorted(turn.user for turn in turns) == sorted(map(str, range(MANY)))
    assert [turn.answer for turn in turns] == [f"to {turn.user}" for turn in turns]
    assert list((tmp_path / "data" / "sessions").iterdir()) == []
    kept.close()


def test_a_session_in_use_is_waited_for_no_longer_than_one_wants(tmp_path: Path) -> None:
    def enough() -> None:
        raise TryAgainError("enough")

    with session_lock(tmp_path, "a", enough):
        with session_lock(tmp_path, "b", enough):
            pass
        with pytest.raises(TryAgainError), session_lock(tmp_path, "a", enough):
            pass
    with session_lock(tmp_path, "a", enough):
        pass


def test_processes_that_are_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    survive(tmp_path, 6, random.Random())


def limited() -> None:
    """Writing beyond 64 KiB of a file fails, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))


def test_a_full_disk_costs_the_record_and_nothing_else(
    around: Surroundings, home: Path, gptkit: InMemory, tmp_path: Path
) -> None:
    kept = store(home)
    kept.finish(opening("before"), ending("x" * 60_000))
    kept.close()
    before = gptkit("history", "export").raw
    words = "a" * 100_000
    with unblocked():
        done = subprocess.run(
            [*COMMAND, "ask", "-f", "-", "--model", "echo"],
            input=words.encode(),
            capture_output=True,
            env=around.process_environ(None, "sk-test"),
            cwd=around.folder,
            preexec_fn=limited,
            timeout=SOON,
        )
    assert done.stdout.decode() == words + "\n"
    assert done.stderr.count(b"\n") <= 2, done.stderr
    assert gptkit("history", "export").raw == before
    assert integrity(kept) == "ok"
    kept.close()


def test_without_space_the_journal_is_refused_or_given_up(tmp_path: Path) -> None:
    source = (
        "import resource, sys; from pathlib import Path; from history_parts import opening\n"
        "from gptkit.history.journal import begin_journal; from gptkit.core.errors import CannotWriteError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "journal = begin_journal(Path(sys.argv[1]), opening('small'))\n"
        "for _ in range(1000): journal.add('text ' * 10)\n"
        "journal.discard()\n"
        "try: begin_journal(Path(sys.argv[1]), opening('large' * 2000))\n"
        "except CannotWriteError as error: print('refused')\n"
    )
    with unblocked():
        done = subprocess.run(
            [sys.executable, "-c", source, str(tmp_path / "journal")],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            timeout=SOON,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"refused\n", b"")
    assert begin_journal(tmp_path / "journal", opening()).opening.user == "hi"
