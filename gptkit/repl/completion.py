"""What the Tab key offers at the prompt: commands, file names, models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import GptkitError
from gptkit.core.sanitize import visible
from gptkit.repl.commands import SLASH, Command

FILES = 2000
"""Entries of a folder that are looked at; nobody chooses from more."""


class Offer(NamedTuple):
    """A text that may stand in place of the last `replaced` characters, and how a list shows it."""

    text: str
    replaced: int
    shown: str


class Offers:
    """Completions of the text before the cursor; never waits for anything but the file system.

    `models` is asked in a thread when a model's name is first wanted; `ready` is called from there.
    """

    def __init__(
        self, commands: Sequence[Command], environ: Mapping[str, str], models: Callable[[], list[str]]
    ) -> None:
        self._commands = {command.name: command for command in reversed(commands)}
        self._environ = environ
        self._models = models
        self._names: list[str] = []
        self._asked = False
        self.ready: Callable[[], None] = lambda: None

    def __call__(self, text: str) -> list[Offer]:
        if not text.startswith(SLASH) or "\n" in text:
            return []
        name, space, argument = text[1:].partition(" ")
        if not space:
            return self._command_names(name)
        completes = self._commands[name].completes if name in self._commands else ""
        argument = argument.lstrip()
        if completes == "file":
            return self._files(argument)
        return self._model_names(argument) if completes == "model" else []

    def _command_names(self, begun: str) -> list[Offer]:
        return [
            Offer(f"{SLASH}{name} " if command.argument else SLASH + name, len(begun) + 1, command.usage)
            for name, command in sorted(self._commands.items())
            if name.startswith(begun)
        ]

    def _files(self, begun: str) -> list[Offer]:
        folder, slash, start = begun.rpartition("/")
        found: list[Offer] = []
        try:
            with os.scandir(expanded(folder + slash or ".", self._environ)) as entries:
                for count, entry in enumerate(entries):
                    if count >= FILES:
                        break
                    name = entry.name
                    hidden = name.startswith(".") and not start.startswith(".")
                    if name.startswith(start) and not hidden and name.isprintable() and visible(name) == name:
                        end = "/" if entry.is_dir() else ""
                        found.append(Offer(name + end, len(start), name + end))
        except (OSError, ValueError):
            return []
        return sorted(found)

    def _model_names(self, begun: str) -> list[Offer]:
        if not self._asked:
            import threading

            self._asked = True
            threading.Thread(target=self._load, daemon=True).start()
        return [Offer(name, len(begun), name) for name in self._names if name.startswith(begun)]

    def _load(self) -> None:
        try:
            names = self._models()
        except GptkitError:  # the next message says why the server is not to be reached
            self._asked = False
            return
        self._names = sorted(name for name in names if name.isprintable() and visible(name) == name)
        self.ready()


def expanded(path: str, environ: Mapping[str, str]) -> Path:
    """A path as a person types or pastes it: with `~` for the home folder, perhaps in quotation marks."""
    import shlex

    found = Path(path)
    if not os.path.lexists(found) and (path.startswith(("'", '"')) or "\\" in path):
        try:
            words = shlex.split(path)
        except ValueError:
            words = []
        found = Path(words[0]) if len(words) == 1 else found
    home = environ.get("HOME", "")
    if home and found.parts[:1] == ("~",):
        return Path(home, *found.parts[1:])
    return found
