"""Entries of gettext catalogs: fields, flags, notes; strings decoded, and encoded as msgmerge does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from unicodedata import east_asian_width

from gptkit.core.errors import DataFault

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
            raise DataFault(f"po, line {number}: '{line.strip()[:20]}' is no part of an entry")
    if held.lines:
        if held.fields and not held.complete:
            raise DataFault(f"po, line {held.line}: an entry without msgstr")
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
            raise DataFault(f"po, line {self.line + len(self.lines)}: '{keyword}' is out of place")
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
                raise DataFault(
                    f"po, line {self.line}: '{form.keyword}' where '{entry.keyword(number)}' was expected"
                )
        return entry

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._size += len(line)


def _decoded(quoted: str, number: int) -> str:
    if QUOTED.fullmatch(quoted) is None:
        raise DataFault(f"po, line {number}: a quotation mark too many or too few")
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
