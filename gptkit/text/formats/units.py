"""What formats of many short texts share: a piece holds several of them, each written back into its place."""

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

BORDERS = 2  # expected number of texts that may begin a piece among those that still fit in one
SOURCE_LIMIT = 1 << 16  # characters of the source of a piece
UNSEEN = re.compile(f"{HOLE}|[\r\ud800-\udfff]")  # what a request cannot carry or an answer would not keep
SENTENCE_END, SPACE = 2, 1
NEAR = 2000  # a sentence's end is looked for within as many characters of the middle of a text
SURELY_LONG = 8  # characters per token: a text with more is certainly above its limit


class Segment(NamedTuple):
    """A stretch of the input with at most one text; `text` is empty where there is nothing to translate."""

    source: str
    text: str = ""
    start: int = 0  # where the text stands in `source`
    end: int = 0
    syntax: str = ""  # see Slot.syntax
    note: str = ""  # for the model
    path: tuple[str, ...] = ()  # the keys above
    added: int = 0  # lines of `source` that the input does not have


class UnitFormat(ABC):
    """A format of many short texts; a subclass finds the texts and writes their translations."""

    name: ClassVar[str]
    rules: ClassVar[Rules] = COMMON_RULES
    rewrites_equal: ClassVar[bool] = False  # whether an answer equal to its text is written, too

    @abstractmethod
    def recognises(self, head: str) -> bool: ...

    @abstractmethod
    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        """Split a document into segments; the sources of all segments together are the input.

        Raises DataError where the document does not have this format.
        """

    @abstractmethod
    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        """Write `text` in the syntax of the format, in place of `literal`."""

    @abstractmethod
    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        """Split a segment whose text is too long for a request in two; None if that is impossible."""

    def with_keys(self, patterns: Sequence[str]) -> Self:
        raise UsageError(
            f"--keys: '{patterns[0] if patterns else ''}' chooses nothing in {self.name}",
            hint="only JSON, YAML and the front matter of Markdown have keys",
        )

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        line = 1
        fitting = (
            part for segment in self.segments(lines) for part in self._fitting_parts(segment, token_limit)
        )
        for group in group_segments(fitting, token_limit):
            piece = self._piece(group, line - sum(segment.added for segment in group))
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
        findings: list[Finding] = []
        if piece.text:
            findings += _unit_number_findings(piece, answer)
        for number, (slot, unit) in enumerate(zip(piece.slots, piece.units, strict=True), 1):
            line = piece.line + count_line_ends(piece.source[: slot.start])
            new = answers.get(number)
            if new is None:
                findings.append(Finding(line, "unit", f"text {number} of {len(piece.units)} missing"))
            elif not new:
                findings.append(Finding(line, "empty", f"text {number} of {len(piece.units)} is empty"))
            elif new != unit:
                findings += self.unit_findings(Piece(unit, unit, piece.masks, line=line, slots=(slot,)), new)
        return tuple(findings)

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        """Compare the answer to one unit; `unit` is a piece of that text alone, with all masks."""
        yield from general_findings(unit, answer, self.rules, lambda _: unit.line)
        was, became = len(GAP.split(unit.text)), len(GAP.split(answer))
        if was != became:
            yield Finding(unit.line, "blocks", f"{was} paragraphs became {became}")

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        segments = list(_split_piece(piece)) if piece.slots else []
        if len(segments) > 1:
            half = len(segments) // 2
            first, second = segments[:half], segments[half:]
        elif segments and (parts := self.split_segment(segments[0])):
            first, second = [parts[0]], [parts[1]]
        else:
            return None
        first_piece = self._piece(first, piece.line)
        return first_piece, self._piece(second, piece.line + count_line_ends(first_piece.source))

    def _fitting_parts(self, segment: Segment, token_limit: int) -> Iterator[tuple[Segment, int]]:
        """Yield parts of a segment that fit a request, with their tokens; what never fits gets no text."""
        if not segment.text.strip():
            yield segment._replace(text=""), 0
            return
        parts = self.split_segment(segment) if len(segment.text) > token_limit * SURELY_LONG else None
        if parts is None:
            tokens = (
                estimate_tokens(f"⟦#999⟧\n{_mask_unit(segment.text, self.rules, [])}\n") + 1
            )  # for the rounding of estimates
            if tokens <= token_limit:
                yield segment, tokens
                return
            parts = self.split_segment(segment)
        if parts is None:
            yield segment._replace(text=""), 0
            return
        for part in parts:
            yield from self._fitting_parts(part, token_limit)

    def _piece(self, segments: Sequence[Segment], line: int) -> Piece:
        units: list[str] = []
        masks: list[str] = []
        slots: list[Slot] = []
        place = 0
        for segment in segments:
            if core := segment.text.strip():
                before, _, after = segment.text.partition(core)
                units.append(_mask_unit(core, self.rules, masks))
                start, end = place + segment.start, place + segment.end
                slots.append(Slot(start, end, segment.syntax, before, after, segment.note))
            place += len(segment.source)
        notes = [f"#{number}: {slot.note}" for number, slot in enumerate(slots, 1) if slot.note]
        path = (*_common_path([segment.path for segment in segments if segment.text.strip()]), *notes)
        source = "".join(segment.source for segment in segments)
        return Piece(
            source, join_units(units), tuple(masks), tuple(units), path, line, self.name, tuple(slots)
        )


def group_segments(parts: Iterable[tuple[Segment, int]], token_limit: int) -> Iterator[list[Segment]]:
    """Group segments, given with their tokens, into runs for one piece each.

    A piece holds at most `token_limit` tokens and SOURCE_LIMIT characters. Once a third of either is reached,
    the beginning of a text alone decides whether a piece begins there, so that an edit does not move the
    borders behind it.
    """
    group: list[tuple[Segment, int]] = []
    cost = size = 0
    for segment, tokens in parts:
        while group:
            ripe = cost * 3 >= token_limit or size * 3 >= SOURCE_LIMIT
            full = cost + tokens > token_limit or size + len(segment.source) > SOURCE_LIMIT
            if not full and not (
                ripe and _chance(segment) * token_limit < BORDERS * (1 << tokens.bit_length())
            ):
                break
            cut = _best_cut([*group, (segment, tokens)], cost, size) if full else len(group)
            yield [member for member, _ in group[:cut]]
            group = group[cut:]
            cost = sum(member_tokens for _, member_tokens in group)
            size = sum(len(member.source) for member, _ in group)
        group.append((segment, tokens))
        cost += tokens
        size += len(segment.source)
    if group:
        yield [member for member, _ in group]


def _best_cut(group: Sequence[tuple[Segment, int]], cost: int, size: int) -> int:
    """Return the best place to cut within the later two thirds of a full group, by the text behind the place.

    The last of `batch` no longer fits; `cost` (tokens) and `size` (characters) are those of the others.
    """
    best, place, before, length = 1.0, len(group) - 1, 0, 0
    for at, (segment, tokens) in enumerate(group):
        late = at > 0 and (before * 3 >= cost if cost else length * 3 >= size)
        if late and (chance := _chance(segment)) < best:
            best, place = chance, at
        before += tokens
        length += len(segment.source)
    return place


def _chance(segment: Segment) -> float:
    """Hash the first characters of a segment's text to a number from 0 to 1; 1 without a text."""
    return crc32(segment.text[:32].encode("utf-8", "replace")) / (1 << 32) if segment.text else 1.0


def find_middle(atoms: Sequence[str]) -> int:
    """Return the place next to the middle where a sentence ends, else a word, else the middle."""
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


def _mask_unit(text: str, rules: Rules, masks: list[str]) -> str:
    """Mask a text with marks that continue those of `masks`, to which the new masks are added."""
    holes, hidden = mask_text(text, rules)
    if HOLE not in holes and not UNSEEN.search(holes):
        return holes
    rest = iter(hidden)

    def next_mark(match: re.Match[str]) -> str:
        masks.append(next(rest) if match[0] == HOLE else match[0])
        return mark(len(masks) - 1)

    return UNSEEN.sub(next_mark, holes)


def _common_path(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not paths:
        return ()
    low, high = min(paths), max(paths)
    same = next(
        (at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high))
    )
    return low[:same]


def _split_piece(piece: Piece) -> Iterator[Segment]:
    """Split a piece into segments again; each but the first begins where its text begins."""
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


def _unit_number_findings(piece: Piece, answer: str) -> Iterator[Finding]:
    """Yield texts that were not asked for: with an unknown number, a number again, or before the first."""
    numbers = [int(number) for number in UNIT_LINE.findall(answer)]
    for number in sorted(set(numbers)):
        if not 1 <= number <= len(piece.units):
            yield Finding(piece.line, "unit", f"text {number} was not asked for")
        elif numbers.count(number) > 1:
            yield Finding(piece.line, "unit", f"text {number} is there more than once")
    if numbers and UNIT_LINE.split(answer, maxsplit=1)[0].strip():
        yield Finding(piece.line, "unit", "there is text before the first unit")


def unit_line_finder(piece: Piece) -> Callable[[int], int]:
    """Return a function from a position in the text of a piece of units to the line of the input."""
    starts = [match.end() for match in UNIT_LINE.finditer(piece.text)]

    def line_of(place: int) -> int:
        number = max(0, bisect_right(starts, place) - 1)
        before = piece.source[: piece.slots[number].start] if piece.slots else ""
        start = starts[number] if starts else 0
        return piece.line + count_line_ends(before) + piece.text.count("\n", start, max(start, place))

    return line_of
