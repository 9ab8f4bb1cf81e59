"""Copy an answer to the clipboard: with a program of the system, or through the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.core.errors import CannotWriteError

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions

SEQUENCE_CAP = 74_994
"""Bytes of text that xterm accepts in one sequence; other terminals accept more."""
PROGRAM_TIMEOUT = 5.0
"""Seconds that a clipboard program may take."""
CLIPBOARD_PROGRAMS = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("WSL_DISTRO_NAME", ("clip.exe",)),
    ("TMUX", ("tmux", "load-buffer", "-w", "-")),  # which hands no sequence of a program on by itself
)
"""Programs by the environment variable that tells where each works."""


def copy_answer(services: Services, shared: SharedOptions, text: str) -> None:
    """Copy a whole answer if `--copy` asks for that, and say so; a failure is told and not raised."""
    if not shared.copy:
        return
    from gptkit.settings.keys import environment_without_keys

    try:
        told = copy_to_clipboard(text, services.terminal, environment_without_keys(services.settings))
    except CannotWriteError as error:
        services.terminal.report(error)
        return
    if not shared.quiet:
        services.terminal.print_error_line(f"gptkit: {told}")


def copy_to_clipboard(text: str, terminal: Terminal, environ: Mapping[str, str]) -> str:
    """Copy a text to the clipboard; returns a message that says how. Raises CannotWriteError.

    Without a program the escape sequence OSC 52 is used. Over ssh only the sequence reaches the clipboard of
    the user's own machine. No terminal reports whether it has copied the text.
    """
    program = _clipboard_program(environ)
    if program is not None and _pipe_to(program, text, environ):
        return f"copied with {program[0]}"
    has_terminal = terminal.stdout_is_terminal or terminal.stderr_is_terminal
    if environ.get("TERM", "dumb") in {"dumb", "unknown"} or not has_terminal:
        raise CannotWriteError("no clipboard: no program for it is installed, and the terminal has none")
    data = text.encode("utf-8", "replace")
    if len(data) > SEQUENCE_CAP:
        raise CannotWriteError(
            f"no clipboard: a terminal takes {SEQUENCE_CAP} bytes at most", hint="a file takes all of it"
        )
    from base64 import b64encode

    write = terminal.write if terminal.stdout_is_terminal else terminal.write_error
    write(f"\x1b]52;c;{b64encode(data).decode()}\x07")
    return "sent to the terminal's clipboard, if it allows that (OSC 52)"


def _clipboard_program(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    import shutil

    is_remote = bool(environ.get("SSH_CONNECTION"))
    candidates = [
        command
        for variable, command in CLIPBOARD_PROGRAMS
        if environ.get(variable) and (variable == "TMUX" or not is_remote)
    ]
    own = {"darwin": ("pbcopy",), "win32": ("clip.exe",)}.get(sys.platform)
    if own is not None and not is_remote:
        candidates.insert(0, own)
    installed = (command for command in candidates if shutil.which(command[0], path=environ.get("PATH", "")))
    return next(installed, None)


def _pipe_to(program: tuple[str, ...], text: str, environ: Mapping[str, str]) -> bool:
    import subprocess

    encoding = "utf-16-le" if program[0] == "clip.exe" else "utf-8"  # clip.exe takes UTF-8 for a code page
    try:
        result = subprocess.run(
            program,
            input=text.encode(encoding, "replace"),
            stdout=subprocess.DEVNULL,  # xclip keeps running, and would keep a pipe open
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            timeout=PROGRAM_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0
