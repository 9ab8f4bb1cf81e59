"""A course at the prompt: where it stands at the beginning, and the commands it brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.cli.course import review
from gptkit.cli.course.due import nothing, waiting
from gptkit.cli.course.show import overview, reviews
from gptkit.cli.loop.commands import Command
from gptkit.cli.shared import SharedOptions
from gptkit.engine.learner import setting
from gptkit.errors import UsageFault
from gptkit.templates.reader import nearest

if TYPE_CHECKING:
    from gptkit.cli.loop.commands import Desk
    from gptkit.cli.talk import Talk
    from gptkit.learning.model import Learner


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
    terminal, store = talk.services.terminal, talk.services.courses()
    about = f", {learner.level}" if learner.level else ""
    how = setting.method(talk.template, talk.values)
    terminal.show(f"{learner.subject}{about}{f' ({how})' if how else ''}; /help shows the commands")
    if store.path(learner.subject).exists():
        topics = sorted(learner.topics, key=lambda topic: topic.mastery)
        weakest = ", ".join(f"{topic.name} {topic.mastery:.0%}" for topic in topics[:3])
        terminal.show(f"{reviews(store, learner)}{f'; to work on: {weakest}' if weakest else ''}")
    elif not learner.topics:
        terminal.show("a new course: say what you want to learn, and what you know")


def _show(desk: Desk, _argument: str) -> None:
    desk.show("\n".join(overview(desk.talk.services.courses(), _course(desk.talk))))


def _due(desk: Desk, _argument: str) -> None:
    store, courses = desk.talk.services.courses(), (_course(desk.talk),)
    found = waiting(store, courses)
    desk.show("\n".join(card.front for _, card in found) if found else nothing(store, courses))


def _review(desk: Desk, _argument: str) -> None:
    from gptkit.cli.signals import interruptible

    talk = desk.talk
    with interruptible():
        review.run(talk.services, talk.template, talk.values, SharedOptions(model=talk.model))


def _tries(desk: Desk, count: str) -> None:
    if count:
        if not count.isdecimal() or len(count) > 3:
            raise UsageFault(f"'/tries': '{count}' is not a number of attempts")
        desk.talk.choose("tries", int(count))
    desk.show(f"attempts before a solution is shown: {setting.tries(desk.talk.template, desk.talk.values)}")


def _method(desk: Desk, name: str) -> None:
    talk = desk.talk
    choices = next((one.choices for one in talk.template.options if one.variable == "method"), ())
    if name:
        if choices and name not in choices:
            raise UsageFault(f"no method '{name}'", hint=nearest(name, choices))
        talk.choose("method", name)
    desk.show(f"method: {setting.method(talk.template, talk.values)}")


def _course(talk: Talk) -> Learner:
    return talk.services.courses().load(setting.required_subject(talk.template, talk.values))
