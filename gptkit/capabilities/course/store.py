"""The user's courses, of the services of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.learning.courses import Courses

if TYPE_CHECKING:
    from gptkit.services import Services


def course_store(services: Services, keeping: bool = True) -> Courses:
    """With `keeping` false nothing that is learned is kept."""
    return Courses(services.paths.data / "courses", services.terminal.clock, keeping)
