"""`--show`: what is known of the learner in one course, or a list of the courses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gptkit.cli.columns import columns
from gptkit.cli.course.asked import course, moment, wanted
from gptkit.learning.schedule import due

if TYPE_CHECKING:
    from gptkit.cli.shared import SharedOptions
    from gptkit.learning.courses import Courses
    from gptkit.learning.model import Learner
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value

LATEST = 5
"""Mistakes that are shown."""
BAR = 10


def run(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    found = course(services, template, values)
    if found is None:
        return _list(services, template, values, bool(shared.json))
    store = services.courses()
    if shared.json:
        services.terminal.show(json.dumps(as_record(store, found), ensure_ascii=False, indent=2))
    else:
        services.terminal.show("\n".join(overview(store, found)))
    return 0


def overview(store: Courses, learner: Learner) -> Iterator[str]:
    """The lines that tell a person where a course stands."""
    about = ", ".join(word for word in (learner.level, learner.language) if word)
    yield learner.subject + (f" ({about})" if about else "")
    yield str(store.path(learner.subject))
    if learner.goals:
        yield "\ngoals"
        yield from (f"  {goal}" for goal in learner.goals)
    if learner.topics:
        yield "\ntopics"
        rows = [
            (_bar(each.mastery), f"{each.mastery:.0%}", str(each.seen or ""), each.name)
            for each in sorted(learner.topics, key=lambda topic: topic.mastery)
        ]
        yield from (f"  {line}" for line in columns(rows, aligned=True).split("\n"))
    if learner.mistakes:
        yield "\nlatest mistakes"
        for mistake in learner.mistakes[: -LATEST - 1 : -1]:
            topic = f"{mistake.topic}: " if mistake.topic else ""
            yield f"  {mistake.date}  {topic}'{mistake.said}': {mistake.wrong}"
    yield "\n" + reviews(store, learner)


def reviews(store: Courses, learner: Learner) -> str:
    """One line: how many cards there are, and when they are due."""
    if not learner.cards:
        return "no reviews yet"
    waiting = len(due(learner, store.now()))
    cards = f"{len(learner.cards)} card{'s' if len(learner.cards) > 1 else ''}"
    if waiting:
        return f"reviews: {cards}, {waiting} due now"
    return f"reviews: {cards}, the next one is due {moment(store, min(card.due for card in learner.cards))}"


def as_record(store: Courses, learner: Learner) -> dict[str, object]:
    """The whole course as JSON has it."""
    return {
        "subject": learner.subject,
        "path": str(store.path(learner.subject)),
        "level": learner.level,
        "language": learner.language,
        "goals": list(learner.goals),
        "topics": [
            {"name": each.name, "mastery": each.mastery, "seen": each.seen and str(each.seen)}
            for each in learner.topics
        ],
        "mistakes": [{**each._asdict(), "date": str(each.date)} for each in learner.mistakes],
        "cards": len(learner.cards),
        "due": len(due(learner, store.now())),
    }


def _list(services: Services, template: Template, values: Mapping[str, Value], as_json: bool) -> int:
    store, terminal = services.courses(), services.terminal
    courses, code = wanted(services, template, values)
    if as_json:
        records = [as_record(store, each) for each in courses]
        terminal.show(json.dumps(records, ensure_ascii=False, indent=2))
    elif courses:
        rows = [_row(store, each) for each in courses]
        terminal.show(columns(rows, aligned=terminal.stdout_is_terminal))
    elif not code:
        terminal.note(f"gptkit: there is no course yet; 'gptkit {template.name} SUBJECT' begins one")
    return code


def _row(store: Courses, learner: Learner) -> tuple[str, ...]:
    topics = f"{len(learner.topics)} topic{'' if len(learner.topics) == 1 else 's'}"
    mastery = sum(topic.mastery for topic in learner.topics) / max(len(learner.topics), 1)
    return (
        learner.subject,
        topics,
        f"{mastery:.0%}",
        f"{len(due(learner, store.now()))} due",
        str(store.path(learner.subject)),
    )


def _bar(mastery: float) -> str:
    full = round(mastery * BAR)
    return "#" * full + "." * (BAR - full)
