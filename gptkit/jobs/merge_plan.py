"""Decide which results are merged together: consecutive ones that fit into one request, level by level."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

SMALLEST_GROUP = 3
"""Results that are merged together however long they are, so that every level leaves fewer results."""
OUTER_PART = 4
"""A border between groups has at least one in this many parts of the tokens on either side."""
TOKENS_PER_WORD = 8
"""Tokens of a part for each word that its result may have, so that several results fit into a request."""


def group_results(openings: Sequence[str], weights: Sequence[int], token_limit: int) -> list[range]:
    """Group consecutive results; each group has at most `token_limit` tokens or SMALLEST_GROUP results.

    Borders depend on how the source behind them begins, and hardly on counts. So a change of the source
    leaves most groups as they are, and their merges are found in the memory.
    """
    names = [hashlib.sha256(opening.encode("utf-8", "replace")).digest() for opening in openings]
    return list(_split(range(len(names)), names, weights, token_limit))


def word_limit(token_limit: int) -> int:
    """Return how many words a result may have."""
    return max(50, token_limit // TOKENS_PER_WORD)


def result_token_limit(token_limit: int) -> int:
    """Return about how many tokens a result of `word_limit` words has."""
    return word_limit(token_limit) * 4 // 3


def requests_by_level(tokens: Sequence[int], token_limit: int, result_limit: int) -> tuple[int, ...]:
    """Return the number of requests of each level, the last merge included.

    `tokens` are those of the pieces; a result has at most `result_limit` tokens.
    """
    if len(tokens) < 2:
        return (len(tokens),)
    levels = [len(tokens)]
    weights = [_expected_tokens(count, result_limit) for count in tokens]
    while not fits_last_merge(weights, token_limit):
        groups = group_results([str(number) for number in range(len(weights))], weights, token_limit)
        levels.append(sum(len(group) > 1 for group in groups))
        weights = [
            _expected_tokens(sum(weights[group.start : group.stop]), result_limit)
            if len(group) > 1
            else weights[group[0]]
            for group in groups
        ]
    return (*levels, 1)


def fits_last_merge(weights: Sequence[int], token_limit: int) -> bool:
    """Whether the next merge is the last one."""
    return sum(weights) <= token_limit or len(weights) <= SMALLEST_GROUP


def _expected_tokens(tokens: int, result_limit: int) -> int:
    return max(1, min(tokens, result_limit))


def _split(run: range, names: Sequence[bytes], weights: Sequence[int], token_limit: int) -> Iterator[range]:
    total = sum(weights[run.start : run.stop])
    if total <= token_limit or len(run) <= SMALLEST_GROUP:
        yield run
        return
    cut = _find_border(run, names, weights, total)
    yield from _split(range(run.start, cut), names, weights, token_limit)
    yield from _split(range(cut, run.stop), names, weights, token_limit)


def _find_border(run: range, names: Sequence[bytes], weights: Sequence[int], total: int) -> int:
    """Return the border of a run that leaves at least two results on either side."""
    before = weights[run.start]
    inside, nearest = [], (total, run.start + 2)
    for border in range(run.start + 2, run.stop - 1):
        before += weights[border - 1]
        nearest = min(nearest, (abs(total - 2 * before), border))
        if total <= OUTER_PART * before <= (OUTER_PART - 1) * total:
            inside.append(border)
    return min(inside, key=lambda border: names[border]) if inside else nearest[1]
