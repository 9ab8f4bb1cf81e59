"""The line editor of the prompt loop (lines, history, completion, status line), and its plain substitute."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from gptkit.core.errors import CannotWriteError, SignalError
from gptkit.core.files import cause, has_name, make_private_folder, write_private
from gptkit.core.sanitize import one_line
from gptkit.core.signals import interruptible, lend_wakeup_fd
from gptkit.core.table import text_width
from gptkit.repl.commands import is_open_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from gptkit.repl.talk import Status

    _Number = Callable[[int], str]
    from pathlib import Path

    from prompt_toolkit.completion import Completer
    from prompt_toolkit.data_structures import Size
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output
    from prompt_toolkit.shortcuts import PromptSession

    from gptkit.core.redact import Redactor
    from gptkit.core.terminal import Terminal
    from gptkit.repl.completion import Completions


SEPARATOR = " · "
MODEL_CAP = 60


def status_line(status: Status, width: int) -> str:
    """Format a status in the longest form of fewer columns than `width`; "" if no form fits."""
    model = one_line(status.model, MODEL_CAP)
    exact, short = format_tokens(status), _token_text(status, _short_number, "/")
    cost, rounded = format_cost(status), _cost_text(status, 2, "/")
    forms = (
        (model, f"{exact} tokens", cost),
        (model, short, rounded),
        (short, rounded),
        (short,),
    )
    for form in forms:
        line = SEPARATOR.join(part for part in form if part)
        if text_width(line) < width:
            return line
    return ""


def format_tokens(status: Status) -> str:
    """Format exact numbers: `1,234 of 128,000`."""
    return _token_text(status, lambda number: f"{number:,}", " of ")


def format_cost(status: Status) -> str:
    """Format cost and limit: `$0.0123 of $1.00`; "" without a known price and a limit."""
    return _cost_text(status, 4, " of ")


def _token_text(status: Status, number: _Number, limit_separator: str) -> str:
    window = limit_separator + number(status.window) if status.window else ""
    return f"{number(status.tokens)}{window}"


def _cost_text(status: Status, digits: int, limit_separator: str) -> str:
    limit = f"${status.limit:.2f}" if status.limit is not None else ""
    if status.cost is None:
        return f"price unknown{limit_separator}{limit}" if limit else ""
    sign = "≈" if status.estimated else ""
    cost = f"{sign}${status.cost:.{digits}f}"
    return f"{cost}{limit_separator}{limit}" if limit else cost


def _short_number(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.0f}{letter}" if scaled >= 10 else f"{scaled:.1f}{letter}"
    return str(number)


PROMPT = "> "
CONTINUATION_PROMPT = "... "
EXIT_HINT = "Ctrl-D leaves"


class PlainEditor:
    """Reads messages line by line; a block between two lines of three quotation marks is one message."""

    can_prefill = False

    def __init__(self, terminal: Terminal) -> None:
        _, self._output = terminal.editor_streams()
        self._terminal = terminal
        self._interrupted = False

    def read_message(self, _status: object, _text: str | None) -> str | None:
        """Read the next message, "" for a cancelled one; None at the end of the input."""
        lines: list[str] = []
        while not lines or is_open_block("\n".join(lines)):
            self._output.write(CONTINUATION_PROMPT if lines else PROMPT)
            try:
                with interruptible():
                    line = self._terminal.read_line()
            except SignalError as stop:
                if stop.number != signal.SIGINT:
                    raise
                self._output.write(f"\n{EXIT_HINT}\n" if self._interrupted else "\n")
                self._interrupted = True
                return ""
            if line is None:
                self._output.write("\n")
                return "\n".join(lines) if lines else None
            lines.append(line)
        self._interrupted = False
        return "\n".join(lines)


EDIT_PROMPT = "edit> "
STATUS_STYLE = "fg:ansibrightblack"
LEAST_ROWS = 4
"""The least rows of a terminal with a status line."""


class Editor(Protocol):
    """Reads the messages that a user types."""

    @property
    def can_prefill(self) -> bool:
        """Whether the editor can show a text to edit, and a status line."""

    def read_message(self, status: Callable[[int], str], text: str | None, /) -> str | None:
        """Read the next message, "" for a cancelled one; None at the end of the input.

        `status` makes the status line for a width. `text` is shown for editing.
        """


def make_editor(terminal: Terminal, history_lines: Sequence[str], completions: Completions) -> Editor:
    """Return the editor that the terminal allows.

    Raises NoInputError or CannotWriteError without a terminal.
    """
    is_dumb = terminal.environ.get("TERM", "").lower() in {"", "dumb", "unknown"}
    if is_dumb and sys.platform != "win32":
        return PlainEditor(terminal)
    return LineEditor(terminal, history_lines, completions)


class LineEditor:
    """Edits messages with prompt_toolkit, which takes a tenth of a second to load.

    Releases before 3.0.43 leave the terminal raw when a signal ends the program.
    """

    can_prefill = True

    def __init__(self, terminal: Terminal, history_lines: Sequence[str], completions: Completions) -> None:
        from prompt_toolkit.history import InMemoryHistory
        from prompt_toolkit.output import ColorDepth
        from prompt_toolkit.shortcuts.prompt import PromptSession

        keys, self._screen = terminal.editor_streams()
        term = terminal.environ.get("TERM", "")
        self._is_editing = False
        self._status: Callable[[int], str] = lambda _width: ""
        self._hint = ""
        self._session: PromptSession[str] = PromptSession(
            lambda: EDIT_PROMPT if self._is_editing else PROMPT,
            input=_make_input(keys),
            output=_make_output(self._screen, term),
            history=InMemoryHistory(list(history_lines)),
            completer=_completer(completions),
            complete_while_typing=False,
            key_bindings=self._bindings(),
            color_depth=ColorDepth.DEPTH_1_BIT if terminal.environ.get("NO_COLOR") else None,
            enable_suspend=True,
            include_default_pygments_style=False,
        )
        self._add_status_line()
        self._session.default_buffer.on_text_changed += lambda _: self._show_hint("")
        self._completions = completions
        completions.on_loaded = self._show_completions

    def read_message(self, status: Callable[[int], str], text: str | None) -> str | None:
        self._is_editing = text is not None
        self._status = status
        self._hint = ""
        with lend_wakeup_fd():
            try:
                typed = self._session.prompt(
                    default=text or "", set_exception_handler=False, pre_run=self._end_on_exceptions
                )
            except EOFError:
                return None
        return typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def _end_on_exceptions(self) -> None:
        """Let exceptions of callbacks, such as signals, end the prompt; an event loop would only log them."""
        app = self._session.app

        def end(_loop: object, context: dict[str, Any]) -> None:
            error = context.get("exception")
            if error is not None and app.is_running and not app.is_done:
                app.exit(exception=error)

        if app.loop is not None:
            app.loop.set_exception_handler(end)

    def _bindings(self) -> KeyBindings:
        from prompt_toolkit.enums import DEFAULT_BUFFER
        from prompt_toolkit.filters import has_focus
        from prompt_toolkit.key_binding import KeyBindings

        bindings = KeyBindings()

        @bindings.add("enter", filter=has_focus(DEFAULT_BUFFER))
        def accept(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
                buffer.complete_state = None
            elif is_open_block(buffer.text):
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @bindings.add("escape", "enter")
        @bindings.add("escape", "c-j")
        def begin_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        self._bind_other_keys(bindings)
        return bindings

    def _bind_other_keys(self, bindings: KeyBindings) -> None:
        from prompt_toolkit.enums import DEFAULT_BUFFER
        from prompt_toolkit.filters import has_focus

        @bindings.add("tab", filter=has_focus(DEFAULT_BUFFER))
        def complete(event: KeyPressEvent) -> None:
            if event.current_buffer.complete_state is None:
                self._complete()
            else:
                event.current_buffer.complete_next()

        @bindings.add("c-@")
        @bindings.add("<vt100-mouse-event>")
        def ignore(_event: KeyPressEvent) -> None:
            """Ignore what Linux makes of a Ctrl-D before the editor starts, and colours in pasted text, which
            look like incomplete mouse clicks."""

        @bindings.add("c-c", filter=has_focus(DEFAULT_BUFFER))
        @bindings.add("<sigint>")
        def clear(event: KeyPressEvent) -> None:
            if self._is_editing:
                event.app.exit(result="")
            elif event.current_buffer.text:
                event.current_buffer.reset()
            else:
                self._show_hint(EXIT_HINT)

    def _add_status_line(self) -> None:
        """Add a status line; that of prompt_toolkit waits for the terminal to report its cursor, which comes
        too late over a slow line, and from some terminals never."""
        from prompt_toolkit.filters import Condition, is_done
        from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Window

        whole = self._session.layout.container
        shown = Condition(lambda: bool(self._status_text()) and _screen_size(self._screen).rows >= LEAST_ROWS)
        line = Window(
            FormattedTextControl(self._status_text), height=1, style=STATUS_STYLE, dont_extend_height=True
        )
        if isinstance(whole, HSplit):
            whole.children.append(ConditionalContainer(line, shown & ~is_done))

    def _status_text(self) -> str:
        width = _screen_size(self._screen).columns
        return self._hint if self._hint and len(self._hint) < width else self._status(width)

    def _show_hint(self, hint: str) -> None:
        self._hint = hint

    def _show_completions(self) -> None:
        """Show completions that were loaded in another thread, which calls this."""
        loop = self._session.app.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the line was accepted meanwhile
                loop.call_soon_threadsafe(self._complete_model_name)

    def _complete_model_name(self) -> None:
        buffer = self._session.default_buffer
        if buffer.text.startswith("/model ") and buffer.complete_state is None:
            self._complete()

    def _complete(self) -> None:
        """Insert the common beginning of all completions at once; without one list them."""
        buffer = self._session.default_buffer
        items = self._completions(buffer.document.text_before_cursor)
        common = os.path.commonprefix([item.text for item in items])  # noqa: RUF071 - letters are meant
        if items and len(common) > items[0].replaced_length:
            buffer.insert_text(common[items[0].replaced_length :])
        elif len(items) > 1:
            buffer.start_completion()


def _completer(completions: Completions) -> Completer:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class PromptCompleter(Completer):
        def get_completions(self, document: Document, _event: CompleteEvent) -> list[Completion]:
            items = completions(document.text_before_cursor)
            return [Completion(item.text, -item.replaced_length, item.label) for item in items]

    return PromptCompleter()


def _make_input(keys: TextIO) -> Input:
    from prompt_toolkit.input import create_input

    return create_input(keys)


def _make_output(screen: TextIO, term: str) -> Output:
    """Make an output that does not query the terminal, whose replies would look like typed text."""
    if sys.platform == "win32":
        from prompt_toolkit.output import create_output

        return create_output(screen)
    from prompt_toolkit.output.vt100 import Vt100_Output

    return Vt100_Output(screen, lambda: _screen_size(screen), term=term, enable_bell=False, enable_cpr=False)


def _screen_size(screen: TextIO) -> Size:
    from prompt_toolkit.data_structures import Size

    try:
        size = os.get_terminal_size(screen.fileno())
    except OSError:
        return Size(rows=24, columns=80)
    return Size(rows=size.lines or 24, columns=size.columns or 80)


HISTORY_NAME = "prompt_history"
LOADED_LINES = 1000
"""The most lines that are loaded."""
LINE_CAP = 64 << 10
"""Bytes of the longest line that is stored; longer ones were pasted."""
FILE_CAP = 1 << 20
"""Bytes after which the older half of the file is dropped."""


class HistoryFile:
    """The file of typed lines: one JSON string a line, the newest last. Several processes may append."""

    def __init__(self, path: Path, secrets: Redactor) -> None:
        self._path = path
        self._secrets = secrets

    def lines(self) -> list[str]:
        """Read the newest lines, the oldest of them first; an unreadable file has none."""
        try:
            with self._path.open("rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return []
                start = max(0, file.seek(0, os.SEEK_END) - FILE_CAP)
                file.seek(start)
                raw_lines = file.read().split(b"\n")[1 if start else 0 :]
        except OSError:
            return []
        lines = [text for line in raw_lines if (text := _parse_line(line))]
        return lines[-LOADED_LINES:]

    def add(self, line: str) -> None:
        """Append a line with its secrets redacted. Raises CannotWriteError."""
        data = json.dumps(self._secrets.redact(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(data) > LINE_CAP:
            return
        try:
            make_private_folder(self._path.parent)
            with self._locked_file() as descriptor:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    data = b"\n" + data  # a process was killed while it wrote
                os.write(descriptor, data)
                if size > FILE_CAP:
                    self._drop_older_half(descriptor, size)
        except OSError as error:
            raise CannotWriteError(f"cannot write '{self._path}': {cause(error)}") from error

    @contextlib.contextmanager
    def _locked_file(self) -> Iterator[int]:
        """Open and lock the file, again if another process has replaced it."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        while True:
            descriptor = os.open(self._path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(0, "it is not a regular file")
                if hasattr(os, "fchmod") and stat.S_IMODE(status.st_mode) != 0o600:
                    os.fchmod(descriptor, 0o600)
                _lock(descriptor)
                if has_name(descriptor, self._path):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _drop_older_half(self, descriptor: int, size: int) -> None:
        rest = os.pread(descriptor, size, size // 2)
        write_private(self._path, rest.partition(b"\n")[2])


def _parse_line(line: bytes) -> str:
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""


def _lock(descriptor: int) -> None:
    """Lock the file, where the file system has locks; appended lines are whole without locks, too."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
