"""Documents made of many short texts: sent in batches, each answer written back where its text stood."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple, Self
from zlib import crc32

from gptkit.core.errors import UsageError
from gptkit.core.tokens import estimate_tokens
from gptkit.text.checks.common import general_findings
from gptkit.text.chunk import HOLE
from gptkit.text.compose import GAP, count_line_ends
from gptkit.text.masking import COMMON_RULES, Rules, mask_text
from gptkit.text.pieces import UNIT_LINE, Finding, Piece, Slot, join_units, mark, parse_units, unmask

BORDERS = 2  # texts that ask to begin a piece, to be expected in what may still come to one
SOURCE_MOST = 1 << 16  # characters of a piece, however few of them are for the model
UNSEEN = re.compile(f"{HOLE}|[\r\ud800-\udfff]")  # what a request cannot carry, or an answer would not keep
SENTENCE_END, SPACE = 2, 1
NEAR = 2000  # characters from the middle of a text in which the end of a sentence is looked for
SURELY_LONG = 8  # characters for each token of a request: what has more is cut without being counted


class Segment(NamedTuple):
    """A stretch of the input with at most one text; `text` is empty where there is nothing to translate."""

    source: str
    text: str = ""
    start: int = 0  # where in `source` the text is written
    end: int = 0
    syntax: str = ""
    note: str = ""
    path: tuple[str, ...] = ()
    added: int = 0  # lines of `source` that the input does not have


class UnitFormat(ABC):
    """What formats of many short texts share; each says where the texts are and how another is written."""

    name: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]
    rules: ClassVar[Rules] = COMMON_RULES
    rewrites_equal: ClassVar[bool] = False  # whether an answer like its text is written as well

    @abstractmethod
    def recognises(self, head: str) -> bool: ...

    @abstractmethod
    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        """Segments whose sources join to the input; DataError where it is not this format."""

    @abstractmethod
    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        """What stands for `text` in place of `literal`."""

    @abstractmethod
    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        """A text that is too long for one request in two; None if it cannot be cut."""

    def with_keys(self, patterns: Sequence[str]) -> Self:
        raise UsageError(
            f"--keys: '{patterns[0] if patterns else ''}' chooses nothing in {self.name}",
            hint="only JSON and YAML have keys",
        )

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        line = 1
        fitting = (part for segment in self.segments(lines) for part in self._fitting(segment, token_limit))
        for batch in group_segments(fitting, token_limit):
            piece = self._piece(batch, line - sum(segment.added for segment in batch))
            line = piece.line + count_line_ends(piece.source)
            yield piece

    def restore(self, piece: Piece, answer: str) -> str:
        if answer.strip() == piece.text.strip():
            return piece.source
        answers = _answers(piece, answer)
        parts: list[str] = []
        done = 0
        for number, (slot, unit) in enumerate(zip(piece.slots, piece.units, strict=True), 1):
            literal = piece.source[slot.start : slot.end]
            new = answers.get(number, "")
            if new and (new != unit or self.rewrites_equal):
                literal = self.encode_text(
                    literal, slot.before + unmask(new, piece.masks) + slot.after, slot.syntax
                )
            parts += piece.source[done : slot.start], literal
            done = slot.end
        return "".join([*parts, piece.source[done:]])

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        answers = _answers(piece, answer)
        found: list[Finding] = []
        if piece.text:
            found += _misplaced(piece, answer)
        for number, (slot, unit) in enumerate(zip(piece.slots, piece.units, strict=True), 1):
            line = piece.line + count_line_ends(piece.source[: slot.start])
            new = answers.get(number)
            if new is None:
                found.append(Finding(line, "unit", f"text {number} of {len(piece.units)} missing"))
            elif not new:
                found.append(Finding(line, "empty", f"text {number} of {len(piece.units)} is empty"))
            elif new != unit:
                found += self.unit_findings(Piece(unit, unit, piece.masks, line=line, slots=(slot,)), new)
        return tuple(found)

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        """The proof of one text; `unit` holds it alone, with the masks of its piece."""
        yield from general_findings(unit, answer, self.rules, lambda _: unit.line)
        was, became = len(GAP.split(unit.text)), len(GAP.split(answer))
        if was != became:
            yield Finding(unit.line, "blocks", f"{was} paragraphs became {became}")

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        segments = list(_segments_of(piece)) if piece.slots else []
        if len(segments) > 1:
            half = len(segments) // 2
            first, second = segments[:half], segments[half:]
        elif segments and (parts := self.split_segment(segments[0])):
            first, second = [parts[0]], [parts[1]]
        else:
            return None
        one = self._piece(first, piece.line)
        return one, self._piece(second, piece.line + count_line_ends(one.source))

    def _fitting(self, segment: Segment, token_limit: int) -> Iterator[tuple[Segment, int]]:
        """Parts that one request holds, with their tokens; what cannot be cut so small is left as it is."""
        if not segment.text.strip():
            yield segment._replace(text=""), 0
            return
        parts = self.split_segment(segment) if len(segment.text) > token_limit * SURELY_LONG else None
        if parts is None:
            tokens = (
                estimate_tokens(f"⟦#999⟧\n{_numbered(segment.text, self.rules, [])}\n") + 1
            )  # of any rounding
            if tokens <= token_limit:
                yield segment, tokens
                return
            parts = self.split_segment(segment)
        if parts is None:
            yield segment._replace(text=""), 0
            return
        for part in parts:
            yield from self._fitting(part, token_limit)

    def _piece(self, segments: Sequence[Segment], line: int) -> Piece:
        units: list[str] = []
        masks: list[str] = []
        slots: list[Slot] = []
        place = 0
        for segment in segments:
            if core := segment.text.strip():
                before, _, after = segment.text.partition(core)
                units.append(_numbered(core, self.rules, masks))
                start, end = place + segment.start, place + segment.end
                slots.append(Slot(start, end, segment.syntax, before, after, segment.note))
            place += len(segment.source)
        notes = [f"#{number}: {slot.note}" for number, slot in enumerate(slots, 1) if slot.note]
        path = (*_common([segment.path for segment in segments if segment.text.strip()]), *notes)
        source = "".join(segment.source for segment in segments)
        return Piece(
            source, join_units(units), tuple(masks), tuple(units), path, line, self.name, tuple(slots)
        )


def group_segments(parts: Iterable[tuple[Segment, int]], token_limit: int) -> Iterator[list[Segment]]:
    """Runs of segments for one piece each, within `most` tokens and a length.

    Where a piece begins follows from the beginning of a text alone, once a third of either is reached, and
    hence is the same whatever was edited before.
    """
    batch: list[tuple[Segment, int]] = []
    cost = size = 0
    for segment, tokens in parts:
        while batch:
            ripe = cost * 3 >= token_limit or size * 3 >= SOURCE_MOST
            full = cost + tokens > token_limit or size + len(segment.source) > SOURCE_MOST
            if not full and not (
                ripe and _chance(segment) * token_limit < BORDERS * (1 << tokens.bit_length())
            ):
                break
            cut = _best_cut([*batch, (segment, tokens)], cost, size) if full else len(batch)
            yield [held for held, _ in batch[:cut]]
            batch = batch[cut:]
            cost, size = sum(held for _, held in batch), sum(len(held.source) for held, _ in batch)
        batch.append((segment, tokens))
        cost += tokens
        size += len(segment.source)
    if batch:
        yield [held for held, _ in batch]


def _best_cut(batch: Sequence[tuple[Segment, int]], cost: int, size: int) -> int:
    """Of the places in the later two thirds of a full batch the one that its text speaks for most.

    The last of `batch` is what it does not hold any more; `cost` and `size` are those of the others.
    """
    best, place, before, length = 1.0, len(batch) - 1, 0, 0
    for at, (segment, tokens) in enumerate(batch):
        late = at > 0 and (before * 3 >= cost if cost else length * 3 >= size)
        if late and (chance := _chance(segment)) < best:
            best, place = chance, at
        before += tokens
        length += len(segment.source)
    return place


def _chance(segment: Segment) -> float:
    """A number from 0 to 1 that follows from the first characters of the text; 1 without a text."""
    return crc32(segment.text[:32].encode("utf-8", "replace")) / (1 << 32) if segment.text else 1.0


def find_middle(atoms: Sequence[str]) -> int:
    """Where to cut a text into two: near its middle, at a sentence's end, else a space, else anywhere."""
    half, count = len(atoms) // 2, len(atoms)
    space = 0
    for away in range(min(NEAR, count)):
        for index in (half - away, half + away) if away else (half,):
            if not max(2, count // 4) <= index < count - count // 4:
                continue
            rank = _rank(atoms[index - 2 : index])
            if rank == SENTENCE_END:
                return index
            space = space or index * rank
    return space or half


def _rank(before: Sequence[str]) -> int:
    last = before[-1]
    if last in "。！？…" or (last.isspace() and "\n" in last) or last == "\\n":
        return SENTENCE_END
    if last.isspace():
        return SENTENCE_END if before[0] in ".!?" else SPACE
    return 0


def _numbered(text: str, rules: Rules, masks: list[str]) -> str:
    """The text with marks, which go on from those of `masks`; what they stand for is added there."""
    holes, hidden = mask_text(text, rules)
    if HOLE not in holes and not UNSEEN.search(holes):
        return holes
    rest = iter(hidden)

    def numbered(found: re.Match[str]) -> str:
        masks.append(next(rest) if found[0] == HOLE else found[0])
        return mark(len(masks) - 1)

    return UNSEEN.sub(numbered, holes)


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not paths:
        return ()
    low, high = min(paths), max(paths)
    same = next(
        (at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high))
    )
    return low[:same]


def _segments_of(piece: Piece) -> Iterator[Segment]:
    """The segments that the piece is made of; each begins where its text does, but for the first."""
    path = piece.path[: len(piece.path) - sum(bool(slot.note) for slot in piece.slots)]
    begins = [0, *(slot.start for slot in piece.slots[1:])]
    ends = [*begins[1:], len(piece.source)]
    for slot, unit, begin, end in zip(piece.slots, piece.units, begins, ends, strict=True):
        text = slot.before + unmask(unit, piece.masks) + slot.after
        place = slot.start - begin, slot.end - begin
        yield Segment(piece.source[begin:end], text, *place, slot.syntax, slot.note, path)


def _answers(piece: Piece, answer: str) -> dict[int, str]:
    if len(piece.units) == 1 and "⟦#" not in answer:
        return {1: answer.replace("\r\n", "\n").strip()}
    return parse_units(answer)


def _misplaced(piece: Piece, answer: str) -> Iterator[Finding]:
    """Texts that were not asked for: of unknown number, of one number twice, before the first."""
    numbers = [int(number) for number in UNIT_LINE.findall(answer)]
    for number in sorted(set(numbers)):
        if not 1 <= number <= len(piece.units):
            yield Finding(piece.line, "unit", f"text {number} was not asked for")
        elif numbers.count(number) > 1:
            yield Finding(piece.line, "unit", f"text {number} is there more than once")
    if numbers and UNIT_LINE.split(answer, maxsplit=1)[0].strip():
        yield Finding(piece.line, "unit", "there is text before the first unit")


def unit_line_finder(piece: Piece) -> Callable[[int], int]:
    """From a place in the text of a piece that is made of units to the line of the input."""
    starts = [found.end() for found in UNIT_LINE.finditer(piece.text)]

    def line_of(place: int) -> int:
        number = max(0, bisect_right(starts, place) - 1)
        before = piece.source[: piece.slots[number].start] if piece.slots else ""
        start = starts[number] if starts else 0
        return piece.line + count_line_ends(before) + piece.text.count("\n", start, max(start, place))

    return line_of
