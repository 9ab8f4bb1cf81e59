"""`long: reduce` from the command line: requests, streams, files, JSON, failures, kills, forecasts."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from asking import settings
from delimiters import between
from fake.program import AsProcess, InMemory, OnTerminal
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from long_reductions import book, is_last, numbers

from gptkit.core.tokens import estimate_tokens

BOOK = book(90)


def text_of(request: Received) -> str:
    return str(request.json["messages"][1]["content"])


def answer(request: Received) -> str:
    return numbers(text_of(request))


def test_a_long_text_becomes_one_result(gptkit: InMemory, server: FakeServer, digest: str) -> None:
    server.answer(answer)
    assert gptkit(digest, stdin=BOOK) == (0, numbers(BOOK) + "\n", "")
    *others, last = server.requests
    assert len(others) > 20
    assert not any(is_last(request) for request in others)
    assert is_last(last)


def test_the_second_time_costs_nothing_in_any_form(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    server.answer(answer)
    gptkit(digest, stdin=BOOK)
    sent = len(server.requests)
    assert gptkit(digest, stdin=BOOK) == (0, numbers(BOOK) + "\n", "")
    assert gptkit(digest, "-o", "short.txt", stdin=BOOK) == (0, "", "")
    assert (folder / "short.txt").read_text() == numbers(BOOK) + "\n"
    code, output, _ = gptkit(digest, "--json", stdin=BOOK)
    assert len(server.requests) == sent
    record = json.loads(output)
    assert (code, record["answer"], record["findings"]) == (0, numbers(BOOK), [])
    assert record["levels"] >= 3
    assert record["parts"] > 20


def test_a_text_of_one_request_is_a_single_exchange(
    gptkit: InMemory, server: FakeServer, digest: str
) -> None:
    server.say("short")
    assert gptkit(digest, stdin="m1m and m2m\n") == (0, "short\n", "")
    assert server.request.json["messages"][0]["content"] == "Shorten."


def test_a_refused_part_is_named_and_a_file_waits_for_it(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    def some(request: Received) -> str | Reply:
        return said(refusal="no") if "m18m" in text_of(request) else answer(request)

    server.answer(some)
    code, output, errors = gptkit(digest, "--report", "report.json", stdin=BOOK)
    assert code == 80
    assert "m18m" not in output
    assert {"m0m", "m81m"} <= set(output.split())
    first, hint = errors.splitlines()
    assert re.match(r"gptkit: 1 of \d+ parts are missing in the result: lines? \d+.* missing: ", first)
    assert hint == "hint: --report FILE lists all; run the same command to try these again"
    (finding,) = json.loads((folder / "report.json").read_text())["findings"]
    assert finding["message"] in first
    assert gptkit(digest, "-o", "short.txt", stdin=BOOK)[0] == 80
    assert not (folder / "short.txt").exists()
    assert "m0m" in (folder / "short.txt.partial").read_text()
    sent = len(server.requests)
    server.answer(answer)
    assert gptkit(digest, "-o", "short.txt", stdin=BOOK) == (0, "", "")
    assert (folder / "short.txt").read_text() == numbers(BOOK) + "\n"
    assert len(server.requests) - sent <= 5


def test_a_dead_key_ends_it(gptkit: InMemory, server: FakeServer, digest: str) -> None:
    server.answer(lambda _: failed(401))
    code, output, errors = gptkit(digest, "--jobs", "1", stdin=BOOK)
    assert (code, output) == (77, "")
    assert len(server.requests) == 1
    assert errors.startswith("gptkit: ")


def test_a_budget_that_is_used_up_leaves_what_can_be_gone_on_from(
    gptkit: InMemory, server: FakeServer, digest: str
) -> None:
    server.answer(answer)
    code, output, errors = gptkit(digest, "--max-requests", "10", stdin=BOOK)
    assert (code, output) == (82, "")
    assert errors.splitlines()[-1] == "hint: run the same command to go on where this one stopped"
    assert len(server.requests) == 10
    assert gptkit(digest, stdin=BOOK) == (0, numbers(BOOK) + "\n", "")
    texts = [text_of(request) for request in server.requests]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("prompt", ["digest", "translate"])
def test_without_a_memory_nothing_can_be_gone_on_from(
    gptkit: InMemory, server: FakeServer, digest: str, prompt: str
) -> None:
    server.answer(answer)
    errors = gptkit(prompt, "--max-requests", "1", "--no-memory", "--jobs", "1", stdin=BOOK * 9).stderr
    assert errors == "gptkit: the budget of 1 request is used up\n"


def test_a_last_merge_that_breaks_off_is_no_whole_answer(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    def cut(request: Received) -> str | Reply:
        return said("m0m and then", finish="length") if is_last(request) else answer(request)

    server.answer(cut)
    assert gptkit(digest, stdin=BOOK)[:2] == (80, "m0m and then")
    assert gptkit(digest, "-o", "short.txt", stdin=BOOK)[0] == 80
    assert [path.name for path in folder.iterdir()] == ["short.txt.partial"]


def test_a_last_merge_that_fails_costs_that_one_alone(
    gptkit: InMemory, server: FakeServer, digest: str, home: Path
) -> None:
    settings(home, "attempts: 1\n")
    server.answer(lambda request: failed(500) if is_last(request) else answer(request))
    code, output, errors = gptkit(digest, stdin=BOOK)
    assert (code, output) == (75, "")
    assert errors.splitlines()[-1] == "hint: run the same command to go on where this one stopped"
    sent = len(server.requests)
    server.answer(answer)
    assert gptkit(digest, stdin=BOOK) == (0, numbers(BOOK) + "\n", "")
    assert len(server.requests) == sent + 1


def test_a_kill_costs_no_part_twice(run: AsProcess, server: FakeServer, digest: str) -> None:
    server.answer(lambda request: said(answer(request), delay=0.02))
    process = run.start(digest, piped=True)
    assert process.stdin is not None
    process.stdin.write(BOOK.encode())
    process.stdin.close()
    server.wait_requests(12)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(digest, stdin=BOOK) == (0, numbers(BOOK) + "\n", "")
    texts = [text_of(request) for request in server.requests]
    under_way = 8
    assert len(texts) - len(set(texts)) <= under_way


def test_the_forecast_is_what_happens_then(gptkit: InMemory, server: FakeServer, digest: str) -> None:
    code, output, errors = gptkit(digest, "--dry-run", stdin=BOOK)
    assert (code, errors) == (0, "")
    found = json.loads(output)
    assert server.requests == []
    server.answer(answer)
    gptkit(digest, stdin=BOOK)
    texts = [text_of(request) for request in server.requests]
    assert found["pieces"] == found["levels"][0] == sum("<part>" not in text for text in texts)
    assert abs(found["requests"] - len(texts)) <= len(texts) // 5
    assert found["requests"] == sum(found["levels"])
    assert found["levels"][-1] == 1
    again = json.loads(gptkit(digest, "--dry-run", stdin=BOOK).stdout)
    assert again["in_memory"] == found["pieces"]


def test_the_last_merge_is_shown_as_any_answer(screen: OnTerminal, server: FakeServer, folder: Path) -> None:
    server.answer(lambda request: "**whole**" if is_last(request) else answer(request))
    (folder / "book.txt").write_text(book(400))
    shown = screen("summarize", "-f", "book.txt")
    assert shown.wait_exit() == 0
    assert shown.text.strip() == "whole"


def test_the_built_in_summary_works_at_every_level(gptkit: InMemory, server: FakeServer) -> None:
    server.answer(answer)
    text = book(1200)
    result = gptkit("summarize", "--style", "headline", "for the board", stdin=text)
    assert result[0] == 0
    assert set(numbers(text).split()) == set(result[1].split())
    part, last = server.requests[0].json["messages"], server.requests[-1].json["messages"]
    assert part[1]["content"].startswith("for the board\n\n<text ")
    assert between(part[1]["content"]) in text
    for messages in (part, last):
        assert "Write one line that gives the main point" in messages[0]["content"]
    assert "hold for the whole alone" in part[0]["content"]
    assert "in the form and the length that are asked for above" in last[0]["content"]


def test_a_prompt_that_refuses_long_input_sends_it_whole(
    gptkit: InMemory, server: FakeServer, digest: str, home: Path
) -> None:
    """Whether it is too long, the server knows."""
    file = home / "config" / "prompts" / "digest.yaml"
    file.write_text(file.read_text().replace("{mode: reduce, piece: 200}", "refuse"))
    server.fail(400, code="context_length_exceeded", message="too long")
    assert gptkit(digest, stdin=BOOK * 5).code == 65
    assert text_of(server.request) == BOOK * 5


def test_parts_fit_into_the_window_of_the_model(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "config.yaml").write_text("context_window: 1000\n")
    server.answer(answer)
    assert gptkit("summarize", stdin=book(200)).code == 0
    texts = [text_of(request) for request in server.requests]
    assert max(estimate_tokens(text) for text in texts) < 600
    assert sum("<part>" not in text for text in texts) > 10


def test_results_in_a_promised_form_keep_it_at_every_level(
    gptkit: InMemory, server: FakeServer, digest: str, home: Path
) -> None:
    file = home / "config" / "prompts" / "digest.yaml"
    schema = "{type: object, properties: {n: {type: string}}, required: [n]}"
    file.write_text(file.read_text() + f"output: {{format: json, schema: {schema}}}\n")
    server.answer(lambda request: json.dumps({"n": answer(request)}))
    code, output, _ = gptkit(digest, stdin=BOOK)
    assert (code, json.loads(output)) == (0, {"n": numbers(BOOK)})
    told = server.requests[0].json["messages"][0]["content"]
    assert "Keep the form that is asked for above." in told
    sent = len(server.requests)
    assert gptkit(digest, stdin=BOOK)[1] == output
    assert len(server.requests) == sent
