"""`--batch` over folders: all files together, each written as soon as its pieces are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batch_provider import Provider, text_of
from fake.program import InMemory
from fake.received import Received
from fake.replies import Reply, failed
from fake.server import FakeServer
from test_long_folders import texts, tree
from test_long_program import PO
from test_long_reduce import book, numbers

DOCS = {
    "a.md": "# First part\n\nSome words.\n",
    "b.json": '{"title": "Hello there, world", "id": "btn_ok"}\n',
    "deep/c.txt": "Last words of it\n",
    "deep/d.po": PO,
    "e.srt": "1\n00:00:01,000 --> 00:00:02,500\nHello there\n",
    "empty.md": "",
}
"""Each but the last has one piece."""
ARGUMENTS = ("-f", "docs", "--output-dir", "out")


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else; `digest` makes one result of each file."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    for name, mode, piece in (("same", "map", 60), ("digest", "reduce", 200)):
        text = f"description: Works.\nsystem: Work.\nlong: {{mode: {mode}, piece: {piece}}}\n"
        (folder / f"{name}.yaml").write_text(text)
    return "same"


@pytest.fixture
def provider(server: FakeServer) -> Provider:
    return Provider(server)


def states(folder: Path) -> dict[str, str]:
    files = json.loads((folder / "r.json").read_text())["files"]
    return {Path(one["file"]).name: one["state"] for one in files}


def test_all_files_in_all_formats_go_together(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", DOCS)
    code, output, errors = gptkit(same, *ARGUMENTS, "--batch", "--report", "r.json")
    assert (code, output) == (75, "")
    first, hint = errors.splitlines()
    assert first == "gptkit: 5 pieces are with the provider (5 of them submitted now); 5 of 6 files wait"
    assert hint.startswith("hint: 'gptkit batch list' tells of them")
    assert len(provider.batches.lines(provider.batches.batch)) == 5
    assert texts(folder / "out") == {"empty.md": ""}
    assert set(states(folder).values()) == {"not done", "written"}
    assert gptkit(same, *ARGUMENTS, "--batch").code == 75
    provider.batches.finish()
    code, output, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert (code, output, errors) == (0, "", "gptkit: batch 'batch_0' completed: 5 answers accepted\n")
    assert provider.asked == []
    there = texts(folder / "out")
    assert gptkit(same, "-f", "docs", "--output-dir", "single", "--no-memory").code == 0
    assert there == texts(folder / "single")
    assert json.loads(there["b.json"]) == {"title": "HELLO THERE, WORLD", "id": "btn_ok"}


def test_many_small_files_are_one_batch(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {f"{number}.md": f"text {number}\n" for number in range(120)})
    gptkit(same, *ARGUMENTS, "--batch")
    assert len(provider.batches.lines(provider.batches.batch)) == 120


def test_files_that_are_there_do_not_wait_for_the_others(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "one\n", "b.md": "two\n"})
    gptkit(same, *ARGUMENTS, "--batch")
    provider.batches.finish()
    tree(folder / "docs", {"c.md": "three\n\none\n", "d.md": "two\n"})
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert code == 75
    assert "1 piece is with the provider (1 of them submitted now); 1 of 4 files wait" in errors
    assert texts(folder / "out") == {"a.md": "ONE\n", "b.md": "TWO\n", "d.md": "TWO\n"}
    assert provider.submitted == ["one", "two", "three\n\none"]


def test_what_stands_in_two_files_is_submitted_once_and_both_wait(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "one\n", "b.md": "one\n"})
    assert "2 of 2 files wait" in gptkit(same, *ARGUMENTS, "--batch").stderr
    assert provider.submitted == ["one"]
    provider.batches.finish()
    assert gptkit(same, *ARGUMENTS, "--batch").code == 0
    assert texts(folder / "out") == {"a.md": "ONE\n", "b.md": "ONE\n"}


def test_of_a_batch_that_expired_what_came_is_written(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "one\n", "b.md": "late\n"})
    gptkit(same, *ARGUMENTS, "--batch")
    provider.batches.answer = lambda body: None if text_of(body) == "late" else "ONE"
    provider.batches.finish("expired")
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert (code, texts(folder / "out")) == (75, {"a.md": "ONE\n"})
    assert "1 answers accepted, 1 missing again" in errors
    assert provider.submitted == ["one", "late", "late"]


@pytest.mark.parametrize("path", ["/files", "/batches"])
def test_an_interrupted_submission_goes_on(
    gptkit: InMemory, provider: Provider, server: FakeServer, same: str, folder: Path, path: str
) -> None:
    tree(folder / "docs", DOCS)
    gptkit("config", "set", "attempts", "1")
    answer, failing = provider.answered, [path]

    def fails_once(request: Received) -> str | Reply:
        if failing and request.method == "POST" and request.path.endswith(path):
            failing.clear()
            return failed(503)
        return answer(request)

    server.answer(fails_once)
    assert gptkit(same, *ARGUMENTS, "--batch").code == 75
    assert gptkit("batch", "list").stdout.split("\t")[1] == "not submitted"
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert code == 75
    assert "5 pieces are with the provider (0 of them submitted now)" in errors
    assert len(provider.submitted) == 5
    provider.batches.finish()
    assert gptkit(same, *ARGUMENTS, "--batch").code == 0
    assert len(provider.batches.made) == 1


def test_what_came_defective_is_asked_for_by_itself(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "keep {count} here\n", "b.md": "two\n"})
    gptkit(same, *ARGUMENTS, "--batch")
    provider.batches.answer = lambda body: "KEPT NOTHING"
    provider.batches.finish()
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert "1 defective, left for a run without --batch" in errors
    assert (code, texts(folder / "out")) == (0, {"a.md": "KEEP {count} HERE\n", "b.md": "KEPT NOTHING\n"})
    assert len(provider.asked) == 1


def test_a_file_that_cannot_be_read_keeps_nobody_from_the_others(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "one\n", "bad.json": "{", "c.md": "three\n"})
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert (code, provider.submitted) == (75, ["one", "three"])
    provider.batches.finish()
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch")
    assert code == 80
    assert "1 of 3 files not done: 'docs/bad.json': " in errors
    assert texts(folder / "out") == {"a.md": "ONE\n", "c.md": "THREE\n"}


def test_caps_hold_before_anything_is_submitted(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    tree(folder / "docs", {f"{number}.md": f"text {number}\n" for number in range(9)})
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    code, _, errors = gptkit(same, *ARGUMENTS, "--batch", "--model", "gpt-0")
    assert code == 82
    assert "more than ask_above (1 USD)" in errors
    assert provider.batches.made == []
    assert gptkit(same, *ARGUMENTS, "--batch", "--max-requests", "4").code == 82
    assert len(provider.submitted) == 4
    assert gptkit(same, *ARGUMENTS, "--batch").code == 75
    assert len(provider.submitted) == len(set(provider.submitted)) == 9


@pytest.mark.parametrize("prompt", ["same", "digest"])
def test_the_cost_is_added_up_once(
    gptkit: InMemory, provider: Provider, same: str, folder: Path, prompt: str
) -> None:
    """At half the price it is a little below what is asked about; the files are read several times."""
    tree(folder / "docs", {f"{number}.md": f"text {number}\n" for number in range(9)})
    arguments = (prompt, *ARGUMENTS, "--batch", "--model", "gpt-0")
    gptkit("config", "set", "prices.gpt-0", "[400, 400]")
    assert gptkit(*arguments).code == 82
    assert provider.submitted == []
    gptkit("config", "set", "prices.gpt-0", "[300, 300]")
    assert gptkit(*arguments[:-3], "--model", "gpt-0").code == 82
    assert gptkit(*arguments).code == 75
    gptkit("config", "set", "prices.gpt-0", "[400, 400]")
    assert gptkit(*arguments).code == 75  # what is under way is paid for
    assert len(provider.submitted) == 9
    provider.batches.finish()
    assert gptkit(*arguments).code == 0
    assert len(texts(folder / "out")) == 9


@pytest.mark.parametrize("prompt", ["same", "digest"])
def test_a_run_without_batches_stops_before_it_pays_twice(
    gptkit: InMemory, provider: Provider, same: str, folder: Path, prompt: str
) -> None:
    tree(folder / "docs", {"a.md": "one\n", "b.md": "two\n"})
    gptkit(prompt, *ARGUMENTS, "--batch")
    tree(folder / "docs", {"c.md": "three\n"})
    code, output, errors = gptkit(prompt, *ARGUMENTS)
    assert (code, output, provider.asked) == (75, "", [])
    assert errors.startswith("gptkit: 2 of the pieces are being worked on in a batch\nhint: --batch waits")
    assert not (folder / "out").exists() or not texts(folder / "out")
    assert gptkit(prompt, *ARGUMENTS, "--yes").code == 0
    assert sorted(text.strip() for text in provider.asked) == ["one", "three", "two"]


def test_one_result_of_each_file(gptkit: InMemory, provider: Provider, same: str, folder: Path) -> None:
    long = book(90)
    provider.said = numbers
    tree(folder / "docs", {"long.md": long, "short.md": "m1m and m2m\n", "sub/other.md": "m3m\n"})
    code, _, errors = gptkit("digest", *ARGUMENTS, "--batch", "--report", "r.json")
    assert code == 75
    assert "; 3 of 3 files wait" in errors
    assert len(provider.batches.made) == 1
    assert states(folder) == dict.fromkeys(["long.md", "short.md", "other.md"], "not done")
    assert provider.asked == []
    provider.batches.finish()
    assert gptkit("digest", *ARGUMENTS, "--batch").code == 0
    assert texts(folder / "out") == {
        "long.md": numbers(long) + "\n",
        "short.md": "m1m m2m\n",
        "sub/other.md": "m3m\n",
    }
    assert provider.asked
    assert all("<part>" in text for text in provider.asked)
    asked = len(provider.asked)
    assert gptkit("digest", *ARGUMENTS, "--batch") == (0, "", "")
    assert gptkit("digest", *ARGUMENTS) == (0, "", "")
    assert len(provider.asked) == asked
