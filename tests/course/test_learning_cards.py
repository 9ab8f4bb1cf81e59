"""Cards: when they come back, and what other programs get of them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
import tempfile
import warnings
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_parts import MEMORIES

from gptkit.capabilities.course import export
from gptkit.capabilities.course.file_format import course_yaml, parse_course
from gptkit.capabilities.course.model import (
    RATINGS,
    Flashcard,
    Learner,
    MemoryState,
    Rating,
    due_cards,
    review_card,
)
from gptkit.core.errors import ConfigurationError

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
NEW = Flashcard("2 + 2?", "4", NOON)


def test_cards_are_due_in_the_order_in_which_they_wait() -> None:
    cards = tuple(Flashcard(str(hours), "x", NOON + timedelta(hours=hours)) for hours in (1, -1, 0, -5))
    assert [card.front for card in due_cards(Learner("x", cards=cards), NOON)] == ["-5", "-1", "0"]


@pytest.mark.parametrize(
    ("rating", "stage", "step", "wait", "stability"),
    [  # FSRS 6: the first stabilities are its first four parameters
        ("again", "learning", 0, timedelta(minutes=1), 0.212),
        ("hard", "learning", 0, timedelta(minutes=5, seconds=30), 1.2931),
        ("good", "learning", 1, timedelta(minutes=10), 2.3065),
        ("easy", "review", None, timedelta(days=8), 8.2956),
    ],
)
def test_the_first_review(
    rating: Rating, stage: str, step: int | None, wait: timedelta, stability: float
) -> None:
    after = review_card(NEW, rating, NOON, fuzzy=False)
    assert after.memory is not None
    assert (after.memory.stage, after.memory.step, after.memory.stability) == (stage, step, stability)
    assert (after.due, after.memory.reviewed) == (NOON + wait, NOON)
    assert (after.front, after.back) == (NEW.front, NEW.back)


def test_a_card_that_is_known_comes_back_ever_later_and_one_forgotten_soon() -> None:
    card, waits = NEW, []
    for _ in range(6):
        moment = max(card.due, NOON)
        card = review_card(card, "good", moment, fuzzy=False)
        waits.append(card.due - moment)
    assert waits == sorted(waits)
    assert waits[-1] > timedelta(days=100)
    forgotten = review_card(card, "again", card.due, fuzzy=False)
    assert forgotten.memory is not None
    assert (forgotten.memory.stage, forgotten.due - card.due) == ("relearning", timedelta(minutes=10))


def test_without_chance_a_review_is_repeatable_and_in_any_zone() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=8)))
    assert review_card(NEW, "easy", NOON, fuzzy=False) == review_card(NEW, "easy", elsewhere, fuzzy=False)
    old = NEW._replace(memory=MemoryState("review", None, 100.0, 5.0, NOON - timedelta(days=100)))
    assert len({review_card(old, "good", NOON, fuzzy=False).due for _ in range(20)}) == 1
    assert len({review_card(old, "good", NOON).due for _ in range(50)}) > 1


@given(MEMORIES, st.lists(st.sampled_from(RATINGS), min_size=1, max_size=4))
def test_whatever_the_file_says_a_review_works_and_can_be_kept(
    memory: MemoryState, ratings: list[Rating]
) -> None:
    card = NEW._replace(memory=memory)
    for rating in ratings:
        card = review_card(card, rating, NOON)
        assert card.due > NOON
    course = Learner("x", cards=(card,))
    assert parse_course(course_yaml(course), "file") == course


COURSE = Learner(
    "线性代数::basics",
    cards=(
        Flashcard(
            "What is\n<b>a</b> [latex]basis[/latex] & {{x}}?", '独立 & "spanning"', NOON, "vectors, 向量 x"
        ),
        review_card(NEW, "easy", NOON, fuzzy=False),
    ),
)


def test_csv_reads_back() -> None:
    rows = list(csv.reader(io.StringIO(export.cards_csv(COURSE))))
    assert rows == [
        list(export.COLUMNS),
        [
            COURSE.cards[0].front,
            COURSE.cards[0].back,
            "vectors, 向量 x",
            "2026-11-30T12:00:00+00:00",
            "",
            "",
            "",
            "",
        ],
        [
            "2 + 2?",
            "4",
            "",
            "2026-12-08T12:00:00+00:00",
            "review",
            "8.2956",
            "1.0",
            "2026-11-30T12:00:00+00:00",
        ],
    ]


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\rx", "\n=1", "＝1", "＋1", "－1", "＠x", "|x", "%x"],
)
def test_a_spreadsheet_runs_nothing(cell: str) -> None:
    course = Learner("x", cards=(Flashcard(cell, cell, NOON, cell), Flashcard("a=b", "1-2", NOON)))
    rows = list(csv.reader(io.StringIO(export.cards_csv(course), newline="")))
    assert rows[1][:3] == ["'" + cell.replace("\r", "\n")] * 3
    assert rows[2][:2] == ["a=b", "1-2"]


def notes(package: bytes) -> tuple[list[tuple[object, ...]], dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert json.loads(archive.read("media")) == {}
        database = sqlite3.connect(":memory:")
        database.deserialize(archive.read("collection.anki2"))
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert (
            database.execute("SELECT count(*) FROM cards").fetchone()
            == database.execute("SELECT count(*) FROM notes").fetchone()
        )
        decks = json.loads(database.execute("SELECT decks FROM col").fetchone()[0])
        found = database.execute("SELECT guid, mid, tags, flds, mod FROM notes ORDER BY id").fetchall()
    finally:
        database.close()
    return found, {number: deck["name"] for number, deck in decks.items() if number != "1"}


def test_a_package_for_anki_shows_the_text_as_it_is() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, decks = notes(export.anki_package(COURSE, NOON))
    assert list(decks.values()) == ["线性代数:basics"]
    latex = "&#91;latex]basis&#91;/latex]"
    assert [row[3] for row in found] == [
        f'What is<br>&lt;b&gt;a&lt;/b&gt; {latex} &amp; &#123;&#123;x}}}}?\x1f独立 &amp; "spanning"',
        "2 + 2?\x1f4",
    ]
    assert [row[2] for row in found] == [" vectors,_向量_x ", "  "]


def test_a_second_export_updates_the_first() -> None:
    first, decks = notes(export.anki_package(COURSE, NOON))
    edited = COURSE._replace(
        subject=COURSE.subject.upper(),
        cards=tuple(card._replace(back="new", front=f" {card.front}") for card in COURSE.cards),
    )
    second, again = notes(export.anki_package(edited, NOON + timedelta(days=1)))
    assert [row[:2] for row in first] == [row[:2] for row in second]
    assert list(decks) == list(again)
    assert all(int(str(old[4])) < int(str(new[4])) for old, new in zip(first, second, strict=True))
    other, decks_of_other = notes(export.anki_package(COURSE._replace(subject="x"), NOON))
    assert not {row[0] for row in other} & {row[0] for row in first}
    assert list(decks_of_other) != list(decks)
    assert notes(export.anki_package(Learner("x"), NOON))[0] == []


def test_nothing_of_an_export_stays_among_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    export.anki_package(COURSE, NOON)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_its_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genanki", None)
    with pytest.raises(ConfigurationError, match="an Anki package needs the extra 'anki'") as caught:
        export.anki_package(COURSE, NOON)
    assert caught.value.hint == "pip install 'gptkit[anki]'"
