"""Which files of folders are worked on, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import NoInputError, UsageError
from gptkit.session.answer import partial_of
from gptkit.text.formats import FORMATS, detect_format, plain_text

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


HEAD = 4096
"""Bytes of a file that tell its format."""
ENDINGS = frozenset(ending for known in FORMATS for ending in known.endings)
IGNORE = ".gitignore"
REPOSITORY = ".git"


class Work(NamedTuple):
    """A file and where its result goes."""

    path: Path
    target: Path
    size: int


class Skipped(NamedTuple):
    path: Path
    why: str


class Plan(NamedTuple):
    work: tuple[Work, ...]
    skipped: tuple[Skipped, ...]


def plan(inputs: Sequence[Path], output: Path, *, any_format: bool = False) -> Plan:
    """What to do with files and folders. The tree of a single folder is mirrored in the output as it is;
    of several inputs, each goes there under its name. Raises UsageError where a result would take the
    place of an input or of another result.

    Args:
        any_format: files of folders are taken whatever they are called.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"'{output}': it is not a folder")
    skipped: list[Skipped] = []
    work: list[Work] = []
    for path in inputs:
        if not path.exists():
            raise NoInputError(f"'{path}': no such file")
        if not path.is_dir():
            work.append(Work(path, output / path.name, _size(path)))
            continue
        base = output if len(inputs) == 1 else output / (path.name or path.resolve().name)
        for found in _Walk(path.resolve(), output.resolve(), any_format, skipped).files(path):
            work.append(Work(found, base / found.relative_to(path), _size(found)))
    if not work:
        names = ", ".join(f"'{path}'" for path in inputs)
        raise NoInputError(f"no file in a known format in {names}")
    _check(work)
    return Plan(tuple(work), tuple(skipped))


def _check(work: Sequence[Work]) -> None:
    inputs = {_identity(one.path) for one in work} - {None}
    targets: dict[Path, Path] = {}
    for one in work:
        for path in (one.target, partial_of(one.target)):
            if _identity(path) in inputs:
                raise UsageError(f"'{path}': the output would overwrite the input")
        if (other := targets.setdefault(one.target, one.path)) != one.path:
            raise UsageError(f"'{other}' and '{one.path}' would both be written to '{one.target}'")


class _Rules(NamedTuple):
    """What one .gitignore says of the paths below its folder."""

    folder: Path
    patterns: GitIgnoreSpec


class _Walk:
    """Through one folder, in the order of names; links are not followed, but to files inside of it."""

    def __init__(self, root: Path, output: Path, any_format: bool, skipped: list[Skipped]) -> None:
        self._root = root
        self._output = output
        self._any_format = any_format
        self._skipped = skipped

    def files(self, path: Path) -> Iterator[Path]:
        """`path` is the root as the user writes it."""
        return self._below(
            path, self._root, [rules for folder in _above(self._root) for rules in _rules(folder)]
        )

    def _below(self, shown: Path, folder: Path, rules: list[_Rules]) -> Iterator[Path]:
        rules = [*rules, *_rules(folder)]
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(shown, (error.strerror or str(error)).lower())
            return
        for entry in found:
            path, real = shown / entry.name, folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == REPOSITORY or real == self._output or _is_ignored(real, is_folder, rules):
                continue
            if is_folder:
                yield from self._below(path, real, rules)
            elif why := self._against(entry, real):
                self._skip(path, why)
            else:
                yield path

    def _against(self, entry: os.DirEntry[str], real: Path) -> str:
        """Why a file is not worked on; nothing where it is."""
        if entry.is_symlink() and not real.resolve().is_relative_to(self._root):
            return "a link out of the folder"
        if not entry.is_file():
            return "a link to a folder" if entry.is_dir() else "not a file"
        try:
            with real.open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            return (error.strerror or str(error)).lower()
        if Path(entry.name).suffix.lower() in ENDINGS:
            return ""
        if b"\0" in head:
            return "binary"
        return "" if self._any_format or _is_known(entry.name, head) else "not in a known format"

    def _skip(self, path: Path, why: str) -> None:
        self._skipped.append(Skipped(path, why))


def _is_known(name: str, head: bytes) -> bool:
    """A name without an ending leaves it to the content; any other that is not known means something else."""
    if Path(name).suffix:
        return False
    text = head.decode("utf-8", "replace")
    return detect_format(None, text) is not plain_text() and "\ufffd" not in text[:-4]


def _above(root: Path) -> list[Path]:
    """Folders above that belong to the same repository, the highest first."""
    found = [root, *root.parents]
    top = next((at for at, folder in enumerate(found) if (folder / REPOSITORY).exists()), 0)
    return found[top:0:-1]


def _rules(folder: Path) -> list[_Rules]:
    path = folder / IGNORE
    try:
        if path.is_symlink():  # git does not follow it either
            return []
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    from pathspec import GitIgnoreSpec

    return [_Rules(folder, GitIgnoreSpec.from_lines(text.splitlines()))]


def _is_ignored(path: Path, is_folder: bool, rules: Sequence[_Rules]) -> bool:
    """The deepest file that says something of a path decides."""
    for folder, patterns in reversed(rules):
        name = path.relative_to(folder).as_posix() + "/" * is_folder
        said = patterns.check_file(name).include
        if said is not None:
            return said
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
