"""A program on a pseudo-terminal, and what a person would see of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyte
from wcwidth import wcwidth

from fake.signals import unblocked
from fake.waiting import SOON

# A shell opens the terminal because a session leader gets its controlling terminal that way; forking
# in Python with pty.fork is not safe beside the threads of the fake server.
ON_TERMINAL = 'tty=$1; shift; exec "$@" <"$tty" >"$tty" 2>&1'
END = b""
WIDE = 4000
"""Columns in which a line with a path fits, wherever the machine keeps its temporary files."""


class Screen:
    """A terminal of so many columns and rows with a program on it.

    `raw` is every byte that the program wrote. Nothing is read between calls.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], folder: Path, *, columns: int, rows: int
    ) -> None:
        self.raw = b""
        self._scrolled: list[str] = []
        self._screen: Any = _AnsweringScreen(columns, rows, history=100_000)
        self._screen.answer = self.send
        self._stream: Any = pyte.ByteStream(self._screen)
        self._master, slave = os.openpty()
        self.resize(columns, rows)
        try:
            with unblocked():
                self.process = subprocess.Popen(
                    ["/bin/sh", "-c", ON_TERMINAL, "sh", os.ttyname(slave), *argv],
                    stdin=subprocess.DEVNULL,
                    env=dict(environ),
                    cwd=folder,
                    start_new_session=True,
                )
            self._wait_opened()
        finally:
            os.close(slave)

    @property
    def lines(self) -> list[str]:
        """What is to be seen now, without trailing spaces."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """All lines, also those that have scrolled away, without empty ones at the end."""
        top = self._screen.history.top
        if len(top) < len(self._scrolled):
            self._scrolled.clear()  # the program cleared it
        fresh = islice(top, len(self._scrolled), None)
        self._scrolled += (_rendered(line, self._screen.columns) for line in fresh)
        return "\n".join([*self._scrolled, *self.lines]).rstrip("\n")

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""
        return self._screen.cursor.x, self._screen.cursor.y

    def cell(self, column: int, row: int) -> Any:
        """pyte's Char: data, fg, bg, bold, italics, underscore, strikethrough, reverse."""
        return self._screen.buffer[row][column]

    def send(self, keys: str | bytes) -> None:
        """Type. Enter is "\\r", Ctrl-C "\\x03", Ctrl-D "\\x04"."""
        data = keys.encode() if isinstance(keys, str) else keys
        while data:
            data = data[os.write(self._master, data) :]

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, as dragging a window's corner does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def wait_for(self, text: str, seconds: float = SOON) -> None:
        """Wait until the text is to be seen or has scrolled away; spaces at its end do not count."""
        wanted = text.rstrip(" ")
        self.wait_until(lambda screen: wanted in screen.text, f"{text!r} did not appear", seconds)

    def wait_until(
        self, condition: Callable[[Screen], bool], complaint: str = "it did not happen", seconds: float = SOON
    ) -> None:
        """Wait until the condition holds for this screen."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            piece = self._read(deadline - time.monotonic())
            assert piece, f"{complaint}; the screen:\n{self.text}"

    def wait_exit(self, seconds: float = SOON) -> int:
        """The exit code (minus the signal's number if one killed it), once everything was read."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        try:
            return self.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program has not ended; the screen:\n{self.text}") from None

    def attributes(self) -> list[Any]:
        """termios attributes of the terminal: is it as it was before?"""
        return termios.tcgetattr(self._master)

    def close(self) -> None:
        """Hang up and end the program with all that it started."""
        if self._master < 0:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)
        self._master = -1

    def _wait_opened(self) -> None:
        """Until the shell has the terminal, closing our end would end it."""
        while self.process.poll() is None:
            if os.tcgetpgrp(self._master) == self.process.pid:
                return
            time.sleep(0.001)

    def _read(self, seconds: float) -> bytes:
        """What the program writes next; empty at its end or when the time is up."""
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return END
        try:
            data = os.read(self._master, 65_536)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux says EIO when nobody has the terminal open any more
                raise
            return END
        self.raw += data
        self._stream.feed(data)
        return data


class _AnsweringScreen(pyte.HistoryScreen):
    """Answers when the program asks where the cursor is."""

    answer: Callable[[str], None]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


def _rendered(line: Any, columns: int) -> str:
    """A line of the history; the cell after a wide character is its other half."""
    shown = []
    column = 0
    while column < columns:
        data = line[column].data
        shown.append(data)
        column += 2 if data and wcwidth(data[0]) == 2 else 1
    return "".join(shown).rstrip()
