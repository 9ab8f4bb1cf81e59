"""What a request holds beside its messages: only what an option, a setting or the prompt file asks for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from asking import HELP_HINT, SAY, body, failure, prompt, settings
from fake.program import InMemory
from fake.replies import Reply, failed, said
from fake.server import FakeServer

from gptkit.settings.schema import DEFAULT_MODEL

OK = (0, "Hi\n", "")
AT_LEAST_ONE = "it must be a whole number of at least 1"


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


def rejecting(name: str) -> Reply:
    """The refusal of a parameter, in OpenAI's words."""
    error = {
        "message": f"Unsupported parameter: '{name}' is not supported with this model.",
        "type": "invalid_request_error",
        "param": name,
        "code": "unsupported_parameter",
    }
    return failed(400, {"error": error})


def parameters(request: Any) -> dict[str, Any]:
    return {name: value for name, value in request.json.items() if name != "messages"}


def test_nothing_is_sent_that_nobody_asked_for(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Hi", times=3)
    assert gptkit("say", "x") == OK
    assert gptkit("say", "x", "--no-stream") == OK
    assert gptkit("ask", "x") == OK
    assert [set(request.json) for request in server.requests] == [
        {"model", "messages", "stream"},
        {"model", "messages"},
        {"model", "messages", "stream"},
    ]


@pytest.mark.parametrize(
    ("args", "sent"),
    [
        (["-m", "m"], {"model": "m"}),
        (["--model", "模型/x:1"], {"model": "模型/x:1"}),
        (["-m", "a", "-m", "b"], {"model": "b"}),
        (["--temperature", "0"], {"temperature": 0.0}),
        (["--temperature", "1.5"], {"temperature": 1.5}),
        (["--effort", "high"], {"reasoning_effort": "high"}),
        (["--effort", "low", "--param", "reasoning_effort=none"], {"reasoning_effort": "none"}),
        (["--param", "seed=7"], {"seed": 7}),
        (["--param", "top_p=0.5", "--param", "n=1"], {"top_p": 0.5, "n": 1}),
        (["--param", "a=true", "--param", "b=False", "--param", "c="], {"a": True, "b": False, "c": None}),
        (["--param", "stop=[END, '1']"], {"stop": ["END", "1"]}),
        (["--param", "logit_bias={50256: -100}"], {"logit_bias": {"50256": -100}}),
        (["--param", "response_format={type: json_object}"], {"response_format": {"type": "json_object"}}),
        (["--param", "name=李 = 李"], {"name": "李 = 李"}),
        (["--param", "a=no", "--param", "b=2024-01-01"], {"a": "no", "b": "2024-01-01"}),
        (["--param", "a=.nan", "--param", "b=&b [*b]"], {"a": ".nan", "b": "&b [*b]"}),
        (["--param", "a='7'"], {"a": "7"}),
        (["--param", "a=1.0.0"], {"a": "1.0.0"}),
        (["--param", "a=b: c: d"], {"a": "b: c: d"}),
        (["--param", "a=!!python/object:os.system x"], {"a": "!!python/object:os.system x"}),
        (["--param", "a=1", "--param", "a=2"], {"a": 2}),
    ],
)
def test_an_option_is_sent_as_it_is(
    gptkit: InMemory, server: FakeServer, args: list[str], sent: dict[str, Any]
) -> None:
    server.say("Hi")
    assert gptkit("say", "x", *args) == OK
    assert server.request.json == body("x", **sent)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--param", "seed"], "--param takes KEY=VALUE, this is 'seed'"),
        (["--param", "=1"], "--param takes KEY=VALUE, this is '=1'"),
        (["--param", "a b=1"], "--param takes KEY=VALUE, this is 'a b=1'"),
        (["--param", "model=x"], "--param model: gptkit sets it itself"),
        (["--param", "messages=[]"], "--param messages: gptkit sets it itself"),
        (["--param", "stream=false"], "--param stream: gptkit sets it itself"),
        (["--model", ""], "--model: must not be empty"),
        (["--temperature", "-1"], "--temperature: must be at least 0"),
        (["--temperature", "nan"], "--temperature: must be a number"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_is_no_parameter_is_refused(
    gptkit: InMemory, server: FakeServer, args: list[str], message: str, dry: list[str]
) -> None:
    assert gptkit("say", "x", *args, *dry) == (2, "", failure(message))
    assert server.requests == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--temperature", "warm"], "invalid value for '--temperature': it must be a number"),
        (["--max-tokens", "0"], f"invalid value for '--max-tokens': {AT_LEAST_ONE}"),
        (
            ["--max-requests", "0"],
            "invalid value for '--max-requests': it must be a whole number of at least 1",
        ),
        (["-m"], "option '-m' requires an argument"),
    ],
)
def test_what_is_no_value_is_refused(
    gptkit: InMemory, server: FakeServer, args: list[str], message: str
) -> None:
    assert gptkit("say", "x", *args) == (2, "", f"gptkit: {message}\n" + HELP_HINT)
    assert server.requests == []


LONG, SHORT = "max_completion_tokens", "max_tokens"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-6-luna", LONG),
        ("gpt-5", LONG),
        ("gpt-10-mini", LONG),
        ("o3-mini", LONG),
        ("openai/o1", LONG),
        ("chatgpt-4o-latest", LONG),
        ("gpt-4o", SHORT),
        ("gpt-3.5-turbo", SHORT),
        ("llama3.2:1b", SHORT),
        ("deepseek-chat", SHORT),
        ("qwen3", SHORT),
        ("anthropic/claude", SHORT),
        ("o", SHORT),
    ],
)
def test_the_limit_of_an_answer_has_the_name_of_the_family(
    gptkit: InMemory, server: FakeServer, home: Path, model: str, name: str
) -> None:
    server.say("Hi", times=2)
    assert gptkit("say", "x", "-m", model, "--max-tokens", "100") == OK
    settings(home, "max_tokens: 100\n")
    assert gptkit("say", "x", "-m", model) == OK
    assert [request.json for request in server.requests] == [body("x", **{"model": model, name: 100})] * 2


def test_the_host_of_the_sdk_knows_one_name_only(gptkit: InMemory) -> None:
    env = {"OPENAI_BASE_URL": "https://api.openai.com/v1"}
    shown = gptkit("say", "x", "-m", "gpt-4o", "--max-tokens", "9", "--dry-run", env=env).stdout
    assert json.loads(shown)["body"] == body("x", model="gpt-4o", max_completion_tokens=9)


FILE = "model: of-file\nparameters: {temperature: 0.2, seed: 1, max_tokens: 10}\n"


@pytest.mark.parametrize(
    ("file", "config", "args", "sent"),
    [
        ("", "model: of-setting\n", [], {"model": "of-setting"}),
        (FILE, "", [], {"model": "of-file", "temperature": 0.2, "seed": 1, SHORT: 10}),
        (
            FILE,
            "model: of-setting\ntemperature: 0.9\nmax_tokens: 90\nparameters: {seed: 9, top_p: 0.9}\n",
            [],
            {"model": "of-file", "temperature": 0.2, "seed": 1, SHORT: 10, "top_p": 0.9},
        ),
        (
            FILE,
            "temperature: 0.9\n",
            ["-m", "m", "--temperature", "0.5", "--max-tokens", "5", "--param", "seed=5"],
            {"model": "m", "temperature": 0.5, SHORT: 5, "seed": 5},
        ),
        (
            FILE,
            "",
            ["-m", "gpt-6", "--max-tokens", "5"],
            {"model": "gpt-6", "temperature": 0.2, "seed": 1, LONG: 5},
        ),
        ("", "parameters: {seed: 9}\n", ["--param", "seed=null"], {"seed": None}),
        ("", "temperature: 0.9\n", ["--param", "temperature=0.5"], {"temperature": 0.5}),
        ("", "parameters: {stop: [a], extra: {b: [1]}}\n", [], {"stop": ["a"], "extra": {"b": [1]}}),
    ],
)
def test_options_come_before_the_file_and_the_file_before_settings(
    gptkit: InMemory,
    server: FakeServer,
    home: Path,
    file: str,
    config: str,
    args: list[str],
    sent: dict[str, Any],
) -> None:
    prompt(home, SAY + file)
    settings(home, config)
    server.say("Hi")
    assert gptkit("say", "x", *args) == OK
    assert server.request.json == body("x", **sent)


def test_usage_is_asked_for_where_it_is_shown(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Hi", usage=(12, 3), times=3)
    code, output, errors = gptkit("say", "x", "-v")
    assert (code, output) == (0, "Hi\n")
    transport, summary = errors.splitlines()
    assert transport == "gptkit: transport: direct"
    assert summary.startswith(f"gptkit: {DEFAULT_MODEL}: 12 tokens in, 3 out, first word after ")
    assert (summary.count(", "), summary.endswith(" s in all")) == (3, True)
    assert gptkit("say", "x", "--json").code == 0
    assert f"gptkit: {DEFAULT_MODEL}: 12 tokens in, 3 out" in gptkit("say", "x", "-v", "--no-stream").stderr
    assert [request.json.get("stream_options") for request in server.requests] == [
        {"include_usage": True},
        {"include_usage": True},
        None,
    ]


def test_the_line_of_verbose_estimates_what_the_server_does_not_say(
    gptkit: InMemory, server: FakeServer
) -> None:
    server.say("Hi", usage=None)
    _, summary = gptkit("say", "x", "-v").stderr.splitlines()
    assert summary.startswith(f"gptkit: {DEFAULT_MODEL}: ≈ 1 tokens out (estimated), ")


def test_a_refused_parameter_of_a_file_or_setting_is_dropped_and_remembered(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    prompt(home, SAY + "parameters: {seed: 1}\n")
    settings(home, "temperature: 0.2\n")
    server.queue(rejecting("temperature"), rejecting("seed"), said("Hi"), said("Hi"), said("Hi"))
    assert gptkit("say", "x") == OK
    assert gptkit("say", "x") == OK
    assert gptkit("say", "x", "-m", "other") == OK
    assert [set(parameters(request)) - {"model", "stream"} for request in server.requests] == [
        {"temperature", "seed"},
        {"seed"},
        set(),
        set(),
        {"temperature", "seed"},
    ]
    remembered = home / "data" / "rejected.json"
    assert remembered.stat().st_mode & 0o777 == 0o600
    rows = json.loads(remembered.read_text())
    assert all(abs(row.pop("learned") - time.time()) < 100_000 for row in rows)
    about = {"base_url": server.url, "model": DEFAULT_MODEL}
    assert rows == [{**about, "parameter": "temperature"}, {**about, "parameter": "seed"}]


def test_a_refused_parameter_that_was_typed_is_a_failure(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    settings(home, "temperature: 0.2\n")
    server.queue(rejecting("temperature"), rejecting("seed"), rejecting("reasoning_effort"))
    message = "request not accepted (400): Unsupported parameter: '{}' is not supported with this model."
    errors = failure(message.format("temperature"))
    assert gptkit("say", "x", "--temperature", "0.5") == (69, "", errors)
    assert gptkit("say", "x", "--param", "seed=1") == (69, "", failure(message.format("seed")))
    effort = failure(message.format("reasoning_effort"))
    assert gptkit("say", "x", "--effort", "low") == (69, "", effort)
    assert not (home / "data" / "rejected.json").exists()


def test_a_limit_is_sent_by_its_other_name(gptkit: InMemory, server: FakeServer) -> None:
    server.queue(rejecting(SHORT), said("Hi"), said("Hi"))
    for _ in range(2):
        assert gptkit("say", "x", "-m", "new", "--max-tokens", "5") == OK
    assert [parameters(request) for request in server.requests] == [
        {"model": "new", "stream": True, SHORT: 5},
        {"model": "new", "stream": True, LONG: 5},
        {"model": "new", "stream": True, LONG: 5},
    ]


def test_a_dropped_parameter_is_told_to_who_asks(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    settings(home, "temperature: 0.2\n")
    server.queue(rejecting("temperature"), said("Hi"))
    _, first, second = gptkit("say", "x", "-v").stderr.splitlines()
    assert first == f"gptkit: '{DEFAULT_MODEL}' does not take 'temperature'; sent again without it"
    assert second.startswith(f"gptkit: {DEFAULT_MODEL}: 11 tokens in, 2 out")


def test_a_memory_that_cannot_be_kept_costs_one_request(
    gptkit: InMemory, server: FakeServer, home: Path
) -> None:
    settings(home, "temperature: 0.2\n")
    (home / "data").write_text("not a folder")
    server.queue(rejecting("temperature"), said("Hi"))
    assert gptkit("say", "x", "--no-log") == OK


def test_requests_are_counted_before_they_are_sent(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    settings(home, "temperature: 0.2\n")
    server.queue(rejecting("temperature"))
    code, output, errors = gptkit("say", "x", "--max-requests", "1")
    assert (code, output, len(server.requests)) == (82, "", 1)
    assert errors.startswith(
        "gptkit: the budget of 1 request is used up; the last request failed: request not"
    )
    server.queue(rejecting("temperature"), said("Hi"))
    assert gptkit("say", "x", "--max-requests", "2") == OK
