"""Read and change the files of the user's courses, one YAML file for each subject."""

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
from gptkit.capabilities.course.model import LINE_LENGTH, Learner, normalize_name
from gptkit.capabilities.course.rubric import Criterion, Rubric
from gptkit.core.errors import CannotReadError, DataError, GptkitError, UsageError
from gptkit.core.files import cause, folder_lock, naming_errors, write_private
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.encodings.decode import decode

if TYPE_CHECKING:
    from gptkit.services import Services


LONGEST_NAME = 40
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9¹²³]")  # devices of Windows, with any suffix


def course_path(folder: Path, subject: str) -> Path:
    """Return the path of a subject's file, whose name comes from the subject but never leaves the folder.

    A hash tells subjects apart that differ in other signs than letters, digits and hyphens (`C++`, `C#`).
    """
    slug = re.sub(r"[\s_-]+", "-", normalize_name(subject)).strip("-")
    if not slug:
        raise UsageError("a subject must have a letter or a digit" if subject.strip() else "no subject given")
    if len(subject) > LINE_LENGTH:
        raise UsageError(f"a subject has at most {LINE_LENGTH} characters")
    name = re.sub(r"[^\w-]|_", "", slug)[:LONGEST_NAME].strip("-")
    if name != slug or _RESERVED.fullmatch(name):
        digest = sha256(slug.encode("utf-8", "replace")).hexdigest()[:8]
        name = f"{name}-{digest}".lstrip("-")
    return folder / f"{name}.yaml"


def load_course(folder: Path, subject: str) -> Learner:
    """Read a course; an empty one if there is no file yet. Raises YamlFileError for a bad edit."""
    file = course_path(folder, subject)
    content = _file_content(file)
    if content is None:
        return Learner(" ".join(subject.split()))
    learner = file_format.parse_course(content, str(file))
    if course_path(folder, learner.subject) != file:
        raise DataError(
            f"{file}: this is the course '{learner.subject}', not '{subject}'",
            hint="rename the file or correct its subject",
        )
    return learner


def change_course(
    folder: Path, subject: str, change: Callable[[Learner], Learner], creates: bool = False
) -> Learner:
    """Apply a change to a course as it is on disk now, under a lock, and return the course.

    A file that cannot be read is left as it is. With `creates` a course without a file gets one even if
    nothing changes.
    """
    with folder_lock(folder):
        before = load_course(folder, subject)
        after = change(before)
        if after != before or (creates and not course_path(folder, subject).exists()):
            _write(folder, after)
    return after


def load_courses(folder: Path) -> tuple[tuple[Learner, ...], tuple[GptkitError, ...]]:
    """Read all courses in the order of their file names; and the errors of those that cannot be read."""
    readable: list[Learner] = []
    broken: list[GptkitError] = []
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".yaml" and file.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return (), ()
    except OSError as error:
        raise CannotReadError(f"cannot read '{folder}': {cause(error)}") from error
    for file in files:
        try:
            learner = file_format.parse_course(_file_content(file) or "", str(file))
            if (expected := course_path(folder, learner.subject)) != file:
                raise DataError(
                    f"{file}: this is the course '{learner.subject}'",
                    hint=f"rename the file to '{expected.name}' or correct its subject",
                )
            readable.append(learner)
        except GptkitError as error:
            broken.append(error)
    return tuple(readable), tuple(broken)


def _write(folder: Path, learner: Learner) -> None:
    content = file_format.course_yaml(learner)
    if len(content) > SIZE_CAP:
        raise DataError(
            f"the course '{learner.subject}' is larger than {SIZE_CAP >> 10} KiB",
            hint=f"remove reviews from '{course_path(folder, learner.subject)}'",
        )
    write_private(course_path(folder, learner.subject), content.encode())


def _file_content(file: Path) -> str | None:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # do not wait for a FIFO
    try:
        with os.fdopen(os.open(file, flags), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise CannotReadError(f"cannot read '{file}': not a regular file")
            data = opened.read(4 * SIZE_CAP + 4)  # more bytes would be more than SIZE_CAP characters
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotReadError(f"cannot read '{file}': {cause(error)}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise DataError(f"{file}:{line}: not UTF-8")


class CourseStore:
    """The courses of the user, and the rubrics of one run.

    `clock` returns Unix seconds. Without `records_lessons` lessons do not update the courses.
    """

    def __init__(self, folder: Path, clock: Callable[[], float], records_lessons: bool = True) -> None:
        self.records_lessons = records_lessons
        self._folder = folder
        self._clock = clock
        self._rubrics: dict[tuple[str, bool], Rubric] = {}

    def path(self, subject: str) -> Path:
        return course_path(self._folder, subject)

    def load(self, subject: str) -> Learner:
        """Read a course; see `load_course`."""
        return load_course(self._folder, subject)

    def change(self, subject: str, change: Callable[[Learner], Learner]) -> Learner:
        """Change a course on disk; see `change_course`."""
        return change_course(self._folder, subject, change)

    def create(self, subject: str) -> None:
        """Write the file of a course that has none yet."""
        change_course(self._folder, subject, lambda learner: learner, creates=True)

    def load_all(self) -> tuple[tuple[Learner, ...], tuple[GptkitError, ...]]:
        """Read all courses; and the errors of those that cannot be read."""
        return load_courses(self._folder)

    def now(self) -> datetime:
        """Return the time, in the user's time zone."""
        return datetime.fromtimestamp(self._clock()).astimezone()

    def read_rubric(self, path: str, is_key: bool) -> Rubric:
        """Read a rubric; with `is_key` the file is the right answer.

        Each file is read only once, since it may be a pipe.
        """
        rubric = self._rubrics.get((path, is_key))
        if rubric is None:
            with naming_errors(f"'{path}'"):
                data = Path(path).read_bytes()
            text = decode(data, f"'{path}'")
            rubric = rubrics.parse_rubric(text, path)
            if is_key and not rubric.key:
                rubric = Rubric((Criterion("answer", rubrics.POINTS, "agrees with the key"),), text.strip())
            self._rubrics[path, is_key] = rubric
        return rubric


def course_store(services: Services, records_lessons: bool = True) -> CourseStore:
    """Return the store of a run; without `records_lessons` lessons do not update the courses."""
    return CourseStore(services.paths.data / "courses", services.terminal.unix_time, records_lessons)
