"""The list of document formats, and which of them a document has."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gptkit.text.pieces import Format

MARKDOWN_SIGN = re.compile(r"^\s*[#>`\[*+=|:-]|`|\*\*|\]\(", re.MULTILINE)


class KnownFormat(NamedTuple):
    """What is known of a format without its module, whose import takes longer than sending a request.

    `endings` are extensions of file names, with the dot, in lower case. `may_begin` is false for the
    beginning of a document that certainly has another format; `place` is `module:class`.
    """

    name: str
    endings: tuple[str, ...]
    may_begin: Callable[[str], bool]
    place: str

    def load(self) -> Format:
        return _load(self.place)


FORMATS = (
    KnownFormat("srt", (".srt",), lambda head: "-->" in head, "subtitles:SubRip"),
    KnownFormat("vtt", (".vtt",), lambda head: "WEBVTT" in head[:10], "subtitles:WebVtt"),
    KnownFormat("po", (".po", ".pot"), lambda head: "msgid" in head, "po:Po"),
    KnownFormat("html", (".html", ".htm", ".xhtml"), lambda head: "<" in head, "html:Html"),
    KnownFormat(
        "json",
        (".json", ".jsonl", ".ndjson", ".geojson", ".webmanifest"),
        lambda head: '"' in head,
        "json:Json",
    ),
    KnownFormat("yaml", (".yaml", ".yml"), lambda head: ":" in head, "yaml:Yaml"),
    KnownFormat(
        "markdown",
        (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"),
        lambda head: MARKDOWN_SIGN.search(head) is not None,
        "markdown:Markdown",
    ),
    KnownFormat("text", (".txt", ".text"), lambda head: True, "plain:PlainText"),
)
"""All formats, in the order in which they are asked about an unknown document; the last takes any text."""


UNSUPPORTED = {
    ".adoc": "AsciiDoc",
    ".arb": "ARB",
    ".asciidoc": "AsciiDoc",
    ".ass": "ASS subtitles",
    ".csv": "CSV",
    ".ipynb": "a Jupyter notebook",
    ".properties": "Java properties",
    ".rst": "reStructuredText",
    ".sbv": "SBV subtitles",
    ".strings": "Apple strings",
    ".tex": "LaTeX",
    ".toml": "TOML",
    ".ttml": "TTML subtitles",
    ".xlf": "XLIFF",
    ".xliff": "XLIFF",
    "strings.xml": "Android strings",
}
"""Formats that would be damaged if they were read as any of FORMATS, by extension or whole file name."""
_PROLOG = r"\ufeff?\s*(?:(?:<!--(?:(?!-->).)*-->|<(?:\?|!(?!--))[^>]*>)\s*)*"
UNSUPPORTED_SIGNS = {
    r"\s*\{\s*\"cells\"\s*:\s*\[": ".ipynb",
    r"\s*\{.*\"@@locale\"\s*:": ".arb",
    rf"{_PROLOG}<xliff\b": ".xliff",
    rf"{_PROLOG}<resources\b.*<(?:string|plurals|string-array)\b": "strings.xml",
    rf"{_PROLOG}<(?:tt:)?tt\b[^<>]*\bxmlns": ".ttml",
    r"\s*\[Script Info\]": ".ass",
    r"(?:\s|%[^\n]*\n)*\\documentclass\b": ".tex",
}
"""Patterns of beginnings that only documents of one format of UNSUPPORTED have."""


def unsupported_format(name: str | None, head: str) -> str:
    """Return what a document is called that has a known format which is not supported; else nothing.

    The beginning decides where the file name has no extension of FORMATS or UNSUPPORTED.
    """
    path = PurePath(name.lower() if name else "")
    if title := UNSUPPORTED.get(path.name) or UNSUPPORTED.get(path.suffix):
        return title
    if path.suffix and any(path.suffix in known.endings for known in FORMATS):
        return ""
    signs = UNSUPPORTED_SIGNS.items()
    ending = next((ending for sign, ending in signs if re.match(sign, head, re.DOTALL)), None)
    return UNSUPPORTED[ending] if ending else ""


def detect_format(name: str | None, head: str) -> Format:
    """Return the format of a file by the extension of its name, else by its beginning, else plain text."""
    ending = PurePath(name).suffix.lower() if name else ""
    if ending and (known := next((known for known in FORMATS if ending in known.endings), None)):
        return known.load()
    candidates = (known.load() for known in FORMATS[:-1] if known.may_begin(head))
    return next((format_ for format_ in candidates if format_.recognises(head)), None) or plain_text()


def plain_text() -> Format:
    return FORMATS[-1].load()


def format_named(name: str) -> Format | None:
    """Return the format of that name, or with that extension (`md`); None if there is no such format."""
    matches = (known for known in FORMATS if name == known.name or f".{name}" in known.endings)
    known = next(matches, None)
    return known and known.load()


@cache
def _load(place: str) -> Format:
    module, _, name = place.partition(":")
    loaded: Format = getattr(import_module(f"{__name__}.{module}"), name)()
    return loaded
