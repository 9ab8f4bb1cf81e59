"""Read HTML as a sequence of tags and texts, and follow which elements are open, as browsers do."""

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
)  # elements behind whose start tag the parser may read text by other rules
UNCLOSED = re.compile("<[A-Za-z!?/]")
UNFINISHED = BUFFER_LIMIT * 4
"""Characters of a comment or tag that the parser is given; a longer one is passed on unread up to its end."""


class Token(NamedTuple):
    kind: int
    name: str
    source: str
    is_kept: bool | None = None
    """Whether the element that the tag opens asks not to be translated; None if it does not say."""


def read_tokens(lines: Iterable[str]) -> Iterator[Token]:
    """Split a document into tokens; the sources of all tokens together are the input."""
    parser = _Parser()
    buffer = terminator = ""
    for block in _blocks(lines):
        buffer += block
        if terminator:
            end = buffer.find(terminator)
            skipped = end + len(terminator) if end >= 0 else max(0, len(buffer) - len(terminator))
            yield Token(OTHER, "", buffer[:skipped])
            buffer = buffer[skipped:]
            if end < 0:
                continue
            terminator = ""
            parser.begin = parser.place
            block = buffer  # noqa: PLW2901
        parser.feed(block)
        tokens, buffer = parser.take_tokens(buffer)
        yield from tokens
        if len(buffer) > UNFINISHED:
            parser.rawdata = ""
            terminator = "-->" if buffer.startswith("<!--") else ">"
    if not UNCLOSED.match(buffer):
        parser.close()
        tokens, buffer = parser.take_tokens(buffer)
        yield from tokens
    if buffer:
        yield Token(OTHER, "", buffer)


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    parts: list[str] = []
    size = 0
    for line in lines:
        for start in range(0, len(line), BUFFER_LIMIT):
            part = line[start : start + BUFFER_LIMIT]
            parts.append(part)
            size += len(part)
            if size >= BUFFER_LIMIT:
                yield "".join(parts)
                parts, size = [], 0
    yield "".join(parts)


class _Parser(HTMLParser):
    """A parser that notes the position of each token, counted from the start of the input."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.place = 0
        self.begin = 0  # the position up to which tokens were taken
        self._tokens: list[tuple[int, str, int, bool | None]] = []

    def updatepos(self, i: int, j: int) -> int:
        self.place += max(0, j - i)
        return j

    def parse_starttag(self, i: int) -> int:
        """Read a tag that is a name alone, as most are, faster than the parser would."""
        match = None if self.cdata_elem else BARE.match(self.rawdata, i)
        if match is None or match[1].lower() in SPECIAL:
            return super().parse_starttag(i)
        self.handle_starttag(match[1].lower(), [])
        return match.end()

    def parse_endtag(self, i: int) -> int:
        match = None if self.cdata_elem else BARE_END.match(self.rawdata, i)
        if match is None:
            return super().parse_endtag(i)
        self.handle_endtag(match[1].lower())
        return match.end()

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Read a section that browsers do not know, as `<![if !IE]>`, as a comment up to the next `>`."""
        if not self.rawdata.startswith("<![CDATA[", i):
            return self.parse_bogus_comment(i)
        end = self.rawdata.find("]]>", i)
        if end < 0:
            return -1
        self.unknown_decl("")
        return end + 3

    def take_tokens(self, buffer: str) -> tuple[list[Token], str]:
        """Return the tokens since the last call with their sources from `buffer`, and its rest."""
        done = self.place - self.begin
        starts = [start - self.begin for _, _, start, _ in self._tokens]
        first = buffer[: starts[0] if starts else done]
        tokens = [Token(OTHER, "", first)] if first else []
        for (kind, name, _, is_kept), start, end in zip(
            self._tokens, starts, [*starts[1:], done], strict=False
        ):
            tokens.append(Token(kind, name, buffer[start:end], is_kept))
        self._tokens, self.begin = [], self.place
        return tokens, buffer[done:]

    def _add(self, kind: int, name: str = "", is_kept: bool | None = None) -> None:
        self._tokens.append((kind, name, self.place, is_kept))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(START, tag, _asks_to_be_kept(attrs) if attrs else None)

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


def _asks_to_be_kept(attributes: Sequence[tuple[str, str | None]]) -> bool | None:
    for name, value in attributes:
        if name == "class" and "notranslate" in (value or "").split():
            return True
    for name, value in attributes:
        if name == "translate" and (word := (value or "").lower()) in TRANSLATE_VALUES:
            return TRANSLATE_VALUES[word]
    return None


TRANSLATE_VALUES = {"no": True, "yes": False, "": False}
"""Whether an element is kept, by the value of its attribute `translate`; any other value says nothing."""


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
_CLOSED_BY = {
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
"""The elements without an end tag that a start tag closes."""
_SCOPES = frozenset(
    {
        *("applet", "button", "caption", "html", "marquee", "object", "ol", "ruby", "select", "table", "td"),
        *("body", "dl", "math", "menu", "svg", "template", "th", "ul"),
    }
)
"""Elements within which a start tag closes no element outside."""
DEEPEST = 512
"""Elements within one another that are followed, as in browsers; deeper ones are ignored."""


class OpenElements:
    """The elements that are open at a place of a document.

    Attributes:
        is_kept: whether the text here must not be translated.
        deciding_depth: the depth of the element whose attribute decides that; -1 if no element does.
    """

    def __init__(self) -> None:
        self.is_kept = False
        self.deciding_depth = -1
        self._names: list[str] = []
        self._count: dict[str, int] = defaultdict(int)
        self._deciders: list[int] = []  # depths of elements that decide otherwise than the one around

    @property
    def depth(self) -> int:
        return len(self._names)

    def follow(self, kind: int, name: str, is_kept: bool | None) -> None:
        """Take in the next tag; `is_kept` is what its attributes say, or None."""
        if kind == START and name not in VOID:
            self._open(name, is_kept)
        elif kind == CLOSE and self._count[name]:
            if self._names[-1] == name and self.deciding_depth < len(self._names) - 1:
                self._names.pop()
                self._count[name] -= 1
            else:
                self._close(name)

    def _open(self, name: str, is_kept: bool | None) -> None:
        if name in _CLOSED_BY:
            for ended in _CLOSED_BY[name]:
                if self._count[ended]:
                    self._close_nearest(ended)
        if len(self._names) >= DEEPEST:
            return
        self._names.append(name)
        self._count[name] += 1
        if is_kept is not None and is_kept != self.is_kept:
            self._deciders.append(len(self._names) - 1)
            self._update()

    def _close(self, name: str) -> None:
        while True:
            last = self._names.pop()
            self._count[last] -= 1
            if self._deciders and self._deciders[-1] == len(self._names):
                self._deciders.pop()
                self._update()
            if last == name:
                return

    def _close_nearest(self, name: str) -> None:
        """Close the nearest open element of a name, unless a scope lies in between."""
        for open_name in reversed(self._names):
            if open_name == name:
                self._close(name)
                return
            if open_name in _SCOPES:
                return

    def _update(self) -> None:
        self.is_kept = len(self._deciders) % 2 == 1
        self.deciding_depth = self._deciders[-1] if self._deciders else -1
