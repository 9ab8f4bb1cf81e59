"""`--dry-run` of a long job: what it says is what the job then takes, and never less."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fake.program import InMemory
from fake.received import Received
from fake.server import FakeServer
from long_books import book

from gptkit.core.chat import ChatRequest, Message
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import prompt_tokens

ERROR = 1.02
"""What phrases that are settled on the way may add."""


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else; `digest` makes one result."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    for name, mode, piece in (("same", "map", 60), ("digest", "reduce", 400)):
        (folder / f"{name}.yaml").write_text(
            f"description: Works.\nsystem: Work as {name}.\nlong: {{mode: {mode}, piece: {piece}}}\n"
        )
    return "same"


def asked_with(server: FakeServer) -> int:
    """The tokens of all prompts."""
    return sum(
        prompt_tokens(
            ChatRequest("m", tuple(Message("user", one["content"]) for one in request.json["messages"]))
        )
        for request in server.requests
    )


def text_of(request: Received) -> str:
    return str(request.json["messages"][-1]["content"])


def identity(request: Received) -> str:
    return text_of(request)


def defective_once(request: Received) -> str:
    """One piece in ten comes without its placeholder, and is asked for again."""
    messages = request.json["messages"]
    if len(messages) > 2:
        return str(messages[1]["content"])
    return text_of(request).replace("⟦0⟧", "") if "0n" in text_of(request) else text_of(request)


def short(_request: Received) -> str:
    return "A word. 一句。"


def as_long_as_allowed(request: Received) -> str:
    told = re.search(r"At most (\d+) words, or (\d+) characters", request.json["messages"][0]["content"])
    if "第" in text_of(request):
        return "第" * (int(told[2]) if told else 100)
    return "word and " * (int(told[1]) // 2 if told else 25)


SENTENCES = {
    "English": "The quick brown fox jumps over the lazy dog and comes home late, tired. {{count}} n{}n ",
    "Chinese": "第二天早上他们沿着河边走了很久，谁也没有说话。{{count}} n{}n ",
}
JOBS = [
    ("same", identity),
    ("same", defective_once),
    ("digest", short),
    ("digest", as_long_as_allowed),
]


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize(("name", "answer"), JOBS, ids=lambda one: getattr(one, "__name__", one))
def test_a_job_takes_no_more_than_its_forecast(
    gptkit: InMemory,
    server: FakeServer,
    same: str,
    name: str,
    answer: Callable[[Received], str],
    language: str,
) -> None:
    assert gptkit("config", "set", "prices", "{m: [10, 40]}").code == 0
    text = "".join(SENTENCES[language].format(number) * 3 + "\n\n" for number in range(120))
    answered: list[int] = []

    def counted(request: Received) -> str:
        answered.append(estimate_tokens(answer(request)))
        return answer(request)

    server.answer(counted)
    told = json.loads(gptkit(name, "--model", "m", "--dry-run", stdin=text).stdout)["estimate"]
    assert gptkit(name, "--model", "m", "--yes", stdin=text).code == 0
    taken = {
        "requests": len(server.requests),
        "prompt_tokens": asked_with(server),
        "completion_tokens": sum(answered),
    }
    for kind, tokens in taken.items():
        least, most = told[kind]
        assert least <= most
        assert tokens <= most * ERROR, kind
    spent = (taken["prompt_tokens"] * 10 + taken["completion_tokens"] * 40) / 1e6
    assert told["cost"]["usd"][0] <= told["cost"]["usd"][1]
    assert spent <= told["cost"]["usd"][1] * ERROR


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
    assert told["estimate"]["prompt_tokens"][0] == pytest.approx(asked_with(server), rel=0.02)


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
