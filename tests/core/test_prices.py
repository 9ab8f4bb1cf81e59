"""What a request costs: the settings' prices, the dated list, and honest ignorance."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake.program import InMemory
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import Usage

from gptkit.core.prices import Prices

OPENAI = "https://api.openai.com/v1"
PLAIN = (
    "https://api.openai.com",
    "https://api.anthropic.com",
    "https://api.novita.ai",
    "https://api.perplexity.ai",
    "https://api.together.xyz",
    "https://api.x.ai",
)
NOW = datetime(2026, 11, 20, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("url", "model", "source", "cost"),
    [
        (OPENAI, "gpt-4.1", "provider", 0.0028),
        (OPENAI, "gpt-4.1-2025-04-14", "provider", 0.0028),
        ("api.openai.com", "gpt-4.1", "provider", 0.0028),
        (OPENAI, "no-such-model", "none", None),
        (OPENAI, "claude-sonnet-4-5", "none", None),  # somebody else's
        (OPENAI, "whisper-1", "provider", None),  # for seconds
        (OPENAI, "", "none", None),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o", "provider", 0.0035),
        ("https://gateway.example.com/v1", "gpt-4.1", "name", 0.0028),
        ("https://gateway.example.com/v1", "openai/gpt-4.1", "name", 0.0028),
        ("https://gateway.example.com/v1", "模型", "none", None),
        ("http://localhost:11434/v1", "llama3.2", "offline", 0.0),
        ("[::1]:1234", "gemma3", "offline", 0.0),
        ("http://localhost:11434/v1", "gpt-oss:120b-cloud", "machine", None),
        ("https://example.com:11434/v1", "llama3.2", "none", None),
        ("http://localhost:8080/v1", "llama3.2", "machine", None),  # llama.cpp, or a gateway that costs
        ("http://127.0.0.1:4000/v1", "openai/gpt-4o", "machine", None),
        ("[::1]:8080", "gpt-4.1", "machine", None),
        ("https://localhost.example.com/v1", "gpt-4.1", "name", 0.0028),
        (OPENAI, "echo", "offline", 0.0),
        ("http://localhost:11434/v1", "local:/m.gguf", "offline", 0.0),
        ("", "gpt-4.1", "name", 0.0028),
    ],
)
def test_who_knows_a_price(url: str, model: str, source: str, cost: float | None) -> None:
    prices = Prices({}, url)
    assert prices.cost(model, 1000, 100, NOW) == (cost if cost is None else pytest.approx(cost))
    assert prices.source(model) == source


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-4.1", 2.05),
        ("gpt-4.1-2025-04-14", 2.05),
        ("gpt-4.1@20250414", 2.05),
        ("gpt-4.1-mini", None),
        ("llama3.2:latest", 0.0),
        ("echo", 3.0),
        ("local:llama", 0.0),
        ("broken", None),
    ],
)
def test_the_users_own_price_comes_first(model: str, cost: float | None) -> None:
    own = {"gpt-4.1": [2, 0.5], "llama3.2": [0, 0], "echo": [1, 20], "broken": "free"}
    prices = Prices(own, "http://localhost:4000/v1")
    assert prices.cost(model, 1_000_000, 100_000) == (cost if cost is None else pytest.approx(cost))
    assert Prices(own, OPENAI).for_host("localhost:1").cost("gpt-4.1", 1_000_000, 0) == 2


def test_every_price_of_the_list_is_what_the_list_makes_of_it() -> None:
    """Ours is shorter; tiers, dates and prices for each request must not be lost by it."""
    known = 0
    for provider in get_snapshot().providers:
        url = provider.api_pattern.replace("\\", "")
        prices = Prices({}, url)
        for model in provider.models if url in PLAIN else ():
            for tokens in ((1000, 100), (1_000_000, 7)):
                ours = prices.cost(model.id, *tokens, NOW)
                assert (ours or 0) == pytest.approx(listed(url, model.id, NOW, tokens)), model.id
                known += ours is not None
    assert known > 500


def listed(url: str, model: str, when: float, tokens: tuple[int, int]) -> float:
    """The cost in the library's own calculation; 0 also for a model that it does not find by its own id."""
    usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1])
    try:
        found = get_snapshot().calc(usage, model, None, url, datetime.fromtimestamp(when, UTC))
    except LookupError:
        return 0.0
    return float(found.total_price)


def test_a_long_request_costs_more_for_each_token() -> None:
    prices = Prices({}, OPENAI)
    short, long = (prices.cost("gpt-6-luna", tokens, 0, NOW) for tokens in (200_000, 400_000))
    assert short is not None
    assert long is not None
    assert long > 2 * short


def test_a_request_costs_what_it_cost_then() -> None:
    prices, changed = Prices({}, OPENAI), 0
    for model in next(each for each in get_snapshot().providers if each.id == "openai").models:
        costs = set()
        for year in range(2024, 2028):
            when = datetime(year, 12, 31, tzinfo=UTC).timestamp()
            costs.add(cost := prices.cost(model.id, 1000, 1000, when) or 0)
            assert cost == pytest.approx(listed(OPENAI, model.id, when, (1000, 1000))), model.id
        changed += len(costs) > 1
    assert changed


@pytest.mark.parametrize("when", [1e300, -1e300, float("nan"), float("inf")])
def test_an_absurd_time_is_taken_as_now(when: float) -> None:
    assert Prices({}, OPENAI).cost("gpt-4.1", 1000, 100, when) == pytest.approx(0.0028)


def test_the_window() -> None:
    assert Prices({}, OPENAI).context_window("gpt-4.1") == 1_000_000
    assert Prices({}, OPENAI).context_window("no-such-model") is None
    assert Prices({}, "http://localhost:11434/v1").context_window("gpt-4.1") is None
    assert Prices({}, OPENAI).context_window("echo") is None
    assert Prices({}, "http://localhost:11434/v1", 4096).context_window("llama3.2") == 4096
    assert Prices({}, OPENAI, 4096).for_host("localhost").context_window("gpt-4.1") == 4096


def test_the_list_says_of_when_it_is() -> None:
    prices = Prices({}, OPENAI)
    day = datetime.strptime(prices.date, "%Y-%m-%d").replace(tzinfo=UTC)
    assert datetime(2026, 1, 1, tzinfo=UTC) < day < datetime.now(UTC)
    assert prices.version.startswith("genai-prices 0.")


def test_the_list_is_loaded_when_it_is_asked_and_never_updated() -> None:
    program = """
import sys
from gptkit.core.prices import Prices
prices = Prices({"m": [1, 2]}, "https://api.openai.com/v1")
prices.cost("m", 1, 1), prices.cost("echo", 1, 1), prices.context_window("echo"), prices.source("m")
Prices({}, "http://localhost:1").cost("gpt-4.1", 1, 1)
assert "genai_prices" not in sys.modules
def refuse(event, args):
    assert not event.startswith("socket."), event
sys.addaudithook(refuse)
assert prices.cost("gpt-4.1", 1000, 100) and prices.context_window("gpt-4.1") and prices.date
import threading
assert threading.active_count() == 1
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("prices.gpt-4.1", "[2, 8]", "prices:\n  gpt-4.1: [2, 8]\n"),
        ("prices.a/b:c", "{output: 10, input: 2.50}", "prices:\n  a/b:c: [2.5, 10]\n"),
        ("prices.模型-3.5", '["1e-1", 0]', "prices:\n  模型-3.5: [0.1, 0]\n"),
        ("prices", "{a.b: [1, 2]}", 'prices: {"a.b": [1, 2]}\n'),
        ("monthly_limit", "12.50", "monthly_limit: 12.5\n"),
        ("context_window", "8192", "context_window: 8192\n"),
        ("log", "off", "log: false\n"),
    ],
)
def test_settings_that_are_taken(gptkit: InMemory, home: Path, name: str, text: str, written: str) -> None:
    assert gptkit("config", "set", name, text) == (0, "", "")
    assert (home / "config" / "config.yaml").read_text("utf-8") == written
    value = json.loads(gptkit("config", "get", name).stdout)
    assert gptkit("config", "set", name, json.dumps(value)) == (0, "", "")
    assert (home / "config" / "config.yaml").read_text("utf-8") == written
    assert gptkit("config", "unset", name) == (0, "", "")
    assert gptkit("config", "get", "prices.gpt-4.1").code == 66


SHAPE = "must be [INPUT, OUTPUT] in USD per million tokens, such as [2, 8]"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("prices.m", "2", SHAPE),
        ("prices.m", "[2]", SHAPE),
        ("prices.m", "[1, 2, 3]", SHAPE),
        ("prices.m", "{input: 2}", SHAPE),
        ("prices.m", "cheap", SHAPE),
        ("prices.m", "[2, -1]", "a price must be at least 0"),
        ("prices.m", "[2, many]", "must be a number"),
        ("prices.m", "[2, true]", "must be a number"),
        ("prices.m", "[2, .inf]", "must be a number"),
        ("prices.", "[2, 8]", "is not the name of a model"),
        ("prices", "[2, 8]", "must be a mapping of names to values"),
        ("monthly_limit", "0", "must be more than 0"),
        ("context_window", "0", "must be at least 1"),
        ("log", "sometimes", "must be true or false"),
    ],
)
def test_settings_that_are_refused(gptkit: InMemory, home: Path, name: str, text: str, problem: str) -> None:
    assert gptkit("config", "set", name, text) == (2, "", f"gptkit: {name}: {problem}\n")
    assert not (home / "config" / "config.yaml").exists()


def test_a_price_in_the_file_is_refused_by_line(gptkit: InMemory, home: Path) -> None:
    path = home / "config" / "config.yaml"
    path.parent.mkdir()
    path.write_text("prices:\n  gpt-4.1: [2, 8]\n  gpt-5: 3\n")
    assert gptkit("config", "list") == (78, "", f"gptkit: {path}:3: prices.gpt-5: {SHAPE}\n")


def test_a_profile_takes_a_price_away(gptkit: InMemory, home: Path) -> None:
    path = home / "config" / "config.yaml"
    path.parent.mkdir()
    path.write_text("prices: {a: [1, 2], b: [3, 4]}\nprofiles: {p: {prices: {a: null, b: [5, 6]}}}\n")
    assert json.loads(gptkit("config", "get", "prices", "--profile", "p").stdout) == {"b": [5, 6]}


def test_a_part_of_a_models_name_is_not_its_price(gptkit: InMemory, home: Path) -> None:
    gptkit("config", "set", "prices.gpt-4.1", "[2, 8]")
    path = home / "config" / "config.yaml"
    problem = f"gptkit: 'prices.gpt-4' is not set in '{path}'\n"
    assert gptkit("config", "unset", "prices.gpt-4") == (66, "", problem)
    assert gptkit("config", "get", "prices.gpt-4.1") == (0, "[2, 8]\n", "")
