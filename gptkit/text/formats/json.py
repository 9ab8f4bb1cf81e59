"""JSON and JSON Lines: strings that are values are translated; everything else stays, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from gptkit.core.errors import DataError
from gptkit.text.formats.keyed import KeyedFormat
from gptkit.text.formats.units import Segment, find_middle
from gptkit.text.masking import UNBREAKABLE
from gptkit.text.pieces import Finding, Piece

TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<sign>[{}\[\]:,])
    | "(?P<string>(?:[^"\\\r\n]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+)"
    | (?P<literal>-?[0-9][0-9.eE+-]*|true|false|null)
    """,
    re.VERBOSE,
)
OPEN_STRING = re.compile(
    r'"(?:[^"\\\r\n]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+(?:\\(?:u[0-9A-Fa-f]{0,3})?)?'
)
ATOM = re.compile(
    rf"{UNBREAKABLE}|"
    r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|.",
    re.DOTALL,
)
STARTS = re.compile(
    r'\ufeff?\s*(?:\{\s*"(?:[^"\\\n]|\\.)*"\s*:|\[\s*\{\s*"(?:[^"\\\n]|\\.)*"\s*:'
    r'|\[\s*"(?:[^"\\\n]|\\.)*"\s*(?:,\s*["{\[]|\]\s*\Z))'
)
SURROGATE = re.compile("[\ud800-\udfff]")
LONG = 4096  # characters without a text that become a segment of their own


class Json(KeyedFormat):
    name = "json"

    def recognises(self, head: str) -> bool:
        return STARTS.match(head) is not None

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        buffer, place, begin = "", 0, 0  # `buffer` is read up to `place`; the segment starts at `begin`
        document = _Document()
        for chunk in lines:
            buffer, place, begin = buffer[begin:] + chunk, place - begin, 0
            if document.at_start and buffer.startswith("\ufeff"):
                place = 1
            document.at_start = False
            while place < len(buffer):
                token = TOKEN.match(buffer, place)
                if token is None or (token.lastgroup == "literal" and token.end() == len(buffer)):
                    if _is_incomplete(buffer, place):
                        break
                    raise document.syntax_error(buffer, place)
                text = document.read(token)
                if text is not None and self.is_translatable(text, document.path()):
                    span = token.start("string") - begin, token.end("string") - begin
                    half_in = document.name() if SURROGATE.search(text) else ""
                    yield Segment(buffer[begin : token.end()], text, *span, half_in, path=document.keys())
                    begin = token.end()
                elif token.end() - begin > LONG:
                    yield Segment(buffer[begin : token.end()])
                    begin = token.end()
                place = token.end()
        document.finish(buffer[place:])
        if begin < len(buffer):
            yield Segment(buffer[begin:])

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        if name := unit.slots[0].syntax:
            message = f"half a character (a lone surrogate) in '{name}' left as it is"
            yield Finding(unit.line, "surrogate", message)

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        escaped = re.search(r"\\u(?!00[01])(?!2028|2029)[0-9A-Fa-f]{4}", literal) is not None
        new = json.dumps(text, ensure_ascii=escaped and literal.isascii())[1:-1]
        if "\\/" in literal and not re.search(r"(?<!\\)/", literal):
            new = new.replace("/", "\\/")
        for sign in "<>&'":  # as programs write that guard against HTML
            code = f"\\u{ord(sign):04x}"
            if code in literal.lower():
                new = new.replace(sign, code if code in literal else code.upper().replace("U", "u", 1))
        return SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", new)

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        atoms = ATOM.findall(segment.source[segment.start : segment.end])
        if len(atoms) < 2:
            return None
        size = len("".join(atoms[: find_middle(atoms)]))
        cut = segment.start + size
        first = segment.source[:cut]
        rest = segment.source[cut:]
        length = segment.end - cut
        return (
            segment._replace(source=first, text=_decode(first[segment.start :]), end=cut),
            segment._replace(source=rest, text=_decode(rest[:length]), start=0, end=length),
        )


class _Document:
    """The state of a reader of JSON: which token is expected next, and the keys above."""

    def __init__(self) -> None:
        self.at_start = True
        self.line = 1
        self._above: list[str | int] = []  # the key or the position in each container that is open
        self._expected = "value"

    def path(self) -> list[str | int]:
        return self._above

    def keys(self) -> tuple[str, ...]:
        return tuple(key for key in self._above if isinstance(key, str))

    def name(self) -> str:
        """Return the path as --keys has it; empty for a value without keys."""
        return ".".join(map(str, self._above))

    def read(self, token: re.Match[str]) -> str | None:
        """Take in the next token; return the text if the token is a string that is a value, else None."""
        kind = token.lastgroup
        if kind == "space":
            self.line += token[0].count("\n")
            return None
        expected = self._expected
        if kind == "sign":
            self._take_sign(token, expected)
            return None
        if kind == "string" and expected in {"key", "key or }"}:
            self._above[-1] = SURROGATE.sub("\ufffd", _decode(token["string"]))
            self._expected = ":"
            return None
        if expected not in {"value", "value or ]"}:
            raise self.syntax_error(token.string, token.start())
        self._after_value()
        return _decode(token["string"]) if kind == "string" else None

    def _take_sign(self, token: re.Match[str], expected: str) -> None:
        sign = token[0]
        if sign in "{[" and expected in {"value", "value or ]"}:
            self._above.append("" if sign == "{" else 0)
            self._expected = "key or }" if sign == "{" else "value or ]"
        elif sign == ":" and expected == ":":
            self._expected = "value"
        elif sign == "," and expected in {"} or ,", "] or ,"}:
            if isinstance(position := self._above[-1], int):
                self._above[-1] = position + 1
            self._expected = "key" if expected == "} or ," else "value"
        elif sign in "}]" and sign in expected:
            self._above.pop()
            self._after_value()
        else:
            raise self.syntax_error(token.string, token.start())

    def _after_value(self) -> None:
        if not self._above:
            self._expected = "value"  # of JSON Lines
        else:
            self._expected = "} or ," if isinstance(self._above[-1], str) else "] or ,"

    def finish(self, rest: str) -> None:
        """Take in the end of the input. Raises DataError if the document is not complete."""
        if rest and not re.fullmatch(TOKEN, rest):
            raise self.syntax_error(rest, 0)
        if self._above:
            raise DataError(f"json, line {self.line}: ends where '{self._expected}' was expected")

    def syntax_error(self, text: str, place: int) -> DataError:
        unexpected = text[place : place + 20].split("\n", maxsplit=1)[0]
        return DataError(f"json, line {self.line}: '{unexpected}' where '{self._expected}' was expected")


def _is_incomplete(buffer: str, place: int) -> bool:
    """Whether an incomplete token stands there, whose end is in the next lines."""
    rest = buffer[place:]
    if rest.startswith('"'):
        match = OPEN_STRING.match(rest)
        return match is not None and match.end() == len(rest)
    return (
        re.fullmatch(r"-?[0-9]*[0-9.eE+-]*|t|tr|tru|true|f|fa|fal|fals|false|n|nu|nul|null", rest) is not None
    )


def _decode(inner: str) -> str:
    return str(json.loads(f'"{inner}"', strict=False)) if "\\" in inner else inner
