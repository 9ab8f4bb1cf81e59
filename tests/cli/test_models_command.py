"""`gptkit models` against the fake."""

from __future__ import annotations

import json
from pathlib import Path

from fake.program import InMemory
from fake.server import FakeServer
from fake.wire import response

ENV = {"GPTKIT_MODEL": "small"}


def test_lists_the_models_and_marks_the_default(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small", "large")
    assert gptkit("models", env=ENV) == (0, "large\t\t\t\t\nsmall\tdefault\t\t\t\n", "")
    assert (server.request.method, server.request.path) == ("GET", "/v1/models")
    assert server.request.headers["authorization"] == "Bearer sk-test"


def test_aligns_on_a_terminal(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small", "大模型")
    heading = "model            window  input  output\n"
    assert gptkit("models", env=ENV, tty=True) == (0, f"{heading}small   default\n大模型\n", "")


def test_tells_window_and_price_where_they_are_known(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.yaml").write_text("prices: {small: [0.25, 2]}\ncontext_window: 1048576\n")
    server.models("small", "large")
    rows = "large\t\t1048576\t\t\nsmall\tdefault\t1048576\t0.25\t2\n"
    assert gptkit("models", env=ENV) == (0, rows, "")
    server.models("small")
    known = json.loads(gptkit("models", "--json", env=ENV).stdout)["known"]
    assert known == {"small": {"window": 1048576, "input": 0.25, "output": 2}}


def test_says_when_the_default_is_not_offered(gptkit: InMemory, server: FakeServer) -> None:
    server.models("large")
    note = "gptkit: the default model 'small' is not among them\n"
    assert gptkit("models", env=ENV) == (0, "large\t\t\t\t\n", note)


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
    unknown = {"window": None, "input": None, "output": None}
    assert json.loads(output) == {
        "base_url": server.url,
        "default": "small",
        "models": ["large", "small"],
        "known": {"large": unknown, "small": unknown},
    }


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
    assert output.count("\n") == 2  # the heading and the model
