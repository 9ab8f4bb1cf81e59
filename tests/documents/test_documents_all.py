"""`--all` goes through every passage, remembers what it was told, and lists what is proved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake.received import Received
from fake.replies import Reply, said
from fake.server import FakeServer

Gptkit = Callable[..., tuple[int, str, str]]
COUNT = 40


@pytest.fixture
def reports(folder: Path) -> Path:
    """A folder whose passages take two requests."""
    for number in range(COUNT):
        deadline = f"The deadline of report {number} is day {number + 100}."
        text = f"Report {number}. {'Nothing happened on that day. ' * 25}\n\n{deadline}\n"
        (folder / f"{number:02}.txt").write_text(text)
    return folder


def findings(request: Received) -> str:
    """What a model finds that reads well: the deadline of each passage."""
    lines = [one for one in request.user.splitlines() if one.startswith("The deadline")]
    passages = request.user.count("<passage ")
    assert passages
    quotes = [{"passage": number, "text": line} for number, line in enumerate(lines, 1)]
    answer = "\n".join(f"{line} [{number}]" for number, line in enumerate(lines, 1))
    return json.dumps({"quotes": quotes, "answer": answer})


def test_every_passage_is_asked_about_once(gptkit: Gptkit, server: FakeServer, reports: Path) -> None:
    server.answer(findings)
    code, output, errors = gptkit("qa", "list all deadlines", ".", "--all")
    assert (code, errors) == (0, f"gptkit: {COUNT} of {COUNT} passages read\n")
    lines = output.splitlines()
    assert lines[0] == "- The deadline of report 0 is day 100. [1]"
    assert lines[COUNT - 1] == f"- The deadline of report {COUNT - 1} is day {COUNT + 99}. [{COUNT}]"
    assert lines[COUNT + 1] == '[1] 00.txt:3: "The deadline of report 0 is day 100"'
    asked = len(server.requests)
    assert asked > 1
    assert gptkit("qa", "list all deadlines", ".", "--all") == (code, output, errors)
    assert len(server.requests) == asked, "the second time costs nothing"
    (reports / "00.txt").write_text("The deadline of report 0 is day 7.\n")
    assert "day 7. [1]" in gptkit("qa", "list all deadlines", ".", "--all")[1]
    assert len(server.requests) == asked + 1, "a changed file costs its part"


def test_what_is_not_proved_is_left_out(gptkit: Gptkit, server: FakeServer, reports: Path) -> None:
    server.answer(lambda request: findings(request).replace("is day 105. [", "is day 9999. ["))
    code, output, errors = gptkit("qa", "list all deadlines", ".", "--all")
    assert (code, "9999" in output) == (80, False)
    assert errors.startswith(
        f"gptkit: {COUNT} of {COUNT} passages read\ngptkit: 1 statement is left out: not proved"
    )


def test_a_part_without_an_answer_is_counted(gptkit: Gptkit, server: FakeServer, reports: Path) -> None:
    def answer(request: Received) -> str | Reply:
        return said("{", finish="length") if "Report 0." in request.user else findings(request)

    server.answer(answer)
    code, output, errors = gptkit("qa", "list all deadlines", ".", "--all")
    assert (code, "report 39" in output) == (80, True)
    assert "parts have no whole answer" in errors


def test_the_judge_strikes_lines_out(gptkit: Gptkit, server: FakeServer, reports: Path) -> None:
    def answer(request: Received) -> str:
        if "<statement " in request.user:
            return json.dumps({"proved": "day 105." not in request.user})
        return findings(request)

    server.answer(answer)
    code, output, errors = gptkit("qa", "list all deadlines", ".", "--all", "--judge")
    assert (code, "day 104" in output, "day 105" in output) == (80, True, False)
    assert "1 statement is left out: not proved by the documents" in errors
    asked = len(server.requests)
    assert asked > COUNT
    assert gptkit("qa", "list all deadlines", ".", "--all", "--judge") == (code, output, errors)
    assert len(server.requests) == asked


def test_what_could_not_be_judged_is_left_out_until_the_next_run(
    gptkit: Gptkit, server: FakeServer, reports: Path
) -> None:
    is_cut = True

    def answer(request: Received) -> str | Reply:
        if "<statement " not in request.user:
            return findings(request)
        return said('{"pro', finish="length") if is_cut and "day 105." in request.user else '{"proved": true}'

    server.answer(answer)
    code, output, errors = gptkit("qa", "list all deadlines", ".", "--all", "--judge")
    assert (code, output.count("\n- ") + 1, "day 105" in output) == (80, COUNT - 1, False)
    assert errors.endswith(
        "gptkit: 1 statement is left out: could not be judged\n"
        "hint: run the same command to try these again\n"
    )
    is_cut, asked = False, len(server.requests)
    code, output, _ = gptkit("qa", "list all deadlines", ".", "--all", "--judge")
    assert (code, "day 105" in output, len(server.requests)) == (0, True, asked + 1)


@pytest.mark.parametrize("cut", ["<passage ", "<statement "])
def test_where_nothing_was_answered_the_documents_are_not_said_to_hold_no_answer(
    gptkit: Gptkit, server: FakeServer, reports: Path, cut: str
) -> None:
    server.answer(lambda request: said("{", finish="length") if cut in request.user else findings(request))
    code, output, errors = gptkit("qa", "list all deadlines", ".", "--all", "--judge")
    assert (code, output) == (80, "")
    assert errors.endswith("hint: run the same command to try these again\n")


def test_nothing_found(gptkit: Gptkit, server: FakeServer, reports: Path) -> None:
    server.answer(lambda _: json.dumps({"quotes": [], "answer": ""}))
    assert gptkit("qa", "list all names", ".", "--all")[:2] == (
        85,
        "The documents do not answer this question.\n",
    )


def test_a_dry_run_tells_the_requests(gptkit: Gptkit, reports: Path) -> None:
    code, output, _ = gptkit("qa", "list all deadlines", ".", "--all", "--dry-run")
    found = json.loads(output)
    assert (code, found["passages"], found["requests"] > 1, found["in_memory"]) == (0, COUNT, True, 0)
    assert found["estimate"]["prompt_tokens"] > 5000
