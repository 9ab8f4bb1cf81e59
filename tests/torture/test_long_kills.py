"""Twenty thousand marked lines through a server that fails most of the time, killed again and again."""

from __future__ import annotations

import random
import re
import time

import pytest
from fake.program import AsProcess
from fake.server import FakeServer
from kill_sweeps import JOBS, LINES, MARK, Killing, Trouble, book, undisturbed

PROMPT = "description: Works on it.\nsystem: Work.\nlong: {{mode: {}, piece: 2000}}\n"
shares = pytest.mark.parametrize("share", [0.3, 0.8])


@shares
def test_every_line_once_and_nothing_paid_for_twice(
    run: AsProcess, server: FakeServer, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    trouble = Trouble(str.upper, share, 11)
    text, seen = killed_and_resumed(run, server, "map", trouble, 50)
    assert re.findall(MARK, text) == [str(number) for number in range(LINES)]
    assert text == book().upper()
    with capsys.disabled():
        print(f"\nmap, {share:.0%} failing: {seen}")


@shares
def test_merges_are_resumed_too(
    run: AsProcess, server: FakeServer, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    trouble = Trouble(told, share, 11)
    text, seen = killed_and_resumed(run, server, "reduce", trouble, 25)
    assert re.findall(MARK, text) == ["0", str(LINES - 1)]
    with capsys.disabled():
        print(f"\nreduce, {share:.0%} failing: {seen}")


def killed_and_resumed(
    run: AsProcess, server: FakeServer, mode: str, trouble: Trouble, kills: int
) -> tuple[str, str]:
    """The result, which is that of a run that nobody kills, and the figures."""
    home, folder = run.around.home, run.around.folder
    (home / "config" / "prompts").mkdir(parents=True)
    (home / "config" / "prompts" / "work.yaml").write_text(PROMPT.format(mode))
    (folder / "book.md").write_text(book())
    options = ("--jobs", str(JOBS), "-f", "book.md", "-o")
    alone = Trouble(trouble.answer, 0.0, 0)
    expected = undisturbed(run, server, ("work", *options, "alone.md", "--no-log"), alone)
    server.answer(trouble)
    started = time.monotonic()
    killing = Killing(run, server, ("work", *options, "out.md"), trouble)
    killing.kill(kills, len(expected), random.Random(5))
    assert not (folder / "out.md").exists()
    killing.finish(expected, again=0 if mode == "map" else 20)  # a last merge is tried four times, no more
    text = (folder / "out.md").read_text()
    assert text == (folder / "alone.md").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["alone.md", "book.md", "out.md"]
    assert list((home / "data" / "claims").iterdir()) == []
    return text, (
        f"{len(expected)} pieces, {trouble.requests} requests, {kills} kills, "
        f"{killing.lost.total()} answers lost by them, {time.monotonic() - started:.0f} s"
    )


def told(text: str) -> str:
    """Which marks the text holds, as runs of consecutive ones, and some words that have to be merged."""
    found = [(int(first), int(last)) for first, last in re.findall(r"m(\d+)m-m(\d+)m", text)]
    found = found or [(int(number), int(number)) for number in re.findall(MARK, text)]
    runs = found[:1]
    for first, last in found[1:]:
        if first == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return " ".join(f"m{first}m-m{last}m" for first, last in runs) + " and some words" * 60
