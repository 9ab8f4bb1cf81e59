"""Markdown: CommonMark with tables, task lists, footnotes, formulas and front matter."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from gptkit.core.patterns import lazy_pattern
from gptkit.text.checks.common import (
    LineOf,
    differs_from_source,
    directive_findings,
    general_findings,
    kind_of,
    line_finder,
    normalize_answer,
    quote_excerpt,
)
from gptkit.text.chunk import BLOCK, HEADING, HOLE, INSIDE, TextBlock, make_block, split_block, split_lines
from gptkit.text.compose import build_pieces, count_line_ends, halve, restore_layout
from gptkit.text.formats import markdown_reader
from gptkit.text.formats.markdown_outline import outline_findings
from gptkit.text.formats.markdown_reader import (
    ADMONITION,
    END,
    Leaf,
    leaves,
    split_front_matter,
)
from gptkit.text.masking import (
    BACKTICKS,
    COMMON_RULES,
    REACH,
    VARIABLES,
    Context,
    Rules,
    Span,
    address_rule,
    mask_text,
    merge_holes,
    pattern_rule,
)
from gptkit.text.pieces import MARK, Finding, Piece, unmask

if TYPE_CHECKING:
    from gptkit.text.formats.front_matter import FrontMatter

WORDS_OF_A_NAME = 3


def normalize_label(text: str) -> str:
    """Return a link label in the form in which labels are compared."""
    return " ".join(text.split()).casefold()


def _code_rule(text: str, start: int, context: Context) -> Span | None:
    escaped = text[max(0, start - 2) : start] == "\\`"
    if start and text[start - 1] == "`" and not escaped:
        return None  # inside a run that nothing closes
    run = BACKTICKS.match(text, start)
    end = context.code_end(text, start, len(run[0])) if run else None
    return None if end is None else (start, end)


def _open_bracket_rule(text: str, start: int, context: Context) -> Span | None:
    """Mask footnotes, alerts, wiki links, and a short name that may be a link defined further down."""
    if span := _NAMED(text, start, context):
        return span
    if span := _DEFINED(text, start, context):
        begins = LINE_START.search(text, max(0, start - 100), start)
        return span if begins else None
    name = SHORTCUT.match(text, start)
    if name is None or TASK.match(text, start) or normalize_label(name[1]) in context.link_labels:
        return None
    short = name[1].isascii() and len(name[1].split()) <= WORDS_OF_A_NAME
    return name.span() if short and not text.startswith("!", max(0, start - 1)) else None


def _close_bracket_rule(text: str, start: int, context: Context) -> Span | None:
    """Mask the target of a link. Behind a text that is also the link's label the mask is empty.

    Such a mask becomes the label once the answer has another text.
    """
    if span := _TARGET(text, start, context):
        return span
    if not context.link_labels or text[start + 1 : start + 2] in {"(", "[", ":"}:
        return None
    name = text[text.rfind("[", max(0, start - REACH), start) + 1 : start]
    return (start + 1, start + 1) if normalize_label(name) in context.link_labels else None


def _backslash_rule(text: str, start: int, context: Context) -> Span | None:
    if span := _FORMULA(text, start, context):
        return None if PROSE.search(COMMAND.sub("", text[slice(*span)])) else span
    return _LINE_BREAK(text, start, context)


def _colon_rule(text: str, start: int, context: Context) -> Span | None:
    match = EMOJI.match(text, start) or CONTAINER.match(text, start)
    return match.span() if match else address_rule(text, start, context)


SHORTCUT = lazy_pattern(r"\[((?:[^\[\]\\\n]|\\.){1,200})\](?![\[(:])")
TASK = lazy_pattern(r"\[[ xX]\]\s")
PROSE = lazy_pattern(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}")
COMMAND = lazy_pattern(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
EMOJI = lazy_pattern(r"(?<![A-Za-z0-9:]):[a-z+-][a-z0-9_+-]{0,30}:(?![A-Za-z0-9:])")
CONTAINER = lazy_pattern(r"(?<!:):{3,}[ \t]*[\w-]*")
LINE_START = lazy_pattern(r"(?:^|[\n\r])[ \t>]*$")
_DEFINED = pattern_rule(
    rf"\[(?:[^\[\]\\]|\\.)++\]:[ \t]*(?:{END}[ \t]*)?(?:<[^<>\n]*>|[^\s<]\S*+)(?=\s*(?:[\"'(]|{END}|$))"
)
_NAMED = pattern_rule(r"\[\^[^\]\s]+\]:?", r"\[![A-Z]+\]", r"\[\[[^\[\]\n]+\]\]")
IN_URL = r"[^ \t\r\n()\\]|\\."
_TITLE = r"""(?:\s+(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|\([^()]*+\)))?"""
_TARGET = pattern_rule(
    rf"\]\(\s*(?P<it><[^<>\n]*>|(?:{IN_URL}|\((?:{IN_URL}|\((?:{IN_URL})*+\))*+\))++)(?={_TITLE}\s*\))",
    r"\]\[(?P<it>[^\[\]]+)\]",
    r"\](?P<it>\[\])",
)
_FORMULA = pattern_rule(r"\\\((?=\S).{1,400}?\\\)", r"\\\[(?=\S).{1,1000}?\\\]")
NOT_A_PRICE = r"(?!(?<=\d\$)(?:[-–—/]|[^\x00-\x7f]))"  # a price has its sign behind the number: `5$–10$`
_LINE_BREAK = pattern_rule(rf"\\(?={END}[ \t>]*[^\s>])")
MARKDOWN_RULES: Rules = {
    **COMMON_RULES,
    "`": _code_rule,
    "[": _open_bracket_rule,
    "]": _close_bracket_rule,
    "\\": _backslash_rule,
    ":": _colon_rule,
    " ": pattern_rule(rf"  +(?={END}[ \t>]*[^\s>])"),
    "$": pattern_rule(
        r"\$\$.+?\$\$",
        rf"""\$(?![\s$,.;:!?)]){NOT_A_PRICE}(?:[^$\\\n]|\\.|\n(?!\s*\n)){{1,400}}?(?<![\s\-+=,/(:"'\\])\$(?!\d)""",
        *VARIABLES,
    ),
}


AHEAD = 1 << 18
"""Characters that are read ahead of the block being split, for links that are defined further down."""


class Markdown:
    name = "markdown"

    def recognises(self, head: str) -> bool:
        if split_front_matter(split_lines(head))[0]:
            return True
        signs = {match.lastgroup for match in SIGNS.finditer(head)}
        return bool(signs & {"title", "fence", "table", "definition"}) or len(signs) > 1

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = tuple(patterns)

    def with_keys(self, patterns: Sequence[str]) -> Self:
        """Return the format that also translates the values of front matter which `patterns` choose."""
        chosen = type(self)(patterns)
        chosen._front_matter()  # raises UsageError for a pattern that is none
        return chosen

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        front, rest = split_front_matter(lines)
        if front:
            yield from self._front_matter().pieces([front], token_limit)
        link_labels: set[str] = set()
        blocks = _blocks(leaves(_read_ahead(rest, link_labels)), token_limit, link_labels)
        yield from build_pieces(blocks, token_limit, self.name, 1 + count_line_ends(front))

    def _front_matter(self) -> FrontMatter:
        from gptkit.text.formats.front_matter import FrontMatter

        return FrontMatter(self._patterns)

    def restore(self, piece: Piece, answer: str) -> str:
        if piece.slots:
            return self._front_matter().restore(piece, answer)
        return restore_layout(piece, answer, _spell_out_names(piece, answer))

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        if piece.slots:
            return self._front_matter().findings(piece, answer)
        if not differs_from_source(piece, answer):
            return ()
        line_of, body = line_finder(piece), normalize_answer(answer)
        plain = piece._replace(text=_hide_ordinals(piece.text))
        findings = list(general_findings(plain, _hide_ordinals(body), MARKDOWN_RULES, line_of))
        if body:
            findings += directive_findings(piece, body, line_of)
            findings += _broken_links(piece, body, line_of)
            findings += _new_links(piece, body, line_of)
            findings += _swapped_links(piece, body, line_of)
            restored = self.restore(piece, answer)
            findings += outline_findings(piece.source, restored, piece.line, _indent_before(piece))
        return tuple(findings)

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        if piece.slots:
            return self._front_matter().halves(piece)
        link_labels = {
            normalize_label(name[1]) for name, mask in _names(piece.text, piece.masks) if mask in UNNAMED
        }
        blocks = list(_blocks(leaves(split_lines(piece.source), _indent_before(piece)), WHOLE, link_labels))
        wordy = [block for block in blocks if not block.is_wordless]
        if len(wordy) == 1:
            place, by_line = blocks.index(wordy[0]), "\n|" in wordy[0].source
            blocks[place : place + 1] = split_block(wordy[0], wordy[0].weight // 2 + 1, by_line=by_line)
        return halve(blocks, piece)


WHOLE = 1 << 60
CONSTANT = lazy_pattern(r"⟦[0-9]+⟧|\d+(?:[.,]\d+)*")
UNNAMED = {"", "[]"}
"""The masks behind the text of a link that is also its label."""
SIGNS = lazy_pattern(
    r"(?P<title>\A\s*#{1,6}[ \t]+\S.*\n[ \t]*\r?\n)"
    r"|^(?:(?P<heading>#{1,6}[ \t]+\S)|(?P<fence>```)|(?P<table>\|?[ \t]*:?-{3,}:?[ \t]*\|)"
    r"|(?P<quote>>[ \t]\S)|(?P<definition>\[[^\]\n]+\]:[ \t])|(?P<item>[-*+][ \t]+\S)"
    r"|(?P<setext>(?:={3,}|-{3,})[ \t]*$))"
    r"|(?P<link>\[[^\]\n]+\]\([^)\s]+\))|(?P<strong>\*\*\w[^*\n]*\*\*)|(?P<code>`[^`\n]+`)",
    re.MULTILINE,
)
ADMONITION_TITLE = lazy_pattern(
    r"""\s*[ \t>]*+(?:[!?=][^"\r\n]*"([^\r\n]+)"[ \t]*(?=[\r\n]|\Z)|:{3,}[ \t]*(?:[\w-]*\[([^\]\r\n]+)\]"""
    r"""|(?:[\w-]+|\{[^{}\r\n]*\})[ \t]+([^\s{][^{\r\n]*?)[ \t]*(?=[{\r\n]|\Z)))"""
)
DEFINITION = lazy_pattern(r"^ {0,3}\[((?:[^\[\]\\]|\\.)+)\]:", re.MULTILINE)
TITLE = lazy_pattern(r"^[ \t>]*(?:#{1,6}[ \t]+)?(.*?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
ORDINAL = lazy_pattern(r"^([ \t>]*(?:[-*+][ \t]+)*)(\d{1,9})(?=[.)][ \t])", re.MULTILINE)
NAME = lazy_pattern(r"\[([^\[\]]*)\]⟦([0-9]+)⟧")
ROWS = lazy_pattern(r"(?:[ \t>]*+\|[^\r\n]*+[\r\n]*+)++")  # of a table that began further up
NEW_LINK = lazy_pattern(r"(?<!\\)\]\(\s*([^\s()⟦]+)[^()]{0,200}\)|(\[\^[^\]\s⟦]+\])")
LINK = lazy_pattern(
    r"(!?)\[(?=((?:[^\[\]]|\[[^\[\]]*\]){0,2000})\]"
    r"""(?:\(\s*⟦(\d+)⟧(?:\s+(?:"[^⟦"]*"|'[^⟦']*'|\([^⟦()]*\)))?\s*\)|\[⟦(\d+)⟧\]|⟦(\d+)⟧))"""
)


def _read_ahead(lines: Iterable[str], link_labels: set[str]) -> Iterator[str]:
    """Yield the lines; read ahead of them, and add the labels of links found there to `link_labels`."""
    pending: deque[str] = deque()
    size = 0
    for line in lines:
        if "]:" in line and (match := DEFINITION.match(line)) and not match[1].startswith("^"):
            link_labels.add(normalize_label(match[1]))
        pending.append(line)
        size += len(line)
        while size > AHEAD:
            size -= len(pending[0])
            yield pending.popleft()
    yield from pending


def _blocks(document: Iterable[Leaf], token_limit: int, link_labels: Collection[str]) -> Iterator[TextBlock]:
    for leaf in document:
        whole = _block(leaf, link_labels)
        if whole.weight <= token_limit:
            yield whole
        else:
            rows = leaf.kind in {markdown_reader.TABLE, markdown_reader.HTML} or ROWS.fullmatch(leaf.source)
            yield from split_block(whole, token_limit, by_line=bool(rows))


def _block(leaf: Leaf, link_labels: Collection[str]) -> TextBlock:
    source = leaf.source
    if leaf.kind == markdown_reader.CODE:
        return _code_block(source)
    if leaf.kind == markdown_reader.TABLE:
        return _table_block(source, link_labels)
    if leaf.kind == ADMONITION:
        return _admonition_block(source, link_labels)
    if leaf.kind == markdown_reader.HTML:
        return make_block(*merge_holes(*mask_text(source, COMMON_RULES)))
    text, masks = mask_text(source, MARKDOWN_RULES, link_labels)
    if leaf.kind == markdown_reader.HEADING_LEAF:
        title = TITLE.match(source.lstrip())
        heading = make_block(text, masks, HEADING)
        return heading._replace(level=leaf.level, title=title[1] if title else "")
    return make_block(text, masks, INSIDE if leaf.inside else BLOCK)


def _code_block(source: str) -> TextBlock:
    core = source.strip()
    if not core:
        return TextBlock(source, source)
    start = source.index(core)
    return TextBlock(source, source[:start] + HOLE + source[start + len(core) :], (core,))


def _admonition_block(source: str, link_labels: Collection[str]) -> TextBlock:
    """Make a block of the line of an admonition; all but a title is masked."""
    match = ADMONITION_TITLE.match(source)
    if match is None or not match.lastindex:
        return _code_block(source)
    start, end = match.span(match.lastindex)
    line = source.rstrip()
    first = len(line) - len(line.lstrip())
    title, masks = mask_text(source[start:end], MARKDOWN_RULES, link_labels)
    text = f"{source[:first]}{HOLE}{title}{HOLE if end < len(line) else ''}{source[len(line) :]}"
    return make_block(text, [line[first:start], *masks, *([line[end:]] if end < len(line) else [])])


def _table_block(source: str, link_labels: Collection[str]) -> TextBlock:
    """Make a block of a table; the row between its head and body is masked."""
    texts, masks = [], []
    for number, row in enumerate(split_lines(source)):
        if number == 1:
            core = row.strip(" \t\r\n>")
            text, row_masks = row.replace(core, HOLE, 1), [core]
        else:
            text, row_masks = mask_text(row, MARKDOWN_RULES, link_labels)
        texts.append(text)
        masks += row_masks
    return make_block("".join(texts), masks)


def _indent_before(piece: Piece) -> int:
    """Return the columns by which a piece is indented because of containers opened before the piece."""
    first = next(line for line in split_lines(piece.source) if line.strip())
    return len(first) - len(first.lstrip(" \t"))


def _hide_ordinals(text: str) -> str:
    """Replace the numbers of ordered lists, which may all be 1, by as many bullets."""
    return ORDINAL.sub(lambda match: match[1] + "•" * len(match[2]), text)


def _names(text: str, masks: Sequence[str]) -> Iterator[tuple[re.Match[str], str]]:
    return ((match, masks[int(match[2])]) for match in NAME.finditer(text) if int(match[2]) < len(masks))


def _spell_out_names(piece: Piece, answer: str) -> Sequence[str]:
    """Return the masks for an answer; a link whose text was its label gets the label if the text changed."""
    if not UNNAMED & set(piece.masks):
        return piece.masks
    masks = list(piece.masks)
    before = {match[2]: match[1] for match, mask in _names(piece.text, masks) if mask in UNNAMED}
    for match, _ in list(_names(answer, masks)):
        name = before.get(match[2])
        if name is not None and normalize_label(name) != normalize_label(match[1]):
            masks[int(match[2])] = f"[{unmask(name, piece.masks)}]"
    return masks


def _broken_links(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield links whose address stands in the answer, but not behind a text in brackets."""
    if "]" not in piece.text:
        return
    present, with_text = set(), set()
    for match in LINK.finditer(answer):
        present.add(_link(match))
        if match[1] or match[2].strip():
            with_text.add(_link(match))
    marks = set(MARK.findall(answer))
    for match in LINK.finditer(piece.text):
        sign, number = link = _link(match)
        if number in marks and link not in (with_text if match[2].strip() else present):
            what = "image" if sign else "link"
            mask = piece.masks[int(number)]
            target = mask if mask not in UNNAMED else match[2]
            yield Finding(line_of(match.start()), "link", f"{what} {quote_excerpt(target)} broken")


def _swapped_links(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield links whose texts, as far as they do not depend on the language, have changed places."""
    if piece.text.count("](") + piece.text.count("][") < 2:
        return
    links = {_link(match)[1]: match for match in LINK.finditer(piece.text)}
    texts = {_link(match)[1]: match[2] for match in LINK.finditer(answer)}
    by_text: dict[str, set[str]] = {}
    for number, match in links.items():
        by_text.setdefault(match[2], set()).add(piece.masks[int(number)])
    for number, match in links.items():
        text, target = texts.get(number, match[2]), piece.masks[int(number)]
        if text == match[2] or target in by_text.get(text, {target}):
            others = [
                other
                for other in links
                if other != number and _constants(links[other][2]) == _constants(text)
            ]
            if _constants(text) == _constants(match[2]) or not any(
                _constants(texts.get(other, "")) == _constants(match[2]) for other in others
            ):
                continue
        yield Finding(line_of(match.start()), "link", f"link {quote_excerpt(target)} has another's text")


def _constants(text: str) -> tuple[str, ...]:
    """Return the parts of a link's text that are the same in every language: marks and numbers."""
    return tuple(sorted(CONSTANT.findall(text)))


def _new_links(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield links and footnotes that only the answer has, except addresses, which are checked elsewhere."""
    if "](" not in answer and "[^" not in answer:
        return
    known = Counter(match[1] or match[2] for match in NEW_LINK.finditer(piece.text))
    new = Counter(match[1] or match[2] for match in NEW_LINK.finditer(answer))
    for target in new - known:
        if target[0] == "[" or kind_of(target) == "mark":
            yield Finding(line_of(0), "link", f"link {quote_excerpt(target)} added")


def _link(match: re.Match[str]) -> tuple[str, str]:
    return match[1], match[3] or match[4] or match[5]
