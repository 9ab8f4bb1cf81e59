"""The tables of the memory, their entries, and how answers of other tools are matched to a text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotReadError
from gptkit.core.hashing import sha256
from gptkit.text.pieces import MARK, Finding, PieceAnswer, join_units, mark, parse_units

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gptkit.core.sqlite import Migration


APPLICATION_ID = 0x6770746D
"""`gptm` at byte 68 of the file."""
HINT = "move the file away: a new one is made"


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


_TABLES = (
    # What the answers of one job have in common; `options` may hold whole files.
    """CREATE TABLE origins (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        language TEXT NOT NULL,
        options TEXT NOT NULL)""",
    # The texts have a table of their own, so that counting a use does not write them again.
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
MIGRATIONS: Sequence[Migration] = (_create_tables,)


_LANGUAGES = """
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
_USUAL_REGIONS = """
    ar-EG bg-BG ca-ES cs-CZ da-DK de-DE el-GR en-US es-ES et-EE eu-ES fa-IR fi-FI fr-FR ga-IE gl-ES
    he-IL hi-IN hr-HR hu-HU id-ID is-IS it-IT ja-JP ko-KR lt-LT lv-LV nb-NO nl-NL pl-PL pt-BR ro-RO
    ru-RU sk-SK sl-SI sr-RS sv-SE ta-IN th-TH tr-TR uk-UA vi-VN zh-CN zh-Hans zh-Hans-CN
"""
"""Tags whose region or script is the usual one and is left out, from the likely subtags of the Unicode
CLDR."""
_OTHER_TAGS = {"zh-hant": "zh-TW", "zh-hant-tw": "zh-TW", "no": "nb", "no-no": "nb", "iw": "he", "in": "id"}
_TAG = re.compile("[a-z]{2,3}(?:-[a-z0-9]{2,8})*", re.IGNORECASE | re.ASCII)
_tags: dict[str, str] = {}


def language_tag(name: str) -> str:
    """Return the shortest tag of a language name or tag; empty if the language is not known.

    A region is left out if it is the usual one: `fr-FR` becomes `fr`, `fr-CA` stays.
    """
    if not _tags:
        _tags.update(_language_names_to_tags())
    plain = " ".join(name.casefold().replace("_", " ").split())
    if tag := _tags.get(plain):
        return tag
    hyphened = name.strip().replace("_", "-")
    if not _TAG.fullmatch(hyphened) or hyphened.lower() in ("und", "mul", "zxx"):
        return ""
    return _tags.get(hyphened.casefold(), _canonical_case(hyphened))


def _language_names_to_tags() -> dict[str, str]:
    tags: dict[str, str] = dict(_OTHER_TAGS)
    for group in _LANGUAGES.replace("\n", " ").split("|"):
        code, *names = group.split()
        tags.update(dict.fromkeys((name.replace("_", " ").casefold() for name in names), code))
        tags[code.casefold()] = code
    for tag in _USUAL_REGIONS.split():
        tags[tag.casefold()] = tag.partition("-")[0]
    return tags


def _canonical_case(code: str) -> str:
    """Write a tag in its usual case: `pt-br` as `pt-BR`, `zh-hant` as `zh-Hant`."""
    primary, *rest = code.split("-")
    subtags = [
        subtag.upper() if len(subtag) == 2 else subtag.title() if len(subtag) == 4 else subtag.lower()
        for subtag in rest
    ]
    return "-".join([primary.lower(), *subtags])


_SELECT_ANSWER = """
    SELECT id, answer, findings, in_halves, is_foreign FROM entries JOIN texts ON entry = id WHERE key = ?
"""
_INSERT_ENTRY = (
    "INSERT INTO entries (key, origin, in_halves, is_foreign, size, created, used, hits)"
    " SELECT ?, id, ?, ?, ?, ?, ?, ? FROM origins WHERE digest = ?"
)
_SELECT_ENTRIES = """
    SELECT key, text, answer, findings, in_halves, is_foreign, prompt, model, options, created, used, hits
    FROM entries JOIN texts ON entry = entries.id JOIN origins ON origins.id = origin ORDER BY key
"""


class MemoryEntry(NamedTuple):
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


def make_entry(
    key: bytes, text: str, answer: PieceAnswer, about: Mapping[str, str], now: float
) -> MemoryEntry:
    return MemoryEntry(
        key=key,
        text=replace_surrogates(text),
        answer=replace_surrogates(answer.answer),
        findings=replace_surrogates(compact_json([list(finding) for finding in answer.findings])),
        in_halves=answer.in_halves,
        is_foreign=answer.foreign,
        prompt=replace_surrogates(about.get("prompt", "")),
        model=replace_surrogates(about.get("model", "")),
        options=replace_surrogates(
            compact_json({name: about[name] for name in sorted(about) if name not in _OWN_COLUMNS})
        ),
        created=now,
        used=now,
        hits=0,
    )


def find_answer(connection: sqlite3.Connection, key: bytes) -> tuple[int, PieceAnswer] | None:
    """Return the id of the entry with a key, and its answer; None if there is no such entry."""
    row = connection.execute(_SELECT_ANSWER, (key,)).fetchone()
    if row is None:
        return None
    return int(row[0]), parse_answer(*row[1:])


def parse_answer(answer: str, findings: str, in_halves: int, is_foreign: int) -> PieceAnswer:
    try:
        parsed = tuple(Finding(*finding) for finding in json.loads(findings)) if findings != "[]" else ()
    except (ValueError, TypeError):
        raise CannotReadError("the memory is damaged: findings are no JSON", hint=HINT) from None
    return PieceAnswer(answer, parsed, bool(in_halves), bool(is_foreign))


def insert_entry(connection: sqlite3.Connection, entry: MemoryEntry) -> None:
    """Insert an entry; an old one with the same key is removed."""
    connection.execute("DELETE FROM entries WHERE key = ?", (entry.key,))
    digest = _origin_digest(entry)
    values = (
        entry.key,
        entry.in_halves,
        entry.is_foreign,
        entry.size,
        entry.created,
        entry.used,
        entry.hits,
        digest,
    )
    cursor = connection.execute(_INSERT_ENTRY, values)
    if not cursor.rowcount:
        connection.execute(
            "INSERT INTO origins (digest, prompt, model, language, options) VALUES (?, ?, ?, ?, ?)",
            (digest, entry.prompt, entry.model, _target_language(entry.options), entry.options),
        )
        cursor = connection.execute(_INSERT_ENTRY, values)
    connection.execute(
        "INSERT INTO texts VALUES (?, ?, ?, ?)", (cursor.lastrowid, entry.text, entry.answer, entry.findings)
    )


def read_entries(connection: sqlite3.Connection) -> Iterator[MemoryEntry]:
    """Yield all entries by key, an order that does not depend on when they were stored."""
    for row in connection.execute(_SELECT_ENTRIES):
        entry = MemoryEntry(*row)
        yield entry._replace(in_halves=bool(entry.in_halves), is_foreign=bool(entry.is_foreign))


def compact_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates by U+FFFD, so that the text is valid Unicode."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


_OWN_COLUMNS = ("prompt", "model")


def _origin_digest(entry: MemoryEntry) -> bytes:
    return sha256("\0".join((entry.prompt, entry.model, entry.options)).encode()).digest()


def _target_language(options: str) -> str:
    """Return the language of answers by the option `to`: its tag, else the option itself."""
    language = str(json.loads(options).get("to", ""))
    return language_tag(language) or language


_UNITS = "⟦#1⟧\n"


def foreign_key(text: str, prompt: str, language: str) -> bytes:
    """Return the key of another tool's translation of a text, whatever numbers its marks have."""
    parts = ("foreign", prompt, language, renumber_marks(text.strip())[0])
    return sha256("\0".join(parts).encode("utf-8", "replace")).digest()


def find_foreign_answer(
    connection: sqlite3.Connection, text: str, about: Mapping[str, str]
) -> tuple[list[int], PieceAnswer] | None:
    """Find another tool's translation of a piece; returns the ids of the entries and the answer.

    A piece of several units has a translation only if each unit has one. `about` names prompt and language.
    """
    language = language_tag(about.get("to", ""))
    if not language:
        return None

    def lookup(text: str) -> tuple[int, PieceAnswer] | None:
        return find_answer(connection, foreign_key(text, about.get("prompt", ""), language))

    units = parse_units(text) if text.startswith(_UNITS) else {}
    ids: list[int] = []
    answers: list[str] = []
    for unit in units.values() if units else (text,):
        if not unit.strip():
            answers.append(unit)
            continue
        answer = _foreign_answer(unit, lookup)
        if answer is None:
            return None
        ids.append(answer[0])
        answers.append(answer[1])
    if not ids:
        return None
    return ids, PieceAnswer(join_units(answers) if units else answers[0], foreign=True)


def renumber_marks(text: str) -> tuple[str, Sequence[str]]:
    """Number the marks of a text from 0 in their order; returns the text and the old marks."""
    if "⟦" not in text:
        return text, ()
    numbers: dict[str, int] = {}
    plain = MARK.sub(lambda match: mark(numbers.setdefault(match[0], len(numbers))), text)
    return plain, list(numbers)


def renumber_pair(text: str, answer: str) -> tuple[str, str]:
    """Number the marks of a text from 0 in their order, and those of its answer alike."""
    plain, marks = renumber_marks(text.strip())
    numbers = {old: mark(number) for number, old in enumerate(marks)}
    return plain, MARK.sub(lambda match: numbers.get(match[0], match[0]), answer.strip())


def _foreign_answer(
    text: str, lookup: Callable[[str], tuple[int, PieceAnswer] | None]
) -> tuple[int, str] | None:
    found = lookup(text)
    if found is None:
        return None
    marks = renumber_marks(text.strip())[1]

    def own_mark(match: re.Match[str]) -> str:
        number = int(match[1])
        return marks[number] if number < len(marks) else match[0]

    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return found[0], text[:start] + MARK.sub(own_mark, found[1].answer) + text[end:]
