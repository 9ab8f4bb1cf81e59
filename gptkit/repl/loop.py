"""The prompt loop: read a message or a command, do it, and again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from gptkit.core.errors import GptkitError, SignalError
from gptkit.core.signals import ignore_interrupts, interruptible
from gptkit.repl.actions import COMMANDS
from gptkit.repl.commands import Called, Command, Desk, Said, meaning
from gptkit.repl.completion import Offers
from gptkit.repl.editor import NAME, Editor, HistoryFile, line_editor, status_line

if TYPE_CHECKING:
    from gptkit.core.paths import Paths
    from gptkit.core.terminal import Terminal
    from gptkit.repl.talk import Talk


INTERRUPTED = 128 + signal.SIGINT


def run(
    talk: Talk,
    terminal: Terminal,
    paths: Paths,
    extra: tuple[Command, ...] = (),
    *,
    models: Callable[[], list[str]],
    remember: bool = True,
) -> int:
    """Talk until the person leaves, and return 0; what goes wrong with a message is told, not raised.

    `models` lists names for completion and may be slow or fail. Without `remember` nothing typed is kept.
    """
    commands = (*COMMANDS, *extra)
    desk = Desk(talk, terminal, paths, commands)
    file = HistoryFile(paths.data / NAME, terminal.redactor)
    editor = line_editor(
        terminal, file.lines() if remember else [], Offers(commands, terminal.environ, models)
    )
    desk.prefills = editor.prefills
    _collect_garbage()
    with ignore_interrupts():
        while not desk.leaving:
            line = _next(desk, editor)
            if line is None:
                break
            changed, desk.to_change = desk.to_change, None
            if remember and line.strip():
                remember = _remembered(file, line, terminal)
            _do(desk, line, changed)
    return 0


def _next(desk: Desk, editor: Editor) -> str | None:
    status = desk.talk.status()
    return editor.message(lambda width: status_line(status, width), desk.to_change)


def _do(desk: Desk, line: str, changed: str | None) -> None:
    """Whatever comes of it, the next prompt stands on a line of its own."""
    terminal = desk.terminal
    try:
        code = _done(desk, line, changed)
    except GptkitError as error:
        terminal.report(error)
        return
    except SignalError as stop:
        if stop.number != signal.SIGINT:
            raise
        code = INTERRUPTED
    if code == INTERRUPTED:
        terminal.write("^C\n" if desk.prefills else "\n")  # a terminal that echoes shows a ^C itself
    if code is not None and not desk.prefills:
        status = status_line(desk.talk.status(), terminal.width)
        if status:
            desk.show(status)


def _done(desk: Desk, line: str, changed: str | None) -> int | None:
    """Do what a line asks for; the exit code of an exchange, None where there was none."""
    if changed is not None:
        if not line.strip():
            return None
        with interruptible():
            return desk.talk.edit(line)
    asked = meaning(line, desk.commands)
    if isinstance(asked, Called):
        return asked.command.action(desk, asked.argument)
    if isinstance(asked, Said):
        with interruptible():
            return desk.talk.say(asked.text)
    return None


def _remembered(file: HistoryFile, line: str, terminal: Terminal) -> bool:
    try:
        file.add(line)
    except GptkitError as error:
        terminal.print_error_line(f"gptkit: typed lines are not stored: {error.message}")
        return False
    return True


def _collect_garbage() -> None:
    """One exchange ends before garbage matters, and does without; a conversation may last for days."""
    import gc

    gc.freeze()
    gc.enable()
