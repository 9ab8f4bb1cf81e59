"""Byte and text streams over the file descriptors of a process."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Literal, TextIO, cast

from gptkit.core.errors import DataError

StdinKind = Literal["terminal", "file", "pipe", "device", "closed"]
INPUT_CAP = 1 << 30
"""The most bytes that are read from one input: an endless device must not fill the memory."""
_BLOCK = 1 << 18


def read_blocks(stream: BinaryIO, name: str, cap: int | None = INPUT_CAP) -> Iterator[bytes]:
    """Yield the bytes of a stream, also of one that does not block. Raises OSError, DataError above `cap`."""
    left = cap or 0
    while block := _next_block(stream):
        left -= len(block)
        if cap is not None and left < 0:
            raise DataError(f"{name}: more than {cap >> 20} MiB")
        yield block


def _next_block(stream: BinaryIO) -> bytes:
    """Read the next bytes of a stream, empty at its end."""
    while True:
        block = cast("bytes | None", stream.read(_BLOCK))
        if block is not None:  # None: a stream that does not block has nothing yet
            return block
        select.select([stream], [], [])


class TextStream(io.TextIOBase):
    """A text stream that passes each text to a function, such as a method of a Terminal."""

    def __init__(
        self, write: Callable[[str], None], is_terminal: bool, descriptor: int | None = None
    ) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._descriptor = descriptor

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def write(self, text: str) -> int:
        self._write(
            "" + text
        )  # raises TypeError for bytes, by which Typer finds out that the stream takes text
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return super().fileno() if self._descriptor is None else self._descriptor

    def isatty(self) -> bool:
        return self._is_terminal


def raw_stream(stream: TextIO) -> BinaryIO:
    """The stream below a text stream, without the buffer that hides waiting bytes from `select`."""
    return cast(BinaryIO, cast(io.BufferedReader, stream.buffer).raw)


def stream_kind(descriptor: int) -> StdinKind:
    """What a file descriptor is; a directory counts as a file."""
    try:
        if os.isatty(descriptor):
            return "terminal"
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return "closed"
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return "file"
    return "device" if stat.S_ISCHR(mode) else "pipe"


def file_writer(descriptor: int) -> Callable[[bytes], None]:
    """A function that writes all its bytes to a descriptor, waiting for a slow reader; raises OSError."""

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                select.select([], [descriptor], [])

    return write


@contextmanager
def echo_off(descriptor: int) -> Iterator[None]:
    """Do not show the keys that are typed on a terminal; do nothing where the descriptor is none."""
    if sys.platform == "win32":
        yield
        return
    import termios

    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:  # not a terminal
        yield
        return
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, [*before[:3], before[3] & ~termios.ECHO, *before[4:]])
        yield
    finally:
        with suppress(termios.error):  # the terminal has hung up
            termios.tcsetattr(descriptor, termios.TCSANOW, before)


CONTROLLING_TERMINAL = "/dev/tty"
PASTE_BEGIN, PASTE_END = "\x1b[200~", "\x1b[201~"
"""What a terminal puts around a paste when it is told to mark pastes."""
_MARK_PASTES, _LEAVE_PASTES = b"\x1b[?2004h", b"\x1b[?2004l"
_LINE_CAP = 4096
"""Bytes of a line that is typed; the rest of a longer one is dropped."""


def ask_at_terminal(text: str, marks_pastes: bool = True) -> str | None:
    """Show a text on the controlling terminal of the process, and return the line that is typed there.

    What was typed before is thrown away. A paste stands between PASTE_BEGIN and PASTE_END if the terminal
    can mark pastes. None if nobody can be asked: there is no such terminal, or the process runs in its
    background.
    """
    if sys.platform == "win32":
        return None
    import termios

    try:
        descriptor = os.open(CONTROLLING_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.tcgetpgrp(descriptor) != os.getpgrp():
            return None
        before = termios.tcgetattr(descriptor)
        local = before[3] | termios.ECHO | termios.ICANON | termios.ISIG
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, [*before[:3], local, *before[4:]])
        write = file_writer(descriptor)
        try:
            write((_MARK_PASTES if marks_pastes else b"") + text.encode("utf-8", "replace"))
            line = _typed_line(descriptor)
            if PASTE_BEGIN in line:  # its other lines would go to the shell
                termios.tcflush(descriptor, termios.TCIFLUSH)
            return line
        finally:
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
            write(_LEAVE_PASTES if marks_pastes else b"")
    except (OSError, termios.error):  # the terminal has hung up
        return None
    finally:
        os.close(descriptor)


def _typed_line(descriptor: int) -> str:
    """Read up to the end of a line, or of the input."""
    line = b""
    while block := os.read(descriptor, _LINE_CAP):
        line += block[: _LINE_CAP - len(line)]
        if block.endswith(b"\n"):
            break
    return line.decode("utf-8", "replace").rstrip("\r\n")
