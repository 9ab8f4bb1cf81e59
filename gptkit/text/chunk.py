"""Cut texts into sentences and words, and group blocks into pieces whose borders follow nearby text alone."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining
from zlib import crc32

from gptkit.core.patterns import lazy_pattern
from gptkit.core.tokens import estimate_tokens

HOLE = "⟦⟧"
"""Stands for masked characters in a text, until the holes are numbered and become marks."""
BUFFER_LIMIT = 1 << 16
"""Characters of one line, block or run of code that are held in memory at most."""
INSIDE, BLOCK, HEADING = range(3)
"""What kind of place the start of a block is; a border in front of a heading is best, one inside worst."""

SENTENCE = lazy_pattern(
    r"""[.!?…]+["'”’)\]»*_]*\s+(?![a-z\s]) | [。！？｡।؟۔॥]+["'”’」』）】》〉]*\s* | […⋯]{2,}[”’」』]*\s*""",
    re.VERBOSE,
)
LINE = lazy_pattern(r"[^\n\r]*(?:\r\n|\n|\r|$)")
WORD = lazy_pattern(r"[^\s，、；：,;:—⟦⟧]*+(?:⟦⟧|[\s，、；：,;:—]+|$)")
JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")


class TextBlock(NamedTuple):
    """A part of a document that is not cut any further. Its `text` with the holes filled is its `source`."""

    source: str
    text: str
    masks: tuple[str, ...] = ()
    weight: int = 0  # tokens; 0 without a word for the model
    border: int = BLOCK
    title: str = ""  # of a heading
    level: int = 0  # of a heading; 0 for any other block

    @property
    def is_wordless(self) -> bool:
        return not self.weight


def make_block(text: str, masks: Iterable[str], border: int = BLOCK) -> TextBlock:
    masks = tuple(masks)
    return TextBlock(fill_holes(text, masks), text, masks, weight(text) if has_letters(text) else 0, border)


def has_letters(text: str) -> bool:
    """Whether a text has a letter outside of its holes."""
    return LETTER.search(text) is not None


LETTER = lazy_pattern(r"[^\W\d_]")
SHORT = 32
"""Characters of a text whose weight is cached: short texts are mostly words, which come again."""


def weight(text: str) -> int:
    """Estimate the tokens of a text with numbered holes, and of what joins it to the next text."""
    return _cached_weight(text) if len(text) <= SHORT else _weight(text)


def _weight(text: str) -> int:
    return estimate_tokens(text) + 2 * text.count("⟦") + 1


_cached_weight = lru_cache(maxsize=4096)(_weight)


def fill_holes(text: str, masks: Iterable[str]) -> str:
    if "⟦" not in text:
        return text
    literals = text.split(HOLE)
    parts = [part for pair in zip(literals, masks, strict=False) for part in pair]
    return "".join([*parts, literals[-1]])


def number_holes(text: str) -> str:
    """Turn the holes of a text into the marks ⟦0⟧, ⟦1⟧ ..."""
    first, *rest = text.split(HOLE)
    return first + "".join(f"⟦{number}⟧{literal}" for number, literal in enumerate(rest))


def bounded_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines with their line ends, and lines longer than BUFFER_LIMIT in several parts."""
    buffer = ""
    for line in lines:
        is_ended = line.endswith(("\n", "\r"))
        if is_ended and not buffer and len(line) <= BUFFER_LIMIT and line.find("\r", 0, -2) < 0:
            yield line
            continue
        for start in range(0, len(line), BUFFER_LIMIT):
            buffer += line[start : start + BUFFER_LIMIT]
            while len(buffer) > BUFFER_LIMIT:
                cut = _last_border(buffer, BUFFER_LIMIT)
                yield from split_lines(buffer[:cut])
                buffer = buffer[cut:]
        if is_ended:
            yield from split_lines(buffer)
            buffer = ""
    yield from split_lines(buffer)


def split_text(text: str, token_limit: int, *, by_line: bool = False) -> Iterator[str]:
    """Split a text into sentences (or lines), those above `token_limit` tokens further; no hole is cut."""
    for span in _split_behind(text, LINE if by_line else SENTENCE):
        if weight(span) <= token_limit:
            yield span
        elif by_line:
            yield from split_text(span, token_limit)
        else:
            yield from _split_by_word(span, token_limit)


def split_block(whole: TextBlock, token_limit: int, *, by_line: bool = False) -> Iterator[TextBlock]:
    """Yield the block itself, or its parts if it weighs more than `token_limit`."""
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
    """Return the end of the last sentence, else word, within the first `size_limit` characters."""
    for pattern, reach in ((SENTENCE, 4096), (WORD, 256)):
        ends = [
            match.end()
            for match in pattern.finditer(text, size_limit - reach, size_limit)
            if match.end() < size_limit
        ]
        if ends and ends[-1] > size_limit - reach:
            return ends[-1]
    return _character_border(text, size_limit)


def _character_border(text: str, cut: int) -> int:
    """Return the last position up to `cut` inside no accented letter, joined emoji, line end or hole."""
    for place in range(cut, max(1, cut - 8), -1):
        around = text[place - 1 : place + 1]
        if (
            around in {HOLE, "\r\n"}
            or around[1:] in JOINERS
            or around[:1] == "\u200d"
            or combining(around[1:] or " ")
        ):
            continue
        return place
    return cut


def _split_behind(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for match in pattern.finditer(text):
        if match.end() > start:
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]


def _split_by_word(text: str, token_limit: int) -> Iterator[str]:
    words, total = "", 0
    for word in _split_behind(text, WORD):
        word_weight = weight(word)
        if words and total + word_weight > token_limit:
            yield words
            words, total = "", 0
        if word_weight > token_limit:
            yield from _split_by_character(word, token_limit)
        else:
            words, total = words + word, total + word_weight
    if words:
        yield words


def _split_by_character(text: str, token_limit: int) -> Iterator[str]:
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
"""Characters at the start of a block that decide how good the border in front of the block is."""
ALWAYS, NEVER = -1.0, 3.0


class BorderCandidate(NamedTuple):
    """A place between two blocks where a piece may end."""

    place: int  # tokens from the start of the document
    rank: float  # less is better
    number: int  # of the block behind the border
    wins: bool  # no better border is near


def group_blocks(blocks: Iterable[TextBlock], token_limit: int) -> Iterator[list[TextBlock]]:
    """Group blocks into runs for one piece each; only a single block may weigh more than `token_limit`.

    Each border is rated by the first characters behind it. It separates two groups if no better one lies
    within a quarter of `token_limit` on either side. Thus an edit moves only borders near to it, and the
    other pieces of the document stay the same. Where `token_limit` tokens have no such border, the best there
    is separates. A block without words is in a group only between others.
    """
    return _Grouper(token_limit).groups(blocks)


class _Grouper:
    """Holds the blocks that are not in a group yet, and the borders between them."""

    def __init__(self, token_limit: int) -> None:
        self._token_limit = token_limit
        self._reach = max(1, token_limit // 4)
        self._blocks: list[TextBlock] = []
        self._weights: list[int] = []
        self._first = 0  # number of the first of `_blocks` in the document
        self._start = self._place = 0
        self._candidates = deque([BorderCandidate(0, ALWAYS, 0, wins=False)])
        self._behind_heading = False

    def groups(self, blocks: Iterable[TextBlock]) -> Iterator[list[TextBlock]]:
        wordless = 0  # characters of the blocks without words that came last
        for new in blocks:
            if new.is_wordless:
                wordless += len(new.source)
            else:
                self._add_candidate(new)
                wordless = 0
            self._blocks.append(new)
            self._weights.append(block_weight(new))
            self._place += self._weights[-1]
            if wordless > BUFFER_LIMIT:
                yield from self._remaining_groups()
                self._candidates = deque([BorderCandidate(self._place, ALWAYS, self._first, wins=False)])
                wordless = 0
            else:
                yield from self._settled_groups(self._place - self._reach)
        yield from self._remaining_groups()

    def _add_candidate(self, new: TextBlock) -> None:
        rank = NEVER if self._behind_heading else _border_rank(new)
        self._behind_heading = bool(new.level)
        while self._candidates and self._candidates[-1].rank > rank:
            self._candidates.pop()
        wins = not self._candidates or self._place - self._candidates[-1].place >= self._reach
        self._candidates.append(
            BorderCandidate(self._place, rank, self._first + len(self._blocks), wins and rank < NEVER)
        )

    def _settled_groups(self, until: int) -> Iterator[list[TextBlock]]:
        """Yield the groups up to the last border to which no candidate can come near any more."""
        while True:
            while self._candidates and self._candidates[0].place <= until and not self._candidates[0].wins:
                self._candidates.popleft()
            border = self._candidates[0] if self._candidates and self._candidates[0].place <= until else None
            if (border.place if border else until) - self._start > self._token_limit:
                yield from self._cut(self._best_border())
            elif border:
                self._candidates.popleft()
                yield from self._cut(border.number - self._first)
            else:
                return

    def _remaining_groups(self) -> Iterator[list[TextBlock]]:
        yield from self._settled_groups(self._place - self._reach)
        while self._place - self._start > self._token_limit and len(self._blocks) > 1:
            yield from self._cut(self._best_border())
        yield from self._cut(len(self._blocks))

    def _cut(self, count: int) -> Iterator[list[TextBlock]]:
        group, self._blocks = self._blocks[:count], self._blocks[count:]
        weights, self._weights = self._weights[:count], self._weights[count:]
        self._first += count
        self._start += sum(weights)
        return _split_wordless_ends(group)

    def _best_border(self) -> int:
        """Return the number of blocks in front of the best border that lies within `token_limit`."""
        reached, place, best = 0, 0, NEVER + 1
        for number, weight_before in enumerate(self._weights[:-1], 1):
            reached += weight_before
            if reached > self._token_limit:
                return place or max(1, number - 1)
            before, after = self._blocks[number - 1], self._blocks[number]
            rank = NEVER if before.level or after.is_wordless else _border_rank(after)
            if rank < best and (reached * 3 >= self._token_limit or not place):
                place = number
                best = rank if reached * 3 >= self._token_limit else NEVER + 1
        return place or len(self._blocks)


def block_weight(block: TextBlock) -> int:
    return block.weight or weight(block.text)


def _border_rank(block: TextBlock) -> float:
    """Rate the border in front of a block by the hash of the block's first characters; less is better."""
    chance = crc32(block.text.lstrip()[:HASHED].encode("utf-8", "replace")) / (1 << 32)
    if block.border == HEADING:
        return chance / (8 if block.level <= 2 else 4)
    return chance + 1 if block.border == INSIDE else chance


def _split_wordless_ends(group: list[TextBlock]) -> Iterator[list[TextBlock]]:
    """Split the blocks without words from both ends of a group."""
    wordy = [position for position, block in enumerate(group) if not block.is_wordless]
    first, last = (wordy[0], wordy[-1] + 1) if wordy else (0, 0)
    yield from (part for part in (group[:first], group[first:last], group[last:]) if part)
