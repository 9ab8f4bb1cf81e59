"""The proof of an answer: its quotes looked up in the passages, its statements compared with these quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from gptkit.capabilities.documents.retrieve import FoundPassage
from gptkit.capabilities.documents.statements import Statement, names_of, numbers_of
from gptkit.capabilities.documents.words import words_of
from gptkit.core.patterns import lazy_pattern
from gptkit.readers import DocumentPlace, joined_place
from gptkit.text.quotes import FoldedText, FoundQuote, find_quote, fold

Status = Literal["proved", "unproved", "number", "name", "off-topic", "doubted", "unjudged", "plain"]
"""`number`, `name`: the quotes lack one of the statement; `off-topic`: they have no word in common with it;
`doubted`, `unjudged`: the model says on `--judge` that they do not prove it, or says nothing;
`plain`: the statement cites nothing and holds nothing that would have to be proved."""
CITED_BY_US = 2
"""Quotes that are cited for a statement that cites none."""
BEGINNING = 4
"""Letters with which two forms of a word begin at least."""
_SPACELESS = lazy_pattern("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Citation(NamedTuple):
    """A quote that stands in the documents; `text` are the document's own words."""

    passage: FoundPassage
    place: DocumentPlace
    text: str
    model_text: str
    is_elided: bool
    context: str
    """The passages that the quote stands in, with their headings."""


class RejectedQuote(NamedTuple):
    """A quote that stands in no passage, and the passage that the model named for it."""

    text: str
    passage: FoundPassage | None


class JudgedStatement(NamedTuple):
    """A statement with the quotes that prove it, as numbers in the order of the quotes."""

    statement: Statement
    status: Status
    citations: tuple[int, ...] = ()


class _PassageRun(NamedTuple):
    """Neighbouring passages of one file as one text, with the offset of each."""

    passages: tuple[FoundPassage, ...]
    starts: tuple[int, ...]
    folded: FoldedText


class Proof:
    """Collects the quotes of one answer, then judges its statements."""

    def __init__(self, question: str, passages: Sequence[FoundPassage]) -> None:
        self.rejected: list[RejectedQuote] = []
        self.quotes: list[Citation | None] = []
        """The quotes in the order of the answer; None for one that is in no passage."""
        self._question = question
        self._passages = passages
        self._runs: list[_PassageRun] | None = None

    @property
    def citations(self) -> list[Citation]:
        return [one for one in self.quotes if one is not None]

    def add_quote(self, passage: int | None, text: str) -> None:
        """Look a quote up: in the passage that the model names, counted from 1, else in all passages."""
        if self._runs is None:
            self._runs = list(_runs(self._passages))
        named = self._passages[passage - 1] if passage and 0 < passage <= len(self._passages) else None
        for run in sorted(self._runs, key=lambda one: named not in one.passages):
            if found := find_quote(text, run.folded):
                self.quotes.append(_citation(run, found, text))
                return
        self.quotes.append(None)
        self.rejected.append(RejectedQuote(text, named))

    def judged(self, statement: Statement) -> JudgedStatement:
        """Judge a statement by the quotes that it cites, else by those that would prove it."""
        if statement.text.lstrip().startswith("#") or not re.search(r"\w", statement.content):
            return JudgedStatement(statement, "plain")
        cited = [
            mark - 1 for mark in statement.marks if 0 < mark <= len(self.quotes) and self.quotes[mark - 1]
        ]
        status = self._status(statement, cited)
        if status == "proved":
            return JudgedStatement(statement, status, tuple(cited))
        if fitting := self._fitting(statement):
            return JudgedStatement(statement, "proved", tuple(fitting))
        if not statement.marks and not self._has_own(statement):
            return JudgedStatement(statement, "plain")
        return JudgedStatement(statement, status)

    def cited(self, numbers: Iterable[int]) -> list[Citation]:
        """Return the quotes with these numbers, those that are in no passage left out."""
        return [one for number in numbers if (one := self.quotes[number]) is not None]

    def _status(self, statement: Statement, cited: Sequence[int]) -> Status:
        quotes = self.cited(cited)
        if not quotes:
            return "unproved"
        said = numbers_of(statement.content)
        if not said <= _numbers([one.text for one in quotes] + [self._question]):
            return "number"
        about = f"{self._question}\n{' '.join(one.context for one in quotes)}".casefold()
        if not all(_root(name) in about for name in names_of(statement.content)):
            return "name"
        topic = f"{self._question} {statement.content}"
        return "proved" if all(_share(one.text, topic) for one in quotes) else "off-topic"

    def _fitting(self, statement: Statement) -> list[int]:
        """The first quotes each of which proves the whole statement, and has words in common with it."""
        found = [
            number
            for number, one in enumerate(self.quotes)
            if one is not None
            and self._status(statement, [number]) == "proved"
            and _share_words(one.text, statement.content)
        ]
        return found[:CITED_BY_US]

    def _has_own(self, statement: Statement) -> bool:
        """Whether a statement has a number or a name that the question does not have."""
        asked = self._question.casefold()
        if numbers_of(statement.content) - numbers_of(self._question):
            return True
        return any(_root(name) not in asked for name in names_of(statement.content))


def nearest_text(rejected: RejectedQuote) -> tuple[str, float] | None:
    """The sentence of the named passage that is most like a rejected quote, and how much: between 0 and 1."""
    if rejected.passage is None:
        return None
    from difflib import SequenceMatcher

    sentences = re.split(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+", rejected.passage.passage.text)
    rated = [(SequenceMatcher(None, rejected.text, each).ratio(), each) for each in sentences if each.strip()]
    ratio, text = max(rated, default=(0.0, ""))
    return (text, round(ratio, 2)) if text else None


def _runs(passages: Sequence[FoundPassage]) -> Iterable[_PassageRun]:
    """Join passages that follow each other, so that a quote may go on in the next one."""
    group: list[FoundPassage] = []
    for one in (*passages, None):
        before = group[-1].order if group else None
        if one is not None and before is not None and one.order == (*before[:2], before[2] + 1):
            group.append(one)
            continue
        if group:
            yield _run(group)
        group = [one] if one is not None else []


def _run(passages: Sequence[FoundPassage]) -> _PassageRun:
    text, starts = "", []
    for one in passages:
        text += "\n\n" if text else ""
        starts.append(len(text))
        text += one.passage.text
    return _PassageRun(tuple(passages), tuple(starts), fold(text))


def _citation(run: _PassageRun, found: FoundQuote, model_text: str) -> Citation:
    first, last = (
        max(at for at, start in enumerate(run.starts) if start <= position)
        for position in (found.start, found.end - 1)
    )
    places = []
    for at in range(first, last + 1):
        passage, start = run.passages[at].passage, run.starts[at]
        end = min(found.end - start, len(passage.text))
        places.append(passage.place(max(0, found.start - start), end))
    text = " … ".join(" ".join(run.folded.text[start:end].split()) for start, end in found.pieces)
    around = run.passages[first : last + 1]
    context = "\n".join(f"{one.name} {one.passage.heading}\n{one.passage.text}" for one in around)
    place = joined_place(places[0], places[-1]) or places[0]
    return Citation(run.passages[first], place, text, model_text, len(found.pieces) > 1, context)


def _numbers(texts: Iterable[str]) -> frozenset[Decimal]:
    return frozenset().union(*map(numbers_of, texts))


def _root(name: str) -> str:
    """A name without what inflection adds, to be looked for within words."""
    name = re.sub(r"['’]s?\Z", "", name.casefold())
    return name[:-2] if len(name) > 6 else name


def _share(quote: str, topic: str) -> bool:
    """Whether two texts have a word or a number in common, as far as they are written alike."""
    if bool(_SPACELESS.search(quote)) != bool(_SPACELESS.search(topic)):
        return True
    return _share_words(quote, topic)


def _share_words(quote: str, topic: str) -> bool:
    first, second = (frozenset(words_of(text)) for text in (quote, topic))
    if first & second or numbers_of(quote) & numbers_of(topic):
        return True
    return any(_are_alike(one, other) for one in first for other in second)


def _are_alike(one: str, other: str) -> bool:
    """Whether two words begin alike and differ in less: `written` is about what `writing` is about."""
    common = max(BEGINNING, (len(one) + len(other) + 2) // 3)
    return len(one) >= common and one[:common] == other[:common]
