"""Styled text from the inline part of Markdown: emphasis, code, links whose address stays visible."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from gptkit.sanitize import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from rich.style import Style
    from rich.text import Text

_MARKS = {"strong": "bold", "em": "italic", "s": "strike", "link": "link"}
_LONGEST = 10_000
"""Characters of a block whose marks are read; the parser's time grows with the square."""
_STYLES = {
    "bold": "bold",
    "italic": "italic",
    "strike": "strike",
    "code": "bold cyan",
    "link": "underline blue",
    "address": "blue",
    "faint": "dim",
    "marker": "yellow",
    "heading": "bold magenta",
    "title": "bold underline magenta",
}


@cache
def style(name: str) -> Style:
    """One of the sixteen colours of the terminal, so that every theme keeps it readable."""
    from rich.style import Style

    return Style.parse(_STYLES[name])


def inline(source: str, breaks: bool = False) -> Text:
    """The inline part of one block as text. Line breaks stay as the model wrote them.

    What the parser makes of entities is sanitized here. `breaks`: `<br>` begins a new line, as in the
    cells of tables, which have no other way.
    """
    from rich.style import Style
    from rich.text import Text

    if len(source) > _LONGEST:
        return Text("\n".join(map(_shown, source.split("\n"))))
    text = Text()
    styles = [Style.null()]
    links: list[tuple[int, str]] = []
    for token in _tokens(source):
        mark = _MARKS.get(token.type.removesuffix("_open").removesuffix("_close"))
        if mark and token.nesting > 0:
            styles.append(styles[-1] + style(mark))
            links.append((len(text), str(token.attrs.get("href", ""))))
        elif mark and token.nesting < 0:
            styles.pop()
            start, address = links.pop()
            if mark == "link" and _shown(address).removeprefix("mailto:") != text.plain[start:]:
                text.append(f" ({_shown(address)})", styles[-1] + style("address"))
        elif token.type in ("softbreak", "hardbreak"):
            text.append("\n")
        elif token.type == "code_inline":
            text.append(_shown(token.content), styles[-1] + style("code"))
        elif token.type == "image":
            text.append(f"![{_shown(token.content)}]({_shown(str(token.attrs.get('src', '')))})", styles[-1])
        else:
            content = re.sub(r"<br\s*/?>", "\n", token.content) if breaks else token.content
            text.append(
                "\n".join(map(_shown, content.split("\n"))) if breaks else _shown(content), styles[-1]
            )
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
