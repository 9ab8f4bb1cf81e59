"""What a batch is to bring is not paid for a second time, and a batch is for one input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from batch_provider import Provider, text_of
from fake.program import AsProcess, InMemory
from fake.server import FakeServer
from long_books import book
from watching import Watch

FOLDER = ("-f", "docs", "--output-dir", "out")
SINCE = r"\d{4}-\d\d-\d\d \d\d:\d\d"
STOPPED = rf"""gptkit: some of the pieces are in batch '(\w+)', under way since {SINCE}
hint: 'gptkit batch list' shows how far it is, 'gptkit batch cancel \1' stops it
"""


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    for name, mode, piece in (
        ("same", "map", 60),
        ("other", "map", 60),
        ("digest", "reduce", 200),
        ("short", "refuse", 0),
    ):
        file = folder / f"{name}.yaml"
        file.write_text(
            f"description: Works.\nsystem: Work as {name}.\nlong: {{mode: {mode}, piece: {piece}}}\n"
        )
    return "same"


@pytest.fixture
def provider(server: FakeServer) -> Provider:
    return Provider(server)


def assert_stopped(done: tuple[int, str, str]) -> None:
    assert done[:2] == (75, "")
    assert re.fullmatch(STOPPED, done[2])


def test_a_run_stops_before_it_pays_twice(gptkit: InMemory, provider: Provider, same: str) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    count = len(provider.submitted)
    assert_stopped(gptkit(same, stdin=text))
    assert_stopped(gptkit(same, stdin=text.replace("m7m", "m7m indeed")))
    assert_stopped(gptkit(same, "--yes", stdin=text))
    assert provider.asked == []
    provider.batches.finish()
    told = f"gptkit: batch 'batch_0' completed: {count} answers accepted\n"
    assert gptkit(same, stdin=text) == (0, text.upper(), told)
    assert provider.asked == []


def test_a_folder_stops_as_well(gptkit: InMemory, provider: Provider, same: str, folder: Path) -> None:
    gptkit(same, "--batch", stdin="Two, 第二。\n")
    (folder / "docs").mkdir()
    for name, text in (("a", "One, 第一。\n"), ("b", "Two, 第二。\n")):
        (folder / "docs" / f"{name}.txt").write_text(text, encoding="utf-8")
    assert_stopped(gptkit(same, *FOLDER))
    assert provider.asked == []
    provider.batches.finish()
    assert gptkit(same, *FOLDER).code == 0
    assert provider.asked == ["One, 第一。"]
    assert (folder / "out" / "b.txt").read_text(encoding="utf-8") == "TWO, 第二。\n"


def test_what_a_cancelled_batch_did_not_bring_is_asked_for(
    gptkit: InMemory, provider: Provider, same: str
) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    late = provider.submitted[1:]
    provider.batches.answer = lambda body: None if text_of(body) in late else text_of(body).upper()
    assert gptkit("batch", "cancel", "batch_0").code == 0
    assert_stopped(gptkit(same, stdin=text))
    provider.batches.finish("cancelled")
    code, output, errors = gptkit(same, stdin=text)
    assert (code, output) == (0, text.upper())
    assert errors.startswith(f"gptkit: batch 'batch_0' cancelled: 1 answers accepted, {len(late)} missing")
    assert sorted(provider.asked) == sorted(late)


def test_a_batch_that_is_gone_can_be_forgotten(gptkit: InMemory, provider: Provider, same: str) -> None:
    text = book(9)
    gptkit(same, "--batch", stdin=text)
    provider.batches.batch["id"] = "batch_of_another_account"
    code, _, errors = gptkit(same, stdin=text)
    first, rest = errors.split("\n", 1)
    assert_stopped((code, "", rest))
    assert first.startswith("gptkit: no batch 'batch_0' at '")
    assert first.endswith("'gptkit batch cancel --forget batch_0' makes gptkit ask for its pieces again")
    assert gptkit("batch", "cancel", "--forget", "batch_0").code == 0
    assert gptkit(same, stdin=text) == (0, text.upper(), "")


@pytest.mark.parametrize("option", ["--fresh", "--no-memory", "--no-log"])
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
    """Nobody agrees to a price for what is paid for already."""
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    text = book(40)
    assert gptkit(same, "--model", "gpt-0", "--batch", "--yes", stdin=text).code == 75
    assert_stopped(gptkit(same, "--model", "gpt-0", stdin=text))


def test_caps_hold_before_anything_is_submitted(gptkit: InMemory, provider: Provider, same: str) -> None:
    """What is under way is paid for: a second run is not asked about it."""
    text = book(60)
    batch = (same, "--batch", "--model", "gpt-0")
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    code, _, errors = gptkit(*batch, stdin=text)
    assert (code, provider.submitted) == (82, [])
    assert "more than ask_above (1 USD)" in errors
    assert gptkit(*batch, "--yes", "--max-requests", "4", stdin=text).code == 82
    assert len(provider.submitted) == 4
    assert gptkit(*batch, "--yes", stdin=text).code == 75
    assert len(provider.submitted) == len(set(provider.submitted)) > 4
    assert gptkit(*batch, stdin=text).code == 75
    provider.batches.finish()
    assert gptkit(*batch, stdin=text)[:2] == (0, text.upper())


def test_what_came_defective_is_asked_for_by_itself(gptkit: InMemory, provider: Provider, same: str) -> None:
    text = "Keep {count} here. " + "It is said. " * 20 + "\n\n" + "And a text of its own. " * 9 + "\n"
    gptkit(same, "--batch", stdin=text)
    provider.batches.answer = lambda body: text_of(body).upper().replace("⟦0⟧", "")
    provider.batches.finish()
    code, output, errors = gptkit(same, "--batch", stdin=text)
    assert (code, output) == (0, text.upper().replace("{COUNT}", "{count}"))
    assert "1 unusable, which will be asked for one by one" in errors
    assert len(provider.asked) == 1


def test_what_expired_is_submitted_again(gptkit: InMemory, provider: Provider, same: str) -> None:
    text = book(20)
    gptkit(same, "--batch", stdin=text)
    late = provider.submitted[0]
    provider.batches.answer = lambda body: None if text_of(body) == late else text_of(body).upper()
    provider.batches.finish("expired")
    code, _, errors = gptkit(same, "--batch", stdin=text)
    assert (code, provider.asked) == (75, [])
    assert "gptkit: 1 piece is with the provider (1 of them submitted now)\n" in errors
    assert provider.submitted.count(late) == 2
    assert len(provider.submitted) == len(set(provider.submitted)) + 1


ONE_INPUT = """gptkit: --batch is for one input: run the command once for each file
hint: for f in docs/*; do gptkit same --batch -f "$f" -o "out/${f##*/}"; done
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("same", *FOLDER), ONE_INPUT),
        (("same", "-f", "docs/a.md", "-f", "docs/b.md"), ONE_INPUT),
        (
            ("digest", "-f", "docs/a.md"),
            "gptkit: --batch needs a prompt with `long: map`, which 'digest' is not\n",
        ),
        (
            ("short", "-f", "docs/a.md"),
            "gptkit: --batch needs a prompt with `long: map`, which 'short' is not\n",
        ),
    ],
    ids=["folder", "files", "reduce", "refuse"],
)
def test_a_batch_is_for_the_pieces_of_one_input(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    (folder / "docs").mkdir()
    for name in ("a", "b"):
        (folder / "docs" / f"{name}.md").write_text(book(20))
    assert gptkit(*arguments, "--batch") == (2, "", told)
    assert server.connections == []


@pytest.mark.parametrize("prompt", ["same", "digest"])
def test_where_there_never_was_a_batch_the_check_costs_nothing(
    run: AsProcess, provider: Provider, same: str, folder: Path, home: Path, prompt: str
) -> None:
    (folder / "book.md").write_text(book(40))
    code, modules, _ = Watch(run, folder / "report.json")(prompt, "-f", "book.md")
    assert code == 0
    assert not (home / "data" / "batches.db").exists()
    seldom = (
        "cli.batching",
        "cli.long.spool",
        "cli.long.submission",
        "engine.long.lacking",
        "memory.pending",
    )
    assert modules.isdisjoint(f"gptkit.{name}" for name in seldom)


def test_a_batch_of_another_prompt_costs_nothing_but_a_look(
    gptkit: InMemory, run: AsProcess, provider: Provider, same: str, folder: Path
) -> None:
    gptkit(same, "--batch", stdin=book(9))
    (folder / "book.md").write_text(book(9))
    code, modules, _ = Watch(run, folder / "report.json")("other", "-f", "book.md")
    assert code == 0
    assert "tempfile" not in modules  # the pieces were not put aside to be looked at first


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
    assert told("other", stdin=edited) == (0, 0, count)
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text(edited)
    assert told(same, *FOLDER) == (0, count - 1, 1)
    provider.batches.finish()
    assert gptkit(same, "--batch", stdin=text).code == 0
    assert told(same, stdin=edited) == (count - 1, 0, 1)


def test_with_fresh_the_hint_is_no_circle(gptkit: InMemory, provider: Provider, same: str) -> None:
    """The same command would submit everything once more."""
    text = book(9)
    code, _, errors = gptkit(same, "--batch", "--fresh", stdin=text)
    assert code == 75
    assert errors.endswith("when they are done, the same command without --fresh prints the result\n")
    provider.batches.finish()
    assert gptkit(same, "--batch", stdin=text)[:2] == (0, text.upper())
