"""Asks before anything is removed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.errors import NotApproved

if TYPE_CHECKING:
    from gptkit.terminal import Terminal


def confirm(terminal: Terminal, question: str) -> None:
    """Raises NotApproved unless a person says yes."""
    if not terminal.stdin_is_terminal:
        raise NotApproved("nothing was removed: nobody can be asked", hint="--yes removes without asking")
    terminal.write_error(f"{question} [y/N] ")
    answer = terminal.read_line() or ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotApproved("nothing was removed")
