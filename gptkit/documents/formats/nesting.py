"""Whether the tags of an answer still stand one within another, each closing one behind its opening one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gptkit.documents.formats.masking import OPAQUE
from gptkit.documents.pieces import MARK

TAG = re.compile(r"""<(/?)([A-Za-z][A-Za-z0-9:._-]*)(?:\s(?:[^<>"']|"[^"]*+"|'[^']*+')*+)?>""")

DEEPEST = 100  # tags that are never closed between an opening and a closing one


class Tag(NamedTuple):
    mark: int
    at: int  # in the mark
    name: str
    closes: bool


def unnested(text: str, answer: str, masks: Sequence[str]) -> list[int]:
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
    for mark in MARK.finditer(text):
        number = int(mark[1])
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
