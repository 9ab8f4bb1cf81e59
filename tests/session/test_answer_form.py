"""The form of an answer that the command line asks for: `--extract` and `--schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import failure, prompt
from fake.program import InMemory, OnTerminal
from fake.replies import failed
from fake.server import FakeServer

from gptkit.core.errors import UsageError
from gptkit.session.answer_form import short_schema

BLOCKS = "先说明：\n\n```sh\necho '你好'\n```\n\n或者：\n\n```python\nprint('a longer block')\n```\n"


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


@pytest.mark.parametrize("how", [["-x"], ["--extract"], ["-x", "--no-stream"]])
def test_extract_prints_the_first_block_alone(gptkit: InMemory, server: FakeServer, how: list[str]) -> None:
    server.say(BLOCKS)
    assert gptkit("say", "greet", *how) == (0, "echo '你好'\n", "")


def test_extract_fills_a_file_and_the_object(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    server.say(BLOCKS, times=2)
    assert gptkit("say", "greet", "-x", "-o", "greet.sh") == (0, "", "")
    assert (folder / "greet.sh").read_text("utf-8") == "echo '你好'\n"
    assert '"answer": "echo \'你好\'"' in gptkit("say", "greet", "-x", "--json").stdout


def test_an_answer_without_a_block_is_not_printed(gptkit: InMemory, server: FakeServer) -> None:
    """A script that pipes the answer into a shell must get no prose."""
    server.say("echo hello")
    assert gptkit("say", "greet", "-x") == (80, "", failure("no code in the answer: 'echo hello'"))


def test_a_terminal_shows_the_block_alone(screen: OnTerminal, server: FakeServer) -> None:
    server.say(BLOCKS)
    shown = screen("say", "greet", "-x")
    assert shown.wait_exit() == 0
    assert shown.text.strip() == "echo '你好'"


def test_extract_replaces_the_output_of_a_prompt(gptkit: InMemory, server: FakeServer) -> None:
    server.say(BLOCKS, times=2)
    assert gptkit("code", "greet").stdout == "print('a longer block')\n"
    assert gptkit("code", "greet", "-x").stdout == "echo '你好'\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["say", "-x", "--raw"], "--raw and --extract do not go together"),
        (["say", "-x", "--response"], "--extract and --response do not go together"),
        (["qa", "-x", "why?", "."], "--extract does not go with the 'documents' of 'qa'"),
        (["tutor", "-x", "algebra", "hi"], "--extract does not go with the 'course' of 'tutor'"),
        (["roleplay", "-x", "a cook", "hi"], "--extract does not go with the 'character' of 'roleplay'"),
        (["do", "-x", "hi"], "--extract does not go with the 'tools' of 'do'"),
        (["translate", "-x", "-f", "."], "--extract works for a single request, and this text needs several"),
        (
            ["translate", "-x", "-f", ".", "--output-dir", "out"],
            "--extract and --output-dir do not go together",
        ),
    ],
)
def test_extract_is_refused_where_the_answer_has_its_own_form(
    gptkit: InMemory, server: FakeServer, folder: Path, args: list[str], message: str
) -> None:
    (folder / "long.txt").write_text("A sentence of a long text.\n" * 4000)
    args = ["long.txt" if word == "." else word for word in args]
    result = gptkit(*args)
    assert (result.code, result.stdout, result.stderr.splitlines()[0]) == (2, "", f"gptkit: {message}")
    assert server.requests == []


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
ANN = '{"name": "安", "age": 36, "tags": ["作家"]}'
ANN_PRINTED = json.dumps(json.loads(ANN), ensure_ascii=False, indent=2) + "\n"


@pytest.mark.parametrize("source", ["person.json", "person.yaml", "short", "object"])
def test_a_schema_is_sent_and_its_json_printed(
    gptkit: InMemory, server: FakeServer, folder: Path, source: str
) -> None:
    (folder / "person.json").write_text(json.dumps(PERSON))
    (folder / "person.yaml").write_text(
        "type: object\nproperties:\n  name: {type: string}\n  age: {type: integer}\n"
        "  tags: {type: array, items: {type: string}}\n"
        "required: [name, age, tags]\nadditionalProperties: false\n"
    )
    given = {"short": "name, age int, tags list", "object": json.dumps(PERSON)}.get(source, source)
    server.say(f"Here it is:\n```json\n{ANN}\n```")
    assert gptkit("say", "invent one", "--schema", given) == (0, ANN_PRINTED, "")
    sent = server.request.json
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": PERSON, "strict": True},
    }
    assert sent["messages"][0]["role"] == "system"  # for servers that ignore the parameter
    assert sent["messages"][0]["content"].endswith(json.dumps(PERSON, separators=(",", ":")))


def test_a_terminal_shows_json_where_the_prompt_streams(screen: OnTerminal, server: FakeServer) -> None:
    server.say(ANN)
    shown = screen("ask", "invent one", "--schema", "name, age int, tags list")
    assert shown.wait_exit() == 0
    assert shown.text.strip() == ANN_PRINTED.strip()


def test_an_answer_beside_the_schema_is_asked_for_once_more(gptkit: InMemory, server: FakeServer) -> None:
    server.say('{"name": "Ann"}')
    server.say("No.")
    told = "gptkit: the answer is not JSON: unexpected 'No.' at line 1, column 1 (tried 2 times)\n"
    assert gptkit("say", "x", "--schema", "name, age int")[:2] == (80, "")
    assert "missing: 'age'" in server.requests[1].json["messages"][-1]["content"]
    server.say("No.", times=2)
    assert gptkit("say", "x", "--schema", "name") == (80, "", told)


def test_a_server_without_schemas_is_asked_in_words_alone(gptkit: InMemory, server: FakeServer) -> None:
    error = {"message": "Unknown parameter: 'response_format'.", "param": "response_format"}
    server.queue(failed(400, {"error": {**error, "code": "unknown_parameter"}}))
    server.say(ANN)
    assert gptkit("say", "x", "--schema", "name, age int, tags list").stdout == ANN_PRINTED
    assert "response_format" not in server.requests[-1].json
    assert '"age":{"type":"integer"}' in server.requests[-1].json["messages"][0]["content"]


@pytest.mark.parametrize(
    ("given", "properties"),
    [
        ("name", {"name": {"type": "string"}}),
        ("name,age int", {"name": {"type": "string"}, "age": {"type": "integer"}}),
        ("price float, ok bool", {"price": {"type": "number"}, "ok": {"type": "boolean"}}),
        (
            "bio: one line, at float",
            {"bio": {"type": "string", "description": "one line"}, "at": {"type": "number"}},
        ),
        (
            "bio: a, b\nage int: years\n",
            {
                "bio": {"type": "string", "description": "a, b"},
                "age": {"type": "integer", "description": "years"},
            },
        ),
        (
            "姓名，年龄 int：周岁",
            {"姓名": {"type": "string"}, "年龄": {"type": "integer", "description": "周岁"}},
        ),
    ],
)
def test_the_short_form(given: str, properties: dict[str, object]) -> None:
    schema = short_schema(given)
    assert schema["properties"] == properties
    assert schema["required"] == list(properties)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "no file and no field"),
        (" , ", "no file and no field"),
        ("age integer", "unknown type 'integer'"),
        ("age int years", "'age int years' is no field"),
        ("-", "'-' is no field"),
        ("a, b, a int", "'a' is there twice"),
    ],
)
def test_a_wrong_short_form(given: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        short_schema(given)
    assert caught.value.message == f"--schema: {message}"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["say", "x", "--schema", "no.json"], 66, "'no.json': no such file"),
        (["say", "x", "--schema", "odd.yaml"], 65, "'odd.yaml': $.type: must fit anyOf"),
        (["say", "x", "--schema", "list.json"], 65, "'list.json': a JSON Schema is an object"),
        (["say", "x", "--schema", "{"], 65, "--schema:"),
        (["say", "x", "--schema", '{"$ref":"http://a/b"}'], 65, "--schema: '$ref' names 'http://a/b'"),
        (["say", "x", "--schema", ""], 2, "--schema: no file and no field"),
        (["say", "x", "--schema", "a", "-x"], 2, "--extract and --schema do not go together"),
        (["qa", "why?", ".", "--schema", "a"], 2, "--schema does not go with the 'documents' of 'qa'"),
        (["roleplay", "a cook", "hi", "--schema", "a"], 2, "--schema goes with --npc here"),
        (["translate", "-f", "long.txt", "--schema", "a"], 2, "--schema works for a single request"),
    ],
)
def test_a_schema_that_cannot_be_used(
    gptkit: InMemory, server: FakeServer, folder: Path, args: list[str], code: int, message: str
) -> None:
    (folder / "long.txt").write_text("A sentence of a long text.\n" * 4000)
    (folder / "odd.yaml").write_text("type: objekt\n")
    (folder / "list.json").write_text("[1]")
    result = gptkit(*args)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"gptkit: {message}")
    assert server.requests == []


def test_the_schema_stands_beside_a_conversation(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Ann is 36.")
    server.say('{"name": "Ann"}')
    assert gptkit("ask", "who?", "-s", "a").code == 0
    assert gptkit("ask", "as data", "-s", "a", "--schema", "name").stdout == '{\n  "name": "Ann"\n}\n'
    roles = [one["role"] for one in server.requests[-1].json["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
