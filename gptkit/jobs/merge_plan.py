"""Which results are merged together: groups that fit into one request, in order, level by level."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

LEAST = 3
"""Results that are merged together however long they are: a level must leave fewer than it found."""
MIDDLE = 4
"""A border is looked for where at least one part in so many lies on either side of it."""
WORDS = 8
"""A result may have a word for every so many tokens of a part: then several fit into the next request."""


def groups(openings: Sequence[str], weights: Sequence[int], room: int) -> list[range]:
    """Runs of consecutive results that weigh at most `room` together, or are too few to be parted.

    Which border is taken depends on how the source behind it begins, and hardly on what was counted:
    where something changes, the other groups stay as they are, and what came of them can be used again.
    """
    names = [hashlib.sha256(opening.encode("utf-8", "replace")).digest() for opening in openings]
    return list(_parted(range(len(names)), names, weights, room))


def words(room: int) -> int:
    """How many a result may have."""
    return max(50, room // WORDS)


def longest(room: int) -> int:
    """How many tokens such a result has, about."""
    return words(room) * 4 // 3


def plan(tokens: Sequence[int], room: int, result: int) -> tuple[int, ...]:
    """How many requests each level takes for pieces of so many tokens, the last merge included, where a
    result has at most `result` tokens."""
    if len(tokens) < 2:
        return (len(tokens),)
    levels = [len(tokens)]
    weights = [_expected(count, result) for count in tokens]
    while not fits(weights, room):
        found = groups([str(number) for number in range(len(weights))], weights, room)
        levels.append(sum(len(group) > 1 for group in found))
        weights = [
            _expected(sum(weights[group.start : group.stop]), result) if len(group) > 1 else weights[group[0]]
            for group in found
        ]
    return (*levels, 1)


def fits(weights: Sequence[int], room: int) -> bool:
    """Whether the next merge is the last one."""
    return sum(weights) <= room or len(weights) <= LEAST


def _expected(tokens: int, result: int) -> int:
    return max(1, min(tokens, result))


def _parted(run: range, names: Sequence[bytes], weights: Sequence[int], room: int) -> Iterator[range]:
    total = sum(weights[run.start : run.stop])
    if total <= room or len(run) <= LEAST:
        yield run
        return
    cut = _border(run, names, weights, total)
    yield from _parted(range(run.start, cut), names, weights, room)
    yield from _parted(range(cut, run.stop), names, weights, room)


def _border(run: range, names: Sequence[bytes], weights: Sequence[int], total: int) -> int:
    """A border that leaves two texts on either side, as any of more than three can."""
    reached = weights[run.start]
    inside, nearest = [], (total, run.start + 2)
    for at in range(run.start + 2, run.stop - 1):
        reached += weights[at - 1]
        nearest = min(nearest, (abs(total - 2 * reached), at))
        if total <= MIDDLE * reached <= (MIDDLE - 1) * total:
            inside.append(at)
    return min(inside, key=lambda at: names[at]) if inside else nearest[1]
