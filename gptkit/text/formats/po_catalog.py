"""Read the entries of gettext catalogs, write their fields as msgmerge does, and know plural rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import east_asian_width

from gptkit.core.errors import DataError

KEYWORD = re.compile(
    r'[ \t]*(msgctxt|msgid_plural|msgid|msgstr(?:\[[0-9]{1,3}\])?)[ \t]*(".*")[ \t]*[\r\n]*\Z'
)
MORE = re.compile(r'[ \t]*(".*")[ \t]*[\r\n]*\Z')
OTHER = re.compile(r"[ \t]*(?:#.*|domain[ \t].*)?[\r\n]*\Z")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
ESCAPE = re.compile(r"\\(?:[0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)")
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", '"': '"', "\\": "\\"}
CODES = str.maketrans({value: "\\" + letter for letter, value in LETTERS.items()})
WIDTH = 79  # columns of a line, as msgmerge and xgettext count
WIDE = "\u1100-\u115f\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60"
CLOSING = "、。，．！？：；）」』】》〉〕｝”’"
WORD = re.compile(rf"[{WIDE}][{CLOSING}]* *|(?:\\.|[^ \\{WIDE}])++ *| +|.", re.DOTALL)


class CatalogField(NamedTuple):
    keyword: str
    text: str
    start: int  # in the source of the entry, with the ends of its lines
    end: int


class CatalogComment(NamedTuple):
    text: str
    start: int


class CatalogEntry(NamedTuple):
    """A message of a catalog: the lines behind the entry before, up to the end of its last field."""

    source: str
    line: int
    fields: tuple[CatalogField, ...] = ()
    comments: tuple[CatalogComment, ...] = ()
    forms: tuple[CatalogField, ...] = ()  # the fields that are translations, one for each plural form

    def text(self, keyword: str) -> str | None:
        return next((add_field.text for add_field in self.fields if add_field.keyword == keyword), None)

    def keyword(self, form: int) -> str:
        return "msgstr" if self.text("msgid_plural") is None else f"msgstr[{form}]"

    @property
    def flags(self) -> tuple[str, ...]:
        lines = (comment.text[2:] for comment in self.comments if comment.text.startswith("#,"))
        return tuple(flag.strip() for line in lines for flag in line.split(","))

    @property
    def notes(self) -> str:
        """The comments of the program's authors for translators."""
        return " ".join(
            comment.text[2:].strip() for comment in self.comments if comment.text.startswith("#.")
        )


def read_entries(lines: Iterable[str]) -> Iterator[CatalogEntry]:
    """Split a catalog into entries; a stretch of other lines is an entry without fields.

    The sources of all entries together are the input. Raises DataError where it is no catalog.
    """
    reader = _EntryReader(1)
    for number, line in enumerate(lines, 1):
        keyword = KEYWORD.match(line)
        more = None if keyword else MORE.match(line)
        if keyword and reader.is_ended_by(keyword[1]):
            yield reader.entry()
            reader = _EntryReader(number)
        if keyword:
            reader.add_field(keyword[1], _decode(keyword[2], number), line)
        elif more and reader.fields:
            reader.continue_field(_decode(more[1], number), line)
        elif OTHER.match(line):
            if reader.is_complete or len(reader.lines) > 200:
                yield reader.entry()
                reader = _EntryReader(number)
            reader.add_other_line(line)
        else:
            raise DataError(f"po, line {number}: '{line.strip()[:20]}' is no part of an entry")
    if reader.lines:
        if reader.fields and not reader.is_complete:
            raise DataError(f"po, line {reader.line}: an entry without msgstr")
        yield reader.entry()


class _EntryReader:
    """The entry that is being read."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: list[str] = []
        self.fields: list[CatalogField] = []
        self._comments: list[CatalogComment] = []
        self._size = 0

    @property
    def is_complete(self) -> bool:
        return bool(self.fields) and self.fields[-1].keyword.startswith("msgstr")

    def is_ended_by(self, keyword: str) -> bool:
        return self.is_complete and not keyword.startswith("msgstr[")

    def add_field(self, keyword: str, text: str, line: str) -> None:
        if any(add_field.keyword == keyword for add_field in self.fields) or (
            keyword.startswith("msgstr")
            and not any(add_field.keyword == "msgid" for add_field in self.fields)
        ):
            raise DataError(f"po, line {self.line + len(self.lines)}: '{keyword}' is out of place")
        self.fields.append(CatalogField(keyword, text, self._size, self._size + len(line)))
        self._add(line)

    def continue_field(self, text: str, line: str) -> None:
        last = self.fields[-1]
        self.fields[-1] = last._replace(text=last.text + text, end=self._size + len(line))
        self._add(line)

    def add_other_line(self, line: str) -> None:
        if line.lstrip().startswith("#"):
            self._comments.append(CatalogComment(line.strip(), self._size))
        elif not self.fields and not line.strip():
            self._comments.clear()  # they belong to nothing
        self._add(line)

    def entry(self) -> CatalogEntry:
        forms = tuple(add_field for add_field in self.fields if add_field.keyword.startswith("msgstr"))
        entry = CatalogEntry("".join(self.lines), self.line, tuple(self.fields), tuple(self._comments), forms)
        for number, form in enumerate(entry.forms):
            if form.keyword != entry.keyword(number):
                raise DataError(
                    f"po, line {self.line}: '{form.keyword}' where '{entry.keyword(number)}' was expected"
                )
        return entry

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._size += len(line)


def _decode(quoted: str, number: int) -> str:
    if QUOTED.fullmatch(quoted) is None:
        raise DataError(f"po, line {number}: a quotation mark too many or too few")
    inner = quoted[1:-1]
    return ESCAPE.sub(_character, inner) if "\\" in inner else inner


def _character(match: re.Match[str]) -> str:
    code = match[0][1:]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else LETTERS.get(code, match[0])


def encode_field(keyword: str, text: str, end: str, *, wraps: bool) -> str:
    """Return the lines of a field; an empty `keyword` continues the field above."""
    lines = [line.translate(CODES) for line in re.findall(r"[^\n]*\n|[^\n]+", text)] or [""]
    lead = f"{keyword} " if keyword else ""
    if len(lines) == 1 and (not wraps or _columns(lead + lines[0]) + 2 <= WIDTH):
        return f'{lead}"{lines[0]}"{end}'
    if wraps:
        lines = [part for line in lines for part in _wrap(line)]
        if len(lines) == 1:  # there is no place to break it
            return f'{lead}"{lines[0]}"{end}'
    quoted = [f'"{line}"' for line in lines]
    return "".join(f"{line}{end}" for line in ([f'{lead}""', *quoted] if keyword else quoted))


def _wrap(line: str) -> Iterator[str]:
    reader, columns = "", 0
    for word in WORD.findall(line):
        wide = _columns(word)
        if reader and columns + wide > WIDTH - 2:
            yield reader
            reader, columns = "", 0
        reader += word
        columns += wide
    if reader:
        yield reader


def _columns(text: str) -> int:
    return len(text) if text.isascii() else sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


_EAST_SLAVIC = "n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2"
_RULES = {
    "id ja km ko lo ms my th vi zh": (1, "0"),
    """af az bg ca da de el en eo es et eu fi fo fy gl he hu it ka kk ku la lb ml mn mr nb ne nl nn no ps
    pt-PT so sq sv sw ta te tr ur uz yi""": (2, "n != 1"),
    "am bn fa fil fr gu hi hy kn pa pt si tl zu": (2, "n > 1"),
    "is mk": (2, "n%10==1 && n%100!=11 ? 0 : 1"),
    "be bs hr ru sh sr uk": (3, _EAST_SLAVIC),
    "cs sk": (3, "(n==1) ? 0 : (n>=2 && n<=4) ? 1 : 2"),
    "pl": (3, "n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2"),
    "lt": (3, "n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2"),
    "lv": (3, "n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2"),
    "ro": (3, "n==1 ? 0 : (n==0 || (n%100 > 0 && n%100 < 20)) ? 1 : 2"),
    "ga": (3, "n==1 ? 0 : n==2 ? 1 : 2"),
    "sl": (4, "n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3"),
    "gd": (4, "(n==1 || n==11) ? 0 : (n==2 || n==12) ? 1 : (n>2 && n<20) ? 2 : 3"),
    "mt": (4, "n==1 ? 0 : n==0 || (n%100>1 && n%100<11) ? 1 : (n%100>10 && n%100<20) ? 2 : 3"),
    "ar": (6, "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5"),
    "cy": (6, "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 5"),
}
"""Plural rules by the tags of languages: the number of forms, and the C expression that chooses the form."""
LANGUAGES = {tag: rule for tags, rule in _RULES.items() for tag in tags.split()}
_LOCALES = {"pt": "pt_BR", "zh": "zh_CN"}
_SCRIPTS = {"latn": "@latin", "cyrl": "@cyrillic"}


def plural_rule(tag: str) -> tuple[int, str] | None:
    """Return the plural rule of a language by its BCP 47 tag; None for an unknown language."""
    return LANGUAGES.get(tag) or LANGUAGES.get(language_code(tag))


def language_code(name: str) -> str:
    """Return the language of a BCP 47 tag or of a locale's name: `pt` of `pt_BR`."""
    return re.split(r"[-_@.]", name.strip(), maxsplit=1)[0].lower()


def locale_name(tag: str) -> str:
    """Return the name that a catalog gives a BCP 47 tag: `pt_PT` for `pt-PT`, `sr@latin` for `sr-Latn`."""
    language, *rest = tag.split("-")
    parts = [_SCRIPTS.get(part.lower(), f"_{part}") for part in rest]
    return _LOCALES.get(tag) or language + "".join(sorted(parts, reverse=True))


Forms = Sequence[tuple[bool, str]]
"""For each plural form: whether it is for the number 1 alone, and a note on which numbers it is for."""
RULE = re.compile(
    r"^Plural-Forms:\s*nplurals\s*=\s*([1-9][0-9]?)\s*;\s*plural\s*=\s*([^;\n]+)",
    re.MULTILINE | re.IGNORECASE,
)


def plural_forms(header: str) -> Forms | None:
    """Return the plural forms that a catalog's header declares; None if it declares none."""
    match = RULE.search(header)
    return _forms(int(match[1]), match[2]) if match else None


def default_forms(count: int) -> Forms:
    """Return the forms of an entry whose catalog declares none: for gettext these are `one` and `other`."""
    return _forms(count, "n != 1" if count > 1 else "0")


@lru_cache(maxsize=8)
def _forms(count: int, rule: str) -> Forms:
    from gettext import c2py

    numbers: list[list[int]] = [[] for _ in range(count)]
    try:
        form_of = c2py(rule.strip())
        for number in (*range(1, 1001), 0, 1_000_000):
            if 0 <= (form := int(form_of(number))) < count:
                numbers[form].append(number)
    except (ValueError, ArithmeticError):
        return [(False, f"plural form {form + 1} of {count}") for form in range(count)]
    return [(of == [1], _describe_form(of, form, count)) for form, of in enumerate(numbers)]


def _describe_form(numbers: Sequence[int], form: int, count: int) -> str:
    if count == 1:
        return "for any number"
    some = ", ".join(map(str, numbers[:6])) + (" and so on" if len(numbers) > 6 else "")
    return f"plural form {form + 1} of {count}" + (f", for {some}" if some else "")


LANGUAGE = re.compile(r"^Language:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)
PLURALS = re.compile(r"^Plural-Forms:.*$", re.MULTILINE | re.IGNORECASE)
CHARSET = re.compile(r"(?<=charset=)CHARSET\b")
OTHER_CHARSET = re.compile(r"(?<=charset=)(?!CHARSET\b|(?i:utf-?8)\b)[^\s;]+")
DEFAULT_COUNT = 2  # forms of a catalog that was begun without a thought of its language
NEW = "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"


def translate_header(text: str, language: str, source: str) -> str:
    """Set the language of a header, the plural rule of that language, and the charset of all results.

    A header that declares a third language, or a rule with as many forms as the language has, keeps its rule.

    Args:
        text: the header.
        language: the BCP 47 tag of the language into which the catalog is translated.
        source: the BCP 47 tag of the language from which it is translated.
    """
    text = OTHER_CHARSET.sub("UTF-8", text)
    rule = plural_rule(language)
    if rule is None:
        return text
    named = LANGUAGE.search(text)
    name = language_code(named[1]) if named else ""
    stated = RULE.search(text)
    is_target, is_source = name == language_code(language), not name or name == language_code(source)
    if not (is_target or is_source) or (stated and (is_target or int(stated[1]) == rule[0])):
        return text
    if stated and not name and int(stated[1]) != (plural_rule(source) or (DEFAULT_COUNT,))[0]:
        return text
    if not is_target:
        text = _set_line(text, LANGUAGE, f"Language: {locale_name(language)}")
    plurals = f"Plural-Forms: nplurals={rule[0]}; plural={_parenthesize(rule[1])};"
    return CHARSET.sub("UTF-8", _set_line(text, PLURALS, plurals))


def new_header(language: str, source: str) -> str:
    """Return the text of a header for a catalog without one; empty if it would declare nothing."""
    text = translate_header(NEW, language, source)
    return "" if text == NEW else text


def header_entry(text: str, end: str) -> str:
    return f'msgid ""{end}{encode_field("msgstr", text, end, wraps=True)}{end}'


def replace_header(entry: CatalogEntry, text: str, *, wraps: bool) -> str:
    """Return the source of the header's entry with another text."""
    add_field = entry.forms[-1]
    end = "\r\n" if "\r\n" in entry.source else "\n"
    new = encode_field("msgstr", text, end, wraps=wraps)
    literal = entry.source[add_field.start : add_field.end]
    return (
        entry.source[: add_field.start]
        + (new if literal.endswith(("\n", "\r")) else new.removesuffix(end))
        + entry.source[add_field.end :]
    )


def _set_line(text: str, pattern: re.Pattern[str], line: str) -> str:
    if pattern.search(text):
        return pattern.sub(lambda _: line, text, count=1)
    return text + ("\n" if text and not text.endswith("\n") else "") + line + "\n"


def _parenthesize(rule: str) -> str:
    return rule if rule.isdigit() else f"({rule})"
