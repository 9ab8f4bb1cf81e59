"""Where the answer goes and in which form: a pipe, a file, an object, the API's response, nowhere."""

from __future__ import annotations

import json
import os
import stat
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from asking import SAY, body, failure, prompt
from fake.program import COMMAND, AsProcess, InMemory, Result
from fake.server import FakeServer
from fake.wire import Completion

from gptkit.history.model import SESSION_ID
from gptkit.settings.schema import DEFAULT_MODEL

CUT = "raise --max-tokens, or choose a model with a larger limit"
LIMIT = "answer cut at the token limit"
on_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)


def last_object(errors: str) -> Any:
    """The failure as an object, on the last of two lines."""
    first, last = errors.splitlines()
    assert first.startswith("gptkit: ")
    return json.loads(last)


ANSWERS = [
    ("Hi", "Hi\n"),
    ("Hi\n", "Hi\n"),
    ("Hi\n\n\n", "Hi\n\n\n"),
    ("  Hi  ", "  Hi  \n"),
    ("\n\nHi", "\n\nHi\n"),
    ("a\r\nb\r\n", "a\r\nb\r\n"),
    ("x" * 300 + " wide", "x" * 300 + " wide\n"),
    ("**bold** `code`\n\n- a\n", "**bold** `code`\n\n- a\n"),
    ("世界 🌍 e\u0301", "世界 🌍 e\u0301\n"),
    ("\x1b[31mred\x07\u202e", "\x1b[31mred\x07\u202e\n"),
    ("```go\npackage main\n```", "```go\npackage main\n```\n"),
]


@pytest.mark.parametrize(("answer", "written"), ANSWERS)
@pytest.mark.parametrize("args", [[], ["--no-stream"], ["--raw"], ["-o", "-"]])
def test_a_pipe_gets_the_answer_and_a_final_newline(
    gptkit: InMemory, server: FakeServer, answer: str, written: str, args: list[str]
) -> None:
    server.say(answer, pieces=3)
    result = gptkit("say", "x", *args, width=20)
    assert (result.code, result.raw, result.stderr) == (0, written.encode(), "")


@pytest.mark.parametrize(("answer", "written"), ANSWERS)
def test_a_file_gets_what_a_pipe_would(
    gptkit: InMemory, server: FakeServer, folder: Path, answer: str, written: str
) -> None:
    server.say(answer, pieces=3)
    assert gptkit("say", "x", "-o", "答.md") == (0, "", "")
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("答.md", written.encode())]


@on_posix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_by_its_name_takes_nothing_from_a_file(
    run: AsProcess, server: FakeServer, folder: Path, name: str
) -> None:
    server.say("new")
    (folder / "log").write_text("before\n")
    shell = ("/bin/sh", "-c", 'exec "$@" >> log', "sh", *COMMAND)
    assert run("say", "x", "-o", name, command=shell) == (0, "", "")
    assert (folder / "log").read_text() == "before\nnew\n"


@on_posix
def test_an_existing_file_keeps_its_mode_and_a_link_stays(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    server.say("new", times=2)
    old, link = folder / "old", folder / "link"
    old.write_text("old")
    old.chmod(0o750)
    link.symlink_to("old")
    assert gptkit("say", "x", "--output", "link") == (0, "", "")
    assert (old.read_text(), stat.S_IMODE(old.stat().st_mode), link.is_symlink()) == ("new\n", 0o750, True)
    assert gptkit("say", "x", "-o", "other") == (0, "", "")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((folder / "other").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    ("replies", "code", "errors"),
    [
        (
            [401],
            77,
            failure(
                "the key in OPENAI_API_KEY was not accepted (401): no",
                "correct OPENAI_API_KEY: it comes before what 'gptkit keys set' stores",
            ),
        ),
        (
            [404],
            69,
            failure(f"no model '{DEFAULT_MODEL}' at 'URL' (404): no", "'gptkit models' lists what is there"),
        ),
    ],
)
def test_a_failure_leaves_the_file_alone(
    gptkit: InMemory, server: FakeServer, folder: Path, replies: list[int], code: int, errors: str
) -> None:
    (folder / "old").write_text("old")
    for status in replies:
        server.fail(status, message="no")
    assert gptkit("say", "x", "-o", "old") == (code, "", errors.replace("URL", server.url))
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("old", "old")]


def test_a_cut_answer_goes_beside_the_file(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    server.say("half an ans", finish="length")
    (folder / "old").write_text("old")
    hint = "'old' was not written; what came is in 'old.partial'"
    assert gptkit("say", "x", "-o", "old") == (80, "", failure(LIMIT, hint))
    assert (folder / "old").read_text() == "old"
    assert (folder / "old.partial").read_text() == "half an ans"
    server.say("half", finish="length")
    record = gptkit("say", "x", "-o", "new", "--json")
    assert (record.code, record.stdout, last_object(record.stderr)["code"]) == (80, "", 80)
    assert json.loads((folder / "new.partial").read_text())["answer"] == "half"
    server.say("half", finish="length")
    hint = "'third' was not written; what came is in 'third.partial'"
    assert gptkit("say", "x", "-o", "third", "--response") == (80, "", failure(LIMIT, hint))
    assert json.loads((folder / "third.partial").read_text())["choices"][0]["message"]["content"] == "half"
    assert sorted(path.name for path in folder.iterdir()) == [
        "new.partial",
        "old",
        "old.partial",
        "third.partial",
    ]


@on_posix
def test_a_cut_answer_whose_place_is_taken_keeps_its_code(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    (folder / "out.partial").mkdir()
    server.say("half", finish="length", times=2)
    errors = failure(LIMIT, "cannot write 'out.partial': is a directory")
    assert gptkit("say", "x", "-o", "out") == (80, "", errors)
    assert gptkit("say", "x", "-o", "/dev/null") == (80, "", failure(LIMIT, CUT))
    assert not Path("/dev/null.partial").exists()


SPELLINGS = ("in", "./in", "sub/../in", "link", "hard", "{folder}/in", "linked/in")
PARTIAL = [("partial", spelling) for spelling in SPELLINGS if spelling not in ("link", "hard")]


@on_posix
@pytest.mark.parametrize(("way", "spelling"), [*product(("-f", "option", "<"), SPELLINGS), *PARTIAL])
def test_no_spelling_of_the_input_is_taken_as_output(
    run: AsProcess, gptkit: InMemory, server: FakeServer, home: Path, folder: Path, spelling: str, way: str
) -> None:
    prompt(home, SAY + "options: {terms: {type: file}}\nuser: '{{ text }}{{ terms }}{{ request }}'\n")
    source = folder / ("in.partial" if way == "partial" else "in")
    source.write_text("precious")
    (folder / "sub").mkdir()
    (folder / "link").symlink_to("in")
    (folder / "linked").symlink_to(folder)
    (folder / "hard").hardlink_to(source)
    output = spelling.format(folder=folder)
    refused = output + (".partial" if way == "partial" else "")
    expected = (2, "", failure(f"'{Path(refused)}': the output would overwrite the input"))
    if way == "<":
        shell = ("/bin/sh", "-c", 'exec "$@" < in', "sh", *COMMAND)
        assert run("say", "-o", output, command=shell) == expected
    elif way == "option":
        assert gptkit("say", "x", "--terms", "in", "-o", output) == expected
    else:
        assert gptkit("say", "-f", source.name, "-o", output) == expected
    assert source.read_text() == "precious"
    assert server.requests == []


@on_posix
@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("no/such/out", 73, "'no/such/out': there is no folder '{folder}/no/such'"),
        ("file/out", 73, "'file/out': there is no folder '{folder}/file'"),
        ("dangling", 73, "'dangling': there is no folder '{folder}/gone'"),
        ("loop", 73, "'loop': a symbolic link leads to itself"),
        ("x" * 300, 73, f"'{'x' * 300}': file name too long"),
        (".", 2, "'.': the output is a folder"),
        ("", 2, "'.': the output is a folder"),
        ("sub/", 2, "'sub': the output is a folder"),
    ],
)
def test_what_cannot_be_written_is_not_paid_for(
    gptkit: InMemory, server: FakeServer, folder: Path, output: str, code: int, message: str
) -> None:
    (folder / "sub").mkdir()
    (folder / "file").touch()
    (folder / "dangling").symlink_to("gone/out")
    (folder / "loop").symlink_to("loop")
    assert gptkit("say", "x", "-o", output) == (code, "", failure(message.format(folder=folder)))
    assert server.requests == []


@on_posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everything")
def test_what_may_not_be_written_is_not_paid_for(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    (folder / "locked").mkdir(0o500)
    (folder / "file").touch(0o400)
    assert gptkit("say", "x", "-o", "locked/out") == (73, "", failure("'locked/out': permission denied"))
    assert gptkit("say", "x", "-o", "file") == (73, "", failure("'file': permission denied"))
    assert server.requests == []


@on_posix
def test_a_disk_that_is_full_at_the_end_does_not_cost_the_answer(run: AsProcess, server: FakeServer) -> None:
    server.say("dear")
    hint = "the answer went to standard output instead"
    errors = failure("cannot write '/dev/full': no space left on device", hint)
    assert run("say", "x", "-o", "/dev/full") == (73, "dear\n", errors)


@on_posix
def test_devices_are_no_input_to_protect(run: AsProcess, server: FakeServer) -> None:
    server.say("Hi", times=2)
    assert run("say", "x", "-o", "/dev/null") == (0, "", "")
    assert run("say", "x", "-o", "/dev/stdout") == (0, "Hi\n", "")


RECORD = {
    "prompt": "say",
    "answer": "Hi 世界",
    "model": "m",
    "finish_reason": "stop",
    "refusal": None,
    "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
    "attempts": 1,
    "request_id": "req_1",
}


@pytest.mark.parametrize("args", [[], ["--no-stream"], ["-o", "out"]])
@pytest.mark.parametrize("tty", [False, True])
def test_one_object_for_programs(
    gptkit: InMemory, server: FakeServer, folder: Path, args: list[str], tty: bool
) -> None:
    server.say("Hi 世界")
    code, output, errors = gptkit("say", "x", "-m", "m", "--json", *args, tty=tty)
    written = (folder / "out").read_text(encoding="utf-8") if "-o" in args else output
    found = json.loads(written)
    assert (code, errors, written.endswith("}\n"), "世界" in written) == (0, "", True, True)
    assert found.pop("seconds") >= 0
    assert SESSION_ID.fullmatch(found.pop("session"))
    assert found == RECORD | {"cost": None}  # nobody knows the price of this model
    assert ("-o" in args) == (output == "")


def test_an_object_without_what_the_server_left_out(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Hi", usage=None, headers={"x-request-id": ""})
    found = json.loads(gptkit("say", "x", "--json").stdout)
    assert (found["usage"], found["request_id"], found["model"]) == (None, None, DEFAULT_MODEL)


FAILURE = {"retryable": False, "attempts": 0, "partial": False, "request_id": None}


@pytest.mark.parametrize(
    ("args", "code", "kind", "message"),
    [
        (["say", "--json"], 66, "no_input", "no input"),
        (["say", "--json", "x", "--nope"], 2, "usage", "no such option '--nope'"),
        (["--json", "say"], 2, "usage", "no such option '--json'"),
        (["say", "--json", "--raw", "x"], 2, "usage", "--raw and --json do not go together"),
        (["say", "--json", "--response", "x"], 2, "usage", "--json and --response do not go together"),
        (["say", "--json", "-q", "-v", "x"], 2, "usage", "--quiet and --verbose do not go together"),
        (["nosuch", "--json"], 2, "usage", "no command or prompt named 'nosuch'"),
        (["say", "--json", "-f", "a\x9b\u202e"], 66, "no_input", "'a<U+009B><U+202E>': no such file"),
        (["say", "--json", "x", "--proxy", "ftp://p"], 2, "usage", None),
        (["say", "--json", "x", "-o", "no/dir"], 73, "cannot_write", None),
    ],
)
def test_with_json_the_last_line_of_every_failure_is_an_object(
    gptkit: InMemory, server: FakeServer, args: list[str], code: int, kind: str, message: str | None
) -> None:
    result = gptkit(*args)
    found = last_object(result.stderr)
    assert (result.code, result.stdout) == (code, "")
    assert found == {"code": code, "kind": kind, "message": message or found["message"], **FAILURE}
    assert server.requests == []


def test_a_failed_request_is_an_object_as_well(gptkit: InMemory, server: FakeServer) -> None:
    server.fail(401, message="no")
    result = gptkit("say", "x", "--json")
    assert (result.code, result.stdout) == (77, "")
    assert last_object(result.stderr) == {
        **FAILURE,
        "code": 77,
        "kind": "no_permission",
        "message": "the key in OPENAI_API_KEY was not accepted (401): no",
        "attempts": 1,
        "request_id": "req_1",
    }


def test_a_cut_answer_is_an_object_on_both_streams(gptkit: InMemory, server: FakeServer) -> None:
    server.say("half", finish="length")
    result = gptkit("say", "x", "--json")
    answer = json.loads(result.stdout)
    assert (result.code, answer["answer"], answer["finish_reason"]) == (80, "half", "length")
    found = last_object(result.stderr)
    assert (found["code"], found["partial"], found["request_id"]) == (80, True, "req_1")


def test_json_among_the_words_is_a_word(gptkit: InMemory, server: FakeServer) -> None:
    server.fail(404, message="no")
    errors = failure(
        f"no model '{DEFAULT_MODEL}' at '{server.url}' (404): no", "'gptkit models' lists what is there"
    )
    assert gptkit("say", "--", "--json") == (69, "", errors)


@pytest.mark.parametrize("tty", [False, True])
def test_the_whole_response_object(gptkit: InMemory, server: FakeServer, folder: Path, tty: bool) -> None:
    server.say("Hi 世界", times=2)
    code, output, errors = gptkit("say", "x", "-m", "m", "--response", tty=tty)
    expected = Completion("Hi 世界", model="m", identity="chatcmpl-1").whole_object()
    assert (code, json.loads(output), errors) == (0, expected, "")
    assert output == json.dumps(expected, ensure_ascii=False, indent=2) + "\n"
    sent = body("x", model="m")
    del sent["stream"]
    assert server.request.json == sent
    assert gptkit("say", "x", "-m", "m", "--response", "-o", "out", tty=tty) == (0, "", "")
    assert json.loads((folder / "out").read_text())["id"] == "chatcmpl-2"


def test_a_stream_is_no_response_object(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Hi", stream=True)
    errors = failure("the server sent no response object but a stream", "use --json instead")
    assert gptkit("say", "x", "--response") == (76, "", errors)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--json", "--response"], "--json and --response do not go together"),
        (["--raw", "--json"], "--raw and --json do not go together"),
        (["--raw", "--response"], "--raw and --response do not go together"),
        (["-q", "-v"], "--quiet and --verbose do not go together"),
    ],
)
def test_forms_exclude_each_other(
    gptkit: InMemory, server: FakeServer, args: list[str], message: str
) -> None:
    result = gptkit("say", "x", *args)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == f"gptkit: {message}"
    assert server.requests == []


def test_a_dry_run_shows_the_request_and_sends_nothing(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, SAY + "system: Be brief.\nexamples: [{user: a, assistant: b}]\nparameters: {seed: 1}\n")
    args = ("say", "make it 短", "--dry-run", "-m", "m", "--temperature", "0.5")
    result = gptkit(*args, stdin="text", key=None)
    found = json.loads(result.stdout)
    tokens = found.pop("estimate")["prompt_tokens"]
    assert (result.code, result.stderr, 10 < tokens < 60) == (0, "", True)
    assert found == {
        "prompt": "say",
        "url": f"{server.url}/chat/completions",
        "requests": 1,
        "body": {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "make it 短\n\ntext"},
            ],
            "seed": 1,
            "temperature": 0.5,
            "stream": True,
        },
    }
    assert gptkit(*args, "-o", "out", stdin="text", key=None) == (0, "", "")
    assert (folder / "out").read_text(encoding="utf-8") == result.stdout
    server.say("Hi")
    gptkit(*[arg for arg in args if arg != "--dry-run"], stdin="text")
    assert server.request.json == found["body"]


def code_result(gptkit: InMemory, server: FakeServer, answer: str, *args: str) -> Result:
    server.say(answer)
    return gptkit("code", "sum a CSV column", "--lang", "go", *args)


GO = "Here you are:\n\n```go\npackage main\n\nfunc main() {}\n```\n\nRun it with `go run`.\n"


def test_code_alone_comes_out(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    program = "package main\n\nfunc main() {}\n"
    assert code_result(gptkit, server, GO) == (0, program, "")
    assert code_result(gptkit, server, GO, "-o", "sum.go") == (0, "", "")
    assert (folder / "sum.go").read_text() == program
    assert code_result(gptkit, server, GO, "--raw") == (0, GO, "")
    assert code_result(gptkit, server, "```\n\n a\t \n\n\n```").raw == b"\n a\t \n\n"
    assert json.loads(code_result(gptkit, server, GO, "--json").stdout)["answer"] + "\n" == program


def test_an_answer_without_code_is_not_a_program(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    (folder / "sum.go").write_text("old")
    message = "no code in the answer: 'Sorry, I cannot.'"
    assert code_result(gptkit, server, "Sorry, I cannot.") == (80, "", failure(message))
    hint = "'sum.go' was not written; what came is in 'sum.go.partial'"
    assert code_result(gptkit, server, "Sorry, I cannot.", "-o", "sum.go") == (80, "", failure(message, hint))
    assert (folder / "sum.go").read_text() == "old"
    assert (folder / "sum.go.partial").read_text() == "Sorry, I cannot."


def test_cut_code_is_no_program(gptkit: InMemory, server: FakeServer) -> None:
    server.say("```go\npackage ma", finish="length")
    assert gptkit("code", "x") == (80, "", failure(LIMIT, CUT))


SCHEMA = """\
description: x
output:
  format: json
  schema: {type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}
"""


def test_json_with_a_schema_is_asked_for_once_more(gptkit: InMemory, server: FakeServer, home: Path) -> None:
    prompt(home, SCHEMA)
    server.say('{"n": "one"}')
    server.say('{"n": 1}')
    assert gptkit("say", "x") == (0, '{\n  "n": 1\n}\n', "")
    first, second = (request.json for request in server.requests)
    assert set(first) == {"model", "messages", "stream", "response_format"}
    assert first["response_format"]["type"] == "json_schema"
    assert second["messages"][:-1] == [*first["messages"], {"role": "assistant", "content": '{"n": "one"}'}]
    problem = 'it does not match the JSON schema: $.n: must be integer, not "one"'
    assert second["messages"][-1]["content"].startswith(f"That answer cannot be used: {problem}. ")


def test_json_that_stays_wrong_is_a_failure(
    gptkit: InMemory, server: FakeServer, home: Path, folder: Path
) -> None:
    prompt(home, SCHEMA)
    message = "the answer does not match the schema: missing: 'n'"
    server.say("{}", times=2)
    message += " (tried 2 times)"
    assert gptkit("say", "x") == (80, "", failure(message))
    server.say("{}", times=2)
    hint = "'out' was not written; what came is in 'out.partial'"
    assert gptkit("say", "x", "-o", "out") == (80, "", failure(message, hint))
    server.say('{"n": "one"}')
    assert gptkit("say", "x", "--raw") == (0, '{"n": "one"}\n', "")
