"""A glossary: which of its terms a text holds, and whether a translation keeps to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from gptkit.documents.pieces import Finding

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

    def missing(self, text: str, answer: str, line_of: LineOf | None = None) -> tuple[Finding, ...]:
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
