"""The words of a text, its passages with their places, and the order of passages for a question."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.capabilities.documents.passages import LONGEST, passages_of, text_size
from gptkit.capabilities.documents.rank import Bag, Totals, bag, ranked
from gptkit.capabilities.documents.statements import statement, statement_end, statements_of
from gptkit.capabilities.documents.words import question_words, words_of
from gptkit.readers import Block, DocumentData, DocumentPlace
from gptkit.readers.text import read_markdown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The landlord's lawyers ran", ["landlord", "lawyer", "ran"]),
        ("COMPUTING Computed", ["comput", "comput"]),
        ("合同期满前三十日", ["合同", "同期", "期满", "满前", "前三", "三十", "十日"]),
        ("第 3 条", ["第", "3", "条"]),
        ("３０日 ＡＢＣ", ["30", "日", "abc"]),
        ("Straße größe STRASSE", ["strass", "grösse", "strass"]),
        ("租金 rent 是 1,250 euros", ["租金", "rent", "是", "1", "250", "euro"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("what is the notice period?", ["notic", "period"]),
        ("合同什么时候到期？", ["合同", "到期"]),
        ("合約什麼時候到期？", ["合約", "到期"]),
        ("who are you?", ["who", "are", "you"]),
    ],
)
def test_a_question_loses_what_it_asks_with_unless_that_is_all(question: str, words: list[str]) -> None:
    assert question_words(question) == words


LINES = st.lists(
    st.sampled_from(
        ["", "", "# Title", "Under", "=====", "One line. Another sentence!", "word " * 500, "中文。" * 700]
    ),
    min_size=1,
    max_size=40,
)


@given(LINES, st.randoms())
def test_every_part_of_a_passage_stands_in_the_lines_of_its_place(
    lines: list[str], chance: random.Random
) -> None:
    source = DocumentData("\n".join(lines).encode(), "'x'", lambda data, *_: data.decode())
    whole = ""
    for passage in passages_of(read_markdown(source), "x"):
        whole += passage.text
        assert text_size(passage.text) <= 2 * LONGEST
        start = chance.randrange(len(passage.text))
        part = passage.text[start : start + 40].strip()
        place = passage.place(passage.text.index(part, start), passage.text.index(part, start) + len(part))
        there = "\n".join(lines[place.start - 1 : place.end])
        assert bare(part) in bare(there)
    assert bare(whole) == bare("".join(lines))


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_a_passage_that_crosses_pages_says_so_and_one_that_crosses_sheets_names_the_first() -> None:
    pages = [
        Block("giving notice of", DocumentPlace("page", 4, 4)),
        Block("three months", DocumentPlace("page", 5, 5)),
    ]
    passage = next(passages_of(pages, "lease"))
    assert passage.place() == DocumentPlace("page", 4, 5)
    assert passage.place(passage.text.index("three"), len(passage.text)) == DocumentPlace("page", 5, 5)
    sheets = [
        Block("a | 1", DocumentPlace("row", 2, 2, "May")),
        Block("b | 2", DocumentPlace("row", 2, 2, "June")),
    ]
    passage = next(passages_of(sheets, "plan"))
    assert (passage.text, passage.place()) == ("a | 1\nb | 2", DocumentPlace("row", 2, 2, "May"))


def test_a_passage_begins_below_a_new_heading_once_it_is_long_enough() -> None:
    blocks = [
        Block("short", DocumentPlace("line", 1, 1), ("A",)),
        Block("long " * 60, DocumentPlace("line", 2, 2), ("B",)),
        Block("next", DocumentPlace("line", 3, 3), ("C", "D")),
    ]
    assert [(one.heading, len(one.places)) for one in passages_of(blocks, "t")] == [
        ("t / A", 2),
        ("t / C / D", 1),
    ]


TEXTS = [
    "the tenant pays the rent on the first day of the month",
    "the rent is 1250 euros",
    "notice is three months in writing",
    "the landlord keeps the deposit of the tenant",
    "weather was fine",
]


def order(question: str, bags: list[Bag]) -> list[int]:
    def frequency(words: Iterable[str]) -> Mapping[str, int]:
        return {word: sum(word in one.counts for one in bags) for word in words}

    totals = Totals(len(bags), sum(one.length for one in bags))
    return [index for index, _ in ranked(Counter(question_words(question)), bags, frequency, totals)]


@given(st.permutations(range(len(TEXTS))))
def test_an_order_holds_every_candidate_whatever_order_they_come_in(moved: list[int]) -> None:
    bags = [bag([], words_of(text)) for text in TEXTS]
    found = order("when is notice in writing due?", [bags[index] for index in moved])
    assert sorted(found) == list(range(len(TEXTS)))
    assert moved[found[0]] == 2


def test_a_word_of_the_heading_counts_twice() -> None:
    bags = [
        bag(words_of("other"), words_of("deposit of months")),
        bag(words_of("deposit"), words_of("months")),
    ]
    assert order("deposit", bags) == [1, 0]


def test_words_of_the_best_passages_count_beside_those_of_the_question() -> None:
    """Behind the first two, which stay."""
    texts = ["alpha beta", "alpha beta gamma", "alpha x y z q r s", "beta gamma", "delta"]
    found = order("alpha", [bag([], text.split()) for text in texts])
    assert found.index(3) < found.index(4)


ANSWERS = st.lists(
    st.sampled_from(
        ["Rent is 3.5. ", "Notice", " of e.g. ", "three months.", " [1]", "[2, 3]", "\n- ", "三十日。", " "]
    ),
    max_size=12,
).map("".join)


@given(ANSWERS, st.integers(1, 9))
def test_an_answer_that_comes_in_pieces_has_the_statements_of_the_whole(answer: str, size: int) -> None:
    found, rest = [], ""
    for at in range(0, len(answer), size):
        rest += answer[at : at + size]
        while rest and (end := statement_end(rest, False)):
            found.append(statement(rest[:end]))
            rest = rest[end:]
    assert [*found, *statements_of(rest)] == list(statements_of(answer))
