"""`--review`: one card after the other at a terminal, scheduled by how well each was remembered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.cli.course.asked import moment, wanted
from gptkit.cli.course.due import nothing, waiting
from gptkit.cli.exchange import Conversation
from gptkit.cli.record import Record, opening
from gptkit.engine.learner import recall, setting
from gptkit.engine.work import Invocation
from gptkit.errors import GptkitError, UsageFault
from gptkit.learning.model import with_card
from gptkit.learning.schedule import RATINGS, review
from gptkit.output.formats import FORMATS

if TYPE_CHECKING:
    from gptkit.cli.shared import SharedOptions
    from gptkit.learning.model import Card, Learner
    from gptkit.learning.schedule import Rating
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value

PROMPT = "> "
LEAVE = ("q", "quit", "/exit")
CHOICES = ", ".join(f"{number} {rating}" for number, rating in enumerate(RATINGS, 1))
HOW = "Type your answer; Enter alone shows it and lets you rate yourself; Ctrl-D leaves."


def run(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Every rating is kept at once: whoever leaves loses nothing. Raises UsageFault without a terminal."""
    terminal = services.terminal
    if not (terminal.stdin_is_terminal and terminal.stdout_is_terminal):
        hint = f"'gptkit {template.name} --due --json' lists them for programs"
        raise UsageFault("a review asks and listens: it needs a terminal", hint=hint)
    store = services.courses()
    courses, code = wanted(services, template, values)
    cards = waiting(store, courses)
    if not cards:
        terminal.note(f"gptkit: {nothing(store, courses)}")
        return code
    return max(code, _Round(services, template, shared).go_through(cards))


class _Round:
    def __init__(self, services: Services, template: Template, shared: SharedOptions) -> None:
        self._services = services
        self._terminal = services.terminal
        self._store = services.courses()
        self._conversation = Conversation(services, template, shared, lasting=True)
        self._template = template
        model = setting.of(template).check_model
        self._model = str(shared.model or model or self._conversation.model)
        self._rating_oneself = self._model == "echo"

    def go_through(self, cards: list[tuple[Learner, Card]]) -> int:
        self._show(HOW)
        done = 0
        for number, (learner, card) in enumerate(cards, 1):
            topic = f", {card.topic}" if card.topic else ""
            self._show(f"\n{number} of {len(cards)} ({learner.subject}{topic})\n{card.front}")
            said = self._line()
            rating = None if said is None or said in LEAVE else self._rating(card, said)
            if rating is None:
                break
            self._keep(learner, card, rating)
            done += 1
        self._show(f"\nreviewed {done} of {len(cards)}")
        return 0

    def _rating(self, card: Card, said: str) -> Rating | None:
        """None when the learner leaves."""
        if said and not self._rating_oneself:
            try:
                return self._rated(card, said)
            except GptkitError as error:
                self._terminal.report(error)
        self._show(card.back)
        return self._own_rating()

    def _rated(self, card: Card, said: str) -> Rating:
        """By the model; recorded as any other request."""
        conversation, services = self._conversation, self._services
        means = services.means(
            FORMATS["text"](None), self._model, conversation.budget, conversation.how.verbose
        )
        asked = recall.request(card, said, self._model)
        record = None
        if conversation.is_recorded:
            invocation = Invocation(self._template, self._model)
            session = conversation.session
            found = opening(
                services,
                invocation,
                asked,
                session.id if session else None,
                session.head if session else None,
            )
            record = Record(conversation, found, services.journal)
        if record is None:
            rated = recall.rated(asked, means)
        else:
            with record:
                rated = recall.rated(asked, means)
                record.finish(rated.outcome)
            turn = conversation.store.turn(record.turn) if record.turn is not None else None
            conversation.session = conversation.store.session(turn.session) if turn else conversation.session
        self._show(f"{rated.rating}: {rated.why}\n{card.back}")
        return next(each for each in RATINGS if each == rated.rating)

    def _own_rating(self) -> Rating | None:
        while True:
            self._show(f"How well did you know it? ({CHOICES})")
            said = self._line()
            if said is None or said in LEAVE:
                return None
            for number, rating in enumerate(RATINGS, 1):
                if said.lower() in (str(number), rating):
                    return rating

    def _keep(self, learner: Learner, card: Card, rating: Rating) -> None:
        """The card as it is on disk by now: another process may have reviewed it."""
        after = review(card, rating, self._store.now())
        self._store.changed(learner.subject, lambda found: with_card(found, after))
        self._show(f"next review: {moment(self._store, after.due)}")

    def _line(self) -> str | None:
        self._terminal.write(PROMPT)
        line = self._terminal.read_line()
        if line is None:
            self._terminal.write("\n")
        return line if line is None else line.strip()

    def _show(self, text: str) -> None:
        self._terminal.show(text)
