"""What JSON and YAML share: which of their values are translated, by their keys and by their texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Self

from gptkit.core.errors import UsageError
from gptkit.text.checks.common import directive_findings
from gptkit.text.formats.units import UnitFormat
from gptkit.text.masking import MESSAGE_RULES, missing_signs
from gptkit.text.pieces import Finding, Piece

LETTER = re.compile(r"[^\W\d_]")
PLACEHOLDER = re.compile(
    r"\{\{[^{}]*\}\}|[%$]?\{[^{}]*\}|%\([^()]*\)[a-z]|%[-0-9.$]*[a-zA-Z@]\b|<[^<>]*>|&#?\w+;"
)
CODE = re.compile(
    r"""
    [a-zA-Z][a-zA-Z0-9+.-]*://\S* | (?:mailto|tel|data|urn|javascript):\S+ | www\.\S+  # addresses
    | [^\s@]+@[^\s@]+\.[A-Za-z]{2,}
    | \#(?:[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})                             # colours
    | (?:rgb|hsl)a?\([^()]*\)
    | [0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}                             # UUID
    | (?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}                                            # hashes
    | [-+]?[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2}(?:-?[0-9])?)
      (?:[T ][0-9:.,]+\s?(?:Z|[-+][0-9]{2}(?::?[0-9]{2})?)?)?                          # ISO 8601
    | P(?:[0-9.,]+[YMWD])*(?:T(?:[0-9.,]+[HMS])+)?
    | v?[0-9]+(?:\.[0-9A-Za-z]+)+(?:[-+][0-9A-Za-z.-]+)?                               # versions
    | [-+]?[0-9.,]+[ ]?(?:px|r?em|pt|vh|vw|m?s|%|fr|deg|[kKMGT]i?B)
    | [a-z]{2,3}[-_][A-Z][A-Za-z]{1,3}(?:[-_][A-Z]{2})?                                # languages
    | [\w$]*[a-z0-9][A-Z][\w$]*                                                        # camelCase
    | [\w.:/$-]*[A-Za-z0-9$]_+[\w.:/$-]*|_\w+                                          # snake_case
    | [a-z][a-z0-9]*(?:[.:][A-Za-z0-9*_-]+)+                                           # dotted names
    | [\w.-]+/[\w.-]*(?:/[\w.-]*|\.[a-z0-9]{2,4})                                       # paths
    | [A-Za-z0-9*-]+(?:-[a-z0-9]+)*\.[a-z0-9]{2,4}                                     # file names
    | (?:[A-Za-z]:\\|\.{0,2}/|~/)[^\s/\\]*(?:[/\\][^\s/\\]*)*
    | [A-Za-z]+[0-9][A-Za-z0-9-]* | [a-z]+(?:-[a-z0-9]+){2,}
    | true|false|null|none|undefined
    """,
    re.VERBOSE | re.ASCII,
)


def is_prose(text: str) -> bool:
    """Whether a value is words of a language, not code, an address, a date or a placeholder."""
    text = text.strip()
    return (
        CODE.fullmatch(text) is None
        and LETTER.search(text) is not None
        and LETTER.search(PLACEHOLDER.sub("", text)) is not None
    )


class KeyedFormat(UnitFormat):
    """A format whose texts have keys.

    `patterns` (the option --keys) are dotted paths from the top: `*` is any one key, `**` any number of
    keys. A pattern chooses the value at a path and all values below it. The positions of list items may be
    left out.
    """

    rules = MESSAGE_RULES

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = [_compile_pattern(pattern) for pattern in patterns]

    def with_keys(self, patterns: Sequence[str]) -> Self:
        return type(self)(patterns)

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        yield from directive_findings(unit, answer, lambda _: unit.line)
        for sign, is_wrong in missing_signs(unit, answer):
            kind = "placeholder" if is_wrong else "digits"
            yield Finding(unit.line, kind, f"placeholder '{sign}' missing")

    def is_translatable(self, text: str, path: Sequence[str | int]) -> bool:
        """Whether the text at a path is translated."""
        return is_prose(text) and (not self._patterns or self._is_chosen(path))

    def _is_chosen(self, path: Sequence[str | int]) -> bool:
        whole = ".".join(map(str, path))
        keys = ".".join(key for key in path if isinstance(key, str))
        return any(pattern.match(whole) or pattern.match(keys) for pattern in self._patterns)


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    keys = pattern.strip().removeprefix("$").removeprefix(".").split(".")
    if not all(keys):
        raise UsageError(f"--keys '{pattern}': an empty key", hint="for example --keys 'messages.*.title'")
    parts = []
    for at, key in enumerate(keys):
        if key == "**":
            parts.append(r"(?:[^.]*\.)*" if at < len(keys) - 1 else ".*")
        else:
            parts.append(re.escape(key).replace(r"\*", "[^.]*") + (r"\." if at < len(keys) - 1 else ""))
    return re.compile("".join(parts) + r"(?:\.|$)", re.DOTALL)
