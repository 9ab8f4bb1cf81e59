"""The main jobs against an OpenAI-compatible server that this project did not write: aimock, from npm."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory
from fake.waiting import SOON

from gptkit.core.chat import ChatRequest, Endpoint, Message
from gptkit.provider.batches import Batches, request_line

GO = 'package main\n\nimport "encoding/csv"\n'
ANSWERS = (
    ("French", "Hello", {"content": "Bonjour le monde, 世界"}),
    ("e-mail", "move Friday's call", {"content": "Subject: Moving our call\n\nDear Anna,\n\nMonday?"}),
    ("answer", "Hello!", {"content": "Hello! How can I help?"}),
    ("git commit messages", "+retries", {"content": "Try three times"}),
    ("code", "sum a CSV column", {"content": f"Here it is:\n\n```go\n{GO}```\n"}),
    ("French", "cut me", {"content": "Coupe", "finishReason": "length"}),
    (
        "French",
        "no quota",
        {"error": {"message": "no quota", "code": "insufficient_quota"}, "status": 429},
    ),
)


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running aimock."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no Node here: the independent server was not tried")
    folder = tmp_path_factory.mktemp("aimock")
    options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    done = subprocess.run(
        ["npm", "install", *options, "@copilotkit/aimock@1.43.0"], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("npm could not install aimock: the independent server was not tried")
    fixtures = [
        {"match": {"systemMessage": system, "userMessage": user}, "response": response}
        for system, user, response in ANSWERS
    ]
    (folder / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
    program = folder / "node_modules" / ".bin" / "llmock"
    with (folder / "log").open("wb") as log:
        command = [str(program), "-p", "0", "-f", str(folder / "fixtures.json"), "--strict"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"{_listening(folder / 'log')}/v1"
    finally:
        process.terminate()
        process.wait()


def _listening(log: Path) -> str:
    """The address that the server says it listens on, once it answers there."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        _, found, address = log.read_text().partition("listening on ")
        if found and "\n" in address:
            origin = address.split()[0]
            try:
                with urllib.request.urlopen(f"{origin}/v1/models", timeout=SOON):
                    return origin
            except urllib.error.HTTPError:
                return origin
            except OSError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"aimock did not start: {log.read_text()}")


def test_translates_standard_input(run: AsProcess, aimock: str) -> None:
    done = run("translate", "--to", "French", stdin="Hello", env={"OPENAI_BASE_URL": aimock})
    assert done == (0, "Bonjour le monde, 世界\n", "")


def test_drafts_an_email(gptkit: InMemory, aimock: str) -> None:
    done = gptkit("email", "move Friday's call to Monday", "--tone", "warm", env={"OPENAI_BASE_URL": aimock})
    assert done == (0, "Subject: Moving our call\n\nDear Anna,\n\nMonday?\n", "")


def test_prints_the_whole_response_object(gptkit: InMemory, aimock: str) -> None:
    code, output, errors = gptkit("ask", "Hello!", "--response", env={"OPENAI_BASE_URL": aimock})
    response = json.loads(output)
    assert (code, errors, response["object"]) == (0, "", "chat.completion")
    assert response["choices"][0]["message"]["content"] == "Hello! How can I help?"
    assert response["usage"]["completion_tokens"] > 0


def test_writes_a_commit_message(gptkit: InMemory, aimock: str) -> None:
    diff = "--- a/net.py\n+++ b/net.py\n+retries = 3\n"
    assert gptkit("commit", stdin=diff, env={"OPENAI_BASE_URL": aimock}) == (0, "Try three times\n", "")


def test_prints_code_and_nothing_else(gptkit: InMemory, aimock: str) -> None:
    done = gptkit("code", "sum a CSV column", "--lang", "go", env={"OPENAI_BASE_URL": aimock})
    assert done == (0, GO, "")


def test_streams_with_usage_in_json(gptkit: InMemory, aimock: str) -> None:
    code, output, errors = gptkit(
        "translate", "Hello", "--to", "French", "--json", env={"OPENAI_BASE_URL": aimock}
    )
    answer = json.loads(output)
    assert (code, errors, answer["answer"]) == (0, "", "Bonjour le monde, 世界")
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] > 0


def test_says_that_an_answer_is_cut(gptkit: InMemory, aimock: str) -> None:
    code, output, errors = gptkit("translate", "cut me", "--to", "French", env={"OPENAI_BASE_URL": aimock})
    assert (code, output) == (80, "")
    assert errors.startswith("gptkit: answer cut at the token limit\n")


def test_does_not_retry_an_empty_account(gptkit: InMemory, aimock: str) -> None:
    code, output, errors = gptkit("translate", "no quota", "--to", "French", env={"OPENAI_BASE_URL": aimock})
    assert (code, output) == (69, "")
    assert "no quota" in errors


def test_batches_through_files_and_back(aimock: str) -> None:
    """Its batches end when they are looked at for the second time."""
    asked = ChatRequest("gpt-4o", (Message("user", "Hello! 世界"),), stream=False)
    batches = Batches(Endpoint(aimock, "sk-test"))
    lines = [request_line(f"{number:02x}", asked) for number in range(3)]
    made = batches.submit(batches.upload("gptkit-1.jsonl", lines), {"gptkit": "1"})
    assert (made.is_over, made.metadata) == (False, {"gptkit": "1"})
    assert made.id in [batch.id for batch in batches.list_latest(10)]
    batches.status(made.id)
    over = batches.status(made.id)
    assert (over.status, over.total, over.completed) == ("completed", 3, 3)
    found = {result.custom_id: result.reply for result in batches.results(over.files)}
    assert sorted(found) == ["00", "01", "02"]
    assert all(reply and reply.reason == "stop" and reply.text for reply in found.values())


def test_a_batch_is_cancelled(aimock: str) -> None:
    batches = Batches(Endpoint(aimock, "sk-test"))
    line = request_line("00", ChatRequest("gpt-4o", (Message("user", "Hello!"),), stream=False))
    made = batches.submit(batches.upload("gptkit-2.jsonl", [line]), {})
    assert batches.cancel(made.id).status in ("cancelling", "cancelled")
