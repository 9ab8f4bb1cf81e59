"""The values of a course: a learner's topics, mistakes and flash cards, and when each card is due."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from datetime import date, datetime


Stage = Literal["learning", "review", "relearning"]
STAGES: tuple[Stage, ...] = get_args(Stage)

MAX_GOALS, MAX_TOPICS, MAX_MISTAKES, MAX_CARDS = 20, 300, 200, 2000
"""Entries of each kind that a course holds; with the lengths below its file stays readable."""
NAME_LENGTH, LINE_LENGTH, TEXT_LENGTH = 80, 300, 1000
"""Characters of a name; of a goal or a quote; of a text such as the back of a card."""
SIZE_LIMIT = 700_000
"""Characters of all texts of a course together."""
LONGEST_STABILITY = 36_500.0
"""Days: FSRS schedules no further than a hundred years ahead."""


class Topic(NamedTuple):
    name: str
    mastery: float = 0.0  # from 0 (new) to 1 (mastered)
    seen: date | None = None  # the day of the last lesson about the topic


class Mistake(NamedTuple):
    date: date
    topic: str
    said: str  # what the learner wrote, word for word
    wrong: str  # what is wrong with that


class MemoryState(NamedTuple):
    """How well a reviewed card is remembered, as the scheduler FSRS describes it."""

    stage: Stage
    step: int | None  # within the stages of learning
    stability: float  # days
    difficulty: float  # from 1 to 10
    reviewed: datetime


class Flashcard(NamedTuple):
    """A question that is asked again at growing intervals."""

    front: str
    back: str
    due: datetime  # UTC
    topic: str = ""
    memory: MemoryState | None = None  # None before the first review


class Learner(NamedTuple):
    """One learner in one subject: the whole content of a course."""

    subject: str
    level: str = ""  # in the learner's own words
    language: str = ""  # in the learner's own words
    goals: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    cards: tuple[Flashcard, ...] = ()


def normalize_name(name: str) -> str:
    """Return the form in which names are compared: case, width and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def replace_card(learner: Learner, card: Flashcard) -> Learner:
    """Replace the card that has the same front; a course without such a card stays as it is."""
    front = normalize_name(card.front)
    cards = (card if normalize_name(known.front) == front else known for known in learner.cards)
    return learner._replace(cards=tuple(cards))


def estimated_size(learner: Learner) -> int:
    """Estimate the characters that a course takes on disk."""
    texts = [*learner.goals, *(topic.name for topic in learner.topics)]
    texts += [text for mistake in learner.mistakes for text in (mistake.topic, mistake.said, mistake.wrong)]
    texts += [text for card in learner.cards for text in (card.front, card.back, card.topic)]
    return sum(len(text) + 8 * text.count("\n") + 60 for text in texts)


Rating = Literal["again", "hard", "good", "easy"]
RATINGS: tuple[Rating, ...] = get_args(Rating)


def due_cards(learner: Learner, now: datetime) -> tuple[Flashcard, ...]:
    """Return the cards that are due, the one that has waited longest first."""
    return tuple(sorted((card for card in learner.cards if card.due <= now), key=lambda card: card.due))


def review_card(card: Flashcard, rating: Rating, now: datetime, fuzzy: bool = True) -> Flashcard:
    """Return the card after a review: with a new memory and the time of the next review.

    `fuzzy` varies intervals of some days by chance, so that cards learned together do not stay together;
    without it equal reviews have equal results.
    """
    import fsrs

    moment = now.astimezone(UTC).replace(microsecond=0)
    memory = card.memory
    before = fsrs.Card(card_id=0, due=card.due)  # without an id the library sleeps a millisecond to make one
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
        memory=MemoryState(
            stage=STAGES[after.state - 1],
            step=after.step,
            stability=min(max(round(after.stability, 4), 0.001), LONGEST_STABILITY),
            difficulty=round(after.difficulty, 4),
            reviewed=moment,
        ),
    )
