"""The slash commands of the prompt loop as data, and what a typed line means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from gptkit.core.errors import UsageError
from gptkit.core.sanitize import visible
from gptkit.core.yaml_tree import spelling_hint

if TYPE_CHECKING:
    from gptkit.core.paths import Paths
    from gptkit.core.terminal import Terminal
    from gptkit.repl.talk import Talk


FENCE = '"""'
"""A line of its own that begins and ends a message of many lines."""
SLASH = "/"


class Desk:
    """What commands work on: the conversation, the terminal, and what they ask of the loop."""

    def __init__(self, talk: Talk, terminal: Terminal, paths: Paths, commands: Sequence[Command]) -> None:
        self.talk = talk
        self.terminal = terminal
        self.paths = paths
        self.commands: Mapping[str, Command] = {command.name: command for command in reversed(commands)}
        self.listed = tuple(commands)
        self.prefills = True
        """The line editor can show a text to be changed."""
        self.leaving = False
        self.to_change: str | None = None
        """The message that is to be changed and sent again."""

    def show(self, text: str) -> None:
        """Show a line of foreign text to the person at the terminal."""
        if self.terminal.stdout_is_terminal:
            self.terminal.print_sanitized(text)
        else:
            self.terminal.write_error(visible(text) + "\n")


class Command(NamedTuple):
    """A slash command. `argument` is its name in the help, in brackets if it may be left out.

    `action` gets the argument and returns the exit code of an exchange, None for all else; a
    GptkitError that it raises is told, and the loop goes on.
    """

    name: str
    help: str
    action: Callable[[Desk, str], int | None]
    argument: str = ""
    completes: Literal["", "file", "model"] = ""

    @property
    def usage(self) -> str:
        return f"{SLASH}{self.name} {self.argument}".rstrip()


class Said(NamedTuple):
    """A message for the model."""

    text: str


class Called(NamedTuple):
    """A command and its argument."""

    command: Command
    argument: str


def meaning(line: str, commands: Mapping[str, Command]) -> Said | Called | None:
    """What a typed line asks for; None where it holds nothing. Raises UsageError for what is no command."""
    if is_block(line):
        text = line.strip().removeprefix(FENCE).removesuffix(FENCE).strip("\n")
        return Said(text) if text.strip() else None
    text = line.strip("\n").rstrip()
    if not text.strip():
        return None
    if not text.startswith(SLASH):
        return Said(text)
    if text.startswith(SLASH * 2):
        return Said(text[1:])
    name, _, argument = text[1:].partition(" ")
    if "\n" in name or ("\n" in text and name not in commands):
        return Said(text)  # a pasted text: what looks like a command there is none
    return _called(name, argument.strip(), commands)


def is_block(line: str) -> bool:
    """Whether the first line is a fence: then the message ends with the next one."""
    return line.strip().partition("\n")[0].rstrip() == FENCE


def is_open_block(line: str) -> bool:
    text = line.strip()
    return is_block(line) and (text == FENCE or text.rpartition("\n")[2].strip() != FENCE)


def _called(name: str, argument: str, commands: Mapping[str, Command]) -> Called:
    command = commands.get(name)
    if command is None:
        hint = spelling_hint(SLASH + name, [SLASH + each for each in commands])
        if not hint.startswith("did"):
            hint = "'/help' shows all; a text that begins with '/' is typed with '//'"
        raise UsageError(f"no command '{SLASH}{name}'", hint=hint)
    if argument and not command.argument:
        raise UsageError(f"'{command.usage}' takes no argument")
    if not argument and command.argument and not command.argument.startswith("["):
        raise UsageError(f"'{command.usage}': {command.argument} is missing")
    return Called(command, argument)
