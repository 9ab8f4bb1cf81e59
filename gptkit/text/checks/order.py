"""What stands in another place than in the source: placeholders, marks, whole texts of a document of many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import log

from gptkit.text.checks.language import weight
from gptkit.text.pieces import MARK, Finding

DIRECTIVE = re.compile(
    r"%[-+#0 ]*(?:[0-9]+|\*)?(?:\.(?:[0-9]+|\*))?(?:hh?|ll?|[Lzjtq])?[sdiufFeEgGxXoc@]|\{\}"
)
"""Placeholders that take their values by their order."""
SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s|$)|[。！？｡]+[”’」』）]*|\n+|[؟۔।]")
ALIKE = 3
"""Texts with one answer from which that is no chance."""
SHIFT, SWAP, LONGEST = 2.5, 2.5, 200
"""How much better texts must fit the answers of their neighbours; most texts that are compared."""
TELLING = re.compile(r"⟦[0-9]+⟧|[0-9]+|[?？؟]|[!！]")
QUESTION = str.maketrans("？؟！", "??!")


def displaced_marks(text: str, answer: str) -> list[int]:
    """Return the marks that stand in another sentence, line or cell than in the text."""
    if len(MARK.findall(text)) < 2:
        return []
    before, after = ([MARK.findall(part) for part in _sentence_parts(whole)] for whole in (text, answer))
    if len(before) != len(after):
        return []
    moved = (set(was) - set(became) for was, became in zip(before, after, strict=True))
    there = set(MARK.findall(answer))
    return [int(number) for numbers in moved for number in sorted(numbers & there)]


def _sentence_parts(text: str) -> list[str]:
    return [part for part in SENTENCE_END.split(text.replace("|", "\n")) if part.strip()]


def reordered_directives(text: str, answer: str, masks: Sequence[str]) -> str | None:
    """Return the placeholders that take their values by order, if their order in the answer is another."""
    before, after = (
        [masks[int(number)] for number in MARK.findall(whole) if int(number) < len(masks)]
        for whole in (text, answer)
    )
    was, became = ([mask for mask in marks if DIRECTIVE.fullmatch(mask)] for marks in (before, after))
    return " ".join(was) if was != became and Counter(was) == Counter(became) else None


def unit_order_findings(
    units: Mapping[int, str], answers: Mapping[int, str], lines: Mapping[int, int]
) -> Iterator[Finding]:
    """Yield texts that have the answer of another text; the keys are their numbers."""
    numbers = [number for number in sorted(units) if answers.get(number)][:LONGEST]
    if alike := _same_answers(units, answers, numbers):
        yield Finding(lines[alike[0]], "order", f"{len(alike)} texts have one answer: {_join_numbers(alike)}")
        return
    pairs = [
        [_fit_score(units[number], answers[neighbour]) for neighbour in _neighbours(numbers, index)]
        for index, number in enumerate(numbers)
    ]
    for index in range(len(numbers) - 1):
        gain = pairs[index][2] + pairs[index + 1][0] - pairs[index][1] - pairs[index + 1][1]
        if gain >= SWAP and min(pairs[index][2], pairs[index + 1][0]) > max(
            pairs[index][1], pairs[index + 1][1]
        ):
            both = numbers[index : index + 2]
            yield Finding(lines[both[0]], "order", f"texts {_join_numbers(both)} have each other's answers")
            return
    for side, what in ((2, "next"), (0, "previous")):
        if start := _shift_start(pairs, side):
            number = numbers[start - 1]
            yield Finding(lines[number], "order", f"from text {number} on each has the answer of the {what}")
            return


def _same_answers(units: Mapping[int, str], answers: Mapping[int, str], numbers: Sequence[int]) -> list[int]:
    by_answer: dict[str, dict[str, int]] = {}
    for number in numbers:
        by_answer.setdefault(answers[number].strip(), {}).setdefault(units[number].strip().lower(), number)
    for answer, sources in by_answer.items():
        least = ALIKE if weight(answer) >= 20 else max(ALIKE, 2 * len(numbers) // 3)
        if len(sources) >= least:
            return list(sources.values())
    return []


def _neighbours(numbers: Sequence[int], index: int) -> list[int]:
    """Return the number before `at`, the one there and the one behind; at a border the one there instead."""
    return [numbers[max(0, index - 1)], numbers[index], numbers[min(len(numbers) - 1, index + 1)]]


def _fit_score(text: str, answer: str) -> float:
    """Return how well an answer fits a text, by what is the same in all languages and by length."""
    was, became = (Counter(TELLING.findall(whole.translate(QUESTION))) for whole in (text, answer))
    shared = (was & became).total()
    difference = abs(log((weight(text) + 4) / (weight(answer) + 4)))
    return 2 * shared - ((was - became) + (became - was)).total() - min(difference, 1.5)


def _shift_start(pairs: Sequence[Sequence[float]], side: int) -> int:
    """Return 1 + the index from which at least three texts fit the answers at `side` better, or 0."""
    best = total = 0.0
    start = best_start = 0
    for index, fits in enumerate(pairs):
        gain = fits[side] - fits[1]
        if total <= 0:
            total, start = 0.0, index
        total += gain
        if total > best and index - start >= 2:
            best, best_start = total, start + 1
    return best_start if best >= SHIFT else 0


def _join_numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
