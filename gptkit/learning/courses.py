"""The courses of one user, as the engine and the commands ask for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from gptkit.core.errors import CannotRead, GptkitError, NoInput
from gptkit.core.files import cause
from gptkit.documents.decode import decode
from gptkit.learning import files, rubrics
from gptkit.learning.grading import Criterion, Rubric
from gptkit.learning.model import Learner


class Courses:
    """`clock` gives Unix seconds; with `keeping` false nothing that is learned is kept."""

    def __init__(self, folder: Path, clock: Callable[[], float], keeping: bool = True) -> None:
        self.keeping = keeping
        self._folder = folder
        self._clock = clock
        self._rubrics: dict[tuple[str, bool], Rubric] = {}

    def path(self, subject: str) -> Path:
        return files.path(self._folder, subject)

    def load(self, subject: str) -> Learner:
        """The course, an empty one if there is none yet; raises BrokenPrompt by line for a bad edit."""
        return files.load(self._folder, subject)

    def changed(self, subject: str, change: Callable[[Learner], Learner]) -> Learner:
        return files.changed(self._folder, subject, change)

    def all(self) -> tuple[tuple[Learner, ...], tuple[GptkitError, ...]]:
        """All courses, and what is wrong with those that cannot be read."""
        return files.courses(self._folder)

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
        raise NoInput(f"'{path}': no such file") from None
    except IsADirectoryError:
        raise NoInput(f"'{path}': it is a folder") from None
    except (OSError, ValueError) as error:
        raise CannotRead(f"'{path}': {cause(error)}") from None
