"""The terminal: the only module that touches standard streams, the environment and the clock."""

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
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from gptkit.core.clock import unix_time
from gptkit.core.errors import CannotReadError, CannotWriteError, GptkitError, NoInputError, SignalError
from gptkit.core.files import is_same_file
from gptkit.core.redact import Redactor
from gptkit.core.sanitize import one_line, visible
from gptkit.core.streams import (
    StdinKind,
    TextStream,
    ask_at_terminal,
    echo_off,
    file_writer,
    raw_stream,
    read_blocks,
    stream_kind,
)

_BLOCK = 1 << 18


class Terminal:
    """Standard streams, environment, size and clock of one run.

    A method `print_...` writes one line in which control characters are shown, not obeyed; a method
    `write...` writes its text unchanged.
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
        """Make a terminal of streams.

        Args:
            stdout: writes all its bytes to standard output or raises OSError; None if the stream is closed.
            stderr: the same for standard error.
            kind: what standard input is.
            terminals: whether standard output and standard error are terminals.
        """
        self.stdin = stdin
        self.environ = environ
        self.stdin_kind: StdinKind = kind
        self.stdout_is_terminal, self.stderr_is_terminal = terminals
        self.stdout_is_file = False
        self.is_asking = False
        """Whether a question waits for its answer, so that nothing else may be written now."""
        self.make_room: Callable[[bool], None] = _keep_room
        """Called before a text is written; true: it is the answer, or has no end of line."""
        self._stdout = stdout
        self._stderr = stderr
        self.redactor = Redactor()
        self.asker: Callable[[str], str | None] = lambda _: None
        """Shows a question to a person and returns the line typed as the answer; None if nobody is there."""
        self.monotonic: Callable[[], float] = time.monotonic
        """Seconds from any start, for durations."""
        self.unix_time: Callable[[], float] = unix_time
        self.sleep: Callable[[float], None] = time.sleep

    @property
    def stdout_is_closed(self) -> bool:
        return self._stdout is None

    @property
    def stdin_is_terminal(self) -> bool:
        return self.stdin_kind == "terminal"

    @property
    def width(self) -> int:
        """The columns of the terminal now; 80 if unknown."""
        return self._size()[0]

    @property
    def error_width(self) -> int:
        """The columns of the terminal that standard error is; 80 if unknown."""
        if not self.stdout_is_terminal:
            with contextlib.suppress(OSError, ValueError):
                return os.get_terminal_size(2).columns
        return self.width

    @property
    def height(self) -> int:
        """The lines of the terminal now; 24 if unknown."""
        return self._size()[1]

    @property
    def is_dumb(self) -> bool:
        """Whether the terminal knows no escape sequences."""
        return self.environ.get("TERM", "").lower() in ("dumb", "unknown")

    @property
    def has_colour(self) -> bool:
        """Whether standard output may be written with colours and styles."""
        return self.stdout_is_terminal and allows_styles(self.environ)

    def write(self, text: str) -> None:
        """Write a text to standard output at once; it is not sanitized, since it may hold gptkit's colours.

        Raises CannotWriteError, and SignalError if the pipe is broken.
        """
        for start in range(0, len(text), _BLOCK):  # no second copy of a long answer in memory
            self.write_bytes(text[start : start + _BLOCK].encode("utf-8", "replace"))

    def write_bytes(self, data: bytes) -> None:
        """Write to standard output at once; raises as `write` does."""
        if self._stdout is None:
            raise CannotWriteError("standard output: it is closed")
        self.make_room(True)
        try:
            self._stdout(data)
        except BrokenPipeError:
            raise SignalError(signal.SIGPIPE) from None
        except OSError as error:
            raise CannotWriteError(f"standard output: {_reason(error)}") from error

    def print_sanitized(self, text: str) -> None:
        """Write a line to standard output, with control characters made visible if it is a terminal."""
        line = visible(text) if self.stdout_is_terminal else text
        for part in (line + "\n",) if len(line) < _BLOCK else (line, "\n"):
            self.write(part)

    def print_error_line(self, text: str) -> None:
        """Write one sanitized line to standard error; nothing is raised if that fails."""
        text = _decode_file_names(text)
        line = one_line(text, 2000) if self.stderr_is_terminal else text.replace("\n", " ")
        self.write_error(self._wrap_error(line) + "\n")

    def write_error(self, text: str) -> None:
        """Write a text to standard error, without secrets; nothing is raised if that fails."""
        self.make_room(not (text.endswith("\n") or self.is_asking))
        self.draw_error(text)

    def draw_error(self, text: str) -> None:
        """Do what `write_error` does, and leave the line of activity where it is."""
        if self._stderr is None:
            return
        with contextlib.suppress(OSError):
            self._stderr(self.redactor.redact(text).encode("utf-8", "replace"))

    def report(self, error: GptkitError, as_json: bool = False) -> None:
        """Write an error to standard error: one line, then its hint or, with `as_json`, a JSON object.

        On a terminal the lines break between words.
        """
        message, hint = _decode_file_names(error.message), _decode_file_names(error.hint)
        tries = f" (tried {error.attempts} times)" if error.attempts > 1 else ""
        self.write_error(self._wrap_error(f"gptkit: {one_line(message, 1000)}{tries}") + "\n")
        if as_json:
            record = error.record() | {"message": visible(message)}
            self.write_error(json.dumps(record, ensure_ascii=False) + "\n")
        elif hint:
            self.write_error(self._wrap_error(f"hint: {one_line(hint, 1000)}") + "\n")

    def _wrap_error(self, line: str) -> str:
        if not self.stderr_is_terminal:
            return line
        from gptkit.core.table import wrap_words

        return wrap_words(line, self.error_width)

    def ask(self, question: str) -> str | None:
        """Ask a person, wherever standard input and output lead; None if nobody can be asked.

        The question is not sanitized. A pasted answer stands between PASTE_BEGIN and PASTE_END.
        """
        self.is_asking = True
        self.make_room(False)
        try:
            return self.asker(question)
        finally:
            self.is_asking = False

    def read(self) -> bytes:
        """Read all of standard input; empty if it is closed."""
        return b"".join(self.read_blocks()[0])

    def read_blocks(self) -> tuple[Iterator[bytes], int | None]:
        """Read standard input block by block: the blocks, and their size in bytes if it is known.

        The blocks raise NoInputError, CannotReadError and DataError.
        """
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
        """Read the next line of standard input, without its line end; None at the end of the input."""
        try:
            line = self.stdin.readline() if self.stdin is not None else b""
        except OSError as error:
            raise CannotReadError(f"standard input: {_reason(error)}") from error
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None

    def editor_streams(self) -> tuple[TextIO, TextIO]:
        """The streams for a line editor: keys are read from the first, the line is shown on the second.

        The second is standard error if standard output is redirected. Raises NoInputError and
        CannotWriteError if there is no terminal.
        """
        if self.stdin is None or not self.stdin_is_terminal:
            raise NoInputError(
                "standard input: it is not a terminal", hint="give a message to answer it and end"
            )
        if not (self.stdout_is_terminal or self.stderr_is_terminal):
            raise CannotWriteError("standard error: it is not a terminal")
        if self.stdout_is_terminal:
            screen = TextStream(self.write, True, 1)
        else:
            screen = TextStream(self.write_error, True, 2)
        keys = TextStream(_refuse_to_write, True, self.stdin.fileno())
        return cast(TextIO, keys), cast(TextIO, screen)

    def echo_off(self) -> contextlib.AbstractContextManager[None]:
        """Do not show keys as they are typed; the next line that is read begins with them."""
        # A dumb terminal would never show what was typed ahead.
        stdin = self.stdin if self.stdin_is_terminal and not self.is_dumb else None
        return contextlib.nullcontext() if stdin is None else echo_off(stdin.fileno())

    def is_stdin(self, path: Path) -> bool:
        """Whether standard input reads from the file of a path."""
        if self.stdin is None:
            return False
        try:
            return is_same_file(self.stdin.fileno(), path)
        except (OSError, io.UnsupportedOperation):
            return False

    def wait_readable(self, seconds: float) -> bool:
        """Wait up to `seconds` for standard input; whether there is data or the end of the input."""
        if self.stdin is None or self.stdin_kind != "pipe":
            return True
        try:
            return bool(select.select([self.stdin], [], [], seconds)[0])
        except (OSError, ValueError, io.UnsupportedOperation):
            return True

    @contextlib.contextmanager
    def redirect_library_output(self) -> Iterator[None]:
        """Send what libraries print to `sys.stdout` and `sys.stderr` through this terminal."""
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
    """Whether the environment allows colours and styles on a terminal."""
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
    terminal.asker = partial(ask_at_terminal, marks_pastes=not terminal.is_dumb)
    terminal.stdout_is_file = bool(sys.stdout) and stream_kind(sys.stdout.fileno()) == "file"
    return terminal


class MemoryTerminal(Terminal):
    """A terminal in memory, for tests: `output` and `errors` hold what was written.

    `answers` are what a person types, question by question; `questions` is what the person was asked.
    """

    def __init__(self, stdin: bytes | None, environ: Mapping[str, str], terminal: bool, width: int) -> None:
        self._output = io.BytesIO()
        self._errors = io.BytesIO()
        self.answers: list[str] = []
        self.questions: list[str] = []
        super().__init__(
            stdin=None if stdin is None else io.BytesIO(stdin),
            stdout=self._output.write,
            stderr=self._errors.write,
            environ={"COLUMNS": str(width), "LINES": "24", **environ},
            kind="closed" if stdin is None else "file",
            terminals=(terminal, terminal),
        )
        self.asker = self._answer

    def _answer(self, question: str) -> str | None:
        if not self.answers:
            return None
        self.questions.append(question)
        return self.answers.pop(0)

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


def _keep_room(is_answer: bool) -> None: ...


def _refuse_to_write(_text: str) -> None:
    raise io.UnsupportedOperation("not writable")


def _decode_file_names(text: str) -> str:
    """Decode as UTF-8 the file names in a text that the locale could not decode."""
    try:
        return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left"
    return (error.strerror or str(error)).lower()
