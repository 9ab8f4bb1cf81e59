"""`gptkit usage`: what was asked, what it took and cost, as columns and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory

from gptkit.core.chat import Charge
from gptkit.history.model import Ending, Opening, new_opening_id
from gptkit.history.store import Store

OPENAI = "api.openai.com"
NOON = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0)
OWN = "prices:\n  a: [1, 2]\n  b: [10, 20]\n"
Ask = Callable[..., None]


def day(ago: int) -> str:
    return (NOON - timedelta(days=ago)).date().isoformat()


def charge(model: str = "a", tokens: tuple[int, int] = (1000, 500), ago: int = 0, **more: object) -> Charge:
    moment = (NOON - timedelta(days=ago)).timestamp()
    made = Charge(model, "answer", OPENAI, *tokens, False, None, moment, 1.0)
    return made._replace(**more)  # type: ignore[arg-type]


@pytest.fixture
def asked(home: Path) -> Ask:
    """Stores an exchange with these charges."""
    config = home / "config" / "config.yaml"
    config.parent.mkdir()
    config.write_text(OWN)

    def ask(*charges: Charge, prompt: str = "ask", session: str = "") -> None:
        store = Store(home / "data" / "history.db", home / "data" / "journal")
        found = store.find_session(session) or store.create(session, prompt) if session else None
        began = charges[0].started
        opening = Opening(
            new_opening_id(), found.id if found else None, None, prompt, charges[0].model, "", "hi", {}, began
        )
        store.finish(opening, Ending("ok", "yes", charges=charges))
        store.close()

    return ask


def test_without_a_history_there_is_nothing_and_none_is_made(gptkit: InMemory, home: Path) -> None:
    assert gptkit("usage") == (0, "", f"gptkit: no requests since {day(29)}\n")
    found = json.loads(gptkit("usage", "--json").stdout)
    assert (found["rows"], found["total"]["requests"], found["total"]["cost"]) == ([], 0, None)
    assert list(home.iterdir()) == []


def test_columns_in_a_pipe(gptkit: InMemory, asked: Ask) -> None:
    asked(charge(ago=1), charge("b", ago=1, estimated=True))
    asked(charge("unheard", (7, 3)), charge())
    code, output, errors = gptkit("usage")
    assert code == 0
    assert output == (
        "day\trequests\tin\tout\tUSD\tnotes\n"
        f"{day(1)}\t2\t2000\t1000\t0.022000\testimated\n{day(0)}\t2\t1007\t503\t0.002000\t1 without a price\n"
    )
    assert errors == (
        "gptkit: no price is known for 1 of 4 requests: unheard\n"
        "gptkit: 'gptkit config set prices.MODEL \"[INPUT, OUTPUT]\"' sets one (USD a million tokens)\n"
    )


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("model", ["b 1 0.020000", "a 2 0.004000"]),
        ("command", ["翻译 2 0.022000", "ask 1 0.002000"]),
        ("session", ["三月 2 0.022000", "NAME 1 0.002000"]),
        ("day", [f"{day(1)} 1 0.002000", f"{day(0)} 2 0.022000"]),
    ],
)
def test_every_way_to_group(gptkit: InMemory, asked: Ask, by: str, rows: list[str]) -> None:
    asked(charge(ago=1))
    asked(charge(), charge("b"), prompt="翻译", session="三月")
    code, output, errors = gptkit("usage", "--by", by)
    assert (code, errors) == (0, "")
    heading, *cells = [line.split("\t") for line in output.splitlines()]
    assert heading == [by, "requests", "in", "out", "USD", "notes"]
    if by == "session":
        assert len(cells[1][0]) == 8  # the id of a session that nobody named
        cells[1][0] = "NAME"
    assert [f"{name} {requests} {cost}" for name, requests, _, _, cost, _ in cells] == rows


def test_each_request_is_priced_by_itself_where_and_when_it_was_made(gptkit: InMemory, asked: Ask) -> None:
    """Three requests of 200,000 tokens are not one of 600,000, which would cost twice as much."""
    asked(*[charge("gpt-6-luna", (200_000, 0))] * 3)
    asked(charge("gpt-6-luna", host="127.0.0.1:4000"))
    asked(charge("gpt-6-luna", cost=7.0, ago=1))
    found = json.loads(gptkit("usage", "--json", "--by", "day").stdout)
    assert [row["cost"] for row in found["rows"]] == [7.0, pytest.approx(0.06)]
    assert (found["total"]["unpriced_requests"], found["unpriced_models"]) == (1, ["gpt-6-luna"])
    assert found["prices"]["list"].startswith("genai-prices ")
    assert time.strptime(found["prices"]["date"], "%Y-%m-%d")


def test_a_price_from_the_list_is_shown_with_its_date(gptkit: InMemory, asked: Ask) -> None:
    asked(charge("gpt-4.1", host="gateway.example.com"))
    found = json.loads(gptkit("usage", "--json").stdout)
    remark = f"prices: {found['prices']['list']}, {found['prices']['date']}"
    assert gptkit("usage").stderr == f"gptkit: {remark}\n"
    assert found["total"]["estimated"]  # what a gateway takes is not known


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ((), [29, 6, 1, 0]),
        (("--since", "7d"), [6, 1, 0]),
        (("--since", "1d"), [0]),
        (("--since", day(30)), [30, 29, 6, 1, 0]),
        (("--since", day(7), "--until", day(1)), [6, 1]),
        (("--until", "7d"), [29, 6]),
        (("--since", day(1), "--until", day(1)), [1]),
    ],
)
def test_a_span_of_whole_days(
    gptkit: InMemory, asked: Ask, options: tuple[str, ...], days: list[int]
) -> None:
    asked(*(charge(ago=ago) for ago in (30, 29, 6, 1, 0)))
    output = gptkit("usage", *options).stdout
    assert [line.split("\t")[0] for line in output.splitlines()] == ["day", *(day(ago) for ago in days)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--since", "soon"), "--since: 'soon' is not a day\nhint: such as 2026-11-20, or 7d"),
        (("--since", "2026-02-30"), "--since: '2026-02-30' is not a day\nhint: such as 2026-11-20, or 7d"),
        (("--until", "7"), "--until: '7' is not a day\nhint: such as 2026-11-20, or 7d"),
        (("--until", "٣d"), "--until: '٣d' is not a day\nhint: such as 2026-11-20, or 7d"),
        (("--until", "0001-01-01"), "--until: '0001-01-01' is not a day\nhint: such as 2026-11-20, or 7d"),
        (
            ("--since", "2026-03-02", "--until", "2026-03-01"),
            "--until is before --since: 2026-03-01 and 2026-03-02",
        ),
    ],
)
def test_a_span_that_is_none(gptkit: InMemory, options: tuple[str, ...], problem: str) -> None:
    assert gptkit("usage", *options) == (2, "", f"gptkit: {problem}\n")


def test_the_month_against_its_limit(gptkit: InMemory, asked: Ask, home: Path) -> None:
    (home / "config" / "config.yaml").write_text(OWN + "monthly_limit: 0.01\n")
    asked(charge())
    asked(charge("b", ago=40))
    line = f"gptkit: {day(0)[:7]}: 0.002 of 0.01 USD used (20%)\n"
    assert gptkit("usage").stderr == line
    assert gptkit("usage", "--since", "60d", "--until", day(35)).stderr == line
    limit = json.loads(gptkit("usage", "--json").stdout)["monthly_limit"]
    assert (limit["month"], limit["limit"], limit["requests"]) == (day(0)[:7], 0.01, 1)
    assert limit["cost"] == pytest.approx(0.002)
    asked(charge("unheard"))
    assert gptkit("usage").stderr.endswith(f"{day(0)[:7]}: at least 0.002 of 0.01 USD used (20%)\n")


def test_aligned_columns_with_a_total_on_a_terminal(gptkit: InMemory, asked: Ask) -> None:
    """Chinese takes two columns a character; a figure that nobody knows is left out."""
    asked(charge("b", tokens=(1_000_000, 0), estimated=True), session="三月")
    asked(charge("unheard", (300, 20)), session="b")
    code, output, errors = gptkit("usage", "--by", "session", tty=True)
    assert (code, output.splitlines()) == (
        0,
        [
            "session  requests  in       out  USD",
            "三月     1         1000000  0    10.000000  estimated",
            "b        1         300      20              1 without a price",
            "total    2         1000300  20   10.000000  estimated, 1 without a price",
        ],
    )
    assert errors.startswith("gptkit: no price is known for 1 of 2 requests: unheard\n")


def test_a_single_row_needs_no_total(gptkit: InMemory, asked: Ask) -> None:
    asked(charge())
    assert len(gptkit("usage", tty=True).stdout.splitlines()) == 2


def test_names_are_data(gptkit: InMemory, asked: Ask) -> None:
    asked(charge("a\x1b]52;c;aGk=\x07b\nc\td"))
    assert "\x1b" not in gptkit("usage", "--by", "model", tty=True).stdout
    piped = gptkit("usage", "--by", "model").stdout
    assert (piped.count("\n"), piped.count("\t")) == (2, 10)


def test_no_cost_is_told_where_only_what_is_free_has_a_price(gptkit: InMemory, asked: Ask) -> None:
    asked(charge("echo", (5, 2)), charge("unheard", (7, 3)))
    asked(charge("echo", (5, 2)), prompt="free")
    lines = gptkit("usage", "--by", "command").stdout.splitlines()
    assert lines[1:] == ["ask\t2\t12\t5\t\t1 without a price", "free\t1\t5\t2\t0.000000\t"]


def test_a_damaged_history_is_told_and_kept(run: AsProcess, home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "history.db").write_bytes(b"not a database" * 100)
    code, output, errors = run("usage")
    assert (code, output) == (74, "")
    assert (home / "data" / "history.db").read_bytes() == b"not a database" * 100
    assert "history.db" in errors
