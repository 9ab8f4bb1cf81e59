"""The order of passages for a question: BM25, then the words of the best passages count too.

BM25 with the idf of Lucene (Robertson and Zaragoza 2009); feedback by the model Bo1 (Amati 2003, Probability
models for information retrieval based on divergence from randomness).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

K1 = 1.2
B = 0.75
HEADING = 2
"""How often a word of the heading counts."""
FEEDBACK_PASSAGES = 3
FEEDBACK_WORDS = 20
FEEDBACK_WEIGHT = 0.5
"""Weight of the best word of feedback against a word of the question."""
PINNED = 2
"""Passages that stay first whatever feedback says: it ruins questions with a single right passage."""

Frequency = Callable[[Iterable[str]], Mapping[str, int]]
"""Returns in how many passages each word stands; a word in none may be left out."""


class Bag(NamedTuple):
    """The words of a passage with their counts, those of its heading counted HEADING times."""

    counts: Mapping[str, int]
    length: int


class Totals(NamedTuple):
    """Of all passages that are searched: how many, and the sum of their lengths."""

    passages: int
    length: int


def bag(heading: Sequence[str], text: Sequence[str]) -> Bag:
    counts = Counter(text)
    for word in heading:
        counts[word] += HEADING
    return Bag(counts, len(text) + HEADING * len(heading))


def ranked(
    question: Mapping[str, float], candidates: Sequence[Bag], frequency: Frequency, totals: Totals
) -> list[tuple[int, float]]:
    """Return the indexes of candidates and their scores, the best first.

    `question` maps words to weights. Candidates with equal scores keep their order.
    """
    known = dict(frequency(question))
    first = _order(_scores(question, candidates, known, totals))
    best = [candidates[index] for index, _ in first[:FEEDBACK_PASSAGES]]
    known |= frequency({word for one in best for word in one.counts} - known.keys())
    wider = _with_feedback(question, best, known, totals)
    second = _order(_scores(wider, candidates, known, totals))
    pinned = {index for index, _ in first[:PINNED]}
    scores = dict(second)
    return [(index, scores[index]) for index, _ in first[:PINNED]] + [
        one for one in second if one[0] not in pinned
    ]


def _scores(
    question: Mapping[str, float], candidates: Sequence[Bag], known: Mapping[str, int], totals: Totals
) -> list[float]:
    average = totals.length / max(1, totals.passages) or 1.0
    weights = {word: weight * _idf(known.get(word, 0), totals.passages) for word, weight in question.items()}
    return [
        sum(
            weight * (K1 + 1) * count / (count + K1 * (1 - B + B * length / average))
            for word, weight in weights.items()
            if (count := counts.get(word))
        )
        for counts, length in candidates
    ]


def _idf(frequency: int, passages: int) -> float:
    frequency = min(frequency, passages)
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def _with_feedback(
    question: Mapping[str, float], best: Sequence[Bag], known: Mapping[str, int], totals: Totals
) -> Mapping[str, float]:
    """Add the words that are far more frequent in the best passages than in all passages."""
    together: Counter[str] = Counter()
    for one in best:
        together.update(one.counts)
    gains = {
        word: count * math.log2((1 + share) / share) + math.log2(1 + share)
        for word, count in together.items()
        for share in [max(1, known.get(word, 1)) / max(1, totals.passages)]
    }
    chosen = sorted(gains.items(), key=lambda one: (-one[1], one[0]))[:FEEDBACK_WORDS]
    if not chosen:
        return question
    wider = dict(question)
    for word, gain in chosen:
        wider[word] = wider.get(word, 0.0) + FEEDBACK_WEIGHT * gain / chosen[0][1]
    return wider


def _order(scores: Sequence[float]) -> list[tuple[int, float]]:
    return sorted(enumerate(scores), key=lambda one: -one[1])
