"""Byte and text streams over the descriptors of a process."""

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
"""Bytes that are read from one input at most; an endless device must not fill the memory."""
_BLOCK = 1 << 18


def read_blocks(stream: BinaryIO, name: str, cap: int | None = INPUT_CAP) -> Iterator[bytes]:
    """Yield the bytes of a stream, also of one that does not block. Raises OSError, DataError above `cap`."""
    left = cap or 0
    while piece := _piece(stream):
        left -= len(piece)
        if cap is not None and left < 0:
            raise DataError(f"{name}: more than {cap >> 20} MiB")
        yield piece


def _piece(stream: BinaryIO) -> bytes:
    """The next bytes, empty at the end. An unbuffered stream says None where it would have to wait."""
    while True:
        piece = cast("bytes | None", stream.read(_BLOCK))
        if piece is not None:
            return piece
        select.select([stream], [], [])


class TextStream(io.TextIOBase):
    """A text stream over one of the terminal's writers."""

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
        self._write("" + text)  # bytes are a TypeError: by that Typer finds out what a stream takes
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return super().fileno() if self._descriptor is None else self._descriptor

    def isatty(self) -> bool:
        return self._is_terminal


def raw_stream(stream: TextIO) -> BinaryIO:
    """Nothing waits in a buffer where `ready` could not see it."""
    return cast(BinaryIO, cast(io.BufferedReader, stream.buffer).raw)


def stream_kind(descriptor: int) -> StdinKind:
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
    """Writes all or raises; a reader that is slow, or a stream that does not block, is waited for."""

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
    """Within, a terminal does not show the keys that are typed; no more where there is none."""
    if sys.platform == "win32":
        yield
        return
    import termios

    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        yield
        return
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, [*before[:3], before[3] & ~termios.ECHO, *before[4:]])
        yield
    finally:
        with suppress(termios.error):  # it has hung up
            termios.tcsetattr(descriptor, termios.TCSANOW, before)
