"""Colours for code that arrives line by line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from gptkit.output.inline import styled

if TYPE_CHECKING:
    from rich.syntax import Syntax
    from rich.text import Text

_CONTEXT = 100
"""Lines before a new one that are read again for its colours; more would not be linear."""
_LONGEST_CODE = 2000
"""Characters of a line that is given colours; longer ones are data, and lexers are slow on them."""


class Highlighter:
    """Gives lines of one language their colours; without one, or without colour, none."""

    def __init__(self, language: str, colour: bool) -> None:
        self._syntax = _syntax(language) if colour and language else None
        self._context: list[str] = []

    def lines(self, lines: Sequence[str]) -> list[Text]:
        if self._syntax is None:
            return [styled(line) for line in lines]
        known = [*self._context, *(line if len(line) <= _LONGEST_CODE else "" for line in lines)]
        coloured = self._syntax.highlight("\n".join(known)).split("\n", allow_blank=True)
        parts = chain(coloured[len(self._context) :], repeat(styled()))  # a lexer may lose lines
        self._context = _recent(known)
        return [
            part if part.plain == line else styled(line) for part, line in zip(parts, lines, strict=False)
        ]


def _recent(lines: list[str]) -> list[str]:
    """Enough lines to know the state of the lexer: all, or those from a new beginning on.

    After a blank line an unindented one rarely stands inside a comment or a string.
    """
    if len(lines) <= _CONTEXT:
        return lines
    lines = lines[-_CONTEXT // 2 :]
    for number in range(1, len(lines)):
        if not lines[number - 1].strip() and lines[number][:1].strip():
            return lines[number:]
    return lines


def _syntax(language: str) -> Syntax | None:
    from rich.syntax import Syntax

    lexer = Syntax("", language, tab_size=0).lexer
    return Syntax("", lexer, theme="ansi_dark", tab_size=0) if lexer else None
