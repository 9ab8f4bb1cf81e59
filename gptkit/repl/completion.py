"""Completions for the Tab key at the prompt: commands, file names, models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import GptkitError
from gptkit.core.sanitize import visible
from gptkit.repl.commands import SLASH, SlashCommand

FOLDER_LIMIT = 2000
"""The most entries of a folder that are read."""


class CompletionItem(NamedTuple):
    """A text that may replace the last `replaced_length` characters; a list shows `label`."""

    text: str
    replaced_length: int
    label: str


class Completions:
    """Completes the text before the cursor; waits for nothing but the file system.

    `models` is called in a thread when the name of a model is first completed; that thread then calls
    `on_loaded`.
    """

    def __init__(
        self, commands: Sequence[SlashCommand], environ: Mapping[str, str], models: Callable[[], list[str]]
    ) -> None:
        self._commands = {command.name: command for command in reversed(commands)}
        self._environ = environ
        self._models = models
        self._model_list: list[str] = []
        self._is_loading = False
        self.on_loaded: Callable[[], None] = lambda: None

    def __call__(self, text: str) -> list[CompletionItem]:
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

    def _command_names(self, prefix: str) -> list[CompletionItem]:
        return [
            CompletionItem(
                f"{SLASH}{name} " if command.argument else SLASH + name, len(prefix) + 1, command.usage
            )
            for name, command in sorted(self._commands.items())
            if name.startswith(prefix)
        ]

    def _files(self, prefix: str) -> list[CompletionItem]:
        folder, slash, start = prefix.rpartition("/")
        items: list[CompletionItem] = []
        try:
            with os.scandir(expand_path(folder + slash or ".", self._environ)) as entries:
                for count, entry in enumerate(entries):
                    if count >= FOLDER_LIMIT:
                        break
                    name = entry.name
                    is_hidden = name.startswith(".") and not start.startswith(".")
                    if (
                        name.startswith(start)
                        and not is_hidden
                        and name.isprintable()
                        and visible(name) == name
                    ):
                        end = "/" if entry.is_dir() else ""
                        items.append(CompletionItem(name + end, len(start), name + end))
        except (OSError, ValueError):
            return []
        return sorted(items)

    def _model_names(self, prefix: str) -> list[CompletionItem]:
        if not self._is_loading:
            import threading

            self._is_loading = True
            threading.Thread(target=self._load, daemon=True).start()
        return [
            CompletionItem(name, len(prefix), name) for name in self._model_list if name.startswith(prefix)
        ]

    def _load(self) -> None:
        try:
            names = self._models()
        except GptkitError:  # the next message to the model reports the error
            self._is_loading = False
            return
        self._model_list = sorted(name for name in names if name.isprintable() and visible(name) == name)
        self.on_loaded()


def expand_path(path: str, environ: Mapping[str, str]) -> Path:
    """Make a path of what a person types or pastes, with `~` for the home folder and perhaps in quotes."""
    import shlex

    result = Path(path)
    if not os.path.lexists(result) and (path.startswith(("'", '"')) or "\\" in path):
        try:
            words = shlex.split(path)
        except ValueError:
            words = []
        result = Path(words[0]) if len(words) == 1 else result
    home = environ.get("HOME", "")
    if home and result.parts[:1] == ("~",):
        return Path(home, *result.parts[1:])
    return result
