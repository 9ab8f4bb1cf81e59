"""A real model of 135 million parameters with tools: a valid call or a clean end, and nothing unapproved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import settings
from fake.program import AsProcess, Surroundings
from small_model import NAME, model_file, serving
from tool_parts import DETACHED

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.skipif(
    not model_file().exists(), reason="the small model is not here: python tests/support/small_model.py"
)
FILE = """\
description: A clock and an alarm.
tools:
  calls: structured
  commands:
    time:
      description: Show the time in a city.
      run: [echo, "{city}", "11:15"]
      arguments: {city: {pattern: "[A-Za-z ]{1,40}", help: Name of a city.}}
      risk: read
    stop:
      description: Stop the clock for ever.
      run: [touch, stopped]
      risk: destructive
"""
PATIENCE = 600.0
"""Seconds for some short answers of the model on a busy machine."""


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.mark.parametrize("words", ["what time is it in Tokyo?", "东京现在几点？", "stop the clock"])
def test_a_small_model_calls_a_tool_or_ends(
    words: str, model_url: str, run: AsProcess, around: Surroundings
) -> None:
    folder = around.home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "clock.yaml").write_text(FILE)
    settings(around.home, f"model: {NAME}\n")
    args = ("clock", words, "--json", "--rounds", "3", "--max-tokens", "80")
    env = {"OPENAI_BASE_URL": model_url}
    code, output, errors = run(*args, env=env, command=DETACHED, timeout=PATIENCE)
    assert code in (0, 66, 80, 83), errors
    calls = json.loads(output)["calls"]
    done = [call for call in calls if call["outcome"] in ("ok", "failed", "unknown")]
    assert {call["tool"] for call in done} <= {"time"}
    assert [call for call in done if not call["does"].endswith("11:15")] == []
    assert not (around.folder / "stopped").exists()
    assert Path(around.home, "data", "actions.db").exists() is bool(done)
