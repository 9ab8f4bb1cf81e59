"""Find the files of folders that are to be processed, and decide where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import NoInputError, UsageError
from gptkit.core.files import cause
from gptkit.session.answer import partial_path
from gptkit.text.formats import FORMATS, detect_format, plain_text

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


HEAD = 4096
"""Bytes of the beginning of a file by which its format is recognised."""
ENDINGS = frozenset(ending for known in FORMATS for ending in known.endings)
IGNORE = ".gitignore"
REPOSITORY = ".git"


class FileTask(NamedTuple):
    """A file of `size` bytes, and the `target` of its result."""

    path: Path
    target: Path
    size: int


class SkippedFile(NamedTuple):
    path: Path
    why: str


class FolderPlan(NamedTuple):
    tasks: tuple[FileTask, ...]
    skipped: tuple[SkippedFile, ...]


def plan_folders(inputs: Sequence[Path], output: Path, *, any_format: bool = False) -> FolderPlan:
    """Find the files below the inputs, and where their results go.

    The tree of a single folder is mirrored in `output`; of several inputs each is mirrored below its own
    name. With `any_format` the names of files do not matter. Raises UsageError if a result would overwrite an
    input or another result.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"'{output}': it is not a folder")
    skipped: list[SkippedFile] = []
    tasks: list[FileTask] = []
    for path in inputs:
        if not path.exists():
            raise NoInputError(f"'{path}': no such file")
        if not path.is_dir():
            tasks.append(FileTask(path, output / path.name, _size(path)))
            continue
        base = output if len(inputs) == 1 else output / (path.name or path.resolve().name)
        for file in _FolderWalk(path.resolve(), output.resolve(), any_format, skipped).files(path):
            tasks.append(FileTask(file, base / file.relative_to(path), _size(file)))
    if not tasks:
        names = ", ".join(f"'{path}'" for path in inputs)
        raise NoInputError(f"no file in a known format in {names}")
    _check_targets(tasks)
    return FolderPlan(tuple(tasks), tuple(skipped))


def _check_targets(tasks: Sequence[FileTask]) -> None:
    inputs = {_identity(task.path) for task in tasks} - {None}
    targets: dict[Path, Path] = {}
    for task in tasks:
        for path in (task.target, partial_path(task.target)):
            if _identity(path) in inputs:
                raise UsageError(f"'{path}': the output would overwrite the input")
        if (other := targets.setdefault(task.target, task.path)) != task.path:
            raise UsageError(f"'{other}' and '{task.path}' would both be written to '{task.target}'")


class _IgnoreRules(NamedTuple):
    """The patterns of the .gitignore of a folder."""

    folder: Path
    patterns: GitIgnoreSpec


class _FolderWalk:
    """Walks through one folder in the order of names; follows only links to files inside the folder."""

    def __init__(self, root: Path, output: Path, any_format: bool, skipped: list[SkippedFile]) -> None:
        self._root = root
        self._output = output
        self._any_format = any_format
        self._skipped = skipped

    def files(self, path: Path) -> Iterator[Path]:
        """Yield the files to process; `path` is the root as the user wrote it."""
        return self._files_below(
            path,
            self._root,
            [rules for folder in _folders_above(self._root) for rules in _read_rules(folder)],
        )

    def _files_below(self, shown_folder: Path, folder: Path, rules: list[_IgnoreRules]) -> Iterator[Path]:
        rules = [*rules, *_read_rules(folder)]
        try:
            with os.scandir(folder) as entries:
                sorted_entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(shown_folder, cause(error))
            return
        for entry in sorted_entries:
            path, real = shown_folder / entry.name, folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == REPOSITORY or real == self._output or _is_ignored(real, is_folder, rules):
                continue
            if is_folder:
                yield from self._files_below(path, real, rules)
            elif reason := self._reason_to_skip(entry, real):
                self._skip(path, reason)
            else:
                yield path

    def _reason_to_skip(self, entry: os.DirEntry[str], real: Path) -> str:
        """Return why a file is skipped; empty if it is processed."""
        if entry.is_symlink() and not real.resolve().is_relative_to(self._root):
            return "a link out of the folder"
        if not entry.is_file():
            return "a link to a folder" if entry.is_dir() else "not a file"
        try:
            with real.open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            return cause(error)
        if Path(entry.name).suffix.lower() in ENDINGS:
            return ""
        if b"\0" in head:
            return "binary"
        return "" if self._any_format or _is_known(entry.name, head) else "not in a known format"

    def _skip(self, path: Path, why: str) -> None:
        self._skipped.append(SkippedFile(path, why))


def _is_known(name: str, head: bytes) -> bool:
    """Whether a file without an ending has a known format by its content; an unknown ending means another."""
    if Path(name).suffix:
        return False
    text = head.decode("utf-8", "replace")
    return detect_format(None, text) is not plain_text() and "\ufffd" not in text[:-4]


def _folders_above(root: Path) -> list[Path]:
    """Return the folders above `root` in its repository, the highest first."""
    folders = [root, *root.parents]
    top = next((index for index, folder in enumerate(folders) if (folder / REPOSITORY).exists()), 0)
    return folders[top:0:-1]


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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
