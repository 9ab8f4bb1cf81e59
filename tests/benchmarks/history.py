"""What a large history costs against an empty one: opening, continuing, searching, and the memory for it.

Run `python tests/benchmarks/history.py [TURNS]`. Each figure of the first table is the median of fresh
processes that alternate between the two stores; the time to import Python and gptkit is in both. The
search runs in one process over TURNS turns (100,000 unless told otherwise), half of them in Chinese.
"""

from __future__ import annotations

import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gptkit.core.chat import Charge
from gptkit.history import schema
from gptkit.history.model import Ending, Opening, new_opening_id
from gptkit.history.store import Store

LONG, TURNS, RUNS = 10_000, 100_000, 7
STEPS = {
    "open, find the latest session": "session = store.latest_session()",
    "... and read its last 20 turns": (
        "session = store.latest_session(); list(islice(store.chain(session.head), 20))"
    ),
    "... and its summary": "session = store.latest_session(); store.summary(session.head)",
    "... and store another turn": (
        "session = store.latest_session(); store.finish(Opening(new_opening_id(), session.id, session.head,"
        " 'chat', 'm', '', 'hi', {}, 1.8e9), Ending('ok', 'hello'))"
    ),
    "... and walk over all turns": "session = store.latest_session(); deque(store.chain(session.head), 0)",
}
CHILD = """
import re, sys, time
from collections import deque
from itertools import islice
from pathlib import Path
start = time.perf_counter()
from gptkit.history.store import Store
from gptkit.history.model import Ending, Opening, new_opening_id
store = Store(Path(sys.argv[1]) / "history.db", Path(sys.argv[1]) / "journal")
exec(sys.argv[2])
end = time.perf_counter()
print(end - start, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
ENGLISH = "the quick brown fox jumps over a lazy dog while seven wizards brew strong coffee in old castles"
CHINESE = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈"
QUERIES = ("needle", "fox wizards", "the", "针", "天地", "天", "大海捞针", "castle 月", "absent", "没有")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with tempfile.TemporaryDirectory() as folder:
        empty, long, many = (Path(folder) / name for name in ("empty", "long", "many"))
        fill(empty, 1, 1)
        fill(long, LONG, LONG)
        print(f"{'':34}{'1 turn':>10}{f'{LONG:,} turns':>15}{'more':>8}{'memory':>18}")
        for name, step in STEPS.items():
            compare(name, step, empty, long)
        start = time.perf_counter()
        fill(many, count, 10)
        print(f"\n{count:,} turns stored in {time.perf_counter() - start:.0f} s")
        search(many, count)


def compare(name: str, step: str, empty: Path, long: Path) -> None:
    times: dict[Path, list[float]] = {empty: [], long: []}
    memory: dict[Path, list[int]] = {empty: [], long: []}
    for _ in range(RUNS):
        for folder in (empty, long):
            run = [sys.executable, "-c", CHILD, str(folder), step]
            seconds, peak = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
            times[folder].append(float(seconds))
            memory[folder].append(int(peak))
    short, large = (1000 * statistics.median(times[folder]) for folder in (empty, long))
    growth = (statistics.median(memory[long]) - statistics.median(memory[empty])) / 1024
    print(f"{name:34}{short:7.0f} ms{large:12.0f} ms{large - short:+5.0f} ms{growth:+10.1f} MiB more")


def search(folder: Path, count: int) -> None:
    store = Store(folder / "history.db", folder / "journal")
    store.latest_session()
    before = peak()
    for words in QUERIES:
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            found = store.search(words, 20)
            times.append(1000 * (time.perf_counter() - start))
        spread = f"{statistics.median(times):6.1f} ms, at most {max(times):6.1f}"
        print(f"search {words:16} {len(found):3} shown {spread}")
    grown = (peak() - before) / 1024
    size = (folder / "history.db").stat().st_size / 2**20
    print(f"{count:,} turns in {size:.0f} MiB; searching took {grown:.1f} MiB of memory")
    store.close()


def fill(folder: Path, count: int, session_length: int) -> None:
    """In one transaction: it is the store that is measured, not the disk."""
    store = Store(folder / "history.db", folder / "journal")
    chance = random.Random(7)
    charge = Charge("m", "answer", "host", 100, 200, False, 0.01, 1.7e9, 1.0)
    with store.writing() as connection:
        session = parent = None
        for number in range(count):
            if number % session_length == 0:
                session, parent = schema.unused_session_id(connection), None
            user, answer = text(chance, number), text(chance, number) * 4
            opening = Opening(
                new_opening_id(), session, parent, "chat", "m", "Be brief. " * 20, user, {}, 1.7e9 + number
            )
            parent = schema.store_turn(
                connection, opening, Ending("ok", answer, charges=(charge,)), moves_on=True
            )
    store.close()


def peak() -> int:
    """Most memory that was ever resident, in KiB; what was before the process's program does not count."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def text(chance: random.Random, number: int) -> str:
    rare = (" needle", "大海捞针")[number % 2] if number % 997 < 2 else ""
    if number % 2:
        return "".join(chance.choices(CHINESE, k=80)) + rare + "。"
    return " ".join(chance.choices(ENGLISH.split(), k=40)) + rare + ". "


if __name__ == "__main__":
    main()
