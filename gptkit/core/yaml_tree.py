"""Parse YAML into a tree of nodes that know their lines, without constructing or executing anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import DataError

if TYPE_CHECKING:
    import yaml


SIZE_CAP = 1 << 20
"""Bytes or characters of a YAML file."""
DEPTH_CAP = 24
"""Levels of nesting."""
NODE_CAP = 50_000
_TOO_DEEP = f"nested deeper than {DEPTH_CAP} levels"


class Problem(NamedTuple):
    """A mistake in a YAML file. `key` is a path of keys such as `options.tone.type`, `line` counts from 1."""

    line: int
    key: str
    message: str
    hint: str = ""


class YamlFileError(DataError):
    """A YAML file has mistakes: the message names the first, `problems` holds all by line."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        problems = tuple(sorted(problems, key=lambda problem: problem.line))
        first = problems[0]
        key = f"{first.key}: " if first.key else ""
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{source}:{first.line}: {key}{first.message}{more}", hint=first.hint)
        self.source = source
        self.problems = problems


class YamlNode:
    """A node of a YAML tree: `value` is the text of a scalar, the items of a list, or a mapping's entries.

    `line` counts from 1. A `plain` scalar was written without quotes, so YAML gives it a type; a reader
    that expects a text may ignore the type, so that a language called `no` stays a text. `block` is the
    line on which the text after a `|` begins, 0 if the lines of the text are not lines of the file.
    """

    __slots__ = ("block", "line", "plain", "value")

    def __init__(
        self,
        value: str | list[YamlNode] | dict[str, YamlNode],
        line: int,
        plain: bool = False,
        block: int = 0,
    ) -> None:
        self.value = value
        self.line = line
        self.plain = plain
        self.block = block

    @property
    def kind(self) -> str:
        """What the node is, in the words of a message: `text`, `nothing`, `a list` or `a mapping`."""
        if isinstance(self.value, str):
            return "text" if not self.plain or self.value not in _NULLS else "nothing"
        return "a list" if isinstance(self.value, list) else "a mapping"

    def data(self) -> object:
        """The value as plain Python data; plain scalars get the type that YAML 1.2 gives them."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.data() for node in self.value]
        return parse_scalar(self.value) if self.plain else self.value

    def at_line(self, line: int) -> YamlNode:
        """A copy of the node in which all lines are `line`, for a message about another file."""
        if isinstance(self.value, dict):
            return YamlNode({key: node.at_line(line) for key, node in self.value.items()}, line)
        if isinstance(self.value, list):
            return YamlNode([node.at_line(line) for node in self.value], line)
        return YamlNode(self.value, line, self.plain)


_NULLS = ("", "~", "null", "Null", "NULL")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_NUMBER = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
"""A pattern that is compiled on its first use, since most runs read no number."""


def parse_value(text: str) -> object:
    """Parse a text as a YAML value, such as `1e-3` or `[a, b]`; return a text that is no YAML unchanged."""
    try:
        return parse_yaml(text, "").data()
    except YamlFileError:
        return text


def parse_yaml(text: str, source: str) -> YamlNode:
    """Parse a YAML document and return its root node; raises YamlFileError.

    Aliases, tags, merge keys, duplicate keys and a second document are refused.

    Args:
        source: what messages call the document, most often a path.
    """
    if len(text) > SIZE_CAP:
        raise YamlFileError(source, (Problem(1, "", f"larger than {SIZE_CAP >> 10} KiB"),))
    import yaml

    try:
        data = text.encode()
        loader = yaml.CSafeLoader(text)
    except UnicodeEncodeError as error:
        raise _file_error(source, text.count("\n", 0, error.start), "not Unicode text") from None
    try:
        return _Builder(source).build(loader)
    except yaml.MarkedYAMLError as error:
        raise _file_error(source, *_syntax_problem(text, error)) from None
    except yaml.reader.ReaderError as error:  # its position counts bytes
        message = f"not YAML: the character U+{ord(data[error.position :].decode()[0]):04X} is not allowed"
        raise _file_error(source, data.count(b"\n", 0, error.position), message) from None
    finally:
        loader.dispose()


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """The number of lines before a syntax error, and a message about it."""
    from gptkit.core.excerpt import describe_unexpected

    mark, start = error.problem_mark or error.context_mark, error.context_mark
    if mark is None:
        return 0, "not YAML"
    if _brackets_before(text, mark.index) > DEPTH_CAP:  # libyaml reads ahead and has its own limit
        return mark.line, _TOO_DEEP
    message = describe_unexpected(text, mark.index)
    if message == "unexpected end" and start and start.line < mark.line:
        message += f" of what begins on line {start.line + 1}"
    return mark.line, f"not YAML: {message}"


def _brackets_before(text: str, position: int) -> int:
    """The number of opening brackets right before a position."""
    before = text[:position]
    opening = before[len(before.rstrip("[{ \t\r\n")) :]
    return opening.count("[") + opening.count("{")


def _file_error(source: str, lines_before: int, message: str) -> YamlFileError:
    return YamlFileError(source, (Problem(lines_before + 1, "", message),))


def parse_scalar(text: str) -> object:
    """The value of a plain scalar in YAML 1.2's core schema: `no` and `1:30` are texts, `010` is ten.

    Infinity and NaN stay texts, since JSON has neither.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    try:
        if re.fullmatch(_INTEGER, text):
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        number = float(text) if re.fullmatch(_NUMBER, text) else None
    except ValueError:  # more digits than Python converts
        return text
    return number if number is not None and isfinite(number) else text


class _Builder:
    """Builds a tree from the parser's events without recursion, so that nesting cannot exhaust the stack."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._open: list[tuple[YamlNode, str | None]] = []
        self._root: YamlNode | None = None
        self._count = 0

    def build(self, loader: yaml.CSafeLoader) -> YamlNode:
        """Build the tree of a document and return its root; raises YamlFileError."""
        import yaml

        while loader.check_event():
            event: yaml.Event = loader.get_event()  # type: ignore[assignment]
            line: int = event.start_mark.line + 1  # type: ignore[union-attr]
            if isinstance(event, yaml.ScalarEvent):
                self._refuse_tag(event.tag, line)
                block = line + 1 if event.style == "|" else 0
                self._add(YamlNode(event.value, line, plain=event.implicit[0], block=block))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._refuse_tag(event.tag, line)
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._push(YamlNode({} if mapping else [], line))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._open.pop()
            elif isinstance(event, yaml.AliasEvent):
                raise self._error(line, "aliases are not allowed")
            elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
                raise self._error(line, "a second document is not allowed")
        return self._root or YamlNode("", 1, plain=True)

    def _push(self, node: YamlNode) -> None:
        self._add(node)
        self._open.append((node, None))
        if len(self._open) > DEPTH_CAP:
            raise self._error(node.line, _TOO_DEEP)

    def _add(self, node: YamlNode) -> None:
        self._count += 1
        if self._count > NODE_CAP:
            raise self._error(node.line, f"more than {NODE_CAP} values")
        if not self._open:
            self._root = node
            return
        parent, key = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict):
            if key is None:
                self._add_key(parent.value, node)
            else:
                node.line = parent.value[key].line  # messages name the line of the key
                parent.value[key] = node
                self._open[-1] = (parent, None)

    def _add_key(self, entries: dict[str, YamlNode], node: YamlNode) -> None:
        if not isinstance(node.value, str) or not node.value:
            raise self._error(node.line, "a key must be a word")
        if node.plain and node.value == "<<":
            raise self._error(node.line, "merge keys are not allowed")
        if node.value in entries:
            first = entries[node.value].line
            raise self._error(node.line, f"duplicate key (first on line {first})", node.value)
        self._open[-1] = (self._open[-1][0], node.value)
        entries[node.value] = YamlNode("", node.line, plain=True)

    def _refuse_tag(self, tag: str | None, line: int) -> None:
        if tag not in (None, "!"):
            raise self._error(line, f"the tag '{tag}' is not allowed")

    def _error(self, line: int, message: str, key: str = "") -> YamlFileError:
        return YamlFileError(self._source, (Problem(line, key, message),))


ReportProblem = Callable[[Problem], None]
"""Takes each problem that the functions below find; they then return an empty value."""


def text_value(node: YamlNode | None, key: str, report: ReportProblem) -> str:
    """The text of a node as it was written, whatever its type in YAML; empty for none and for `null`."""
    return "" if node is None or node.kind == "nothing" else literal_text(node, key, report)


def literal_text(node: YamlNode, key: str, report: ReportProblem) -> str:
    """The text of a node as it was written; `null` is a text here like any other."""
    if isinstance(node.value, str):
        return node.value
    report(Problem(node.line, key, f"must be text, this is {node.kind}"))
    return ""


def single_line(node: YamlNode | None, key: str, report: ReportProblem) -> str:
    """The text of a node without the space around it; a text of several lines is reported."""
    text = text_value(node, key, report).strip()
    if node and "\n" in text:
        report(Problem(node.line, key, "must be a single line"))
    return text


def list_items(node: YamlNode | None, key: str, report: ReportProblem) -> Sequence[YamlNode]:
    """The items of a list; empty for none and for `null`."""
    if node is None or node.kind == "nothing":
        return ()
    if isinstance(node.value, list):
        return node.value
    report(Problem(node.line, key, f"must be a list, this is {node.kind}"))
    return ()


def literal_texts(node: YamlNode | None, key: str, report: ReportProblem) -> tuple[str, ...]:
    """The texts of a list's items, as they were written."""
    return tuple(literal_text(item, key, report) for item in list_items(node, key, report))


def mapping_entries(
    node: YamlNode | None, key: str, report: ReportProblem, allowed: Sequence[str] = ()
) -> Mapping[str, YamlNode]:
    """The entries of a mapping; with `allowed`, other keys are reported and left out."""
    if node is None or node.kind == "nothing":
        return {}
    if not isinstance(node.value, dict):
        report(Problem(node.line, key, f"must be a mapping of keys, this is {node.kind}"))
        return {}
    if not allowed:
        return node.value
    for name, entry in node.value.items():
        if name not in allowed:
            report(
                Problem(entry.line, f"{key}.{name}".lstrip("."), "unknown key", spelling_hint(name, allowed))
            )
    return {name: entry for name, entry in node.value.items() if name in allowed}


def true_or_mapping(
    node: YamlNode, key: str, report: ReportProblem, allowed: Sequence[str]
) -> Mapping[str, YamlNode]:
    """Return the entries of a mapping, and none for `true`; any other value is reported."""
    if node.data() is True:
        return {}
    if not isinstance(node.value, dict):
        report(Problem(node.line, key, f"must be true or a mapping of keys, this is {node.kind}"))
        return {}
    return mapping_entries(node, key, report, allowed)


def spelling_hint(word: str, allowed: Sequence[str]) -> str:
    """A hint for an unknown word: the allowed word that was probably meant, else all allowed words."""
    from difflib import get_close_matches

    words = tuple(dict.fromkeys(allowed))
    longer = [candidate for candidate in words if len(word) > 1 and candidate.startswith(word)]
    close = longer if len(longer) == 1 else get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"allowed: {', '.join(words)}" if words else ""
