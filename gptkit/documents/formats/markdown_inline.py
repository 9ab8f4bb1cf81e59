"""Which parts of Markdown text are not the model's to change."""

from __future__ import annotations

import re
from collections.abc import Collection

from gptkit.documents.formats.masking import (
    BACKTICKS,
    PLAIN,
    REACH,
    VARIABLES,
    Context,
    Rules,
    Span,
    address,
    matched,
)
from gptkit.documents.formats.masking import masked as masked_by

WORDS_OF_A_NAME = 3


def masked(text: str, known: Collection[str] = ()) -> tuple[str, list[str]]:
    return masked_by(text, RULES, known)


def label(text: str) -> str:
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
    if name is None or TASK.match(text, start) or label(name[1]) in context.known:
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
    return (start + 1, start + 1) if label(name) in context.known else None


def _backslash(text: str, start: int, context: Context) -> Span | None:
    if found := _FORMULA(text, start, context):
        return None if PROSE.search(COMMAND.sub("", text[slice(*found)])) else found
    return _LINE_BREAK(text, start, context)


def _colon(text: str, start: int, context: Context) -> Span | None:
    found = EMOJI.match(text, start) or CONTAINER.match(text, start)
    return found.span() if found else address(text, start, context)


SHORTCUT = re.compile(r"\[((?:[^\[\]\\\n]|\\.){1,200})\](?![\[(:])")
TASK = re.compile(r"\[[ xX]\]\s")
PROSE = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}")
COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
EMOJI = re.compile(r"(?<![A-Za-z0-9:]):[a-z+-][a-z0-9_+-]{0,30}:(?![A-Za-z0-9:])")
CONTAINER = re.compile(r"(?<!:):{3,}[ \t]*[\w-]*")
END = r"(?:\r\n|\n|\r)"
LINE_START = re.compile(r"(?:^|[\n\r])[ \t>]*$")
_DEFINED = matched(
    rf"\[(?:[^\[\]\\]|\\.)++\]:[ \t]*(?:{END}[ \t]*)?(?:<[^<>\n]*>|[^\s<]\S*+)(?=\s*(?:[\"'(]|{END}|$))"
)
_NAMED = matched(r"\[\^[^\]\s]+\]:?", r"\[![A-Z]+\]", r"\[\[[^\[\]\n]+\]\]")
IN_URL = r"[^ \t\r\n()\\]|\\."
_TITLE = r"""(?:\s+(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|\([^()]*+\)))?"""
_TARGET = matched(
    rf"\]\(\s*(?P<it><[^<>\n]*>|(?:{IN_URL}|\((?:{IN_URL}|\((?:{IN_URL})*+\))*+\))++)(?={_TITLE}\s*\))",
    r"\]\[(?P<it>[^\[\]]+)\]",
    r"\](?P<it>\[\])",
)
_FORMULA = matched(r"\\\((?=\S).{1,400}?\\\)", r"\\\[(?=\S).{1,1000}?\\\]")
NOT_A_PRICE = r"(?!(?<=\d\$)(?:[-–—/]|[^\x00-\x7f]))"  # that stands behind its number, as in `5$–10$`
_LINE_BREAK = matched(rf"\\(?={END}[ \t>]*[^\s>])")
RULES: Rules = {
    **PLAIN,
    "`": _code,
    "[": _open_bracket,
    "]": _close_bracket,
    "\\": _backslash,
    ":": _colon,
    " ": matched(rf"  +(?={END}[ \t>]*[^\s>])"),
    "$": matched(
        r"\$\$.+?\$\$",
        rf"""\$(?![\s$,.;:!?)]){NOT_A_PRICE}(?:[^$\\\n]|\\.|\n(?!\s*\n)){{1,400}}?(?<![\s\-+=,/(:"'\\])\$(?!\d)""",
        *VARIABLES,
    ),
}
