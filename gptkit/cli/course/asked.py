"""What the modes of a course have in common: which course is meant, and when something is due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from gptkit.engine.learner import setting
from gptkit.errors import NoInput, UsageFault
from gptkit.templates.reader import nearest

if TYPE_CHECKING:
    from gptkit.learning.courses import Courses
    from gptkit.learning.model import Learner
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value

MODES = ("show", "due", "review", "export")


def course(services: Services, template: Template, values: Mapping[str, Value]) -> Learner | None:
    """The course that the command line names, None where it names none.

    Raises NoInput for one that was never begun: a mistyped subject must not look like an empty course.
    """
    refuse_two_modes(values)
    subject = setting.subject(template, values)
    if not subject.strip():
        return None
    store = services.courses()
    if not store.path(subject).exists():
        names = [each.subject for each in store.all()[0]]
        raise NoInput(f"there is no course '{subject}' yet", hint=_hint(subject, names, template))
    return store.load(subject)


def required_course(services: Services, template: Template, values: Mapping[str, Value]) -> Learner:
    found = course(services, template, values)
    if found is None:
        setting.required_subject(template, values)
        raise NoInput("there is no course")
    return found


def refuse_two_modes(values: Mapping[str, Value]) -> None:
    """Raises UsageFault."""
    chosen = [name for name in MODES if values.get(name)]
    if len(chosen) > 1:
        raise UsageFault(f"--{chosen[0]} and --{chosen[1]} do not go together")


def wanted(
    services: Services, template: Template, values: Mapping[str, Value]
) -> tuple[tuple[Learner, ...], int]:
    """The course that is named, or all of them, and the exit code: what is wrong with one is told."""
    found = course(services, template, values)
    if found is not None:
        return (found,), 0
    courses, broken = services.courses().all()
    for error in broken:
        services.terminal.report(error)
    return courses, max((error.code for error in broken), default=0)


def moment(store: Courses, when: datetime) -> str:
    """As people say it: `now`, an hour of today, or a day; in the user's time zone."""
    now = store.now()
    if when <= now:
        return "now"
    local = when.astimezone(now.tzinfo)
    return local.strftime("%H:%M") if local.date() == now.date() else str(local.date())


def _hint(subject: str, names: list[str], template: Template) -> str:
    if not names:
        return f"'gptkit {template.name} \"{subject}\"' begins it"
    hint = nearest(subject, names)
    return hint if hint.startswith("did") else f"'gptkit {template.name} --show' lists the courses"
