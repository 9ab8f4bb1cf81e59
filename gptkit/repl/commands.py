"""Slash commands of the prompt loop as values, and the parser of typed lines."""

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


BLOCK_FENCE = '"""'
"""The line that begins and ends a message of several lines."""
SLASH = "/"
BARE_COMMANDS = {"exit": "exit", "quit": "exit", "help": "help"}
"""Words that are commands when they are the whole line, since people type them as in other programs."""


class CommandContext:
    """What slash commands work with: the conversation, the terminal, and their requests to the loop."""

    def __init__(
        self, talk: Talk, terminal: Terminal, paths: Paths, commands: Sequence[SlashCommand]
    ) -> None:
        self.talk = talk
        self.terminal = terminal
        self.paths = paths
        self.commands: Mapping[str, SlashCommand] = {command.name: command for command in reversed(commands)}
        self.command_list = tuple(commands)
        self.can_prefill = True
        """Whether the line editor can show a text to edit."""
        self.is_leaving = False
        self.text_to_edit: str | None = None
        """The message that the user edits next, to send it again."""

    def show(self, text: str) -> None:
        """Show a line of foreign text to the person at the terminal."""
        if self.terminal.stdout_is_terminal:
            self.terminal.print_sanitized(text)
        else:
            self.terminal.write_error(visible(text) + "\n")


class SlashCommand(NamedTuple):
    """A slash command. `argument` is the name of the argument in the help, in brackets if it is optional.

    `action` takes the argument and returns the exit code of an exchange, or None without one. A
    GptkitError that `action` raises is reported, and the loop goes on.
    """

    name: str
    help: str
    action: Callable[[CommandContext, str], int | None]
    argument: str = ""
    completes: Literal["", "file", "model"] = ""

    @property
    def usage(self) -> str:
        return f"{SLASH}{self.name} {self.argument}".rstrip()


class TypedMessage(NamedTuple):
    """A message for the model."""

    text: str


class TypedCommand(NamedTuple):
    """A command and its argument."""

    command: SlashCommand
    argument: str


def parse_line(line: str, commands: Mapping[str, SlashCommand]) -> TypedMessage | TypedCommand | None:
    """Parse a typed line; None for an empty line. Raises UsageError for an unknown or incomplete command."""
    if is_block(line):
        text = line.strip().removeprefix(BLOCK_FENCE).removesuffix(BLOCK_FENCE).strip("\n")
        return TypedMessage(text) if text.strip() else None
    text = line.strip("\n").rstrip()
    if not text.strip():
        return None
    if text in BARE_COMMANDS:
        return _parse_command(BARE_COMMANDS[text], "", commands)
    if not text.startswith(SLASH):
        return TypedMessage(text)
    if text.startswith(SLASH * 2):
        return TypedMessage(text[1:])
    name, _, argument = text[1:].partition(" ")
    if "\n" in name or ("\n" in text and name not in commands):
        return TypedMessage(text)  # a pasted text that begins with a slash is no command
    return _parse_command(name, argument.strip(), commands)


def is_block(line: str) -> bool:
    """Whether the first line is a fence, so that the message ends with the next fence."""
    return line.strip().partition("\n")[0].rstrip() == BLOCK_FENCE


def is_open_block(line: str) -> bool:
    text = line.strip()
    return is_block(line) and (text == BLOCK_FENCE or text.rpartition("\n")[2].strip() != BLOCK_FENCE)


def _parse_command(name: str, argument: str, commands: Mapping[str, SlashCommand]) -> TypedCommand:
    command = commands.get(name)
    if command is None:
        hint = spelling_hint(SLASH + name, [SLASH + other for other in commands])
        if not hint.startswith("did"):
            hint = "'/help' shows all; a text that begins with '/' is typed with '//'"
        raise UsageError(f"no command '{SLASH}{name}'", hint=hint)
    if argument and not command.argument:
        raise UsageError(f"'{command.usage}' takes no argument")
    if not argument and command.argument and not command.argument.startswith("["):
        raise UsageError(f"'{command.usage}': {command.argument} is missing")
    return TypedCommand(command, argument)
