"""Formats of named values: which of them are for the model, by their keys and by what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Self

from gptkit.core.errors import UsageFault
from gptkit.documents.formats.messages import RULES, lost_signs
from gptkit.documents.formats.prose import is_prose
from gptkit.documents.formats.units import UnitFormat
from gptkit.documents.pieces import Finding, Piece


class KeyedFormat(UnitFormat):
    """`patterns` are dotted paths from the top: `*` is any one key, `**` any number of them.

    A pattern chooses what it names and all below it. The positions of list items may be left out.
    """

    rules = RULES

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._chosen = [_compiled(pattern) for pattern in patterns]

    def with_keys(self, patterns: Sequence[str]) -> Self:
        return type(self)(patterns)

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        for sign, is_wrong in lost_signs(unit, answer):
            kind = "placeholder" if is_wrong else "digits"
            yield Finding(unit.line, kind, f"placeholder '{sign}' missing")

    def takes(self, text: str, path: Sequence[str | int]) -> bool:
        """Whether the value at a path is translated."""
        return is_prose(text) and (not self._chosen or self._names(path))

    def _names(self, path: Sequence[str | int]) -> bool:
        whole = ".".join(map(str, path))
        keys = ".".join(key for key in path if isinstance(key, str))
        return any(pattern.match(whole) or pattern.match(keys) for pattern in self._chosen)


def _compiled(pattern: str) -> re.Pattern[str]:
    keys = pattern.strip().removeprefix("$").removeprefix(".").split(".")
    if not all(keys):
        raise UsageFault(f"--keys '{pattern}': an empty key", hint="for example --keys 'messages.*.title'")
    parts = []
    for at, key in enumerate(keys):
        if key == "**":
            parts.append(r"(?:[^.]*\.)*" if at < len(keys) - 1 else ".*")
        else:
            parts.append(re.escape(key).replace(r"\*", "[^.]*") + (r"\." if at < len(keys) - 1 else ""))
    return re.compile("".join(parts) + r"(?:\.|$)", re.DOTALL)
