"""A recorded answer, cut and bent at any place, through the whole program in memory."""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from asking import settings
from fake.connection import Step, close, reset
from fake.program import Surroundings
from fake.received import Received
from fake.replies import Reply, scripted
from fake.server import FakeServer
from fake.wire import Completion, chunked, last_chunk, response, stream_head

from gptkit.__main__ import main
from gptkit.core.terminal import memory_terminal

SAID = "Grüße an alle: “世界” 🌍 is 世の中.\n\n1. 一\n2. two"
PRINTED = f"{SAID}\n".encode()
RECORDED = Completion(SAID, pieces=3, usage=(7, 21))
STREAM = stream_head() + b"".join(chunked(event) for event in RECORDED.events(True)) + last_chunk()
OBJECT = response(200, RECORDED.whole_object(), {"Connection": "close"})
PACKED = response(
    200,
    gzip.compress(b"".join(RECORDED.events(True)), mtime=0),
    {"Content-Encoding": "gzip", "Connection": "close"},
    content_type="text/event-stream",
)
"""The same events compressed: every bit of the text is there, and only the checksum tells a bent one."""
FIRST_BODY_BYTE = len(stream_head())
ENDINGS = {"close": close, "reset": reset}
SEED = 20260101


class Played(NamedTuple):
    """The bytes that the server sends, how it ends the connection, and where the bytes differ."""

    data: bytes
    ending: Step
    place: str


def cuts(recorded: bytes, ending: str, step: int = 1) -> Iterator[Played]:
    """Every beginning of the recording, the whole included."""
    for end in {*range(0, len(recorded), step), len(recorded)}:
        yield Played(recorded[:end], ENDINGS[ending](), f"{ending} after {end} of {len(recorded)} bytes")


def flips(recorded: bytes, count: int, seed: int = SEED) -> Iterator[Played]:
    """One byte each time, by one bit or at will; never in the text itself, nor in a choice's number.

    There nothing could tell a damaged answer from another one.
    """
    own = re.finditer(rb'(?<="content":")(?:[^"\\]|\\.)*|(?<="index":)0', recorded)
    free = {at for found in own for at in range(*found.span())}
    places = sorted(set(range(len(recorded))) - free)
    dice = random.Random(seed)
    for _ in range(count):
        at = dice.choice(places)
        old = recorded[at]
        new = old ^ (1 << dice.randrange(8)) if dice.random() < 0.5 else (old + dice.randrange(1, 256)) % 256
        data = recorded[:at] + bytes([new]) + recorded[at + 1 :]
        yield Played(data, close(), f"byte {at}: {old:#04x} is {new:#04x}, seed {seed}")


def swept(
    server: FakeServer, around: Surroundings, plays: Iterable[Played], *options: str
) -> Counter[tuple[int, bool]]:
    """How often each exit code came, with and without the whole answer; every run is checked."""
    settings(around.home, "attempts: 1\n")
    now: list[Played] = []

    def play(_request: Received) -> Reply:
        return scripted([now[-1].data, now[-1].ending])

    server.answer(play)
    seen: Counter[tuple[int, bool]] = Counter()
    for played in plays:
        now.append(played)
        code, output, errors = _ran(around, *options)
        _check(played, code, output, errors)
        seen[code, output == PRINTED] += 1
    return seen


def table(seen: Counter[tuple[int, bool]]) -> str:
    """The counts in one line."""
    return ", ".join(
        f"exit {code} {'with the whole answer' if whole else 'with less'}: {count}"
        for (code, whole), count in sorted(seen.items())
    )


def _ran(around: Surroundings, *options: str) -> tuple[int, bytes, str]:
    terminal = memory_terminal(environ=around.environ(None, "sk-test"))
    code = main(["ask", "hi", *options], terminal)
    return code, terminal.output, terminal.errors


def _check(played: Played, code: int, output: bytes, errors: str) -> None:
    assert code in (0, 65, 69, 75, 76, 77, 80), f"{played.place}: exit {code}: {errors}"
    assert code or output == PRINTED, f"{played.place}: exit 0 with {output!r}"
    assert PRINTED.startswith(output), f"{played.place}: {output!r}"
    assert bool(code) is bool(errors), f"{played.place}: exit {code}: {errors!r}"
    assert len(errors.splitlines()) <= 2, f"{played.place}: {errors}"
