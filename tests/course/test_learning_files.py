"""Courses on disk: what is written reads back, what people edit is checked by line, names are no paths."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_parts import MEMORIES, TIMES

from gptkit.capabilities.course import file_format, store
from gptkit.capabilities.course.file_format import parse_course
from gptkit.capabilities.course.model import (
    LINE_LENGTH,
    NAME_LENGTH,
    TEXT_LENGTH,
    Flashcard,
    Learner,
    MemoryState,
    Mistake,
    Topic,
    estimated_size,
    normalize_name,
    replace_card,
)
from gptkit.core.errors import CannotReadError, CannotWriteError, DataError, UsageError
from gptkit.core.yaml_tree import YamlFileError

NOON = datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)
DAY = date(2026, 11, 29)
COURSE = Learner(
    subject="线性代数 𠀀",
    level="beginner",
    language="no",
    goals=("理解特征值", "pass: the exam"),
    topics=(Topic("vectors", 0.6, DAY), Topic("null")),
    mistakes=(Mistake(DAY, "vectors", "det(A+B) = det(A) + det(B) 😀", "Not linear."),),
    cards=(
        Flashcard("What is\n  a basis?", "Independent.\n\nSpanning.", NOON, "vectors"),
        Flashcard("2 + 2?", "4", NOON, memory=MemoryState("review", None, 2.5, 5.0, NOON)),
        Flashcard("- x", "", NOON)._replace(back="#"),
    ),
)
FILE = (
    file_format.HEADER
    + """\
subject: 线性代数 𠀀
level: beginner
language: 'no'
goals:
- 理解特征值
- 'pass: the exam'
topics:
- name: vectors
  mastery: 0.6
  seen: 2026-11-29
- name: 'null'
  mastery: 0.0
mistakes:
- date: 2026-11-29
  topic: vectors
  said: det(A+B) = det(A) + det(B) 😀
  wrong: Not linear.
reviews:
- front: |-
    What is
      a basis?
  back: |-
    Independent.

    Spanning.
  due: 2026-11-30 12:00:05
  topic: vectors
- front: 2 + 2?
  back: '4'
  due: 2026-11-30 12:00:05
  stage: review
  stability: 2.5
  difficulty: 5.0
  reviewed: 2026-11-30 12:00:05
- front: '- x'
  back: '#'
  due: 2026-11-30 12:00:05
"""
)
EARLIER = """\
subject: 线性代数 𠀀
level: beginner
language: "no"
goals:
  - 理解特征值
  - "pass: the exam"

topics:
  - name: vectors
    mastery: 0.6
    seen: 2026-11-29
  - name: "null"
    mastery: 0.0

mistakes:
  - date: 2026-11-29
    topic: vectors
    said: det(A+B) = det(A) + det(B) 😀
    wrong: Not linear.

reviews:
  - front: |-
      What is
        a basis?
    back: |-
      Independent.

      Spanning.
    topic: vectors
    due: 2026-11-30 12:00:05
  - front: "2 + 2?"
    back: "4"
    due: 2026-11-30 12:00:05
    stage: review
    stability: 2.5
    difficulty: 5.0
    reviewed: 2026-11-30 12:00:05
  - front: "- x"
    back: "#"
    due: 2026-11-30 12:00:05
"""
"""What an earlier version wrote."""

CHARACTERS = st.characters(exclude_categories=["Cs"])
PIECES = st.sampled_from(
    [
        "\n",
        " ",
        "  ",
        "# ",
        ": ",
        "- ",
        "|",
        "'",
        '"',
        "\\",
        "\t",
        "中",
        "😀",
        "𠀀",
        "\x85",
        "\u2028",
        "\ufeff",
    ]
)


def texts(cap: int, least: int = 1) -> st.SearchStrategy[str]:
    mixed = st.lists(PIECES | st.text(CHARACTERS, max_size=4), max_size=12).map("".join)
    return mixed.filter(lambda text: least <= len(text) <= cap and bool(text.strip() or not least))


MAX_CARDS = st.builds(
    Flashcard, texts(TEXT_LENGTH), texts(TEXT_LENGTH), TIMES, texts(NAME_LENGTH, 0), st.none() | MEMORIES
)
LEARNERS = st.builds(
    Learner,
    texts(LINE_LENGTH),
    texts(NAME_LENGTH, 0),
    texts(NAME_LENGTH, 0),
    st.lists(texts(LINE_LENGTH), max_size=3).map(tuple),
    st.lists(
        st.builds(Topic, texts(NAME_LENGTH), st.floats(0, 1), st.none() | st.dates()),
        max_size=3,
        unique_by=lambda topic: normalize_name(topic.name),
    ).map(tuple),
    st.lists(
        st.builds(Mistake, st.dates(), texts(NAME_LENGTH, 0), texts(LINE_LENGTH), texts(TEXT_LENGTH)),
        max_size=3,
    ).map(tuple),
    st.lists(MAX_CARDS, max_size=3, unique_by=lambda card: normalize_name(card.front)).map(tuple),
)


def test_a_course_is_written_for_people() -> None:
    assert file_format.course_yaml(COURSE) == FILE
    assert parse_course(FILE, "file") == parse_course(EARLIER, "file") == COURSE


@given(LEARNERS)
def test_what_is_written_reads_back_identically(course: Learner) -> None:
    assert parse_course(file_format.course_yaml(course), "file") == course
    assert len(file_format.course_yaml(course)) < estimated_size(course) * 8 + 2000


def test_half_a_character_does_not_break_the_file() -> None:
    assert parse_course(file_format.course_yaml(Learner("a\ud800b")), "file").subject == "a\ufffdb"


def test_a_card_written_by_hand_needs_two_lines() -> None:
    read = parse_course(
        "subject: x\nreviews:\n  - front: a\n    back: b\n  - {front: c, back: d, due: 2026-11-30}\n", "f"
    )
    assert [card.due for card in read.cards] == [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 30, tzinfo=UTC),
    ]
    zone = parse_course("subject: x\nreviews: [{front: a, back: b, due: '2026-11-30T09:00:00.5+02:00'}]", "f")
    assert zone.cards[0].due == datetime(2026, 11, 30, 7, tzinfo=UTC)


MEMORY = "stage: review, stability: 1, difficulty: 5, reviewed: 2026-11-30"
REFUSED = [
    ("", 1, "subject", "missing", ""),
    ("subject: ' '", 1, "subject", "empty", ""),
    ("subject: [a]", 1, "subject", "must be text, this is a list", ""),
    (f"subject: {'x' * 301}", 1, "subject", "longer than 300 characters", ""),
    ("subject: x\ngoal: [a]", 2, "goal", "unknown key", "did you mean 'goals'?"),
    ("subject: x\ngoals: a", 2, "goals", "must be a list, this is text", ""),
    ("subject: x\ngoals:\n  - a\n  -", 4, "goals.2", "empty", ""),
    (
        "subject: x\ntopics:\n- {name: a, mastry: 1}",
        3,
        "topics.1.mastry",
        "unknown key",
        "did you mean 'mastery'?",
    ),
    ("subject: x\ntopics:\n- mastery: 1", 3, "topics.1.name", "missing", ""),
    (
        "subject: x\ntopics:\n- name: a\n  mastery: 1.5",
        4,
        "topics.1.mastery",
        "must be a number from 0 to 1",
        "",
    ),
    (
        "subject: x\ntopics:\n- name: a\n  mastery: 60%",
        4,
        "topics.1.mastery",
        "must be a number from 0 to 1",
        "",
    ),
    (
        "subject: x\ntopics:\n- name: a\n  mastery: true",
        4,
        "topics.1.mastery",
        "must be a number from 0 to 1",
        "",
    ),
    (
        "subject: x\ntopics:\n- name: a\n  seen: 30.11.",
        4,
        "topics.1.seen",
        "must be a date such as 2026-11-30",
        "",
    ),
    ("subject: x\ntopics:\n- name: a\n- name: Ａ", 4, "topics.2.name", "the same as on line 3", ""),
    ("subject: x\nmistakes:\n- said: a\n  wrong: b", 3, "mistakes.1.date", "missing", ""),
    ("subject: x\nmistakes:\n- date: 2026-11-30\n  wrong: b", 3, "mistakes.1.said", "missing", ""),
    ("subject: x\nreviews:\n- front: a", 3, "reviews.1.back", "missing", ""),
    (
        "subject: x\nreviews:\n- front: a\n  back: b\n  due: soon",
        5,
        "reviews.1.due",
        "must be a date or a time such as 2026-11-30 08:15:00",
        "",
    ),
    (
        "subject: x\nreviews:\n- {front: a, back: b}\n- {front: A , back: c}",
        4,
        "reviews.2.front",
        "the same as on line 3",
        "",
    ),
    (
        "subject: x\nreviews:\n- {front: a, back: b, stage: review}",
        3,
        "reviews.1.stability",
        "missing beside 'stage'",
        "",
    ),
    (
        f"subject: x\nreviews:\n- {{front: a, back: b, {MEMORY.replace('review,', 'reviewed,')}}}",
        3,
        "reviews.1.stage",
        "unknown stage 'reviewed'",
        "did you mean 'review'?",
    ),
    (
        f"subject: x\nreviews:\n- {{front: a, back: b, {MEMORY.replace('ty: 5', 'ty: 11')}}}",
        3,
        "reviews.1.difficulty",
        "must be a number from 1 to 10",
        "",
    ),
    (
        f"subject: x\nreviews:\n- {{front: a, back: b, step: 1.5, {MEMORY.replace('review,', 'learning,')}}}",
        3,
        "reviews.1.step",
        "must be a whole number",
        "",
    ),
    ("subject: x\ngoals: [" + "a, " * 21 + "]", 2, "goals", "more than 20 entries", ""),
]


@pytest.mark.parametrize(("content", "line", "key", "message", "hint"), REFUSED)
def test_a_bad_edit_is_refused_where_it_stands(
    content: str, line: int, key: str, message: str, hint: str
) -> None:
    with pytest.raises(YamlFileError) as caught:
        parse_course(content, "course.yaml")
    assert [tuple(problem) for problem in caught.value.problems] == [(line, key, message, hint)]


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(YamlFileError) as caught:
        parse_course("sub: x\ntopics:\n- name: a\n  mastery: x\ngoals: 1\n", "course.yaml")
    assert [problem.line for problem in caught.value.problems] == [1, 1, 4, 5]


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("French", "french.yaml"),
        ("Linear  Algebra", "linear-algebra.yaml"),
        ("linear_algebra", "linear-algebra.yaml"),
        ("线性代数", "线性代数.yaml"),
        ("ＡＢＣ", "abc.yaml"),
        ("C++", "c-[0-9a-f]{8}.yaml"),
        ("../../etc/passwd", "etcpasswd-[0-9a-f]{8}.yaml"),
        ("..", "[0-9a-f]{8}.yaml"),
        ("/", "[0-9a-f]{8}.yaml"),
        ("a\0b", "ab-[0-9a-f]{8}.yaml"),
        ("con", "con-[0-9a-f]{8}.yaml"),
        ("x" * 200, "x{40}-[0-9a-f]{8}.yaml"),
        ("学" * 200, "学{40}-[0-9a-f]{8}.yaml"),
        ("🎲", "[0-9a-f]{8}.yaml"),
    ],
)
def test_a_subject_is_never_a_path(tmp_path: Path, subject: str, name: str) -> None:
    import re

    found = store.course_path(tmp_path, subject)
    assert found.parent == tmp_path
    assert re.fullmatch(name, found.name), found.name
    assert len(found.name.encode()) <= 255


def test_subjects_that_differ_in_signs_have_files_of_their_own(tmp_path: Path) -> None:
    subjects = ["C", "C++", "C#", "x" * 41, "x" * 42, "..", "/", "线性", "线性!"]
    assert len({store.course_path(tmp_path, subject) for subject in subjects}) == len(subjects)


@pytest.mark.parametrize("subject", ["", "  ", "---", "x" * 301])
def test_no_subject_is_a_usage_fault(tmp_path: Path, subject: str) -> None:
    with pytest.raises(UsageError):
        store.course_path(tmp_path, subject)


def test_a_course_is_kept_privately(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "learners"
    assert store.load_course(folder, " 线性代数 𠀀") == Learner("线性代数 𠀀")
    assert store.load_courses(folder) == ((), ())
    store.change_course(folder, COURSE.subject, lambda _: COURSE)
    file = store.course_path(folder, COURSE.subject)
    assert file.read_text(encoding="utf-8") == FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert store.load_course(folder, COURSE.subject) == COURSE
    assert store.load_courses(folder) == ((COURSE,), ())
    assert [one.name for one in folder.iterdir()] == [file.name]


def test_a_broken_file_is_reported_kept_and_harms_no_other(tmp_path: Path) -> None:
    store.course_path(tmp_path, "french").write_text("subject: french\n")
    bad = store.course_path(tmp_path, "german")
    bad.write_bytes(b"subject: german\nlevel: \xff\n")
    with pytest.raises(DataError, match=r"german\.yaml:2: not UTF-8"):
        store.change_course(tmp_path, "german", lambda course: course._replace(level="x"))
    assert bad.read_bytes() == b"subject: german\nlevel: \xff\n"
    found, broken = store.load_courses(tmp_path)
    assert found == (Learner("french"),)
    assert [error.message for error in broken] == [f"{bad}:2: not UTF-8"]


def test_a_file_that_says_another_subject_is_refused(tmp_path: Path) -> None:
    store.course_path(tmp_path, "german").write_text("subject: french\n")
    with pytest.raises(DataError, match="this is the course 'french', not 'german'"):
        store.load_course(tmp_path, "german")


def test_an_edit_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    store.course_path(tmp_path, "german").write_bytes("\ufeffsubject: German\r\nlevel: A2\r\n".encode())
    assert store.load_course(tmp_path, "german") == Learner("German", level="A2")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(store.course_path(tmp_path, "pipe"))
    with pytest.raises(CannotReadError, match="not a regular file"):
        store.load_course(tmp_path, "pipe")
    target = tmp_path / "elsewhere"
    target.write_text("subject: link\n")
    store.course_path(tmp_path, "link").symlink_to(target)
    with pytest.raises(CannotWriteError, match="symbolic link"):
        store.change_course(tmp_path, "link", lambda _: Learner("link", level="x"))
    assert target.read_text() == "subject: link\n"


def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def add(number: int) -> None:
        store.change_course(
            tmp_path, "x", lambda course: course._replace(goals=(*course.goals, f"goal {number}"))
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    assert set(store.load_course(tmp_path, "x").goals) == {f"goal {number}" for number in range(16)}


def test_a_change_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    file = store.course_path(tmp_path, "x")
    file.write_text("# mine\nsubject: x\n")
    store.change_course(tmp_path, "x", lambda course: course)
    assert file.read_text() == "# mine\nsubject: x\n"


def test_a_course_too_large_to_be_read_again_is_not_written(tmp_path: Path) -> None:
    many = tuple(Flashcard(f"{index} " + "x" * 900, "y", NOON) for index in range(1500))
    with pytest.raises(DataError, match="larger than 1024 KiB"):
        store.change_course(tmp_path, "x", lambda _: Learner("x", cards=many))
    assert store.load_courses(tmp_path) == ((), ())


def test_a_reviewed_card_takes_the_place_of_the_old() -> None:
    after = replace_card(COURSE, Flashcard("2 + 2?", "four", NOON))
    assert [card.back for card in after.cards] == ["Independent.\n\nSpanning.", "four", "#"]
    assert replace_card(Learner("x"), Flashcard("a", "b", NOON)) == Learner("x")
