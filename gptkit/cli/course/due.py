"""`--due`: the reviews that wait, of one course or of all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.cli.columns import columns
from gptkit.cli.course.asked import moment, wanted
from gptkit.learning.schedule import due

if TYPE_CHECKING:
    from gptkit.cli.shared import SharedOptions
    from gptkit.learning.courses import Courses
    from gptkit.learning.model import Card, Learner
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value


def run(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    store, terminal = services.courses(), services.terminal
    courses, code = wanted(services, template, values)
    found = waiting(store, courses)
    if shared.json:
        records = [
            {"subject": one.subject, "front": card.front, "topic": card.topic, "due": card.due.isoformat()}
            for one, card in found
        ]
        terminal.show(json.dumps(records, ensure_ascii=False, indent=2))
    elif found:
        zone = store.now().tzinfo
        rows = [(str(card.due.astimezone(zone).date()), one.subject, card.front) for one, card in found]
        terminal.show(columns(rows, aligned=terminal.stdout_is_terminal))
    elif not shared.quiet:
        terminal.note(f"gptkit: {nothing(store, courses)}")
    return code


def waiting(store: Courses, courses: tuple[Learner, ...]) -> list[tuple[Learner, Card]]:
    """The cards that are due, those that have waited longest first."""
    now = store.now()
    found = [(learner, card) for learner in courses for card in due(learner, now)]
    return sorted(found, key=lambda pair: pair[1].due)


def nothing(store: Courses, courses: tuple[Learner, ...]) -> str:
    """What to say where nothing is due."""
    moments = [card.due for learner in courses for card in learner.cards]
    return (
        f"no review is due; the next one: {moment(store, min(moments))}"
        if moments
        else "there are no cards yet"
    )
