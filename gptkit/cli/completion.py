"""Completes models and conversations, and installs completion for the user's shell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotReadError, CannotWriteError, GptkitError, UsageError
from gptkit.core.files import cause, write_atomic

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.services import Services

LISTED = 100
"""The newest turns and sessions that are looked at for their names."""


def known_models(services: Services, start: str) -> list[str]:
    """Return the models that begin with `start`, as far as they are known without a request.

    The price list has more than a hundred models of a provider, so it is read only after a first letter.
    """
    sources: list[Callable[[], Sequence[object]]] = [
        lambda: [services.settings.text("model"), "echo"],
        lambda: [one["model"].value for one in services.settings.profiles.values() if "model" in one],
        lambda: [*_mapping(services.settings.value("aliases")), *_mapping(services.settings.value("prices"))],
        lambda: services.history.models(LISTED) if services.history.exists else [],
        lambda: services.prices.model_names() if start else [],
    ]
    names: list[str] = []
    for source in sources:
        with suppress(GptkitError):
            names += map(str, source())
    return sorted({name for name in names if name.startswith(start)})


def known_sessions(services: Services, start: str) -> list[str]:
    """Return the latest conversations that begin with `start`, each by its name, without one by its id."""
    with suppress(GptkitError):
        sessions = services.history.sessions(LISTED) if services.history.exists else []
        return [name for session in sessions if (name := session.name or session.id).startswith(start)]
    return []


EFFORT_LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""What the API knows as `reasoning_effort`; each model takes some of these."""


def effort_levels(_services: Services, start: str) -> list[str]:
    """Return the levels of `--effort` that begin with `start`."""
    return [level for level in EFFORT_LEVELS if level.startswith(start)]


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


POWERSHELL_LINE = "gptkit --show-completion | Out-String | Invoke-Expression"


class CompletionFiles(NamedTuple):
    """The path of a completion script, and the start-up file and line that load it, if needed."""

    script: Path
    startup: Path | None = None
    line: str = ""


def install(terminal: Terminal) -> int:
    """Install completion and say where.

    Raises UsageError for an unknown shell, CannotReadError, CannotWriteError.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    shell = _detect_shell(terminal)
    if shell in ("powershell", "pwsh"):
        terminal.print_sanitized(f"add this line to the file $PROFILE:\n{POWERSHELL_LINE}")
        return 0
    files = _completion_files(shell, Path(terminal.environ.get("HOME") or Path.home()))
    if files is None:
        raise UsageError("this shell is not known", hint="completion exists for bash, zsh, fish, powershell")
    script = get_completion_script(prog_name="gptkit", complete_var="_GPTKIT_COMPLETE", shell=shell)
    try:
        files.script.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWriteError(f"'{error.filename}': {cause(error)}") from error
    write_atomic(files.script, f"{script}\n".encode())
    if files.startup is not None:
        _append_line(files.startup, files.line.encode())
    terminal.print_sanitized(
        f"{shell} completion installed in {files.script}\nit is there in every new terminal"
    )
    return 0


def _completion_files(shell: str, home: Path) -> CompletionFiles | None:
    if shell == "bash":
        script = home / ".bash_completions" / "gptkit.sh"
        return CompletionFiles(script, home / ".bashrc", f"source '{script}'")
    if shell == "zsh":
        line = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"
        return CompletionFiles(home / ".zfunc" / "_gptkit", home / ".zshrc", line)
    if shell == "fish":
        return CompletionFiles(home / ".config" / "fish" / "completions" / "gptkit.fish")
    return None


def _append_line(startup: Path, line: bytes) -> None:
    """Append a line to a file that does not have it; all other bytes stay."""
    try:
        content = startup.read_bytes() if startup.exists() else b""
    except OSError as error:
        raise CannotReadError(f"'{startup}': {cause(error)}") from error
    if line not in content.splitlines():
        separator = b"" if not content or content.endswith(b"\n") else b"\n"
        write_atomic(startup, content + separator + line + b"\n")


def _detect_shell(terminal: Terminal) -> str:
    """Return the name of the shell that started gptkit, else of the login shell."""
    import shellingham  # type: ignore[import-untyped]  # one of Typer's

    try:
        return str(shellingham.detect_shell()[0])
    except (shellingham.ShellDetectionFailure, OSError, NotImplementedError):
        return Path(terminal.environ.get("SHELL", "")).name
