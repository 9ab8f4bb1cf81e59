"""The slash commands of every conversation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.core.errors import NoInputError, UsageError
from gptkit.core.signals import interruptible
from gptkit.core.table import fit_line
from gptkit.repl.commands import CommandContext, SlashCommand
from gptkit.repl.completion import expand_path
from gptkit.repl.editor import format_cost, format_tokens
from gptkit.session.clipboard import copy_to_clipboard
from gptkit.session.options import is_url

if TYPE_CHECKING:
    from gptkit.history.model import Turn


SHOWN_TURNS = 10
"""Turns that /history shows by default."""
OVERWRITE_FLAG = "-f"
KEY_HELP = (
    'Alt-Enter begins a new line; so does a block between two lines of """.',
    "// begins a text with a slash. Ctrl-C stops an answer or clears the line, Ctrl-D leaves.",
    "The words exit, quit and help are commands when they stand alone.",
)


def show_help(context: CommandContext, _argument: str) -> None:
    from textwrap import fill

    width = max(context.terminal.width - 1, 8)
    column = max(len(command.usage) for command in context.command_list) + 2
    for command in context.command_list:
        if width > column + 30:
            context.show(
                fill(
                    command.help,
                    width,
                    initial_indent=command.usage.ljust(column),
                    subsequent_indent=" " * column,
                )
            )
        else:
            context.show(
                f"{command.usage}\n{fill(command.help, width, initial_indent='  ', subsequent_indent='  ')}"
            )
    context.show("\n".join(fill(line, width) for line in KEY_HELP))


def choose_model(context: CommandContext, name: str) -> None:
    if name:
        context.talk.model = name
    context.show(f"model: {context.talk.model}")


def attach_file(context: CommandContext, path: str) -> None:
    name = context.talk.attach(expand_path(path, context.terminal.environ))
    context.show(f"'{name}' goes with the next message")


def add_attachment(context: CommandContext, source: str) -> None:
    path = source if is_url(source) else str(expand_path(source, context.terminal.environ))
    one = context.talk.add_attachment(path)
    context.show(f"'{one.name}' goes with the next message and stays in the conversation")


def show_system(context: CommandContext, text: str) -> None:
    context.show(context.talk.system(text or None) or "there is no system message")


def switch_reasoning(context: CommandContext, _argument: str) -> None:
    context.talk.reasoning = not context.talk.reasoning
    context.show(f"the model's thoughts are {'shown' if context.talk.reasoning else 'not shown'} from now on")


def undo(context: CommandContext, _argument: str) -> None:
    turn = context.talk.undo()
    if turn is None:
        raise NoInputError("there is nothing to undo")
    context.show(f"taken back: {fit_line(_typed_text(turn), max(context.terminal.width - 13, 8))}")


def retry(context: CommandContext, _argument: str) -> int:
    with interruptible():
        return context.talk.retry()


def edit(context: CommandContext, text: str) -> int | None:
    last = context.talk.last
    if last is None:
        raise NoInputError("there is no message yet")
    if text:
        with interruptible():
            return context.talk.edit(text)
    if not context.can_prefill:
        context.show(_typed_text(last))
        raise UsageError("this terminal cannot show a text for editing", hint="type it after '/edit'")
    context.text_to_edit = _typed_text(last)
    return None


def fork(context: CommandContext, name: str) -> None:
    session = context.talk.fork(name)
    context.show(f"going on as '{session.name or session.id}'; what was before stays as it is")


def show_history(context: CommandContext, count: str) -> None:
    if count and not count.isdecimal():
        raise UsageError(f"'/history': '{count}' is not a number of turns")
    width = max(context.terminal.width - 7, 8)
    summary = context.talk.summary()
    if summary is not None:
        context.show(f"summary of the oldest turns, by {summary.model}: {summary.text}")
    turns = context.talk.turns(int(count[:6]) if count else SHOWN_TURNS)
    if not turns:
        raise NoInputError("there is no message yet")
    for turn in turns:
        if _typed_text(turn):  # a greeting has no message of the user
            context.show(f"you: {fit_line(_typed_text(turn), width)}")
        context.show(f"  {_state_mark(turn)}{fit_line(turn.answer, width - len(_state_mark(turn)))}")


def show_cost(context: CommandContext, _argument: str) -> None:
    status = context.talk.status()
    context.show(f"model: {status.model}")
    context.show(f"tokens: {format_tokens(status)}{' (estimated)' if status.estimated else ''}")
    context.show(f"cost: {format_cost(status) or 'the price of this model is not known'}")


def copy_answer(context: CommandContext, _argument: str) -> None:

    last = context.talk.last
    if last is None or not last.answer:
        raise NoInputError("there is no answer yet")
    context.show(copy_to_clipboard(last.answer, context.terminal, environment_for_programs(context)))


def save(context: CommandContext, argument: str) -> None:
    """Write the conversation as Markdown; replaces an existing file only with -f."""
    from gptkit.core.files import write_atomic

    first, _, rest = argument.partition(" ")
    is_forced = first == OVERWRITE_FLAG and bool(rest.strip())
    path = expand_path(rest.strip() if is_forced else argument, context.terminal.environ)
    if os.path.lexists(path) and not is_forced:
        raise UsageError(f"'{path}' exists", hint=f"'/save {OVERWRITE_FLAG} {path}' replaces it")
    turns = context.talk.turns(1 << 30)
    if not turns:
        raise NoInputError("there is no message yet")
    write_atomic(path, "\n".join(map(_markdown, turns)).encode("utf-8", "replace"))
    context.show(f"saved {len(turns)} {'turn' if len(turns) == 1 else 'turns'} in '{path}'")


def write_in_editor(context: CommandContext, text: str) -> int | None:
    from gptkit.core.confirm import open_editor as run_editor
    from gptkit.core.files import write_private

    folder = context.paths.require(context.paths.data)
    draft = folder / f"draft-{os.urandom(4).hex()}.md"
    write_private(draft, text.encode("utf-8", "replace"))
    try:
        run_editor(draft, environment_for_programs(context))
        written = draft.read_text("utf-8", "replace").strip("\n")
    finally:
        draft.unlink(missing_ok=True)
    if not written.strip():
        raise NoInputError("the message is empty; nothing was sent")
    context.show(written)
    with interruptible():
        return context.talk.send_message(written)


def leave(context: CommandContext, _argument: str) -> None:
    context.is_leaving = True


def environment_for_programs(context: CommandContext) -> Mapping[str, str]:
    """Return the environment for other programs, without the variables that hold keys."""
    from gptkit.settings.keys import environment_without_keys_named_in

    try:
        settings = context.paths.config_file.read_text("utf-8", "replace")
    except OSError:
        settings = ""
    return environment_without_keys_named_in(settings, context.terminal.environ)


COMMANDS = (
    SlashCommand("help", "show the commands", show_help),
    SlashCommand("model", "show or change the model", choose_model, "[NAME]", "model"),
    SlashCommand("file", "send a file along with the next message", attach_file, "PATH", "file"),
    SlashCommand("attach", "attach an image or a PDF to the next message", add_attachment, "FILE", "file"),
    SlashCommand("system", "show or replace the system message", show_system, "[TEXT]"),
    SlashCommand("reasoning", "show the model's thoughts, or hide them", switch_reasoning),
    SlashCommand("undo", "take back the last message and its answer", undo),
    SlashCommand("retry", "ask for another answer", retry),
    SlashCommand("edit", "change the last message and send it again", edit, "[TEXT]"),
    SlashCommand("fork", "go on in a new conversation that has all of this one", fork, "NAME"),
    SlashCommand("history", "show the latest messages", show_history, "[COUNT]"),
    SlashCommand("cost", "show tokens and cost", show_cost),
    SlashCommand("copy", "copy the last answer", copy_answer),
    SlashCommand("save", "write the conversation as Markdown; -f replaces a file", save, "[-f] PATH", "file"),
    SlashCommand("editor", "write a message in $VISUAL or $EDITOR", write_in_editor, "[TEXT]"),
    SlashCommand("exit", "leave", leave),
)


def _typed_text(turn: Turn) -> str:
    from gptkit.repl.talk import typed_message

    return typed_message(turn)[0]


def _state_mark(turn: Turn) -> str:
    return "" if turn.state == "ok" else f"({turn.state}) "


def _markdown(turn: Turn) -> str:
    heading = f"## You\n\n{_typed_text(turn)}\n\n" if _typed_text(turn) else ""
    return f"{heading}## {turn.model}\n\n{_state_mark(turn)}{turn.answer}\n"
