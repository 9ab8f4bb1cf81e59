"""A long job that is killed at many moments of its work and resumed, beside one that is left alone."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition

from fake.program import AsProcess
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer

LINES = 20_000
JOBS = 8
FAILURES = (429, 500, 502, 503, 529)
MARK = r"[mM](\d+)[mM]"
PATIENCE = 120.0
"""Seconds without a single request of a process that is at work."""


def book() -> str:
    return "".join(
        f"Line {number} with the mark m{number}m and some words to fill it up.\n\n" for number in range(LINES)
    )


def asked_for(request: Received) -> str:
    return str(request.json["messages"][1]["content"])


class Trouble:
    """Answers, or fails at random; keeps a log. What a process gets at most is set before its start."""

    def __init__(self, answer: Callable[[str], str], share: float, seed: int) -> None:
        self.succeeded: Counter[str] = Counter()
        self.stored: set[str] = set()
        """Texts whose answers the memory has: nobody may ask for them again."""
        self.again: list[str] = []
        self.requests = 0
        self.answer = answer
        self.share = share
        self._chance = random.Random(seed)
        self._changed = Condition()
        self._goal = self._most = 0
        self._successes = -1
        self._holds = False

    def __call__(self, request: Received) -> str | Reply:
        text = asked_for(request)
        with self._changed:
            self.requests += 1
            if text in self.stored:
                self.again.append(text)
            self._changed.notify_all()
            if self._holds and (self._most == 0 or self._successes == 0):
                self._goal = 0
                self._changed.wait_for(lambda: not self._holds)  # for a process that is dead by now
                return failed(503)
            self._goal, self._most = max(0, self._goal - 1), self._most - 1
            if self._chance.random() < self.share:
                return failed(self._chance.choice(FAILURES), headers={"retry-after-ms": "50"})
            self._successes -= 1
            self.succeeded[text] += 1
            return said(self.answer(text))

    def allow(self, goal: int, more: int, successes: int) -> None:
        """After `goal` answers the process is to die; it gets a few more, and never all that it needs."""
        with self._changed:
            self._goal, self._most, self._successes = goal, goal + more, successes
            self._holds = True

    def wait_goal(self) -> None:
        with self._changed:
            while self._goal:
                assert self._changed.wait(PATIENCE), "the process sends nothing"

    def release(self) -> None:
        with self._changed:
            self._holds = False
            self._changed.notify_all()


class Killing:
    """One job; `lost` are the answers that were given and not stored, counted by their texts."""

    def __init__(
        self, run: AsProcess, server: FakeServer, command: tuple[str, ...], trouble: Trouble
    ) -> None:
        self.lost: Counter[str] = Counter()
        self._run = run
        self._server = server
        self._command = command
        self._trouble = trouble
        self._memory = run.around.home / "data" / "memory.db"

    def kill(self, times: int, total: int, chance: random.Random) -> None:
        """Kills are spread over the work, each after a random number of answers to the process."""
        for left in range(times, 0, -1):
            missing = total - len(self._trouble.stored)
            mean = (missing - 2 * JOBS) / (left + 1) / (1 - self._trouble.share)
            goal = chance.randint(1, max(1, round(2 * mean)))
            self._trouble.allow(goal, chance.randint(0, JOBS), missing - 1)
            process = self._run.start(*self._command)
            self._trouble.wait_goal()
            time.sleep(chance.random() / 20)  # not always while an answer arrives
            self._kill(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        output, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, (process.returncode, output, errors)
        self._trouble.release()
        for visit in self._server.connections:
            visit.wait_closed(PATIENCE)
        before, after = self._trouble.stored, stored(self._memory)
        assert before <= after, "an accepted answer is gone"
        given = {text for text, count in self._trouble.succeeded.items() if count > self.lost[text]}
        lost = given - after
        assert len(lost) <= JOBS, f"{len(lost)} answers were given and not stored"
        self.lost.update(lost)
        self._trouble.stored = after

    def finish(self, expected: set[str], again: int = 0) -> None:
        """The job goes on to its end: what is stored is what was answered, and nothing was twice in vain.

        It may be given up because of the server so many times: then it is resumed once more.
        """
        while (result := self._run(*self._command, timeout=1200)).code == 75 and again:
            again -= 1
            self._trouble.stored = stored(self._memory)
        assert result == (0, "", ""), result
        trouble = self._trouble
        assert trouble.again == []
        assert stored(self._memory) == set(trouble.succeeded) == expected
        assert {text: count - self.lost[text] for text, count in trouble.succeeded.items()} == dict.fromkeys(
            expected, 1
        )


def stored(memory: Path) -> set[str]:
    """The texts whose answers were accepted, read from a copy: the program itself recovers its store."""
    with TemporaryDirectory() as folder:
        for path in memory.parent.glob("memory.db*"):
            shutil.copy(path, folder)
        if not (copy := Path(folder) / memory.name).exists():
            return set()
        with closing(sqlite3.connect(copy)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'texts'").fetchone()
            return {row[0] for row in connection.execute("SELECT text FROM texts")} if tables[0] else set()


def undisturbed(run: AsProcess, server: FakeServer, command: tuple[str, ...], trouble: Trouble) -> set[str]:
    """What is asked for, each text once, where nothing fails and nobody is killed."""
    server.answer(trouble)
    assert run(*command, timeout=600) == (0, "", "")
    assert set(trouble.succeeded.values()) == {1}
    return set(trouble.succeeded)
