"""Servers that are a little different, through the whole program: what is sent, and how many requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import settings
from fake.program import InMemory
from fake.replies import Reply, failed
from fake.replies import said as replied
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
        assert gptkit("models", env={"OPENAI_BASE_URL": url}) == (0, "gpt-6-luna\tdefault\t\t\t\n", "")
        assert azure.requests[1].target == "/openai/deployments/d/models?api-version=2026-01-01"
        assert azure.requests[1].headers["api-key"] == "sk-test"
        shown = json.loads(gptkit("ask", "x", "--dry-run", env={"OPENAI_BASE_URL": url}).stdout)
        assert shown["url"] == f"{azure.url}/chat/completions?api-version=2026-01-01"
        assert len(azure.requests) == 2


def refusing(message: str, param: str | None = None, status: int = 400) -> Reply:
    return failed(status, {"error": {"message": message, "param": param}})


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "System role not supported"),
        (500, "Value is not callable: System role not supported at row 1, column 1"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
        (422, "invalid role: 'system'"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (400, "Only user and assistant roles are supported!"),
        (400, "Invalid value: 'system'. Supported values are: 'user', 'assistant'."),
        (400, "role 'system' is not supported"),
        (400, "'system' is not a valid role"),
        (400, "messages[0].role must be one of 'user', 'assistant'"),
        (422, "Input should be 'user' or 'assistant'"),
    ],
)
def test_a_system_message_goes_to_the_user_where_that_role_is_refused(
    gptkit: InMemory, server: FakeServer, status: int, message: str
) -> None:
    server.queue(refusing(message, status=status), *[replied("Salut")] * 3)
    assert gptkit("explain", "Hello") == (0, "Salut\n", "")
    assert gptkit("explain", "Hello") == (0, "Salut\n", "")
    first, second, third = server.requests
    assert [message["role"] for message in second.messages] == ["user"]
    assert second.user == f"{first.system}\n\n{first.user}"
    assert third.messages == second.messages
    said = gptkit("explain", "Hello", "-v").stderr
    assert "is known not to take 'role: system'; sent with the system message in that of the user" in said


def test_a_system_message_stays_where_only_the_turns_are_wrong(gptkit: InMemory, server: FakeServer) -> None:
    words = "After the optional system message, conversation roles must alternate user/assistant"
    server.queue(refusing(words))
    assert gptkit("explain", "Hello").code == 69
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Your organization must be verified to stream this model.", "stream"),
        ("Unsupported value: 'stream' does not support true with this model.", None),
        ("Streaming is not supported for this model", None),
        ("Streaming responses are disabled for this model", None),
        ("stream must be false", None),
        ("This deployment cannot stream", None),
    ],
)
def test_a_server_that_may_not_stream_is_asked_in_one_piece(
    gptkit: InMemory, server: FakeServer, message: str, param: str | None
) -> None:
    server.queue(refusing(message, param), replied("Hi"), replied("Hi"))
    assert gptkit("ask", "x") == (0, "Hi\n", "")
    assert gptkit("ask", "x") == (0, "Hi\n", "")
    assert [request.json.get("stream") for request in server.requests] == [True, None, None]


def test_a_server_that_can_only_stream_is_asked_for_a_stream(gptkit: InMemory, server: FakeServer) -> None:
    server.queue(refusing("This model only support stream mode, please enable it"), replied("Hi"))
    assert gptkit("ask", "x", "--no-stream") == (0, "Hi\n", "")
    assert [request.json.get("stream") for request in server.requests] == [None, True]


def test_a_setting_asks_for_one_piece_at_once(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    settings(home, "stream: false\nidle_timeout: 0.2\n")
    server.say("Hi", delay=0.5)
    assert gptkit("ask", "x") == (0, "Hi\n", "")
    assert "stream" not in server.request.json


def test_what_a_server_rejected_can_be_forgotten(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    settings(home, "temperature: 0.2\n")
    words = "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default is."
    server.queue(refusing(words, "temperature"), *[replied("Hi")] * 4)
    for _ in range(2):
        assert gptkit("ask", "x") == (0, "Hi\n", "")
    note = gptkit("ask", "x", "-v", env={"GPTKIT_MODEL": "other"}).stderr
    assert "known not to take" not in note
    settings(home, "temperature: 1\n")
    assert gptkit("ask", "x") == (0, "Hi\n", "")
    assert [request.json.get("temperature") for request in server.requests] == [0.2, None, None, 0.2, 1]
    assert gptkit("config", "unset", "rejected") == (0, "", "")
    nothing = "gptkit: nothing is remembered that a server did not take\n"
    assert gptkit("config", "unset", "rejected") == (66, "", nothing)


def test_another_path_of_one_host_is_another_server(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    settings(home, "temperature: 0.2\n")
    server.queue(refusing("Unsupported parameter: 'temperature'", "temperature"), replied("Hi"))
    assert gptkit("ask", "x").code == 0
    server.queue(failed(404), failed(404))
    for path in ("/v1", "/other/v1"):
        assert gptkit("ask", "x", env={"OPENAI_BASE_URL": server.origin + path}).code == 69
    assert [request.json.get("temperature") for request in server.requests] == [0.2, None, None, 0.2]
