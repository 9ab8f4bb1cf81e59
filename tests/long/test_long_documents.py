"""What is said of a document that is not what it seems."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake.program import InMemory


@pytest.mark.parametrize("prompt", ["translate", "summarize"])
def test_a_broken_document_is_named(gptkit: InMemory, folder: Path, prompt: str) -> None:
    (folder / "a.json").write_text('{"a": "x",\n')
    found = gptkit(prompt, "-f", "a.json", "--as", "json")
    assert found == (65, "", "gptkit: 'a.json': json, line 2: ends where 'key' was expected\n")


def test_keys_that_lead_nowhere_are_told(gptkit: InMemory, folder: Path) -> None:
    (folder / "a.json").write_text('{"title": "One", "n": 1}')
    told = "gptkit: --keys 'titel': no text matches in 'a.json'\n"
    found = gptkit("translate", "-f", "a.json", "--keys", "titel")
    assert found == (0, '{"title": "One", "n": 1}', told)
    assert gptkit("translate", "-f", "a.json", "--keys", "titel", "-q").stderr == ""
