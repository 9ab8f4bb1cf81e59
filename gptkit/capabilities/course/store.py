"""The user's courses, of the services of a run."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.course import file_format
from gptkit.capabilities.course import rubric as rubrics
from gptkit.capabilities.course.model import LINE, Learner, identity
from gptkit.capabilities.course.rubric import Criterion, Rubric
from gptkit.core.errors import CannotReadError, DataError, GptkitError, NoInputError, UsageError
from gptkit.core.files import cause, folder_lock, write_private
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.encodings.decode import decode

if TYPE_CHECKING:
    from gptkit.services import Services


LONGEST_NAME = 40
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9¹²³]")  # devices of Windows, whatever the suffix


def path(folder: Path, subject: str) -> Path:
    """Where a subject's file is; the name comes from the subject, and never leads out of the folder.

    Where letters, digits and hyphens do not say it all (`C++`, `C#`), a hash keeps subjects apart.
    """
    wanted = re.sub(r"[\s_-]+", "-", identity(subject)).strip("-")
    if not wanted:
        raise UsageError("a subject must have a letter or a digit" if subject.strip() else "no subject given")
    if len(subject) > LINE:
        raise UsageError(f"a subject has at most {LINE} characters")
    name = re.sub(r"[^\w-]|_", "", wanted)[:LONGEST_NAME].strip("-")
    if name != wanted or _RESERVED.fullmatch(name):
        digest = sha256(wanted.encode("utf-8", "replace")).hexdigest()[:8]
        name = f"{name}-{digest}".lstrip("-")
    return folder / f"{name}.yaml"


def load(folder: Path, subject: str) -> Learner:
    """The course, an empty one if there is none yet; raises YamlFileError by line for a bad edit."""
    file = path(folder, subject)
    content = _file_content(file)
    if content is None:
        return Learner(" ".join(subject.split()))
    found = file_format.learner(content, str(file))
    if path(folder, found.subject) != file:
        raise DataError(
            f"{file}: this is the course '{found.subject}', not '{subject}'",
            hint="rename the file or correct its subject",
        )
    return found


def save(folder: Path, learner: Learner) -> None:
    """Puts the course in place of what is there; who changes a course uses `changed`."""
    with folder_lock(folder):
        _write(folder, learner)


def changed(folder: Path, subject: str, change: Callable[[Learner], Learner]) -> Learner:
    """Applies a change to the course as it is on disk now: what others wrote meanwhile is not lost.

    A file that cannot be read is left as it is.
    """
    with folder_lock(folder):
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
        raise CannotReadError(f"cannot read '{folder}': {(error.strerror or str(error)).lower()}") from error
    for file in files:
        try:
            learner = file_format.learner(_file_content(file) or "", str(file))
            if (wanted := path(folder, learner.subject)) != file:
                raise DataError(
                    f"{file}: this is the course '{learner.subject}'",
                    hint=f"rename the file to '{wanted.name}' or correct its subject",
                )
            found.append(learner)
        except GptkitError as error:
            broken.append(error)
    return tuple(found), tuple(broken)


def _write(folder: Path, learner: Learner) -> None:
    content = file_format.course_yaml(learner)
    if len(content) > SIZE_CAP:
        raise DataError(
            f"the course '{learner.subject}' is larger than {SIZE_CAP >> 10} KiB",
            hint=f"remove reviews from '{path(folder, learner.subject)}'",
        )
    write_private(path(folder, learner.subject), content.encode())


def _file_content(file: Path) -> str | None:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # no waiting for a FIFO
    try:
        with os.fdopen(os.open(file, flags), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise CannotReadError(f"cannot read '{file}': not a regular file")
            data = opened.read(4 * SIZE_CAP + 4)  # what is longer has too many characters as well
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotReadError(f"cannot read '{file}': {(error.strerror or str(error)).lower()}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise DataError(f"{file}:{line}: not UTF-8")


class Courses:
    """`clock` gives Unix seconds; with `keeping` false nothing that is learned is kept."""

    def __init__(self, folder: Path, clock: Callable[[], float], keeping: bool = True) -> None:
        self.keeping = keeping
        self._folder = folder
        self._clock = clock
        self._rubrics: dict[tuple[str, bool], Rubric] = {}

    def path(self, subject: str) -> Path:
        return path(self._folder, subject)

    def load(self, subject: str) -> Learner:
        """The course, an empty one if there is none yet; raises YamlFileError by line for a bad edit."""
        return load(self._folder, subject)

    def changed(self, subject: str, change: Callable[[Learner], Learner]) -> Learner:
        return changed(self._folder, subject, change)

    def all(self) -> tuple[tuple[Learner, ...], tuple[GptkitError, ...]]:
        """All courses, and what is wrong with those that cannot be read."""
        return courses(self._folder)

    def now(self) -> datetime:
        """In the user's time zone."""
        return datetime.fromtimestamp(self._clock()).astimezone()

    def rubric(self, path: str, is_key: bool) -> Rubric:
        """What a file says of how answers are graded; `is_key`: a text in it is the right answer.

        It is read once: it may be a pipe.
        """
        found = self._rubrics.get((path, is_key))
        if found is None:
            text = decode(_content(Path(path)), f"'{path}'")
            found = rubrics.rubric(text, path)
            if is_key and not found.key:
                found = Rubric((Criterion("answer", rubrics.POINTS, "agrees with the key"),), text.strip())
            self._rubrics[path, is_key] = found
        return found


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NoInputError(f"'{path}': no such file") from None
    except IsADirectoryError:
        raise NoInputError(f"'{path}': it is a folder") from None
    except (OSError, ValueError) as error:
        raise CannotReadError(f"'{path}': {cause(error)}") from None


def course_store(services: Services, keeping: bool = True) -> Courses:
    """With `keeping` false nothing that is learned is kept."""
    return Courses(services.paths.data / "courses", services.terminal.unix_time, keeping)
