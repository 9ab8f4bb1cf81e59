"""A glossary: find its terms in a text, and check that a translation uses their translations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from gptkit.core.errors import DataError
from gptkit.text.pieces import Finding

STEM = 4  # two forms of one word share at least as many letters at their beginning
SHARE = 0.6  # and this part of the longer form
APART = 2  # words that may stand between two words of a translation
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
    others: tuple[str, ...] = ()  # other accepted translations


class _Word(NamedTuple):
    text: str
    folded: str
    start: int
    end: int


class TermUse(NamedTuple):
    """A place of a text where a term is used."""

    term: int  # position in the glossary
    start: int
    end: int


LineOf = Callable[[int], int]


class Glossary:
    """A list of terms that can be looked up in texts.

    A term in lower case matches any case; one with a capital letter matches only as it is written. Words
    match by their stems. In scripts without spaces, as Chinese, a term matches exactly, wherever it stands.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._words: list[tuple[_Word, ...]] = []
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
        """Return the terms of a text in glossary order, without those that occur only in longer terms."""
        return tuple(self.terms[number] for number in sorted({use.term for use in self._uses(text)}))

    def missing_terms(self, text: str, answer: str, line_of: LineOf | None = None) -> tuple[Finding, ...]:
        """Return a finding for each term of the text whose translation is not in the answer.

        `line_of` converts a position in `text` to the line of the input; without it, lines of `text` count.
        """
        first: dict[int, int] = {}
        for use in self._uses(text):
            first[use.term] = min(use.start, first.get(use.term, use.start))
        answers = _Answer(answer) if first else None
        findings = []
        for number, start in sorted(first.items(), key=lambda item: item[1]):
            term = self.terms[number]
            if answers and not any(answers.has(accepted) for accepted in (term.translation, *term.others)):
                line = line_of(start) if line_of else 1 + text.count("\n", 0, start)
                findings.append(Finding(line, "term", f"term '{term.term}' is not '{term.translation}'"))
        return tuple(findings)

    def _uses(self, text: str) -> list[TermUse]:
        """Return the places of all terms, but for those within a longer term."""
        uses = [*self._uses_of_spaced_terms(text), *self._uses_of_unspaced_terms(text)]
        uses.sort(key=lambda use: (use.start, -use.end))
        longest: list[TermUse] = []
        widest = TermUse(0, 0, 0)
        for use in uses:
            if use.end > widest.end:
                widest = use
            if use[1:] == widest[1:]:
                longest.append(use)
        return longest

    def _uses_of_spaced_terms(self, text: str) -> Iterator[TermUse]:
        words = list(_words(text))
        for at, word in enumerate(words):
            starts = {word.folded[:STEM], *_beginnings(word.folded)}
            for start in starts:
                for number in self._by_word.get(start, ()):
                    if end := self._matches(number, text, words, at):
                        yield TermUse(number, word.start, end)

    def _matches(self, number: int, text: str, words: Sequence[_Word], at: int) -> int:
        """Return the end of a term that begins at the word `words[at]`; 0 if the term is not there."""
        term, parts = self.terms[number].term, self._words[number]
        if at + len(parts) > len(words):
            return 0
        here = words[at : at + len(parts)]
        if not LETTERS.fullmatch(term):
            start = here[0].start - parts[0].start
            passage = text[max(0, start) : start + len(term)]
            same = passage == term if _has_capital(term) else passage.casefold() == term.casefold()
            return start + len(term) if same and start >= 0 else 0
        gaps = (text[word.end : following.start] for word, following in pairwise(here))
        if not all(map(GAP.fullmatch, gaps)):
            return 0
        for part, word in zip(parts, here, strict=True):
            exact = _has_capital(part.text)
            if not (_alike(part.text, word.text) if exact else _alike(part.folded, word.folded)):
                return 0
        return here[-1].end

    def _uses_of_unspaced_terms(self, text: str) -> Iterator[TermUse]:
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
                        yield TermUse(number, at, at + len(term))
                if at + 1 == len(folded):
                    break


class _Answer:
    """A translation in which the translations of terms are looked up."""

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
        """Whether the words stand at a place in their order, with few others between them."""
        last = at - 1
        for number, word in enumerate(wanted):
            reach = range(last + 1, min(last + 2 + (APART if number else 0), len(self._words)))
            place = next((index for index in reach if _uses(word, self._words[index])), None)
            if place is None:
                return False
            last = place
        return True


def _beginnings(word: str) -> Iterator[str]:
    """Yield the short terms, other than the word itself, of which a word may be a form."""
    if HANGUL.match(word):
        yield from (word[:length] for length in range(1, STEM))
    elif len(word) <= STEM + 1:
        yield from (word[:-1], word[:-2])


def _uses(wanted: str, word: str) -> bool:
    """Whether a word is a form of the wanted one, or a compound with it."""
    return _alike(wanted, word) or (len(wanted) > STEM and wanted in word)


def _alike(word: str, other: str) -> bool:
    """Whether two words may be forms of one: they share a stem, or differ in a plural's ending."""
    if word == other or (HANGUL.match(word) and other.startswith(word)):
        return True
    longer = max(len(word), len(other))
    shared = next(
        (at for at, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
    )
    if shared >= max(STEM, SHARE * longer):
        return True
    return len(word) < STEM and other in {word + "s", word + "es"}


def _words(text: str) -> Iterator[_Word]:
    for match in WORD.finditer(text):
        yield _Word(match[0], match[0].casefold(), match.start(), match.end())


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
    """Read a glossary from CSV or TBX. Raises DataError if it is neither.

    Args:
        text: the content of the file.
        to: the language of the translations, by its name or code, for a TBX file with several.
        name: the file in messages.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<"):
        return Glossary(_parse_tbx(text, to, name))
    return Glossary(_parse_csv(text, name))


def _parse_csv(text: str, name: str) -> Iterable[Term]:
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
    return _merge(terms)


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
            f"{where}: '{cells[0] or cells[1]}' stands alone: a term and its translation were expected"
        )
    return Term(cells[0], cells[1], cells[2] if len(cells) > 2 else "")


def _merge(terms: Iterable[Term]) -> Iterable[Term]:
    """Merge entries of the same term; further translations become its `others`."""
    merged: dict[str, Term] = {}
    for term in terms:
        if known := merged.get(term.term):
            accepted = (known.translation, *known.others)
            new = [other for other in (term.translation, *term.others) if other not in accepted]
            merged[term.term] = known._replace(others=(*known.others, *new), note=known.note or term.note)
        else:
            merged[term.term] = term
    return merged.values()


class _TbxTerm(NamedTuple):
    language: str
    text: str
    allowed: bool


class _TbxReader:
    """Collects the entries of a TBX document from the events of an XML parser."""

    def __init__(self) -> None:
        self.entries: list[tuple[list[_TbxTerm], str]] = []  # terms in all languages, and a note
        self.default = ""  # the language of the document
        self._terms_of_entry: list[_TbxTerm] = []
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
            self._terms_of_entry, self._note, self._language = [], "", ""
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
            self._terms_of_entry.append(_TbxTerm(self._language, self._term, self._allowed))
        elif name in {"termEntry", "conceptEntry"}:
            self.entries.append((self._terms_of_entry, self._note))


def _parse_tbx(text: str, to: str, name: str) -> Iterable[Term]:
    from xml.parsers import expat

    parser = expat.ParserCreate("utf-8")
    document = _TbxReader()
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.data

    def refuse_entity(*_: object) -> None:
        raise DataError(f"{name}, line {parser.CurrentLineNumber}: a glossary must not declare entities")

    parser.EntityDeclHandler = refuse_entity
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as fault:
        raise DataError(f"{name}, line {fault.lineno}, column {fault.offset + 1}: not XML") from None
    if not document.entries:
        raise DataError(f"{name}: no entries of TBX in it")
    source, target = _languages(document, to, name)
    return _merge(term for entry, note in document.entries for term in _terms(entry, note, source, target))


def _languages(document: _TbxReader, to: str, name: str) -> tuple[str, str]:
    """Return the languages of the terms and of the translations."""
    seen = list(dict.fromkeys(term.language for terms, _ in document.entries for term in terms))
    requested = LANGUAGES.get(to.strip().casefold(), to.strip().replace("_", "-").lower())
    targets = (code for code in seen if requested and (code == requested or _main(code) == _main(requested)))
    target = next(targets, "")
    rest = [code for code in seen if code != target]
    source = document.default if document.default in rest else rest[0] if rest else ""
    others = [code for code in rest if code != source]
    if not target and len(others) != 1:
        known = ", ".join(seen) or "no language"
        raise DataError(f"{name}: '{to}' does not name one of its languages", hint=f"it has {known}")
    return source, target or others[0]


def _main(language: str) -> str:
    return language.partition("-")[0]


def _terms(entry: Sequence[_TbxTerm], note: str, source: str, target: str) -> Iterable[Term]:
    good = [term.text for term in entry if term.language == target and term.allowed]
    if not good:
        return []
    return [Term(term.text, good[0], note, tuple(good[1:])) for term in entry if term.language == source]
