"""Where a text may be cut: at sentences, words, characters, and groups whose borders follow their content."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining
from zlib import crc32

from gptkit.core.tokens import estimate_tokens

HOLE = "⟦⟧"
"""Stands in a text for what is masked, until the marks are numbered."""
BUFFER_LIMIT = 1 << 16
"""Characters of one line, block or run of code that are held at most."""
INSIDE, BLOCK, HEADING = range(3)
"""How good a place for a border the start of a block is."""

SENTENCE = re.compile(
    r"""[.!?…]+["'”’)\]»*_]*\s+(?![a-z\s]) | [。！？｡।؟۔॥]+["'”’」』）】》〉]*\s* | […⋯]{2,}[”’」』]*\s*""",
    re.VERBOSE,
)
LINE = re.compile(r"[^\n\r]*(?:\r\n|\n|\r|$)")
WORD = re.compile(r"[^\s，、；：,;:—⟦⟧]*+(?:⟦⟧|[\s，、；：,;:—]+|$)")
JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")


class TextBlock(NamedTuple):
    """A part of a document that stays whole: `text` with a hole for every mask expands to `source`."""

    source: str
    text: str
    masks: tuple[str, ...] = ()
    weight: int = 0
    border: int = BLOCK
    title: str = ""
    level: int = 0

    @property
    def is_wordless(self) -> bool:
        return not self.weight


def make_block(text: str, masks: Iterable[str], border: int = BLOCK) -> TextBlock:
    masks = tuple(masks)
    return TextBlock(fill_holes(text, masks), text, masks, weight(text) if has_letters(text) else 0, border)


def has_letters(text: str) -> bool:
    """Whether there is a letter in it outside of masks."""
    return LETTER.search(text) is not None


LETTER = re.compile(r"[^\W\d_]")
SHORT = 32
"""Characters of a word, or of a block without any, whose weight is remembered: there are few of them."""


def weight(text: str) -> int:
    """Tokens of a text once its holes are numbered, and of what joins it to the next."""
    return _weight_of_word(text) if len(text) <= SHORT else _weight(text)


def _weight(text: str) -> int:
    return estimate_tokens(text) + 2 * text.count("⟦") + 1


_weight_of_word = lru_cache(maxsize=4096)(_weight)


def fill_holes(text: str, masks: Iterable[str]) -> str:
    if "⟦" not in text:
        return text
    literals = text.split(HOLE)
    parts = [part for pair in zip(literals, masks, strict=False) for part in pair]
    return "".join([*parts, literals[-1]])


def number_holes(text: str) -> str:
    """With a number in every hole."""
    first, *rest = text.split(HOLE)
    return first + "".join(f"⟦{number}⟧{literal}" for number, literal in enumerate(rest))


def bounded_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines with their ends; one longer than what is held comes in parts, of which the last has the end."""
    held = ""
    for line in lines:
        ended = line.endswith(("\n", "\r"))
        if ended and not held and len(line) <= BUFFER_LIMIT and line.find("\r", 0, -2) < 0:
            yield line
            continue
        for start in range(0, len(line), BUFFER_LIMIT):
            held += line[start : start + BUFFER_LIMIT]
            while len(held) > BUFFER_LIMIT:
                cut = _last_border(held, BUFFER_LIMIT)
                yield from split_lines(held[:cut])
                held = held[cut:]
        if ended:
            yield from split_lines(held)
            held = ""
    yield from split_lines(held)


def split_text(text: str, token_limit: int, *, by_line: bool = False) -> Iterator[str]:
    """Sentences (or lines); those above `most` in words, and words in characters; no hole is cut."""
    for span in _spans(text, LINE if by_line else SENTENCE):
        if weight(span) <= token_limit:
            yield span
        elif by_line:
            yield from split_text(span, token_limit)
        else:
            yield from _by_word(span, token_limit)


def split_block(whole: TextBlock, token_limit: int, *, by_line: bool = False) -> Iterator[TextBlock]:
    """The block, or the parts of one that weighs too much."""
    if whole.weight <= token_limit:
        yield whole
        return
    first, border, title, level = 0, whole.border, whole.title, whole.level
    for part in split_text(whole.text, token_limit, by_line=by_line):
        after = first + part.count("⟦")
        yield make_block(part, whole.masks[first:after], border)._replace(title=title, level=level)
        first, border, title, level = after, INSIDE, "", 0


def split_lines(text: str) -> Iterator[str]:
    return (line for line in LINE.findall(text) if line)


def _last_border(text: str, size_limit: int) -> int:
    """Behind the last sentence that ends in the first `most` characters, else the last word."""
    for pattern, reach in ((SENTENCE, 4096), (WORD, 256)):
        ends = [
            found.end()
            for found in pattern.finditer(text, size_limit - reach, size_limit)
            if found.end() < size_limit
        ]
        if ends and ends[-1] > size_limit - reach:
            return ends[-1]
    return _character_border(text, size_limit)


def _character_border(text: str, cut: int) -> int:
    """The last place up to `cut` that parts no accent, joined emoji or line end from what it belongs to."""
    for place in range(cut, max(1, cut - 8), -1):
        parted = text[place - 1 : place + 1]
        if (
            parted in {HOLE, "\r\n"}
            or parted[1:] in JOINERS
            or parted[:1] == "\u200d"
            or combining(parted[1:] or " ")
        ):
            continue
        return place
    return cut


def _spans(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for found in pattern.finditer(text):
        if found.end() > start:
            yield text[start : found.end()]
            start = found.end()
    if start < len(text):
        yield text[start:]


def _by_word(text: str, token_limit: int) -> Iterator[str]:
    held, heavy = "", 0
    for word in _spans(text, WORD):
        cost = weight(word)
        if held and heavy + cost > token_limit:
            yield held
            held, heavy = "", 0
        if cost > token_limit:
            yield from _by_character(word, token_limit)
        else:
            held, heavy = held + word, heavy + cost
    if held:
        yield held


def _by_character(text: str, token_limit: int) -> Iterator[str]:
    while text:
        size = min(len(text), max(1, len(text) * token_limit // max(1, weight(text))))
        while size > 1 and weight(text[:size]) > token_limit:
            size = max(1, size * 3 // 4)
        if size < len(text):
            size = _character_border(text, size)
        if text[size - 1 : size + 1] == HOLE:
            size += 1
        yield text[:size]
        text = text[size:]


HASHED = 32
"""Characters at the start of a block that say how good a border in front of it is."""
ALWAYS, NEVER = -1.0, 3.0


class BorderCandidate(NamedTuple):
    """A border: its place in tokens, how good it is (less is better), the number of the block behind it."""

    place: int
    value: float
    number: int
    alive: bool


def group_blocks(blocks: Iterable[TextBlock], token_limit: int) -> Iterator[list[TextBlock]]:
    """Runs of blocks for one piece each: none weighs more than `most` unless it is a single block.

    A border is the best of all within a quarter of `most` to both sides, where each is rated by the first
    characters behind it. What lies further away cannot move it. Only where there is none within `most`, the
    best of what is there is taken. Silent blocks are in a group only between others.
    """
    return _Grouper(token_limit).groups(blocks)


class _Grouper:
    def __init__(self, token_limit: int) -> None:
        self._most = token_limit
        self._reach = max(1, token_limit // 4)
        self._held: list[TextBlock] = []
        self._costs: list[int] = []
        self._first = 0  # number of the first block that is held
        self._start = self._place = 0
        self._rivals = deque([BorderCandidate(0, ALWAYS, 0, alive=False)])
        self._behind_heading = False

    def groups(self, blocks: Iterable[TextBlock]) -> Iterator[list[TextBlock]]:
        wordless = 0
        for new in blocks:
            if new.is_wordless:
                wordless += len(new.source)
            else:
                self._contest(new)
                wordless = 0
            self._held.append(new)
            self._costs.append(block_weight(new))
            self._place += self._costs[-1]
            if wordless > BUFFER_LIMIT:
                yield from self._rest()
                self._rivals = deque([BorderCandidate(self._place, ALWAYS, self._first, alive=False)])
                wordless = 0
            else:
                yield from self._settled(self._place - self._reach)
        yield from self._rest()

    def _contest(self, new: TextBlock) -> None:
        value = NEVER if self._behind_heading else _value(new)
        self._behind_heading = bool(new.level)
        while self._rivals and self._rivals[-1].value > value:
            self._rivals.pop()
        alive = not self._rivals or self._place - self._rivals[-1].place >= self._reach
        self._rivals.append(
            BorderCandidate(self._place, value, self._first + len(self._held), alive and value < NEVER)
        )

    def _settled(self, until: int) -> Iterator[list[TextBlock]]:
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

    def _rest(self) -> Iterator[list[TextBlock]]:
        yield from self._settled(self._place - self._reach)
        while self._place - self._start > self._most and len(self._held) > 1:
            yield from self._cut(self._best())
        yield from self._cut(len(self._held))

    def _cut(self, count: int) -> Iterator[list[TextBlock]]:
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
            value = NEVER if before.level or after.is_wordless else _value(after)
            if value < best and (reached * 3 >= self._most or not place):
                place = number
                best = value if reached * 3 >= self._most else NEVER + 1
        return place or len(self._held)


def block_weight(one: TextBlock) -> int:
    return one.weight or weight(one.text)


def _value(new: TextBlock) -> float:
    chance = crc32(new.text.lstrip()[:HASHED].encode("utf-8", "replace")) / (1 << 32)
    if new.border == HEADING:
        return chance / (8 if new.level <= 2 else 4)
    return chance + 1 if new.border == INSIDE else chance


def _trimmed(group: list[TextBlock]) -> Iterator[list[TextBlock]]:
    """The group, and before and behind it the silent blocks at its ends."""
    wordy = [at for at, one in enumerate(group) if not one.is_wordless]
    first, last = (wordy[0], wordy[-1] + 1) if wordy else (0, 0)
    yield from (part for part in (group[:first], group[first:last], group[last:]) if part)
