"""What a batch is to bring is not paid for a second time: asked, refused, agreed to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from batch_provider import Provider
from fake.program import AsProcess, InMemory, OnTerminal
from fake.server import FakeServer
from test_long_program import book
from test_long_reduce import book as marked
from test_long_reduce import numbers
from test_startup_imports import Watch

from gptkit.chat import Message, Request
from gptkit.engine.budget import prompt_tokens

HINT = "hint: --batch waits for them, as 'gptkit batch fetch' does; --yes asks, and pays, for them as well\n"


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    for name, mode, piece in (("same", "map", 60), ("other", "map", 60), ("digest", "reduce", 200)):
        file = folder / f"{name}.yaml"
        file.write_text(
            f"description: Works.\nsystem: Work as {name}.\nlong: {{mode: {mode}, piece: {piece}}}\n"
        )
    return "same"


@pytest.fixture
def provider(server: FakeServer) -> Provider:
    return Provider(server)


def stopped(count: int) -> tuple[int, str, str]:
    return 75, "", f"gptkit: {count} of the pieces are being worked on in a batch\n{HINT}"


def test_a_run_stops_before_it_pays_twice(gptkit: InMemory, provider: Provider, same: str) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    count = len(provider.submitted)
    assert gptkit(same, stdin=text) == stopped(count)
    assert gptkit(same, stdin=text.replace("m7m", "m7m indeed")) == stopped(count - 1)
    assert provider.asked == []
    provider.batches.finish()
    assert gptkit(same, stdin=text) == stopped(count)
    assert gptkit("batch", "fetch").code == 0
    assert gptkit(same, stdin=text) == (0, text.upper(), "")
    assert provider.asked == []


@pytest.mark.parametrize("option", ["--yes", "--fresh", "--no-memory", "--no-log"])
def test_who_says_so_asks_all_the_same(gptkit: InMemory, provider: Provider, same: str, option: str) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    assert gptkit(same, option, stdin=text) == (0, text.upper(), "")
    assert sorted(provider.asked) == sorted(provider.submitted)


def test_another_prompt_model_or_endpoint_is_not_held_up(
    gptkit: InMemory, provider: Provider, same: str, server: FakeServer
) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    assert gptkit("other", stdin=text).code == 0
    assert gptkit(same, "--model", "gpt-1", stdin=text).code == 0
    elsewhere = {"OPENAI_BASE_URL": server.url.replace("127.0.0.1", "localhost")}
    assert gptkit(same, stdin=text, env=elsewhere).code == 0


def test_what_was_only_planned_holds_nobody_up(
    gptkit: InMemory, provider: Provider, same: str, home: Path
) -> None:
    """A run that was killed while it wrote its pieces down has sent nothing."""
    import sqlite3
    from contextlib import closing

    text = book(20)
    gptkit(same, "--batch", stdin=text)
    with closing(sqlite3.connect(home / "data" / "batches.db")) as connection, connection:
        connection.execute("UPDATE shards SET state = 'planned', batch = ''")
    assert gptkit(same, stdin=text).code == 0


def test_the_check_comes_before_the_question_of_cost(gptkit: InMemory, provider: Provider, same: str) -> None:
    """Else --yes, which that one calls for, would agree to both."""
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    text = book(40)
    assert gptkit(same, "--model", "gpt-0", "--batch", "--yes", stdin=text).code == 75
    assert gptkit(same, "--model", "gpt-0", stdin=text) == stopped(len(provider.submitted))


@pytest.mark.parametrize("prompt", ["same", "digest"])
def test_where_there_never_was_a_batch_the_check_costs_nothing(
    run: AsProcess, provider: Provider, same: str, folder: Path, home: Path, prompt: str
) -> None:
    (folder / "book.md").write_text(book(40))
    code, modules, _ = Watch(run, folder / "report.json")(prompt, "-f", "book.md")
    assert code == 0
    assert not (home / "data" / "batches.db").exists()
    seldom = ("cli.batching", "cli.long.spool", "engine.long.batch", "engine.long.lacking", "memory.pending")
    assert modules.isdisjoint(f"gptkit.{name}" for name in seldom)


def test_a_batch_of_another_prompt_costs_nothing_but_a_look(
    gptkit: InMemory, run: AsProcess, provider: Provider, same: str, folder: Path
) -> None:
    gptkit(same, "--batch", stdin=book(9))
    (folder / "book.md").write_text(book(9))
    code, modules, _ = Watch(run, folder / "report.json")("other", "-f", "book.md")
    assert code == 0
    assert "gptkit.cli.long.spool" not in modules


def test_the_forecast_knows_what_a_batch_brings(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    count = len(provider.submitted)
    edited = text.replace("m7m", "m7m indeed")

    def told(*args: str, stdin: str | None = None) -> tuple[int, int, int]:
        found = json.loads(gptkit(*args, "--dry-run", stdin=stdin).stdout)
        return found["in_memory"], found["in_batch"], found["requests"]

    assert told(same, stdin=edited) == (0, count - 1, 1)
    assert told(same, "--yes", stdin=edited) == (0, 0, count)
    assert told("other", stdin=edited) == (0, 0, count)
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text(edited)
    assert told(same, "-f", "docs", "--output-dir", "out") == (0, count - 1, 1)
    provider.batches.finish()
    gptkit("batch", "fetch")
    assert told(same, stdin=edited) == (count - 1, 0, 1)


def test_the_forecast_of_one_result_knows_it_as_well(
    gptkit: InMemory, provider: Provider, same: str, folder: Path
) -> None:
    provider.said = numbers
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text(marked(90))
    (folder / "docs" / "b.md").write_text("m1m\n")

    def told() -> list[tuple[int, ...]]:
        arguments = ("digest", "-f", "docs", "--output-dir", "out", "--dry-run")
        files = json.loads(gptkit(*arguments).stdout)["files"]
        names = ("parts", "in_memory", "in_batch", "requests")
        return [tuple(one[name] for name in names) for one in files]

    (parts, *_, requests), short = told()
    assert short == (1, 0, 0, 1)
    gptkit("digest", "-f", "docs", "--output-dir", "out", "--batch")
    assert told() == [(parts, 0, parts, requests - parts), (1, 0, 1, 0)]
    provider.batches.finish()
    gptkit("batch", "fetch")
    assert told() == [(parts, parts, 0, requests - parts), (1, 1, 0, 0)]


def test_with_fresh_the_hint_is_no_circle(gptkit: InMemory, provider: Provider, same: str) -> None:
    """The same command would submit everything once more."""
    text = book(9)
    code, _, errors = gptkit(same, "--batch", "--fresh", stdin=text)
    assert code == 75
    assert errors.endswith("then the same command without --fresh prints the whole\n")
    provider.batches.finish()
    assert gptkit(same, "--batch", stdin=text)[:2] == (0, text.upper())


def test_a_reduction_stops_as_well(gptkit: InMemory, provider: Provider, same: str) -> None:
    provider.said = numbers
    text = marked(90)
    gptkit("digest", "--batch", stdin=text)
    count = len(provider.submitted)
    assert gptkit("digest", stdin=text) == stopped(count)
    assert provider.asked == []
    assert gptkit("digest", "--yes", stdin=text) == (0, numbers(text) + "\n", "")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 75), ("n", 75)])
def test_on_a_terminal_the_user_decides(
    gptkit: InMemory,
    screen: OnTerminal,
    provider: Provider,
    same: str,
    folder: Path,
    answer: str,
    code: int,
) -> None:
    (folder / "book.md").write_text(book(20))
    gptkit(same, "--batch", "-f", "book.md")
    shown = screen(same, "-f", "book.md", "-o", "out.md", columns=120)
    shown.wait_for("Ask, and pay, for them as well? [y/N]")
    shown.send(f"{answer}\r")
    assert shown.wait_exit() == code
    assert (folder / "out.md").exists() is (code == 0)
    assert bool(provider.asked) is (code == 0)
    assert ("--batch waits for them" in shown.text) is (code == 75)


REPEATED = ["A notice that stands on every page of it, word for word. " * 5, "And a text of its own. " * 9]


@pytest.mark.parametrize("name", ["same", "digest"])
@pytest.mark.parametrize("more", [[], ["--no-memory"]], ids=["kept", "forgotten"])
def test_the_forecast_counts_what_stands_there_twice_once(
    gptkit: InMemory, server: FakeServer, same: str, name: str, more: list[str]
) -> None:
    server.answer(lambda request: "m0m" if name == "digest" else request.json["messages"][1]["content"])
    pages = [REPEATED[0], REPEATED[1]] * 6 if name == "same" else [REPEATED[0] * 3] * 6
    text = "\n\n".join(pages) + "\n"
    told = json.loads(gptkit(name, "--jobs", "2", *more, "--dry-run", stdin=text).stdout)
    assert gptkit(name, "--jobs", "2", *more, stdin=text).code == 0
    assert told["requests"] == len(server.requests)
    assert bool(told["repeated"]) is not bool(more)
    again = json.loads(gptkit(name, "--jobs", "2", *more, "--dry-run", stdin=text).stdout)
    assert again["repeated"] == 0


def test_the_forecast_of_tokens_is_what_is_sent(gptkit: InMemory, server: FakeServer, same: str) -> None:
    server.answer(lambda request: request.json["messages"][1]["content"])
    told = json.loads(gptkit(same, "--dry-run", stdin=book(90)).stdout)
    assert gptkit(same, stdin=book(90)).code == 0
    sent = sum(
        prompt_tokens(
            Request("m", tuple(Message("user", one["content"]) for one in request.json["messages"]))
        )
        for request in server.requests
    )
    assert told["estimate"]["prompt_tokens"] == pytest.approx(sent, rel=0.02)


def test_what_stands_there_twice_is_paid_for_once(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    """Two files with the same words cost what one of them does, and so does the question."""
    assert gptkit("config", "set", "prices", "{m: [10, 40]}").code == 0
    server.answer(lambda request: request.json["messages"][1]["content"])
    (folder / "docs").mkdir()
    for name in ("a", "b"):
        (folder / "docs" / f"{name}.md").write_text(book(60))
    arguments = (same, "--model", "m", "-f", "docs", "--output-dir", "out")
    one, two = (json.loads(gptkit(*arguments, *which, "--dry-run").stdout) for which in ([], ["--fresh"]))
    assert (one["requests"], one["repeated"]) == (two["requests"] // 2, two["requests"] // 2)
    assert gptkit("config", "set", "ask_above", "0.0001").code == 0
    costs = [
        float(re.findall(r"about ([\d.]+) USD", gptkit(*arguments, *which).stderr)[0])
        for which in ([], ["--fresh"])
    ]
    assert costs[0] == pytest.approx(costs[1] / 2, abs=0.011)
    assert gptkit("config", "set", "ask_above", str(costs[1] * 0.75)).code == 0
    assert gptkit(*arguments, "--fresh").code == 82
    assert gptkit(*arguments) == (0, "", "")
    assert len(server.requests) == one["requests"]
