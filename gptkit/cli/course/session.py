"""The conversation that belongs to a course: it goes on each time, until another one is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.engine.learner.setting import required_subject
from gptkit.learning.files import path

if TYPE_CHECKING:
    from gptkit.templates.model import Template, Value

LONGEST = 45
"""Characters of the prompt's name, so that the whole is short enough for a session's."""


def name(template: Template, values: Mapping[str, Value]) -> str:
    """Named as the course's file is, since a subject may hold what a session's name cannot."""
    return f"{template.name[:LONGEST]}: {path(Path(), required_subject(template, values)).stem}"
