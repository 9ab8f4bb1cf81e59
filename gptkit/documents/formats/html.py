"""HTML: the text between block elements, with what is inline in it as marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from gptkit.documents.chunk import HELD, HOLE, spoken
from gptkit.documents.formats.masking import PLAIN, WHOLE, masked
from gptkit.documents.formats.units import Segment, UnitFormat, middle
from gptkit.documents.pieces import Finding, Piece

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
UNFINISHED = HELD * 4
"""Characters of a comment or tag that the parser is given; what is longer is passed on up to its end."""
ATOM = re.compile(
    rf"<(code|kbd|samp|tt)\b[^<>]*>.*?</\1\s*>|{WHOLE}|"
    r"<[^<>]*>|&[#\w]+;|\s+|[^\s<&]+?(?:[。！？，；]|(?=[\s<&]|\Z))|.",
    re.DOTALL | re.IGNORECASE,
)
HEAD = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)


class Html(UnitFormat):
    name = "html"
    endings = (".html", ".htm", ".xhtml")

    def recognises(self, head: str) -> bool:
        return HEAD.match(head) is not None

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        return _Segments().of(_tokens(lines))

    def written(self, literal: str, text: str, how: str) -> str:
        return text.replace("\n", how) if how else text

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        opened = UNCLOSED.search(masked(answer, PLAIN)[0])
        if opened and not UNCLOSED.search(masked(unit.text, PLAIN)[0]):
            yield Finding(unit.line, "tag", f"'{opened[0]}' opens a tag that nothing closes")

    def parted(self, segment: Segment) -> tuple[Segment, Segment] | None:
        literal = segment.source[segment.start : segment.end]
        atoms = [found[0] for found in ATOM.finditer(literal)]
        if len(atoms) < 2:
            atoms = [] if HOLE in masked(literal, PLAIN)[0] else list(literal)
        if len(atoms) < 2:
            return None
        length = len("".join(atoms[: middle(atoms)]))
        if not literal[:length].strip() or not literal[length:].strip():
            return None
        cut = segment.start + length
        first, rest = literal[:length], literal[length:]
        return (
            segment._replace(source=segment.source[:cut], text=_unified(first, segment.how), end=cut),
            segment._replace(
                source=segment.source[cut:], text=_unified(rest, segment.how), start=0, end=segment.end - cut
            ),
        )


def _unified(text: str, end: str) -> str:
    return text.replace(end, "\n") if end else text


class Token(NamedTuple):
    kind: int
    name: str
    source: str


class _Segments:
    """A text ends where a block element begins or ends; what has no letter goes with the next."""

    def __init__(self) -> None:
        self._silent = ""
        self._run: list[str] = []
        self._size = 0
        self._untouched: list[str] = []
        self._heading = 0
        self._above: list[tuple[int, str]] = []

    def of(self, tokens: Iterable[Token]) -> Iterator[Segment]:
        for token in tokens:
            if self._is_inline(token):
                self._run.append(token.source)
                self._size += len(token.source)
                if self._size > HELD:
                    yield from self._text()
                continue
            yield from self._text()
            self._silent += token.source
            if len(self._silent) > HELD:
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
        holes = masked(text, PLAIN)[0] if spoken(text) else ""
        if not spoken(holes):
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


def _tokens(lines: Iterable[str]) -> Iterator[Token]:
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
        for start in range(0, len(line), HELD):
            part = line[start : start + HELD]
            waiting.append(part)
            size += len(part)
            if size >= HELD:
                yield "".join(waiting)
                waiting, size = [], 0
    yield "".join(waiting)


class _Parser(HTMLParser):
    """Tells where each token begins, counted from the start of the input."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.place = 0
        self.begin = 0  # of what the next tokens are taken from
        self._found: list[tuple[int, str, int]] = []

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

    def taken(self, held: str) -> tuple[list[Token], str]:
        done = self.place - self.begin
        starts = [start - self.begin for _, _, start in self._found]
        first = held[: starts[0] if starts else done]
        tokens = [Token(OTHER, "", first)] if first else []
        for (kind, name, _), start, end in zip(self._found, starts, [*starts[1:], done], strict=False):
            tokens.append(Token(kind, name, held[start:end]))
        self._found, self.begin = [], self.place
        return tokens, held[done:]

    def _add(self, kind: int, name: str = "") -> None:
        self._found.append((kind, name, self.place))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(START, tag)

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
