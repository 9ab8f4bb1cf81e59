"""Long jobs against servers that refuse, charge more than expected, and users who mistype a file."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from fake.program import InMemory
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from fake.waiting import SOON
from long_books import book
from long_trees import texts, tree


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    for name, mode in (("same", "map"), ("digest", "reduce")):
        (folder / f"{name}.yaml").write_text(
            f"description: Works.\nsystem: Work as {name}.\nlong: {{mode: {mode}, piece: 60}}\n"
        )
    return "same"


def text_of(request: Received) -> str:
    return str(request.json["messages"][1]["content"])


@pytest.mark.parametrize("code", ["content_filter", "invalid_prompt"])
def test_a_piece_that_the_provider_refuses_is_kept_and_reported(
    gptkit: InMemory, server: FakeServer, same: str, code: str
) -> None:
    def answer(request: Received) -> str | Reply:
        if "m4m" in text_of(request):
            return failed(400, {"error": {"code": code, "message": "Filtered"}})
        return text_of(request).upper()

    server.answer(answer)
    status, output, errors = gptkit(same, stdin=book(12))
    assert status == 80
    assert "the provider refused the request (400): Filtered" in errors
    assert "m4m" in output
    assert output.count("M") >= 11
    assert all(f"M{number}M" in output for number in range(12) if number != 4)


@pytest.mark.parametrize("cap", [["--max-cost", "0.05"], ["--max-tokens", "9000"]])
def test_nothing_is_sent_once_a_cap_is_known_to_be_exceeded(
    gptkit: InMemory, server: FakeServer, same: str, cap: list[str]
) -> None:
    """Answers with much more in them than can be seen, such as reasoning."""
    assert gptkit("config", "set", "prices", "{m: [1, 8]}").code == 0
    together = threading.Barrier(2)

    def answer(request: Received) -> Reply:
        together.wait(SOON)
        return said(text_of(request), usage=(3000, 9000))

    server.answer(answer)
    assert gptkit(same, "--model", "m", "--jobs", "2", *cap, stdin=book(30)).code == 82
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [401, 402, 404])
def test_what_holds_for_every_request_stops_those_who_wait(
    gptkit: InMemory, server: FakeServer, same: str, status: int
) -> None:
    together = threading.Barrier(4)

    def answer(_: Received) -> Reply:
        together.wait(SOON)
        return failed(status)

    server.answer(answer)
    assert gptkit(same, "--jobs", "4", stdin=book(60)).code == (77 if status == 401 else 69)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("report", "what"),
    [("docs/a.md", "input"), ("out.md", "output"), ("terms.csv", "input"), ("docs/../docs/a.md", "input")],
)
def test_a_report_takes_no_other_file_s_place(
    gptkit: InMemory, same: str, folder: Path, report: str, what: str
) -> None:
    tree(folder, {"docs/a.md": "text\n", "terms.csv": "gate,portail\n"})
    before = texts(folder)
    message = f"gptkit: '{report}': the report would overwrite the {what}\n"
    arguments = (same, "-f", "docs/a.md", "-o", "out.md", "--glossary", "terms.csv", "--report", report)
    assert gptkit(*arguments) == (2, "", message)
    if report != "out.md":
        code, _, errors = gptkit(
            same, "-f", "docs", "--output-dir", "out", "--glossary", "terms.csv", "--report", report
        )
        assert (code, errors) == (2, message)
    assert texts(folder) == before


def test_a_report_on_a_result_of_a_folder_is_refused(gptkit: InMemory, same: str, folder: Path) -> None:
    tree(folder, {"docs/a.md": "text\n"})
    arguments = (same, "-f", "docs", "--output-dir", "out", "--report", "out/a.md")
    (folder / "out").mkdir()
    assert gptkit(*arguments) == (2, "", "gptkit: 'out/a.md': the report would overwrite the output\n")


def test_a_report_that_cannot_be_written_is_not_paid_for(gptkit: InMemory, same: str, folder: Path) -> None:
    tree(folder, {"a.md": "text\n"})
    code, _, errors = gptkit(same, "-f", "a.md", "-o", "b.md", "--report", "no/such/report.json")
    assert (code, errors.partition(": there")[0]) == (73, "gptkit: 'no/such/report.json'")


def test_the_glossary_is_an_input(gptkit: InMemory, same: str, folder: Path) -> None:
    tree(folder, {"a.md": "text\n", "terms.csv": "gate,portail\n"})
    refused = (2, "", "gptkit: 'terms.csv': the output would overwrite the input\n")
    assert gptkit(same, "-f", "a.md", "-o", "terms.csv", "--glossary", "terms.csv") == refused


def test_one_empty_answer_leaves_the_other_files_alone(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(folder / "docs", {f"{name}.md": f"text {name}\n" for name in "abcd"})
    server.answer(lambda request: "" if "text b" in text_of(request) else "short")
    code, _, errors = gptkit("digest", "-f", "docs", "--output-dir", "out")
    assert code == 80
    assert "docs/b.md" in errors
    assert "empty answer" in errors
    assert sorted(texts(folder / "out")) == ["a.md", "c.md", "d.md"]


def test_nothing_is_asked_about_an_empty_file(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "text\n", "b.md": "", "c.md": " \n\n"})
    server.answer(lambda _: "short")
    told = json.loads(gptkit("digest", "-f", "docs", "--output-dir", "out", "--dry-run").stdout)["files"]
    assert [one.get("requests", one.get("why")) for one in told] == [
        1,
        "no input: nothing in 'docs/b.md'",
        "no input: nothing in 'docs/c.md'",
    ]
    code, _, errors = gptkit("digest", "-f", "docs", "--output-dir", "out")
    assert code == 80
    assert "nothing in 'docs/b.md'" in errors
    assert sorted(texts(folder / "out")) == ["a.md"]
    assert len(server.requests) == 1
