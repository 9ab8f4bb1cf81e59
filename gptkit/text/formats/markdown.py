"""Markdown: CommonMark with tables, task lists, footnotes, formulas and front matter."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from gptkit.text.checks.common import (
    LineOf,
    differs_from_source,
    general_findings,
    kind_of,
    line_finder,
    normalize_answer,
    quote_excerpt,
)
from gptkit.text.chunk import BLOCK, HEADING, HOLE, INSIDE, TextBlock, make_block, split_block, split_lines
from gptkit.text.compose import build_pieces, count_line_ends, halve, restore_layout
from gptkit.text.formats import markdown_reader
from gptkit.text.formats.markdown_reader import (
    CODE,
    HEADING_LEAF,
    HTML,
    ITEM,
    TABLE,
    TEXT,
    Leaf,
    columns,
    leaves,
    with_front_matter,
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

WORDS_OF_A_NAME = 3


def mask_markdown(text: str, known: Collection[str] = ()) -> tuple[str, list[str]]:
    return mask_text(text, MARKDOWN_RULES, known)


def normalize_label(text: str) -> str:
    """A link label as labels are compared."""
    return " ".join(text.split()).casefold()


def _code(text: str, start: int, context: Context) -> Span | None:
    escaped = text[max(0, start - 2) : start] == "\\`"
    if start and text[start - 1] == "`" and not escaped:
        return None  # inside a run that nothing closes
    run = BACKTICKS.match(text, start)
    end = context.code_end(text, start, len(run[0])) if run else None
    return None if end is None else (start, end)


def _open_bracket(text: str, start: int, context: Context) -> Span | None:
    """Footnotes, alerts, wiki links; and a short name in brackets that may be a link defined further down."""
    if found := _NAMED(text, start, context):
        return found
    if found := _DEFINED(text, start, context):
        begins = LINE_START.search(text, max(0, start - 100), start)
        return found if begins else None
    name = SHORTCUT.match(text, start)
    if name is None or TASK.match(text, start) or normalize_label(name[1]) in context.known:
        return None
    short = name[1].isascii() and len(name[1].split()) <= WORDS_OF_A_NAME
    return name.span() if short and not text.startswith("!", max(0, start - 1)) else None


def _close_bracket(text: str, start: int, context: Context) -> Span | None:
    """Where a link leads; behind a text that is the link's name an empty hole, filled if it changes."""
    if found := _TARGET(text, start, context):
        return found
    if not context.known or text[start + 1 : start + 2] in {"(", "[", ":"}:
        return None
    name = text[text.rfind("[", max(0, start - REACH), start) + 1 : start]
    return (start + 1, start + 1) if normalize_label(name) in context.known else None


def _backslash(text: str, start: int, context: Context) -> Span | None:
    if found := _FORMULA(text, start, context):
        return None if PROSE.search(COMMAND.sub("", text[slice(*found)])) else found
    return _LINE_BREAK(text, start, context)


def _colon(text: str, start: int, context: Context) -> Span | None:
    found = EMOJI.match(text, start) or CONTAINER.match(text, start)
    return found.span() if found else address_rule(text, start, context)


SHORTCUT = re.compile(r"\[((?:[^\[\]\\\n]|\\.){1,200})\](?![\[(:])")
TASK = re.compile(r"\[[ xX]\]\s")
PROSE = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}")
COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
EMOJI = re.compile(r"(?<![A-Za-z0-9:]):[a-z+-][a-z0-9_+-]{0,30}:(?![A-Za-z0-9:])")
CONTAINER = re.compile(r"(?<!:):{3,}[ \t]*[\w-]*")
END = r"(?:\r\n|\n|\r)"
LINE_START = re.compile(r"(?:^|[\n\r])[ \t>]*$")
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
NOT_A_PRICE = r"(?!(?<=\d\$)(?:[-–—/]|[^\x00-\x7f]))"  # that stands behind its number, as in `5$–10$`
_LINE_BREAK = pattern_rule(rf"\\(?={END}[ \t>]*[^\s>])")
MARKDOWN_RULES: Rules = {
    **COMMON_RULES,
    "`": _code,
    "[": _open_bracket,
    "]": _close_bracket,
    "\\": _backslash,
    ":": _colon,
    " ": pattern_rule(rf"  +(?={END}[ \t>]*[^\s>])"),
    "$": pattern_rule(
        r"\$\$.+?\$\$",
        rf"""\$(?![\s$,.;:!?)]){NOT_A_PRICE}(?:[^$\\\n]|\\.|\n(?!\s*\n)){{1,400}}?(?<![\s\-+=,/(:"'\\])\$(?!\d)""",
        *VARIABLES,
    ),
}


KINDS = {TEXT: "blocks", HEADING_LEAF: "heading", ITEM: "list", TABLE: "table", HTML: "tag", CODE: "blocks"}
TASK_MARK = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[([ xX])\][ \t]")
EMPTY_CELL = re.compile(r"(?<!\\)\|[ \t]*(?=\|)")
WORD = re.compile(r"[^\W_]")
MOST = 8
"""Findings of this kind that are told of one piece."""


class Entry(NamedTuple):
    kind: str
    label: str
    inside: str
    line: int

    @property
    def likeness(self) -> tuple[str, str]:
        return self.label, self.inside


def differences(before: str, after: str, first_line: int, carried: int) -> Iterator[Finding]:
    old, new = list(_outline(before, carried)), list(_outline(after, carried))
    if [entry.likeness for entry in old] == [entry.likeness for entry in new]:
        return
    for start, end, new_start, new_end in _changes(old, new)[:MOST]:
        line = old[min(start, len(old) - 1)].line + first_line if old else first_line
        kind = KINDS[(old[start] if start < end else new[new_start]).kind]
        yield Finding(line, kind, _message(old[start:end], new[new_start:new_end]))


def _changes(old: Sequence[Entry], new: Sequence[Entry]) -> list[tuple[int, int, int, int]]:
    """From where to where the first are other than the second."""
    if len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [(at, at + 1, at, at + 1) for at, (one, two) in pairs if one.likeness != two.likeness]
    from difflib import SequenceMatcher

    before, after = ([entry.likeness for entry in entries] for entries in (old, new))
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [code[1:] for code in codes if code[0] != "equal"]


def _message(old: Sequence[Entry], new: Sequence[Entry]) -> str:
    was, became = _listed(old), _listed(new)
    if not new:
        return f"{was} missing"
    if not old:
        return f"{became} added"
    if was == became:
        return f"{was} stands in '{new[0].inside}', not in '{old[0].inside}'"
    return f"{was} became {became}"


def _listed(entries: Sequence[Entry]) -> str:
    names = [entry.label for entry in entries[:4]]
    return ", ".join(names) + (f" and {len(entries) - 4} more" if len(entries) > 4 else "")


def _outline(text: str, carried: int) -> Iterator[Entry]:
    line = 0
    for leaf in leaves(split_lines(text), carried):
        if leaf.source.strip():
            blank = count_line_ends(leaf.source[: len(leaf.source) - len(leaf.source.lstrip())])
            yield Entry(leaf.kind, _shown(leaf), leaf.inside, line + blank)
        line += count_line_ends(leaf.source)


def _shown(leaf: Leaf) -> str:
    rows = [row for row in leaf.source.splitlines() if row.strip()]
    if leaf.kind == TABLE or (leaf.kind == TEXT and all(row.lstrip().startswith("|") for row in rows)):
        empty = sum(len(EMPTY_CELL.findall(row.strip())) for row in rows)
        cells = f" with {empty} empty" if empty else ""
        return f"table of {len(rows)} rows by {'/'.join(_shape(rows))} columns{cells}"
    bare = "" if leaf.kind == CODE or WORD.search(leaf.source) else " without words"
    if leaf.kind == HEADING_LEAF:
        return f"heading of level {leaf.level}{bare}"
    if leaf.kind == ITEM:
        task = TASK_MARK.match(leaf.source)
        state = (" [ ]" if task[1] == " " else " [x]") if task else ""
        return f"list item of level {leaf.level}{state}{bare}"
    return leaf.kind + bare


def _shape(rows: Sequence[str]) -> list[str]:
    """The columns of each row, once where they are all the same."""
    shape = [str(columns(row.lstrip(" \t>"))) for row in rows]
    return shape[:1] if len(set(shape)) == 1 else shape


AHEAD = 1 << 18
"""Characters that are read ahead of what is split, for links that are defined further down."""


class Markdown:
    name = "markdown"
    endings = (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd")

    def recognises(self, head: str) -> bool:
        signs = {found.lastgroup for found in SIGNS.finditer(head)}
        return bool(signs & {"title", "fence", "table", "definition"}) or len(signs) > 1

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        known: set[str] = set()
        found = with_front_matter(_read_ahead(lines, known))
        return build_pieces(_blocks(found, token_limit, known), token_limit, self.name)

    def restore(self, piece: Piece, answer: str) -> str:
        return restore_layout(piece, answer, _with_names(piece, answer))

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        if not differs_from_source(piece, answer):
            return ()
        line_of, body = line_finder(piece), normalize_answer(answer)
        found = list(
            general_findings(
                piece._replace(text=_unordered(piece.text)), _unordered(body), MARKDOWN_RULES, line_of
            )
        )
        if body:
            found += _broken_links(piece, body, line_of)
            found += _new_links(piece, body, line_of)
            found += _swapped_links(piece, body, line_of)
            restore = self.restore(piece, answer)
            found += differences(piece.source, restore, piece.line, _carried(piece))
        return tuple(found)

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        known = {
            normalize_label(name[1]) for name, mask in _names(piece.text, piece.masks) if mask in UNNAMED
        }
        found = list(_blocks(leaves(split_lines(piece.source), _carried(piece)), WHOLE, known))
        wordy = [one for one in found if not one.is_wordless]
        if len(wordy) == 1:
            place, by_line = found.index(wordy[0]), "\n|" in wordy[0].source
            found[place : place + 1] = split_block(wordy[0], wordy[0].weight // 2 + 1, by_line=by_line)
        return halve(found, piece)


WHOLE = 1 << 60
TELLING = re.compile(r"⟦[0-9]+⟧|\d+(?:[.,]\d+)*")
UNNAMED = {"", "[]"}
"""What stands behind the text of a link that is also its name."""
SIGNS = re.compile(
    r"(?P<title>\A\s*#{1,6}[ \t]+\S.*\n[ \t]*\r?\n)"
    r"|^(?:(?P<heading>#{1,6}[ \t]+\S)|(?P<fence>```)|(?P<table>\|?[ \t]*:?-{3,}:?[ \t]*\|)"
    r"|(?P<quote>>[ \t]\S)|(?P<definition>\[[^\]\n]+\]:[ \t])|(?P<item>[-*+][ \t]+\S)"
    r"|(?P<setext>(?:={3,}|-{3,})[ \t]*$))"
    r"|(?P<link>\[[^\]\n]+\]\([^)\s]+\))|(?P<strong>\*\*\w[^*\n]*\*\*)|(?P<code>`[^`\n]+`)",
    re.MULTILINE,
)
DEFINITION = re.compile(r"^ {0,3}\[((?:[^\[\]\\]|\\.)+)\]:", re.MULTILINE)
TITLE = re.compile(r"^[ \t>]*(?:#{1,6}[ \t]+)?(.*?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
ORDINAL = re.compile(r"^([ \t>]*(?:[-*+][ \t]+)*)(\d{1,9})(?=[.)][ \t])", re.MULTILINE)
NAME = re.compile(r"\[([^\[\]]*)\]⟦([0-9]+)⟧")
ROWS = re.compile(r"(?:[ \t>]*+\|[^\r\n]*+[\r\n]*+)++")  # of a table that began further up
NEW_LINK = re.compile(r"(?<!\\)\]\(\s*([^\s()⟦]+)[^()]{0,200}\)|(\[\^[^\]\s⟦]+\])")
LINK = re.compile(
    r"(!?)\[(?=((?:[^\[\]]|\[[^\[\]]*\]){0,2000})\]"
    r"""(?:\(\s*⟦(\d+)⟧(?:\s+(?:"[^⟦"]*"|'[^⟦']*'|\([^⟦()]*\)))?\s*\)|\[⟦(\d+)⟧\]|⟦(\d+)⟧))"""
)


def _read_ahead(lines: Iterable[str], known: set[str]) -> Iterator[str]:
    """The lines, with the names of links in `known` well before their definitions come by."""
    held: deque[str] = deque()
    size = 0
    for line in lines:
        if "]:" in line and (found := DEFINITION.match(line)) and not found[1].startswith("^"):
            known.add(normalize_label(found[1]))
        held.append(line)
        size += len(line)
        while size > AHEAD:
            size -= len(held[0])
            yield held.popleft()
    yield from held


def _blocks(found: Iterable[Leaf], token_limit: int, known: Collection[str]) -> Iterator[TextBlock]:
    for leaf in found:
        whole = _block(leaf, known)
        if whole.weight <= token_limit:
            yield whole
        else:
            rows = leaf.kind in {markdown_reader.TABLE, markdown_reader.HTML} or ROWS.fullmatch(leaf.source)
            yield from split_block(whole, token_limit, by_line=bool(rows))


def _block(leaf: Leaf, known: Collection[str]) -> TextBlock:
    source = leaf.source
    if leaf.kind == markdown_reader.CODE:
        return _untouched(source)
    if leaf.kind == markdown_reader.TABLE:
        return _table(source, known)
    if leaf.kind == markdown_reader.HTML:
        return make_block(*merge_holes(*mask_text(source, COMMON_RULES)))
    text, masks = mask_markdown(source, known)
    if leaf.kind == markdown_reader.HEADING_LEAF:
        titled = TITLE.match(source.lstrip())
        made = make_block(text, masks, HEADING)
        return made._replace(level=leaf.level, title=titled[1] if titled else "")
    return make_block(text, masks, INSIDE if leaf.inside else BLOCK)


def _untouched(source: str) -> TextBlock:
    core = source.strip()
    if not core:
        return TextBlock(source, source)
    start = source.index(core)
    return TextBlock(source, source[:start] + HOLE + source[start + len(core) :], (core,))


def _table(source: str, known: Collection[str]) -> TextBlock:
    """The row that sets head and body apart is not for the model."""
    texts, masks = [], []
    for number, row in enumerate(split_lines(source)):
        if number == 1:
            core = row.strip(" \t\r\n>")
            text, found = row.replace(core, HOLE, 1), [core]
        else:
            text, found = mask_markdown(row, known)
        texts.append(text)
        masks += found
    return make_block("".join(texts), masks)


def _carried(piece: Piece) -> int:
    """How far the text is indented because of containers that were opened before it."""
    first = next(line for line in split_lines(piece.source) if line.strip())
    return len(first) - len(first.lstrip(" \t"))


def _unordered(text: str) -> str:
    """Without the numbers of ordered lists, which may all be 1, and as long as before."""
    return ORDINAL.sub(lambda found: found[1] + "•" * len(found[2]), text)


def _names(text: str, masks: Sequence[str]) -> Iterator[tuple[re.Match[str], str]]:
    return ((found, masks[int(found[2])]) for found in NAME.finditer(text) if int(found[2]) < len(masks))


def _with_names(piece: Piece, answer: str) -> Sequence[str]:
    """The masks; a link whose text was its name gets that name spelled out if the text is another now."""
    if not UNNAMED & set(piece.masks):
        return piece.masks
    masks = list(piece.masks)
    before = {found[2]: found[1] for found, mask in _names(piece.text, masks) if mask in UNNAMED}
    for found, _ in list(_names(answer, masks)):
        name = before.get(found[2])
        if name is not None and normalize_label(name) != normalize_label(found[1]):
            masks[int(found[2])] = f"[{unmask(name, piece.masks)}]"
    return masks


def _broken_links(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Links whose address is there, but not behind a text in brackets."""
    if "]" not in piece.text:
        return
    kept, named = set(), set()
    for found in LINK.finditer(answer):
        kept.add(_link(found))
        if found[1] or found[2].strip():
            named.add(_link(found))
    there = set(MARK.findall(answer))
    for found in LINK.finditer(piece.text):
        sign, number = link = _link(found)
        if number in there and link not in (named if found[2].strip() else kept):
            what = "image" if sign else "link"
            mask = piece.masks[int(number)]
            target = mask if mask not in UNNAMED else found[2]
            yield Finding(line_of(found.start()), "link", f"{what} {quote_excerpt(target)} broken")


def _swapped_links(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Links whose texts, as far as they are the same in both languages, have changed places."""
    if piece.text.count("](") + piece.text.count("][") < 2:
        return
    was = {_link(found)[1]: found for found in LINK.finditer(piece.text)}
    got = {_link(found)[1]: found[2] for found in LINK.finditer(answer)}
    by_text: dict[str, set[str]] = {}
    for number, found in was.items():
        by_text.setdefault(found[2], set()).add(piece.masks[int(number)])
    for number, found in was.items():
        text, target = got.get(number, found[2]), piece.masks[int(number)]
        if text == found[2] or target in by_text.get(text, {target}):
            others = [one for one in was if one != number and _telling(was[one][2]) == _telling(text)]
            if _telling(text) == _telling(found[2]) or not any(
                _telling(got.get(one, "")) == _telling(found[2]) for one in others
            ):
                continue
        yield Finding(line_of(found.start()), "link", f"link {quote_excerpt(target)} has another's text")


def _telling(text: str) -> tuple[str, ...]:
    """What of the text of a link is the same in every language."""
    return tuple(sorted(TELLING.findall(text)))


def _new_links(piece: Piece, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Links and footnotes of the answer's own; what looks like an address anywhere is found elsewhere."""
    if "](" not in answer and "[^" not in answer:
        return
    there = Counter(found[1] or found[2] for found in NEW_LINK.finditer(piece.text))
    new = Counter(found[1] or found[2] for found in NEW_LINK.finditer(answer))
    for target in new - there:
        if target[0] == "[" or kind_of(target) == "mark":
            yield Finding(line_of(0), "link", f"link {quote_excerpt(target)} added")


def _link(found: re.Match[str]) -> tuple[str, str]:
    return found[1], found[3] or found[4] or found[5]
