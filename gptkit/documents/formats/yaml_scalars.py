"""How a text is written as a YAML scalar: in a given style where that can hold it, in quotes where not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptkit.documents.formats.masking import WHOLE
from gptkit.documents.formats.units import Segment, middle

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
    rf"{WHOLE}|\\(?:x..|u.{{4}}|U.{{8}}|(?:\r\n|[\r\n])[ \t]*|.)|{FOLDED_END}|[ \t]++|.", re.DOTALL
)
SINGLE_ATOM = re.compile(rf"{WHOLE}|''|{FOLDED_END}|[ \t]++|.", re.DOTALL)
PLAIN_ATOM = re.compile(rf"{WHOLE}|{FOLDED_END}|[ \t]++|.", re.DOTALL)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
UNSAFE_PLAIN = re.compile(r":(?:\s|$)|(?:^|\s)#|[\[\]{},]|^[-?:,\[\]{}#&*!|>'\"%@`]|\n")


def scalar_written(literal: str, text: str, how: str) -> str | None:
    """`how` is style, indentation, context (block, flow, root); None where a plain scalar cannot hold it."""
    style, indent, context = how.split(" ")
    end = "\r\n" if "\r\n" in literal else "\n"
    if style.endswith("-part"):
        return _part(literal, text, style, end + " " * int(indent))
    for candidate in _candidates(literal, text, style, end + " " * int(indent)):
        if _says(candidate, text, context, block=style in {"literal", "folded"}):
            return candidate
    return _double(text, literal)


def scalar_parts(segment: Segment) -> tuple[Segment, Segment] | None:
    """The two halves of a scalar; what is left of its quotes or header belongs to neither."""
    style, indent, context = segment.how.split(" ")
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
    atoms = _atoms(segment.source[start:end], style, int(indent))
    if len(atoms) < 2:
        return None
    cut = start + len("".join(atoms[: middle(atoms)]))
    how = f"{style}-part {indent} {context}"
    parts = segment.source[start:cut], segment.source[cut:end]
    left, right = (_read(part, style, int(indent)) for part in parts)
    if left is None or right is None:
        return None
    return (
        segment._replace(source=segment.source[:cut], text=left, start=start, end=cut, how=how),
        segment._replace(source=segment.source[cut:], text=right, start=0, end=end - cut, how=how),
    )


def _candidates(literal: str, text: str, style: str, end: str) -> Iterator[str]:
    single = "'" + text.replace("'", "''") + "'"
    if style in {"literal", "folded"}:
        header = literal[: found.start()] if (found := END.search(literal)) else literal
        width = max(WIDTH, *(len(line) for line in literal.splitlines())) - int(end.count(" "))
        lines = _folded(text.rstrip(), width) if style == "folded" else text.rstrip()
        yield _indented(f"{header}\n{lines}", end)
    elif style == "plain":
        if not NUMBER_LIKE.fullmatch(text):
            yield text
        if '"' in text or "\\" in text:
            yield single
    elif style == "single":
        yield single


def _says(candidate: str, text: str, context: str, *, block: bool) -> bool:
    """Whether a parser reads the text, and a text, out of it."""
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
    said = str(node.value)
    return said.rstrip() == text.rstrip() if block else said == text


def _folded(text: str, width: int) -> str:
    """With one line end more wherever folding would take one for a space, and lines of up to `width`."""

    def more(found: re.Match[str]) -> str:
        before = text[text.rfind("\n", 0, found.start()) + 1]
        return found[0] if before.isspace() or text[found.end()].isspace() else found[0] + "\n"

    lines = re.sub(r"(?<=[^\n])\n+(?=[^\n])", more, text).split("\n")
    return "\n".join(part for line in lines for part in _wrapped(line, width))


def _wrapped(line: str, width: int) -> Iterator[str]:
    words = line.split(" ")
    if len(line) <= width or "" in words:
        yield line
        return
    held = words[0]
    for word in words[1:]:
        if len(held) + len(word) >= width:
            yield held
            held = word
        else:
            held += " " + word
    yield held


def _indented(text: str, end: str) -> str:
    newline = end.rstrip(" ")
    return "".join(
        line
        if number == 0
        else (end if line.strip() else newline) + line.rstrip(" " if not line.strip() else "")
        for number, line in enumerate(text.split("\n"))
    )


def _double(text: str, literal: str) -> str:
    pattern = NOT_ASCII if literal.isascii() and UNICODE_ESCAPE.search(literal) else ESCAPED
    return '"' + pattern.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if short := SHORT.get(found[0]):
        return short
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _atoms(raw: str, style: str, indent: int) -> list[str]:
    if style in {"literal", "folded"}:
        return re.findall(rf"{WHOLE}|(?:\r\n|\n|\r) {{0,{indent}}}|.", raw, re.DOTALL)
    atoms = DOUBLE_ATOM if style == "double" else SINGLE_ATOM if style == "single" else PLAIN_ATOM
    return atoms.findall(raw)


def _read(raw: str, style: str, indent: int) -> str | None:
    """What a part of a scalar says."""
    if style == "literal":
        return re.sub(rf"(?:\r\n|\n|\r) {{0,{indent}}}", "\n", raw)
    if style == "folded":
        return FOLD.sub(_fold, raw)
    if style == "double":
        return _parsed(f'"{raw}"')
    return FOLD.sub(_fold, raw.replace("''", "'") if style == "single" else raw)


def _fold(found: re.Match[str]) -> str:
    ends = len(END.findall(found[0]))
    return " " if ends == 1 else "\n" * (ends - 1)


def _parsed(literal: str) -> str | None:
    from yaml import CSafeLoader, ScalarNode, YAMLError, compose

    try:
        node = compose(f"k:\n {literal}", CSafeLoader)
    except YAMLError:
        return None
    scalar = node.value[0][1] if node is not None and node.value else None
    return scalar.value if isinstance(scalar, ScalarNode) else None


def _part(literal: str, text: str, style: str, end: str) -> str | None:
    """In place of a part of a scalar, whose other parts are written without knowing of this one."""
    newline = end.rstrip(" ")
    if style == "literal-part":
        return _indented(text, end)
    if style == "double-part":
        return _double(text, literal)[1:-1]
    flat = re.sub(r"[ \t]*\n[ \t]*", "\n", CONTROL.sub(" ", text))
    if style == "plain-part" and UNSAFE_PLAIN.search(flat):
        return None
    if style == "single-part":
        flat = flat.replace("'", "''")
    return flat.replace("\n", f"{newline}{end}")
