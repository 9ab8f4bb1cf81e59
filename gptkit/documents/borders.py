"""Which blocks of a document go together into one request, so that an edit changes its own request alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

from gptkit.documents.chunk import HEADING, HELD, INSIDE, Block, weight

HASHED = 32
"""Characters at the start of a block that say how good a border in front of it is."""
ALWAYS, NEVER = -1.0, 3.0


class Rival(NamedTuple):
    """A border: its place in tokens, how good it is (less is better), the number of the block behind it."""

    place: int
    value: float
    number: int
    alive: bool


def grouped(blocks: Iterable[Block], most: int) -> Iterator[list[Block]]:
    """Runs of blocks for one piece each: none weighs more than `most` unless it is a single block.

    A border is the best of all within a quarter of `most` to both sides, where each is rated by the first
    characters behind it. What lies further away cannot move it. Only where there is none within `most`, the
    best of what is there is taken. Silent blocks are in a group only between others.
    """
    return _Grouping(most).groups(blocks)


class _Grouping:
    def __init__(self, most: int) -> None:
        self._most = most
        self._reach = max(1, most // 4)
        self._held: list[Block] = []
        self._costs: list[int] = []
        self._first = 0  # number of the first block that is held
        self._start = self._place = 0
        self._rivals = deque([Rival(0, ALWAYS, 0, alive=False)])
        self._behind_heading = False

    def groups(self, blocks: Iterable[Block]) -> Iterator[list[Block]]:
        silent = 0
        for new in blocks:
            if new.silent:
                silent += len(new.source)
            else:
                self._contest(new)
                silent = 0
            self._held.append(new)
            self._costs.append(cost(new))
            self._place += self._costs[-1]
            if silent > HELD:
                yield from self._rest()
                self._rivals = deque([Rival(self._place, ALWAYS, self._first, alive=False)])
                silent = 0
            else:
                yield from self._settled(self._place - self._reach)
        yield from self._rest()

    def _contest(self, new: Block) -> None:
        value = NEVER if self._behind_heading else _value(new)
        self._behind_heading = bool(new.level)
        while self._rivals and self._rivals[-1].value > value:
            self._rivals.pop()
        alive = not self._rivals or self._place - self._rivals[-1].place >= self._reach
        self._rivals.append(Rival(self._place, value, self._first + len(self._held), alive and value < NEVER))

    def _settled(self, until: int) -> Iterator[list[Block]]:
        """Groups up to the last border that no rival can come near to any more."""
        while True:
            while self._rivals and self._rivals[0].place <= until and not self._rivals[0].alive:
                self._rivals.popleft()
            border = self._rivals[0] if self._rivals and self._rivals[0].place <= until else None
            if (border.place if border else until) - self._start > self._most:
                yield from self._cut(self._best())
            elif border:
                self._rivals.popleft()
                yield from self._cut(border.number - self._first)
            else:
                return

    def _rest(self) -> Iterator[list[Block]]:
        yield from self._settled(self._place - self._reach)
        while self._place - self._start > self._most and len(self._held) > 1:
            yield from self._cut(self._best())
        yield from self._cut(len(self._held))

    def _cut(self, count: int) -> Iterator[list[Block]]:
        group, self._held = self._held[:count], self._held[count:]
        costs, self._costs = self._costs[:count], self._costs[count:]
        self._first += count
        self._start += sum(costs)
        return _trimmed(group)

    def _best(self) -> int:
        """Of the borders in what is held the best one, and no more than the most before it."""
        reached, place, best = 0, 0, NEVER + 1
        for number, cost_before in enumerate(self._costs[:-1], 1):
            reached += cost_before
            if reached > self._most:
                return place or max(1, number - 1)
            before, after = self._held[number - 1], self._held[number]
            value = NEVER if before.level or after.silent else _value(after)
            if value < best and (reached * 3 >= self._most or not place):
                place = number
                best = value if reached * 3 >= self._most else NEVER + 1
        return place or len(self._held)


def cost(one: Block) -> int:
    return one.weight or weight(one.text)


def _value(new: Block) -> float:
    chance = crc32(new.text.lstrip()[:HASHED].encode("utf-8", "replace")) / (1 << 32)
    if new.border == HEADING:
        return chance / (8 if new.level <= 2 else 4)
    return chance + 1 if new.border == INSIDE else chance


def _trimmed(group: list[Block]) -> Iterator[list[Block]]:
    """The group, and before and behind it the silent blocks at its ends."""
    spoken = [at for at, one in enumerate(group) if not one.silent]
    first, last = (spoken[0], spoken[-1] + 1) if spoken else (0, 0)
    yield from (part for part in (group[:first], group[first:last], group[last:]) if part)
