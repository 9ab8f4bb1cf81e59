"""A short name for a model: the setting `aliases`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import prompt
from fake.program import InMemory
from fake.server import FakeServer


def test_an_alias_stands_for_its_model_wherever_one_is_named(gptkit: InMemory, server: FakeServer) -> None:
    assert gptkit("config", "set", "aliases.fast", "gpt-small").code == 0
    assert gptkit("config", "set", "aliases.好", "qwen3:8b").code == 0
    server.say("one", times=3)
    assert gptkit("ask", "x", "-m", "fast").code == 0
    assert gptkit("ask", "x", "-m", "好").code == 0
    assert gptkit("ask", "x", env={"GPTKIT_MODEL": "fast"}).code == 0
    assert [request.json["model"] for request in server.requests] == ["gpt-small", "qwen3:8b", "gpt-small"]


def test_an_alias_in_a_prompt_file_and_in_the_list(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    prompt(home, "description: Say it.\nmodel: fast\n")
    (home / "config" / "config.yaml").write_text("aliases: {fast: gpt-small}\nmodel: fast\n")
    body = json.loads(gptkit("say", "x", "--dry-run").stdout)["body"]
    assert body["model"] == "gpt-small"
    server.models("gpt-small")
    assert gptkit("models").stdout.startswith("gpt-small\tdefault\t")


@pytest.mark.parametrize("value", ["[1]", "''", "true"])
def test_what_is_no_model_is_refused(gptkit: InMemory, home: Path, value: str) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.yaml").write_text(f"aliases: {{fast: {value}}}\n")
    code, output, errors = gptkit("ask", "x")
    assert (code, output) == (78, "")
    assert "aliases.fast" in errors
