"""YAML: the strings that are values, each in the style it had; comments, layout, anchors, tags untouched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from gptkit.core.errors import DataFault
from gptkit.documents.formats.keyed import KeyedFormat
from gptkit.documents.formats.units import Segment
from gptkit.documents.formats.yaml_scalars import scalar_parts, scalar_written
from gptkit.documents.pieces import Finding, Piece

if TYPE_CHECKING:
    from yaml import Event

STRING = "tag:yaml.org,2002:str"
PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t\r\n]+)+")
LEAD = re.compile(r"^[ ]*(?=[^ \r\n])", re.MULTILINE)
KEY_LINE = re.compile(
    r"\ufeff?(?:---[^\n]*\n)?(?:[ \t]*(?:#[^\n]*)?\r?\n)*[\w.-]+:"
    r"(?:[ \t]*(?:#[^\n]*)?\r?\n[ \t]+[\w'\".-]+:|[ \t]+\S)"
)
TRIMMED = 1 << 16
AT_ONCE = 1 << 12  # characters that the parser is given, or more if a line has them
LONG = 4096


class Yaml(KeyedFormat):
    name = "yaml"
    endings = (".yaml", ".yml")

    def recognises(self, head: str) -> bool:
        """Keys within keys from the first line on; prose with a colon and Markdown's front matter are not."""
        found = KEY_LINE.match(head)
        if found is None or re.search(r"^---[ \t]*\r?$", head[3:], re.MULTILINE):
            return False
        whole = head if head.endswith("\n") else head.rpartition("\n")[0]
        lines = [line for line in whole.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        shaped = [line for line in lines if re.match(r"[ \t]*(?:- |[\w'\".-]+:(?:\s|$)|---)", line)]
        return len(shaped) * 2 > len(lines) and any(line.startswith(" ") for line in lines)

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        from yaml import YAMLError

        source = _Source(lines)
        try:
            yield from self._scalars(source)
        except YAMLError as fault:
            mark = getattr(fault, "problem_mark", None)
            where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise DataFault(f"yaml{where}: not YAML") from None
        except UnicodeEncodeError:
            raise DataFault("yaml: half of a surrogate pair in the text") from None
        if rest := source.until(None):
            yield Segment(rest)

    def written(self, literal: str, text: str, how: str) -> str:
        return scalar_written(literal, text, how) or literal

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        slot = unit.slots[0]
        if slot.how.startswith("plain-part") and scalar_written("", answer, slot.how) is None:
            yield Finding(
                unit.line, "form", "a colon, number sign, bracket or quotation mark cannot stand here"
            )

    def parted(self, segment: Segment) -> tuple[Segment, Segment] | None:
        return scalar_parts(segment)

    def _scalars(self, source: _Source) -> Iterator[Segment]:
        from yaml import CSafeLoader, ScalarEvent, ScalarNode

        loader: Any = CSafeLoader(source)
        place = _Place()
        try:
            while loader.check_event():
                event: Any = loader.get_event()
                start, end = event.start_mark, event.end_mark
                if (
                    place.is_value(event)
                    and isinstance(event, ScalarEvent)
                    and self.takes(event.value, place.path())
                ):
                    tag = event.tag or (
                        STRING if event.style else loader.resolve(ScalarNode, event.value, (True, False))
                    )
                    scalar = Scalar(event.value, event.style or "", start.index, end.index, start.column)
                    if tag == STRING and (segment := _segment(source, scalar, place)):
                        yield segment
                elif start.index - source.done > LONG:
                    yield Segment(source.until(start.index))
        finally:
            loader.dispose()


class Scalar(NamedTuple):
    value: str
    style: str
    start: int
    end: int
    column: int


STYLES = {"'": "single", '"': "double", "|": "literal", ">": "folded"}


def _segment(source: _Source, scalar: Scalar, place: _Place) -> Segment | None:
    literal = source.peek(scalar.start, scalar.end)
    properties = PROPERTIES.match(literal)
    start = scalar.start + (properties.end() if properties else 0)
    literal = source.peek(start, scalar.end).rstrip()
    if not literal or (scalar.style or literal[0]) != literal[0]:
        return None  # a comment between the properties and the text
    style = STYLES.get(scalar.style, "plain")
    indent = scalar.column + 1
    if style in {"literal", "folded"}:
        raw, value = LEAD.search(literal, _header(literal)), LEAD.search(scalar.value)
        if raw is None or value is None:
            return None
        indent = len(raw[0]) - len(value[0])
    begin, end = source.done, start + len(literal)
    how = f"{style} {indent} {place.context}"
    return Segment(source.until(end), scalar.value, start - begin, end - begin, how, path=place.keys())


def _header(literal: str) -> int:
    """Where the first line of a block scalar ends."""
    found = re.search(r"\r\n|\n|\r", literal)
    return found.end() if found else len(literal)


class _Source:
    """The input as the parser reads it; what it read is held until it is given out."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._held = ""
        self._new: list[str] = []  # what was read since `_held` was put together
        self._begin = 0  # in `_held`
        self.done = 0  # in the characters that the parser counts
        self._first = True

    def read(self, size: int = -1, /) -> str:
        parts, length = [], 0
        for line in self._lines:
            parts.append(line)
            length += len(line)
            if length >= AT_ONCE:
                break
        chunk = "".join(parts)
        self._new.append(chunk)
        if self._first and chunk:
            self._first = False
            if chunk[0] == "\ufeff":  # which the parser would not count
                self.done, chunk = -1, chunk[1:] or self.read(size)
        return chunk

    def peek(self, start: int, end: int) -> str:
        shift = self._begin - self.done
        if end + shift > len(self._held):
            self._held = "".join([self._held, *self._new])
            self._new.clear()
        return self._held[start + shift : end + shift]

    def until(self, end: int | None) -> str:
        if end is None:
            return "".join([self._held[self._begin :], *self._new, *self._lines])
        text = self.peek(self.done, end)
        self._begin += len(text)
        self.done = end
        if self._begin > TRIMMED:
            self._held, self._begin = self._held[self._begin :], 0
        return text


class _Level:
    """A mapping or a sequence that is open."""

    def __init__(self, *, mapping: bool, flow: bool, silent: bool) -> None:
        self.mapping = mapping
        self.flow = flow
        self.silent = silent  # within a key
        self.awaits_key = mapping
        self.at: str | int = "" if mapping else -1


class _Place:
    """Where in the document the parser is."""

    def __init__(self) -> None:
        import yaml

        self._levels: list[_Level] = []
        self._ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        self._starts = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
        self._scalar, self._alias = yaml.ScalarEvent, yaml.AliasEvent

    def path(self) -> list[str | int]:
        return [level.at for level in self._levels]

    def keys(self) -> tuple[str, ...]:
        return tuple(level.at for level in self._levels if isinstance(level.at, str))

    @property
    def context(self) -> str:
        return "root" if not self._levels else "flow" if self._levels[-1].flow else "block"

    def is_value(self, event: Event) -> bool:
        """Takes the next event in; whether it is no key, nor within one."""
        starts = False
        if isinstance(event, self._scalar):
            name = str(getattr(event, "value", ""))
        elif isinstance(event, self._ends):
            self._levels.pop()
            return False
        else:
            name, starts = "?", isinstance(event, self._starts)
            if not starts and not isinstance(event, self._alias):
                return False
        is_key = self._is_key(name)
        silent = is_key or bool(self._levels and self._levels[-1].silent)
        if starts:
            mapping = isinstance(event, self._starts[0])
            flow = bool(getattr(event, "flow_style", False))
            self._levels.append(_Level(mapping=mapping, flow=flow, silent=silent))
        return not silent

    def _is_key(self, name: str) -> bool:
        if not self._levels:
            return False
        level = self._levels[-1]
        if isinstance(level.at, int):
            level.at += 1
            return False
        if key := level.awaits_key:
            level.at = name
        level.awaits_key = not key
        return key
