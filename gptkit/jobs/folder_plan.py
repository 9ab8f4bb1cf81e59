"""Which files of folders are worked on, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import NoInputError, UsageError
from gptkit.jobs.walk import Skipped, Walk
from gptkit.session.answer import partial_of
from gptkit.text.formats import FORMATS, detect_format, plain_text

HEAD = 4096
"""Bytes of a file that tell its format."""
ENDINGS = frozenset(ending for known in FORMATS for ending in known.endings)


class Work(NamedTuple):
    """A file and where its result goes."""

    path: Path
    target: Path
    size: int


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
        for found in _files(path, output.resolve(), any_format, skipped):
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


def _files(folder: Path, output: Path, any_format: bool, skipped: list[Skipped]) -> Iterator[Path]:
    """The files of a folder that are worked on; the output folder is none of them."""
    walk = Walk(folder.resolve(), lambda entry: Path(entry.path) == output)
    for path, entry in walk.files(folder):
        if why := _against(entry, any_format):
            walk.skip(path, why)
        else:
            yield path
    skipped += walk.skipped


def _against(entry: os.DirEntry[str], any_format: bool) -> str:
    """Why a file is not worked on; nothing where it is."""
    try:
        with Path(entry.path).open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if Path(entry.name).suffix.lower() in ENDINGS:
        return ""
    if b"\0" in head:
        return "binary"
    return "" if any_format or _is_known(entry.name, head) else "not in a known format"


def _is_known(name: str, head: bytes) -> bool:
    """A name without an ending leaves it to the content; any other that is not known means something else."""
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
