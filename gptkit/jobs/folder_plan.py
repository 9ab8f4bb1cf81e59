"""Plan which files of folders are processed, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import NoInputError, UsageError
from gptkit.core.files import cause
from gptkit.jobs.walk import FolderWalk, SkippedFile
from gptkit.session.answer import partial_path
from gptkit.text.formats import FORMATS, detect_format, plain_text

HEAD = 4096
"""Bytes of the beginning of a file by which its format is recognised."""
ENDINGS = frozenset(ending for known in FORMATS for ending in known.endings)


class FileTask(NamedTuple):
    """A file of `size` bytes, and the `target` of its result."""

    path: Path
    target: Path
    size: int


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
        for file in _files_below(path, output.resolve(), any_format, skipped):
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


def _files_below(folder: Path, output: Path, any_format: bool, skipped: list[SkippedFile]) -> Iterator[Path]:
    """Yield the files of a folder to process; the output folder is none of them."""
    walk = FolderWalk(folder.resolve(), lambda entry: Path(entry.path) == output)
    for name, entry in walk.files(folder):
        path = Path(name)
        if reason := _reason_to_skip(entry, any_format):
            walk.skip(path, reason)
        else:
            yield path
    skipped += walk.skipped


def _reason_to_skip(entry: os.DirEntry[str], any_format: bool) -> str:
    """Return why a file is skipped; empty if it is processed."""
    try:
        with Path(entry.path).open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return cause(error)
    if Path(entry.name).suffix.lower() in ENDINGS:
        return ""
    if b"\0" in head:
        return "binary"
    return "" if any_format or _is_known(entry.name, head) else "not in a known format"


def _is_known(name: str, head: bytes) -> bool:
    """Whether a file without an ending has a known format by its content; an unknown ending means another."""
    if Path(name).suffix:
        return False
    text = head.decode("utf-8", "replace")
    return detect_format(None, text) is not plain_text() and "\ufffd" not in text[:-4]


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
