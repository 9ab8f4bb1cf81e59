"""What stands inside the tags of a template, which the template engine looks at only when it renders them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

_INSIDE = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])*?"""
_TAG = re.compile(
    r"\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    rf"|(?P<tag>\{{\{{{_INSIDE}\}}\}}|\{{%{_INSIDE}%\}})",
    re.DOTALL,
)
_TEXT = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)
_WORD = re.compile(
    r"\{%[-+]?\s*(?P<load>include|import|from|extends)\b"
    r"|(?:\||\{%[-+]?\s*filter\s)\s*(?P<filter>[A-Za-z_]\w*)"
    r"|\bis\s+(?:not\s+)?(?P<test>[A-Za-z_]\w*)"
)


class Word(NamedTuple):
    kind: Literal["load", "filter", "test"]
    name: str
    offset: int


def words(source: str) -> Iterator[Word]:
    """Filters, tests and statements that load other templates; what is raw, a comment or a text is none."""
    for part in _TAG.finditer(source):
        tag = _TEXT.sub(lambda text: " " * len(text[0]), part["tag"] or "")
        for found in _WORD.finditer(tag):
            kind: Literal["load", "filter", "test"] = found.lastgroup  # type: ignore[assignment]
            yield Word(kind, found[kind], part.start() + found.start(kind))
