"""A book and the prompt that works on it."""

from __future__ import annotations

import random


def book(paragraphs: int, words: int = 30) -> str:
    chance = random.Random(7)
    vocabulary = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()  # noqa: SIM905
    parts = []
    for number in range(paragraphs):
        if number % 9 == 0:
            parts.append(f"## Part {number}\n")
        parts.append(" ".join(chance.choices(vocabulary, k=words)) + f" m{number}m.\n")
    return "\n".join(parts)
