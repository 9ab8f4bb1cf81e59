"""Reads TMX of any tool as a stream; a document that declares entities is refused."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from time import gmtime, strftime
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gptkit.core.errors import DataError, UsageError
from gptkit.jobs.memory import entries
from gptkit.jobs.memory.entries import aligned, foreign_key, tag
from gptkit.jobs.memory.jsonl import ImportCounts
from gptkit.text.pieces import MARK, PieceAnswer, mark, parse_units

if TYPE_CHECKING:
    import sqlite3
    from xml.parsers.expat import XMLParserType

    from gptkit.jobs.memory.store import MemoryStore


PROMPT = "x-prompt"
CONTROL = "x-control"
"""Type of the element that stands for a character which XML cannot have."""
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
<header creationtool="gptkit" creationtoolversion="1" segtype="block" o-tmf="gptkit" adminlang="en" \
srclang="*all*" datatype="unknown"/>
<body>
"""
_TAIL = "</body>\n</tmx>\n"
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\r]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 has no way to write, https://www.w3.org/TR/xml/#charsets."""
_UNITS = "⟦#1⟧\n"


def tmx(memory: MemoryStore) -> Iterator[bytes]:
    """Pieces that are made of several texts become as many units; those asked for in halves have none."""
    yield _HEAD.encode()
    with memory.reading() as connection:
        for each in entries.entries(connection):
            if each.in_halves:
                continue
            for text, answer in _pairs(each):
                yield _unit(each, text, answer).encode()
    yield _TAIL.encode()


def _pairs(each: entries.Entry) -> Iterator[tuple[str, str]]:
    if not each.text.startswith(_UNITS):
        yield each.text, each.answer
        return
    texts, answers = parse_units(each.text), parse_units(each.answer)
    for number, text in texts.items():
        if text and number in answers:
            yield text, answers[number]


def _unit(each: entries.Entry, text: str, answer: str) -> str:
    options: dict[str, str] = json.loads(each.options)
    source = tag(options.get("from", "")) or "und"
    target = tag(options.get("to", "")) or "und"
    named = {PROMPT: each.prompt, "x-model": each.model}
    named |= {f"x-option-{name}": value for name, value in options.items() if len(value) <= 200}
    properties = [
        f'<prop type="{_plain(name)}">{_plain(value)}</prop>\n' for name, value in named.items() if value
    ]
    return (
        f'<tu creationdate="{_date(each.created)}" lastusagedate="{_date(each.used)}"'
        f' usagecount="{each.hits}">\n'
        f"{''.join(properties)}"
        f'<tuv xml:lang="{source}"><seg>{_segment(text)}</seg></tuv>\n'
        f'<tuv xml:lang="{target}"><seg>{_segment(answer)}</seg></tuv>\n'
        "</tu>\n"
    )


def _segment(text: str) -> str:
    shown = MARK.sub(r'<ph x="\1"/>', _escaped(text))
    return _FORBIDDEN.sub(lambda found: f'<ph type="{CONTROL}">U+{ord(found[0]):04X}</ph>', shown)


def _plain(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", _escaped(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], text)


def _date(moment: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(moment))


_CODES = frozenset({"ph", "bpt", "ept", "it", "ut"})
"""Elements that stand for a code of the document; `hi` only surrounds text."""
_LANGUAGE = ("http://www.w3.org/XML/1998/namespace lang", "xml:lang", "lang")
_BLOCK = 1 << 16
_LONGEST = 1 << 22
"""Characters of one text: more is no memory of a translator."""
_LONGEST_NAME = 200
_DEEPEST = 50


class Text(NamedTuple):
    """What one language says; codes of the document are marks."""

    language: str
    text: str


class Unit(NamedTuple):
    """One text in several languages; `source` is the language of the original, and `prompt` what gptkit
    called when it wrote this, if that is known."""

    texts: Sequence[Text]
    source: str
    prompt: str
    line: int


def units(file: BinaryIO) -> Iterator[Unit]:
    """Raises DataError with the number of the line."""
    from xml.parsers import expat

    reading = _Reading(expat.ParserCreate())
    try:
        while block := file.read(_BLOCK):
            reading.parser.Parse(block, False)
            yield from reading.taken()
        reading.parser.Parse(b"", True)
        yield from reading.taken()
    except expat.ExpatError as error:
        raise DataError(f"line {error.lineno}, column {error.offset + 1}: not XML") from None
    if not reading.is_tmx:
        raise DataError("it is empty")


def is_tmx(head: bytes) -> bool:
    """Whether a file begins as XML does, in any of its encodings."""
    for bom, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, "replace").lstrip().startswith("<")
    return head.replace(b"\0", b"").lstrip().startswith(b"<")


class _Reading:
    """What has been read of a document so far."""

    def __init__(self, parser: XMLParserType) -> None:
        self.parser = parser
        self.is_tmx = False
        self._done: list[Unit] = []
        self._depth = 0
        self._header_source = ""
        self._source = ""
        self._texts: list[Text] = []
        self._language = ""
        self._property = self._prompt = ""
        self._line = 0
        self._segment: io.StringIO | None = None
        self._code: _Code | None = None
        self._code_depth = 0
        self._codes: _Codes = _Codes()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_entity

    def taken(self) -> list[Unit]:
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault("it is nested too deeply")
        if self._depth == 1:
            if name != "tmx":
                raise self._fault("it is not TMX")
            self.is_tmx = True
        elif self._code is not None:
            self._code_depth += 1
        elif self._segment is not None:
            if name in _CODES:
                self._code, self._code_depth = _Code(name, attributes), 1
        elif name == "header":
            self._header_source = attributes.get("srclang", "")
        elif name == "tu":
            self._texts, self._line, self._codes = [], self.parser.CurrentLineNumber, _Codes()
            self._source = attributes.get("srclang", self._header_source)
            self._prompt = ""
        elif name == "prop":
            self._property = attributes.get("type", "")
        elif name == "tuv":
            self._language = next((attributes[each] for each in _LANGUAGE if each in attributes), "")
        elif name == "seg":
            self._segment = io.StringIO()
            self._codes.begin()

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._code is not None:
            self._code_depth -= 1
            if not self._code_depth and self._segment is not None:
                self._segment.write(self._code.control() or mark(self._codes.number(self._code)))
                self._code = None
        elif name == "seg" and self._segment is not None:
            self._texts.append(Text(self._language, self._segment.getvalue()))
            self._segment = None
        elif name == "prop":
            self._property = ""
        elif name == "tu":
            self._done.append(Unit(self._texts, self._source, self._prompt, self._line))

    def _characters(self, text: str) -> None:
        if self._code is not None:
            if self._code_depth == 1:
                self._code.content += text
        elif self._segment is not None:
            if self._segment.tell() + len(text) > _LONGEST:
                raise self._fault("a text is too long")
            self._segment.write(text)
        elif self._property == PROMPT and len(self._prompt) < _LONGEST_NAME:
            self._prompt += text

    def _refuse_entity(self, *_declaration: object) -> None:
        raise self._fault("it has entities of its own, which are not read")

    def _fault(self, what: str) -> DataError:
        return DataError(f"line {self.parser.CurrentLineNumber}: {what}")


class _Code:
    """An element that stands for something which is not to be translated."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.type = attributes.get("type", "")
        self.number = attributes.get("i") if name in ("bpt", "ept") else attributes.get("x")
        self.content = ""

    def control(self) -> str:
        """The character that it stands for, where gptkit wrote it since XML cannot."""
        if self.type != CONTROL:
            return ""
        try:
            code = int(self.content.removeprefix("U+"), 16)
        except ValueError:
            return "\ufffd"
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


class _Codes:
    """The codes of one unit: the same one has the same number in each language.

    It is the same if its number says so, or else what it stands for; those of equal content are told
    apart by their order.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, int], int] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def begin(self) -> None:
        """The codes of another language follow."""
        self._seen = {}

    def number(self, code: _Code) -> int:
        kind = "" if code.name in ("ph", "it", "ut") else code.name
        name = (kind, f"#{code.number}" if code.number else code.content)
        again = self._seen[name] = self._seen.get(name, -1) + 1
        return self._numbers.setdefault((*name, again), len(self._numbers))


def take_tmx(memory: MemoryStore, file: BinaryIO, prompt: str | None, now: float) -> ImportCounts:
    """Into the memory of a prompt, else of those that the file names, as gptkit's own do.

    A text that is there already gets the new translation. Raises DataError with the line, UsageError
    for a file that leaves open which prompt is meant; then nothing is taken."""
    added = known = left_out = 0
    with memory.writing() as connection:
        for unit in units(file):
            meant = prompt or unit.prompt
            if not meant:
                raise UsageError(
                    "the TMX does not say which prompt its texts are for", hint="name it with --prompt"
                )
            pairs = list(_unit_pairs(unit))
            left_out += not pairs
            for source, target in pairs:
                if _take(connection, source, target, meant, now):
                    added += 1
                else:
                    known += 1
    return ImportCounts(added, known, left_out)


def _unit_pairs(unit: Unit) -> Iterator[tuple[Text, Text]]:
    """The original with each translation whose codes are those of the original."""
    original = _original(unit)
    if original is None or not original.text.strip():
        return
    codes = Counter(MARK.findall(original.text))
    for each in unit.texts:
        usable = each.text.strip() and Counter(MARK.findall(each.text)) == codes
        if each is not original and usable and tag(each.language):
            yield original, each


def _original(unit: Unit) -> Text | None:
    """The text in the language that the unit names as its source; by custom the first one."""
    wanted = tag(unit.source)
    named = (each for each in unit.texts if wanted and tag(each.language) == wanted)
    return next(named, unit.texts[0] if unit.texts else None)


def _take(connection: sqlite3.Connection, source: Text, target: Text, prompt: str, now: float) -> bool:
    language = tag(target.language)
    key = foreign_key(source.text, prompt, language)
    old = entries.held(connection, key)
    text, answer = aligned(source.text, target.text)
    if old is not None and old[1].answer == answer:
        return False
    about = {"prompt": prompt, "to": language}
    if tag(source.language):
        about["from"] = tag(source.language)
    held = PieceAnswer(answer, foreign=True)
    entries.insert(connection, entries.entry(key, text, held, about, now))
    return True
