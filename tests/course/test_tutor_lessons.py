"""`gptkit tutor SUBJECT`: what a lesson knows of a course and keeps of it; arithmetic that is computed."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from asking import prompt
from delimiters import delimited
from fake.program import AsProcess, InMemory
from fake.server import FakeServer
from fake.waiting import SILENCE, SOON
from tutoring import course, last, lesson, path, system, told, update

OWN = """\
description: Learn Latin.
system: "Teach Latin. {% if course %}{{ course.topics | length }} topics known.{% endif %}"
input: optional
course: {subject: Latin, check_model: small}
"""


def test_a_lesson_begins_a_course_and_keeps_what_it_showed(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    lesson(
        server,
        "What is 2 times 3?",
        goals=["pass the exam"],
        topics=[{"name": "equations", "mastery": 0.4}],
        mistakes=[{"topic": "Equations", "quote": "x = 4", "wrong": "2 times 4 is 8"}],
        cards=[{"front": "Solve 2x = 6.", "back": "x = 3", "topic": "equations"}],
    )
    found = gptkit("tutor", "Linear  Algebra", "I think 2x = 6, so x = 4", "--level", "beginner")
    assert found == (0, "What is 2 times 3?\n", "")
    kept = path(home).read_text()
    for line in (
        "subject: Linear Algebra",
        "level: beginner",
        "- pass the exam",
        "- name: equations",
        "  mastery: 0.4",
        "  said: x = 4",
        "- front: Solve 2x = 6.",
    ):
        assert line in kept.splitlines()
    assert "  topic: equations" in kept
    assert path(home).stat().st_mode & 0o777 == 0o600
    assert "first lesson" in system(server.requests[0])
    assert told(server.requests[1])["learner"] == "I think 2x = 6, so x = 4"
    assert told(server.requests[1])["tutor"] == "What is 2 times 3?"
    assert server.requests[1].json["response_format"]["json_schema"]["strict"] is True


def test_the_course_as_it_was_edited_by_hand_is_what_the_next_lesson_rests_on(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    file = course(home)
    lesson(server, "Well.")
    assert gptkit("tutor", "linear algebra", "go on").code == 0
    said = system(server.requests[0])
    assert "The learner's level: second year." in said
    assert "topic: eigenvectors, mastery 0.6 of 1, last seen 2026-11-20\n" in said
    assert 'mistake (2026-11-20, eigenvectors): "A v = v A": the product does not commute\n' in said
    assert "due for review: What does A stretch?\n" in said
    assert "kernel" not in said
    file.write_text(file.read_text().replace("second year", "expert").replace("0.6", "0.1"))
    lesson(server, "Well.", language="Latin")
    assert gptkit("tutor", "LINEAR ALGEBRA", "go on").code == 0
    said = system(server.requests[2])
    assert "The learner's level: expert." in said
    assert "mastery 0.1 of 1" in said
    assert "language: Latin" in file.read_text().splitlines()
    lesson(server, "Bene.")
    gptkit("tutor", "linear algebra", "go on")
    assert "Teach in Latin." in system(server.requests[4])


def test_the_conversation_of_a_course_goes_on_by_itself(gptkit: InMemory, server: FakeServer) -> None:
    lesson(server, "One.")
    lesson(server, "Two.")
    lesson(server, "Three.")
    gptkit("tutor", "C/C++", "first")
    gptkit("tutor", "C/C++", "second")
    gptkit("tutor", "C#", "third")
    roles = [[m["content"] for m in server.requests[n].json["messages"][1:]] for n in (0, 2, 4)]
    assert roles == [["first\n"], ["first\n", "One.", "second\n"], ["third\n"]]
    assert told(server.requests[3])["before"] == "One."


def test_without_a_log_nothing_is_kept_and_nothing_asked_for_it(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    file = course(home)
    server.say("Well.")
    assert gptkit("tutor", "linear algebra", "go on", "--no-log") == (0, "Well.\n", "")
    assert "second year" in system(server.request)
    assert [each for each in home.rglob("*") if each.is_file() and "cache" not in each.parts] == [file]


def test_a_broken_course_is_refused_by_line_before_anything_is_sent(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    text = "subject: linear algebra\ntopics:\n  - name: rank\n    mastry: 1\n"
    file = course(home, text)
    code, output, errors = gptkit("tutor", "linear algebra", "go on")
    assert (code, output) == (65, "")
    assert errors == (f"gptkit: {file}:4: topics.1.mastry: unknown key\nhint: did you mean 'mastery'?\n")
    assert file.read_text() == text
    assert gptkit("tutor", "linear algebra", "--show").code == 65


@pytest.mark.parametrize("reply", ["no JSON", '{"topics": 1}'])
def test_a_record_that_fails_costs_no_answer(
    gptkit: InMemory, server: FakeServer, home: Path, reply: str
) -> None:
    server.say("Well.")
    server.say(reply, times=2)
    code, output, errors = gptkit("tutor", "linear algebra", "go on")
    assert (code, output) == (0, "Well.\n")
    told = (
        "gptkit: the model gave no usable report of this lesson: the course 'linear algebra' is not up to"
        " date, and goes on all the same\n"
    )
    assert errors == told
    assert path(home).read_text().endswith("\nsubject: linear algebra\n")
    shown = gptkit("tutor", "--show")
    assert (shown.code, "linear algebra" in shown.stdout) == (0, True)


def test_ctrl_c_during_the_record_leaves_the_answer(run: AsProcess, server: FakeServer) -> None:
    server.say("Well.")
    server.say(update(), delay=SILENCE)
    process = run.start("tutor", "linear algebra", "go on", "--level", "beginner")
    server.wait_requests(2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=SOON)
    assert (process.returncode, output) == (0, b"Well.\n")
    assert errors == b"gptkit: the course 'linear algebra' is not up to date: interrupted\n"
    assert "(beginner)" in run("tutor", "linear algebra", "--show").stdout
    assert json.loads(run("history", "show", "tutor: linear-algebra", "--json").stdout)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_a_death_during_the_record_leaves_a_whole_answer_in_the_history(
    run: AsProcess, server: FakeServer, way: signal.Signals
) -> None:
    server.say("Well.")
    server.say(update(), delay=SILENCE)
    process = run.start("tutor", "linear algebra", "go on")
    server.wait_requests(2)
    process.send_signal(way)
    process.communicate(timeout=SOON)
    (turn,) = json.loads(run("history", "show", "tutor: linear-algebra", "--json").stdout)["turns"]
    assert (turn["state"], turn["answer"]) == ("ok", "Well.")
    lesson(server, "Next.")
    assert run("tutor", "linear algebra", "on").code == 0
    assert [one["content"] for one in server.requests[2].json["messages"][1:]] == ["go on\n", "Well.", "on\n"]


@pytest.mark.parametrize("method", ["quiz", "exam"])
def test_a_statement_that_is_to_be_judged_is_not_judged_for_the_learner(
    gptkit: InMemory, server: FakeServer, method: str
) -> None:
    lesson(server, "1. Judge: 12 * 7 = 94.")
    lesson(server, "1. Judge: 12 * 7 = 95.")
    found = gptkit("tutor", "sums", "test me", "--method", method)
    assert found == (0, "1. Judge: 12 * 7 = 94.\n", "")
    assert "'12 * 7 = 95' comes to 84" in gptkit("tutor", "sums", "more", "--method", method, "-v").stderr


def test_a_cap_on_requests_spares_the_answer(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Well.")
    code, output, errors = gptkit("tutor", "linear algebra", "go on", "--max-requests", "1")
    assert (code, output) == (0, "Well.\n")
    assert "not up to date: the budget of 1 request is used up" in errors


def test_what_is_refused_of_a_report_is_told_with_v(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    lesson(server, "Well.", mistakes=[{"topic": "", "quote": "never said", "wrong": "invented"}])
    errors = gptkit("tutor", "linear algebra", "go on", "-v").stderr
    assert "not recorded in the course: mistakes 1: quote: the learner did not write 'never said'" in errors
    assert not path(home).exists() or "never said" not in path(home).read_text()


def test_a_wrong_sum_is_told_after_the_answer_and_to_the_model_in_the_next_turn(
    gptkit: InMemory, server: FakeServer
) -> None:
    answer = "12 × 3 = 36，40 − 36 = 5。"
    for said in (answer, "对，是 4。", "好。"):
        lesson(server, said)
    note = "gptkit: worth checking: '40 − 36 = 5' comes to 4\n"
    assert gptkit("tutor", "sums", "40 − 12 × 3?") == (0, answer + "\n", note)
    assert gptkit("tutor", "sums", "好") == (0, "对，是 4。\n", "")
    assert gptkit("tutor", "sums", "on") == (0, "好。\n", "")
    told_of = ["- 40 − 36 = 5 (it comes to 4)\n" in system(server.requests[n]) for n in (0, 2, 4)]
    assert told_of == [False, True, False]


def test_right_sums_are_not_told(gptkit: InMemory, server: FakeServer) -> None:
    lesson(server, "12 × 3 = 36，40 − 36 = 4，1/3 = 0.33。")
    assert gptkit("tutor", "sums", "40 − 12 × 3?") == (0, "12 × 3 = 36，40 − 36 = 4，1/3 = 0.33。\n", "")


def test_the_learners_own_mistake_may_be_quoted_and_is_computed_for_the_tutor(
    gptkit: InMemory, server: FakeServer
) -> None:
    lesson(server, "You wrote **12*7 = 94**. What is 10 * 7?")
    found = gptkit("tutor", "sums", "I get 12 * 7 = 94")
    assert (found.code, found.stderr) == (0, "")
    assert "- 12 * 7 = 94 (it comes to 84)\n" in system(server.requests[0])


def test_an_answer_that_is_cut_is_not_recorded_in_the_course(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    server.say("Half of", finish="length")
    code, output, _ = gptkit("tutor", "sums", "why?")
    assert (code, output) == (80, "Half of")
    assert not path(home, "sums").exists()


def test_a_course_in_chinese(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    lesson(
        server,
        "再想想：三乘以二是多少？",
        language="中文",
        mistakes=[{"topic": "方程", "quote": "等于四", "wrong": "应该是三"}],
        cards=[{"front": "解 2x = 6", "back": "x = 3", "topic": "方程"}],
    )
    assert gptkit("tutor", "线性代数", "我觉得，等于四") == (0, "再想想：三乘以二是多少？\n", "")
    assert "  said: 等于四" in path(home, "线性代数").read_text().splitlines()
    assert "线性代数 (中文)\n" in gptkit("tutor", "线性代数", "--show").stdout
    assert gptkit("tutor", "--due").stdout.endswith("\t线性代数\t解 2x = 6\n")


def test_material_is_told_from_words(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    (folder / "notes.md").write_text("Cells have walls.\n")
    for _ in range(3):
        lesson(server, "Well.")
    gptkit("tutor", "biology", "-f", "notes.md")
    gptkit("tutor", "biology", "begin", "-f", "notes.md", "-s", "b")
    gptkit("tutor", "biology", "-s", "c", stdin="Do cells have walls?")
    work = delimited("work", "Cells have walls.\n")
    assert [last(server.requests[n]) for n in (0, 2, 4)] == [
        f"{work}\n",
        f"begin\n\n{work}\n",
        "Do cells have walls?\n",
    ]


def test_a_subject_is_needed(gptkit: InMemory, server: FakeServer) -> None:
    code, output, errors = gptkit("tutor")
    assert (code, output) == (2, "")
    assert errors == (
        "gptkit: no subject given\n"
        "hint: 'gptkit tutor SUBJECT' opens a course, 'gptkit tutor --show' lists them\n"
    )


def test_a_prompt_file_of_ones_own_has_a_course_too(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    prompt(home, OWN, "latin")
    lesson(server, "Salve.", topics=[{"name": "greetings", "mastery": 0.2}])
    lesson(server, "Bene.")
    assert gptkit("latin", "salve") == (0, "Salve.\n", "")
    assert gptkit("latin", "salve").code == 0
    assert system(server.requests[2]).startswith("Teach Latin. 1 topics known.")
    assert [request.json["model"] for request in server.requests[:2]][1] == "small"
    assert json.loads(gptkit("latin", "--show", "--json").stdout)["topics"][0]["name"] == "greetings"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("course: 3", "course: must be true or a mapping of keys, this is text"),
        ("course: {method: socrates}", "course.method: no method 'socrates'"),
        ("course: {tries: -1}", "course.tries: must be a whole number, at least 0"),
        ("course: {models: x}", "course.models: unknown key"),
        ("course: true\noptions: {tries: {}}", "options.tries: clashes with an option that 'course' adds"),
    ],
)
def test_what_a_prompt_file_says_of_it_is_checked(
    gptkit: InMemory, home: Path, said: str, complaint: str
) -> None:
    prompt(home, f"description: Learn.\n{said}\n", "learn")
    found = gptkit("prompts", "check", "learn")
    assert found.code == 65
    assert complaint in found.stdout + found.stderr


def test_the_offline_model_answers_and_keeps_nothing(gptkit: InMemory, home: Path) -> None:
    assert gptkit("tutor", "sums", "hello", "--model", "echo") == (0, "hello\n", "")
    assert gptkit("tutor", "sums", "hello", "--model", "echo", "--method", "socratic") == (0, "hello\n", "")
    assert not path(home, "sums").exists()


def test_a_dry_run_shows_the_request_and_begins_nothing(gptkit: InMemory, home: Path) -> None:
    found = json.loads(gptkit("tutor", "sums", "hello", "--dry-run").stdout)
    assert found["body"]["messages"][-1]["content"] == "hello\n"
    assert not path(home, "sums").exists()
