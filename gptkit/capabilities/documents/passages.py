"""Passages: the blocks of a document, packed so that a request can hold a dozen, with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gptkit.core.patterns import lazy_pattern
from gptkit.readers import Block, DocumentPlace, joined_place

FULL = 900
"""Size from which on a passage takes no further block. A Chinese character counts as two."""
LONGEST = 1800
"""Size of the longest block that is not cut."""
SHORT = 200
"""Size below which a passage goes on below the next heading."""
SENTENCE_END = lazy_pattern(r"[.!?][\"'”’)\]]*\s+|[。！？；][”’」』）]*|\n")
Located = tuple[int, str, int, int, str | None]
"""Where a block begins in the text of its passage, and the fields of its DocumentPlace."""


class Passage(NamedTuple):
    """A part of a document. `heading` joins the document's title and the headings above with ` / `."""

    heading: str
    text: str
    places: tuple[Located, ...]

    def place(self, start: int = 0, end: int | None = None) -> DocumentPlace:
        """The place of a part of the text, as narrow as it is known."""
        end = len(self.text) if end is None else end
        inner = [at for at, one in enumerate(self.places) if one[0] < max(end, start + 1)]
        first = max((at for at in inner if self.places[at][0] <= start), default=0)
        last = inner[-1] if inner else 0
        begin, finish = self._narrow(first, start, end), self._narrow(last, start, end)
        return joined_place(begin, finish) or begin

    def _narrow(self, at: int, start: int, end: int) -> DocumentPlace:
        """The place of what block number `at` holds of a part of the text; exact where its lines are."""
        offset, kind, first, last, label = self.places[at]
        following = self.places[at + 1][0] if at + 1 < len(self.places) else len(self.text)
        block = self.text[offset:following].rstrip("\n")
        if kind != "line" or block.count("\n") != last - first:
            return DocumentPlace(kind, first, last, label)
        begin = self.text.count("\n", offset, max(start, offset))
        finish = self.text.count("\n", offset, max(start, offset, min(end, offset + len(block)) - 1))
        return DocumentPlace(kind, first + begin, first + finish, label)


def passages_of(blocks: Iterable[Block], title: str) -> Iterator[Passage]:
    """Pack blocks into passages; `title` stands above every heading."""
    held: list[Block] = []
    size = 0
    for block in _cut(blocks):
        is_new = held and block.heading != held[0].heading and size >= SHORT
        if held and (is_new or size + text_size(block.text) > FULL):
            yield _passage(held, title)
            held, size = [], 0
        held.append(block)
        size += text_size(block.text)
    if held:
        yield _passage(held, title)


def text_size(text: str) -> int:
    """The length of a text in which characters of three bytes count twice, as they say twice as much."""
    return len(text) if text.isascii() else (len(text) + len(text.encode("utf-8", "surrogatepass"))) // 2


def _passage(blocks: list[Block], title: str) -> Passage:
    text, places = "", []
    for block in blocks:
        if text:
            text += "\n" if block.place.kind == "row" else "\n\n"
        places.append((len(text), *block.place))
        text += block.text
    return Passage(" / ".join((title, *blocks[0].heading)), text, tuple(places))


def _cut(blocks: Iterable[Block]) -> Iterator[Block]:
    """Cut what is too long, at the ends of sentences if it has some."""
    for block in blocks:
        if not block.text.strip():
            continue
        rest, place = block.text, block.place
        has_lines = place.kind == "line" and rest.count("\n") == place.end - place.start
        while text_size(rest) > LONGEST:
            end = _cut_position(rest)
            lines = rest.count("\n", 0, end)
            last = place.start + lines - (rest[end - 1] == "\n") if has_lines else place.end
            part = rest[:end].removesuffix("\n")
            yield Block(part, place._replace(end=max(place.start, last)), block.heading)
            rest = rest[end:]
            if has_lines:
                place = place._replace(start=place.start + lines)
        if rest.strip():
            yield Block(rest, place, block.heading)


def _cut_position(text: str) -> int:
    """Where a long text is cut: after the last sentence end before the limit, else at the limit."""
    most = LONGEST * len(text) // text_size(text) if not text.isascii() else LONGEST
    window = text[: max(1, most)]
    ends = [match.end() for match in SENTENCE_END.finditer(window)]
    return next((end for end in reversed(ends) if end >= len(window) // 3), len(window))
