"""Prompt files in folders: which one a name means, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_files import WORDS

from gptkit.core.yaml_tree import YamlFileError
from gptkit.templates.library import Library, PromptFolder


class Folders:
    """A built-in folder, the user's and a project's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.only: frozenset[str] | None = None

    def write(self, place: str, text: str | bytes = "description: x\n") -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    @property
    def library(self) -> Library:
        shelves = [PromptFolder("built-in", self.root / "built-in"), PromptFolder("user", self.root / "user")]
        return Library([*shelves, PromptFolder("project", self.root / "project", self.only)], WORDS)

    def problems(self, name: str) -> list[tuple[str, int, str, str, str]]:
        """File, line, key, message and hint of everything that is wrong."""
        with pytest.raises(YamlFileError) as caught:
            self.library.template(name)
        file = str(Path(caught.value.source).relative_to(self.root))
        return [(file, one.line, one.key, one.message, one.hint) for one in caught.value.problems]
