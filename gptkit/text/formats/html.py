"""HTML: the text between block elements, with what is inline in it as marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar

from gptkit.text.chunk import BUFFER_LIMIT, HOLE, has_letters
from gptkit.text.formats.html_reader import CLOSE, START, TEXT, UNCLOSED, OpenElements, Token, tokens_of
from gptkit.text.formats.units import Segment, UnitFormat, find_middle
from gptkit.text.masking import COMMON_RULES, UNBREAKABLE, Context, Rules, Span, mask_text, tag_rule
from gptkit.text.pieces import Finding, Piece

INLINE = frozenset(
    {
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del", "dfn", "em"),
        *("font", "i", "img", "ins", "kbd", "mark", "nobr", "q", "rp", "rt", "ruby", "s", "samp", "small"),
        *("span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"),
    }
)
"""Elements that stand in the middle of a sentence; any other begins a text of its own."""
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
UNTOUCHED = frozenset(
    ["script", "style", "pre", "textarea", "template", "svg", "math", "object", "iframe", "xmp"]
)
ATOM = re.compile(
    rf"<(code|kbd|samp|tt)\b[^<>]*>.*?</\1\s*>|{UNBREAKABLE}|"
    r"<[^<>]*>|&[#\w]+;|\s+|[^\s<&]+?(?:[。！？，；]|(?=[\s<&]|\Z))|.",
    re.DOTALL | re.IGNORECASE,
)
HEAD = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)


KEEPS = re.compile("translate", re.IGNORECASE)
"""What an attribute holds, or a class, that keeps an element as it is."""


def _tag(text: str, start: int, context: Context) -> Span | None:
    """A tag, with all behind it that is not to be translated."""
    end = _kept(text)[0].get(start)
    return tag_rule(text, start, context) if end is None else (start, end)


class Html(UnitFormat):
    name = "html"
    rules: ClassVar[Rules] = {**COMMON_RULES, "<": _tag}
    endings = (".html", ".htm", ".xhtml")

    def recognises(self, head: str) -> bool:
        return HEAD.match(head) is not None

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        return _Segments().of(tokens_of(lines))

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        return text.replace("\n", syntax) if syntax else text

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        opened = UNCLOSED.search(mask_text(answer, self.rules)[0])
        if opened and not UNCLOSED.search(mask_text(unit.text, self.rules)[0]):
            yield Finding(unit.line, "tag", f"'{opened[0]}' opens a tag that nothing closes")

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        literal = segment.source[segment.start : segment.end]
        atoms = list(_atoms(literal))
        if len(atoms) < 2:
            atoms = [] if HOLE in mask_text(literal, self.rules)[0] else list(literal)
        if len(atoms) < 2:
            return None
        length = len("".join(atoms[: find_middle(atoms)]))
        if not literal[:length].strip() or not literal[length:].strip():
            return None
        cut = segment.start + length
        first, rest = literal[:length], literal[length:]
        return (
            segment._replace(source=segment.source[:cut], text=_unified(first, segment.syntax), end=cut),
            segment._replace(
                source=segment.source[cut:],
                text=_unified(rest, segment.syntax),
                start=0,
                end=segment.end - cut,
            ),
        )


def _atoms(literal: str) -> Iterator[str]:
    """What a cut must not part; an element that is kept, or holds one, is whole."""
    done = 0
    for start, end in [*_kept(literal)[1].items(), (len(literal), len(literal))]:
        yield from (found[0] for found in ATOM.finditer(literal, done, start))
        if end > start:
            yield literal[start:end]
        done = end


@lru_cache(maxsize=16)
def _kept(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """From where to where a text is to stay as it is, and where the elements stand that say so."""
    spans: dict[int, int] = {}
    elements: dict[int, int] = {}
    if not KEEPS.search(text):
        return spans, elements
    opened = OpenElements()
    place = begin = first = 0
    for token in tokens_of([text]):
        was_kept, was_ruled = opened.kept, opened.ruled_by >= 0
        opened.follow(token.kind, token.name, token.kept)
        begin = begin if was_kept else place
        first = first if was_ruled else place
        place += len(token.source)
        if was_kept or opened.kept:
            spans[begin] = place
        if was_ruled or opened.ruled_by >= 0:
            elements[first] = place
    return spans, elements


def _unified(text: str, end: str) -> str:
    return text.replace(end, "\n") if end else text


class _Segments:
    """A text ends where a block element begins or ends; what has no letter goes with the next.

    What is kept in the middle of a sentence is a part of it; what is kept around it is none.
    """

    def __init__(self) -> None:
        self._silent = ""
        self._run: list[str] = []
        self._size = 0
        self._untouched: list[str] = []
        self._heading = 0
        self._above: list[tuple[int, str]] = []
        self._open = OpenElements()
        self._base = 0  # elements around the run

    def of(self, tokens: Iterable[Token]) -> Iterator[Segment]:
        for token in tokens:
            if not self._run:
                self._base = self._open.depth
            outside = self._open.kept and self._open.ruled_by < self._base
            if token.kind != TEXT:
                self._open.follow(token.kind, token.name, token.kept)
            if not outside and self._is_inline(token):
                if token.kind == CLOSE:
                    self._base = min(self._base, self._open.depth)
                self._run.append(token.source)
                self._size += len(token.source)
                if self._size > BUFFER_LIMIT:
                    yield from self._text()
                continue
            yield from self._text()
            self._silent += token.source
            if len(self._silent) > BUFFER_LIMIT:
                yield Segment(self._silent)
                self._silent = ""
            self._note(token)
        yield from self._text()
        if self._silent:
            yield Segment(self._silent)

    def _is_inline(self, token: Token) -> bool:
        if self._untouched:
            return False
        if token.kind == TEXT:
            return not UNCLOSED.match(token.source)
        return token.name in INLINE

    def _note(self, token: Token) -> None:
        name = token.name
        opens = name == self._untouched[0] if self._untouched else name in UNTOUCHED
        if token.kind == START and opens:
            self._untouched.append(name)
        elif token.kind == CLOSE and self._untouched and name == self._untouched[-1]:
            self._untouched.pop()
        elif name in HEADINGS and not self._untouched:
            self._heading = int(name[1]) if token.kind == START else 0

    def _text(self) -> Iterator[Segment]:
        if not self._run:
            return
        text = "".join(self._run)
        self._run, self._size = [], 0
        holes = mask_text(text, Html.rules)[0] if has_letters(text) else ""
        if not has_letters(holes):
            self._silent += text
            return
        path = tuple(title for level, title in self._above if not self._heading or level < self._heading)
        start = len(self._silent)
        end = "\r\n" if text.count("\r\n") == text.count("\n") == text.count("\r") > 0 else ""
        whole = self._silent + text
        yield Segment(whole, _unified(text, end), start, len(whole), end, path=path)
        self._silent = ""
        if self._heading:
            title = " ".join(holes.replace(HOLE, "").split())
            self._above = [one for one in self._above if one[0] < self._heading] + [(self._heading, title)]
