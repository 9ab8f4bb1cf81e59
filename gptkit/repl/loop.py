"""The prompt loop: reads messages and slash commands, and executes them one by one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from gptkit.core.errors import GptkitError, SignalError
from gptkit.core.signals import ignore_interrupts, interruptible
from gptkit.repl.actions import COMMANDS
from gptkit.repl.commands import CommandContext, SlashCommand, TypedCommand, TypedMessage, parse_line
from gptkit.repl.completion import Completions
from gptkit.repl.editor import HISTORY_NAME, Editor, HistoryFile, make_editor, status_line

if TYPE_CHECKING:
    from gptkit.core.paths import Paths
    from gptkit.core.terminal import Terminal
    from gptkit.repl.talk import Talk


INTERRUPTED = 128 + signal.SIGINT


def run(
    talk: Talk,
    terminal: Terminal,
    paths: Paths,
    extra: tuple[SlashCommand, ...] = (),
    *,
    models: Callable[[], list[str]],
    remember: bool = True,
) -> int:
    """Run the loop until the user leaves; returns 0. Errors of a message are reported, not raised.

    `models` lists names for completion and may be slow or fail. Without `remember` no typed line is stored.
    """
    commands = (*COMMANDS, *extra)
    context = CommandContext(talk, terminal, paths, commands)
    file = HistoryFile(paths.data / HISTORY_NAME, terminal.redactor)
    editor = make_editor(
        terminal, file.lines() if remember else [], Completions(commands, terminal.environ, models)
    )
    context.can_prefill = editor.can_prefill
    _enable_garbage_collection()
    with ignore_interrupts():
        while not context.is_leaving:
            line = _read_message(context, editor)
            if line is None:
                break
            edited_text, context.text_to_edit = context.text_to_edit, None
            if remember and line.strip():
                remember = _add_to_history(file, line, terminal)
            _handle_line(context, line, edited_text)
    return 0


def _read_message(context: CommandContext, editor: Editor) -> str | None:
    status = context.talk.status()
    return editor.read_message(lambda width: status_line(status, width), context.text_to_edit)


def _handle_line(context: CommandContext, line: str, edited_text: str | None) -> None:
    """Execute a line and report its errors; afterwards the cursor is at the start of a line."""
    terminal = context.terminal
    try:
        code = _execute(context, line, edited_text)
    except GptkitError as error:
        terminal.report(error)
        return
    except SignalError as stop:
        if stop.number != signal.SIGINT:
            raise
        code = INTERRUPTED
    if code == INTERRUPTED:
        terminal.write(
            "^C\n" if context.can_prefill else "\n"
        )  # without a line editor the terminal itself shows ^C
    if code is not None and not context.can_prefill:
        status = status_line(context.talk.status(), terminal.width)
        if status:
            context.show(status)


def _execute(context: CommandContext, line: str, edited_text: str | None) -> int | None:
    """Execute a line; returns the exit code of an exchange, None without one."""
    if edited_text is not None:
        if not line.strip():
            return None
        with interruptible():
            return context.talk.edit(line)
    parsed = parse_line(line, context.commands)
    if isinstance(parsed, TypedCommand):
        return parsed.command.action(context, parsed.argument)
    if isinstance(parsed, TypedMessage):
        with interruptible():
            return context.talk.send_message(parsed.text)
    return None


def _add_to_history(file: HistoryFile, line: str, terminal: Terminal) -> bool:
    try:
        file.add(line)
    except GptkitError as error:
        terminal.print_error_line(f"gptkit: typed lines are not stored: {error.message}")
        return False
    return True


def _enable_garbage_collection() -> None:
    """Switch garbage collection on, which is off for single exchanges: a conversation may last for days."""
    import gc

    gc.freeze()
    gc.enable()
