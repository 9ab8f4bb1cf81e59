"""Ask a person: for consent before something is removed, and for changes to a file in an editor."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.core.errors import ConfigurationError, NotApprovedError

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


YES = ("y", "yes", "j", "ja", "o", "oui", "是", "好")
"""What a user may answer to agree, in the languages of most users."""


def is_yes(answer: str | None) -> bool:
    """Whether a user's line agrees to a question; None is the end of the input."""
    return answer is not None and answer.strip().lower() in YES


def confirm_removal(terminal: Terminal, question: str) -> None:
    """Ask for consent before something is removed; raises NotApprovedError for any answer but yes."""
    confirm(terminal, question, "removed", "removes")


def confirm(terminal: Terminal, question: str, done: str, does: str) -> None:
    """Ask a yes-or-no question on the terminal; raises NotApprovedError for any answer but yes.

    `done` and `does` say in a message what was asked for, such as `removed` and `removes`.
    """
    if not terminal.stdin_is_terminal:
        raise NotApprovedError(
            f"nothing was {done}: there is no terminal to ask at", hint=f"--yes {does} without asking"
        )
    terminal.write_error(f"{question} [y/N] ")
    if not is_yes(terminal.read_line()):
        raise NotApprovedError(f"nothing was {done}")


def open_editor(path: Path, environ: Mapping[str, str]) -> None:
    """Open a file in $VISUAL or $EDITOR and wait for the editor to end.

    The editor runs with `environ`; pass `settings.keys.environment_without_keys`, which holds no key.
    Raises ConfigurationError if the editor cannot be run or fails.
    """
    import subprocess

    editor = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    command: list[str] = []
    try:
        command = shlex.split(editor) or ["vi"]
        code = subprocess.run([*command, str(path)], check=False, env=dict(environ)).returncode
    except (OSError, ValueError):
        name = command[0] if command else editor
        raise ConfigurationError(
            f"no editor '{name}'", hint="set EDITOR to a program that edits text"
        ) from None
    if code != 0:
        raise ConfigurationError(f"the editor '{command[0]}' ended with {code}; the file may be unchanged")
