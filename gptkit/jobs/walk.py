"""Walks through the files of a folder as git sees them: nothing that .gitignore names, no links out of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.files import cause

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


IGNORE = ".gitignore"
REPOSITORY = ".git"


class SkippedFile(NamedTuple):
    """A file that is not worked on, and why not."""

    path: Path
    why: str


class FoundFile(NamedTuple):
    """A file of a folder: its path as the user would write it, and its entry in the real folder."""

    path: str
    entry: os.DirEntry[str]


class _IgnoreRules(NamedTuple):
    """The patterns of the .gitignore of a folder."""

    folder: Path
    patterns: GitIgnoreSpec


class FolderWalk:
    """A walk through one folder, in the order of names; of links, those to files inside of it are taken."""

    def __init__(
        self, root: Path, is_left_out: Callable[[os.DirEntry[str]], bool], *, use_ignore_files: bool = True
    ) -> None:
        """Prepare a walk.

        Args:
            root: the folder, without links in its path.
            is_left_out: whether an entry is passed over without a word, a folder with all that is in it.
        """
        self.skipped: list[SkippedFile] = []
        self._root = root
        self._is_left_out = is_left_out
        self._use_ignore_files = use_ignore_files

    def files(self, path: Path) -> Iterator[FoundFile]:
        """Yield the files; `path` is the root as the user writes it."""
        above = _folders_above(self._root) if self._use_ignore_files else []
        return self._below(
            str(path), self._root, [rules for folder in above for rules in _read_rules(folder)]
        )

    def skip(self, path: Path, why: str) -> None:
        """Note that a file is not worked on."""
        self.skipped.append(SkippedFile(path, why))

    def _below(self, shown: str, folder: Path, rules: list[_IgnoreRules]) -> Iterator[FoundFile]:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.skip(Path(shown), cause(error))
            return
        if self._use_ignore_files and any(entry.name == IGNORE for entry in found):
            rules = [*rules, *_read_rules(folder)]
        for entry in found:
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == REPOSITORY or self._is_left_out(entry):
                continue
            if rules and _is_ignored(folder / entry.name, is_folder, rules):
                continue
            path = entry.name if shown == "." else os.path.join(shown, entry.name)  # noqa: PTH118 - thousands
            if is_folder:
                yield from self._below(path, folder / entry.name, rules)
            elif reason := self._reason_to_skip(entry):
                self.skip(Path(path), reason)
            else:
                yield FoundFile(path, entry)

    def _reason_to_skip(self, entry: os.DirEntry[str]) -> str:
        """Return why an entry is no file of the folder; empty for one that is."""
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._root):
            return "a link out of the folder"
        if not entry.is_file():
            return "a link to a folder" if entry.is_dir() else "not a file"
        return ""


def _folders_above(root: Path) -> list[Path]:
    """Return the folders above `root` in its repository, the highest first."""
    found = [root, *root.parents]
    top = next((at for at, folder in enumerate(found) if (folder / REPOSITORY).exists()), 0)
    return found[top:0:-1]


def _read_rules(folder: Path) -> list[_IgnoreRules]:
    path = folder / IGNORE
    try:
        if path.is_symlink():  # git does not follow it either
            return []
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    from pathspec import GitIgnoreSpec

    return [_IgnoreRules(folder, GitIgnoreSpec.from_lines(text.splitlines()))]


def _is_ignored(path: Path, is_folder: bool, rules: Sequence[_IgnoreRules]) -> bool:
    """Whether a path is ignored, by the deepest .gitignore with a pattern for it."""
    for folder, patterns in reversed(rules):
        name = path.relative_to(folder).as_posix() + "/" * is_folder
        is_ignored = patterns.check_file(name).include
        if is_ignored is not None:
            return is_ignored
    return False
