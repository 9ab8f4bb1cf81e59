"""A long job on a disk that fails, or killed, at every call that changes a file; and then once more."""

from __future__ import annotations

import json
import stat
from collections import Counter

from disk_sweeps import KILLED, Ran, Runner, Tree, Writing, strays, tree_of
from fake.received import Received
from fake.server import FakeServer

WRITES, WRITES_ALONE = ("write",), ("torn", "short")
PIECES = 6
PROMPT = "description: Shouts.\nsystem: Shout.\nlong: {mode: map, piece: 50}\n"
BOOK = "".join(f"Paragraph {number} says {'the same again ' * 9}\n\n" for number in range(PIECES))
SHOUT = ("shout", "-f", "book.txt", "-o", "out", "--report", "found.json", "--jobs", "1")
REPORT = "folder/found.json"
BEFORE: Tree = {
    "home/config/prompts/shout.yaml": (stat.S_IFREG | 0o600, PROMPT.encode()),
    "folder/book.txt": (stat.S_IFREG | 0o644, BOOK.encode()),
    "folder/out": (stat.S_IFREG | 0o640, b"what was there before\n"),
}


def swept_long(
    runner: Runner,
    server: FakeServer,
    faults: tuple[str, ...],
    options: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
) -> Counter[str]:
    """How often what came of it; `names` are the calls that are made to fail, all where none is named.

    Threads change files as well, so that the order of the calls is not always the same.
    """
    writing = Writing((*SHOUT, *options), "folder/out")
    _ran(runner, server, writing)  # loads the program: runs that take long also keep the prompt as parsed
    whole = _ran(runner, server, writing)
    assert (whole.code, whole.errors, whole.after["folder/out"][1]) == (0, "", BOOK.upper().encode()), whole
    seen: Counter[str] = Counter()
    for fault in faults:
        wanted = WRITES if fault in WRITES_ALONE else names or whole.calls
        for at in (number for number, name in enumerate(whole.calls) if name in wanted):
            sent = len(server.requests)
            ran = _ran(runner, server, writing, fault, at)
            if at >= len(ran.calls) or (fault in WRITES_ALONE and ran.calls[at] not in WRITES):
                continue  # what was to fail did not come to pass
            place = f"{fault} at {at} of {' '.join(ran.calls)}: {ran.code} {ran.errors!r}"
            new = _checked(place, ran, whole)
            if fault in ("kill", "torn"):
                assert ran.code == KILLED, place
            else:
                assert ran.code == 73 or (ran.code == 0 and new), place
            _check_next(place, runner, writing, whole)
            if ran.code == KILLED and not options:
                assert len(server.requests) - sent <= PIECES + 1, f"{place}: what was stored was asked again"
            seen[f"{fault}: {'new' if new else 'old'}"] += 1
    return seen


def _ran(runner: Runner, server: FakeServer, writing: Writing, fault: str = "none", at: int = 0) -> Ran:
    runner.lay_out(BEFORE)
    server.answer(_louder)
    return runner.run(writing, fault, at)


def _louder(request: Received) -> str:
    return str(request.json["messages"][1]["content"]).upper()


def _checked(place: str, ran: Ran, whole: Ran) -> bool:
    """Whether the new file is there; the old one is, if it is not."""
    out = ran.after["folder/out"]
    assert out in (BEFORE["folder/out"], whole.after["folder/out"]), f"{place}: {out}"
    assert ran.after["folder/book.txt"] == BEFORE["folder/book.txt"], place
    if REPORT in ran.after:
        assert json.loads(ran.after[REPORT][1])["document"] == "book.txt", place
    assert "Traceback" not in ran.errors, place
    assert bool(ran.errors) or ran.code <= 0, place
    return out == whole.after["folder/out"]


def _check_next(place: str, runner: Runner, writing: Writing, whole: Ran) -> None:
    """The same command gets it done, and leaves nothing beside it."""
    runner.age(strays(tree_of(runner.root)))
    ran = runner.run(writing)
    assert (ran.code, ran.errors) == (0, ""), f"{place}: then {ran.code} {ran.errors!r}"
    left = {name for name in ran.after if name.startswith("folder")}
    assert left == {name for name in whole.after if name.startswith("folder")}, f"{place}: then {left}"
    assert ran.after["folder/out"] == whole.after["folder/out"], f"{place}: then {ran.after['folder/out']}"
