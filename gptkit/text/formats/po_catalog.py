"""Entries of gettext catalogs: fields, flags, notes; strings decoded, and encoded as msgmerge does."""

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


class Field(NamedTuple):
    keyword: str
    text: str
    start: int  # in the source of the entry, with the ends of its lines
    end: int


class Comment(NamedTuple):
    text: str
    start: int


class Entry(NamedTuple):
    """The lines from the end of the entry before to the end of this one's last field."""

    source: str
    line: int
    fields: tuple[Field, ...] = ()
    comments: tuple[Comment, ...] = ()
    forms: tuple[Field, ...] = ()  # those of the fields that are translations

    def text(self, keyword: str) -> str | None:
        return next((field.text for field in self.fields if field.keyword == keyword), None)

    def keyword(self, form: int) -> str:
        return "msgstr" if self.text("msgid_plural") is None else f"msgstr[{form}]"

    @property
    def flags(self) -> tuple[str, ...]:
        lines = (comment.text[2:] for comment in self.comments if comment.text.startswith("#,"))
        return tuple(flag.strip() for line in lines for flag in line.split(","))

    @property
    def notes(self) -> str:
        """What the program's authors tell translators."""
        return " ".join(
            comment.text[2:].strip() for comment in self.comments if comment.text.startswith("#.")
        )


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Entries whose sources join to the input; what stands between them has no fields."""
    held = _Held(1)
    for number, line in enumerate(lines, 1):
        keyword = KEYWORD.match(line)
        more = None if keyword else MORE.match(line)
        if keyword and held.ended_by(keyword[1]):
            yield held.entry()
            held = _Held(number)
        if keyword:
            held.field(keyword[1], _decoded(keyword[2], number), line)
        elif more and held.fields:
            held.longer(_decoded(more[1], number), line)
        elif OTHER.match(line):
            if held.complete or len(held.lines) > 200:
                yield held.entry()
                held = _Held(number)
            held.other(line)
        else:
            raise DataError(f"po, line {number}: '{line.strip()[:20]}' is no part of an entry")
    if held.lines:
        if held.fields and not held.complete:
            raise DataError(f"po, line {held.line}: an entry without msgstr")
        yield held.entry()


class _Held:
    """The entry that is being read."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: list[str] = []
        self.fields: list[Field] = []
        self._comments: list[Comment] = []
        self._size = 0

    @property
    def complete(self) -> bool:
        return bool(self.fields) and self.fields[-1].keyword.startswith("msgstr")

    def ended_by(self, keyword: str) -> bool:
        return self.complete and not keyword.startswith("msgstr[")

    def field(self, keyword: str, text: str, line: str) -> None:
        if any(field.keyword == keyword for field in self.fields) or (
            keyword.startswith("msgstr") and not any(field.keyword == "msgid" for field in self.fields)
        ):
            raise DataError(f"po, line {self.line + len(self.lines)}: '{keyword}' is out of place")
        self.fields.append(Field(keyword, text, self._size, self._size + len(line)))
        self._add(line)

    def longer(self, text: str, line: str) -> None:
        last = self.fields[-1]
        self.fields[-1] = last._replace(text=last.text + text, end=self._size + len(line))
        self._add(line)

    def other(self, line: str) -> None:
        if line.lstrip().startswith("#"):
            self._comments.append(Comment(line.strip(), self._size))
        elif not self.fields and not line.strip():
            self._comments.clear()  # they belong to nothing
        self._add(line)

    def entry(self) -> Entry:
        forms = tuple(field for field in self.fields if field.keyword.startswith("msgstr"))
        entry = Entry("".join(self.lines), self.line, tuple(self.fields), tuple(self._comments), forms)
        for number, form in enumerate(entry.forms):
            if form.keyword != entry.keyword(number):
                raise DataError(
                    f"po, line {self.line}: '{form.keyword}' where '{entry.keyword(number)}' was expected"
                )
        return entry

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._size += len(line)


def _decoded(quoted: str, number: int) -> str:
    if QUOTED.fullmatch(quoted) is None:
        raise DataError(f"po, line {number}: a quotation mark too many or too few")
    inner = quoted[1:-1]
    return ESCAPE.sub(_character, inner) if "\\" in inner else inner


def _character(found: re.Match[str]) -> str:
    code = found[0][1:]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else LETTERS.get(code, found[0])


def encoded(keyword: str, text: str, end: str, *, wraps: bool) -> str:
    """The lines of a field; `keyword` is empty where they go on with one."""
    lines = [line.translate(CODES) for line in re.findall(r"[^\n]*\n|[^\n]+", text)] or [""]
    lead = f"{keyword} " if keyword else ""
    if len(lines) == 1 and (not wraps or _columns(lead + lines[0]) + 2 <= WIDTH):
        return f'{lead}"{lines[0]}"{end}'
    if wraps:
        lines = [part for line in lines for part in _wrapped(line)]
        if len(lines) == 1:  # there is no place to break it
            return f'{lead}"{lines[0]}"{end}'
    quoted = [f'"{line}"' for line in lines]
    return "".join(f"{line}{end}" for line in ([f'{lead}""', *quoted] if keyword else quoted))


def _wrapped(line: str) -> Iterator[str]:
    held, columns = "", 0
    for word in WORD.findall(line):
        wide = _columns(word)
        if held and columns + wide > WIDTH - 2:
            yield held
            held, columns = "", 0
        held += word
        columns += wide
    if held:
        yield held


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
"""The number of forms, and which of them is for `n`, by the tags of the languages."""
LANGUAGES = {tag: rule for tags, rule in _RULES.items() for tag in tags.split()}
_LOCALES = {"pt": "pt_BR", "zh": "zh_CN"}
_SCRIPTS = {"latn": "@latin", "cyrl": "@cyrillic"}


def rule_of(tag: str) -> tuple[int, str] | None:
    """The plural rule of a language by its tag of BCP 47; None where it is not known."""
    return LANGUAGES.get(tag) or LANGUAGES.get(language_of(tag))


def language_of(name: str) -> str:
    """The language alone, of a tag or of a locale's name."""
    return re.split(r"[-_@.]", name.strip(), maxsplit=1)[0].lower()


def locale_of(tag: str) -> str:
    """The name of a language in the header of a catalog: `pt-PT` is `pt_PT`, `sr-Latn` is `sr@latin`."""
    language, *rest = tag.split("-")
    parts = [_SCRIPTS.get(part.lower(), f"_{part}") for part in rest]
    return _LOCALES.get(tag) or language + "".join(sorted(parts, reverse=True))


Forms = Sequence[tuple[bool, str]]
"""For each plural form whether it is for the number 1 alone, and a note on which numbers it is for."""
RULE = re.compile(
    r"^Plural-Forms:\s*nplurals\s*=\s*([1-9][0-9]?)\s*;\s*plural\s*=\s*([^;\n]+)",
    re.MULTILINE | re.IGNORECASE,
)


def plural_forms(header: str) -> Forms | None:
    """The forms that a catalog's header tells of; None where it does not, as in a template."""
    found = RULE.search(header)
    return _forms(int(found[1]), found[2]) if found else None


def germanic(count: int) -> Forms:
    """The forms of an entry in a catalog whose header is silent: gettext then takes one, and other."""
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
    return [(of == [1], _numbers(of, form, count)) for form, of in enumerate(numbers)]


def _numbers(numbers: Sequence[int], form: int, count: int) -> str:
    if count == 1:
        return "for any number"
    some = ", ".join(map(str, numbers[:6])) + (" and so on" if len(numbers) > 6 else "")
    return f"plural form {form + 1} of {count}" + (f", for {some}" if some else "")


LANGUAGE = re.compile(r"^Language:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)
PLURALS = re.compile(r"^Plural-Forms:.*$", re.MULTILINE | re.IGNORECASE)
CHARSET = re.compile(r"(?<=charset=)CHARSET\b")
TWO = 2  # forms of a catalog that was begun without a thought of its language
NEW = "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"


def translated_header(text: str, language: str, source: str) -> str:
    """The header's text with the language and its plural rule.

    What a header says of its own stays: the rule of the target language, of as many forms as that has, or of
    a third language. A rule is the source's where there is no other language to it.

    Args:
        language: the tag of the language into which, and `source` of that from which, is translated.
    """
    rule = rule_of(language)
    if rule is None:
        return text
    named = LANGUAGE.search(text)
    name = language_of(named[1]) if named else ""
    stated = RULE.search(text)
    is_target, is_source = name == language_of(language), not name or name == language_of(source)
    if not (is_target or is_source) or (stated and (is_target or int(stated[1]) == rule[0])):
        return text
    if stated and not name and int(stated[1]) != (rule_of(source) or (TWO,))[0]:
        return text
    if not is_target:
        text = _with_line(text, LANGUAGE, f"Language: {locale_of(language)}")
    plurals = f"Plural-Forms: nplurals={rule[0]}; plural={_bracketed(rule[1])};"
    return CHARSET.sub("UTF-8", _with_line(text, PLURALS, plurals))


def new_header(language: str, source: str) -> str:
    """The text of a header for a catalog that has none; empty where there is nothing to say in it."""
    text = translated_header(NEW, language, source)
    return "" if text == NEW else text


def header_entry(text: str, end: str) -> str:
    return f'msgid ""{end}{encoded("msgstr", text, end, wraps=True)}{end}'


def with_header(entry: Entry, text: str, *, wraps: bool) -> str:
    """The source of the entry that is the header, with another text."""
    field = entry.forms[-1]
    end = "\r\n" if "\r\n" in entry.source else "\n"
    new = encoded("msgstr", text, end, wraps=wraps)
    literal = entry.source[field.start : field.end]
    return (
        entry.source[: field.start]
        + (new if literal.endswith(("\n", "\r")) else new.removesuffix(end))
        + entry.source[field.end :]
    )


def _with_line(text: str, pattern: re.Pattern[str], line: str) -> str:
    if pattern.search(text):
        return pattern.sub(lambda _: line, text, count=1)
    return text + ("\n" if text and not text.endswith("\n") else "") + line + "\n"


def _bracketed(rule: str) -> str:
    return rule if rule.isdigit() else f"({rule})"
