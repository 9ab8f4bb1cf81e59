"""Prompts and settings of the tests that ask: small ones, so that whole bodies can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gptkit.settings.schema import DEFAULT_MODEL

SAY = "description: Say it.\n"
"""No system message, and the user message that every prompt has: the request, if any, and the text."""
HELP_HINT = "hint: 'gptkit say --help' shows what it takes\n"
NO_INPUT = "gptkit: no input\nhint: give words, pipe text in, or name a file with -f\n"


def prompt(home: Path, text: str = SAY, name: str = "say") -> None:
    """A prompt file of the user's."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def settings(home: Path, text: str) -> None:
    folder = home / "config"
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def body(user: str, **parameters: Any) -> dict[str, Any]:
    """The whole body of a request of `say`."""
    messages = [{"role": "user", "content": user}]
    return {"model": DEFAULT_MODEL, "messages": messages, "stream": True} | parameters


def failure(message: str, hint: str = "") -> str:
    """Standard error of a run that failed."""
    return f"gptkit: {message}\n" + (f"hint: {hint}\n" if hint else "")
