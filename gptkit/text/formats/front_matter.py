"""Front matter of Markdown, in YAML or TOML: the values that people read are translated."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gptkit.core.errors import DataError
from gptkit.text.chunk import split_lines
from gptkit.text.formats.units import Segment
from gptkit.text.formats.yaml import Yaml

READ = ("title", "description", "summary")
"""Keys whose values people read."""
TOML = "toml"
"""The syntax of a text in TOML; a text in YAML has that of a scalar."""
TABLE = re.compile(r"\s*\[{1,2}([^\[\]\n]+)\]{1,2}\s*(?:#.*)?$")
KEY = r"""[\w.-]+|"[^"\\\n]*\""""
STRING = re.compile(
    rf"""\s*(?P<key>{KEY})[ \t]*=[ \t]*(?P<value>"(?:[^"\\\n]|\\.)*+"|'[^'\n]*')[ \t]*(?:#.*)?$"""
)
SEVERAL_LINES = re.compile("\"\"\"|'''")


class _Value(NamedTuple):
    """A string on a line of TOML, with the keys above and the place of its literal in the line."""

    text: str
    path: tuple[str, ...]
    start: int
    end: int


class FrontMatter(Yaml):
    """`patterns` (the option --keys) choose values besides those of READ; see `KeyedFormat`."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        super().__init__((*READ, *patterns))

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        """Split front matter into segments; one without a text if it is not valid YAML."""
        text = "".join(lines)
        if text.startswith("+++"):
            yield from self._toml_segments(text)
            return
        try:
            yield from list(super().segments(split_lines(text)))
        except DataError:
            yield Segment(text)

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        return (
            json.dumps(text, ensure_ascii=False)
            if syntax == TOML
            else super().encode_text(literal, text, syntax)
        )

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        return None if segment.syntax == TOML else super().split_segment(segment)

    def _toml_segments(self, text: str) -> Iterator[Segment]:
        before = ""
        for line, value in _toml_values(text):
            if value is None or not self.is_translatable(value.text, value.path):
                before += line
                continue
            start, end = len(before) + value.start, len(before) + value.end
            yield Segment((before + line)[:end], value.text, start, end, TOML, path=value.path)
            before = line[value.end :]
        yield Segment(before)


def _toml_values(text: str) -> Iterator[tuple[str, _Value | None]]:
    """Yield each line with the string that is its value, None if there is none on that line alone."""
    above: tuple[str, ...] = ()
    is_within = False  # a string of several lines
    for line in split_lines(text):
        match = None if is_within else STRING.match(line)
        if table := None if is_within else TABLE.match(line):
            above = _keys(table[1])
        is_within ^= len(SEVERAL_LINES.findall(line)) % 2 == 1
        value = None
        if match:
            try:
                decoded = tomllib.loads(f"value = {match['value']}")["value"]
                value = _Value(decoded, (*above, *_keys(match["key"])), *match.span("value"))
            except tomllib.TOMLDecodeError:
                pass
        yield line, value


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(key.strip().strip("\"'") for key in dotted.split("."))
