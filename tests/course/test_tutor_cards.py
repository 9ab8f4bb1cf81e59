"""`--show`, `--due`, `--review`, `--export`: what a course knows, its reviews, and its cards elsewhere."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fake.program import AsProcess, InMemory
from fake.server import FakeServer
from tutoring import COURSE, course, path, told

from gptkit.capabilities.course.file_format import parse_course

CHINESE = "subject: 线性代数\nreviews:\n  - front: 什么是秩？\n    back: 列空间的维数\n    due: 2026-01-02\n"


def test_without_a_subject_the_courses_are_listed(gptkit: InMemory, home: Path) -> None:
    assert gptkit("tutor", "--show") == (
        0,
        "",
        "gptkit: there is no course yet; 'gptkit tutor SUBJECT' begins one\n",
    )
    file = course(home)
    path(home, "线性代数").write_text(CHINESE)
    code, output, errors = gptkit("tutor", "--show")
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        f"linear algebra\t1 topic\t60%\t1 due\t{file}",
        f"线性代数\t0 topics\t0%\t1 due\t{path(home, '线性代数')}",
    ]
    assert [each["subject"] for each in json.loads(gptkit("tutor", "--show", "--json").stdout)] == [
        "linear algebra",
        "线性代数",
    ]


def test_a_broken_course_hides_no_other(gptkit: InMemory, home: Path) -> None:
    course(home)
    path(home, "broken").write_text("subject: broken\nlevels: x\n")
    code, output, errors = gptkit("tutor", "--show")
    assert (code, output[:14]) == (65, "linear algebra")
    assert f"gptkit: {path(home, 'broken')}:2: levels: unknown key\n" in errors


def test_a_course_under_the_name_of_another_is_told_and_not_listed(gptkit: InMemory, home: Path) -> None:
    file = course(home, COURSE.replace("linear algebra", "线性代数"))
    for mode in ("--show", "--due"):
        code, output, errors = gptkit("tutor", mode)
        assert (code, output) == (65, "")
        assert errors.startswith(
            f"gptkit: {file}: this is the course '线性代数'\n"
            "hint: rename the file to '线性代数.yaml' or correct its subject\n"
        )


def test_a_course_is_shown_with_the_place_of_its_file(gptkit: InMemory, home: Path) -> None:
    file = course(home, COURSE.replace("topics:", "goals: [pass the exam]\ntopics:"))
    expected = (
        "linear algebra (second year)\n"
        f"{file}\n"
        "\ngoals\n"
        "  pass the exam\n"
        "\ntopics\n"
        "  ######....  60%  2026-11-20  eigenvectors\n"
        "\nlatest mistakes\n"
        "  2026-11-20  eigenvectors: 'A v = v A': the product does not commute\n"
        "\nreviews: 2 cards, 1 due now\n"
    )
    assert gptkit("tutor", "linear algebra", "--show") == (0, expected, "")
    record = json.loads(gptkit("tutor", "linear algebra", "--show", "--json").stdout)
    assert (record["path"], record["cards"], record["due"]) == (str(file), 2, 1)


def test_a_mistyped_subject_is_no_empty_course(gptkit: InMemory, home: Path) -> None:
    course(home)
    for mode in (("--show",), ("--due",), ("--export", "csv")):
        found = gptkit("tutor", "linear algebre", *mode)
        assert found == (
            66,
            "",
            "gptkit: there is no course 'linear algebre' yet\nhint: did you mean 'linear algebra'?\n",
        )


def test_reviews_that_are_due_of_one_course_and_of_all(gptkit: InMemory, home: Path) -> None:
    course(home)
    path(home, "线性代数").write_text(CHINESE)
    one = "1970-01-01\tlinear algebra\tWhat does A stretch?\n"
    assert gptkit("tutor", "--due") == (0, one + "2026-01-02\t线性代数\t什么是秩？\n", "")
    assert gptkit("tutor", "linear algebra", "--due") == (0, one, "")
    assert json.loads(gptkit("tutor", "线性代数", "--due", "--json").stdout) == [
        {"subject": "线性代数", "front": "什么是秩？", "topic": "", "due": "2026-01-02T00:00:00+00:00"}
    ]


def test_the_day_of_a_review_is_that_of_the_learner(run: AsProcess, home: Path) -> None:
    course(home, "subject: linear algebra\nreviews:\n  - {front: a, back: b, due: 2026-01-02 20:30:00}\n")
    found = run("tutor", "--due", env={"TZ": "CST-8"})  # eight hours ahead: half past four of the third
    assert found == (0, "2026-01-03\tlinear algebra\ta\n", "")


def test_nothing_due_is_said_on_standard_error(gptkit: InMemory, home: Path) -> None:
    assert gptkit("tutor", "--due") == (0, "", "gptkit: there are no cards yet\n")
    course(home, "subject: linear algebra\nreviews:\n  - {front: a, back: b, due: 2999-01-05}\n")
    found = gptkit("tutor", "--due")
    assert found == (0, "", "gptkit: no review is due; the next one: 2999-01-05\n")


def test_cards_as_csv(gptkit: InMemory, home: Path, folder: Path) -> None:
    course(home)
    found = gptkit("tutor", "linear algebra", "--export", "csv")
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [(row["front"], row["back"], row["topic"]) for row in rows] == [
        ("What does A stretch?", "its eigenvectors", "eigenvectors"),
        ("What is a kernel?", "all vectors that A takes to 0", ""),
    ]
    assert gptkit("tutor", "linear algebra", "--export", "csv", "-o", "cards.csv") == (0, "", "")
    assert (folder / "cards.csv").read_text() == found.stdout


def test_cards_as_a_package_for_anki(gptkit: InMemory, home: Path, folder: Path) -> None:
    course(home, CHINESE, "线性代数")
    assert gptkit("tutor", "线性代数", "--export", "anki", "-o", "cards.apkg") == (0, "", "")
    with zipfile.ZipFile(folder / "cards.apkg") as archive:
        (folder / "notes.db").write_bytes(archive.read("collection.anki2"))
    connection = sqlite3.connect(folder / "notes.db")
    assert connection.execute("SELECT flds FROM notes").fetchall() == [("什么是秩？\x1f列空间的维数",)]
    connection.close()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("linear algebra", "--export", "anki"), "an Anki package must be written to a file"),
        (("--export", "csv"), "no subject given"),
        (("linear algebra", "--show", "--due"), "--show and --due do not go together"),
        (("linear algebra", "--review"), "a review needs a terminal: it asks and waits for your answers"),
    ],
)
def test_what_makes_no_sense_is_refused(
    gptkit: InMemory, home: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    course(home)
    code, output, errors = gptkit("tutor", *arguments)
    assert (code, output) == (2, "")
    assert errors.startswith(f"gptkit: {complaint}\n")


def test_the_course_is_never_overwritten_by_its_export(gptkit: InMemory, home: Path) -> None:
    file = course(home)
    assert gptkit("tutor", "linear algebra", "--export", "csv", "-o", str(file)).code == 2
    assert file.read_text() == COURSE


def test_a_review_is_graded_and_scheduled(screen: Any, server: FakeServer, home: Path) -> None:
    file = course(home)
    server.say('{"rating": "good", "why": "Exactly."}')
    shown = screen("tutor", "--review")
    shown.wait_for("1 of 1 (linear algebra, eigenvectors)")
    shown.wait_for("What does A stretch?")
    assert "its eigenvectors" not in shown.text
    shown.send("the eigenvectors\r")
    shown.wait_for("good: Exactly.")
    assert shown.wait_exit() == 0
    assert "reviewed 1 of 1" in shown.text
    assert told(server.request) == {
        "front": "What does A stretch?",
        "back": "its eigenvectors",
        "answer": "the eigenvectors",
    }
    card = parse_course(file.read_text(), "").cards[0]
    assert card.memory is not None
    assert card.memory.stage == "learning"
    assert card.due > card.memory.reviewed


def test_a_review_is_recorded_and_costs_what_it_costs(
    screen: Any, gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    course(home)
    path(home, "线性代数").write_text(CHINESE)
    server.say('{"rating": "good", "why": "Yes."}', times=2)
    shown = screen("tutor", "--review")
    for words in ("them", "维数"):
        shown.wait_for("> ")
        shown.send(f"{words}\r")
        shown.wait_for("next review")
    assert shown.wait_exit() == 0
    total = json.loads(gptkit("usage", "--json").stdout)["total"]
    assert total["requests"] == 2


def test_without_a_model_one_rates_oneself(screen: Any, server: FakeServer, home: Path) -> None:
    file = course(home)
    shown = screen("tutor", "linear algebra", "--review")
    shown.wait_for("> ")
    shown.send("\r")
    shown.wait_for("its eigenvectors")
    shown.send("5\r")
    shown.wait_for("4 easy")
    shown.send("easy\r")
    assert shown.wait_exit() == 0
    card = parse_course(file.read_text(), "").cards[0]
    assert card.memory is not None
    assert card.memory.stage == "review"


def test_a_model_that_fails_leaves_the_rating_to_the_learner(
    screen: Any, server: FakeServer, home: Path
) -> None:
    file = course(home)
    server.fail(401, message="bad key")
    shown = screen("tutor", "linear algebra", "--review")
    shown.wait_for("> ")
    shown.send("the eigenvectors\r")
    shown.wait_for("How well did you know it?")
    shown.send("1\r")
    assert shown.wait_exit() == 0
    assert parse_course(file.read_text(), "").cards[0].memory is not None


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 130)])
def test_who_leaves_a_review_loses_nothing(screen: Any, home: Path, key: str, code: int) -> None:
    file = course(home)
    path(home, "线性代数").write_text(CHINESE)
    shown = screen("tutor", "--review", "--model", "echo")
    shown.wait_for("> ")
    shown.send("an answer\r")
    shown.wait_for("4 easy")
    shown.send("good\r")
    shown.wait_for("什么是秩？")
    shown.send(key)
    assert shown.wait_exit() == code
    assert parse_course(file.read_text(), "").cards[0].memory is not None
    assert path(home, "线性代数").read_text() == CHINESE
