"""Grading by a rubric or a key: evidence is looked up, points are added up, arithmetic is computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake.program import InMemory
from fake.server import FakeServer
from tutoring import grade, last, mark, path, system, told, update

RUBRIC = """\
criteria:
  - {name: rule, points: 2, wants: names the rule}
  - {name: result, points: 3}
key: x = 3 by dividing both sides
"""
ANSWER = "I divide both sides by 2 | so x = 3"
GOOD = grade(mark("rule", 2, "divide both sides"), mark("result", 2.5, "x = 3"), feedback="Name the units.")
INVENTED = grade(mark("rule", 2, "subtract 2 twice"), mark("result", 3, "x = 3"))


@pytest.fixture
def rubric(folder: Path) -> Path:
    (folder / "r.yaml").write_text(RUBRIC)
    return folder / "r.yaml"


def test_a_grade_is_a_table_with_the_learners_words(
    gptkit: InMemory, server: FakeServer, rubric: Path, home: Path
) -> None:
    server.say(GOOD)
    server.say(update(topics=[{"name": "equations", "mastery": 0.7}]))
    found = gptkit("tutor", "algebra", "solve 2x = 6", "--rubric", "r.yaml", stdin=ANSWER)
    expected = (
        "| criterion | points | your words | why |\n"
        "|---|--:|---|---|\n"
        "| rule | 2 / 2 | “divide both sides” | So it is. |\n"
        "| result | 2.5 / 3 | “x = 3” | So it is. |\n"
        "| **total** | **4.5 / 5** | | |\n"
        "\n"
        "Name the units.\n"
    )
    assert found == (0, expected, "")
    asked = told(server.requests[0])
    assert (asked["answer"], asked["task"]) == (ANSWER, "solve 2x = 6")
    assert asked["key"] == "x = 3 by dividing both sides"
    assert asked["criteria"][0] == {"name": "rule", "points": 2, "wants": "names the rule"}
    assert "the language of the answer" in system(server.requests[0])
    assert "name: equations" in path(home, "algebra").read_text()


def test_a_dry_run_shows_what_the_grade_is_asked_for_with(
    gptkit: InMemory, server: FakeServer, rubric: Path
) -> None:
    command = ("tutor", "algebra", "solve 2x = 6", "--rubric", "r.yaml")
    shown = json.loads(gptkit(*command, "--dry-run", stdin=ANSWER).stdout)["body"]
    server.say(GOOD)
    server.say(update())
    assert gptkit(*command, stdin=ANSWER).code == 0
    assert shown == server.requests[0].json
    assert shown["response_format"]["type"] == "json_schema"


def test_as_json_the_grade_is_data(gptkit: InMemory, server: FakeServer, rubric: Path) -> None:
    server.say(GOOD)
    server.say(update())
    record = json.loads(gptkit("tutor", "algebra", ANSWER, "--rubric", "r.yaml", "--json").stdout)
    assert record["grade"] == {
        "points": 4.5,
        "most": 5,
        "marks": [
            {
                "criterion": "rule",
                "points": 2,
                "most": 2,
                "evidence": "divide both sides",
                "reason": "So it is.",
            },
            {"criterion": "result", "points": 2.5, "most": 3, "evidence": "x = 3", "reason": "So it is."},
        ],
        "feedback": "Name the units.",
    }
    assert record["finish_reason"] == "stop"


def test_invented_evidence_is_refused_and_asked_for_again(
    gptkit: InMemory, server: FakeServer, rubric: Path
) -> None:
    server.say(INVENTED)
    server.say(GOOD)
    server.say(update())
    found = gptkit("tutor", "algebra", ANSWER, "--rubric", "r.yaml")
    assert found.code == 0
    assert "4.5 / 5" in found.stdout
    assert "subtract" not in found.stdout
    assert "- rule: the answer does not say 'subtract 2 twice'" in last(server.requests[1])


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (INVENTED, "rule: the answer does not say 'subtract 2 twice'"),
        (
            grade(mark("rule", 2, ""), mark("result", 0, "")),
            "rule: points without evidence quoted from the answer",
        ),
        (
            grade(mark("rule", 0, "", "2 * 3 = 7"), mark("result", 0, "")),
            "wrong arithmetic: 2 * 3 = 7 (it comes to 6)",
        ),
    ],
)
def test_a_grade_that_cannot_be_trusted_is_none(
    gptkit: InMemory, server: FakeServer, rubric: Path, second: str, problem: str
) -> None:
    server.say(INVENTED)
    server.say(second)
    found = gptkit("tutor", "algebra", ANSWER, "--rubric", "r.yaml")
    assert found == (80, "", f"gptkit: the grade cannot be trusted: {problem}\n")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (mark("style", 1, "x = 3"), '$.marks[0].criterion: must be one of ["rule", "result"], not "style"'),
        (mark("rule", 9, "x = 3"), "$.marks[0].points: must fit maximum 3.0, unlike 9"),
        (mark("rule", -1, ""), "$.marks[0].points: must fit minimum 0, unlike -1"),
    ],
)
def test_a_grade_that_the_schema_does_not_allow_is_asked_for_once_more(
    gptkit: InMemory, server: FakeServer, rubric: Path, given: dict[str, object], problem: str
) -> None:
    server.say(grade(given, mark("result", 3, "x = 3")), times=2)
    found = gptkit("tutor", "algebra", ANSWER, "--rubric", "r.yaml")
    told = f"gptkit: the answer does not match the schema: {problem} (tried 2 times)\n"
    assert found == (80, "", told)


def test_a_key_alone_is_worth_ten_points(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    (folder / "key.txt").write_text("x = 3\n(3 points)\n")
    (folder / "answer.txt").write_text("2 * 4 = 6, so x = 4")
    server.say(grade(mark("answer", 0, "")))
    server.say(update())
    found = gptkit("tutor", "algebra", "--key", "key.txt", "-f", "answer.txt")
    assert found.code == 0
    assert "| answer | 0 / 10 | – | So it is. |\n" in found.stdout
    asked = told(server.requests[0])
    assert asked["key"] == "x = 3\n(3 points)"
    assert asked["computed"] == ["2 * 4 = 6 (it comes to 8)"]


def test_an_answer_in_chinese_by_a_rubric_in_chinese(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    (folder / "评分.txt").write_text("写出年份（2分）\n写出原因（3分）\n")
    server.say(
        grade(
            mark("写出年份", 2, "755年", "正确。"), mark("写出原因", 0, "", "没有写。"), feedback="再写原因。"
        )
    )
    server.say(update())
    found = gptkit("tutor", "唐朝历史", "--rubric", "评分.txt", stdin="安史之乱始于755年。")
    assert found.code == 0
    assert "| 写出年份 | 2 / 2 | “755年” | 正确。 |\n" in found.stdout
    assert "| **total** | **2 / 5** | | |\n\n再写原因。\n" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--rubric", "no.yaml"), 66, "gptkit: 'no.yaml': no such file\n"),
        (("--rubric", "r.yaml", "--key", "r.yaml"), 2, "gptkit: --rubric and --key do not go together\n"),
        (("--rubric", "bad.yaml"), 65, "gptkit: bad.yaml:2: criteria.1.points: missing\n"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    gptkit: InMemory,
    server: FakeServer,
    rubric: Path,
    folder: Path,
    arguments: tuple[str, ...],
    code: int,
    complaint: str,
) -> None:
    (folder / "bad.yaml").write_text("criteria:\n  - name: rule\n")
    found = gptkit("tutor", "algebra", ANSWER, *arguments)
    assert (found.code, found.stdout) == (code, "")
    assert found.stderr.startswith(complaint)


def test_without_an_answer_there_is_nothing_to_grade(
    gptkit: InMemory, server: FakeServer, rubric: Path
) -> None:
    found = gptkit("tutor", "algebra", "--rubric", "r.yaml")
    assert (found.code, found.stdout) == (66, "")
    assert found.stderr.startswith("gptkit: there is no answer to grade\n")
