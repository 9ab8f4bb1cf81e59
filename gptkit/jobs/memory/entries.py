"""The tables of the memory, and the steps that lead from one version of them to the next."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotReadError
from gptkit.text.pieces import MARK, Finding, PieceAnswer, join_units, mark, parse_units

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gptkit.core.sqlite import Migration


APPLICATION_ID = 0x6770746D
"""`gptm` at byte 68 of the file."""
HINT = "move the file away: a new one is made"


def _first(connection: sqlite3.Connection) -> None:
    for statement in _FIRST:
        connection.execute(statement)


_FIRST = (
    # What the answers of one job have in common; `options` may hold whole files.
    """CREATE TABLE origins (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        language TEXT NOT NULL,
        options TEXT NOT NULL)""",
    # The texts lie in a table of their own, so that to note a use does not write them again.
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key BLOB NOT NULL UNIQUE,
        origin INTEGER NOT NULL REFERENCES origins (id),
        in_halves INTEGER NOT NULL,
        is_foreign INTEGER NOT NULL,
        size INTEGER NOT NULL,
        created REAL NOT NULL,
        used REAL NOT NULL,
        hits INTEGER NOT NULL)""",
    "CREATE INDEX entries_by_origin ON entries (origin)",
    """CREATE TABLE texts (
        entry INTEGER PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        answer TEXT NOT NULL,
        findings TEXT NOT NULL)""",
)
MIGRATIONS: Sequence[Migration] = (_first,)


_NAMES = """
    af afrikaans|ar arabic العربية|bg bulgarian български|bn bengali বাংলা|ca catalan català
    |cs czech čeština|cy welsh cymraeg|da danish dansk|de german deutsch|el greek ελληνικά
    |en english american_english|en-GB british_english|eo esperanto|es spanish español castellano
    |es-MX mexican_spanish|et estonian eesti|eu basque euskara|fa persian farsi فارسی|fi finnish suomi
    |fr french français|fr-CA canadian_french|ga irish gaeilge|gl galician galego|he hebrew עברית
    |hi hindi हिन्दी|hr croatian hrvatski|hu hungarian magyar|hy armenian հայերեն
    |id indonesian bahasa_indonesia|is icelandic íslenska|it italian italiano|ja japanese 日本語 日语 日文
    |ka georgian ქართული|kk kazakh қазақ|km khmer ខ្មែរ|ko korean 한국어 韩语|la latin latina
    |lt lithuanian lietuvių|lv latvian latviešu|mk macedonian македонски|mn mongolian монгол
    |mr marathi मराठी|ms malay bahasa_melayu|my burmese မြန်မာ|nb norwegian norsk bokmål
    |ne nepali नेपाली|nl dutch nederlands|nn nynorsk|pl polish polski
    |pt portuguese português brazilian_portuguese|pt-PT european_portuguese|ro romanian română
    |ru russian русский 俄语|sk slovak slovenčina|sl slovenian slovenščina|sq albanian shqip
    |sr serbian српски|sv swedish svenska|sw swahili kiswahili|ta tamil தமிழ்|te telugu తెలుగు
    |th thai ไทย|tl tagalog filipino|tr turkish türkçe|uk ukrainian українська|ur urdu اردو
    |uz uzbek oʻzbek|vi vietnamese tiếng_việt|zh chinese mandarin simplified_chinese 中文 汉语 简体中文 简体
    |zh-TW traditional_chinese taiwanese_mandarin 繁體中文 繁体中文 正體中文 繁體|zu zulu isizulu
"""
_USUAL = """
    ar-EG bg-BG ca-ES cs-CZ da-DK de-DE el-GR en-US es-ES et-EE eu-ES fa-IR fi-FI fr-FR ga-IE gl-ES
    he-IL hi-IN hr-HR hu-HU id-ID is-IS it-IT ja-JP ko-KR lt-LT lv-LV nb-NO nl-NL pl-PL pt-BR ro-RO
    ru-RU sk-SK sl-SI sr-RS sv-SE ta-IN th-TH tr-TR uk-UA vi-VN zh-CN zh-Hans zh-Hans-CN
"""
"""Regions and scripts that go without saying, from the likely subtags of the Unicode CLDR."""
_OTHERS = {"zh-hant": "zh-TW", "zh-hant-tw": "zh-TW", "no": "nb", "no-no": "nb", "iw": "he", "in": "id"}
_TAG = re.compile("[a-z]{2,3}(?:-[a-z0-9]{2,8})*", re.IGNORECASE | re.ASCII)
_names: dict[str, str] = {}


def tag(name: str) -> str:
    """The shortest tag of a language; empty where it is not known.

    A region is left out where it is the usual one: `fr-FR` is `fr`, `fr-CA` stays.
    """
    if not _names:
        _names.update(_read())
    plain = " ".join(name.casefold().replace("_", " ").split())
    if found := _names.get(plain):
        return found
    hyphened = name.strip().replace("_", "-")
    if not _TAG.fullmatch(hyphened) or hyphened.lower() in ("und", "mul", "zxx"):
        return ""
    return _names.get(hyphened.casefold(), _cased(hyphened))


def _read() -> dict[str, str]:
    found: dict[str, str] = dict(_OTHERS)
    for group in _NAMES.replace("\n", " ").split("|"):
        code, *names = group.split()
        found.update(dict.fromkeys((name.replace("_", " ").casefold() for name in names), code))
        found[code.casefold()] = code
    for each in _USUAL.split():
        found[each.casefold()] = each.partition("-")[0]
    return found


def _cased(code: str) -> str:
    """`pt-br` is written `pt-BR`, `zh-hant` `zh-Hant`."""
    primary, *rest = code.split("-")
    shown = [
        each.upper() if len(each) == 2 else each.title() if len(each) == 4 else each.lower() for each in rest
    ]
    return "-".join([primary.lower(), *shown])


_HELD = """
    SELECT id, answer, findings, in_halves, is_foreign FROM entries JOIN texts ON entry = id WHERE key = ?
"""
_INSERT = (
    "INSERT INTO entries (key, origin, in_halves, is_foreign, size, created, used, hits)"
    " SELECT ?, id, ?, ?, ?, ?, ?, ? FROM origins WHERE digest = ?"
)
_ALL = """
    SELECT key, text, answer, findings, in_halves, is_foreign, prompt, model, options, created, used, hits
    FROM entries JOIN texts ON entry = entries.id JOIN origins ON origins.id = origin ORDER BY key
"""


class Entry(NamedTuple):
    """One accepted answer; `findings` and `options` are JSON, times are in Unix seconds."""

    key: bytes
    text: str
    answer: str
    findings: str
    in_halves: bool
    is_foreign: bool
    prompt: str
    model: str
    options: str
    created: float
    used: float
    hits: int

    @property
    def size(self) -> int:
        return len(self.text.encode()) + len(self.answer.encode())


def entry(key: bytes, text: str, held: PieceAnswer, about: Mapping[str, str], now: float) -> Entry:
    return Entry(
        key=key,
        text=replace_surrogates(text),
        answer=replace_surrogates(held.answer),
        findings=replace_surrogates(compact([list(finding) for finding in held.findings])),
        in_halves=held.in_halves,
        is_foreign=held.foreign,
        prompt=replace_surrogates(about.get("prompt", "")),
        model=replace_surrogates(about.get("model", "")),
        options=replace_surrogates(
            compact({name: about[name] for name in sorted(about) if name not in _OWN})
        ),
        created=now,
        used=now,
        hits=0,
    )


def held(connection: sqlite3.Connection, key: bytes) -> tuple[int, PieceAnswer] | None:
    """An entry's id and what it says."""
    row = connection.execute(_HELD, (key,)).fetchone()
    if row is None:
        return None
    return int(row[0]), said(*row[1:])


def said(answer: str, findings: str, in_halves: int, is_foreign: int) -> PieceAnswer:
    try:
        found = tuple(Finding(*each) for each in json.loads(findings)) if findings != "[]" else ()
    except (ValueError, TypeError):
        raise CannotReadError("the memory is damaged: findings are no JSON", hint=HINT) from None
    return PieceAnswer(answer, found, bool(in_halves), bool(is_foreign))


def insert(connection: sqlite3.Connection, each: Entry) -> None:
    """Add an entry; one with the same key makes way."""
    connection.execute("DELETE FROM entries WHERE key = ?", (each.key,))
    digest = _digest(each)
    values = (
        each.key,
        each.in_halves,
        each.is_foreign,
        each.size,
        each.created,
        each.used,
        each.hits,
        digest,
    )
    cursor = connection.execute(_INSERT, values)
    if not cursor.rowcount:
        connection.execute(
            "INSERT INTO origins (digest, prompt, model, language, options) VALUES (?, ?, ?, ?, ?)",
            (digest, each.prompt, each.model, _language(each.options), each.options),
        )
        cursor = connection.execute(_INSERT, values)
    connection.execute(
        "INSERT INTO texts VALUES (?, ?, ?, ?)", (cursor.lastrowid, each.text, each.answer, each.findings)
    )


def entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """All of them in the order of their keys, which does not depend on when they came."""
    for row in connection.execute(_ALL):
        each = Entry(*row)
        yield each._replace(in_halves=bool(each.in_halves), is_foreign=bool(each.is_foreign))


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def replace_surrogates(text: str) -> str:
    """The text as valid Unicode: a lone surrogate becomes U+FFFD."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


_OWN = ("prompt", "model")


def _digest(each: Entry) -> bytes:
    return hashlib.sha256("\0".join((each.prompt, each.model, each.options)).encode()).digest()


def _language(options: str) -> str:
    """What answers are written in, as far as an option says so."""
    wanted = str(json.loads(options).get("to", ""))
    return tag(wanted) or wanted


_UNITS = "⟦#1⟧\n"


def foreign_key(text: str, prompt: str, language: str) -> bytes:
    parts = ("foreign", prompt, language, renumbered(text.strip())[0])
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()


def found(
    connection: sqlite3.Connection, text: str, about: Mapping[str, str]
) -> tuple[list[int], PieceAnswer] | None:
    """The ids of the entries that hold a text, and what they say together.

    A piece that is made of several texts is found where each of them is.
    """
    language = tag(about.get("to", ""))
    if not language:
        return None

    def lookup(text: str) -> tuple[int, PieceAnswer] | None:
        return held(connection, foreign_key(text, about.get("prompt", ""), language))

    units = parse_units(text) if text.startswith(_UNITS) else {}
    ids: list[int] = []
    answers: list[str] = []
    for each in units.values() if units else (text,):
        if not each.strip():
            answers.append(each)
            continue
        one = _answer(each, lookup)
        if one is None:
            return None
        ids.append(one[0])
        answers.append(one[1])
    if not ids:
        return None
    return ids, PieceAnswer(join_units(answers) if units else answers[0], foreign=True)


def renumbered(text: str) -> tuple[str, Sequence[str]]:
    """The text with marks counted from 0 as they come, and what they were."""
    if "⟦" not in text:
        return text, ()
    numbers: dict[str, int] = {}
    plain = MARK.sub(lambda found: mark(numbers.setdefault(found[0], len(numbers))), text)
    return plain, list(numbers)


def aligned(text: str, answer: str) -> tuple[str, str]:
    """Both with the numbers that the text's marks have by their order."""
    plain, marks = renumbered(text.strip())
    numbers = {each: mark(number) for number, each in enumerate(marks)}
    return plain, MARK.sub(lambda found: numbers.get(found[0], found[0]), answer.strip())


def _answer(text: str, lookup: Callable[[str], tuple[int, PieceAnswer] | None]) -> tuple[int, str] | None:
    one = lookup(text)
    if one is None:
        return None
    marks = renumbered(text.strip())[1]

    def own(found: re.Match[str]) -> str:
        number = int(found[1])
        return marks[number] if number < len(marks) else found[0]

    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return one[0], text[:start] + MARK.sub(own, one[1].answer) + text[end:]
