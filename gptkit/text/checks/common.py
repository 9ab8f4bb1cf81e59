"""What every format proves of an answer: marks once each, numbers as they were, nothing invented."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gptkit.text.compose import END, GAP, count_line_ends, locate_text
from gptkit.text.masking import OPAQUE, OWN_MARK, Rules, mask_text
from gptkit.text.pieces import MARK, Finding, Piece, mark

TAG = re.compile(r"""<(/?)([A-Za-z][A-Za-z0-9:._-]*)(?:\s(?:[^<>"']|"[^"]*+"|'[^']*+')*+)?>""")

DEEPEST = 100  # tags that are never closed between an opening and a closing one


class Tag(NamedTuple):
    mark: int
    at: int  # in the mark
    name: str
    closes: bool


def unnested_tags(text: str, answer: str, masks: Sequence[str]) -> list[int]:
    """Marks of closing tags that in the answer do not close what they should, though they do in the text."""
    if not any(mask.startswith("</") or ("</" in mask and mask[0] == "<") for mask in masks):
        return []
    paired = _paired(_tags(text, masks))
    found = []
    opened: list[str] = []
    for tag in _tags(answer, masks):
        if (tag.mark, tag.at) not in paired:
            continue
        if not tag.closes:
            opened.append(tag.name)
        elif opened and opened[-1] == tag.name:
            opened.pop()
        else:
            found.append(tag.mark)
            if tag.name in opened:
                opened.remove(tag.name)
    return found


def _tags(text: str, masks: Sequence[str]) -> Iterator[Tag]:
    for hole in MARK.finditer(text):
        number = int(hole[1])
        if number >= len(masks) or masks[number][:1] != "<" or OPAQUE.match(masks[number]):
            continue
        for found in TAG.finditer(masks[number]):
            if not found[0].endswith("/>"):
                yield Tag(number, found.start(), found[2].lower(), closes=bool(found[1]))


def _paired(tags: Iterator[Tag]) -> set[tuple[int, int]]:
    """The tags that open and close an element whole."""
    found: set[tuple[int, int]] = set()
    opened: list[Tag] = []
    for tag in tags:
        if not tag.closes:
            opened.append(tag)
            continue
        nearest = range(len(opened) - 1, max(-1, len(opened) - 1 - DEEPEST), -1)
        place = next((at for at in nearest if opened[at].name == tag.name), None)
        if place is not None:
            found |= {(opened[place].mark, opened[place].at), (tag.mark, tag.at)}
            del opened[place:]
    return found


SHOWN = 60
HAS_NUMBER = re.compile(r"[\d¼-¾⅐-⅞]")
FENCE = re.compile(r"```|~~~")
COLON = re.compile("[:：]")
ANNOUNCED = re.compile(r"[^\n]*[:：][ \t]*\n[ \t]*\S")
ENTITY = re.compile(r"&#?\w+;")
STRUCTURAL = frozenset("<>{}[]()|`*_#%$\\~")
PART_END = re.compile(r"\n[ \t]*\n|\n(?=[ \t>]*(?:[-*+]|[\d•]{1,9}[.)])[ \t])|(?<!\\)\|")
"""Between parts of a text whose numbers stay where they are."""
LineOf = Callable[[int], int]
"""From a place in a piece's text to the line of the input."""
KINDS = (
    ("code", re.compile(r"[`~]|<(?:code|pre|kbd|samp|tt|script|style)\b|\$.*\$|\\[(\[]", re.DOTALL)),
    ("link", re.compile(r"\[|<?[A-Za-z][A-Za-z0-9+.-]*:\S|www\.|<?[^\s@<>]+@[^\s@<>]+\.")),
    ("tag", re.compile(r"<")),
    ("placeholder", re.compile(r"[{%$]")),
)


def differs_from_source(piece: Piece, answer: str) -> bool:
    """False where the answer is what was asked, letter by letter."""
    return bool(piece.text) and answer.strip() != piece.text


def line_finder(piece: Piece) -> LineOf:
    place = locate_text(piece)
    before = count_line_ends(piece.source[: place.start])
    ends = [count_line_ends(mask) for mask in piece.masks]

    def line_of(position: int) -> int:
        head = piece.text[:position]
        inside = sum(ends[int(number)] for number in MARK.findall(head)) if any(ends) else 0
        return piece.line + before + head.count("\n") + inside

    return line_of


def general_findings(piece: Piece, answer: str, rules: Rules, line_of: LineOf) -> Iterator[Finding]:
    """`answer` has its lines ended by LF alone."""
    if not answer.strip():
        yield Finding(line_of(0), "empty", "answer is empty")
        return
    yield from _wrapping(piece.text, answer, line_of)
    yield from mark_findings(piece, answer, line_of)
    for number in unnested_tags(piece.text, answer, piece.masks):
        at = piece.text.find(mark(number))
        yield Finding(line_of(at), "tag", f"tag {quote_excerpt(piece.masks[number])} closes nothing there")
    yield from _invented(piece, answer, rules, line_of)
    yield from number_findings(piece.text, answer, line_of)


def _wrapping(text: str, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """What models put around an answer: a fence, a line that announces it."""
    if FENCE.match(answer) and not FENCE.match(text):
        yield Finding(line_of(0), "code", "code fence added")
    first = GAP.split(text, maxsplit=1)[0]
    if ANNOUNCED.match(answer) and not COLON.search(first):
        yield Finding(line_of(0), "blocks", "line before the text added")


def normalize_answer(answer: str) -> str:
    return END.sub("\n", answer).strip()


def mark_findings(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    wanted, got = Counter(MARK.findall(piece.text)), Counter(MARK.findall(answer))
    for found in MARK.finditer(piece.text):
        number = found[1]
        if (times := got[number]) != wanted[number]:
            how = "missing" if times < wanted[number] else "doubled"
            mask = piece.masks[int(number)]
            if not times and _may_go(mask):
                continue
            kind = "link" if piece.text[: found.start()].endswith(("](", "][", "]")) else kind_of(mask)
            yield Finding(line_of(found.start()), kind, f"{kind} {quote_excerpt(mask)} {how}")
    for number in got.keys() - wanted.keys():
        yield Finding(line_of(0), "mark", f"mark ⟦{number}⟧ invented")


def _may_go(mask: str) -> bool:
    """Whether it is a mere character, as an apostrophe or a letter with an accent, which need not stay."""
    if not ENTITY.fullmatch(mask):
        return False
    from html import unescape

    return unescape(mask) not in STRUCTURAL


def number_findings(text: str, answer: str, line_of: LineOf) -> Iterator[Finding]:
    bare, bare_answer = MARK.sub("⟦", text), MARK.sub("⟦", answer)
    if not HAS_NUMBER.search(bare) and not HAS_NUMBER.search(bare_answer):
        return
    from gptkit.text.checks.numbers import differences  # when there is need

    for start, part, other in _pairs(bare, bare_answer):
        for one in differences(part, other):
            line = line_of(_original(text, start + one.start))
            yield Finding(line, "number" if one.is_wrong else "digits", one.message)


def _pairs(text: str, answer: str) -> Iterator[tuple[int, str, str]]:
    """Paragraphs, list items and cells, each with its like in the answer; all in one if it has fewer."""
    ends = [0, *(found.end() for found in PART_END.finditer(text)), len(text)]
    other = [0, *(found.end() for found in PART_END.finditer(answer)), len(answer)]
    if len(ends) != len(other):
        yield 0, text, answer
        return
    for start, end, first, last in zip(ends, ends[1:], other, other[1:], strict=False):
        yield start, text[start:end], answer[first:last]


def kind_of(mask: str) -> str:
    return next((kind for kind, pattern in KINDS if pattern.match(mask)), "mark")


def quote_excerpt(value: str) -> str:
    value = " ".join(value.split())
    return f"'{value if len(value) <= SHOWN else value[: SHOWN - 1] + '…'}'"


def _invented(piece: Piece, answer: str, rules: Rules, line_of: LineOf) -> Iterator[Finding]:
    new = Counter(_constructs(answer, rules))
    if new and (new := new - Counter(_constructs(piece.text, rules))):
        for mask in new:
            yield Finding(line_of(0), kind_of(mask), f"{kind_of(mask)} {quote_excerpt(mask)} added")


def _constructs(text: str, rules: Rules) -> list[str]:
    found: Sequence[str] = mask_text(text, rules)[1]
    return [
        mask for mask in found if not OWN_MARK.match(mask) and kind_of(mask) != "mark" and mask[:1] != "["
    ]


def _original(text: str, position: int) -> int:
    """A place in a text whose marks were cut short to one character, in the text as it is."""
    for found in MARK.finditer(text):
        if found.start() >= position:
            break
        position += len(found[0]) - 1
    return position
