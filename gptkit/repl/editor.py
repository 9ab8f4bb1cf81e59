"""The line editor: several lines, history, completion, a status line, over any terminal that can."""

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
from gptkit.core.files import make_private_folder, write_private
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
    from gptkit.repl.completion import Offers


BETWEEN = " · "
MODEL_CAP = 60


def status_line(status: Status, width: int) -> str:
    """The longest form of a status that takes fewer columns than the width; empty if none does."""
    model = one_line(status.model, MODEL_CAP)
    exact, short = tokens(status), _tokens(status, _short, "/")
    cost, rounded = money(status), _money(status, 2, "/")
    forms = (
        (model, f"{exact} tokens", cost),
        (model, short, rounded),
        (short, rounded),
        (short,),
    )
    for form in forms:
        line = BETWEEN.join(part for part in form if part)
        if text_width(line) < width:
            return line
    return ""


def tokens(status: Status) -> str:
    """Exact: `1,234 of 128,000`."""
    return _tokens(status, lambda number: f"{number:,}", " of ")


def money(status: Status) -> str:
    """`$0.0123 of $1.00`; empty where nothing is known and nothing limited."""
    return _money(status, 4, " of ")


def fitted(text: str, width: int) -> str:
    """One line of foreign text that takes no more columns than that."""
    line = one_line(text, max(width, 2))
    while line and text_width(line) > width:
        line = line.removesuffix("…")[:-1].rstrip() + "…" if len(line) > 1 else ""
    return line


def _tokens(status: Status, number: _Number, against: str) -> str:
    window = against + number(status.window) if status.window else ""
    return f"{number(status.tokens)}{window}"


def _money(status: Status, digits: int, against: str) -> str:
    limit = f"${status.limit:.2f}" if status.limit is not None else ""
    if status.cost is None:
        return f"price unknown{against}{limit}" if limit else ""
    about = "≈" if status.estimated else ""
    cost = f"{about}${status.cost:.{digits}f}"
    return f"{cost}{against}{limit}" if limit else cost


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.0f}{letter}" if scaled >= 10 else f"{scaled:.1f}{letter}"
    return str(number)


PROMPT = "> "
CONTINUED = "... "
LEAVING = "Ctrl-D leaves"


class PlainEditor:
    """Reads messages line by line; a block between two lines of three quotation marks is one message."""

    prefills = False

    def __init__(self, terminal: Terminal) -> None:
        _, self._shown = terminal.editor_streams()
        self._terminal = terminal
        self._interrupted = False

    def message(self, _status: object, _text: str | None) -> str | None:
        """The next message, empty where it was given up; None when there are no more."""
        lines: list[str] = []
        while not lines or is_open_block("\n".join(lines)):
            self._shown.write(CONTINUED if lines else PROMPT)
            try:
                with interruptible():
                    line = self._terminal.read_line()
            except SignalError as stop:
                if stop.number != signal.SIGINT:
                    raise
                self._shown.write(f"\n{LEAVING}\n" if self._interrupted else "\n")
                self._interrupted = True
                return ""
            if line is None:
                self._shown.write("\n")
                return "\n".join(lines) if lines else None
            lines.append(line)
        self._interrupted = False
        return "\n".join(lines)


CHANGING = "edit> "
QUIET = "fg:ansibrightblack"
LEAST_ROWS = 4
"""Rows of a terminal that has room for a status line."""


class Editor(Protocol):
    """Where messages are typed."""

    @property
    def prefills(self) -> bool:
        """It can show a text to be changed, and a status line."""

    def message(self, status: Callable[[int], str], text: str | None, /) -> str | None:
        """The next message, empty where it was given up; None when there are no more.

        `status` makes the status line for a width. With a text, that one is changed.
        """


def line_editor(terminal: Terminal, past: Sequence[str], offers: Offers) -> Editor:
    """What fits the terminal; raises NoInputError or CannotWriteError where there is none."""
    unable = terminal.environ.get("TERM", "").lower() in {"", "dumb", "unknown"}
    if unable and sys.platform != "win32":
        return PlainEditor(terminal)
    return LineEditor(terminal, past, offers)


class LineEditor:
    """Edits messages with prompt_toolkit, which takes a tenth of a second to load.

    Releases before 3.0.43 leave the terminal raw when a signal ends the program.
    """

    prefills = True

    def __init__(self, terminal: Terminal, past: Sequence[str], offers: Offers) -> None:
        from prompt_toolkit.history import InMemoryHistory
        from prompt_toolkit.output import ColorDepth
        from prompt_toolkit.shortcuts.prompt import PromptSession

        keys, self._screen = terminal.editor_streams()
        term = terminal.environ.get("TERM", "")
        self._changing = False
        self._status: Callable[[int], str] = lambda _width: ""
        self._hint = ""
        self._session: PromptSession[str] = PromptSession(
            lambda: CHANGING if self._changing else PROMPT,
            input=_input(keys),
            output=_output(self._screen, term),
            history=InMemoryHistory(list(past)),
            completer=_completer(offers),
            complete_while_typing=False,
            key_bindings=self._bindings(),
            color_depth=ColorDepth.DEPTH_1_BIT if terminal.environ.get("NO_COLOR") else None,
            enable_suspend=True,
            include_default_pygments_style=False,
        )
        self._add_status_line()
        self._session.default_buffer.on_text_changed += lambda _: self._say("")
        self._offers = offers
        offers.ready = self._offer_again

    def message(self, status: Callable[[int], str], text: str | None) -> str | None:
        self._changing = text is not None
        self._status = status
        self._hint = ""
        with lend_wakeup_fd():
            try:
                typed = self._session.prompt(
                    default=text or "", set_exception_handler=False, pre_run=self._raise_what_is_raised
                )
            except EOFError:
                return None
        return typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def _raise_what_is_raised(self) -> None:
        """Also what a callback raises, perhaps a signal, ends the prompt; an event loop would log it."""
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

        self._bind_rest(bindings)
        return bindings

    def _bind_rest(self, bindings: KeyBindings) -> None:
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
        def nothing(_event: KeyPressEvent) -> None:
            """What Linux makes of a Ctrl-D that was typed before the line was edited here, and a colour
            in a text that is pasted, which is taken for a click with half of its numbers."""

        @bindings.add("c-c", filter=has_focus(DEFAULT_BUFFER))
        @bindings.add("<sigint>")
        def clear(event: KeyPressEvent) -> None:
            if self._changing:
                event.app.exit(result="")
            elif event.current_buffer.text:
                event.current_buffer.reset()
            else:
                self._say(LEAVING)

    def _add_status_line(self) -> None:
        """prompt_toolkit's own one waits until the terminal has said where its cursor is, which over a
        slow line comes too late and from some terminals never."""
        from prompt_toolkit.filters import Condition, is_done
        from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Window

        whole = self._session.layout.container
        shown = Condition(lambda: bool(self._line()) and _size(self._screen).rows >= LEAST_ROWS)
        line = Window(FormattedTextControl(self._line), height=1, style=QUIET, dont_extend_height=True)
        if isinstance(whole, HSplit):
            whole.children.append(ConditionalContainer(line, shown & ~is_done))

    def _line(self) -> str:
        width = _size(self._screen).columns
        return self._hint if self._hint and len(self._hint) < width else self._status(width)

    def _say(self, hint: str) -> None:
        self._hint = hint

    def _offer_again(self) -> None:
        """From another thread: what was waited for is there."""
        loop = self._session.app.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the line was accepted in between
                loop.call_soon_threadsafe(self._awaited)

    def _awaited(self) -> None:
        buffer = self._session.default_buffer
        if buffer.text.startswith("/model ") and buffer.complete_state is None:
            self._complete()

    def _complete(self) -> None:
        """Insert at once what all offers have in common, before the next key counts; else list them."""
        buffer = self._session.default_buffer
        found = self._offers(buffer.document.text_before_cursor)
        common = os.path.commonprefix([offer.text for offer in found])  # noqa: RUF071 - letters are meant
        if found and len(common) > found[0].replaced:
            buffer.insert_text(common[found[0].replaced :])
        elif len(found) > 1:
            buffer.start_completion()


def _completer(offers: Offers) -> Completer:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class Offered(Completer):
        def get_completions(self, document: Document, _event: CompleteEvent) -> list[Completion]:
            found = offers(document.text_before_cursor)
            return [Completion(offer.text, -offer.replaced, offer.shown) for offer in found]

    return Offered()


def _input(keys: TextIO) -> Input:
    from prompt_toolkit.input import create_input

    return create_input(keys)


def _output(screen: TextIO, term: str) -> Output:
    """Without questions to the terminal: their answers would be taken for what a person types."""
    if sys.platform == "win32":
        from prompt_toolkit.output import create_output

        return create_output(screen)
    from prompt_toolkit.output.vt100 import Vt100_Output

    return Vt100_Output(screen, lambda: _size(screen), term=term, enable_bell=False, enable_cpr=False)


def _size(screen: TextIO) -> Size:
    from prompt_toolkit.data_structures import Size

    try:
        size = os.get_terminal_size(screen.fileno())
    except OSError:
        return Size(rows=24, columns=80)
    return Size(rows=size.lines or 24, columns=size.columns or 80)


NAME = "prompt_history"
LINES = 1000
"""Lines that are offered again."""
LARGEST = 64 << 10
"""Bytes of a line that is kept; what is longer was pasted."""
FILE_CAP = 1 << 20
"""Bytes after which the older half of the file is dropped."""


class HistoryFile:
    """One JSON string a line, the newest last; several processes may append at once."""

    def __init__(self, path: Path, secrets: Redactor) -> None:
        self._path = path
        self._secrets = secrets

    def lines(self) -> list[str]:
        """The newest lines, the oldest of them first; none where the file cannot be read."""
        try:
            with self._path.open("rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return []
                start = max(0, file.seek(0, os.SEEK_END) - FILE_CAP)
                file.seek(start)
                kept = file.read().split(b"\n")[1 if start else 0 :]
        except OSError:
            return []
        found = [text for line in kept if (text := _text(line))]
        return found[-LINES:]

    def add(self, line: str) -> None:
        """Append a line; known keys in it are left out. Raises CannotWriteError."""
        data = json.dumps(self._secrets.redact(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(data) > LARGEST:
            return
        try:
            make_private_folder(self._path.parent)
            with self._held() as descriptor:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    data = b"\n" + data  # a process was killed while it wrote
                os.write(descriptor, data)
                if size > FILE_CAP:
                    self._drop_older_half(descriptor, size)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotWriteError(f"cannot write '{self._path}': {reason}") from error

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """The file, locked, and still the one of that name: another process may have replaced it."""
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
                if self._is(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _is(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _drop_older_half(self, descriptor: int, size: int) -> None:
        rest = os.pread(descriptor, size, size // 2)
        write_private(self._path, rest.partition(b"\n")[2])


def _text(line: bytes) -> str:
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""


def _lock(descriptor: int) -> None:
    """Some network file systems have no locks; appended lines are whole there as well."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
