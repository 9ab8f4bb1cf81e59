"""The memory among processes: nothing is paid for twice, and who is killed takes nothing along."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from fake.program import Surroundings
from fake.signals import unblocked
from memory_parts import integrity, key, memory, put
from together import together

from gptkit.jobs.memory.jsonl import export_jsonl

PARTS = Path(__file__).parents[1] / "support" / "memory_parts.py"
TEXTS = [f"text {number}" for number in range(60)]
MANY = 12
"""Enough to meet each other; `python tests/jobs/test_memory_processes.py 64` runs more of them at once."""


class InterruptedJobError(Exception):
    pass


def started(folder: Path, log: Path) -> Popen[bytes]:
    with unblocked():
        return Popen([sys.executable, str(PARTS), str(folder), str(log), *TEXTS], stderr=PIPE)


def ended(process: Popen[bytes]) -> tuple[int, bytes]:
    try:
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, errors


def lines(log: Path) -> Counter[str]:
    return Counter(log.read_text().splitlines())


def first_runs(folder: Path, many: int) -> None:
    log = folder / "log"
    results = [ended(process) for process in [started(folder, log) for _ in range(many)]]
    assert results == [(0, b"")] * many
    assert lines(log) == Counter(f"{what} {text}" for text in TEXTS for what in ("asked", "kept"))
    kept = memory(folder)
    assert (integrity(kept), [kept.get(key(text)) is None for text in TEXTS]) == ("ok", [False] * len(TEXTS))
    kept.close()
    assert list((folder / "data" / "claims").iterdir()) == []


def test_first_runs_at_once_pay_for_each_text_once(tmp_path: Path) -> None:
    first_runs(tmp_path, MANY)


def test_a_kill_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    """A line `kept` says that `put` had returned: then the answer is never asked for again."""
    log = tmp_path / "log"
    log.touch()
    chance = random.Random(7)
    for _ in range(12):
        process = started(tmp_path, log)
        size = log.stat().st_size + chance.randrange(1, 300)
        while process.poll() is None and log.stat().st_size < size:
            time.sleep(0)
        process.send_signal(signal.SIGKILL)
        ended(process)
    assert ended(started(tmp_path, log)) == (0, b"")
    found = lines(log)
    assert {found[f"kept {text}"] for text in TEXTS} <= {0, 1}
    order = log.read_text().splitlines()
    for text in TEXTS:
        if f"kept {text}" in order:
            assert f"asked {text}" not in order[order.index(f"kept {text}") :], text
    kept = memory(tmp_path)
    assert integrity(kept) == "ok"
    kept.close()


def test_a_dead_owner_s_claim_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from memory_parts import key, memory\n"
        "with memory(Path(sys.argv[1])).claim(key('a')): print('held', flush=True); time.sleep(600)"
    )
    with unblocked():
        owner = Popen([sys.executable, "-c", code, str(tmp_path)], stdout=PIPE, cwd=PARTS.parent)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"held\n"
    kept = memory(tmp_path)
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            owner.kill()
            owner.wait()

    with kept.claim(key("a"), pause):
        assert len(waits) == 3
    owner.stdout.close()
    assert list((tmp_path / "data" / "claims").iterdir()) == []
    kept.close()


def test_who_waits_can_be_called_off(tmp_path: Path) -> None:
    kept = memory(tmp_path)

    def pause(_seconds: float) -> None:
        raise InterruptedJobError

    other = memory(tmp_path)
    with kept.claim(key("a")):
        for each in (kept, other):
            with pytest.raises(InterruptedJobError), each.claim(key("a"), pause):
                pass
    with other.claim(key("a"), pause), kept.claim(key("b"), pause):
        pass
    kept.close()
    other.close()


def test_claims_of_the_dead_are_removed(tmp_path: Path) -> None:
    claims = tmp_path / "data" / "claims"
    claims.mkdir(parents=True)
    (claims / f"{key('dead').hex()}.lock").touch()
    living = memory(tmp_path)
    with living.claim(key("alive")):
        other = memory(tmp_path)
        with other.claim(key("mine")):
            names = {path.stem for path in claims.iterdir()}
            assert names == {key("alive").hex(), key("mine").hex()}
        other.close()
    living.close()


def test_imports_at_once_on_an_empty_home(around: Surroundings, home: Path, tmp_path: Path) -> None:
    made = memory(tmp_path / "elsewhere")
    put(made, "a")
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(export_jsonl(made)))
    made.close()
    home.rmdir()
    results = together(around, [("memory", "import", str(file))] * 6)
    assert sorted(results) == sorted(
        [(0, b"", b"imported 1 entry\n")] + [(0, b"", b"imported 0 entries, 1 already there\n")] * 5
    )


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        first_runs(Path(name), int(sys.argv[1]))
