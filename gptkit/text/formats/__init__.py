"""The formats of documents that long input is taken apart by."""

from __future__ import annotations

from pathlib import PurePath

from gptkit.text.formats.html import Html
from gptkit.text.formats.json import Json
from gptkit.text.formats.markdown import Markdown
from gptkit.text.formats.plain import Plain
from gptkit.text.formats.po import Po
from gptkit.text.formats.subtitles import SubRip, WebVtt
from gptkit.text.formats.yaml import Yaml
from gptkit.text.pieces import Format

FORMATS: tuple[Format, ...] = (SubRip(), WebVtt(), Po(), Html(), Json(), Yaml(), Markdown(), Plain())
"""In the order in which they are asked whether they recognise a document; the last takes anything."""


def format_of(name: str | None, head: str) -> Format:
    """The format of a file by its name, else by its first characters, else plain text."""
    ending = PurePath(name).suffix.lower() if name else ""
    by_name = (known for known in FORMATS if ending and ending in known.endings)
    by_content = (known for known in FORMATS if known.recognises(head))
    return next(by_name, None) or next(by_content, FORMATS[-1])


def format_named(name: str) -> Format | None:
    return next((known for known in FORMATS if known.name == name), None)
