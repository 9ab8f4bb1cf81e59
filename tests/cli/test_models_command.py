"""`gptkit models` against the fake."""

from __future__ import annotations

import json

from fake.program import InMemory
from fake.server import FakeServer
from fake.wire import response

ENV = {"GPTKIT_MODEL": "small"}


def test_lists_the_models_and_marks_the_default(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small", "large")
    assert gptkit("models", env=ENV) == (0, "large\t\nsmall\tdefault\n", "")
    assert (server.request.method, server.request.path) == ("GET", "/v1/models")
    assert server.request.headers["authorization"] == "Bearer sk-test"


def test_aligns_on_a_terminal(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small", "大模型")
    assert gptkit("models", env=ENV, tty=True) == (0, "small   default\n大模型\n", "")


def test_says_when_the_default_is_not_offered(gptkit: InMemory, server: FakeServer) -> None:
    server.models("large")
    note = "gptkit: the default model 'small' is not among them\n"
    assert gptkit("models", env=ENV) == (0, "large\t\n", note)


def test_a_list_without_rows_is_empty(gptkit: InMemory, server: FakeServer) -> None:
    server.raw([response(200, {"object": "list", "data": None})])
    note = "gptkit: the default model 'small' is not among them\n"
    assert gptkit("models", env=ENV) == (0, "", note)
    server.raw([response(200, {"object": "list"})])
    assert gptkit("models", env=ENV) == (76, "", "gptkit: malformed answer: no list of models\n")
    assert len(server.requests) == 2


def test_prints_json(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small", "large")
    code, output, errors = gptkit("models", "--json", env=ENV)
    assert (code, errors) == (0, "")
    assert json.loads(output) == {"base_url": server.url, "default": "small", "models": ["large", "small"]}


def test_a_bad_key_is_told(gptkit: InMemory, server: FakeServer) -> None:
    server.fail(401, {"error": {"message": "Incorrect API key provided: sk-test"}})
    code, output, errors = gptkit("models", env=ENV)
    assert (code, output) == (77, "")
    assert "sk-test" not in errors


def test_names_are_data(gptkit: InMemory, server: FakeServer) -> None:
    server.models("a\x1b]52;c;aGk=\x07b\nc")
    code, output, _ = gptkit("models", env=ENV, tty=True)
    assert code == 0
    assert "\x1b" not in output
    assert output.count("\n") == 1
