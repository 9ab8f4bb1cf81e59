"""What models report of a lesson: changes of the course, quotes, grades; all of it is checked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_parts import NOTHING

from gptkit.capabilities.course import file_format, record
from gptkit.capabilities.course import rubric as grading
from gptkit.capabilities.course.file_format import parse_course
from gptkit.capabilities.course.model import (
    MAX_CARDS,
    MAX_TOPICS,
    SIZE_LIMIT,
    Flashcard,
    Learner,
    Mistake,
    Topic,
    estimated_size,
)
from gptkit.capabilities.course.record import SCHEMA, apply_update
from gptkit.capabilities.course.rubric import Criterion, Grade, Mark, Rubric, check_marks, parse_rubric
from gptkit.core.yaml_tree import YamlFileError
from gptkit.text.quotes import is_quoted

SHANGHAI = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 30, 1, 2, 3, 4, tzinfo=SHANGHAI)
TODAY, DUE = date(2026, 11, 30), datetime(2026, 11, 29, 17, 2, 3, tzinfo=UTC)

QUOTES = [
    ("2x = 4, so x = 3", "I think 2x = 4, so x = 3!", True),
    ("2x =  4\nso x = 3", "2x = 4 so  x = 3", True),
    ("“so x = 3”", "so x = 3", True),
    ("「等于三」", "答案等于三。", True),
    ("等于", "答案不等于三", True),
    ("ｘ＝３", "x=3", True),
    ("我觉得,是3", "我觉得，是３", True),
    ("ｶﾞ", "ガ", True),
    ("caf\u00e9", "cafe\u0301", True),
    ("X = 3", "x = 3", False),
    ("x2", "x²", False),
    ("x = 4", "x = 3", False),
    ("no", "I know", False),
    ("no", "I know, no", True),
    ("1", "12", False),
    ("...", "x = 3", False),
    ("", "x = 3", False),
    ("  ", "x  = 3", False),
    ("x ... 3", "x = 3", False),
    ("x", "", False),
    ("не", "нет", False),
]


@pytest.mark.parametrize(("quote", "words", "expected"), QUOTES)
def test_a_quote_is_verbatim_but_for_space_and_width(quote: str, words: str, expected: bool) -> None:
    assert is_quoted(quote, words) is expected


COURSE = Learner(
    "algebra",
    level="beginner",
    goals=("pass the exam",),
    topics=(Topic("Linear equations", 0.25, date(2026, 1, 1)),),
    cards=(Flashcard("2 + 2?", "4", DUE),),
)


def test_a_turn_changes_the_course() -> None:
    report: dict[str, Any] = {
        "level": " intermediate ",
        "language": None,
        "goals": ["理解矩阵", "Pass  the exam"],
        "reached": ["pass the EXAM"],
        "topics": [{"name": "linear  EQUATIONS", "mastery": 0.5}, {"name": "矩阵", "mastery": 1}],
        "mistakes": [{"topic": "ｌｉｎｅａｒ equations", "quote": '"x=3"', "wrong": "It is 2."}],
        "cards": [{"front": "Solve 2x = 4", "back": "x = 2\nby dividing", "topic": "LINEAR EQUATIONS"}],
    }
    jsonschema.validate(report, SCHEMA)
    after, refused = apply_update(COURSE, report, "I say x=3", NOW)
    assert refused == ()
    assert after == Learner(
        "algebra",
        level="intermediate",
        goals=("理解矩阵",),
        topics=(Topic("Linear equations", 0.5, TODAY), Topic("矩阵", 1.0, TODAY)),
        mistakes=(Mistake(TODAY, "Linear equations", "x=3", "It is 2."),),
        cards=(COURSE.cards[0], Flashcard("Solve 2x = 4", "x = 2\nby dividing", DUE, "Linear equations")),
    )
    assert apply_update(after, {**NOTHING, "mistakes": report["mistakes"]}, "x=3", NOW)[0] == after


def test_nothing_reported_changes_nothing() -> None:
    jsonschema.validate(NOTHING, SCHEMA)
    assert apply_update(COURSE, NOTHING, "", NOW) == (COURSE, ())


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"topics": [{"name": "x" * 81, "mastery": 1}]}, "topics 1: name: longer than 80 characters"),
    ({"topics": [{"name": "\0", "mastery": 1}]}, "topics 1: name: empty"),
    ({"goals": [" "]}, "goals 1: goal: empty"),
    ({"level": "x" * 81}, "level: longer than 80 characters"),
    (
        {"mistakes": [{"topic": "a", "quote": "x=4", "wrong": "w"}]},
        "mistakes 1: quote: the learner did not write 'x=4'",
    ),
    ({"mistakes": [{"topic": "a", "quote": "x=3", "wrong": ""}]}, "mistakes 1: wrong: empty"),
    (
        {"cards": [{"front": "2  +  2？", "back": "5", "topic": ""}]},
        "cards 1: there is a card '2 + 2？' already",
    ),
    (
        {"cards": [{"front": "x", "back": "y" * 1001, "topic": ""}]},
        "cards 1: back: longer than 1000 characters",
    ),
]


@pytest.mark.parametrize(("report", "message"), REFUSED)
def test_what_is_wrong_is_refused_and_the_course_stays(report: dict[str, object], message: str) -> None:
    jsonschema.validate(NOTHING | report, SCHEMA)
    assert apply_update(COURSE, NOTHING | report, "x=3", NOW) == (COURSE, (message,))


def test_a_bad_entry_does_not_take_the_good_ones_with_it() -> None:
    topics = [{"name": "", "mastery": 1}, {"name": "b", "mastery": 0.333}]
    after, refused = apply_update(COURSE, NOTHING | {"topics": topics}, "", NOW)
    assert after.topics[1:] == (Topic("b", 0.33, TODAY),)
    assert refused == ("topics 1: name: empty",)


def test_sizes_are_capped() -> None:
    goals = [f"goal {index}" for index in range(30)]
    after, refused = apply_update(COURSE, NOTHING | {"goals": goals}, "", NOW)
    assert (len(after.goals), refused) == (6, ("goals: only the first 5 of 30 are taken",))
    full = COURSE._replace(goals=tuple(goals[:20]), topics=tuple(Topic(f"t{i}") for i in range(MAX_TOPICS)))
    full = full._replace(cards=tuple(Flashcard(f"f{i}", "b", DUE) for i in range(MAX_CARDS)))
    report = NOTHING | {
        "goals": ["goal 3", "one more"],
        "topics": [{"name": "new", "mastery": 1}],
        "cards": [{"front": "new", "back": "b", "topic": ""}],
    }
    assert apply_update(full, report, "", NOW) == (
        full,
        (
            "goals 2: the course has 20 goals already",
            f"topics 1: the course has {MAX_TOPICS} topics already",
            "cards 1: the course is full",
        ),
    )
    heavy = Learner("x", cards=tuple(Flashcard(f"{i}", "b" * 1000, DUE) for i in range(1000)))
    assert estimated_size(heavy) > SIZE_LIMIT
    one_more = NOTHING | {"cards": [{"front": "f", "back": "b", "topic": ""}]}
    assert apply_update(heavy, one_more, "", NOW)[1] == ("cards 1: the course is full",)


def test_old_mistakes_make_room_for_new_ones() -> None:
    old = tuple(Mistake(TODAY, "", f"m{index}", "w") for index in range(200))
    report = NOTHING | {"mistakes": [{"topic": "", "quote": "x=3", "wrong": "w"}]}
    after, _ = apply_update(COURSE._replace(mistakes=old), report, "x=3", NOW)
    assert after.mistakes == (*old[1:], Mistake(TODAY, "", "x=3", "w"))


WORDS = st.text(max_size=90) | st.sampled_from(["abc", "2 + 2?", "linear equations", "\ud800", "中\n文"])
REPORTS = st.fixed_dictionaries(
    {
        "level": st.none() | WORDS,
        "language": st.none() | WORDS,
        "goals": st.lists(WORDS, max_size=7),
        "reached": st.lists(WORDS, max_size=3),
        "topics": st.lists(st.fixed_dictionaries({"name": WORDS, "mastery": st.floats(0, 1)}), max_size=3),
        "mistakes": st.lists(
            st.fixed_dictionaries({"topic": WORDS, "quote": WORDS, "wrong": WORDS}), max_size=3
        ),
        "cards": st.lists(st.fixed_dictionaries({"front": WORDS, "back": WORDS, "topic": WORDS}), max_size=3),
    }
)


@given(REPORTS)
def test_any_report_is_safe_and_the_course_can_be_kept(report: dict[str, object]) -> None:
    after, _ = apply_update(COURSE, report, "abc", NOW)
    assert parse_course(file_format.course_yaml(after), "file") == after


def test_schemas_are_what_strict_structured_output_takes() -> None:
    from gptkit.output.json_format import JsonFormat

    for schema in (SCHEMA, grading.grade_schema(RUBRIC)):
        jsonschema.Draft202012Validator.check_schema(schema)
        asked = JsonFormat(schema).parameters["response_format"]
        assert isinstance(asked, dict)
        assert asked["json_schema"]["strict"] is True
    assert record.SCHEMA is SCHEMA


RUBRIC = Rubric((Criterion("method", 3, "divides"), Criterion("result", 2)), key="x = 2")
ANSWER = "我先把两边除以二，so x = 2."


def marks(*entries: tuple[object, object, object]) -> dict[str, object]:
    keys = ("criterion", "points", "evidence")
    return {
        "marks": [{**dict(zip(keys, entry, strict=True)), "reason": "r"} for entry in entries],
        "feedback": "Good.",
    }


def test_a_grade_is_added_up_here_and_quotes_the_answer() -> None:
    report = marks(("result", 2, "x = 2"), ("method", 1.5, "「两边除以二,」"))
    jsonschema.validate(report, grading.grade_schema(RUBRIC))
    grade, problems = check_marks(RUBRIC, {**report, "total": 99}, ANSWER)
    assert problems == ()
    assert grade == Grade(
        (Mark("method", 1.5, 3, "两边除以二,", "r"), Mark("result", 2, 2, "x = 2", "r")), "Good."
    )
    assert (grade.total, grade.most, RUBRIC.points) == (3.5, 5, 5)
    assert check_marks(RUBRIC, marks(("method", 0, ""), ("result", 0, "")), ANSWER)[0] is not None
    tenths = Rubric(tuple(Criterion(name, 0.1) for name in "abc"))
    assert tenths.points == 0.3


BAD_GRADES: list[tuple[dict[str, object], tuple[str, ...]]] = [
    (marks(("method", 3, "除以二"), ("result", 3, "x")), ("result: 3 points are not between 0 and 2",)),
    (
        marks(("method", 3, "除以三"), ("result", 1, "")),
        (
            "method: the answer does not say '除以三'",
            "result: points without evidence quoted from the answer",
        ),
    ),
    (
        marks(("method", 0, ""), ("method", 0, "")),
        ("method: marked twice", "result: not marked"),
    ),
]


@pytest.mark.parametrize(("report", "problems"), BAD_GRADES)
def test_a_bad_grade_is_refused_with_reasons(report: dict[str, object], problems: tuple[str, ...]) -> None:
    jsonschema.validate(report, grading.grade_schema(RUBRIC))
    assert check_marks(RUBRIC, report, ANSWER) == (None, problems)


RUBRICS = [
    ("42", Rubric((Criterion("answer", 10, "agrees with the key"),), "42")),
    (
        "Answer: 42\nbecause\n",
        Rubric((Criterion("answer", 10, "agrees with the key"),), "Answer: 42\nbecause"),
    ),
    ("key: 42", Rubric((Criterion("answer", 10, "agrees with the key"),), "42")),
    (
        "- Names the rule (3 points)\n2. 结果正确（2分）\n\n* style: 1.5 pts",
        Rubric((Criterion("Names the rule", 3), Criterion("结果正确", 2), Criterion("style", 1.5))),
    ),
    (
        "criteria:\n- {name: method, points: 3, wants: divides}\n- {name: result, points: 2}\nkey: x = 2",
        RUBRIC,
    ),
]
BAD_RUBRICS = [
    ("", "rubric.txt:1: empty"),
    ("criteria: []", "rubric.txt:1: criteria: missing; without a 'key' there is nothing to grade by"),
    ("criteria:\n- {name: a}", "rubric.txt:2: criteria.1.points: missing"),
    ("criteria:\n- {name: a, points: lots}", "rubric.txt:2: criteria.1.points: must be a number"),
    (
        "criteria:\n- {name: a, points: 1}\n- {name: a, points: 1}",
        "rubric.txt:3: criteria: 'a' stands here twice",
    ),
    ("criteria:\n- {name: a, point: 1, points: 1}", "rubric.txt:2: criteria.1.point: unknown key"),
    ("a (0 points)", "rubric.txt:1: criteria: points must be more than 0 and at most 1000"),
    ("key: a\nkeys: b", "rubric.txt:2: keys: unknown key"),
]


@pytest.mark.parametrize(("content", "expected"), RUBRICS)
def test_a_rubric_is_yaml_or_lines_or_a_key(content: str, expected: Rubric) -> None:
    assert parse_rubric(content, "rubric.txt") == expected


@pytest.mark.parametrize(("content", "message"), BAD_RUBRICS)
def test_a_bad_rubric_is_refused_where_it_stands(content: str, message: str) -> None:
    with pytest.raises(YamlFileError) as caught:
        parse_rubric(content, "rubric.txt")
    assert caught.value.message == message
