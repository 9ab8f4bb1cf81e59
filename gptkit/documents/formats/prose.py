"""Whether a value in a data file is language, or a name, address, date or code that only a program reads."""

from __future__ import annotations

import re

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
    """Whether there is something in it that could be said in another language."""
    text = text.strip()
    return (
        CODE.fullmatch(text) is None
        and LETTER.search(text) is not None
        and LETTER.search(PLACEHOLDER.sub("", text)) is not None
    )
