"""Quotes are found word for word, whatever line ends, width and punctuation did to them; nothing else is."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.text.quotes import find_quote, fold

PAGES = Path(__file__).parents[2]
FOUND = [
    ("1,250 euros", "the rent is 1,250 euros."),
    ("information", "the informa-\ntion here"),
    ("soft", "a so\u00adft one"),
    ("final", "the ﬁnal one"),
    ("−5 degrees", "it was -5 degrees"),
    ("COVID-19", "COVID‑19 spread"),
    ("THE Rent", "the rent"),
    ("“the rent”", "the rent"),
    ("café", "cafe\u0301"),
    ("bold text", "some **bold** text"),
    ("100 %", "100% of it"),
    ("the rent", "a line ends: the\nrent"),
    ("word", "a line of a page ends within a wo\nrd"),
    ("5 kg", "5kg"),
    ("할수있다", "할 수 있다"),
    ("租金 每月", "租金每 月"),
    ("Any 一方", "Any一方"),
    ("３０日", "前30日"),
    ("租金,每月", "租金，每月"),
    ("任何一方", "期满前三十日，任何一方可"),
    ("giving three … counted from", "by giving three months' notice, counted from the end"),
    ("期满前三十日……书面通知", "合同期满前三十日，任何一方可书面通知终止"),
]
NOT_FOUND = [
    ("able to pay", "unable to pay"),
    ("no", "I know"),
    ("250 euros", "1,250 euros"),
    ("1,25", "1,250"),
    ("1250.50", "1,250.50"),
    ("5 degrees", "it was -5 degrees"),
    ("12", "1 2"),
    ("x2", "x²"),
    ("102", "10²"),
    ("1 1/2", "1½"),
    ("cafe", "cafe\u0301"),
    ("十日", "三十日"),
    ("不等于三", "等于三"),
    ("three … end", "three months to the end"),
    ("counted from … giving three", "giving three months, counted from the end"),
    ("nowhere", "it is now here"),
    ("now here", "it is nowhere to be"),
    ("the rapist", "the therapist"),
    ("нельзя", "он не льзя"),
    ("...", "some text ..."),
    ("", "text"),
]


@pytest.mark.parametrize(("quote", "text"), FOUND)
def test_found(quote: str, text: str) -> None:
    assert find_quote(quote, fold(text)) is not None


@pytest.mark.parametrize(("quote", "text"), NOT_FOUND)
def test_not_found(quote: str, text: str) -> None:
    assert find_quote(quote, fold(text)) is None


def test_a_quote_is_found_where_it_stands() -> None:
    text = "First line.\nThe rent\nis 5."
    found = find_quote("the rent is", fold(text))
    assert found is not None
    assert text[found.start : found.end] == "The rent\nis"


@given(st.text(), st.text(min_size=1))
def test_folding_keeps_an_offset_for_each_character(before: str, text: str) -> None:
    whole = fold(before + text)
    assert len(whole.characters) == len(whole.offsets)
    assert whole.offsets == sorted(whole.offsets)
    assert all(0 <= offset < len(before + text) for offset in whole.offsets)


def samples() -> list[str]:
    """Passages of two languages."""
    texts = [(PAGES / name).read_text("utf-8") for name in ("CHANGELOG.md", "README.md", "README.zh.md")]
    return [part for text in texts for part in re.split(r"\n\n+", text) if len(part) > 80]


def test_thousands_of_changes_that_alter_what_a_quote_says_are_refused() -> None:
    chance = random.Random(7)
    edits = (swapped, dropped, inserted, replaced, renumbered)
    tried = 0
    for text in samples():
        folded, there = fold(text), said(text)
        for _ in range(110):
            quote = excerpt(text, chance)
            worse = chance.choice(edits)(quote, chance)
            if said(worse) not in there:  # of two words alike one may be left out
                tried += 1
                assert find_quote(worse, folded) is None, (quote, worse)
    assert tried > 5000


def test_words_that_are_joined_or_parted_are_others() -> None:
    chance = random.Random(7)
    tried = 0
    for text in samples():
        folded, there = fold(text), said(text)
        for _ in range(20):
            quote = excerpt(text, chance)
            for worse in (
                re.sub(r"(?<=[a-z]) (?=[a-z])", "", quote, count=1),
                re.sub(r"(?<=[a-z]{2})(?=[a-z]{2})", " ", quote, count=1),
            ):
                if said(worse) not in there:
                    tried += 1
                    assert find_quote(worse, folded) is None, (quote, worse)
    assert tried > 1000


def test_what_programs_do_to_a_quote_is_overlooked() -> None:
    chance = random.Random(7)
    for text in samples() * 2:
        folded = fold(text)
        quote = excerpt(text, chance)
        for same in (
            quote.replace(" ", "\n"),
            quote.replace(" ", "\u00a0"),
            quote.upper(),
            f"“{quote}”",
            quote.replace("'", "’").replace(",", "，"),
            re.sub(r"[*_`]", "", quote),
        ):
            assert find_quote(same, folded) is not None, (quote, same)


def said(text: str) -> str:
    """The words and numbers of a text, each by itself."""
    words = re.findall(r"[^\W_\u2e80-\uffff]+|(?=\w)[\u2e80-\uffff]", text.casefold())
    return f" {' '.join(words)} "


def excerpt(text: str, chance: random.Random) -> str:
    """Some words, or characters of a text without spaces."""
    words = list(re.finditer(r"\S+", text))
    if len(words) < 12:
        begin = chance.randrange(len(text) // 2)
        found = text[begin : begin + 24]
    else:
        first = chance.randrange(len(words) - 8)
        found = text[words[first].start() : words[first + 7].end()]
    return found if find_quote(found, fold(text)) else text


def swapped(quote: str, chance: random.Random) -> str:
    parts = tokens(quote)
    at = chance.randrange(max(1, len(parts) - 1))
    parts[at : at + 2] = parts[at : at + 2][::-1]
    return "".join(parts)


def dropped(quote: str, chance: random.Random) -> str:
    parts = tokens(quote)
    inner = range(1, len(parts) - 1)
    if inner:
        del parts[chance.choice(inner)]
    return "".join(parts)


def inserted(quote: str, chance: random.Random) -> str:
    parts = tokens(quote)
    at = chance.randrange(1, len(parts)) if len(parts) > 1 else 1
    return "".join([*parts[:at], chance.choice(["not ", "never ", "不"]), *parts[at:]])


def replaced(quote: str, chance: random.Random) -> str:
    parts = tokens(quote)
    parts[chance.randrange(len(parts))] = chance.choice(["other ", "zebra ", "别"])
    return "".join(parts)


def renumbered(quote: str, chance: random.Random) -> str:
    changed = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), quote, count=1)
    return changed if changed != quote else replaced(quote, chance)


def tokens(quote: str) -> list[str]:
    return re.findall(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*|\s+", quote)
