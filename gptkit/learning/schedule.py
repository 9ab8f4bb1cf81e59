"""When cards come back: FSRS, by the library of its authors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, get_args

from gptkit.learning.model import LONGEST_STABILITY, STAGES, Card, Learner, Memory

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
