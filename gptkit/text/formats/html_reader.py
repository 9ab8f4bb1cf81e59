"""HTML as tags and texts, read as browsers do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html.parser import HTMLParser
from typing import NamedTuple

from gptkit.text.chunk import BUFFER_LIMIT

TEXT, START, CLOSE, OTHER = range(4)
BARE = re.compile("<([A-Za-z][A-Za-z0-9]*)>")
BARE_END = re.compile("</([A-Za-z][A-Za-z0-9]*)>")
SPECIAL = frozenset(
    {
        *("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "noscript", "plaintext"),
        "xmp",
    }
)  # behind which the parser may read otherwise
UNCLOSED = re.compile("<[A-Za-z!?/]")
UNFINISHED = BUFFER_LIMIT * 4
"""Characters of a comment or tag that the parser is given; what is longer is passed on up to its end."""


class Token(NamedTuple):
    kind: int
    name: str
    source: str
    kept: bool | None = None
    """Whether the element that it opens is to stay as it is; None where that is not said."""


def tokens_of(lines: Iterable[str]) -> Iterator[Token]:
    """What the parser tells, each with the slice of the input up to the next."""
    parser = _Parser()
    held = awaited = ""
    for block in _blocks(lines):
        held += block
        if awaited:
            end = held.find(awaited)
            passed = end + len(awaited) if end >= 0 else max(0, len(held) - len(awaited))
            yield Token(OTHER, "", held[:passed])
            held = held[passed:]
            if end < 0:
                continue
            awaited = ""
            parser.begin = parser.place
            block = held  # noqa: PLW2901
        parser.feed(block)
        tokens, held = parser.taken(held)
        yield from tokens
        if len(held) > UNFINISHED:
            parser.rawdata = ""
            awaited = "-->" if held.startswith("<!--") else ">"
    if not UNCLOSED.match(held):
        parser.close()
        tokens, held = parser.taken(held)
        yield from tokens
    if held:
        yield Token(OTHER, "", held)


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    waiting: list[str] = []
    size = 0
    for line in lines:
        for start in range(0, len(line), BUFFER_LIMIT):
            part = line[start : start + BUFFER_LIMIT]
            waiting.append(part)
            size += len(part)
            if size >= BUFFER_LIMIT:
                yield "".join(waiting)
                waiting, size = [], 0
    yield "".join(waiting)


class _Parser(HTMLParser):
    """Tells where each token begins, counted from the start of the input."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.place = 0
        self.begin = 0  # of what the next tokens are taken from
        self._found: list[tuple[int, str, int, bool | None]] = []

    def updatepos(self, i: int, j: int) -> int:
        self.place += max(0, j - i)
        return j

    def parse_starttag(self, i: int) -> int:
        """Of most tags the parser has nothing to find out: they are a name alone."""
        found = None if self.cdata_elem else BARE.match(self.rawdata, i)
        if found is None or found[1].lower() in SPECIAL:
            return super().parse_starttag(i)
        self.handle_starttag(found[1].lower(), [])
        return found.end()

    def parse_endtag(self, i: int) -> int:
        found = None if self.cdata_elem else BARE_END.match(self.rawdata, i)
        if found is None:
            return super().parse_endtag(i)
        self.handle_endtag(found[1].lower())
        return found.end()

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """What browsers do not know, as `<![if !IE]>`, is a comment up to the next `>`."""
        if not self.rawdata.startswith("<![CDATA[", i):
            return self.parse_bogus_comment(i)
        end = self.rawdata.find("]]>", i)
        if end < 0:
            return -1
        self.unknown_decl("")
        return end + 3

    def taken(self, held: str) -> tuple[list[Token], str]:
        done = self.place - self.begin
        starts = [start - self.begin for _, _, start, _ in self._found]
        first = held[: starts[0] if starts else done]
        tokens = [Token(OTHER, "", first)] if first else []
        for (kind, name, _, kept), start, end in zip(self._found, starts, [*starts[1:], done], strict=False):
            tokens.append(Token(kind, name, held[start:end], kept))
        self._found, self.begin = [], self.place
        return tokens, held[done:]

    def _add(self, kind: int, name: str = "", kept: bool | None = None) -> None:
        self._found.append((kind, name, self.place, kept))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(START, tag, _kept(attrs) if attrs else None)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(OTHER, tag)

    def handle_endtag(self, tag: str) -> None:
        self._add(CLOSE, tag)

    def handle_data(self, data: str) -> None:
        self._add(TEXT)

    def handle_entityref(self, name: str) -> None:
        self._add(TEXT)

    def handle_charref(self, name: str) -> None:
        self._add(TEXT)

    def handle_comment(self, data: str) -> None:
        self._add(OTHER)

    def handle_decl(self, decl: str) -> None:
        self._add(OTHER)

    def handle_pi(self, data: str) -> None:
        self._add(OTHER)

    def unknown_decl(self, data: str) -> None:
        self._add(OTHER)


def _kept(attributes: Sequence[tuple[str, str | None]]) -> bool | None:
    for name, value in attributes:
        if name == "class" and "notranslate" in (value or "").split():
            return True
    for name, value in attributes:
        if name == "translate" and (word := (value or "").lower()) in KEPT:
            return KEPT[word]
    return None


KEPT = {"no": True, "yes": False, "": False}
"""Whether an element is kept, by its attribute `translate`; another value says nothing."""


VOID = frozenset(
    {
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source"),
        *("track", "wbr"),
    }
)
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl"),
        *("fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
        *("hgroup", "hr", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "table"),
        "ul",
    }
)
_ENDED_BY = {
    **dict.fromkeys(_BLOCKS, ("p",)),
    "li": ("li", "p"),
    **dict.fromkeys(("dt", "dd"), ("dt", "dd", "p")),
    **dict.fromkeys(("td", "th"), ("td", "th")),
    "tr": ("td", "th", "tr"),
    **dict.fromkeys(("thead", "tbody", "tfoot"), ("td", "th", "tr", "thead", "tbody", "tfoot")),
    "option": ("option",),
    "optgroup": ("option", "optgroup"),
    **dict.fromkeys(("rt", "rp"), ("rt", "rp")),
}
"""Elements that a start tag closes where their end tags were left out."""
_FENCES = frozenset(
    {
        *("applet", "button", "caption", "html", "marquee", "object", "ol", "ruby", "select", "table", "td"),
        *("body", "dl", "math", "menu", "svg", "template", "th", "ul"),
    }
)
"""Elements out of which no start tag closes another."""
DEEPEST = 512
"""Elements within one another that are told apart, as in browsers."""


class OpenElements:
    """Follows the tags of a document.

    Attributes:
        kept: whether what stands here is to stay as it is.
        ruled_by: how many elements are around the one that says so; -1 where none does.
    """

    def __init__(self) -> None:
        self.kept = False
        self.ruled_by = -1
        self._names: list[str] = []
        self._count: dict[str, int] = defaultdict(int)
        self._rulers: list[int] = []  # each of them says otherwise than the one around it

    @property
    def depth(self) -> int:
        return len(self._names)

    def follow(self, kind: int, name: str, kept: bool | None) -> None:
        """`kept` is whether the element asks for it; None where it says nothing."""
        if kind == START and name not in VOID:
            self._opened(name, kept)
        elif kind == CLOSE and self._count[name]:
            if self._names[-1] == name and self.ruled_by < len(self._names) - 1:
                self._names.pop()
                self._count[name] -= 1
            else:
                self._closed(name)

    def _opened(self, name: str, kept: bool | None) -> None:
        if name in _ENDED_BY:
            for ended in _ENDED_BY[name]:
                if self._count[ended]:
                    self._end(ended)
        if len(self._names) >= DEEPEST:
            return
        self._names.append(name)
        self._count[name] += 1
        if kept is not None and kept != self.kept:
            self._rulers.append(len(self._names) - 1)
            self._rule()

    def _closed(self, name: str) -> None:
        while True:
            last = self._names.pop()
            self._count[last] -= 1
            if self._rulers and self._rulers[-1] == len(self._names):
                self._rulers.pop()
                self._rule()
            if last == name:
                return

    def _end(self, name: str) -> None:
        """Closes the nearest of a name, unless something fences off what stands in it."""
        for open_name in reversed(self._names):
            if open_name == name:
                self._closed(name)
                return
            if open_name in _FENCES:
                return

    def _rule(self) -> None:
        self.kept = len(self._rulers) % 2 == 1
        self.ruled_by = self._rulers[-1] if self._rulers else -1
