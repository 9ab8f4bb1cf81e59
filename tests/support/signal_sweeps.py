"""A signal after each piece of an answer, into a pipe and on a terminal, and what is left of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from fake.connection import hang
from fake.program import OnTerminal, Surroundings
from fake.server import FakeServer
from fake.wire import chunk, chunked, sse, stream_head
from processes import ended, first_bytes, started

from gptkit.history.store import Store

POINTS = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"


def in_a_pipe(
    around: Surroundings, server: FakeServer, point: int, number: signal.Signals, times: int
) -> float:
    """The right code, nothing but what was shown before, and that is stored; returns the seconds."""
    text = _says(server, point)
    process = started(around, "say", "x")
    assert first_bytes(process, len(text)) == text.encode()
    server.wait_requests()
    sent = time.monotonic()
    for _ in range(times):
        process.send_signal(number)
    found = ended(process)
    assert found == (128 + number, "", ""), found
    seconds = time.monotonic() - sent
    _check_kept(around.home, text)
    return seconds


def on_a_terminal(
    screen: OnTerminal, server: FakeServer, point: int, number: signal.Signals, times: int
) -> float:
    """As in a pipe, and the terminal is as it was: attributes, cursor, colours."""
    text = _says(server, point)
    shown = screen("say", "x", "--raw", columns=200)
    before = shown.attributes()
    if text:
        shown.wait_for(text.strip())
    else:
        server.wait_requests()
    sent = time.monotonic()
    for _ in range(times):
        if number == signal.SIGINT:
            shown.send("\x03")
        else:
            os.kill(shown.process.pid, number)
    code = shown.wait_exit()
    seconds = time.monotonic() - sent
    assert code == 128 + number
    assert shown.attributes() == before
    assert shown.raw.count(HIDDEN) == shown.raw.count(SHOWN)
    assert shown.raw.rfind(b"\x1b[0m") >= _last_colour(shown.raw)
    assert text.strip() in shown.text
    _check_kept(screen.around.home, text)
    shown.close()
    return seconds


def _says(server: FakeServer, point: int) -> str:
    """What the server says before it falls silent."""
    pieces = [f"word{number} " for number in range(point)]
    server.requests.clear()
    server.connections.clear()
    server.raw([stream_head(), *(chunked(sse(chunk({"content": piece}))) for piece in pieces), hang()])
    return "".join(pieces)


def _last_colour(raw: bytes) -> int:
    """Where the last sequence stands that leaves a colour or a style on."""
    return max((raw.rfind(b"\x1b[%dm" % number) for number in range(1, 108)), default=-1)


def _check_kept(home: Path, text: str) -> None:
    """The last turn that was stored holds all that was shown."""
    kept = list(_answers(home))
    assert kept, "nothing is stored"
    expected = ("cancelled", text.rstrip())
    assert (kept[-1][0], kept[-1][1].rstrip()) == expected, kept


def _answers(home: Path) -> Iterable[tuple[str, str]]:
    path = home / "data" / "history.db"
    with closing(Store(path, home / "data" / "journal")) as store:
        store.adopt_orphans()  # what the next run does with an exchange that could not be stored in time
    with closing(sqlite3.connect(path)) as connection:
        yield from connection.execute("SELECT state, answer FROM turns JOIN texts ON turn = id ORDER BY id")
