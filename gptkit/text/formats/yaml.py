"""YAML: strings that are values are translated, each in its own style; everything else stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from gptkit.core.errors import DataError
from gptkit.text.formats.keyed import KeyedFormat
from gptkit.text.formats.units import Segment, find_middle
from gptkit.text.masking import UNBREAKABLE
from gptkit.text.pieces import Finding, Piece

if TYPE_CHECKING:
    from yaml import Event


WIDTH = 80
STRING_SCALAR = "tag:yaml.org,2002:str"
NUMBER_LIKE = re.compile(r"[-+.]*[0-9][0-9a-zA-Z_.:+-]*|[yYnN~]|[-+]?\.(?:inf|nan)", re.IGNORECASE)
ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
NOT_ASCII = re.compile(r'["\\\x00-\x1f]|[^\x00-\x7e]')
SHORT = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
}
UNICODE_ESCAPE = re.compile(r"\\(?:x[89a-fA-F][0-9a-fA-F]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
END = re.compile(r"\r\n|\n|\r")
FOLDED_END = r"[ \t]*+(?:\r\n|[\r\n])[ \t\r\n]*"
FOLD = re.compile(rf"(?<![ \t]){FOLDED_END}")
DOUBLE_ATOM = re.compile(
    rf"{UNBREAKABLE}|\\(?:x..|u.{{4}}|U.{{8}}|(?:\r\n|[\r\n])[ \t]*|.)|{FOLDED_END}|[ \t]++|.", re.DOTALL
)
SINGLE_ATOM = re.compile(rf"{UNBREAKABLE}|''|{FOLDED_END}|[ \t]++|.", re.DOTALL)
PLAIN_ATOM = re.compile(rf"{UNBREAKABLE}|{FOLDED_END}|[ \t]++|.", re.DOTALL)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
UNSAFE_PLAIN = re.compile(r":(?:\s|$)|(?:^|\s)#|[\[\]{},]|^[-?:,\[\]{}#&*!|>'\"%@`]|\n")


def write_scalar(literal: str, text: str, syntax: str) -> str | None:
    """Write a text as a scalar in place of `literal`; None if it cannot be written there.

    `syntax` is the scalar's style, its indentation and its context (`block`, `flow` or `root`).
    """
    style, indent, context = syntax.split(" ")
    end = "\r\n" if "\r\n" in literal else "\n"
    if style.endswith("-part"):
        return _write_part(literal, text, style, end + " " * int(indent))
    for candidate in _candidates(literal, text, style, end + " " * int(indent)):
        if _parses_as(candidate, text, context, block=style in {"literal", "folded"}):
            return candidate
    return _double_quoted(text, literal)


def split_scalar(segment: Segment) -> tuple[Segment, Segment] | None:
    """Split a scalar in two, without its quotes or header; None if that is impossible."""
    style, indent, context = segment.syntax.split(" ")
    start, end = segment.start, segment.end
    literal = segment.source[start:end]
    if style in {"single", "double"}:
        start, end = start + 1, end - 1
    elif style in {"literal", "folded"}:
        first = END.search(literal)
        body = first.end() if first else len(literal)
        while body < len(literal) and literal[body] in " \r\n":
            body += 1
        start += literal.rfind("\n", 0, body) + 1 + int(indent)
        if style == "folded" and re.search(rf"\n {{{int(indent) + 1},}}\S", literal):
            return None
    style = style.removesuffix("-part")
    atoms = _split_atoms(segment.source[start:end], style, int(indent))
    if len(atoms) < 2:
        return None
    cut = start + len("".join(atoms[: find_middle(atoms)]))
    syntax = f"{style}-part {indent} {context}"
    parts = segment.source[start:cut], segment.source[cut:end]
    left, right = (_parse_part(part, style, int(indent)) for part in parts)
    if left is None or right is None:
        return None
    return (
        segment._replace(source=segment.source[:cut], text=left, start=start, end=cut, syntax=syntax),
        segment._replace(source=segment.source[cut:], text=right, start=0, end=end - cut, syntax=syntax),
    )


def _candidates(literal: str, text: str, style: str, end: str) -> Iterator[str]:
    single = "'" + text.replace("'", "''") + "'"
    if style in {"literal", "folded"}:
        header = literal[: line_end.start()] if (line_end := END.search(literal)) else literal
        width = max(WIDTH, *(len(line) for line in literal.splitlines())) - int(end.count(" "))
        lines = _fold_lines(text.rstrip(), width) if style == "folded" else text.rstrip()
        yield _indent(f"{header}\n{lines}", end)
    elif style == "plain":
        if not NUMBER_LIKE.fullmatch(text):
            yield text
        if '"' in text or "\\" in text:
            yield single
    elif style == "single":
        yield single


def _parses_as(candidate: str, text: str, context: str, *, block: bool) -> bool:
    """Whether a parser reads the candidate as this text, and as a string."""
    from yaml import CSafeLoader, MappingNode, ScalarNode, SequenceNode, YAMLError, compose

    frame = {"root": "{}", "flow": "[{}]"}.get(context, "k: {}")
    try:
        node = compose(frame.replace("{}", candidate) + "\n", CSafeLoader)
    except (YAMLError, UnicodeEncodeError):
        return False
    if isinstance(node, MappingNode) and context == "block" and len(node.value) == 1:
        node = node.value[0][1]
    elif isinstance(node, SequenceNode) and context == "flow" and len(node.value) == 1:
        node = node.value[0]
    if not isinstance(node, ScalarNode) or node.tag != STRING_SCALAR:
        return False
    value = str(node.value)
    return value.rstrip() == text.rstrip() if block else value == text


def _fold_lines(text: str, width: int) -> str:
    """Write a text as lines of a folded scalar: long lines wrapped, folded line ends doubled."""

    def double_line_end(match: re.Match[str]) -> str:
        before = text[text.rfind("\n", 0, match.start()) + 1]
        return match[0] if before.isspace() or text[match.end()].isspace() else match[0] + "\n"

    lines = re.sub(r"(?<=[^\n])\n+(?=[^\n])", double_line_end, text).split("\n")
    return "\n".join(part for line in lines for part in _wrap(line, width))


def _wrap(line: str, width: int) -> Iterator[str]:
    words = line.split(" ")
    if len(line) <= width or "" in words:
        yield line
        return
    current = words[0]
    for word in words[1:]:
        if len(current) + len(word) >= width:
            yield current
            current = word
        else:
            current += " " + word
    yield current


def _indent(text: str, end: str) -> str:
    newline = end.rstrip(" ")
    return "".join(
        line
        if number == 0
        else (end if line.strip() else newline) + line.rstrip(" " if not line.strip() else "")
        for number, line in enumerate(text.split("\n"))
    )


def _double_quoted(text: str, literal: str) -> str:
    pattern = NOT_ASCII if literal.isascii() and UNICODE_ESCAPE.search(literal) else ESCAPED
    return '"' + pattern.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if short := SHORT.get(match[0]):
        return short
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _split_atoms(raw: str, style: str, indent: int) -> list[str]:
    if style in {"literal", "folded"}:
        return re.findall(rf"{UNBREAKABLE}|(?:\r\n|\n|\r) {{0,{indent}}}|.", raw, re.DOTALL)
    atoms = DOUBLE_ATOM if style == "double" else SINGLE_ATOM if style == "single" else PLAIN_ATOM
    return atoms.findall(raw)


def _parse_part(raw: str, style: str, indent: int) -> str | None:
    """Return the text of a part of a scalar; None if it is none by itself."""
    if style == "literal":
        return re.sub(rf"(?:\r\n|\n|\r) {{0,{indent}}}", "\n", raw)
    if style == "folded":
        return FOLD.sub(_unfold, raw)
    if style == "double":
        return _parse_literal(f'"{raw}"')
    return FOLD.sub(_unfold, raw.replace("''", "'") if style == "single" else raw)


def _unfold(match: re.Match[str]) -> str:
    ends = len(END.findall(match[0]))
    return " " if ends == 1 else "\n" * (ends - 1)


def _parse_literal(literal: str) -> str | None:
    from yaml import CSafeLoader, ScalarNode, YAMLError, compose

    try:
        node = compose(f"k:\n {literal}", CSafeLoader)
    except YAMLError:
        return None
    scalar = node.value[0][1] if node is not None and node.value else None
    return scalar.value if isinstance(scalar, ScalarNode) else None


def _write_part(literal: str, text: str, style: str, end: str) -> str | None:
    """Write a text in place of a part of a scalar whose other parts are written independently."""
    newline = end.rstrip(" ")
    if style == "literal-part":
        return _indent(text, end)
    if style == "double-part":
        return _double_quoted(text, literal)[1:-1]
    flat = re.sub(r"[ \t]*\n[ \t]*", "\n", CONTROL.sub(" ", text))
    if style == "plain-part" and UNSAFE_PLAIN.search(flat):
        return None
    if style == "single-part":
        flat = flat.replace("'", "''")
    return flat.replace("\n", f"{newline}{end}")


STRING = "tag:yaml.org,2002:str"
PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t\r\n]+)+")
LEAD = re.compile(r"^[ ]*(?=[^ \r\n])", re.MULTILINE)
KEY_LINE = re.compile(
    r"\ufeff?(?:---[^\n]*\n)?(?:[ \t]*(?:#[^\n]*)?\r?\n)*[\w.-]+:"
    r"(?:[ \t]*(?:#[^\n]*)?\r?\n[ \t]+[\w'\".-]+:|[ \t]+\S)"
)
TRIMMED = 1 << 16  # characters already returned above which the buffer is cut
AT_ONCE = 1 << 12  # characters that the parser is given at once, or more if a line is longer
LONG = 4096  # characters without a text that become a segment of their own


class Yaml(KeyedFormat):
    name = "yaml"

    def recognises(self, head: str) -> bool:
        """Whether there are keys within keys from the first line on, unlike in prose or Markdown."""
        if KEY_LINE.match(head) is None or re.search(r"^---[ \t]*\r?$", head[3:], re.MULTILINE):
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
            raise DataError(f"yaml{where}: not YAML") from None
        except UnicodeEncodeError:
            raise DataError("yaml: half of a surrogate pair in the text") from None
        if rest := source.until(None):
            yield Segment(rest)

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        return write_scalar(literal, text, syntax) or literal

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        slot = unit.slots[0]
        if slot.syntax.startswith("plain-part") and write_scalar("", answer, slot.syntax) is None:
            yield Finding(
                unit.line, "form", "a colon, number sign, bracket or quotation mark cannot stand here"
            )

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        return split_scalar(segment)

    def _scalars(self, source: _Source) -> Iterator[Segment]:
        from yaml import CSafeLoader, ScalarEvent, ScalarNode

        loader: Any = CSafeLoader(source)
        place = _Position()
        try:
            while loader.check_event():
                event: Any = loader.get_event()
                start, end = event.start_mark, event.end_mark
                if (
                    place.is_value(event)
                    and isinstance(event, ScalarEvent)
                    and self.is_translatable(event.value, place.path())
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


def _segment(source: _Source, scalar: Scalar, place: _Position) -> Segment | None:
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
    syntax = f"{style} {indent} {place.context}"
    return Segment(source.until(end), scalar.value, start - begin, end - begin, syntax, path=place.keys())


def _header(literal: str) -> int:
    """Return the end of the first line of a block scalar."""
    line_end = END.search(literal)
    return line_end.end() if line_end else len(literal)


class _Source:
    """The input of the parser; what the parser has read is kept in a buffer until `until` returns it."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._buffer = ""
        self._new: list[str] = []  # what was read but not yet added to `_buffer`
        self._begin = 0  # the position of `done` in `_buffer`
        self.done = 0  # position up to which the input was returned, as the parser counts
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
        """Return a part of the input that the parser has read."""
        shift = self._begin - self.done
        if end + shift > len(self._buffer):
            self._buffer = "".join([self._buffer, *self._new])
            self._new.clear()
        return self._buffer[start + shift : end + shift]

    def until(self, end: int | None) -> str:
        """Return the input from `done` on up to a position, or all the rest, and move `done` there."""
        if end is None:
            return "".join([self._buffer[self._begin :], *self._new, *self._lines])
        text = self.peek(self.done, end)
        self._begin += len(text)
        self.done = end
        if self._begin > TRIMMED:
            self._buffer, self._begin = self._buffer[self._begin :], 0
        return text


class _Level:
    """A mapping or a sequence that is open."""

    def __init__(self, *, mapping: bool, flow: bool, in_key: bool) -> None:
        self.mapping = mapping
        self.flow = flow
        self.in_key = in_key  # within a key
        self.awaits_key = mapping
        self.key: str | int = "" if mapping else -1  # or the position in a sequence


class _Position:
    """The position of the parser in the document: the keys above, and whether a key or a value comes next."""

    def __init__(self) -> None:
        import yaml

        self._levels: list[_Level] = []
        self._ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        self._starts = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
        self._scalar, self._alias = yaml.ScalarEvent, yaml.AliasEvent

    def path(self) -> list[str | int]:
        return [level.key for level in self._levels]

    def keys(self) -> tuple[str, ...]:
        return tuple(level.key for level in self._levels if isinstance(level.key, str))

    @property
    def context(self) -> str:
        return "root" if not self._levels else "flow" if self._levels[-1].flow else "block"

    def is_value(self, event: Event) -> bool:
        """Take in the next event; return whether it is a value, and not within a key."""
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
        is_key = self._take_name(name)
        in_key = is_key or bool(self._levels and self._levels[-1].in_key)
        if starts:
            mapping = isinstance(event, self._starts[0])
            flow = bool(getattr(event, "flow_style", False))
            self._levels.append(_Level(mapping=mapping, flow=flow, in_key=in_key))
        return not in_key

    def _take_name(self, name: str) -> bool:
        """Take in a node of the innermost level; return whether it is a key."""
        if not self._levels:
            return False
        level = self._levels[-1]
        if isinstance(level.key, int):
            level.key += 1
            return False
        if is_key := level.awaits_key:
            level.key = name
        level.awaits_key = not is_key
        return is_key
