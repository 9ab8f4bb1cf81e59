"""Styled text from the inline part of Markdown: emphasis, code, links whose address stays visible."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from gptkit.core.sanitize import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from rich.text import Text

_LONGEST = 10_000
"""Characters of a block whose marks are read; the parser's time grows with the square."""
# Colours of the sixteen that the terminal defines, so that every theme keeps them readable.
FAINT = "dim"
_ADDRESS = "blue"
_MARKS = {
    "strong": "bold",
    "em": "italic",
    "s": "strike",
    "code": "bold cyan",
    "a": "underline blue",
}


def styled(text: str = "", style: str = "") -> Text:
    """A text to append to: what is added does not take on the style."""
    from rich.text import Text

    return Text().append(text, style)


def inline(source: str, breaks: bool = False) -> Text:
    """The inline part of one block as text. Line breaks stay as the model wrote them.

    What the parser makes of entities is sanitized here. `breaks`: `<br>` begins a new line, as in the
    cells of tables, which have no other way.
    """
    if len(source) > _LONGEST:
        return styled("\n".join(map(_shown, source.split("\n"))))
    text = styled()
    opened: list[tuple[int, str]] = []
    for token in _tokens(source):
        if token.nesting > 0:
            opened.append((len(text), _shown(str(token.attrs.get("href", "")))))
        elif token.nesting < 0:
            start, address = opened.pop()
            text.stylize_before(_MARKS[token.tag], start)  # what is within has the last word
            if token.tag == "a" and address.removeprefix("mailto:") != text.plain[start:]:
                text.append(f" ({address})", _ADDRESS)
        elif token.tag == "br":
            text.append("\n")
        elif token.tag == "code":
            text.append(_shown(token.content), _MARKS["code"])
        elif token.tag == "img":
            text.append(f"![{_shown(token.content)}]({_shown(str(token.attrs.get('src', '')))})")
        else:
            lines = re.split(r"<br\s*/?>", token.content) if breaks else [token.content]
            text.append("\n".join(map(_shown, lines)))
    return text


def _tokens(source: str) -> list[Token]:
    return [token for part in _parser().parseInline(source) for token in part.children or []]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Parser(MarkdownIt):
        def normalizeLink(self, url: str) -> str:  # noqa: N802
            return url  # shown as it was written

    return Parser("commonmark", {"html": False}).enable("strikethrough")


def _shown(text: str) -> str:
    return visible(text).replace("\n", " ").replace("\t", " ")
