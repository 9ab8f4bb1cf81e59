"""Export the memory as TMX, and import TMX of any tool; a document that declares entities is refused."""

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
from gptkit.jobs.memory.entries import foreign_key, language_tag, renumber_pair
from gptkit.jobs.memory.jsonl import ImportCounts
from gptkit.text.pieces import MARK, PieceAnswer, mark, parse_units

if TYPE_CHECKING:
    import sqlite3
    from xml.parsers.expat import XMLParserType

    from gptkit.jobs.memory.store import MemoryStore


PROMPT = "x-prompt"
CONTROL = "x-control"
"""The type of an element that stands for a character which XML cannot hold."""
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
<header creationtool="gptkit" creationtoolversion="1" segtype="block" o-tmf="gptkit" adminlang="en" \
srclang="*all*" datatype="unknown"/>
<body>
"""
_TAIL = "</body>\n</tmx>\n"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\r]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 has no way to write, https://www.w3.org/TR/xml/#charsets."""
_UNITS = "⟦#1⟧\n"


def export_tmx(memory: MemoryStore) -> Iterator[bytes]:
    """Write all entries as TMX. A piece of several texts becomes several units, a halved piece none."""
    yield _HEAD.encode()
    with memory.reading() as connection:
        for entry in entries.read_entries(connection):
            if entry.in_halves:
                continue
            for text, answer in _text_pairs(entry):
                yield _format_unit(entry, text, answer).encode()
    yield _TAIL.encode()


def _text_pairs(entry: entries.MemoryEntry) -> Iterator[tuple[str, str]]:
    if not entry.text.startswith(_UNITS):
        yield entry.text, entry.answer
        return
    texts, answers = parse_units(entry.text), parse_units(entry.answer)
    for number, text in texts.items():
        if text and number in answers:
            yield text, answers[number]


def _format_unit(entry: entries.MemoryEntry, text: str, answer: str) -> str:
    options: dict[str, str] = json.loads(entry.options)
    source = language_tag(options.get("from", "")) or "und"
    target = language_tag(options.get("to", "")) or "und"
    properties_by_type = {PROMPT: entry.prompt, "x-model": entry.model}
    properties_by_type |= {f"x-option-{name}": value for name, value in options.items() if len(value) <= 200}
    properties = [
        f'<prop type="{_xml_text(name)}">{_xml_text(value)}</prop>\n'
        for name, value in properties_by_type.items()
        if value
    ]
    return (
        f'<tu creationdate="{_format_time(entry.created)}" lastusagedate="{_format_time(entry.used)}"'
        f' usagecount="{entry.hits}">\n'
        f"{''.join(properties)}"
        f'<tuv xml:lang="{source}"><seg>{_format_segment(text)}</seg></tuv>\n'
        f'<tuv xml:lang="{target}"><seg>{_format_segment(answer)}</seg></tuv>\n'
        "</tu>\n"
    )


def _format_segment(text: str) -> str:
    escaped = MARK.sub(r'<ph x="\1"/>', _escape(text))
    return _FORBIDDEN.sub(lambda match: f'<ph type="{CONTROL}">U+{ord(match[0]):04X}</ph>', escaped)


def _xml_text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", _escape(text))


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], text)


def _format_time(time: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(time))


_CODE_ELEMENTS = frozenset({"ph", "bpt", "ept", "it", "ut"})
"""Elements that stand for a code of the document; `hi` is none, since it surrounds text."""
_LANGUAGE = ("http://www.w3.org/XML/1998/namespace lang", "xml:lang", "lang")
_BLOCK = 1 << 16
_LONGEST_TEXT = 1 << 22
"""Characters of the longest text that is read; no translator's memory has longer ones."""
_LONGEST_NAME = 200
_DEEPEST = 50


class LanguageText(NamedTuple):
    """A text in one language; codes of the document are marks."""

    language: str
    text: str


class TranslationUnit(NamedTuple):
    """One text in several languages. `source` is the language of the original. `prompt` is the prompt that
    gptkit noted when it wrote the unit, empty in files of other tools."""

    texts: Sequence[LanguageText]
    source: str
    prompt: str
    line: int


def read_units(file: BinaryIO) -> Iterator[TranslationUnit]:
    """Read the units of a TMX file as a stream; raises DataError with the number of a broken line."""
    from xml.parsers import expat

    parser = _TmxParser(expat.ParserCreate())
    try:
        while block := file.read(_BLOCK):
            parser.parser.Parse(block, False)
            yield from parser.take_units()
        parser.parser.Parse(b"", True)
        yield from parser.take_units()
    except expat.ExpatError as error:
        raise DataError(f"line {error.lineno}, column {error.offset + 1}: not XML") from None
    if not parser.is_tmx:
        raise DataError("it is empty")


def is_tmx(head: bytes) -> bool:
    """Whether a file that begins with `head` is XML, in any of its encodings."""
    for bom, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, "replace").lstrip().startswith("<")
    return head.replace(b"\0", b"").lstrip().startswith(b"<")


class _TmxParser:
    """Makes units of the events of the XML parser."""

    def __init__(self, parser: XMLParserType) -> None:
        self.parser = parser
        self.is_tmx = False
        self._units: list[TranslationUnit] = []
        self._depth = 0
        self._header_source = ""
        self._source = ""
        self._texts: list[LanguageText] = []
        self._language = ""
        self._property = self._prompt = ""
        self._line = 0
        self._segment: io.StringIO | None = None
        self._code: _InlineCode | None = None
        self._code_depth = 0
        self._numbers_of_codes: _CodeNumbers = _CodeNumbers()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_entity

    def take_units(self) -> list[TranslationUnit]:
        units, self._units = self._units, []
        return units

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("it is nested too deeply")
        if self._depth == 1:
            if name != "tmx":
                raise self._error("it is not TMX")
            self.is_tmx = True
        elif self._code is not None:
            self._code_depth += 1
        elif self._segment is not None:
            if name in _CODE_ELEMENTS:
                self._code, self._code_depth = _InlineCode(name, attributes), 1
        elif name == "header":
            self._header_source = attributes.get("srclang", "")
        elif name == "tu":
            self._texts, self._line, self._numbers_of_codes = (
                [],
                self.parser.CurrentLineNumber,
                _CodeNumbers(),
            )
            self._source = attributes.get("srclang", self._header_source)
            self._prompt = ""
        elif name == "prop":
            self._property = attributes.get("type", "")
        elif name == "tuv":
            self._language = next(
                (attributes[attribute] for attribute in _LANGUAGE if attribute in attributes), ""
            )
        elif name == "seg":
            self._segment = io.StringIO()
            self._numbers_of_codes.begin_language()

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._code is not None:
            self._code_depth -= 1
            if not self._code_depth and self._segment is not None:
                self._segment.write(
                    self._code.control_character() or mark(self._numbers_of_codes.number(self._code))
                )
                self._code = None
        elif name == "seg" and self._segment is not None:
            self._texts.append(LanguageText(self._language, self._segment.getvalue()))
            self._segment = None
        elif name == "prop":
            self._property = ""
        elif name == "tu":
            self._units.append(TranslationUnit(self._texts, self._source, self._prompt, self._line))

    def _characters(self, text: str) -> None:
        if self._code is not None:
            if self._code_depth == 1:
                self._code.content += text
        elif self._segment is not None:
            if self._segment.tell() + len(text) > _LONGEST_TEXT:
                raise self._error("a text is too long")
            self._segment.write(text)
        elif self._property == PROMPT and len(self._prompt) < _LONGEST_NAME:
            self._prompt += text

    def _refuse_entity(self, *_declaration: object) -> None:
        raise self._error("it has entities of its own, which are not read")

    def _error(self, problem: str) -> DataError:
        return DataError(f"line {self.parser.CurrentLineNumber}: {problem}")


class _InlineCode:
    """An element that stands for a code of the document, which is not translated."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.type = attributes.get("type", "")
        self.number = attributes.get("i") if name in ("bpt", "ept") else attributes.get("x")
        self.content = ""

    def control_character(self) -> str:
        """Return the character of an element that gptkit wrote for what XML cannot hold; else nothing."""
        if self.type != CONTROL:
            return ""
        try:
            code = int(self.content.removeprefix("U+"), 16)
        except ValueError:
            return "\ufffd"
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


class _CodeNumbers:
    """Numbers the codes of one unit, so that a code has one number in every language.

    Codes are the same if they have one number in the file or, without numbers, one content; codes of equal
    content are told apart by their order.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, int], int] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def begin_language(self) -> None:
        """Begin with the codes of another language of the unit."""
        self._seen = {}

    def number(self, code: _InlineCode) -> int:
        kind = "" if code.name in ("ph", "it", "ut") else code.name
        identity = (kind, f"#{code.number}" if code.number else code.content)
        occurrence = self._seen[identity] = self._seen.get(identity, -1) + 1
        return self._numbers.setdefault((*identity, occurrence), len(self._numbers))


def import_tmx(memory: MemoryStore, file: BinaryIO, prompt: str | None, now: float) -> ImportCounts:
    """Import the translations of a TMX file for a prompt, or for the prompts that the file names.

    A text that is there already gets the new translation. Raises DataError with the line, and UsageError if
    no prompt is known; then nothing is imported.
    """
    added = known = left_out = 0
    with memory.writing() as connection:
        for unit in read_units(file):
            unit_prompt = prompt or unit.prompt
            if not unit_prompt:
                raise UsageError(
                    "the TMX does not say which prompt its texts are for", hint="name it with --prompt"
                )
            pairs = list(_translations(unit))
            left_out += not pairs
            for source, target in pairs:
                if _store_pair(connection, source, target, unit_prompt, now):
                    added += 1
                else:
                    known += 1
    return ImportCounts(added, known, left_out)


def _translations(unit: TranslationUnit) -> Iterator[tuple[LanguageText, LanguageText]]:
    """Yield the original with each of its translations that has the same codes."""
    original = _original(unit)
    if original is None or not original.text.strip():
        return
    codes = Counter(MARK.findall(original.text))
    for translation in unit.texts:
        has_codes = translation.text.strip() and Counter(MARK.findall(translation.text)) == codes
        if translation is not original and has_codes and language_tag(translation.language):
            yield original, translation


def _original(unit: TranslationUnit) -> LanguageText | None:
    """Return the text in the source language of the unit, by custom the first text; None without any."""
    language = language_tag(unit.source)
    originals = (text for text in unit.texts if language and language_tag(text.language) == language)
    return next(originals, unit.texts[0] if unit.texts else None)


def _store_pair(
    connection: sqlite3.Connection, source: LanguageText, target: LanguageText, prompt: str, now: float
) -> bool:
    language = language_tag(target.language)
    key = foreign_key(source.text, prompt, language)
    known = entries.find_answer(connection, key)
    text, answer = renumber_pair(source.text, target.text)
    if known is not None and known[1].answer == answer:
        return False
    about = {"prompt": prompt, "to": language}
    if language_tag(source.language):
        about["from"] = language_tag(source.language)
    stored = PieceAnswer(answer, foreign=True)
    entries.insert_entry(connection, entries.make_entry(key, text, stored, about, now))
    return True
