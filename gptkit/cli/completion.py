"""Turns completion on for the user's shell: its start-up file is added to, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotReadError, CannotWriteError, UsageError
from gptkit.core.files import write_atomic

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


POWERSHELL = "gptkit --show-completion | Out-String | Invoke-Expression"


class Place(NamedTuple):
    """Where a shell's script goes, and the line of the start-up file that loads it, if one is needed."""

    script: Path
    startup: Path | None = None
    line: str = ""


def install(terminal: Terminal) -> int:
    """Say what was done. Raises UsageError for an unknown shell, CannotReadError, CannotWriteError."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    shell = _shell(terminal)
    if shell in ("powershell", "pwsh"):
        terminal.print_sanitized(f"add this line to the file $PROFILE:\n{POWERSHELL}")
        return 0
    place = _place(shell, Path(terminal.environ.get("HOME") or Path.home()))
    if place is None:
        raise UsageError("this shell is not known", hint="completion exists for bash, zsh, fish, powershell")
    script = get_completion_script(prog_name="gptkit", complete_var="_GPTKIT_COMPLETE", shell=shell)
    try:
        place.script.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWriteError(f"'{error.filename}': {(error.strerror or str(error)).lower()}") from error
    write_atomic(place.script, f"{script}\n".encode())
    if place.startup is not None:
        _add(place.startup, place.line.encode())
    terminal.print_sanitized(
        f"{shell} completion installed in {place.script}\nit is there in every new terminal"
    )
    return 0


def _place(shell: str, home: Path) -> Place | None:
    if shell == "bash":
        script = home / ".bash_completions" / "gptkit.sh"
        return Place(script, home / ".bashrc", f"source '{script}'")
    if shell == "zsh":
        line = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"
        return Place(home / ".zfunc" / "_gptkit", home / ".zshrc", line)
    if shell == "fish":
        return Place(home / ".config" / "fish" / "completions" / "gptkit.fish")
    return None


def _add(startup: Path, line: bytes) -> None:
    """The line at the end of a file, unless it is in there; the rest stays byte for byte."""
    try:
        before = startup.read_bytes() if startup.exists() else b""
    except OSError as error:
        raise CannotReadError(f"'{startup}': {(error.strerror or str(error)).lower()}") from error
    if line not in before.splitlines():
        end = b"" if not before or before.endswith(b"\n") else b"\n"
        write_atomic(startup, before + end + line + b"\n")


def _shell(terminal: Terminal) -> str:
    """The shell that gptkit was started from, else the one that the user logs in to."""
    import shellingham  # type: ignore[import-untyped]  # one of Typer's

    try:
        return str(shellingham.detect_shell()[0])
    except (shellingham.ShellDetectionFailure, OSError, NotImplementedError):
        return Path(terminal.environ.get("SHELL", "")).name
