"""Copies text: with the system's own program where there is one, else through the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.core.errors import CannotWrite

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal

SEQUENCE_CAP = 74_994
"""Bytes of text that xterm takes in one sequence; others take more."""
PATIENCE = 5.0
"""Seconds for a program to take the text."""
PROGRAMS = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
)


def copy(text: str, terminal: Terminal, environ: Mapping[str, str]) -> str:
    """Put a text on the clipboard and say how; raises CannotWrite.

    The sequence is OSC 52. It reaches the terminal a person sits at, also over ssh, where a program
    would reach the clipboard of the other machine; no terminal answers whether it has obeyed.
    """
    program = None if environ.get("SSH_CONNECTION") else _program(environ)
    if program is not None and _given_to(program, text, environ):
        return f"copied with {program[0]}"
    if environ.get("TERM", "dumb") in {"dumb", "unknown"} or not terminal.stdout_is_terminal:
        raise CannotWrite("no clipboard: neither a program for one nor a terminal that could have it")
    data = text.encode("utf-8", "replace")
    if len(data) > SEQUENCE_CAP:
        raise CannotWrite(
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
