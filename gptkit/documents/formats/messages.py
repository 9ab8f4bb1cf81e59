"""Placeholders of message formats in data files: ICU plurals and choices, i18next, vue-i18n."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptkit.documents.formats.masking import PLAIN, Context, Rule, Rules, Span
from gptkit.documents.pieces import MARK, Piece

ICU_OPEN = re.compile(
    r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,\s*(?:offset:[0-9]+\s*)?(?:=[0-9]+|\w+)\s*\{"
)
ICU_NEXT = re.compile(r"\}\s*(?:\}|(?:=[0-9]+|\w+)\s*\{)")
ICU_TYPED = re.compile(r"\{\s*\w+\s*,\s*(?:number|date|time|spellout|ordinal|duration)\b[^{}]*\}")
CALL = re.compile(r"\$t\([^()]*\)|@:(?:\([^()]*\)|[\w.]+)")


def _brace(text: str, start: int, context: Context) -> Span | None:
    found = ICU_OPEN.match(text, start) or ICU_TYPED.match(text, start)
    return found.span() if found else PLAIN["{"](text, start, context)


def _closing(text: str, start: int, _context: Context) -> Span | None:
    found = ICU_NEXT.match(text, start)
    return found.span() if found else None


def _call(sign: str) -> Rule:
    def rule(text: str, start: int, context: Context) -> Span | None:
        found = CALL.match(text, start)
        return found.span() if found else PLAIN[sign](text, start, context)

    return rule


RULES: Rules = {**PLAIN, "{": _brace, "}": _closing, "$": _call("$"), "@": _call("@")}
PLURAL = re.compile(r"\{\s*\w+\s*,\s*(?:plural|selectordinal)\s*,")
BRANCH = re.compile(r"(?:=[0-9]+|\w+)\s*\{$")
OF_ONE_NUMBER = re.compile(r"(?:=[0-9]+|\b(?:zero|one|two))\s*\{$")
"""Branches that may say their number in words."""


def lost_signs(unit: Piece, answer: str) -> Iterator[tuple[str, bool]]:
    """What is not there of percent signs in formats, and of what stands for the number in plurals; and
    whether that is wrong in any language."""
    masks = [unit.masks[int(found)] for found in MARK.findall(unit.text)]
    if any(mask[:1] == "%" for mask in masks) and answer.count("%%") < unit.text.count("%%"):
        yield "%%", True
    if "#" not in unit.text or not any(PLURAL.match(mask) for mask in masks):
        return
    after = dict(_branches(answer, unit.masks))
    for number, branch in _branches(unit.text, unit.masks):
        there = after.get(number)
        if there is not None and there.count("#") < branch.count("#"):
            yield "#", not OF_ONE_NUMBER.search(unit.masks[number])


def _branches(text: str, masks: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """By the mark that opens it, what is said in each branch."""
    number, said = None, ""
    parts = MARK.split(text)
    for mark, behind in zip(map(int, parts[1::2]), parts[2::2], strict=True):
        mask = masks[mark] if mark < len(masks) else ""
        if BRANCH.search(mask) or mask[:1] == "}":
            if number is not None:
                yield number, said
            number, said = (mark if BRANCH.search(mask) else None), ""
        said += behind
    if number is not None:
        yield number, said
