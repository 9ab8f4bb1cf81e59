"""Tools of MCP servers: good and hostile ones, real ones, over pipes and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tool_parts import Tools, told

SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
FILE = """\
description: Notes on a server.
tools:
  mcp:
    notes:
      run: [{python}, "{project}/server.py", {how}]
      select: [read_note, wipe]
      risk: {read_note: read}
      fix: {folder: home}
      narrow: {read_note: {name: {pattern: "[a-z.]+"}}}
      timeout: 3
      start: 5
"""
READ = ("notes_read_note", {"name": "a.txt"})
WIPE: tuple[str, dict[str, Any]] = ("notes_wipe", {})


@pytest.fixture
def ready(tools: Tools) -> Tools:
    """gptkit with the tools of a good server, which are trusted."""
    write(tools, "good")
    assert tools("prompts", "trust", "notes").code == 0
    return tools


def write(tools: Tools, how: str) -> None:
    """The tool file, and the server beside it as a script that behaves in this way."""
    content = FILE.replace("{python}", sys.executable).replace("{how}", "how")
    path = tools.file(content).parent / "server.py"
    path.write_text(SERVER.read_text().replace('sys.argv[1] if len(sys.argv) > 1 else "good"', repr(how)))


def called(tools: Tools) -> list[Any]:
    """The calls that reached the server."""
    path = tools.around.folder / "called.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_read_and_what_is_not_classed(ready: Tools) -> None:
    ready.call(READ)
    ready.call(WIPE)
    run = ready("notes", "x")
    assert run.code == 83
    assert called(ready) == [{"name": "read_note", "arguments": {"name": "a.txt", "folder": "home"}}]
    (output,) = told(ready.server)
    assert "read_note: 牛奶" in output
    assert "[image, no type, 4 characters]" in output
    ready.call(WIPE)
    ready.answer("Wiped.")
    run = ready("notes", "x", answers=["yes"])
    assert run.result.stdout == "Wiped.\n"
    assert "  1 destructive  notes: wipe {}" in run.questions[0]


def test_what_the_model_is_offered(ready: Tools) -> None:
    ready.answer()
    assert ready("notes", "x").code == 0
    body = json.dumps(ready.server.request.json)
    assert "notes_read_note" in body
    assert "folder" not in body
    assert "#/definitions" not in body
    assert called(ready) == []


@pytest.mark.parametrize(
    "arguments", [{"name": "../x"}, {"name": "a", "folder": "other"}, {"name": "a\n"}, {}]
)
def test_8_to_13_what_a_call_may_not_say(ready: Tools, arguments: dict[str, Any]) -> None:
    ready.call(("notes_read_note", arguments))
    ready.answer()
    run = ready("notes", "x", "--json")
    assert run.record["calls"][0]["outcome"] == "refused"
    assert called(ready) == []


def test_27_trust_shows_what_the_server_says_of_itself(tools: Tools) -> None:
    write(tools, "good")
    run = tools("notes", "x")
    assert run.code == 83
    assert "prompts trust" in run.result.stderr
    lines = tools("prompts", "trust", "notes").result.stdout.splitlines()
    assert lines[1:] == [
        "notes_read_note  read         Show a note. (the server says: readOnlyHint: true)",
        "notes_wipe       destructive  Delete all. (the server says: readOnlyHint: true)",
    ]


@pytest.mark.parametrize("how", ["junk", "pages", "changes"])
def test_25_and_26_a_server_that_is_odd_and_works(tools: Tools, how: str) -> None:
    write(tools, how)
    assert tools("prompts", "trust", "notes").code == 0
    tools.call(READ)
    tools.answer("Milk.")
    assert tools("notes", "x").result[:2] == (0, "Milk.\n")


@pytest.mark.parametrize("how", ["poisoned", "sidenote"])
def test_26_a_definition_that_has_changed(ready: Tools, how: str) -> None:
    write(ready, how)
    ready.call(READ)
    run = ready("notes", "x")
    assert run.code == 65
    assert "definition of 'notes_read_note' is not the one that was trusted" in run.result.stderr
    assert called(ready) == []


def test_25_a_server_that_dies_or_says_nothing(ready: Tools) -> None:
    write(ready, "dies")
    ready.call(READ)
    run = ready("notes", "x")
    assert run.code == 75
    assert "the server 'notes': it ended; it said 'cannot open database /secret'" in run.result.stderr
    write(ready, "silent")
    ready.call(READ)
    began = time.monotonic()
    run = ready("notes", "x")
    assert run.code == 75
    assert "it does not answer" in run.result.stderr
    assert time.monotonic() - began < 5 + 2 + 3


CALLS: list[tuple[str, str, str]] = [
    ("call dies", "failed", "the server ended: out of memory"),
    ("call silent", "failed", "it took too long"),
    ("large", "failed", "it answered with more than 8 MiB"),
    ("error", "failed", "the tool reports an error"),
]


@pytest.mark.parametrize(("how", "outcome", "note"), CALLS)
def test_20_to_22_a_call_that_fails(tools: Tools, how: str, outcome: str, note: str) -> None:
    write(tools, how)
    assert tools("prompts", "trust", "notes").code == 0
    tools.call(READ)
    tools.answer()
    began = time.monotonic()
    run = tools("notes", "x", "--json")
    (call,) = run.record["calls"]
    assert (run.code, call["outcome"], call["note"]) == (0, outcome, note)
    assert time.monotonic() - began < 20
    if how != "error":
        tools.call(WIPE)
        tools.answer()
        run = tools("notes", "x", "--json", "--approve", "notes_wipe")
        assert (run.code, run.record["calls"][0]["outcome"]) == (84, "unknown")


LIES = ["SCHEMA['required'] = 5", "SCHEMA['$defs'] = [1]", "SCHEMA['definitions'] = 5", "SCHEMA['allOf'] = 5"]
LIES += ["SCHEMA['maximum'] = float('nan')", "PROPERTIES['name'] = {'enum': 5}"]


def lie(tools: Tools, code: str) -> None:
    """Let the server run this before it listens."""
    path = tools.around.home / "config" / "prompts" / "server.py"
    path.write_text(path.read_text().replace("\n\nmain()\n", f"\n\n{code}\nmain()\n"))


@pytest.mark.parametrize("code", LIES)
def test_25_a_definition_that_is_none(one: Tools, code: str) -> None:
    write(one, "good")
    lie(one, code)
    run = one("prompts", "trust", "notes")
    assert (run.code, "'read_note' has no usable schema" in run.result.stderr) == (65, True)


ANSWERS = {
    "pass": ("ok", None),
    "asked['result'] = None": ("failed", "no result"),
    "asked['error'] = 'no \\x1b[2Jdisk'": ("failed", "no ␛[2Jdisk"),
    'while True: sys.stdout.write(\'{"id": 1, "method": "ping"}\\n\' * 1000)': (
        "failed",
        "it answered with more than 8 MiB",
    ),
    "while True: sys.stderr.write('x\\n' * 1000)": ("failed", "it took too long"),
}


@pytest.mark.parametrize("code", ANSWERS)
def test_25_an_odd_answer(one: Tools, code: str) -> None:
    write(one, "good")
    lie(
        one,
        f"def odd(value):\n    asked = {{'jsonrpc': '2.0', **value}}\n"
        f"    if 'content' in str(value):\n        {code}\n    honest(asked)\nhonest, say = say, odd",
    )
    assert one("prompts", "trust", "notes").code == 0
    one.call(READ)
    one.answer()
    run = one("notes", "x", "--json")
    (call,) = run.record["calls"]
    assert (run.code, call["outcome"], call["note"]) == (0, *ANSWERS[code])


def test_28_a_server_may_ask_the_user_nothing(tools: Tools) -> None:
    write(tools, "asks")
    assert tools("prompts", "trust", "notes").code == 0
    tools.call(READ)
    tools.answer("Milk.")
    run = tools("notes", "x", answers=["secret"])
    assert run.questions == []
    assert "gptkit does not offer this" in told(tools.server)[0]


def test_24_a_server_has_the_environment_of_the_file(ready: Tools) -> None:
    path = ready.around.home / "config" / "prompts" / "server.py"
    text = path.read_text().replace("{given['name']}: 牛奶", "{dict(os.environ)}")
    path.write_text(text)
    ready.call(READ)
    ready.answer()
    ready("notes", "x")
    assert "OPENAI" not in told(ready.server)[0]
    assert "PATH" in told(ready.server)[0]


def test_no_server_is_left_running(ready: Tools) -> None:
    path = ready.around.home / "config" / "prompts" / "server.py"
    path.write_text(
        "import os\nopen('pid', 'w').write(str(os.getpid()))\n" + path.read_text().split("\n", 4)[4]
    )
    ready.call(READ)
    ready.answer()
    assert ready("notes", "x").code == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((ready.around.folder / "pid").read_text()), 0)


def test_a_plan_with_a_server(ready: Tools) -> None:
    ready.call(WIPE)
    ready.answer()
    assert ready("notes", "wipe", "--plan", "p.yaml").code == 0
    assert called(ready) == []
    assert ready("do", "--apply", "p.yaml", "--approve", "notes_wipe").code == 0
    assert called(ready) == [{"name": "wipe", "arguments": {}}]
    write(ready, "sidenote")
    assert ready("do", "--apply", "p.yaml", "--approve", "notes_wipe").code == 65


@pytest.fixture
def http_url() -> Iterator[str]:
    """A server over HTTP that answers in JSON or as a stream, and wants its session and token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            method = asked["method"]
            if self.headers["Authorization"] != "Bearer token-canary-123":
                self.send_response(401)
                self.end_headers()
                return
            if method != "initialize" and self.headers["Mcp-Session-Id"] != "s1":
                self.send_response(400)
                self.end_headers()
                return
            tool = {"name": "add", "description": "Add.", "inputSchema": {"type": "object"}}
            results = {
                "initialize": {"protocolVersion": "2025-06-18"},
                "tools/list": {"tools": [tool]},
                "tools/call": {"content": [], "structuredContent": {"sum": 3}},
            }
            body, kind = b"", "application/json"
            if "id" in asked:
                message = {"jsonrpc": "2.0", "id": asked["id"], "result": results[method]}
                body = json.dumps(message).encode()
                if method == "tools/call":
                    note = b'data: {"jsonrpc": "2.0", "method": "notifications/progress"}\n\n'
                    body, kind = note + b"event: message\ndata: " + body + b"\n\n", "text/event-stream"
            self.send_response(200 if body else 202)
            for number in range(40 if "slow" in str(asked) else 0):  # each byte in time, the whole never
                self.flush_headers()
                self.wfile.write(b"X-%d: y\r\n" % number)
                time.sleep(0.2)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Mcp-Session-Id", "s1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/mcp"
    server.shutdown()
    server.server_close()


def test_a_server_over_http(tools: Tools, http_url: str) -> None:
    tools.file(
        "description: x\ntools:\n  mcp:\n    sums:\n"
        f"      url: {http_url}\n      select: [add]\n      risk: {{add: read}}\n"
        "      headers: {Authorization: Bearer $TOKEN}\n      timeout: 2\n"
    )
    assert tools("prompts", "trust", "notes", env={"TOKEN": "wrong-token-1"}).code == 75
    env: dict[str, str | None] = {"TOKEN": "token-canary-123"}
    assert tools("prompts", "trust", "notes", env=env).code == 0
    tools.call(("sums_add", {"a": 1, "b": 2}))
    tools.answer("3.")
    run = tools("notes", "1 + 2?", env=env)
    assert run.result[:2] == (0, "3.\n")
    assert '{"sum": 3}' in told(tools.server)[0]
    assert "canary" not in run.result.stderr
    tools.call(("sums_add", {"a": "slow"}))
    tools.answer("Too slow.")
    run = tools("notes", "1 + 2?", "--json", env=env)
    assert run.record["calls"][0]["note"] == "it took too long"
    assert run.record["calls"][0]["seconds"] < 4


@pytest.fixture(scope="session")
def real_servers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with MCP servers from PyPI; skipped with a word where they cannot be had."""
    given = os.environ.get("MCP_SERVERS_VENV")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("mcp") / "venv"
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=120)
        pip = [str(folder / "bin" / "pip"), "install", "-q", "mcp-server-time", "mcp-server-git"]
        subprocess.run(pip, check=True, capture_output=True, timeout=240)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("mcp-server-time and mcp-server-git cannot be installed here")
    return folder


def test_real_servers(one: Tools, real_servers: Path) -> None:
    repository = one.around.folder
    for command in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=repository, check=True
        )
    one.file(
        "description: x\ntools:\n  mcp:\n"
        f"    time:\n      run: ['{real_servers}/bin/mcp-server-time']\n      start: 60\n"
        "      select: [get_current_time]\n      risk: {get_current_time: read}\n"
        f"    git:\n      run: ['{real_servers}/bin/mcp-server-git']\n      start: 60\n      timeout: 60\n"
        "      select: [git_log, git_create_branch]\n      risk: {git_log: read}\n"
        f"      fix: {{repo_path: '{repository}'}}\n"
    )
    assert one("prompts", "trust", "notes").code == 0
    one.call(("time_get_current_time", {"timezone": "Asia/Tokyo"}), ("git_git_log", {"max_count": 1}))
    one.call(
        ("time_get_current_time", {"timezone": "Nowhere"}), ("git_git_create_branch", {"branch_name": "new"})
    )
    one.answer("Done.")
    run = one("notes", "x", "--json", answers=["yes"])
    assert run.code == 0
    assert [call["outcome"] for call in run.record["calls"]] == ["ok", "ok", "failed", "ok"]
    assert "begin" in told(one.server, 1)[0]
    branches = subprocess.run(["git", "branch"], cwd=repository, check=True, capture_output=True).stdout
    assert b"new" in branches
