"""What the prompt loop and the command line show of a course."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.course import config, review
from gptkit.capabilities.course.config import required_subject
from gptkit.capabilities.course.model import due
from gptkit.capabilities.course.review import course, moment, nothing, waiting, wanted
from gptkit.capabilities.course.store import course_store, path
from gptkit.core.errors import UsageError
from gptkit.core.table import format_table
from gptkit.core.yaml_tree import spelling_hint
from gptkit.repl.commands import Command
from gptkit.session.options import SharedOptions

if TYPE_CHECKING:
    from gptkit.capabilities.course.model import Learner
    from gptkit.capabilities.course.store import Courses
    from gptkit.repl.commands import Desk
    from gptkit.repl.talk import Talk
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


LATEST = 5
"""Mistakes that are shown."""
BAR = 10


def show(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    found = course(services, template, values)
    if found is None:
        return _list(services, template, values, bool(shared.json))
    store = course_store(services)
    if shared.json:
        services.terminal.print_sanitized(json.dumps(as_record(store, found), ensure_ascii=False, indent=2))
    else:
        services.terminal.print_sanitized("\n".join(overview(store, found)))
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
        yield from (f"  {line}" for line in format_table(rows, aligned=True).split("\n"))
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
    store, terminal = course_store(services), services.terminal
    courses, code = wanted(services, template, values)
    if as_json:
        records = [as_record(store, each) for each in courses]
        terminal.print_sanitized(json.dumps(records, ensure_ascii=False, indent=2))
    elif courses:
        rows = [_row(store, each) for each in courses]
        terminal.print_sanitized(format_table(rows, aligned=terminal.stdout_is_terminal))
    elif not code:
        terminal.print_error_line(
            f"gptkit: there is no course yet; 'gptkit {template.name} SUBJECT' begins one"
        )
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


def commands(talk: Talk) -> tuple[Command, ...]:
    """Those of every course; the method only where the prompt file has an option for it."""
    found = [
        Command("show", "show what is known of the course", _show),
        Command("due", "list the reviews that are due", _due),
        Command("review", "go through the reviews that are due", _review),
        Command("tries", "show or set the attempts before a solution is shown", _tries, "[N]"),
    ]
    if any(one.variable == "method" for one in talk.template.options):
        found.append(Command("method", "show or change how you are taught", _method, "[NAME]"))
    return tuple(found)


def begin(talk: Talk) -> None:
    """Raises what is wrong with the course before anything is typed."""
    learner = _course(talk)
    terminal, store = talk.services.terminal, course_store(talk.services)
    about = f", {learner.level}" if learner.level else ""
    how = config.method(talk.template, talk.values)
    terminal.print_sanitized(
        f"{learner.subject}{about}{f' ({how})' if how else ''}; /help shows the commands"
    )
    if store.path(learner.subject).exists():
        topics = sorted(learner.topics, key=lambda topic: topic.mastery)
        weakest = ", ".join(f"{topic.name} {topic.mastery:.0%}" for topic in topics[:3])
        terminal.print_sanitized(f"{reviews(store, learner)}{f'; to work on: {weakest}' if weakest else ''}")
    elif not learner.topics:
        terminal.print_sanitized("a new course: say what you want to learn, and what you know")


def _show(desk: Desk, _argument: str) -> None:
    desk.show("\n".join(overview(course_store(desk.talk.services), _course(desk.talk))))


def _due(desk: Desk, _argument: str) -> None:
    store, courses = course_store(desk.talk.services), (_course(desk.talk),)
    found = waiting(store, courses)
    desk.show("\n".join(card.front for _, card in found) if found else nothing(store, courses))


def _review(desk: Desk, _argument: str) -> None:
    from gptkit.core.signals import interruptible

    talk = desk.talk
    with interruptible():
        review.review_due(talk.services, talk.template, talk.values, SharedOptions(model=talk.model))


def _tries(desk: Desk, count: str) -> None:
    if count:
        if not count.isdecimal() or len(count) > 3:
            raise UsageError(f"'/tries': '{count}' is not a number of attempts")
        desk.talk.choose("tries", int(count))
    desk.show(f"attempts before a solution is shown: {config.tries(desk.talk.template, desk.talk.values)}")


def _method(desk: Desk, name: str) -> None:
    talk = desk.talk
    choices = next((one.choices for one in talk.template.options if one.variable == "method"), ())
    if name:
        if choices and name not in choices:
            raise UsageError(f"no method '{name}'", hint=spelling_hint(name, choices))
        talk.choose("method", name)
    desk.show(f"method: {config.method(talk.template, talk.values)}")


def _course(talk: Talk) -> Learner:
    return course_store(talk.services).load(config.required_subject(talk.template, talk.values))


LONGEST = 45
"""Characters of the prompt's name, so that the whole is short enough for a session's."""


def session_name(template: Template, values: Mapping[str, Value]) -> str:
    """Named as the course's file is, since a subject may hold what a session's name cannot."""
    return f"{template.name[:LONGEST]}: {path(Path(), required_subject(template, values)).stem}"
