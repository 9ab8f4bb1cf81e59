"""Chooses the passages that a question is answered from, and as many of them as fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from gptkit.capabilities.documents.passages import Passage
from gptkit.capabilities.documents.rank import Totals, bag, ranked
from gptkit.capabilities.documents.words import question_words, words_of
from gptkit.core.tokens import estimate_tokens

CANDIDATES = 100
LONGEST_QUESTION = 32
"""Words of a question that count, the rarest ones."""
COMMON = 0.1
"""Share of passages that hold a word beyond which that word finds no candidates, if two rarer words do."""
OF_ONE_FILE = 4
"""Passages of one file that are chosen before every other matching file has one."""
WITH_NEIGHBOURS = 3
"""Passages that are sent with the passage before and the passage after them."""
OVERHEAD = 30
"""Tokens that a passage takes beside its text."""


class IndexedPassage(NamedTuple):
    """A passage in an index: `file` and `position` are the index's own numbers, in the order of the text."""

    file: int
    position: int
    passage: Passage


class Index(Protocol):
    """Passages that can be searched. All figures are those of the files that the search is about."""

    @property
    def totals(self) -> Totals: ...

    @property
    def tokens(self) -> int:
        """Estimated tokens of all passages."""

    @property
    def files(self) -> Mapping[int, str]:
        """The names of all files, by number."""

    def frequency(self, words: Iterable[str]) -> Mapping[str, int]: ...

    def candidates(self, words: Sequence[str], most: int) -> list[IndexedPassage]: ...

    def all_passages(self) -> Iterator[IndexedPassage]: ...

    def neighbours(self, one: IndexedPassage) -> list[IndexedPassage]: ...

    def sha256(self, file: int) -> str: ...


class FoundPassage(NamedTuple):
    """A passage as it is sent and cited. `order` sorts passages as they stand in their files."""

    name: str
    sha256: str
    passage: Passage
    score: float
    order: tuple[int, str, int]


class Retrieved(NamedTuple):
    """What a question is answered from: `sent` in the order of files and places, `ranked` the best first."""

    sent: tuple[FoundPassage, ...] = ()
    ranked: tuple[FoundPassage, ...] = ()
    is_whole: bool = False
    passages: int = 0
    files: int = 0

    @property
    def tokens(self) -> int:
        """Estimated tokens of what is sent."""
        return sum(map(_size, self.sent))


class Room(NamedTuple):
    """How much is sent: passages, and tokens of them."""

    passages: int
    tokens: int


def question_weights(parts: Iterable[tuple[str, float]]) -> Mapping[str, float]:
    """The words of a question with their weights; each part is a text and its weight."""
    weights: Counter[str] = Counter()
    for text, weight in parts:
        for word in question_words(text):
            weights[word] += weight  # type: ignore[assignment]
    return weights


def retrieve(question: Mapping[str, float], indexes: Sequence[Index], room: Room) -> Retrieved:
    """The best passages that fit into the room, and the neighbours of the very best."""
    search = _Search(indexes)
    ranking = search.ranked(question)
    chosen = _chosen(ranking, room)
    left = room.tokens - sum(_size(one) for one in chosen)
    known = {one.order for one in chosen}
    for one in chosen[:WITH_NEIGHBOURS]:
        for beside in search.neighbours(one):
            if beside.order not in known and _size(beside) <= left:
                left -= _size(beside)
                known.add(beside.order)
                chosen.append(beside)
    return Retrieved(
        tuple(sorted(chosen, key=lambda one: one.order)),
        tuple(ranking),
        passages=search.totals.passages,
        files=sum(len(index.files) for index in indexes),
    )


def retrieve_whole(question: Mapping[str, float], indexes: Sequence[Index]) -> Retrieved:
    """All passages, in order."""
    search = _Search(indexes)
    everything = tuple(search.all_passages())
    files = sum(len(index.files) for index in indexes)
    return Retrieved(everything, tuple(search.ranked(question)), True, search.totals.passages, files)


def all_tokens(indexes: Sequence[Index]) -> int:
    """Estimated tokens of a request with all passages."""
    return sum(index.tokens + OVERHEAD * index.totals.passages for index in indexes)


class _Search:
    """A search in several indexes as in one."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = indexes
        self.totals = Totals(
            sum(index.totals.passages for index in indexes), sum(index.totals.length for index in indexes)
        )

    def ranked(self, question: Mapping[str, float]) -> list[FoundPassage]:
        if not question:
            return []
        known = self._frequency(question)
        rarest = sorted((word for word in question if known.get(word)), key=lambda word: known[word])
        rarest = rarest[:LONGEST_QUESTION]
        if not rarest:
            return []
        limit = max(COMMON * self.totals.passages, known[rarest[min(1, len(rarest) - 1)]])
        asked = [word for word in rarest if known[word] <= limit]
        candidates = [
            (number, one)
            for number, index in enumerate(self._indexes)
            for one in index.candidates(asked, CANDIDATES)
        ]
        bags = [bag(words_of(one.passage.heading), words_of(one.passage.text)) for _, one in candidates]
        weights = {word: question[word] for word in rarest}
        return [
            self._found(*candidates[index], score)
            for index, score in ranked(weights, bags, self._frequency, self.totals)
        ]

    def neighbours(self, one: FoundPassage) -> list[FoundPassage]:
        number, _, position = one.order
        index = self._indexes[number]
        file = next(file for file, name in index.files.items() if name == one.name)
        beside = index.neighbours(IndexedPassage(file, position, one.passage))
        return [self._found(number, each, 0.0) for each in beside]

    def all_passages(self) -> Iterator[FoundPassage]:
        for number, index in enumerate(self._indexes):
            for one in index.all_passages():
                yield self._found(number, one, 0.0)

    def _frequency(self, words: Iterable[str]) -> Mapping[str, int]:
        wanted = list(words)
        together: Counter[str] = Counter()
        for index in self._indexes:
            together.update(index.frequency(wanted))
        return together

    def _found(self, number: int, one: IndexedPassage, score: float) -> FoundPassage:
        index = self._indexes[number]
        name = index.files[one.file]
        return FoundPassage(name, index.sha256(one.file), one.passage, score, (number, name, one.position))


def _chosen(ranking: Sequence[FoundPassage], room: Room) -> list[FoundPassage]:
    """The best passages that fit; more than OF_ONE_FILE of one file come last."""
    chosen: list[FoundPassage] = []
    waiting: list[FoundPassage] = []
    of_file: Counter[tuple[int, str]] = Counter()
    left = room.tokens
    for one in ranking[: 2 * room.passages]:
        of_file[one.order[:2]] += 1
        if of_file[one.order[:2]] > OF_ONE_FILE:
            waiting.append(one)
        elif len(chosen) < room.passages and _size(one) <= left:
            chosen.append(one)
            left -= _size(one)
    for one in waiting:
        if len(chosen) < room.passages and _size(one) <= left:
            chosen.append(one)
            left -= _size(one)
    return chosen


def _size(one: FoundPassage) -> int:
    return estimate_tokens(one.passage.text) + OVERHEAD
