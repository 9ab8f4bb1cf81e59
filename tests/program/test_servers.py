"""Servers that are a little different, through the whole program: what is sent, and how many requests."""

from __future__ import annotations

import json

from fake.program import InMemory
from fake.server import FakeServer


def test_azure_is_asked_with_its_version_and_its_own_header(gptkit: InMemory) -> None:
    with FakeServer(prefix="/openai/deployments/d") as azure:
        azure.say("Hi")
        url = f"{azure.url}?api-version=2026-01-01"
        assert gptkit("ask", "x", "--base-url", url, "--no-log", env={"OPENAI_BASE_URL": url}) == (
            0,
            "Hi\n",
            "",
        )
        sent = azure.request
        assert sent.target == "/openai/deployments/d/chat/completions?api-version=2026-01-01"
        assert sent.headers["api-key"] == "sk-test"
        assert "authorization" not in sent.headers
        azure.models("gpt-6-luna")
        assert gptkit("models", env={"OPENAI_BASE_URL": url}) == (0, "gpt-6-luna\tdefault\n", "")
        assert azure.requests[1].target == "/openai/deployments/d/models?api-version=2026-01-01"
        assert azure.requests[1].headers["api-key"] == "sk-test"
        shown = json.loads(gptkit("ask", "x", "--dry-run", env={"OPENAI_BASE_URL": url}).stdout)
        assert shown["url"] == f"{azure.url}/chat/completions?api-version=2026-01-01"
        assert len(azure.requests) == 2
