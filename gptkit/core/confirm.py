"""Asks before anything is removed for good."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.core.errors import ConfigurationError, NotApprovedError

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


def confirm_removal(terminal: Terminal, question: str) -> None:
    """Raises NotApprovedError unless a person says yes."""
    if not terminal.stdin_is_terminal:
        raise NotApprovedError(
            "nothing was removed: there is no terminal to ask at", hint="--yes removes without asking"
        )
    terminal.write_error(f"{question} [y/N] ")
    answer = terminal.read_line() or ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotApprovedError("nothing was removed")


def open_editor(path: Path, environ: Mapping[str, str]) -> None:
    """Run $VISUAL or $EDITOR on a file and wait; ConfigurationError when it cannot be run or fails.

    The editor gets this environment: one without keys is `settings.keys.environment_without_keys`.
    """
    import subprocess

    named = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    command: list[str] = []
    try:
        command = shlex.split(named) or ["vi"]
        code = subprocess.run([*command, str(path)], check=False, env=dict(environ)).returncode
    except (OSError, ValueError):
        name = command[0] if command else named
        raise ConfigurationError(
            f"no editor '{name}'", hint="set EDITOR to a program that edits text"
        ) from None
    if code != 0:
        raise ConfigurationError(f"the editor '{command[0]}' ended with {code}; the file may be unchanged")
