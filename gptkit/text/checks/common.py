"""The checks of every format: each mark occurs once, numbers are the same, nothing was added."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gptkit.core.excerpt import shorten
from gptkit.core.patterns import lazy_pattern
from gptkit.text.compose import END, GAP, count_line_ends, locate_text
from gptkit.text.masking import OPAQUE, OWN_MARK, Rules, mask_text
from gptkit.text.pieces import MARK, Finding, Piece, mark

TAG = lazy_pattern(r"""<(/?)([A-Za-z][A-Za-z0-9:._-]*|[0-9]{1,2})(?:\s(?:[^<>"']|"[^"]*+"|'[^']*+')*+)?>""")

DEEPEST = 100  # tags without an end tag between a start tag and its end tag


class _Tag(NamedTuple):
    mark: int
    position: int  # in the mask
    name: str
    closes: bool


def unnested_tags(text: str, answer: str, masks: Sequence[str]) -> list[int]:
    """Return the marks of end tags that close their element in the text, but not in the answer."""
    if not any(mask.startswith("</") or ("</" in mask and mask[0] == "<") for mask in masks):
        return []
    paired = _paired_tags(_tags(text, masks))
    wrong = []
    opened: list[str] = []
    for tag in _tags(answer, masks):
        if (tag.mark, tag.position) not in paired:
            continue
        if not tag.closes:
            opened.append(tag.name)
        elif opened and opened[-1] == tag.name:
            opened.pop()
        else:
            wrong.append(tag.mark)
            if tag.name in opened:
                opened.remove(tag.name)
    return wrong


def _tags(text: str, masks: Sequence[str]) -> Iterator[_Tag]:
    for hole in MARK.finditer(text):
        number = int(hole[1])
        if number >= len(masks) or masks[number][:1] != "<" or OPAQUE.match(masks[number]):
            continue
        for match in TAG.finditer(masks[number]):
            if not match[0].endswith("/>"):
                yield _Tag(number, match.start(), match[2].lower(), closes=bool(match[1]))


def _paired_tags(tags: Iterator[_Tag]) -> set[tuple[int, int]]:
    """Return mark and position of each tag that has its counterpart."""
    pairs: set[tuple[int, int]] = set()
    opened: list[_Tag] = []
    for tag in tags:
        if not tag.closes:
            opened.append(tag)
            continue
        nearest = range(len(opened) - 1, max(-1, len(opened) - 1 - DEEPEST), -1)
        index = next((index for index in nearest if opened[index].name == tag.name), None)
        if index is not None:
            pairs |= {(opened[index].mark, opened[index].position), (tag.mark, tag.position)}
            del opened[index:]
    return pairs


SHOWN = 60
HAS_NUMBER = lazy_pattern(r"[\d¼-¾⅐-⅞]")
FENCE = lazy_pattern(r"```|~~~")
COLON = lazy_pattern("[:：]")
ANNOUNCED = lazy_pattern(r"[^\n]*[:：][ \t]*\n[ \t]*\S")
ENTITY = lazy_pattern(r"&#?\w+;")
STRUCTURAL = frozenset("<>{}[]()|`*_#%$\\~")
PART_END = lazy_pattern(r"\n[ \t]*\n|\n(?=[ \t>]*(?:[-*+]|[\d•]{1,9}[.)])[ \t])|(?<!\\)\|")
"""The end of a paragraph, list item or cell: numbers stay within these parts."""
LineOf = Callable[[int], int]
"""A function from a position in a piece's text to the line of the input."""
KINDS = (
    ("code", lazy_pattern(r"[`~]|<(?:code|pre|kbd|samp|tt|script|style)\b|\$.*\$|\\[(\[]", re.DOTALL)),
    ("link", lazy_pattern(r"\[|<?[A-Za-z][A-Za-z0-9+.-]*:\S|www\.|<?[^\s@<>]+@[^\s@<>]+\.")),
    ("tag", lazy_pattern(r"<")),
    ("placeholder", lazy_pattern(r"[{%$]|:[a-z]|__")),
)


def differs_from_source(piece: Piece, answer: str) -> bool:
    """Whether the answer is not the text of the piece itself, which needs no check."""
    return bool(piece.text) and answer.strip() != piece.text


def line_finder(piece: Piece) -> LineOf:
    before = count_line_ends(piece.source[: locate_text(piece).start])
    ends = [count_line_ends(mask) for mask in piece.masks]

    def line_of(position: int) -> int:
        head = piece.text[:position]
        inside = sum(ends[int(number)] for number in MARK.findall(head)) if any(ends) else 0
        return piece.line + before + head.count("\n") + inside

    return line_of


def general_findings(piece: Piece, answer: str, rules: Rules, line_of: LineOf) -> Iterator[Finding]:
    """Yield what the checks of every format find; the lines of `answer` end with LF alone."""
    if not answer.strip():
        yield Finding(line_of(0), "empty", "answer is empty")
        return
    yield from _wrapping_findings(piece.text, answer, line_of)
    yield from mark_findings(piece, answer, line_of)
    for number in unnested_tags(piece.text, answer, piece.masks):
        at = piece.text.find(mark(number))
        yield Finding(line_of(at), "tag", f"tag {quote_excerpt(piece.masks[number])} closes nothing there")
    if piece.text.count("⟦") > 1:
        yield from _displaced_findings(piece, answer, line_of)
    yield from _added_findings(piece, answer, rules, line_of)
    yield from number_findings(piece.text, answer, line_of)


def directive_findings(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield what is in another order of the placeholders that take their values by their order."""
    from gptkit.text.checks.order import reordered_directives

    if directives := reordered_directives(piece.text, answer, piece.masks):
        yield Finding(line_of(0), "placeholder", f"placeholders '{directives}' are in another order")


def _displaced_findings(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    from gptkit.text.checks.order import displaced_marks

    for number in displaced_marks(piece.text, answer):
        at, mask = piece.text.find(mark(number)), piece.masks[number]
        kind = _kind_at(piece.text, at, mask)
        yield Finding(line_of(at), kind, f"{kind} {quote_excerpt(mask)} in another sentence")


def _wrapping_findings(text: str, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield what models put around an answer: a code fence, or a line that announces the answer."""
    if FENCE.match(answer) and not FENCE.match(text):
        yield Finding(line_of(0), "code", "code fence added")
    first = GAP.split(text, maxsplit=1)[0]
    if ANNOUNCED.match(answer) and not COLON.search(first):
        yield Finding(line_of(0), "blocks", "line before the text added")


def normalize_answer(answer: str) -> str:
    return END.sub("\n", answer).strip()


def mark_findings(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    expected, present = Counter(MARK.findall(piece.text)), Counter(MARK.findall(answer))
    for match in MARK.finditer(piece.text):
        number = match[1]
        if (times := present[number]) != expected[number]:
            how = "missing" if times < expected[number] else "doubled"
            mask = piece.masks[int(number)]
            if not times and _is_optional(mask):
                continue
            kind = _kind_at(piece.text, match.start(), mask)
            yield Finding(line_of(match.start()), kind, f"{kind} {quote_excerpt(mask)} {how}")
    for number in present.keys() - expected.keys():
        yield Finding(line_of(0), "mark", f"mark ⟦{number}⟧ invented")


def _is_optional(mask: str) -> bool:
    """Whether a mask is an entity for a mere character, as an apostrophe, which need not stay."""
    if not ENTITY.fullmatch(mask):
        return False
    from html import unescape

    return unescape(mask) not in STRUCTURAL


def number_findings(text: str, answer: str, line_of: LineOf) -> Iterator[Finding]:
    bare, bare_answer = MARK.sub("⟦", text), MARK.sub("⟦", answer)
    if not HAS_NUMBER.search(bare) and not HAS_NUMBER.search(bare_answer):
        return
    from gptkit.text.checks.numbers import differences  # loaded only for a text with numbers

    for start, part, answer_part in _paired_parts(bare, bare_answer):
        for difference in differences(part, answer_part):
            line = line_of(_position_with_marks(text, start + difference.start))
            yield Finding(line, "number" if difference.is_wrong else "digits", difference.message)


def _paired_parts(text: str, answer: str) -> Iterator[tuple[int, str, str]]:
    """Yield start and text of each paragraph, list item or cell, with its counterpart in the answer.

    If the answer has another number of parts, the whole texts are the only pair.
    """
    ends = [0, *(match.end() for match in PART_END.finditer(text)), len(text)]
    answer_ends = [0, *(match.end() for match in PART_END.finditer(answer)), len(answer)]
    if len(ends) != len(answer_ends):
        yield 0, text, answer
        return
    for start, end, first, last in zip(ends, ends[1:], answer_ends, answer_ends[1:], strict=False):
        yield start, text[start:end], answer[first:last]


def _kind_at(text: str, position: int, mask: str) -> str:
    return "link" if text[:position].endswith(("](", "][", "]")) else kind_of(mask)


def kind_of(mask: str) -> str:
    return next((kind for kind, pattern in KINDS if pattern.match(mask)), "mark")


def quote_excerpt(value: str) -> str:
    return f"'{shorten(value, SHOWN)}'"


def _added_findings(piece: Piece, answer: str, rules: Rules, line_of: LineOf) -> Iterator[Finding]:
    new = Counter(_constructs(answer, rules))
    if new and (new := new - Counter(_constructs(piece.text, rules))):
        for mask in new:
            yield Finding(line_of(0), kind_of(mask), f"{kind_of(mask)} {quote_excerpt(mask)} added")


def _constructs(text: str, rules: Rules) -> list[str]:
    masks = mask_text(text, rules)[1]
    return [
        mask for mask in masks if not OWN_MARK.match(mask) and kind_of(mask) != "mark" and mask[:1] != "["
    ]


def _position_with_marks(text: str, position: int) -> int:
    """Convert a position in a text whose marks are one character long to one in the text itself."""
    for match in MARK.finditer(text):
        if match.start() >= position:
            break
        position += len(match[0]) - 1
    return position
