"""What the slash commands of every conversation do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.cli.loop.commands import Command, Desk
from gptkit.cli.loop.completion import expanded
from gptkit.cli.loop.status import fitted, money, tokens
from gptkit.core.errors import NoInput, UsageFault
from gptkit.core.signals import interruptible

if TYPE_CHECKING:
    from gptkit.history.model import Turn

SHOWN = 10
"""Turns that /history shows unless told."""
OVERWRITE = "-f"
KEYS = (
    'Alt-Enter begins a new line; so does a block between two lines of """.',
    "// begins a text with a slash. Ctrl-C stops an answer or clears the line, Ctrl-D leaves.",
)


def show_help(desk: Desk, _argument: str) -> None:
    from textwrap import fill

    width = max(desk.terminal.width - 1, 8)
    column = max(len(command.usage) for command in desk.listed) + 2
    for command in desk.listed:
        if width > column + 30:
            desk.show(
                fill(
                    command.help,
                    width,
                    initial_indent=command.usage.ljust(column),
                    subsequent_indent=" " * column,
                )
            )
        else:
            desk.show(
                f"{command.usage}\n{fill(command.help, width, initial_indent='  ', subsequent_indent='  ')}"
            )
    desk.show("\n".join(fill(line, width) for line in KEYS))


def choose_model(desk: Desk, name: str) -> None:
    if name:
        desk.talk.model = name
    desk.show(f"model: {desk.talk.model}")


def attach_file(desk: Desk, path: str) -> None:
    name = desk.talk.attach(expanded(path, desk.terminal.environ))
    desk.show(f"'{name}' goes with the next message")


def show_system(desk: Desk, text: str) -> None:
    desk.show(desk.talk.system(text or None) or "there is no system message")


def switch_reasoning(desk: Desk, _argument: str) -> None:
    desk.talk.reasoning = not desk.talk.reasoning
    desk.show(f"what the model thinks is {'shown' if desk.talk.reasoning else 'not shown'} from here on")


def undo(desk: Desk, _argument: str) -> None:
    turn = desk.talk.undo()
    if turn is None:
        raise NoInput("there is nothing to undo")
    desk.show(f"taken back: {fitted(_typed(turn), max(desk.terminal.width - 13, 8))}")


def retry(desk: Desk, _argument: str) -> int:
    with interruptible():
        return desk.talk.retry()


def edit(desk: Desk, text: str) -> int | None:
    last = desk.talk.last
    if last is None:
        raise NoInput("there is no message yet")
    if text:
        with interruptible():
            return desk.talk.edit(text)
    if not desk.prefills:
        desk.show(_typed(last))
        raise UsageFault("this terminal cannot show a text to be changed", hint="type it after '/edit'")
    desk.to_change = _typed(last)
    return None


def fork(desk: Desk, name: str) -> None:
    session = desk.talk.fork(name)
    desk.show(f"going on as '{session.name or session.id}'; what was before stays as it is")


def show_history(desk: Desk, count: str) -> None:
    if count and not count.isdecimal():
        raise UsageFault(f"'/history': '{count}' is not a number of turns")
    width = max(desk.terminal.width - 7, 8)
    summary = desk.talk.summary()
    if summary is not None:
        desk.show(f"summary of the oldest turns, by {summary.model}: {summary.text}")
    turns = desk.talk.turns(int(count[:6]) if count else SHOWN)
    if not turns:
        raise NoInput("there is no message yet")
    for turn in turns:
        if _typed(turn):  # nobody has: a greeting
            desk.show(f"you: {fitted(_typed(turn), width)}")
        desk.show(f"  {_mark(turn)}{fitted(turn.answer, width - len(_mark(turn)))}")


def show_cost(desk: Desk, _argument: str) -> None:
    status = desk.talk.status()
    desk.show(f"model: {status.model}")
    desk.show(f"tokens: {tokens(status)}{' (estimated)' if status.estimated else ''}")
    desk.show(f"cost: {money(status) or 'the price of this model is not known'}")


def copy_answer(desk: Desk, _argument: str) -> None:
    from gptkit.cli.loop.clipboard import copy

    last = desk.talk.last
    if last is None or not last.answer:
        raise NoInput("there is no answer yet")
    desk.show(copy(last.answer, desk.terminal, careful(desk)))


def save(desk: Desk, argument: str) -> None:
    """The conversation as Markdown; an existing file only with -f."""
    from gptkit.core.files import write_atomic

    first, _, rest = argument.partition(" ")
    forced = first == OVERWRITE and bool(rest.strip())
    path = expanded(rest.strip() if forced else argument, desk.terminal.environ)
    if os.path.lexists(path) and not forced:
        raise UsageFault(f"'{path}' exists", hint=f"'/save {OVERWRITE} {path}' replaces it")
    turns = desk.talk.turns(1 << 30)
    if not turns:
        raise NoInput("there is no message yet")
    write_atomic(path, "\n".join(map(_markdown, turns)).encode("utf-8", "replace"))
    desk.show(f"saved {len(turns)} {'turn' if len(turns) == 1 else 'turns'} in '{path}'")


def write_in_editor(desk: Desk, text: str) -> int | None:
    from gptkit.core.confirm import edit as run_editor
    from gptkit.core.files import write_private

    folder = desk.paths.require(desk.paths.data)
    draft = folder / f"draft-{os.urandom(4).hex()}.md"
    write_private(draft, text.encode("utf-8", "replace"))
    try:
        run_editor(draft, careful(desk))
        written = draft.read_text("utf-8", "replace").strip("\n")
    finally:
        draft.unlink(missing_ok=True)
    if not written.strip():
        raise NoInput("the message is empty; nothing was sent")
    desk.show(written)
    with interruptible():
        return desk.talk.say(written)


def leave(desk: Desk, _argument: str) -> None:
    desk.leaving = True


def careful(desk: Desk) -> Mapping[str, str]:
    """The environment for other programs: without keys, however the settings name them."""
    from gptkit.settings.keys import careful_environment

    try:
        settings = desk.paths.config_file.read_text("utf-8", "replace")
    except OSError:
        settings = ""
    return careful_environment(settings, desk.terminal.environ)


COMMANDS = (
    Command("help", "show the commands", show_help),
    Command("model", "show or change the model", choose_model, "[NAME]", "model"),
    Command("file", "send a file along with the next message", attach_file, "PATH", "file"),
    Command("system", "show or replace the system message", show_system, "[TEXT]"),
    Command("reasoning", "show what the model thinks, or no longer", switch_reasoning),
    Command("undo", "go back to before the last message", undo),
    Command("retry", "ask for another answer", retry),
    Command("edit", "change the last message and send it again", edit, "[TEXT]"),
    Command("fork", "go on in a new conversation that has all of this one", fork, "NAME"),
    Command("history", "show the latest messages", show_history, "[COUNT]"),
    Command("cost", "show tokens and cost", show_cost),
    Command("copy", "copy the last answer", copy_answer),
    Command("save", "write the conversation as Markdown; -f replaces a file", save, "[-f] PATH", "file"),
    Command("editor", "write a message in $VISUAL or $EDITOR", write_in_editor, "[TEXT]"),
    Command("exit", "leave", leave),
)


def _typed(turn: Turn) -> str:
    from gptkit.cli.talk import words

    return words(turn)[0]


def _mark(turn: Turn) -> str:
    return "" if turn.state == "ok" else f"({turn.state}) "


def _markdown(turn: Turn) -> str:
    said = f"## You\n\n{_typed(turn)}\n\n" if _typed(turn) else ""
    return f"{said}## {turn.model}\n\n{_mark(turn)}{turn.answer}\n"
