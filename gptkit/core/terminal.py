"""The one place that touches standard streams, the environment and the clock."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from gptkit.core.errors import CannotReadError, CannotWriteError, GptkitError, NoInputError, SignalError
from gptkit.core.files import is_same_file
from gptkit.core.redact import Redactor
from gptkit.core.sanitize import one_line, visible
from gptkit.core.streams import (
    StdinKind,
    TextStream,
    echo_off,
    file_writer,
    raw_stream,
    read_blocks,
    stream_kind,
)

_BLOCK = 1 << 18


class Terminal:
    """Standard streams, environment, size and clock of one run.

    `stdout` and `stderr` take bytes whole or raise OSError; None is a closed stream.
    """

    def __init__(
        self,
        stdin: BinaryIO | None,
        stdout: Callable[[bytes], object] | None,
        stderr: Callable[[bytes], object] | None,
        environ: Mapping[str, str],
        *,
        kind: StdinKind,
        terminals: tuple[bool, bool],
    ) -> None:
        self.stdin = stdin
        self.environ = environ
        self.stdin_kind: StdinKind = kind
        self.stdout_is_terminal, self.stderr_is_terminal = terminals
        self.stdout_is_file = False
        self.is_asking = False
        """A question stands there: nothing is to be shown over it."""
        self._stdout = stdout
        self._stderr = stderr
        self.redactor = Redactor()
        self.monotonic: Callable[[], float] = time.monotonic
        self.unix_time: Callable[[], float] = time.time
        self.sleep: Callable[[float], None] = time.sleep

    @property
    def stdout_is_closed(self) -> bool:
        return self._stdout is None

    @property
    def stdin_is_terminal(self) -> bool:
        return self.stdin_kind == "terminal"

    @property
    def width(self) -> int:
        """Columns now; 80 where nothing knows."""
        return self._size()[0]

    @property
    def height(self) -> int:
        return self._size()[1]

    @property
    def is_dumb(self) -> bool:
        """It knows no escape sequences."""
        return self.environ.get("TERM", "").lower() in ("dumb", "unknown")

    @property
    def has_colour(self) -> bool:
        return self.stdout_is_terminal and allows_styles(self.environ)

    def write(self, text: str) -> None:
        """Write to standard output, now. The text is not sanitized: it may hold our own colours."""
        for start in range(0, len(text), _BLOCK):  # a second copy of a long answer is never held
            self.write_bytes(text[start : start + _BLOCK].encode("utf-8", "replace"))

    def write_bytes(self, data: bytes) -> None:
        if self._stdout is None:
            raise CannotWriteError("standard output: it is closed")
        try:
            self._stdout(data)
        except BrokenPipeError:
            raise SignalError(signal.SIGPIPE) from None
        except OSError as error:
            raise CannotWriteError(f"standard output: {_reason(error)}") from error

    def print_sanitized(self, text: str) -> None:
        """Write a line of foreign text: what a terminal could obey is made visible there."""
        shown = visible(text) if self.stdout_is_terminal else text
        for part in (shown + "\n",) if len(shown) < _BLOCK else (shown, "\n"):
            self.write(part)

    def print_error_line(self, text: str) -> None:
        """Write one line to standard error; it is lost silently where that cannot be written."""
        text = _readable(text)
        line = one_line(text, 2000) if self.stderr_is_terminal else text.replace("\n", " ")
        self.write_error(line + "\n")

    def write_error(self, text: str) -> None:
        if self._stderr is None:
            return
        with contextlib.suppress(OSError):
            self._stderr(self.redactor.redact(text).encode("utf-8", "replace"))

    def report(self, error: GptkitError, as_json: bool = False) -> None:
        """Tell a failure: one line, at most one hint, and an object last where one was asked for."""
        message, hint = _readable(error.message), _readable(error.hint)
        self.write_error(f"gptkit: {one_line(message, 1000)}\n")
        if as_json:
            record = error.record() | {"message": visible(message)}
            self.write_error(json.dumps(record, ensure_ascii=False) + "\n")
        elif hint:
            self.write_error(f"hint: {one_line(hint, 1000)}\n")

    def read(self) -> bytes:
        """All of standard input; empty where it is closed."""
        return b"".join(self.read_blocks()[0])

    def read_blocks(self) -> tuple[Iterator[bytes], int | None]:
        """Standard input block by block, and how many bytes it has where that is known."""
        return self._blocks(), self._input_size()

    def _blocks(self) -> Iterator[bytes]:
        if self.stdin is None:
            return
        try:
            yield from read_blocks(self.stdin, "standard input")
        except IsADirectoryError:
            raise NoInputError("standard input: it is a directory") from None
        except OSError as error:
            raise CannotReadError(f"standard input: {_reason(error)}") from error

    def _input_size(self) -> int | None:
        try:
            status = os.fstat(self.stdin.fileno()) if self.stdin is not None else None
        except (OSError, ValueError, io.UnsupportedOperation):
            return None
        return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None

    def read_line(self) -> str | None:
        """The next line of standard input as it is typed, without its end; None at the end of all."""
        try:
            line = self.stdin.readline() if self.stdin is not None else b""
        except OSError as error:
            raise CannotReadError(f"standard input: {_reason(error)}") from error
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None

    def editor_streams(self) -> tuple[TextIO, TextIO]:
        """Where keys come from and where what is edited is shown: standard error if output is redirected."""
        if self.stdin is None or not self.stdin_is_terminal:
            raise NoInputError(
                "standard input: it is not a terminal", hint="give a message to answer it and end"
            )
        if not (self.stdout_is_terminal or self.stderr_is_terminal):
            raise CannotWriteError("standard error: it is not a terminal")
        if self.stdout_is_terminal:
            shown = TextStream(self.write, True, 1)
        else:
            shown = TextStream(self.write_error, True, 2)
        return cast(TextIO, TextStream(_unwritten, True, self.stdin.fileno())), cast(TextIO, shown)

    def echo_off(self) -> contextlib.AbstractContextManager[None]:
        """Within, keys are not shown as they are typed, but kept for the next line."""
        wanted = self.stdin_is_terminal and not self.is_dumb  # which would never show what is typed ahead
        stdin = self.stdin if wanted else None
        return contextlib.nullcontext() if stdin is None else echo_off(stdin.fileno())

    def is_stdin(self, path: Path) -> bool:
        """Whether standard input reads from this very file."""
        if self.stdin is None:
            return False
        try:
            return is_same_file(self.stdin.fileno(), path)
        except (OSError, io.UnsupportedOperation):
            return False

    def wait_readable(self, seconds: float) -> bool:
        """Whether standard input has data or its end within so many seconds."""
        if self.stdin is None or self.stdin_kind != "pipe":
            return True
        try:
            return bool(select.select([self.stdin], [], [], seconds)[0])
        except (OSError, ValueError, io.UnsupportedOperation):
            return True

    @contextlib.contextmanager
    def redirect_library_output(self) -> Iterator[None]:
        """What libraries print goes through this terminal too."""
        out = TextStream(self.write, self.stdout_is_terminal)
        err = TextStream(lambda text: self.write_error(visible(text)), self.stderr_is_terminal)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield

    def _size(self) -> tuple[int, int]:
        columns, lines = (self.environ.get(name, "") for name in ("COLUMNS", "LINES"))
        width, height = (int(value) if value.isdecimal() else 0 for value in (columns, lines))
        if not (width and height) and self.stdout_is_terminal:
            with contextlib.suppress(OSError, ValueError):
                size = os.get_terminal_size(1)
                width, height = width or size.columns, height or size.lines
        return width or 80, height or 24


def allows_styles(environ: Mapping[str, str]) -> bool:
    """Whether a terminal may be sent styles."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def process_terminal() -> Terminal:
    """The terminal of this process."""
    terminal = Terminal(
        stdin=raw_stream(sys.stdin) if sys.stdin else None,
        stdout=file_writer(sys.stdout.fileno()) if sys.stdout else None,
        stderr=file_writer(sys.stderr.fileno()) if sys.stderr else None,
        environ=os.environ,
        kind=stream_kind(sys.stdin.fileno()) if sys.stdin else "closed",
        terminals=(bool(sys.stdout) and sys.stdout.isatty(), bool(sys.stderr) and sys.stderr.isatty()),
    )
    terminal.stdout_is_file = bool(sys.stdout) and stream_kind(sys.stdout.fileno()) == "file"
    return terminal


class MemoryTerminal(Terminal):
    """The in-memory twin: what was written is in `output` and `errors`."""

    def __init__(self, stdin: bytes | None, environ: Mapping[str, str], terminal: bool, width: int) -> None:
        self._output = io.BytesIO()
        self._errors = io.BytesIO()
        super().__init__(
            stdin=None if stdin is None else io.BytesIO(stdin),
            stdout=self._output.write,
            stderr=self._errors.write,
            environ={"COLUMNS": str(width), "LINES": "24", **environ},
            kind="closed" if stdin is None else "file",
            terminals=(terminal, terminal),
        )

    @property
    def output(self) -> bytes:
        return self._output.getvalue()

    @property
    def errors(self) -> str:
        return self._errors.getvalue().decode()


def memory_terminal(
    stdin: bytes | None = None,
    environ: Mapping[str, str] | None = None,
    terminal: bool = False,
    width: int = 80,
) -> MemoryTerminal:
    return MemoryTerminal(stdin, environ or {}, terminal, width)


def _unwritten(_text: str) -> None:
    raise io.UnsupportedOperation("not writable")


def _readable(text: str) -> str:
    """Names in the bytes of the file system, which the locale could not decode, as the UTF-8 they are."""
    try:
        return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left"
    return (error.strerror or str(error)).lower()
