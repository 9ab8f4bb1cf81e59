"""Real repositories of git for tests, without the settings of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

OWN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": os.environ.get("PATH", os.defpath),
}
USER = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")


def git(folder: Path, *command: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(
        ["git", *USER, *command], cwd=folder, check=True, capture_output=True, encoding="utf-8", env=OWN
    )
    return done.stdout


def begin(folder: Path, **files: str) -> None:
    """Make a repository whose branch `main` has one commit with these files."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in ({"a.txt": "old\n"} | files).items():
        (folder / name).write_text(text, "utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")


def change(folder: Path, text: str = "new\n", name: str = "a.txt", staged: bool = True) -> None:
    """Change a file of the work tree."""
    (folder / name).write_text(text, "utf-8")
    if staged:
        git(folder, "add", name)
