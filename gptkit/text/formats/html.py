"""HTML: the text between block elements is translated; inline elements are marks in that text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar, Self

from gptkit.text.chunk import BUFFER_LIMIT, HOLE, has_letters
from gptkit.text.formats.html_reader import CLOSE, START, TEXT, UNCLOSED, OpenElements, Token, read_tokens
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
"""Elements within a sentence; any other element begins a text of its own."""
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


LANGUAGE = re.compile(r"""(\s(?:xml:)?lang\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
CHARSET = re.compile(
    r"""((?:charset|<\?xml\b[^>]*\sencoding)\s*=\s*["']?)(?!utf-?8\b)[\w.:-]+""", re.IGNORECASE
)


def _declare_result(token: Token, language: str) -> str:
    """Return the source of a token; one that declares a language or charset gets those of the result.

    If `language` is empty, the declared language stays.
    """
    if token.name == "html" and token.kind == START and language:
        return LANGUAGE.sub(lambda match: f'{match[1]}"{language}"', token.source)
    if token.name == "meta" or token.source.startswith("<?xml"):
        return CHARSET.sub(r"\1utf-8", token.source)
    return token.source


KEEPS = re.compile("translate", re.IGNORECASE)
"""Part of every attribute or class that keeps an element from being translated."""


def _tag_rule(text: str, start: int, context: Context) -> Span | None:
    """Mask a tag, or an element that must not be translated as a whole."""
    end = _untranslated_spans(text)[0].get(start)
    return tag_rule(text, start, context) if end is None else (start, end)


class Html(UnitFormat):
    name = "html"
    rules: ClassVar[Rules] = {**COMMON_RULES, "<": _tag_rule}

    def __init__(self, language: str = "") -> None:
        self._language = language

    def for_language(self, language: str, _source: str = "") -> Self:
        """Return the format for a translation into a language, given by its BCP 47 tag."""
        return type(self)(language)

    def recognises(self, head: str) -> bool:
        return HEAD.match(head) is not None

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        tokens = read_tokens(lines)
        declared = (token._replace(source=_declare_result(token, self._language)) for token in tokens)
        return _Segmenter().segments(declared)

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
            segment._replace(
                source=segment.source[:cut], text=_unify_line_ends(first, segment.syntax), end=cut
            ),
            segment._replace(
                source=segment.source[cut:],
                text=_unify_line_ends(rest, segment.syntax),
                start=0,
                end=segment.end - cut,
            ),
        )


def _atoms(literal: str) -> Iterator[str]:
    """Split a text into parts that must not be cut, as an element with another that is not translated."""
    done = 0
    for start, end in [*_untranslated_spans(literal)[1].items(), (len(literal), len(literal))]:
        yield from (match[0] for match in ATOM.finditer(literal, done, start))
        if end > start:
            yield literal[start:end]
        done = end


@lru_cache(maxsize=16)
def _untranslated_spans(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return the spans of a text that are not translated, and those of the elements that decide that."""
    spans: dict[int, int] = {}
    elements: dict[int, int] = {}
    if not KEEPS.search(text):
        return spans, elements
    opened = OpenElements()
    place = begin = first = 0
    for token in read_tokens([text]):
        was_kept, was_decided = opened.is_kept, opened.deciding_depth >= 0
        opened.follow(token.kind, token.name, token.is_kept)
        begin = begin if was_kept else place
        first = first if was_decided else place
        place += len(token.source)
        if was_kept or opened.is_kept:
            spans[begin] = place
        if was_decided or opened.deciding_depth >= 0:
            elements[first] = place
    return spans, elements


def _unify_line_ends(text: str, end: str) -> str:
    return text.replace(end, "\n") if end else text


class _Segmenter:
    """Splits the tokens of a document into segments.

    A text ends where a block element begins or ends; one without a letter is added to the next segment. An
    element that is not translated belongs to the text around it, unless there is none.
    """

    def __init__(self) -> None:
        self._without_text = ""  # source without a text, which goes to the next segment
        self._run: list[str] = []  # sources of the text and inline elements that come last
        self._size = 0  # characters of `_run`
        self._open_untouched: list[str] = []
        self._heading = 0
        self._headings: list[tuple[int, str]] = []
        self._open = OpenElements()
        self._base = 0  # number of elements around `_run`

    def segments(self, tokens: Iterable[Token]) -> Iterator[Segment]:
        for token in tokens:
            if not self._run:
                self._base = self._open.depth
            is_kept_around = self._open.is_kept and self._open.deciding_depth < self._base
            if token.kind != TEXT:
                self._open.follow(token.kind, token.name, token.is_kept)
            if not is_kept_around and self._is_inline(token):
                if token.kind == CLOSE:
                    self._base = min(self._base, self._open.depth)
                self._run.append(token.source)
                self._size += len(token.source)
                if self._size > BUFFER_LIMIT:
                    yield from self._flush_text()
                continue
            yield from self._flush_text()
            self._without_text += token.source
            if len(self._without_text) > BUFFER_LIMIT:
                yield Segment(self._without_text)
                self._without_text = ""
            self._follow_element(token)
        yield from self._flush_text()
        if self._without_text:
            yield Segment(self._without_text)

    def _is_inline(self, token: Token) -> bool:
        if self._open_untouched:
            return False
        if token.kind == TEXT:
            return not UNCLOSED.match(token.source)
        return token.name in INLINE

    def _follow_element(self, token: Token) -> None:
        name = token.name
        opens = name == self._open_untouched[0] if self._open_untouched else name in UNTOUCHED
        if token.kind == START and opens:
            self._open_untouched.append(name)
        elif token.kind == CLOSE and self._open_untouched and name == self._open_untouched[-1]:
            self._open_untouched.pop()
        elif name in HEADINGS and not self._open_untouched:
            self._heading = int(name[1]) if token.kind == START else 0

    def _flush_text(self) -> Iterator[Segment]:
        if not self._run:
            return
        text = "".join(self._run)
        self._run, self._size = [], 0
        holes = mask_text(text, Html.rules)[0] if has_letters(text) else ""
        if not has_letters(holes):
            self._without_text += text
            return
        path = tuple(title for level, title in self._headings if not self._heading or level < self._heading)
        start = len(self._without_text)
        end = "\r\n" if text.count("\r\n") == text.count("\n") == text.count("\r") > 0 else ""
        whole = self._without_text + text
        yield Segment(whole, _unify_line_ends(text, end), start, len(whole), end, path=path)
        self._without_text = ""
        if self._heading:
            title = " ".join(holes.replace(HOLE, "").split())
            above = [heading for heading in self._headings if heading[0] < self._heading]
            self._headings = [*above, (self._heading, title)]
