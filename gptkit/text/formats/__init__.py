"""The list of document formats, and which of them a document has."""

from __future__ import annotations

from pathlib import PurePath

from gptkit.text.formats.html import Html
from gptkit.text.formats.json import Json
from gptkit.text.formats.markdown import Markdown
from gptkit.text.formats.plain import PlainText
from gptkit.text.formats.po import Po
from gptkit.text.formats.subtitles import SubRip, WebVtt
from gptkit.text.formats.yaml import Yaml
from gptkit.text.pieces import Format

FORMATS: tuple[Format, ...] = (SubRip(), WebVtt(), Po(), Html(), Json(), Yaml(), Markdown(), PlainText())
"""All formats, in the order in which they are asked about an unknown document; the last takes any text."""


def detect_format(name: str | None, head: str) -> Format:
    """Return the format of a file by the extension of its name, else by its beginning, else plain text."""
    ending = PurePath(name).suffix.lower() if name else ""
    by_name = (candidate for candidate in FORMATS if ending and ending in candidate.endings)
    by_content = (candidate for candidate in FORMATS if candidate.recognises(head))
    return next(by_name, None) or next(by_content, FORMATS[-1])


def format_named(name: str) -> Format | None:
    return next((candidate for candidate in FORMATS if candidate.name == name), None)
