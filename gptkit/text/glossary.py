"""A glossary: which of its terms a text holds, and whether a translation keeps to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from gptkit.core.errors import DataError
from gptkit.text.pieces import Finding

STEM = 4  # letters that two forms of one word share at least
SHARE = 0.6  # and how much of the longer one
APART = 2  # words that may stand between those of a translation
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
WITHIN = re.compile(f"[{UNSPACED}]")  # scripts without spaces between words
WORD = re.compile(f"(?:(?![{UNSPACED}])[^\\W_])(?:(?![{UNSPACED}])[\\w\u0300-\u036f])*")
GAP = re.compile(r"[^\S\n]*\n?[^\S\n]*|[-‐‑–'’/.&+·]| [-–/&+·] ")
HANGUL = re.compile("[가-힣]")
LETTERS = re.compile(r"(?:[\w\s\u0300-\u036f]|[-‐‑–'’.])*")


class Term(NamedTuple):
    term: str
    translation: str
    note: str = ""
    others: tuple[str, ...] = ()  # translations that are as good


class Word(NamedTuple):
    text: str
    folded: str
    start: int
    end: int


class Use(NamedTuple):
    """A place where a term is used."""

    term: int
    start: int
    end: int


LineOf = Callable[[int], int]


class Glossary:
    """Terms in lower case stand for any case; a capital letter in a term means that it is written so.

    Words are compared by their stems. In scripts without spaces a term is found anywhere, exactly.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._words: list[tuple[Word, ...]] = []
        self._by_word: dict[str, list[int]] = {}
        self._by_start: dict[str, list[int]] = {}
        for number, term in enumerate(self.terms):
            words = tuple(_words(term.term))
            self._words.append(words)
            if words and not WITHIN.search(term.term):
                self._by_word.setdefault(words[0].folded[:STEM], []).append(number)
            else:
                self._by_start.setdefault(term.term.casefold()[:2], []).append(number)

    def terms_in(self, text: str) -> tuple[Term, ...]:
        """The terms that occur, in the order of the glossary; none that only occurs within a longer one."""
        return tuple(self.terms[number] for number in sorted({use.term for use in self._uses(text)}))

    def missing_terms(self, text: str, answer: str, line_of: LineOf | None = None) -> tuple[Finding, ...]:
        """A finding for each term of the text of which the answer has no translation.

        `line_of` gives the line of the input for a place in `text`; without it lines are counted in `text`.
        """
        first: dict[int, int] = {}
        for use in self._uses(text):
            first[use.term] = min(use.start, first.get(use.term, use.start))
        answers = _Answer(answer) if first else None
        found = []
        for number, place in sorted(first.items(), key=lambda item: item[1]):
            term = self.terms[number]
            if answers and not any(answers.has(one) for one in (term.translation, *term.others)):
                line = line_of(place) if line_of else 1 + text.count("\n", 0, place)
                found.append(Finding(line, "term", f"term '{term.term}' is not '{term.translation}'"))
        return tuple(found)

    def _uses(self, text: str) -> list[Use]:
        uses = [*self._spaced(text), *self._unspaced(text)]
        uses.sort(key=lambda use: (use.start, -use.end))
        kept: list[Use] = []
        widest = Use(0, 0, 0)
        for use in uses:
            if use.end > widest.end:
                widest = use
            if use[1:] == widest[1:]:
                kept.append(use)
        return kept

    def _spaced(self, text: str) -> Iterator[Use]:
        words = list(_words(text))
        for at, word in enumerate(words):
            starts = {word.folded[:STEM], *_beginnings(word.folded)}
            for start in starts:
                for number in self._by_word.get(start, ()):
                    if end := self._matches(number, text, words, at):
                        yield Use(number, word.start, end)

    def _matches(self, number: int, text: str, words: Sequence[Word], at: int) -> int:
        """Where the term ends that begins with a word; 0 if it is not there."""
        term, parts = self.terms[number].term, self._words[number]
        if at + len(parts) > len(words):
            return 0
        here = words[at : at + len(parts)]
        if not LETTERS.fullmatch(term):
            start = here[0].start - parts[0].start
            there = text[max(0, start) : start + len(term)]
            same = there == term if _has_capital(term) else there.casefold() == term.casefold()
            return start + len(term) if same and start >= 0 else 0
        gaps = (text[one.end : two.start] for one, two in pairwise(here))
        if not all(map(GAP.fullmatch, gaps)):
            return 0
        for part, word in zip(parts, here, strict=True):
            alike = (
                _alike(part.text, word.text) if _has_capital(part.text) else _alike(part.folded, word.folded)
            )
            if not alike:
                return 0
        return here[-1].end

    def _unspaced(self, text: str) -> Iterator[Use]:
        if not self._by_start:
            return
        folded = text.casefold()
        if len(folded) != len(text):
            folded = "".join(sign.casefold() if len(sign.casefold()) == 1 else sign for sign in text)
        for at in range(len(folded)):
            for start in (folded[at : at + 2], folded[at]):
                for number in self._by_start.get(start, ()):
                    term = self.terms[number].term
                    whole = folded.startswith(term.casefold(), at)
                    if whole and (not _has_capital(term) or text.startswith(term, at)):
                        yield Use(number, at, at + len(term))
                if at + 1 == len(folded):
                    break


class _Answer:
    """A translation in which terms are looked for."""

    def __init__(self, text: str) -> None:
        self._folded = text.casefold()
        self._compact = re.sub(r"\s+", "", self._folded)
        self._words = [word.folded for word in _words(text)]
        self._places: dict[str, list[int]] = {}
        for at, word in enumerate(self._words):
            self._places.setdefault(word[:STEM], []).append(at)

    def has(self, translation: str) -> bool:
        folded = translation.casefold()
        wanted = [word.folded for word in _words(translation)]
        if WITHIN.search(folded) or not wanted:
            return re.sub(r"\s+", "", folded) in self._compact
        if not LETTERS.fullmatch(folded):
            return folded in self._folded
        return any(self._follows(wanted, at) for at in self._starts(wanted[0]))

    def _starts(self, wanted: str) -> Iterable[int]:
        if len(wanted) > STEM and wanted in self._folded:
            return range(len(self._words))
        more = (self._places.get(wanted + "s", ()), self._places.get((wanted + "es")[:STEM], ()))
        return {at for places in (self._places.get(wanted[:STEM], ()), *more) for at in places}

    def _follows(self, wanted: Sequence[str], at: int) -> bool:
        """Whether the words stand there in their order, with few others between."""
        last = at - 1
        for number, one in enumerate(wanted):
            reach = range(last + 1, min(last + 2 + (APART if number else 0), len(self._words)))
            place = next((n for n in reach if _used(one, self._words[n])), None)
            if place is None:
                return False
            last = place
        return True


def _beginnings(word: str) -> Iterator[str]:
    """The short terms, other than itself, of which a word may be a form."""
    if HANGUL.match(word):
        yield from (word[:length] for length in range(1, STEM))
    elif len(word) <= STEM + 1:
        yield from (word[:-1], word[:-2])


def _used(wanted: str, word: str) -> bool:
    """Inflected, or as part of a compound."""
    return _alike(wanted, word) or (len(wanted) > STEM and wanted in word)


def _alike(one: str, other: str) -> bool:
    """Whether two words may be forms of one: they share a stem, or differ in a plural's ending."""
    if one == other or (HANGUL.match(one) and other.startswith(one)):
        return True
    longer = max(len(one), len(other))
    shared = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    if shared >= max(STEM, SHARE * longer):
        return True
    return len(one) < STEM and other in {one + "s", one + "es"}


def _words(text: str) -> Iterator[Word]:
    for found in WORD.finditer(text):
        yield Word(found[0], found[0].casefold(), found.start(), found.end())


def _has_capital(text: str) -> bool:
    return text != text.lower()


HEADS = frozenset(("term", "terms", "source", "original", "translation", "target"))
NAMES = """
    arabic:ar bulgarian:bg catalan:ca chinese:zh croatian:hr czech:cs danish:da dutch:nl english:en
    estonian:et
    finnish:fi french:fr german:de greek:el hebrew:he hindi:hi hungarian:hu indonesian:id italian:it
    japanese:ja korean:ko latvian:lv lithuanian:lt norwegian:no persian:fa polish:pl portuguese:pt
    romanian:ro russian:ru slovak:sk slovenian:sl spanish:es swedish:sv thai:th turkish:tr ukrainian:uk
    vietnamese:vi 中文:zh 日本語:ja 한국어:ko français:fr deutsch:de español:es italiano:it português:pt
    русский:ru polski:pl
"""
LANGUAGES = dict(pair.split(":") for pair in NAMES.split())
CODES = frozenset(LANGUAGES.values())


def parse_glossary(text: str, to: str = "", name: str = "glossary") -> Glossary:
    """`to` is the language of the translations, by its name or code, for a TBX file that has several."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<"):
        return Glossary(_of_tbx(text, to, name))
    return Glossary(_of_csv(text, name))


def _of_csv(text: str, name: str) -> Iterable[Term]:
    import csv

    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",\t;", key=lambda sign: (first.count(sign) > 0, sign != ";" and first.count(sign)))
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    terms: list[Term] = []
    at_head = True
    try:
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]
            if not any(cells) or cells[0].startswith("# "):
                continue
            if not (at_head and _is_head(cells)):
                terms.append(_term(cells, f"{name}, line {reader.line_num}"))
            at_head = False
    except csv.Error:
        raise DataError(f"{name}, line {reader.line_num}: not CSV, or a field is too long") from None
    return _merged(terms)


def _is_head(cells: Sequence[str]) -> bool:
    known = [cell.casefold() for cell in cells[:2]]
    names = HEADS | LANGUAGES.keys()
    return len(known) == 2 and (
        all(cell in names for cell in known)
        or (known[0] != known[1] and all(cell.replace("_", "-").split("-")[0] in CODES for cell in known))
    )


def _term(cells: Sequence[str], where: str) -> Term:
    if len(cells) < 2 or not cells[0] or not cells[1]:
        raise DataError(
            f"{where}: '{cells[0] or cells[1]}' is alone, a term and its translation were expected"
        )
    return Term(cells[0], cells[1], cells[2] if len(cells) > 2 else "")


def _merged(terms: Iterable[Term]) -> Iterable[Term]:
    """Each term once; what else it may be translated as is added to the first."""
    merged: dict[str, Term] = {}
    for term in terms:
        if known := merged.get(term.term):
            new = [
                one
                for one in (term.translation, *term.others)
                if one not in (known.translation, *known.others)
            ]
            merged[term.term] = known._replace(others=(*known.others, *new), note=known.note or term.note)
        else:
            merged[term.term] = term
    return merged.values()


class _Said(NamedTuple):
    language: str
    text: str
    allowed: bool


class _Tbx:
    """What a reader of TBX has seen of the entry that is open, and the entries before."""

    def __init__(self) -> None:
        self.entries: list[tuple[list[_Said], str]] = []
        self.default = ""
        self._said: list[_Said] = []
        self._note = ""
        self._language = ""
        self._term = ""
        self._allowed = True
        self._text: list[str] = []
        self._kind = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._text = []
        self._kind = attributes.get("type", "")
        language = attributes.get("xml:lang", "").replace("_", "-").lower()
        if name in {"martif", "tbx"}:
            self.default = language
        elif name in {"termEntry", "conceptEntry"}:
            self._said, self._note, self._language = [], "", ""
        elif name in {"langSet", "langSec"}:
            self._language = language
        elif name in {"tig", "ntig", "termSec"}:
            self._term, self._allowed = "", True

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        text = " ".join("".join(self._text).split())
        if name == "term":
            self._term = text
        elif name in {"termNote", "administrativeStatus"}:
            self._allowed = self._allowed and not text.lower().startswith(("deprecated", "superseded"))
        elif name in {"descrip", "definition", "note"} and not self._note:
            self._note = text if name != "descrip" or self._kind in {"definition", "context", ""} else ""
        elif name in {"tig", "ntig", "termSec"} and self._term:
            self._said.append(_Said(self._language, self._term, self._allowed))
        elif name in {"termEntry", "conceptEntry"}:
            self.entries.append((self._said, self._note))


def _of_tbx(text: str, to: str, name: str) -> Iterable[Term]:
    from xml.parsers import expat

    parser = expat.ParserCreate("utf-8")
    document = _Tbx()
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.data

    def refused(*_: object) -> None:
        raise DataError(f"{name}, line {parser.CurrentLineNumber}: a glossary must not declare entities")

    parser.EntityDeclHandler = refused
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as fault:
        raise DataError(f"{name}, line {fault.lineno}, column {fault.offset + 1}: not XML") from None
    if not document.entries:
        raise DataError(f"{name}: no entries of TBX in it")
    source, target = _pair(document, to, name)
    return _merged(term for said, note in document.entries for term in _terms(said, note, source, target))


def _pair(document: _Tbx, to: str, name: str) -> tuple[str, str]:
    """The languages of the terms and of the translations."""
    seen = list(dict.fromkeys(one.language for said, _ in document.entries for one in said))
    wanted = LANGUAGES.get(to.strip().casefold(), to.strip().replace("_", "-").lower())
    target = next((one for one in seen if wanted and (one == wanted or _main(one) == _main(wanted))), "")
    rest = [one for one in seen if one != target]
    source = next((one for one in rest if one == document.default), rest[0] if rest else "")
    others = [one for one in rest if one != source]
    if not target and len(others) != 1:
        known = ", ".join(seen) or "no language"
        raise DataError(f"{name}: '{to}' is not one language of it", hint=f"it has {known}")
    return source, target or others[0]


def _main(language: str) -> str:
    return language.partition("-")[0]


def _terms(said: Sequence[_Said], note: str, source: str, target: str) -> Iterable[Term]:
    good = [one.text for one in said if one.language == target and one.allowed]
    return [Term(one.text, good[0], note, tuple(good[1:])) for one in said if one.language == source and good]
