"""What is known of one learner in one subject, as values."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from datetime import date, datetime


Stage = Literal["learning", "review", "relearning"]
STAGES: tuple[Stage, ...] = get_args(Stage)

GOALS, TOPICS, MISTAKES, CARDS = 20, 300, 200, 2000
"""How many of each a course holds; with the lengths below its file stays within what is read again."""
WORD, LINE, TEXT = 80, 300, 1000
"""Characters of a name, of a goal or a quote, and of a text such as the back of a card."""
WEIGHT = 700_000
"""Characters of all texts together."""
LONGEST_STABILITY = 36_500.0
"""Days: FSRS schedules no further than a hundred years ahead."""


class Topic(NamedTuple):
    """`mastery` goes from 0 (new) to 1 (mastered)."""

    name: str
    mastery: float = 0.0
    seen: date | None = None


class Mistake(NamedTuple):
    """`said` is what the learner wrote, word for word; `wrong` says what is wrong with it."""

    date: date
    topic: str
    said: str
    wrong: str


class Memory(NamedTuple):
    """What FSRS knows of a card that was reviewed: `stability` in days, `difficulty` from 1 to 10."""

    stage: Stage
    step: int | None
    stability: float
    difficulty: float
    reviewed: datetime


class Card(NamedTuple):
    """A question to come back to. `due` is in UTC; a card without memory was never reviewed."""

    front: str
    back: str
    due: datetime
    topic: str = ""
    memory: Memory | None = None


class Learner(NamedTuple):
    """One course. `level` and `language` are the learner's own words for them, or empty."""

    subject: str
    level: str = ""
    language: str = ""
    goals: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    cards: tuple[Card, ...] = ()


def identity(name: str) -> str:
    """Two names with the same identity mean the same: case, width and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def with_card(learner: Learner, card: Card) -> Learner:
    """The card takes the place of the one with the same front; one that is there no more stays away."""
    return learner._replace(
        cards=tuple(card if identity(each.front) == identity(card.front) else each for each in learner.cards)
    )


def weight(learner: Learner) -> int:
    """About how many characters the course takes on disk."""
    texts = [*learner.goals, *(topic.name for topic in learner.topics)]
    texts += [text for mistake in learner.mistakes for text in (mistake.topic, mistake.said, mistake.wrong)]
    texts += [text for card in learner.cards for text in (card.front, card.back, card.topic)]
    return sum(len(text) + 8 * text.count("\n") + 60 for text in texts)


Rating = Literal["again", "hard", "good", "easy"]
RATINGS: tuple[Rating, ...] = get_args(Rating)


def due(learner: Learner, now: datetime) -> tuple[Card, ...]:
    """The cards to review by now, those that have waited longest first."""
    return tuple(sorted((card for card in learner.cards if card.due <= now), key=lambda card: card.due))


def review(card: Card, rating: Rating, now: datetime, fuzzy: bool = True) -> Card:
    """The card as it is after a review.

    `fuzzy` moves intervals of some days by chance, so that cards learned together do not stay
    together for ever; without it the same review has the same result.
    """
    import fsrs

    moment = now.astimezone(UTC).replace(microsecond=0)
    memory = card.memory
    before = fsrs.Card(card_id=0, due=card.due)  # an id of its own would cost a millisecond of sleep
    if memory:
        before = fsrs.Card(
            card_id=0,
            state=fsrs.State(STAGES.index(memory.stage) + 1),
            step=memory.step,
            stability=memory.stability,
            difficulty=memory.difficulty,
            due=card.due,
            last_review=memory.reviewed,
        )
    scheduler = fsrs.Scheduler(enable_fuzzing=fuzzy)
    after, _ = scheduler.review_card(before, fsrs.Rating(RATINGS.index(rating) + 1), moment)
    assert after.stability is not None and after.difficulty is not None  # noqa: S101 - of a reviewed card
    return card._replace(
        due=after.due.replace(microsecond=0),
        memory=Memory(
            stage=STAGES[after.state - 1],
            step=after.step,
            stability=min(max(round(after.stability, 4), 0.001), LONGEST_STABILITY),
            difficulty=round(after.difficulty, 4),
            reviewed=moment,
        ),
    )
