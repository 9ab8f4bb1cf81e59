"""What the slash commands of every conversation do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.core.errors import CannotWriteError, NoInputError, UsageError
from gptkit.core.signals import interruptible
from gptkit.repl.commands import Command, Desk
from gptkit.repl.completion import expanded
from gptkit.repl.editor import fitted, money, tokens

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
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
    desk.show(f"the model's thoughts are {'shown' if desk.talk.reasoning else 'not shown'} from now on")


def undo(desk: Desk, _argument: str) -> None:
    turn = desk.talk.undo()
    if turn is None:
        raise NoInputError("there is nothing to undo")
    desk.show(f"taken back: {fitted(_typed(turn), max(desk.terminal.width - 13, 8))}")


def retry(desk: Desk, _argument: str) -> int:
    with interruptible():
        return desk.talk.retry()


def edit(desk: Desk, text: str) -> int | None:
    last = desk.talk.last
    if last is None:
        raise NoInputError("there is no message yet")
    if text:
        with interruptible():
            return desk.talk.edit(text)
    if not desk.prefills:
        desk.show(_typed(last))
        raise UsageError("this terminal cannot show a text for editing", hint="type it after '/edit'")
    desk.to_change = _typed(last)
    return None


def fork(desk: Desk, name: str) -> None:
    session = desk.talk.fork(name)
    desk.show(f"going on as '{session.name or session.id}'; what was before stays as it is")


def show_history(desk: Desk, count: str) -> None:
    if count and not count.isdecimal():
        raise UsageError(f"'/history': '{count}' is not a number of turns")
    width = max(desk.terminal.width - 7, 8)
    summary = desk.talk.summary()
    if summary is not None:
        desk.show(f"summary of the oldest turns, by {summary.model}: {summary.text}")
    turns = desk.talk.turns(int(count[:6]) if count else SHOWN)
    if not turns:
        raise NoInputError("there is no message yet")
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

    last = desk.talk.last
    if last is None or not last.answer:
        raise NoInputError("there is no answer yet")
    desk.show(copy(last.answer, desk.terminal, careful(desk)))


def save(desk: Desk, argument: str) -> None:
    """The conversation as Markdown; an existing file only with -f."""
    from gptkit.core.files import write_atomic

    first, _, rest = argument.partition(" ")
    forced = first == OVERWRITE and bool(rest.strip())
    path = expanded(rest.strip() if forced else argument, desk.terminal.environ)
    if os.path.lexists(path) and not forced:
        raise UsageError(f"'{path}' exists", hint=f"'/save {OVERWRITE} {path}' replaces it")
    turns = desk.talk.turns(1 << 30)
    if not turns:
        raise NoInputError("there is no message yet")
    write_atomic(path, "\n".join(map(_markdown, turns)).encode("utf-8", "replace"))
    desk.show(f"saved {len(turns)} {'turn' if len(turns) == 1 else 'turns'} in '{path}'")


def write_in_editor(desk: Desk, text: str) -> int | None:
    from gptkit.core.confirm import open_editor as run_editor
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
        raise NoInputError("the message is empty; nothing was sent")
    desk.show(written)
    with interruptible():
        return desk.talk.say(written)


def leave(desk: Desk, _argument: str) -> None:
    desk.leaving = True


def careful(desk: Desk) -> Mapping[str, str]:
    """The environment for other programs: without keys, however the settings name them."""
    from gptkit.settings.keys import environment_without_named

    try:
        settings = desk.paths.config_file.read_text("utf-8", "replace")
    except OSError:
        settings = ""
    return environment_without_named(settings, desk.terminal.environ)


COMMANDS = (
    Command("help", "show the commands", show_help),
    Command("model", "show or change the model", choose_model, "[NAME]", "model"),
    Command("file", "send a file along with the next message", attach_file, "PATH", "file"),
    Command("system", "show or replace the system message", show_system, "[TEXT]"),
    Command("reasoning", "show the model's thoughts, or hide them", switch_reasoning),
    Command("undo", "take back the last message and its answer", undo),
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
    from gptkit.repl.talk import words

    return words(turn)[0]


def _mark(turn: Turn) -> str:
    return "" if turn.state == "ok" else f"({turn.state}) "


def _markdown(turn: Turn) -> str:
    said = f"## You\n\n{_typed(turn)}\n\n" if _typed(turn) else ""
    return f"{said}## {turn.model}\n\n{_mark(turn)}{turn.answer}\n"


SEQUENCE_CAP = 74_994
"""Bytes of text that xterm takes in one sequence; others take more."""
PATIENCE = 5.0
"""Seconds for a program to take the text."""
PROGRAMS = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
)


def copy(text: str, terminal: Terminal, environ: Mapping[str, str]) -> str:
    """Put a text on the clipboard and say how; raises CannotWriteError.

    The sequence is OSC 52. It reaches the terminal a person sits at, also over ssh, where a program
    would reach the clipboard of the other machine; no terminal answers whether it has obeyed.
    """
    program = None if environ.get("SSH_CONNECTION") else _program(environ)
    if program is not None and _given_to(program, text, environ):
        return f"copied with {program[0]}"
    if environ.get("TERM", "dumb") in {"dumb", "unknown"} or not terminal.stdout_is_terminal:
        raise CannotWriteError("no clipboard: no program for it is installed, and the terminal has none")
    data = text.encode("utf-8", "replace")
    if len(data) > SEQUENCE_CAP:
        raise CannotWriteError(
            f"no clipboard: a terminal takes {SEQUENCE_CAP} bytes at most", hint="'/save PATH' writes a file"
        )
    from base64 import b64encode

    terminal.write(f"\x1b]52;c;{b64encode(data).decode()}\x07")
    return "sent to the terminal's clipboard, if it allows that (OSC 52)"


def _program(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    import shutil

    wanted = [command for variable, command in PROGRAMS if environ.get(variable)]
    if sys.platform == "darwin":
        wanted.insert(0, ("pbcopy",))
    found = (command for command in wanted if shutil.which(command[0], path=environ.get("PATH", "")))
    return next(found, None)


def _given_to(program: tuple[str, ...], text: str, environ: Mapping[str, str]) -> bool:
    import subprocess

    try:
        done = subprocess.run(
            program,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,  # xclip stays, and would keep a pipe open
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
