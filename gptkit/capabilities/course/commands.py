"""Show courses on the command line (`--show`) and in the prompt loop (`/show`, `/due`, `/tries` ...)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.course import config, review
from gptkit.capabilities.course.config import required_subject
from gptkit.capabilities.course.model import due_cards
from gptkit.capabilities.course.review import (
    cards_due,
    due_text,
    nothing_due_text,
    selected_course,
    selected_courses,
)
from gptkit.capabilities.course.store import course_path, course_store
from gptkit.core.errors import UsageError
from gptkit.core.table import format_table
from gptkit.core.yaml_tree import spelling_hint
from gptkit.repl.commands import SlashCommand
from gptkit.session.options import SharedOptions

if TYPE_CHECKING:
    from gptkit.capabilities.course.model import Learner
    from gptkit.capabilities.course.store import CourseStore
    from gptkit.repl.commands import CommandContext
    from gptkit.repl.talk import Talk
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


LATEST = 5
"""Mistakes that are shown."""
BAR = 10  # characters


def show(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Run `--show`: print the named course, or the list of courses; returns the exit code."""
    learner = selected_course(services, template, values)
    if learner is None:
        return _list(services, template, values, bool(shared.json))
    store = course_store(services)
    if shared.json:
        services.terminal.print_sanitized(
            json.dumps(course_json(store, learner), ensure_ascii=False, indent=2)
        )
    else:
        services.terminal.print_sanitized("\n".join(overview(store, learner)))
    return 0


def overview(store: CourseStore, learner: Learner) -> Iterator[str]:
    """Yield the lines that show a course to a person."""
    about = ", ".join(word for word in (learner.level, learner.language) if word)
    yield learner.subject + (f" ({about})" if about else "")
    yield str(store.path(learner.subject))
    if learner.goals:
        yield "\ngoals"
        yield from (f"  {goal}" for goal in learner.goals)
    if learner.topics:
        yield "\ntopics"
        rows = [
            (_bar(topic.mastery), f"{topic.mastery:.0%}", str(topic.seen or ""), topic.name)
            for topic in sorted(learner.topics, key=lambda topic: topic.mastery)
        ]
        yield from (f"  {line}" for line in format_table(rows, aligned=True).split("\n"))
    if learner.mistakes:
        yield "\nlatest mistakes"
        for mistake in learner.mistakes[: -LATEST - 1 : -1]:
            topic = f"{mistake.topic}: " if mistake.topic else ""
            yield f"  {mistake.date}  {topic}'{mistake.said}': {mistake.wrong}"
    yield "\n" + reviews_line(store, learner)


def reviews_line(store: CourseStore, learner: Learner) -> str:
    """Return one line about the cards of a course: how many there are, and when they are due."""
    if not learner.cards:
        return "no reviews yet"
    waiting = len(due_cards(learner, store.now()))
    cards = f"{len(learner.cards)} card{'s' if len(learner.cards) > 1 else ''}"
    if waiting:
        return f"reviews: {cards}, {waiting} due now"
    return f"reviews: {cards}, the next one is due {due_text(store, min(card.due for card in learner.cards))}"


def course_json(store: CourseStore, learner: Learner) -> dict[str, object]:
    """Return a course as `--show --json` prints it."""
    return {
        "subject": learner.subject,
        "path": str(store.path(learner.subject)),
        "level": learner.level,
        "language": learner.language,
        "goals": list(learner.goals),
        "topics": [
            {"name": topic.name, "mastery": topic.mastery, "seen": topic.seen and str(topic.seen)}
            for topic in learner.topics
        ],
        "mistakes": [{**mistake._asdict(), "date": str(mistake.date)} for mistake in learner.mistakes],
        "cards": len(learner.cards),
        "due": len(due_cards(learner, store.now())),
    }


def _list(services: Services, template: Template, values: Mapping[str, Value], as_json: bool) -> int:
    store, terminal = course_store(services), services.terminal
    courses, code = selected_courses(services, template, values)
    if as_json:
        records = [course_json(store, learner) for learner in courses]
        terminal.print_sanitized(json.dumps(records, ensure_ascii=False, indent=2))
    elif courses:
        rows = [_row(store, learner) for learner in courses]
        terminal.print_sanitized(format_table(rows, aligned=terminal.stdout_is_terminal))
    elif not code:
        terminal.print_error_line(
            f"gptkit: there is no course yet; 'gptkit {template.name} SUBJECT' begins one"
        )
    return code


def _row(store: CourseStore, learner: Learner) -> tuple[str, ...]:
    topics = f"{len(learner.topics)} topic{'' if len(learner.topics) == 1 else 's'}"
    mastery = sum(topic.mastery for topic in learner.topics) / max(len(learner.topics), 1)
    return (
        learner.subject,
        topics,
        f"{mastery:.0%}",
        f"{len(due_cards(learner, store.now()))} due",
        str(store.path(learner.subject)),
    )


def _bar(mastery: float) -> str:
    full = round(mastery * BAR)
    return "#" * full + "." * (BAR - full)


def loop_commands(talk: Talk) -> tuple[SlashCommand, ...]:
    """Return the prompt loop's commands of a course; `/method` only if the file has an option for it."""
    result = [
        SlashCommand("show", "show the record of the course", _show),
        SlashCommand("due", "list the cards that are due for review", _due),
        SlashCommand("review", "review the cards that are due", _review),
        SlashCommand("tries", "show or set the attempts before a solution is shown", _tries, "[N]"),
    ]
    if any(parameter.variable == "method" for parameter in talk.template.options):
        result.append(SlashCommand("method", "show or change how you are taught", _method, "[NAME]"))
    return tuple(result)


def begin_loop(talk: Talk) -> None:
    """Greet the learner when the prompt loop opens; raises the errors of reading the course."""
    learner = _course(talk)
    terminal, store = talk.services.terminal, course_store(talk.services)
    about = f", {learner.level}" if learner.level else ""
    how = config.method(talk.template, talk.values)
    terminal.print_sanitized(f"{learner.subject}{about}{f' ({how})' if how else ''}")
    if store.path(learner.subject).exists():
        topics = sorted(learner.topics, key=lambda topic: topic.mastery)
        weakest = ", ".join(f"{topic.name} {topic.mastery:.0%}" for topic in topics[:3])
        terminal.print_sanitized(
            f"{reviews_line(store, learner)}{f'; to work on: {weakest}' if weakest else ''}"
        )
    elif not learner.topics:
        terminal.print_sanitized("a new course: say what you want to learn, and what you know")


def _show(context: CommandContext, _argument: str) -> None:
    context.show("\n".join(overview(course_store(context.talk.services), _course(context.talk))))


def _due(context: CommandContext, _argument: str) -> None:
    store, courses = course_store(context.talk.services), (_course(context.talk),)
    cards = cards_due(store, courses)
    context.show("\n".join(card.front for _, card in cards) if cards else nothing_due_text(store, courses))


def _review(context: CommandContext, _argument: str) -> None:
    from gptkit.core.signals import interruptible

    talk = context.talk
    with interruptible():
        review.review_due(talk.services, talk.template, talk.values, SharedOptions(model=talk.model))


def _tries(context: CommandContext, count: str) -> None:
    if count:
        if not count.isdecimal() or len(count) > 3:
            raise UsageError(f"'/tries': '{count}' is not a number of attempts")
        context.talk.set_option("tries", int(count))
    context.show(
        f"attempts before a solution is shown: {config.tries(context.talk.template, context.talk.values)}"
    )


def _method(context: CommandContext, name: str) -> None:
    talk = context.talk
    options = talk.template.options
    choices = next((option.choices for option in options if option.variable == "method"), ())
    if name:
        if choices and name not in choices:
            raise UsageError(f"no method '{name}'", hint=spelling_hint(name, choices))
        talk.set_option("method", name)
    context.show(f"method: {config.method(talk.template, talk.values)}")


def _course(talk: Talk) -> Learner:
    return course_store(talk.services).load(config.required_subject(talk.template, talk.values))


LONGEST = 45
"""Characters of the prompt's name in the name of a session."""


def session_name(template: Template, values: Mapping[str, Value]) -> str:
    """Return the session's name, made of the file's name, since a subject may hold signs that it cannot."""
    return f"{template.name[:LONGEST]}: {course_path(Path(), required_subject(template, values)).stem}"
