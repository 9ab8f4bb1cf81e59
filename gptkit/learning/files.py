"""The files of courses: one for each subject, written whole, read with care."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from gptkit.core.errors import CannotRead, DataFault, GptkitError, UsageFault
from gptkit.core.files import locked, write_private
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.learning import parse, write
from gptkit.learning.model import LINE, Learner, identity

LONGEST_NAME = 40
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9¹²³]")  # devices of Windows, whatever the suffix


def path(folder: Path, subject: str) -> Path:
    """Where a subject's file is; the name comes from the subject, and never leads out of the folder.

    Where letters, digits and hyphens do not say it all (`C++`, `C#`), a hash keeps subjects apart.
    """
    wanted = re.sub(r"[\s_-]+", "-", identity(subject)).strip("-")
    if not wanted:
        raise UsageFault("a subject must have a letter or a digit" if subject.strip() else "no subject given")
    if len(subject) > LINE:
        raise UsageFault(f"a subject has at most {LINE} characters")
    name = re.sub(r"[^\w-]|_", "", wanted)[:LONGEST_NAME].strip("-")
    if name != wanted or _RESERVED.fullmatch(name):
        digest = sha256(wanted.encode("utf-8", "replace")).hexdigest()[:8]
        name = f"{name}-{digest}".lstrip("-")
    return folder / f"{name}.yaml"


def load(folder: Path, subject: str) -> Learner:
    """The course, an empty one if there is none yet; raises BrokenPrompt by line for a bad edit."""
    file = path(folder, subject)
    content = _file_content(file)
    if content is None:
        return Learner(" ".join(subject.split()))
    found = parse.learner(content, str(file))
    if path(folder, found.subject) != file:
        raise DataFault(
            f"{file}: this is the course '{found.subject}', not '{subject}'",
            hint="rename the file or correct its subject",
        )
    return found


def save(folder: Path, learner: Learner) -> None:
    """Puts the course in place of what is there; who changes a course uses `changed`."""
    with locked(folder):
        _write(folder, learner)


def changed(folder: Path, subject: str, change: Callable[[Learner], Learner]) -> Learner:
    """Applies a change to the course as it is on disk now: what others wrote meanwhile is not lost.

    A file that cannot be read is left as it is.
    """
    with locked(folder):
        before = load(folder, subject)
        after = change(before)
        if after != before:
            _write(folder, after)
    return after


def courses(folder: Path) -> tuple[tuple[Learner, ...], tuple[GptkitError, ...]]:
    """All courses by name of their files, and what is wrong with those that cannot be read."""
    found: list[Learner] = []
    broken: list[GptkitError] = []
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".yaml" and file.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return (), ()
    except OSError as error:
        raise CannotRead(f"cannot read '{folder}': {(error.strerror or str(error)).lower()}") from error
    for file in files:
        try:
            learner = parse.learner(_file_content(file) or "", str(file))
            if (wanted := path(folder, learner.subject)) != file:
                raise DataFault(
                    f"{file}: this is the course '{learner.subject}'",
                    hint=f"rename the file to '{wanted.name}' or correct its subject",
                )
            found.append(learner)
        except GptkitError as error:
            broken.append(error)
    return tuple(found), tuple(broken)


def _write(folder: Path, learner: Learner) -> None:
    content = write.course_yaml(learner)
    if len(content) > SIZE_CAP:
        raise DataFault(
            f"the course '{learner.subject}' is larger than {SIZE_CAP >> 10} KiB",
            hint=f"remove reviews from '{path(folder, learner.subject)}'",
        )
    write_private(path(folder, learner.subject), content.encode())


def _file_content(file: Path) -> str | None:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # no waiting for a FIFO
    try:
        with os.fdopen(os.open(file, flags), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise CannotRead(f"cannot read '{file}': not a regular file")
            data = opened.read(4 * SIZE_CAP + 4)  # what is longer has too many characters as well
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotRead(f"cannot read '{file}': {(error.strerror or str(error)).lower()}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise DataFault(f"{file}:{line}: not UTF-8")
