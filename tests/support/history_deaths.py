"""Processes that work on a history until they are killed, and what must then hold."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from fake.signals import unblocked
from fake.waiting import SOON
from history_parts import integrity, store

HERE = Path(__file__).parent
WORKING = """
import sys
from pathlib import Path
from history_parts import STARTED, ending, opening, store
from gptkit.core.files import write_atomic
from gptkit.history.journal import begin_journal
from gptkit.history.export import export_jsonl
folder, number = Path(sys.argv[1]), sys.argv[2]
kept = store(folder)
session, parent = kept.create("", "chat"), None
for count in range(1000):
    words = f"{number}-{count}"
    journal = begin_journal(folder / "data" / "journal", opening(words, session=session.id, parent=parent))
    journal.add("answer ")
    print(f"begun {words}\\n", end="", flush=True)  # in one piece, unbuffered or not
    journal.add(words)
    parent = kept.finish(journal, ending("answer " + words))
    print(f"done {words}\\n", end="", flush=True)
    kept.rename(session, f"name {number} {count}")
    if count % 5 == 4:
        session = kept.fork(session, f"fork {number} {count}")
    if count % 7 == 6:
        write_atomic(folder / f"export{number}", export_jsonl(kept))
"""


def killed_at_work(folder: Path, number: int, seconds: float) -> list[str]:
    """What a process said until it was killed, so many seconds after it began its first turn."""
    with unblocked():
        process = subprocess.Popen(
            [sys.executable, "-c", WORKING, str(folder), str(number)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    output = first + process.stdout.read()
    process.stdout.close()
    assert process.wait(SOON) == -signal.SIGKILL
    return output.decode().splitlines()


def survive(folder: Path, rounds: int, chance: random.Random) -> None:
    """Every turn that was begun is there once; those that were done are whole."""
    said = [line for n in range(rounds) for line in killed_at_work(folder, n, chance.random() * 0.25)]
    kept = store(folder)
    kept.sessions(1)
    with kept.reading() as connection:
        rows = connection.execute("SELECT user, state, answer FROM turns JOIN texts ON turn = id").fetchall()
    assert len(rows) == len({row[0] for row in rows}), "a turn was doubled"
    stored = {row[0]: row[1:] for row in rows}
    for line in said:
        what, words = line.split()
        assert words in stored, f"'{line}' was lost"
        if what == "done":
            assert stored[words] == ("ok", f"answer {words}")
        else:
            assert stored[words] in [
                ("ok", f"answer {words}"),
                *(("cancelled", f"answer {end}") for end in ("", words)),
            ]
    assert integrity(kept) == "ok"
    for session in kept.sessions(1 << 30):
        assert len(list(kept.chain(session.head))) == session.turns
    for export in folder.glob("export*"):
        assert export.read_bytes().endswith(b"}\n"), "half an export"
    kept.close()
